"""What one step of backprop has to show, as plain data. Text, terminal, picture and page only lay it out.

    walk = Walk(loss)           walks the whole graph; writes no .grad, changes nothing
    walk.step(3)                StepFacts: everything about the third step
    walk.nodes()                NodeFacts of the whole graph: what there is to draw
    walk.as_json()              all of it as dicts, lists, numbers and strings

Whatever has a `text` says itself in a line. What is not known is said so: `status` tells "known" from "not yet" (no
gradient has arrived), "not kept" (mg.watch() would show it) and "unused" (an output that nothing used: its gradient is
zero). None of these looks like the number 0.
"""

import linecache
import os
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minigen import graph
from minigen.backend import to_numpy
from minigen.graph.step import Arrival, Step, summary
from minigen.graph.tape import Node
from minigen.tensor import Tensor
from minigen.trace.jacobian import Jacobian, jacobian
from minigen.trace.recorded import MISSING, Recorded, output_name, parameter, upstreams
from minigen.trace.substitution import work_out

VALUES = 64  # arrays of up to so many entries carry them


@dataclass(frozen=True)
class Value:
    """An array (or a number, a shape, None ...), or why there is none."""

    text: str  # in a line
    status: str = "known"  # or "not yet", "not kept", "unused"
    shape: tuple[int, ...] | None = None  # of an array
    dtype: str | None = None
    values: Any = None  # nested lists; nan and inf as strings; None where there are more than were asked for
    least: float | None = None  # min, mean and max, of finite entries
    mean: float | None = None
    most: float | None = None


NOT_YET = Value("not yet", "not yet")
NOT_KEPT = Value("not kept; run the forward inside mg.watch() to see it", "not kept")
UNUSED = Value("zero: nothing used this output", "unused")


@dataclass(frozen=True)
class Operand:
    """An input or an output of the op."""

    parameter: str  # the op's own name for it: "x", "w", "xs[2]", "y"
    name: str  # what the reader calls it: "h", "0.w", "tanh #3"
    id: str | None  # of the NodeFacts it comes from; None for a number or an array nobody named
    value: Value
    wants_gradient: bool


@dataclass(frozen=True)
class Upstream:
    """A gradient that came in: the slope of the loss in an output of this op."""

    parameter: str  # "dy", "d_hs"
    meaning: str  # "d loss / d h"
    value: Value
    came: int  # so many of ...
    consumers: int  # ... so many have arrived
    sources: tuple[str, ...]  # ids of the consumers, a consumer twice if it used it twice
    text: str  # "complete: 2 of 2 consumers have arrived (add #7, mul #5)"


@dataclass(frozen=True)
class Outgoing:
    """A gradient that goes out, to one input."""

    parameter: str  # of the op: "x"
    to: str  # the NodeFacts id of where it goes
    to_name: str
    meaning: str  # "d loss / d h"
    rule: str  # in symbols, as far as it was run: "dy * (1 - y * y)"
    source: str  # the op's own lines, whole
    numbers: tuple[str, ...]  # the same with numbers, worked out for one entry; or a sentence why not
    entry: str  # which one, of what the line returned: "[0, 1]"; "" for a single number, or none
    jacobian: Jacobian | None  # None where it was not asked for
    reduction: str  # "summed over axis 0: (5, 3) -> (3,)"; "" for none
    gradient: Value
    before: Value  # what had arrived there
    after: Value  # before + gradient
    came: int  # so many of ...
    consumers: int  # ... so many have arrived there, with this one
    text: str  # the accumulation in a sentence
    note: str  # "w.grad already holds ..."; "" for nothing to say


