"""What is examined, behind one face: an op in contract form, or a forward and a backward as courses write them.

forward(inputs, settings) -> Run              the outputs, and what backward will read
backward(run, dys)        -> {input: gradient}   whatever the learner's lines return, unjudged
"""

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minigen.backend import xp
from minigen.graph import op as make_op
from minigen.graph import unbroadcast
from minigen.graph.contract import Kept


@dataclass
class Run:
    """One call of forward: what went in, what came out, and what is saved for backward."""

    inputs: list[Any]
    settings: dict[str, Any]
    outputs: list[Any]
    saved: Any  # {name: value} for an op, the cache for a pair of functions


class Subject:
    """An operation that can be run forward and backward. The two kinds of it are below."""

    name: str
    docstring: str
    function: Callable[..., Any]  # what computes the outputs; its source lines are what explanations quote
    defaults: dict[str, Any]  # settings that were left to their defaults
    draws: bool | None = None  # whether forward draws random numbers; None: not seen yet

    def names(self, count: int) -> list[str]:
        """What the first `count` inputs are called."""
        raise NotImplementedError

    def outputs_of(self, returned: Any) -> list[Any]:
        """The outputs among what the function returned."""
        raise NotImplementedError

    def forward(self, inputs: list[Any], settings: dict[str, Any]) -> Run:
        raise NotImplementedError

    def backward(self, run: Run, dys: list[Any], only: str | None = None) -> dict[str, Any]:
        raise NotImplementedError

    def line(self, name: str) -> str:
        """What the gradient of an input is called where the learner wrote it."""
        return f"d_{name}"

    def has_no_gradient(self, name: str) -> bool:
        """Whether the subject declares that this input has none by nature (labels, indices)."""
        return False


class ContractOp(Subject):
    """An op: by its gradient lines, or (joint=True) by the backward that stands beside or in place of them."""

    def __init__(self, op: Any, joint: bool) -> None:
        self.op, self.joint = op, joint
        self.name, self.docstring = op.__name__, op.__doc__ or ""
        self.function, self.defaults = op.forward, dict(op.settings)

    def names(self, count: int) -> list[str]:
        return [f"{self.op.inputs[0]}[{i}]" for i in range(count)] if self.op.variadic else self.op.inputs[:count]

    def line(self, name: str) -> str:
        return f"d_{name}"

    def has_no_gradient(self, name: str) -> bool:
        return "d_" + name in vars(self.op) and getattr(self.op, "d_" + name) is None

    def outputs_of(self, returned: Any) -> list[Any]:
        y = returned.outputs if type(returned) is Kept else returned
        return [_array(o) for o in (y if self.op.outputs else (y,))]

    def forward(self, inputs: list[Any], settings: dict[str, Any]) -> Run:
        op = self.op
        returned = op.forward(*inputs, **settings)
        outputs, kept = self.outputs_of(returned), returned.values if type(returned) is Kept else {}
        if op.variadic:
            saved = {op.inputs[0]: inputs, op.inputs[0] + "_shape": [x.shape for x in inputs]}
        else:
            values = [*inputs, *op.defaults[len(inputs) :]]
            saved = dict(zip(op.inputs, values, strict=True))
            saved |= {n + "_shape": getattr(x, "shape", ()) for n, x in zip(op.inputs, values, strict=True)}
        if not op.outputs:
            saved["y"] = outputs[0]
        elif op.outputs[0].startswith("*"):
            saved[op.outputs[0][1:]] = outputs
        else:
            saved |= dict(zip(op.outputs, outputs, strict=True))
        return Run(inputs, settings, outputs, {**op.settings, **settings, **saved, **kept})

    def backward(self, run: Run, dys: list[Any], only: str | None = None) -> dict[str, Any]:
        op = self.op
        names = self.names(len(run.inputs))
        wanted = [n for n, x in zip(names, run.inputs, strict=True) if is_float(x) and not self.has_no_gradient(n)]
        upstream: list[Any] = [dys] if op.outputs and op.outputs[0].startswith("*") else dys
        if not self.joint:
            asked = wanted if only is None else [only]
            return {n: self._fitted(n, run, self._call(getattr(op, "d_" + n), upstream, run.saved)) for n in asked}
        who: Any = [names.index(n) for n in wanted] if op.variadic else wanted
        returned = self._call(op.joint, upstream, {**run.saved, "wanted": frozenset(who)})
        returned = returned if type(returned) in (tuple, list) else (returned,)
        found = dict(zip(names, returned, strict=False))
        return {n: self._fitted(n, run, found.get(n)) for n in wanted}

    def _call(self, function: Any, upstream: list[Any], values: dict[str, Any]) -> Any:
        asked = list(inspect.signature(function).parameters)[len(upstream) :]
        return function(*upstream, **{n: values[n] for n in asked})

    def _fitted(self, name: str, run: Run, gradient: Any) -> Any:
        """As the walk does it: an elementwise op's gradient is summed over the axes its input was broadcast along."""
        if self.op.broadcast and hasattr(gradient, "shape"):
            return unbroadcast(gradient, run.saved[name].shape)
        return gradient


