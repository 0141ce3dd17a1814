"""Stepping into a forward while it computes: the means to ask "what if this path were not there?".

Forward is run on watched arrays, once, to see the calls it makes (minigen.check.calls); then again and again with the
results of some of them replaced, for example by what they were before an input moved. The numerical slope of such a
run is the gradient that a backward would give that leaves this path out. Nothing in forward has to be rewritten for
it, so it works on what a learner invents. It needs NumPy's arrays: on other backends `watched` returns None.
"""

from typing import Any

from minigen import ops
from minigen.backend import current, xp
from minigen.check.calls import Call, Replace, Watch, set_watch
from minigen.check.case import Case
from minigen.check.randomness import normals
from minigen.check.subject import ContractOp, Subject
from minigen.check.watched_array import kept_in_sight, plain, wrapped

H = 1e-5  # the step: central differences are then good to 1e-9, and all is compared to 1e-6


class Watched:
    """A case whose forward has been watched once; it can be run again with results replaced."""

    def __init__(self, case: Case) -> None:
        readable = _readable(case.subject)
        self.case, self.function, self.root = case, kept_in_sight(readable), readable.__code__
        first = Watch(self.root)
        self._objective(case.inputs, first)
        self.calls: list[Call] = first.calls

    def _objective(self, inputs: list[Any], watch: Watch) -> float:
        """The outputs times their upstream gradients, computed under the eyes of a Watch."""
        case = self.case
        given = [wrapped(x.copy()) if hasattr(x, "copy") else x for x in inputs]
        set_watch(watch)
        try:
            with case.randomness():
                returned = self.function(*given, **case.settings)
        finally:
            set_watch(None)
        if watch.base is not None and watch.count != len(watch.base):
            raise RuntimeError("forward took another course")
        ys = case.subject.outputs_of(returned)
        return float(sum((plain(y) * dy).sum() for y, dy, f in zip(ys, case.dys, case.floats, strict=True) if f))

    def _again(self, inputs: list[Any], **changes: Any) -> tuple[float, Watch]:
        watch = Watch(self.root, base=self.calls, **changes)
        return self._objective(inputs, watch), watch

    def _moved(self, name: str, by: Any) -> list[Any]:
        return [x + by if n == name else x for n, x in zip(self.case.names, self.case.inputs, strict=True)]

    def agrees(self) -> bool:
        """Whether a watched run computes what an unwatched one does."""
        right = float(self.case.terms().sum())
        return abs(self._again(self.case.inputs)[0] - right) <= 1e-9 * max(1.0, abs(right))

    def moved_by(self, name: str) -> dict[int, set[int]]:
        """For each call, which of its operands change when this input does."""
        return self._again(self._moved(name, 1e-3 * normals(self.case.x(name).shape, 97)), compare=True)[1].moved

    def slope(self, name: str, v: Any, replace: dict[int, Replace], keep: frozenset[int] = frozenset()) -> float:
        """The slope of the objective along v, with these results replaced."""
        above, below = (self._again(self._moved(name, h * v), replace=replace, keep=keep)[0] for h in (H, -H))
        return (above - below) / (2 * H)

    def tangents(self, name: str, v: Any) -> dict[int, Any]:
        """By how much the result of each call moves, per step along v."""
        every = frozenset(range(len(self.calls)))
        above, below = (self._again(self._moved(name, h * v), keep=every)[1].results for h in (H, -H))
        return {n: (above[n] - below[n]) / (2 * H) for n in above}

    def slope_from(self, numbers: list[int], v: Any) -> float:
        """The slope of the objective when the results of these calls move along v, and the inputs do not."""
        above, below = (self._again(self.case.inputs, replace={n: _plus(h * v) for n in numbers})[0] for h in (H, -H))
        return (above - below) / (2 * H)


def _plus(by: Any) -> Replace:
    return lambda call, operands, result, results: result + by


def _readable(subject: Subject) -> Any:
    """The formula to watch: an op's `plain` where it has one, also where its forward is a kernel of minigen's own."""
    own = subject.op.plain if isinstance(subject, ContractOp) else None
    kernels = {o.forward: o.plain for o in vars(ops).values() if hasattr(o, "upstreams") and o.plain}
    return own or kernels.get(subject.function, subject.function)


def watched(case: Case) -> Watched | None:
    """The case with its forward watched, or None where it cannot be: another backend, a forward too long, not pure."""
    if "watched" not in case.memo:
        found = None
        if current() == "numpy" and xp.ndarray.__module__ == "numpy":
            try:
                found = Watched(case)
                found = found if found.agrees() else None
            except Exception:  # a forward that a subclass of ndarray does not get through
                found = None
        case.memo["watched"] = found
    return case.memo["watched"]
