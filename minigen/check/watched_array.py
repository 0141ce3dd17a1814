"""Arrays that report what is done to them: a subclass of NumPy's ndarray, and what keeps results in its form.

Handed to a function as its arguments, they tell the Watch of this thread of every ufunc, reduction, product and
NumPy function that is called on them; the results are watched arrays again.
"""

from types import FunctionType, ModuleType
from typing import Any

from minigen.backend import xp
from minigen.check.calls import watch_here

_METHODS = ("sum", "mean", "var", "std", "max", "min", "prod", "cumsum", "dot", "clip", "round", "trace")
_REDUCTIONS = {"add": "sum", "maximum": "max", "minimum": "min", "multiply": "prod"}
_MAKERS = ("zeros", "empty", "ones", "full")
_classes: list[type] = []


def plain(value: Any) -> Any:
    """Watched arrays as plain ones, also inside lists, tuples and dicts."""
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    if type(value) is dict:
        return {key: plain(v) for key, v in value.items()}
    return value.view(xp.ndarray) if isinstance(value, xp.ndarray) and type(value) is not xp.ndarray else value


def wrapped(value: Any) -> Any:
    """Floating-point arrays as watched ones, also inside lists and tuples."""
    if type(value) in (list, tuple):
        return type(value)(map(wrapped, value))
    value = xp.asarray(value) if isinstance(value, xp.generic) else value
    is_float = isinstance(value, xp.ndarray) and value.dtype.kind == "f"
    return value.view(_watched_array()) if is_float else value


def _report(name: str, function: Any, operands: Any, keywords: dict[str, Any]) -> Any:
    """Make one call through the Watch; with out=, write the result there, as NumPy does."""
    out = keywords.pop("out", None)
    out = out[0] if isinstance(out, tuple) else out
    result = watch_here().call(name, function, list(plain(tuple(operands))), plain(keywords))
    if out is None:
        return wrapped(result)
    plain(out)[...] = result
    return out


def _watched_array() -> type:
    """The subclass. Made when it is first needed, for xp is not NumPy's everywhere."""
    if _classes:
        return _classes[0]
    ndarray = xp.ndarray

    def ufunc_called(self: Any, ufunc: Any, how: str, *operands: Any, **keywords: Any) -> Any:
        function = getattr(ufunc, how)
        if ufunc.nout == 1 and how in ("__call__", "reduce"):
            name = ufunc.__name__ if how == "__call__" else _REDUCTIONS.get(ufunc.__name__, ufunc.__name__)
            return _report(name, function, operands, keywords)
        return wrapped(function(*plain(operands), **plain(keywords)))

    def function_called(self: Any, function: Any, types: Any, operands: Any, keywords: Any) -> Any:
        return _report(function.__name__, function, operands, keywords)

    def method(name: str) -> Any:
        return lambda self, *args, **keywords: _report(name, getattr(ndarray, name), (self, *args), keywords)

    def picked(self: Any, index: Any) -> Any:
        index, here = plain(index), plain(self)
        part = here[index]
        if isinstance(part, ndarray) and part.base is not None and xp.may_share_memory(part, here):
            _report("index", xp.copy, (part,), {})
            return wrapped(part)  # a view, so that what is written into it is seen
        return _report("index", lambda a: a[index], (here,), {})

    def assigned(self: Any, index: Any, value: Any) -> None:
        plain(self)[plain(index)] = plain(value)

    members = {name: method(name) for name in _METHODS}
    members |= {"__array_ufunc__": ufunc_called, "__array_function__": function_called}
    members |= {"__getitem__": picked, "__setitem__": assigned}
    _classes.append(type("WatchedArray", (ndarray,), members))
    return _classes[0]


# ------------------------------------------------------------------------------- what would drop out of sight


class _Arrays:
    """An array module whose new arrays are watched: what is written into zeros and read again stays in sight."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        return (lambda *args, **keywords: wrapped(found(*args, **keywords))) if name in _MAKERS else found


def kept_in_sight(function: Any) -> Any:
    """The same function, with such modules in the place of NumPy among its globals, and ops that hand out watched
    arrays, each as one call of its own, in the place of ops."""
    there = dict(function.__globals__)
    for name, value in function.__globals__.items():
        if value is xp or (isinstance(value, ModuleType) and value.__name__ == "numpy"):
            there[name] = _Arrays(value)
        elif hasattr(value, "upstreams"):
            there[name] = _as_one_call(value)
    copy = FunctionType(function.__code__, there, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _as_one_call(op: Any) -> Any:
    def call(*inputs: Any, **settings: Any) -> Any:
        if op.outputs:
            return tuple(_report("index", xp.copy, (y,), {}) for y in op(*plain(inputs), **settings))
        return _report(op.__name__, op, inputs, settings)

    return call
