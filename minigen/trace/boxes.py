"""The boxes of a picture of the graph: a node each, or, of a large graph, several nodes folded into one.

A fold is a run of ops that were computed one after the other. So every arrow between boxes points forward in time, and
there are no circles, whatever is folded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from minigen.trace.facts import NodeFacts, Value

MOST = 50  # boxes in a picture
PERIOD = 64  # ops, up to which a repeated stretch is looked for
LINE, PADDING = 17.0, 9.0  # the height of a line of text in a box, and the space around it, in pixels
CHARACTER = 0.602 * 12  # the width of a letter of a typewriter face at 12 pixels

Run = list[NodeFacts]


@dataclass(frozen=True)
class Box:
    """A node, or several."""

    id: str  # of its NodeFacts; "fold 1" ... for several
    kind: str  # "op", "leaf", "constant" or "fold"
    name: str  # what stands in it first: "h", "w1", "tanh", "encoder.2"
    says: str  # and beside that: "= tanh", "12 ops"; ""
    nodes: tuple[NodeFacts, ...]  # of a fold its ops, in the order of the forward, then its leaves
    sources: dict[str, int]  # {id of the box that an arrow comes from: how many}

    @property
    def result(self) -> NodeFacts:
        """The node whose value is the box's: of a fold, the last op."""
        return next((n for n in reversed(self.nodes) if n.kind == "op"), self.nodes[-1])

    def forward(self, spread: bool) -> str:
        """The value that comes out of it, in a word or two."""
        return joined([brief(v, spread=spread) for v in self.result.outputs])

    def size(self, forward: str, gradient: str) -> tuple[float, float]:
        """(width, height) in pixels: a line for the name, one for the value, one for the gradient ("" for none)."""
        letters = max(1.1 * len(f"{self.name} {self.says}"), len(forward), len(gradient))
        return max(56.0, letters * CHARACTER + 2 * PADDING + 6), LINE * (3 if gradient else 2) + 1.4 * PADDING


def boxes(nodes: list[NodeFacts], most: int = MOST) -> list[Box]:
    """The graph as at most about `most` boxes: by module, by what repeats, and if need be by mere order.

    Raises RuntimeError where there is no node at all.
    """
    if not nodes:
        raise RuntimeError("there is no graph to show: this Tensor is a leaf, no op made it")
    ops = [n for n in nodes if n.kind == "op"][::-1]
    others = [n for n in nodes if n.kind != "op"]
    for runs in _foldings(ops, most):
        made = _boxes(runs, others)
        if len(made) <= most:
            break
    return made