@dataclass(frozen=True)
class StepFacts:
    """Everything about one step."""

    number: int  # this step ...
    total: int  # ... of so many
    id: str  # of its NodeFacts: "#12"
    op: str
    name: str  # what the reader calls the result: "h"; "tanh #12" where nobody named it
    title: str  # "h = tanh(a)"
    formula: str  # the op's own: "y = tanh(x)"
    where: str  # "lesson.py:41"; "" unless watched, and for an expression
    source: str  # that line of the script
    module: str  # the path of the layer that called it; ""
    settings: dict[str, str]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    upstreams: tuple[Upstream, ...]
    outgoing: tuple[Outgoing, ...]
    saved: dict[str, Value]  # what its gradients relied on
    fused: bool  # the op has a plain form to step into
    watched: bool


@dataclass(frozen=True)
class NodeFacts:
    """A box of the picture."""

    id: str  # "#12" for an op, "w1", "leaf 2" ... for what it starts from
    kind: str  # "op", "leaf" (gets a gradient) or "constant" (does not)
    label: str  # "tanh", "w1"
    name: str  # what the reader calls it; "" for nothing
    module: str
    step: int | None  # of an op: the number of its step
    outputs: tuple[Value, ...]  # forward values; of a leaf or constant, the one
    inputs: tuple[tuple[str, str, int], ...]  # edges: (its parameter, id of where it comes from, which output)
    consumers: int  # how many gradients its own is added up from


@dataclass(frozen=True)
class Standing:
    """How far the gradient of one value has come, after so many steps."""

    id: str  # of the NodeFacts
    name: str
    step: int | None  # at which it is handed on; None for a leaf
    came: int
    consumers: int
    gradient: Value  # the sum so far; NOT_YET before the first has arrived, which is not 0
    text: str  # "not yet: 0 of 2 consumers have arrived"