class FunctionPair(Subject):
    """out, cache = forward(*inputs) and grads = backward(dout, cache), as cs231n and the courses after it have it.

    grads: a tuple or list in the order of the inputs (or of the arrays among them), a dict by name ("x", "dx",
    "d_x"), or one array, for the first input. None: this input has no gradient. Several outputs: (out, ..., cache).
    """

    def __init__(self, forward: Any, backward: Any) -> None:
        self.function, self.gradients = forward, backward
        self.name, self.docstring = getattr(forward, "__name__", "forward"), forward.__doc__ or ""
        self.backward_name = getattr(backward, "__name__", "backward")
        parameters = inspect.signature(forward).parameters.values()
        self.defaults = {
            p.name: p.default for p in parameters if p.default is not p.empty and p.kind is not p.VAR_KEYWORD
        }

    def names(self, count: int) -> list[str]:
        names: list[str] = []
        for p in inspect.signature(self.function).parameters.values():
            if p.kind is p.VAR_POSITIONAL:
                names += [f"{p.name}[{i}]" for i in range(count - len(names))]
            elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
                names.append(p.name)
        return names[:count]

    def line(self, name: str) -> str:
        return f"d{name}"

    def forward(self, inputs: list[Any], settings: dict[str, Any]) -> Run:
        inputs = [copy.deepcopy(x) if isinstance(x, (dict, list)) else x for x in inputs]  # running means and the like
        returned = self.function(*inputs, **settings)
        return Run(inputs, settings, self.outputs_of(returned), returned[-1])

    def outputs_of(self, returned: Any) -> list[Any]:
        if type(returned) not in (tuple, list) or len(returned) < 2:
            raise TypeError(
                f"{self.name}: wants to be called as out, cache = {self.name}(...); it returned {describe(returned)}"
            )
        outputs = list(returned[:-1])
        if len(outputs) == 1 and type(outputs[0]) in (tuple, list):
            outputs = list(outputs[0])
        return [_array(o) for o in outputs]

    def backward(self, run: Run, dys: list[Any], only: str | None = None) -> dict[str, Any]:
        names = self.names(len(run.inputs))
        arrays = [n for n, x in zip(names, run.inputs, strict=True) if is_float(x)]
        returned = self.gradients(*dys, run.saved)
        if isinstance(returned, dict):
            return {
                n: g for key, g in returned.items() if (n := self._input_of(key, names)) in arrays and g is not None
            }
        returned = list(returned) if type(returned) in (tuple, list) else [returned]
        if len(returned) > len(names):
            raise TypeError(
                f"{self.backward_name} returned {len(returned)} gradients; {self.name} has {len(names)} inputs, "
                f"{', '.join(names)}"
            )
        if all(g is None for g in returned):
            return dict.fromkeys(arrays[: len(returned)])
        order = names if len(returned) == len(names) or len(returned) > len(arrays) else arrays
        found = zip(order, returned, strict=False)
        return {n: g for n, g in found if n in arrays and g is not None}

    def _input_of(self, key: str, names: list[str]) -> str:
        for prefix in ("", "d_", "d", "grad_", "g_"):
            for name in names:
                if key.lower() == (prefix + name).lower():
                    return name
        raise TypeError(
            f"{self.backward_name} returned a gradient called {key!r}; the inputs of {self.name} are {', '.join(names)}"
        )


def subjects(what: Any, backward: Any = None) -> list[Subject]:
    """The ways to run what examine was given: one; two for an op with both gradient lines and a joint backward.

    Raises TypeError, with a sentence, for what is neither an op nor a forward.
    """
    if backward is not None:
        return [FunctionPair(what, backward)]
    op = make_op(what) if isinstance(what, type) else what
    if not hasattr(op, "upstreams"):
        raise TypeError(
            f"examine: wants an op (a class with forward and d_ lines), or a forward and a backward function; got "
            f"{getattr(what, '__name__', describe(what))}"
        )
    lines = not op.variadic and all("d_" + n in vars(op) for n in op.inputs)
    if op.joint is None:
        return [ContractOp(op, joint=False)]
    return [ContractOp(op, joint=False), ContractOp(op, joint=True)] if lines else [ContractOp(op, joint=True)]


def is_float(x: Any) -> bool:
    """Whether x is an array that can have a gradient."""
    return isinstance(x, xp.ndarray) and x.dtype.kind == "f"


def is_index(x: Any) -> bool:
    """Whether x is an array of whole numbers: labels, ids."""
    return isinstance(x, xp.ndarray) and x.dtype.kind in "iu"


def describe(value: Any) -> str:
    """What kind of thing this is, for a message."""
    if hasattr(value, "dtype"):
        return f"an array of shape {tuple(value.shape)}, {value.dtype}"
    return "None" if value is None else f"{type(value).__name__} {value!r}"[:80]


def arrays_in(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every array inside nested tuples, lists, dicts and objects, with where it is."""
    if isinstance(value, xp.ndarray):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from arrays_in(part, f"{path}[{key!r}]" if path else str(key))
    elif isinstance(value, (tuple, list)):
        for i, part in enumerate(value):
            yield from arrays_in(part, f"{path}[{i}]")


def _array(y: Any) -> Any:
    return y if isinstance(y, xp.ndarray) else xp.asarray(y, dtype="float64" if isinstance(y, float) else None)
