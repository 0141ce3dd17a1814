"""What a recorded graph still knows: its nodes, what its values are called, and the arrays that it kept.

Under mg.watch() that is everything. Without, an array may still be found: a gradient line asked for it, or it is a
leaf, or one consumer of it kept it.
"""

from collections.abc import Iterator
from typing import Any

from minigen.graph.contract import INPUT, OUTPUT
from minigen.graph.step import Step
from minigen.graph.tape import Node
from minigen.tensor import Tensor

MISSING = type("Missing", (), {"__repr__": lambda self: "(not kept)"})()


class Recorded:
    """The graph below `output`.

    nodes       last made first, the order of the walk
    consumers   {(node, slot) or leaf: [(node, input position)]}, what each gradient is added up from
    """

    def __init__(self, output: Any, name: str | None = None) -> None:
        self.nodes: list[Node] = _below(output)
        self.consumers: dict[Any, list[tuple[Node, int]]] = {}
        self._arrays: dict[Any, Any] = {}  # by (node, slot)
        self._names: dict[Any, str] = {}  # by (node, slot) or leaf
        if output.origin:
            self._arrays[output.origin] = output.data
            self._names |= {output.origin: name or output.name} if name or output.name else {}
        for node in self.nodes:
            for k in node.plan.wanted:
                self.consumers.setdefault(node.parents[k], []).append((node, k))
            for k, parent in enumerate(node.parents):
                self._note(node, k, parent)
            if node.seen:
                self._arrays |= {(node, slot): y for slot, y in enumerate(node.seen.outputs)}
            for (kind, slot), array in zip(node.plan.sources, node.saved or (), strict=False):
                if kind == OUTPUT:
                    self._arrays.setdefault((node, slot), array)

    def _note(self, node: Node, k: int, parent: Any) -> None:
        """What this consumer knows of its input k: what it is called, and perhaps the array."""
        if parent is None:
            return
        name = node.seen and node.seen.names.get(parameter(node, k))
        if name and not name.startswith("_"):
            self._names.setdefault(parent, name)
        if type(parent) is tuple and (array := _kept_input(node, k)) is not MISSING:
            self._arrays.setdefault(parent, array)

    def outputs(self, node: Node) -> list[Any]:
        """The arrays that this node computed, MISSING for those nobody kept."""
        slots = range(1 if node.outputs is None else len(node.outputs))
        return [self._arrays.get((node, slot), MISSING) for slot in slots]

    def inputs(self, node: Node) -> dict[str, Any]:
        """{the op's name for it: array}, MISSING for those nobody kept."""
        names = [parameter(node, k) for k in range(len(node.parents))]
        return {name: self._input(node, k) for k, name in enumerate(names)}

    def _input(self, node: Node, k: int) -> Any:
        if node.seen:
            return node.seen.inputs[parameter(node, k)]
        array, parent = _kept_input(node, k), node.parents[k]
        if array is not MISSING or parent is None:
            return array
        if type(parent) is tuple:
            return self._arrays.get(parent, MISSING)
        return parent.data if parent.changed < node.number else MISSING  # a leaf, if it has not been stepped since

    def name(self, key: Any) -> str | None:
        """What the reader calls this value: a Tensor's name, a module's path, a local variable."""
        return self._names.get(key) or (key.name if isinstance(key, Tensor) else None)

    def say(self, key: Any) -> str:
        """A value in a word or two: its name, else the op that made it, else what it is."""
        if name := self.name(key):
            return name
        if type(key) is not tuple:
            return f"a leaf {key.shape}"
        node, slot = key
        return f"{node.op.__name__} #{node.number}" + (f".{output_name(node, slot)}" if node.outputs else "")

    def leaves(self) -> Iterator[Any]:
        """The leaf Tensors that get a gradient, in the order in which the walk reaches them."""
        return (key for key in self.consumers if type(key) is not tuple)


def called(tensor: Any, local: dict[str, Any]) -> str | None:
    """What the reader calls a Tensor: its name, else the caller's variable (`local`: the locals of their frame)."""
    variable = next((k for k, v in local.items() if v is tensor and not k.startswith("_")), None)
    return getattr(tensor, "name", None) or variable


def _below(output: Any) -> list[Node]:
    if not output.origin:
        return []
    found = {output.origin[0]: None}
    todo = list(found)
    while todo:
        node = todo.pop()
        above = [node.parents[k] for k in node.plan.wanted] if node.saved is not None else []
        fresh = [key[0] for key in above if type(key) is tuple and key[0] not in found]
        found |= dict.fromkeys(fresh)
        todo += dict.fromkeys(fresh)
    return sorted(found, key=lambda node: -node.number)


def parameter(node: Node, k: int) -> str:
    """The op's name for input k: "x", or "xs[2]" where it takes any number."""
    return f"{node.op.inputs[0]}[{k}]" if node.op.variadic else node.op.inputs[k]


def output_name(node: Node, slot: int) -> str:
    """The op's name for an output: "y", "hs", or "ys[2]"."""
    names = node.op.outputs or ("y",)
    return f"{names[0][1:]}[{slot}]" if names[0].startswith("*") else names[slot]


def upstreams(step: Step) -> tuple[Any, ...]:
    """The gradient that came in for each output; None for an output that nothing used."""
    return (step.upstream,) if step.node.outputs is None else step.upstream


def _kept_input(node: Node, k: int) -> Any:
    """Input k, if a gradient line of this node asked for it."""
    for (kind, key), value in zip(node.plan.sources, node.saved or (), strict=False):
        if kind == INPUT and (node.op.variadic or key == k):
            return value[k] if node.op.variadic else value
    return MISSING
