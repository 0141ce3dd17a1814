"""Watching forward compute, call by call, and stepping in: the means to ask "what if this path were not there?".

The inputs are given to forward as a subclass of ndarray that reports every array function called on it: ufuncs,
reductions, matrix products, and NumPy's own functions. Nothing has to be rewritten, so it works on what a learner
invents. Each call is a Call: the function, the operands, the result, and the source text it came from. Running
forward again, the result of any call may be replaced on the way (`Watch.replace`), for example by the number it had
before an input moved: the numerical gradient is then the one that a backward would give that leaves this path out.

Arrays of other backends than NumPy's cannot be watched like this; `watched` then returns None.
"""

import linecache
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from minigen import ops
from minigen.backend import current, xp
from minigen.check.case import Case

_watching = threading.local()
_METHODS = ("sum", "mean", "var", "std", "max", "min", "prod", "cumsum", "dot", "clip", "round", "trace")
MOST_CALLS = 600  # of one forward; beyond, it is not watched


@dataclass
class Call:
    """One call of an array function on the way from the inputs to the outputs."""

    number: int
    name: str  # "tanh", "sum", "matmul"
    function: Callable[..., Any]  # on plain arrays
    operands: list[Any]  # copies of what it was given
    keywords: dict[str, Any]
    result: Any  # a copy
    place: tuple[Any, ...]  # where in the source, the same for every pass through a loop
    text: str  # "np.tanh(a + h @ w_h)"
    line: int  # of the function that was watched, from 1
    source: str  # "forward", or the "plain" that stands for it
    helper: str  # "in sigmoid, " where the text is of a function that forward calls
    elementwise: bool

    def where(self) -> str:
        """How a message quotes it."""
        return f"`{self.text}` ({self.helper}line {self.line} of {self.source})" if self.line else f"`{self.text}`"


Replace = Callable[[Call, list[Any], Any, dict[int, Any]], Any]  # (call, operands now, result now, results so far)


@dataclass
class Watch:
    """One run of forward. Without `base`, it writes down the calls; with it, it replaces results by number."""

    root: CodeType
    base: list[Call] | None = None
    replace: dict[int, Replace] = field(default_factory=dict)
    keep: frozenset[int] = frozenset()  # calls whose results `replace` reads later
    calls: list[Call] = field(default_factory=list)
    moved: dict[int, set[int]] = field(default_factory=dict)  # which operands differ from those of base
    probe: bool = False
    count: int = 0
    results: dict[int, Any] = field(default_factory=dict)

    def call(self, name: str, function: Any, operands: list[Any], keywords: dict[str, Any], out: Any) -> Any:
        """Compute one call on plain arrays, write it down or replace its result, and hand it on, watched again."""
        before = (
            [o.copy() if isinstance(o, xp.ndarray) else o for o in operands]
            if self.base is None or out is not None
            else operands
        )
        result = function(*operands, **keywords)
        if not (isinstance(result, (xp.ndarray, xp.generic)) and result.dtype.kind == "f"):
            return _written(result, out)
        number, self.count = self.count, self.count + 1
        if self.base is None:
            if number >= MOST_CALLS:
                raise RuntimeError("too many calls to watch")
            elementwise = _is_elementwise(name, function, before, keywords, result)
            place, text, line, helper = _source(self.root)
            source = (place, text, line, self.root.co_name, helper)
            call = Call(number, name, function, before, keywords, result.copy(), *source, elementwise)
            self.calls.append(call)
        elif number < len(self.base):
            call = self.base[number]
            if self.probe:
                self.moved[number] = {
                    p for p, (o, was) in enumerate(zip(before, call.operands, strict=False)) if _differ(o, was)
                }
            if number in self.replace:
                result = self.replace[number](call, before, result, self.results)
            if number in self.keep:
                self.results[number] = result.copy()
        return _written(result, out)