class Walk:
    """A walk through the graph of `loss`, made to be looked at: steps, and facts about them.

    name: what the reader calls the loss. Nothing is changed: no `.grad` is written, the graph is kept.
    Where a gradient line raises, `steps` ends before it and `failure` says why.
    Raises what mg.backprop raises for a Tensor without a graph.
    """

    def __init__(self, loss: Any, upstream: Any = None, *, name: str | None = None) -> None:
        walk = graph.backprop(loss, upstream)
        self.loss, self.given = loss, upstream is not None
        self.steps: list[Step] = []
        self.failure = ""
        try:
            for step in walk:
                self.steps.append(step)
                if step.number == step.total:  # one more would write .grad
                    break
        except Exception as error:  # whatever a learner's line may raise
            if not self.steps and isinstance(error, RuntimeError):  # the graph was released
                raise
            self.failure = f"{type(error).__name__}: {error}"
        self.recorded = Recorded(loss, name)
        self.total = len(self.recorded.nodes)
        self._ids = self._identities()

    def _identities(self) -> dict[Any, str]:
        ids: dict[Any, str] = {node: f"#{node.number}" for node in self.recorded.nodes}
        for leaf in self.recorded.leaves():
            name = self.recorded.name(leaf) or f"leaf {len(ids) - self.total + 1}"
            twins = sum(taken.partition(" (")[0] == name for taken in ids.values())
            ids[leaf] = f"{name} ({twins + 1})" if twins else name
        return ids

    def id_of(self, key: Any) -> str:
        """The NodeFacts id of a node, of a leaf, or of a (node, slot)."""
        return self._ids[key[0] if type(key) is tuple else key]

    def find(self, wanted: str, after: int = 0) -> int | None:
        """The number of the step that is meant; None for none, the next one of several.

        wanted: its number, its node (#12), its op, what its result is called, or a leaf that it sends a gradient to.
        """
        found = []
        for step in self.steps:
            names = [self.recorded.say((step.node, slot)) for slot in range(len(upstreams(step)))]
            names += [self.recorded.say(a.to) for a in step.arrivals if isinstance(a.to, Tensor)]
            if wanted in (str(step.number), f"#{step.node.number}", step.op.__name__, *names):
                found.append(step.number)
        return next((number for number in found if number > after), found[0] if found else None)

    def step(self, number: int, *, values: int = VALUES, jacobians: bool = False) -> StepFacts:
        """The facts of one step, counted from 1. values: up to how many entries an array carries them."""
        step = self.steps[number - 1]
        node, seen = step.node, step.seen
        inputs = self.recorded.inputs(node)
        operands = [self._operand(node, k, array, values) for k, array in enumerate(inputs.values())]
        outputs = [
            Operand(output_name(node, slot), self.recorded.say((node, slot)), self.id_of(node), value(y, values), True)
            for slot, y in enumerate(self.recorded.outputs(node))
        ]
        result = ", ".join(o.name for o in outputs if self._named(o)) or f"#{node.number}"
        settings = {name: _said(s) for name, s in step.settings.items()}
        arguments = [o.name for o in operands]
        arguments += [
            f"{n}={s if len(s) < 24 else '...'}" for n, s in settings.items() if s != _said(step.op.settings[n])
        ]
        return StepFacts(
            number=step.number,
            total=step.total,
            id=f"#{node.number}",
            op=step.op.__name__,
            name=next((o.name for o in outputs), ""),
            title=f"{result} = {step.op.__name__}({', '.join(arguments)})",
            formula=formula(step.op),
            where=f"{_short(seen.file)}:{seen.line}" if seen and not seen.file.startswith("<") and seen.line else "",
            source=linecache.getline(seen.file, seen.line).strip() if seen else "",
            module=seen.module if seen else "",
            settings=settings,
            inputs=tuple(operands),
            outputs=tuple(outputs),
            upstreams=self._upstreams(step, values),
            outgoing=tuple(self._outgoing(step, arrival, values, jacobians) for arrival in step.arrivals),
            saved={name: value(kept, values) for name, kept in step.saved.items()},
            fused=step.op.plain is not None,
            watched=seen is not None,
        )

    def _slope(self, of: str) -> str:
        """A gradient in symbols."""
        top = (not self.given and self.recorded.name(self.loss.origin)) or "loss"
        return f"d {top} / d {of if of.replace('.', '').isidentifier() else f'({of})'}"

    def _named(self, operand: Operand) -> bool:
        return "#" not in operand.name

    def _operand(self, node: Node, k: int, array: Any, values: int) -> Operand:
        name, parent, known = parameter(node, k), node.parents[k], value(array, values)
        id = self._ids.get(parent[0] if type(parent) is tuple else parent)
        said = self.recorded.say(parent) if id else node.seen and node.seen.names.get(name)
        said = (
            said or getattr(parent, "name", None) or (known.text if not known.shape and array is not MISSING else name)
        )
        return Operand(name, said, id, known, k in node.plan.wanted)

    def _upstreams(self, step: Step, values: int) -> tuple[Upstream, ...]:
        found = []
        for slot, dy in enumerate(upstreams(step)):
            sources = [n for n, _ in self.recorded.consumers.get((step.node, slot), [])]
            names = f" ({', '.join(f'{n.op.__name__} #{n.number}' for n in sources)})"
            count = len(sources)
            if dy is None:
                text = "nothing used this output, so the loss does not depend on it"
            elif not sources:
                given = (
                    "with the upstream gradient it was given"
                    if self.given
                    else "with d loss / d loss = 1: the loss follows itself, one to one"
                )
                text = f"the walk starts here, {given}"
            else:
                consumers = "consumer has" if count == 1 else "consumers have"
                text = f"complete: {count} of {count} {consumers} arrived{names}"
            name = "d_" + output_name(step.node, slot) if step.node.outputs is not None else "dy"
            known = UNUSED if dy is None else value(dy, values)
            meaning = self._slope(self.recorded.say((step.node, slot)))
            found.append(Upstream(name, meaning, known, count, count, tuple(map(self.id_of, sources)), text))
        return tuple(found)

    def _outgoing(self, step: Step, arrival: Arrival, values: int, jacobians: bool) -> Outgoing:
        k = [parameter(step.node, i) for i in range(len(step.node.parents))].index(arrival.input)
        key = step.node.parents[k]
        to, count, left = self.recorded.say(key), arrival.consumers, arrival.consumers - arrival.came
        first = arrival.before is None
        if count == 1:
            text = f"{to} has one consumer, so this is its whole gradient"
        else:
            text = "the first to arrive" if first else "added to what had arrived"
            state = "not complete yet" if left else "complete"
            text += f"; {arrival.came} of {count} consumers of {to} have arrived: its gradient is {state}"
        held = getattr(key, "grad", None) if type(key) is not tuple else None
        worked = work_out(step, arrival)
        return Outgoing(
            parameter=arrival.input,
            to=self.id_of(key),
            to_name=to,
            meaning=self._slope(to),
            rule=worked.symbols,
            source=worked.source,
            numbers=worked.numbers,
            entry=worked.entry,
            jacobian=jacobian(step, arrival.input) if jacobians else None,
            reduction=reduction(arrival.raw.shape, arrival.gradient.shape),
            gradient=value(arrival.gradient, values),
            before=NOT_YET if first else value(arrival.before, values),
            after=value(arrival.after, values),
            came=arrival.came,
            consumers=count,
            text=text,
            note="" if held is None else f"{to}.grad already holds {summary(held)}; backward() would add to it",
        )

    def standings(self, number: int, *, values: int = 0) -> list[Standing]:
        """The gradients of all results (in the order of the walk) and leaves, after step `number` is done."""
        done = self.steps[:number]
        sums: dict[Any, Any] = {self.loss.origin: upstreams(done[0])[self.loss.origin[1]]} if done else {}
        came: dict[Any, int] = {}
        for step in done:
            for k, arrival in zip(step.node.plan.wanted, step.arrivals, strict=True):
                sums[step.node.parents[k]], came[step.node.parents[k]] = arrival.after, arrival.came
        order = {node: at for at, node in enumerate(self.recorded.nodes, start=1)}
        keys = [(node, slot) for node in order for slot in range(len(self.recorded.outputs(node)))]
        found = []
        for key in [*keys, *self.recorded.leaves()]:
            count, arrived = len(self.recorded.consumers.get(key, [])), came.get(key, 0)
            unused = not count and key != self.loss.origin
            text = f"{arrived} of {count} {'consumer has' if count == 1 else 'consumers have'} arrived"
            text = text if count else "nothing uses it" if unused else "the walk starts here"
            known = value(sums[key], values) if key in sums else UNUSED if unused else NOT_YET
            at = order[key[0]] if type(key) is tuple else None
            found.append(Standing(self.id_of(key), self.recorded.say(key), at, arrived, count, known, text))
        return found

    def nodes(self, *, values: int = VALUES) -> list[NodeFacts]:
        """Every op, every leaf, and every constant that was seen, ops first, in the order of the walk."""
        found: list[NodeFacts] = []
        constants: dict[Any, NodeFacts] = {}  # by the identity of their array
        for number, node in enumerate(self.recorded.nodes, start=1):
            edges = []
            for k, array in enumerate(self.recorded.inputs(node).values()):
                operand, parent = self._operand(node, k, array, values), node.parents[k]
                id, slot = operand.id, parent[1] if type(parent) is tuple else 0
                if id is None and operand.value.shape:
                    id = f"constant {len(constants) + 1}"
                    known = NodeFacts(id, "constant", operand.name, operand.name, "", None, (operand.value,), (), 0)
                    id = constants.setdefault(_identity(array), known).id
                if id is not None:
                    edges.append((operand.parameter, id, slot))
            keys = [(node, slot) for slot in range(len(self.recorded.outputs(node)))]
            count = sum(len(self.recorded.consumers.get(key, [])) for key in keys)
            name = next(filter(None, map(self.recorded.name, keys)), "")
            outputs = tuple(value(y, values) for y in self.recorded.outputs(node))
            module = node.seen.module if node.seen else ""
            found.append(
                NodeFacts(f"#{node.number}", "op", node.op.__name__, name, module, number, outputs, tuple(edges), count)
            )
        for leaf in self.recorded.leaves():
            id, count = self.id_of(leaf), len(self.recorded.consumers[leaf])
            name = self.recorded.name(leaf) or ""
            found.append(NodeFacts(id, "leaf", name or id, name, "", None, (value(leaf.data, values),), (), count))
        return found + list(constants.values())

    def as_json(self, *, values: int = VALUES, jacobians: bool = True) -> dict[str, Any]:
        """All facts as dicts, lists, numbers and strings: {"nodes": [...], "steps": [...], "total", "failure"}."""
        steps = [asdict(self.step(s.number, values=values, jacobians=jacobians)) for s in self.steps]
        nodes = [asdict(node) for node in self.nodes(values=values)]
        return {"nodes": nodes, "steps": steps, "total": self.total, "failure": self.failure}


