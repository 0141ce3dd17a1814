"""One step of the walk, as mg.backprop() yields it, and what can be noted on the way: mg.watch(), anomalies."""

import html
import inspect
import linecache
import math
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minigen.backend import to_numpy, xp
from minigen.graph import tape
from minigen.graph.contract import line_of
from minigen.graph.tape import Node, mode


@dataclass(frozen=True)
class Seen:
    """What mg.watch() notes of a call: everything the contract throws away."""

    inputs: dict[str, Any]  # the arrays, by the op's parameter names
    names: dict[str, str | None]  # what the caller calls them
    outputs: tuple[Any, ...]
    file: str
    line: int
    function: str
    module: str  # the path of the layer it was called in, as "model.layers.0"; "" outside of any


@dataclass(frozen=True)
class Arrival:
    """A gradient that a step sends to one of its inputs."""

    input: str  # the op's name for it
    to: Any  # the Node that computed it, or the leaf Tensor
    raw: Any  # what the gradient line returned
    gradient: Any  # the same, summed over the axes that were broadcast
    before: Any  # what had arrived there from other consumers; None for nothing yet, which is not zero
    after: Any  # before + gradient
    came: int  # how many gradients have arrived there, with this one ...
    consumers: int  # ... of how many


def _nothing_more(step: "Step", arrival: Arrival) -> list[str]:
    return []


_details: Callable[["Step", Arrival], list[str]] = _nothing_more


def register_details(function: Callable[["Step", Arrival], list[str]]) -> None:
    """Let a printed step say more of each gradient: the numbers put in, the Jacobian. Used once, by minigen.trace."""
    global _details
    _details = function


class Step:
    """One node's turn in the walk: the upstream gradient comes in, the inputs' gradients go out.

    number, total   which step of how many
    op, node        the operation, and the recorded call
    upstream        dy, complete: every consumer of the output has had its turn (a tuple for several outputs)
    consumers       how many gradients were added up to dy, a number for each output; 0 where the walk starts, or for
                    an output that was not used
    arrivals        an Arrival for each input that wants a gradient
    gradients       the same as {input name: array}
    saved           {name: value} that the op had kept for its gradients
    seen            what mg.watch() noted, or None
    """

    def __init__(
        self,
        number: int,
        total: int,
        node: Node,
        dys: tuple[Any, ...],
        arrivals: list[Any],
        came: Counter[Any],
        consumers: Counter[Any],
    ) -> None:
        self.number, self.total, self.node, self.op, self.seen = number, total, node, node.op, node.seen
        self.upstream = dys[0] if node.outputs is None else dys
        self.saved = dict(zip(node.plan.names, node.saved or (), strict=False))
        self.settings = node.settings
        self.consumers = [consumers[node, slot] for slot in range(len(dys))]
        self.arrivals = []
        for k, raw, gradient, before, after in arrivals:
            name = f"{node.op.inputs[0]}[{k}]" if node.op.variadic else node.op.inputs[k]
            to = node.parents[k]
            came[to] += 1
            where = to[0] if type(to) is tuple else to
            self.arrivals.append(Arrival(name, where, raw, gradient, before, after, came[to], consumers[to]))

    @property
    def gradients(self) -> dict[str, Any]:
        return {a.input: a.gradient for a in self.arrivals}

    def rule(self, name: str) -> str:
        """The op's own source line for the gradient of one input."""
        index = self.op.inputs.index(name) if name in self.op.inputs else 0
        function = line_of(self.op, index) or self.op.joint
        try:
            return inspect.getsource(function).strip()
        except (OSError, TypeError):  # defined where there is no file, as in an interactive session
            return f"{function.__name__}{inspect.signature(function)}"

    def __repr__(self) -> str:
        return f"<Step {self.number} of {self.total}: {self.op.__name__} #{self.node.number}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        out = [f"step {self.number} of {self.total}   {self.op.__name__} #{self.node.number}"]
        if self.seen:
            source = linecache.getline(self.seen.file, self.seen.line).strip()
            out[0] += f"   {self.seen.file}:{self.seen.line}   {source}".rstrip()
        out += [f"    {(self.op.__doc__ or '').strip().splitlines()[0]}"] if self.op.__doc__ else []
        outputs = self.op.outputs or ("y",)
        if outputs[0].startswith("*"):
            outputs = [f"{outputs[0][1:]}[{slot}]" for slot in range(len(self.consumers))]
        if self.seen:
            known = {n: v for n, v in self.seen.inputs.items() if hasattr(v, "dtype")}
            known |= zip(outputs, self.seen.outputs, strict=True)
            called = {n: f" ({name})" for n, name in self.seen.names.items() if name}
            out += [f"  had  {n}{called.get(n, '')} = {summary(v)}" for n, v in known.items()]
        upstreams = (self.upstream,) if self.node.outputs is None else self.upstream
        for name, dy, count in zip(outputs, upstreams, self.consumers, strict=True):
            complete = f"   complete: {count} of {count} consumers have arrived" if count else ""
            gradient = "dy" if self.node.outputs is None else f"d_{name}"
            out.append(f"  in   {gradient} = {'zeros, no consumer' if dy is None else summary(dy)}{complete}")
        for a in self.arrivals:
            rule = self.rule(a.input).splitlines()
            out.append(f"  out  d_{a.input} = {summary(a.gradient)}")
            out.append(f"       {rule[0] if len(rule) == 1 else rule[0] + ' ...'}")
            out += [f"       {line}" for line in _details(self, a)]
            if a.raw.shape != a.gradient.shape:
                out.append(f"       summed over the broadcast axes: {a.raw.shape} -> {a.gradient.shape}")
            if a.before is not None:
                out.append(f"       added to what had arrived: {summary(a.before)} -> {summary(a.after)}")
            if a.consumers > a.came:
                out.append(f"       not complete there yet: {a.came} of {a.consumers} consumers have arrived")
        if self.saved:
            out.append(f"  kept {', '.join(self.saved)}")
        if not self.seen:
            out.append("  (for inputs, outputs, names and source lines: run the forward inside mg.watch())")
        return "\n".join(out)