def _differ(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return any(_differ(x, y) for x, y in zip(a, b, strict=False))
    if not isinstance(a, (xp.ndarray, xp.generic)):
        return False
    return a.dtype.kind == "f" and (a.shape != b.shape or bool((a != b).any()))


def _written(result: Any, out: Any) -> Any:
    if out is None:
        return _wrap(result)
    _plain(out)[...] = result
    return out


def _plain(value: Any) -> Any:
    """Watched arrays as plain ones, also inside lists and tuples."""
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value.view(xp.ndarray) if isinstance(value, xp.ndarray) and type(value) is not xp.ndarray else value


def _wrap(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(map(_wrap, value))
    if isinstance(value, xp.generic):
        value = xp.asarray(value)
    return value.view(_watched_class()) if isinstance(value, xp.ndarray) and value.dtype.kind == "f" else value


_classes: list[type] = []


def _watched_class() -> type:
    """The subclass of ndarray that reports to the Watch of this thread. Made once, when it is first needed."""
    if not _classes:

        def method(name: str) -> Any:
            def call(self: Any, *args: Any, **keywords: Any) -> Any:
                out, operands = keywords.pop("out", None), [_plain(self), *_plain(args)]
                return _watching.watch.call(name, getattr(xp.ndarray, name), operands, _plain_dict(keywords), out)

            return call

        def ufunc_called(self: Any, ufunc: Any, how: str, *operands: Any, **keywords: Any) -> Any:
            out = keywords.pop("out", (None,))[0]
            if ufunc.nout != 1 or how not in ("__call__", "reduce"):
                keywords |= {"out": _plain(out)} if out is not None else {}
                result = getattr(ufunc, how)(*_plain(operands), **_plain(keywords))
                return _wrap(result)
            name = (
                ufunc.__name__
                if how == "__call__"
                else {"add": "sum", "maximum": "max", "minimum": "min"}.get(ufunc.__name__, ufunc.__name__)
            )
            return _watching.watch.call(name, getattr(ufunc, how), list(_plain(operands)), _plain_dict(keywords), out)

        def function_called(self: Any, function: Any, types: Any, args: Any, keywords: Any) -> Any:
            out = keywords.pop("out", None)
            return _watching.watch.call(
                function.__name__, function, list(_plain(tuple(args))), _plain_dict(keywords), out
            )

        def item(self: Any, index: Any) -> Any:
            picked = xp.ndarray.__getitem__(self, _plain(index))
            if isinstance(picked, xp.ndarray) and xp.shares_memory(picked, self):
                _watching.watch.call("index", xp.copy, [_plain(picked)], {}, None)
                return picked  # a view, so that what is written into it is seen
            return _watching.watch.call("index", lambda a: a[_plain(index)], [_plain(self)], {}, None)

        def assign(self: Any, index: Any, value: Any) -> None:
            xp.ndarray.__setitem__(_plain(self), _plain(index), _plain(value))

        methods = {name: method(name) for name in _METHODS}
        special = {
            "__array_ufunc__": ufunc_called,
            "__array_function__": function_called,
            "__getitem__": item,
            "__setitem__": assign,
        }
        _classes.append(type("Watched", (xp.ndarray,), {**methods, **special}))
    return _classes[0]


def _plain_dict(keywords: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in keywords.items()}


# ---------------------------------------------------------------------------------------- where a call came from


def _source(root: CodeType) -> tuple[tuple[Any, ...], str, int, str]:
    """(place, text, line, helper) of the call that is being made, in forward or in a function that forward calls."""
    frames: list[FrameType] = []
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").split(".")[0] != "numpy" and frame.f_code.co_filename != __file__:
            frames.append(frame)
        if frame.f_code is root:
            break
        frame = frame.f_back
    else:
        return ("?",), "forward", 0, ""
    place = tuple((f.f_code, f.f_lasti) for f in frames)
    own = [f for f in frames if not f.f_globals.get("__name__", "").startswith("minigen.") or f.f_code is root]
    inner = own[0] if own else frames[-1]
    text = _text(inner)
    line = frames[-1].f_lineno - root.co_firstlineno + 1
    helper = f"in {inner.f_code.co_name}, " if inner is not frames[-1] and text else ""
    return place, text or frames[0].f_code.co_name, line, helper


def _text(frame: FrameType) -> str:
    """The source text of the expression that this frame is computing."""
    positions = list(frame.f_code.co_positions())
    line, end_line, column, end_column = positions[frame.f_lasti // 2]
    if line is None or end_line is None:
        return ""
    lines = [linecache.getline(frame.f_code.co_filename, i) for i in range(line, end_line + 1)]
    if not lines or not lines[0]:
        return ""
    as_bytes = [text.rstrip("\n").encode() for text in lines]  # columns count bytes
    as_bytes[-1] = as_bytes[-1][:end_column]
    as_bytes[0] = as_bytes[0][column:]
    text = " ".join(b.decode(errors="replace").strip() for b in as_bytes)
    return text if len(text) <= 90 else text[:87] + "..."


# ------------------------------------------------------------------------------------------------- running it


class _Arrays:
    """An array module whose new arrays are watched: what is written into zeros and read again stays in sight."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if name in ("zeros", "empty", "ones", "full"):
            return lambda *args, **keywords: _wrap(found(*args, **keywords))
        return found


def _kept_in_sight(function: Any) -> Any:
    """The same function, with such modules in the place of NumPy and xp among its globals, and ops whose results are
    watched (they hand out plain arrays) in the place of ops."""
    there = dict(function.__globals__)
    for name, value in function.__globals__.items():
        if value is xp or (isinstance(value, ModuleType) and value.__name__ == "numpy"):
            there[name] = _Arrays(value)
        elif hasattr(value, "upstreams"):
            there[name] = _rewatched(value)
    copy = FunctionType(function.__code__, there, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _rewatched(op: Any) -> Any:
    """An op as one call of its own."""

    def call(*inputs: Any, **settings: Any) -> Any:
        watch, plain = _watching.watch, list(_plain(inputs))
        if op.outputs:
            return tuple(watch.call("index", xp.copy, [y], {}, None) for y in op(*plain, **settings))
        return watch.call(op.__name__, op, plain, settings, None)

    return call


def _is_elementwise(name: str, function: Any, operands: list[Any], keywords: Any, result: Any) -> bool:
    """Whether each entry of the result depends on the same entry of the operands, broadcast."""
    if hasattr(function, "upstreams"):  # an op: try it on the first entry
        x = operands[0]
        if function.broadcast or not isinstance(x, xp.ndarray) or x.shape != result.shape or not x.size:
            return bool(function.broadcast)
        moved = x.copy()
        moved.reshape(-1)[0] += 1e-3
        return not bool((function(moved, *operands[1:], **keywords) != result).ravel()[1:].any())
    is_ufunc = isinstance(getattr(function, "__self__", None), xp.ufunc)
    return name in ("where", "clip") or (is_ufunc and name not in ("matmul", "sum", "max", "min"))


def _readable(subject: Any) -> Any:
    """The formula to watch: an op's `plain` where it has one, also where its forward is a kernel of minigen's own."""
    own = getattr(getattr(subject, "op", None), "plain", None)
    kernels = {o.forward: o.plain for o in vars(ops).values() if hasattr(o, "upstreams") and o.plain}
    return own or kernels.get(subject.function, subject.function)


class Watched:
    """A case whose forward has been watched once; it can be run again with results replaced."""

    def __init__(self, case: Case) -> None:
        self.case = case
        function = _readable(case.subject)
        self.function = _kept_in_sight(function)
        self.is_pair = function is case.subject.function and not hasattr(case.subject, "op")
        self.root = function.__code__
        base = Watch(self.root)
        self.objective(case.inputs, base)
        self.calls = base.calls

    def objective(self, inputs: list[Any], watch: Watch) -> float:
        """The outputs times their upstream gradients, computed by a watched forward."""
        case = self.case
        given = [
            x.copy() if isinstance(x, dict) else _wrap(x.copy()) if isinstance(x, xp.ndarray) else x for x in inputs
        ]
        settings = dict(case.settings)
        _watching.watch = watch
        try:
            with case.randomness():
                y = self.function(*given, **settings)
        finally:
            _watching.watch = None
        if hasattr(y, "outputs") and hasattr(y, "values") and not isinstance(y, (dict, xp.ndarray)):
            y = y.outputs
        ys = list(y) if type(y) in (tuple, list) else [y]
        if self.is_pair:
            ys = ys[:-1]
            ys = list(ys[0]) if len(ys) == 1 and type(ys[0]) in (tuple, list) else ys
        if watch.base is not None and watch.count != len(watch.base):
            raise RuntimeError("forward took another course")
        return float(sum((_plain(y) * dy).sum() for y, dy, f in zip(ys, case.dys, case.floats, strict=True) if f))

    def moved_by(self, name: str) -> dict[int, set[int]]:
        """For each call, which of its operands change when this input does."""
        k = self.case.names.index(name)
        inputs = list(self.case.inputs)
        inputs[k] = inputs[k] + 1e-3 * _direction(inputs[k], 97)
        watch = Watch(self.root, base=self.calls, probe=True)
        self.objective(inputs, watch)
        return watch.moved

    def slope(
        self, name: str, v: Any, replace: dict[int, Replace] | None = None, keep: frozenset[int] = frozenset()
    ) -> float:
        """The slope of the objective along v, with these results replaced: central differences, good to 1e-9."""
        k, h = self.case.names.index(name), 1e-5
        at = []
        for step in (h, -h):
            inputs = list(self.case.inputs)
            inputs[k] = inputs[k] + step * v
            at.append(self.objective(inputs, Watch(self.root, base=self.calls, replace=replace or {}, keep=keep)))
        return (at[0] - at[1]) / (2 * h)

    def tangents(self, name: str, v: Any) -> dict[int, Any]:
        """By how much the result of each call moves, per step along v."""
        k, h = self.case.names.index(name), 1e-5
        results = []
        for step in (h, -h):
            inputs = list(self.case.inputs)
            inputs[k] = inputs[k] + step * v
            watch = Watch(self.root, base=self.calls, keep=frozenset(range(len(self.calls))))
            self.objective(inputs, watch)
            results.append(watch.results)
        return {n: (results[0][n] - results[1][n]) / (2 * h) for n in results[0]}

    def slope_from(self, numbers: list[int], v: Any) -> float:
        """The slope of the objective when the results of these calls move along v, and the inputs do not."""
        h, at = 1e-5, []
        for step in (h, -h):
            moved = {n: _moved(step * v) for n in numbers}
            at.append(self.objective(self.case.inputs, Watch(self.root, base=self.calls, replace=moved)))
        return (at[0] - at[1]) / (2 * h)


def _moved(by: Any) -> Replace:
    return lambda call, operands, result, results: result + by


def _direction(x: Any, seed: int) -> Any:
    return xp.asarray(xp.random.default_rng(seed).standard_normal(x.shape))


def watched(case: Case) -> Watched | None:
    """The case with its forward watched, or None where it cannot be: another backend, a forward too long, not pure."""
    if "watched" not in case._found:
        found = None
        if current() == "numpy":
            try:
                found = Watched(case)
                plain = float(case.terms().sum())
                again = found.objective(case.inputs, Watch(found.root, base=found.calls))
                if abs(plain - again) > 1e-9 * max(1.0, abs(plain)):
                    found = None
            except Exception:  # a forward that a subclass of ndarray does not get through
                found = None
        case._found["watched"] = found
    return case._found["watched"]