def value(array: Any, limit: int = VALUES) -> Value:
    """An array, a number, a shape ... as a Value."""
    if array is MISSING:
        return NOT_KEPT
    if not hasattr(array, "dtype") or not hasattr(array, "shape"):
        return Value(_said(array))
    a = to_numpy(array)
    values = _finite_or_word(a.tolist()) if a.size <= limit else None
    finite = a[abs(a) < float("inf")].astype("float64") if a.dtype.kind == "f" else a
    least, mean, most = (float(finite.min()), float(finite.mean()), float(finite.max())) if finite.size else (None,) * 3
    return Value(summary(array), "known", a.shape, str(a.dtype), values, least, mean, most)


def _finite_or_word(values: Any) -> Any:
    """nan and inf as strings: JSON has no such numbers."""
    if isinstance(values, list):
        return [_finite_or_word(v) for v in values]
    return values if not isinstance(values, float) or abs(values) < float("inf") else str(values)


def _said(thing: Any) -> str:
    """A setting, or a saved value that is no array, in a few words."""
    if isinstance(thing, (list, tuple)) and any(hasattr(part, "dtype") for part in thing):
        return f"({', '.join(f'array {p.shape}' if hasattr(p, 'shape') else _said(p) for p in thing)})"
    if isinstance(thing, slice):
        ends = ["" if n is None else str(n) for n in (thing.start, thing.stop, thing.step)]
        return ":".join(ends[:2] if not ends[2] else ends)
    if isinstance(thing, tuple) and any(isinstance(part, slice) for part in thing):
        return f"[{', '.join(map(_said, thing))}]"
    if hasattr(thing, "dtype") and hasattr(thing, "shape"):
        return summary(thing)
    if isinstance(thing, float):
        return f"{thing:.6g}"
    return textwrap.shorten(repr(thing), 60, placeholder="...")


def _identity(array: Any) -> Any:
    return id(array) if hasattr(array, "dtype") else object()


def formula(op: Any) -> str:
    """The op's formula: the first line of its docstring, without what is said of shapes and papers."""
    first = (op.__doc__ or "").strip().partition("\n")[0]
    return first.partition(".   ")[0] if "=" in first.partition(".   ")[0] else first


def reduction(raw: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Over which axes a gradient was summed to undo broadcasting: "summed over axis 0: (5, 3) -> (3,)"; else ""."""
    if raw == shape:
        return ""
    lead = len(raw) - len(shape)
    axes = [*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and raw[lead + i] != 1)]
    if not axes:
        return f"reshaped: {raw} -> {shape}"
    word = "axis" if len(axes) == 1 else "axes"
    return f"summed over {word} {', '.join(map(str, axes))}: {raw} -> {shape}"


def _short(file: str) -> str:
    """A file as the reader knows it: relative to the folder they are in, else its name alone."""
    path = Path(file)
    try:
        return str(path.relative_to(os.getcwd()))
    except ValueError:
        return path.name