def summary(array: Any) -> str:
    """An array in a line: its shape, and its values where they are few, else min, mean and max."""
    a = to_numpy(array)
    if a.size <= 6:
        values = " ".join(f"{v:.4g}" for v in a.ravel())
        return f"{a.shape} {values}".rstrip() if a.ndim else values
    least, most = float(a.min()), float(a.max())
    if least == most:
        return f"{a.shape} all {least:.4g}"
    mean = f"mean {float(a.mean()):.4g}, " if math.isfinite(least) and math.isfinite(most) else ""
    return f"{a.shape} min {least:.4g}, {mean}max {most:.4g}"


@contextmanager
def watch() -> Iterator[None]:
    """Around a forward: keep all inputs, outputs, names and source lines, for the steps to show."""
    before, mode.observers = mode.observers, (*mode.observers, _note)
    try:
        yield
    finally:
        mode.observers = before


def _note(op: Any, node: Node | None, inputs: Any, settings: Any, result: Any) -> None:
    if node is None:
        return
    frame: Any = sys._getframe(2)  # whoever called the op, past minigen's own frames
    module = _module_path(frame)
    while frame.f_back and _inside_minigen(frame):
        frame = frame.f_back
    local = {id(v): k for k, v in frame.f_locals.items() if isinstance(v, (tape.Tensor, xp.ndarray))}
    parameters = [f"{op.inputs[0]}[{k}]" for k in range(len(inputs))] if op.variadic else op.inputs
    values = {p: t.data if isinstance(t, tape.Tensor) else t for p, t in zip(parameters, inputs, strict=False)}
    names = {p: getattr(t, "name", None) or local.get(id(t)) for p, t in zip(parameters, inputs, strict=False)}
    outputs = tuple(t.data for t in result) if type(result) is tuple else (result.data,)
    code = frame.f_code
    node.seen = Seen(values, names, outputs, code.co_filename, frame.f_lineno, code.co_name, module)


def _inside_minigen(frame: Any) -> bool:
    """Whether the reader would call it the engine's own; the plain form of an op is read like a script."""
    return frame.f_globals.get("__name__", "").startswith("minigen.") and frame.f_code.co_name != "plain"


def _module_path(frame: Any) -> str:
    """The layers whose forward is running: what the caller calls the outermost, and the path from it to the last."""
    layers: list[Any] = []
    outermost = None
    while frame:
        layer = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if hasattr(layer, "modules"):
            layers, outermost = [layer, *layers], frame
        frame = frame.f_back
    if outermost is None:
        return ""
    caller = outermost.f_back
    while caller.f_back and _inside_minigen(caller):
        caller = caller.f_back
    name = next((k for k, v in caller.f_locals.items() if v is layers[0]), type(layers[0]).__name__)
    deque(layers[0].named_parameters(), maxlen=0)  # gives each its path as a name
    below = next((path for path, module in layers[0].modules() if module is layers[-1]), "")
    return f"{name}.{below}" if below else name


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Inside it, the op where NaN or Inf first appears, forward or backward, raises FloatingPointError by name."""
    before = mode.observers, mode.step_observers
    mode.observers += (_refuse_nonfinite,)
    mode.step_observers += (_refuse_nonfinite_gradient,)
    try:
        yield
    finally:
        mode.observers, mode.step_observers = before


def _refuse_nonfinite(op: Any, node: Node | None, inputs: Any, settings: Any, result: Any) -> None:
    if all(map(_finite, result if type(result) is tuple else (result,))):
        return
    for k, t in enumerate(inputs):
        if not _finite(t):
            where = op.inputs[0 if op.variadic else k]
            raise FloatingPointError(f"{op.__name__}: its input {where} already holds NaN or Inf")
    raise FloatingPointError(f"{op.__name__}: NaN or Inf first appeared in its output; all its inputs are finite")


def _refuse_nonfinite_gradient(node: Node, dys: tuple[Any, ...], arrivals: list[Any]) -> None:
    """The same for a step of the walk."""
    for k, raw, *_ in arrivals:
        if not _finite(raw):
            name = node.op.inputs[0 if node.op.variadic else k]
            if not all(map(_finite, dys)):
                raise FloatingPointError(f"{node.op.__name__}: its upstream gradient already holds NaN or Inf")
            raise FloatingPointError(
                f"{node.op.__name__}: NaN or Inf first appeared in its gradient d_{name}; "
                "its upstream gradient is finite"
            )


def _finite(value: Any) -> bool:
    value = value.data if isinstance(value, tape.Tensor) else value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind != "f" or bool(xp.isfinite(value).all())