def _foldings(ops: list[NodeFacts], most: int) -> Iterator[list[Run]]:
    """Coarser and coarser ways to cut the ops into runs."""
    runs = [[op] for op in ops]
    yield runs
    for depth in range(max((_depth(op) for op in ops), default=0), 0, -1):
        runs = _by_module(ops, depth)
        yield runs
    while (repeated := _by_repetition(runs)) is not None:
        runs = repeated
        yield runs
    for pieces in (most // 2, most // 4, 1):  # leaves take their share of the boxes
        size = -(-len(ops) // pieces)
        yield [ops[i : i + size] for i in range(0, len(ops), size)]


def _depth(op: NodeFacts) -> int:
    return len(op.module.split(".")) if op.module else 0


def _by_module(ops: list[NodeFacts], depth: int) -> list[Run]:
    """Neighbours of one layer, or of one part of the model at this depth, together."""
    runs: list[Run] = []
    before = ""
    for op in ops:
        path = ".".join(op.module.split(".")[:depth])
        if path and path == before:
            runs[-1].append(op)
        else:
            runs.append([op])
        before = path
    return runs


def _by_repetition(runs: list[Run]) -> list[Run] | None:
    """What repeats itself longest: the first time and the last as they are, all between as one run.

    None where nothing repeats for long.
    """
    kinds = [tuple(op.label for op in run) for run in runs]
    covered, start, period = 0, 0, 0
    for p in range(1, min(PERIOD, len(runs) // 3) + 1):
        same = 0  # how many in a row equal the one a period on
        for i in range(len(runs) - p + 1):
            if i + p < len(runs) and kinds[i] == kinds[i + p]:
                same += 1
                continue
            cover = (same // p + 1) * p
            if cover > covered:
                covered, start, period = cover, i - same, p
            same = 0
    if covered - 2 * period - 1 < max(2, len(runs) // 10):
        return None
    first, last = start + period, start + covered - period
    between = [op for run in runs[first:last] for op in run]
    return [*runs[:first], between, *runs[last:]]


def _boxes(runs: list[Run], others: list[NodeFacts]) -> list[Box]:
    home: dict[str, int] = {op.id: i for i, run in enumerate(runs) for op in run}
    users: dict[str, set[int]] = {}
    for run in runs:
        for op in run:
            for _, id, _ in op.inputs:
                users.setdefault(id, set()).add(home[op.id])
    contents: list[Run] = [list(run) for run in runs]
    for node in others:
        used = users.get(node.id, set())
        inside = next(iter(used)) if len(used) == 1 else -1
        if inside >= 0 and len(runs[inside]) > 1:  # folded with the only ones that use it
            home[node.id] = inside
            contents[inside].append(node)
        else:
            home[node.id] = len(contents)
            contents.append([node])
    ids = [run[0].id if len(run) == 1 else f"fold {i + 1}" for i, run in enumerate(contents)]
    made = []
    for id, content in zip(ids, contents, strict=True):
        sources: dict[str, int] = {}
        for node in content:
            for _, source, _ in node.inputs:
                if ids[home[source]] != id:
                    sources[ids[home[source]]] = sources.get(ids[home[source]], 0) + 1
        kind = content[0].kind if len(content) == 1 else "fold"
        made.append(Box(id, kind, *_title(content), tuple(content), sources))
    return made


def _title(content: Run) -> tuple[str, str]:
    """What stands in a box, and beside it."""
    ops = [n for n in content if n.kind == "op"] or content
    if len(ops) == 1:
        named = ops[0].kind == "op" and ops[0].name and len(ops[0].outputs) == 1
        return (ops[0].name, f"= {ops[0].label}") if named else (ops[0].label, "")
    if module := _common([op.module for op in ops]):
        return module, f"{len(ops)} ops"
    labels = [op.label for op in ops]
    periods = (p for p in range(1, min(PERIOD, len(labels) // 2) + 1) if labels[p:] == labels[:-p])
    period = next((p for p in periods if len(labels) % p == 0), len(labels))
    name = labels[0] if period == 1 else f"{labels[0]} ... {labels[period - 1]}"
    return name, f"{len(ops)} ops" if period == len(ops) else f"x {len(ops) // period}"


def _common(modules: list[str]) -> str:
    """The path that these paths of modules share: "model.2" of "model.2.0" and "model.2.1"."""
    shared = modules[0].split(".")
    for module in modules:
        parts = module.split(".")
        while shared != parts[: len(shared)]:
            shared.pop()
    return ".".join(shared)


def joined(texts: list[str]) -> str:
    """Of several outputs, what they say if it is the same, else how many there are."""
    return f"{len(texts)} outputs" if len(set(texts)) > 1 else "".join(texts[:1])


def brief(value: Value, *, shape: bool = True, spread: bool = True) -> str:
    """An array in a word or two, to stand in a box: shape, and its few entries, or (spread) from where to where."""
    if value.status != "known":
        return "not kept" if value.status == "not kept" else value.status
    if not value.shape:
        return value.text
    size = str(value.shape).replace(" ", "")
    flat = _flat(value.values)
    if flat is not None and len(flat) <= 3:
        says = " ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in flat)
    elif not spread or value.least is None or value.most is None:
        return size
    else:
        says = f"{value.least:.3g} .. {value.most:.3g}" if value.least != value.most else f"{value.least:.3g}"
    return f"{size} {says}" if shape else says


def _flat(values: object) -> list[object] | None:
    if not isinstance(values, list):
        return None if values is None else [values]
    return [v for part in values for v in _flat(part) or []]
