"""What can be wrong before any number is compared: None, shape, dtype, NaN, and how backward behaves when called again.

A backward is linear in its upstream gradient, gives the same twice, and leaves alone what it was handed. Each check
is a function (case) -> Finding | None that names the mistake; the two lists at the end say when they are asked.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.randomness import kept_random, normals, random_state
from minigen.check.subject import arrays_in, describe, is_float


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: whose gradient (None: all), the evidence, and what it is consistent with."""

    key: str  # the kind of finding, as "upstream ignored"
    input: str | None
    evidence: str
    cause: str = ""

    @property
    def message(self) -> str:
        return f"{self.evidence}. Consistent with {self.cause}." if self.cause else f"{self.evidence}."


def unlike(a: Any, b: Any, noise: float = 0.0) -> bool:
    """Whether two arrays differ by more than rounding; `noise` is what cancellation may leave."""
    scale = max(float(xp.abs(b).max()), float(xp.abs(a).max())) if a.size else 0.0
    return not bool((xp.abs(a - b) <= max(1e-9 * scale, noise)).all())  # nan is unlike everything


# ------------------------------------------------------------------------------------------------ one call


def forward_changes_input(case: Case) -> Finding | None:
    """forward works in place on an array that belongs to the caller."""
    inputs = [copy.deepcopy(x) for x in case.inputs]
    with kept_random():
        case.subject.forward(inputs, dict(case.settings))
    for name, x, now in zip(case.names, case.inputs, inputs, strict=True):
        if isinstance(x, xp.ndarray) and not bool(((x == now) | (x != x)).all()):
            evidence = f"forward changes its input {name} in place"
            return Finding("mutated", name, evidence, f"{name} -= ... where {name} = {name} - ... makes a new array")
    return None


def forward_differs(case: Case) -> Finding | None:
    """forward gives other numbers each time, whatever the state of the random generators."""
    first, second = case.run(), case.run()
    if any(unlike(a, b) for a, b in zip(first.outputs, second.outputs, strict=True) if is_float(a)):
        evidence = "forward gives other outputs each time it is called on the same inputs, so nothing can be measured"
        return Finding("two calls", None, evidence, "random numbers drawn inside; draw them outside and pass them in")
    return None


def backward_raises(case: Case) -> Finding | None:
    """backward does not run."""
    try:
        case.backward()
    except Exception as error:  # whatever the learner's code raises is what is to be reported
        shapes = [f"dy {tuple(dy.shape)}" for dy in case.dys]
        shapes += [f"{n} {x.shape}" for n, x in zip(case.names, case.inputs, strict=True) if hasattr(x, "shape")]
        told = f"backward raises {type(error).__name__}{_place_of(error)}: {error}. The shapes are {', '.join(shapes)}"
        return Finding("raises", None, told)
    return None


def _place_of(error: Exception) -> str:
    """Where in the learner's code an error came from."""
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not traceback.tb_frame.f_globals.get("__name__", "").startswith("minigen.check"):
            return f" in {code.co_name}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return ""


def nothing_returned(case: Case) -> Finding | None:
    """A gradient was forgotten: backward returns None for it."""
    found = case.backward()
    for name, g in found.items():
        shape = case.x(name).shape
        if g is None:
            evidence = f"{_d(case, name)} returned None where a gradient of shape {shape} is wanted"
            return Finding("none", name, evidence, "a missing return, or a forgotten gradient")
        if not isinstance(g, (xp.ndarray, int, float)) and not hasattr(g, "dtype"):
            evidence = f"{_d(case, name)} returned {describe(g)} where an array of shape {shape} is wanted"
            return Finding("none", name, evidence)
    return None if found else Finding("none", None, "backward returned no gradient for any input")


def wrong_dtype(case: Case) -> Finding | None:
    """The gradient sits in a buffer of integers (every number truncated), or lost half its digits."""
    for name, g in case.backward().items():
        x, dtype = case.x(name), getattr(g, "dtype", None)
        if dtype is None or dtype == x.dtype or g.shape != x.shape:
            continue
        evidence = f"{_d(case, name)} is {dtype} where {name} is {x.dtype}"
        if dtype.kind in "iu" and not unlike(g * 1.0, xp.trunc(case.slopes(name).gradient)):
            evidence += ": every number of the right gradient, cut to a whole one"
        why = "a buffer or a cast of a fixed dtype; a gradient has the dtype of its input"
        if dtype.kind in "iub":
            why = "an integer buffer (zeros_like of an integer array, dtype=int), or a bare comparison returned"
        return Finding("dtype", name, evidence, why)
    return None


def not_finite(case: Case) -> Finding | None:
    """NaN or Inf in a gradient, where the slope is finite."""
    for name, g in case.backward().items():
        bad = ~xp.isfinite(_as(g))
        if bool(bad.any()):
            evidence = f"{_d(case, name)} holds NaN or Inf in {int(bad.sum())} of {bad.size} entries"
            return Finding("not finite", name, evidence, "a division by 0, a log of 0, or an exp that overflows")
    return None


# ------------------------------------------------------------------------------------------- several calls


def two_calls_differ(case: Case) -> Finding | None:
    """Something is changed, drawn or added up inside backward: the second call on the same saved values differs."""
    with kept_random():
        inputs = [copy.deepcopy(x) for x in case.inputs]
        run = case.subject.forward(inputs, dict(case.settings))
        before = [(path, a.copy()) for path, a in arrays_in(run.saved, "")]
        handed = [dy.copy() for dy in case.dys]
        state = random_state()
        first = _copied(case.subject.backward(run, handed))
        drew = random_state() != state
        foreign = _changed_inputs(case, inputs, handed)
        saved = _changed_saved(run, before)
        second, third = (_copied(case.subject.backward(run, [dy.copy() for dy in case.dys])) for _ in range(2))
    for name, g in first.items():
        again, told = second[name], f"{_d(case, name)} differs between two calls on the same saved values"
        if g.shape == again.shape and not unlike(g, again):
            continue
        if not foreign and g.shape == again.shape and not unlike(again - g, third[name] - again):
            evidence = f"{_d(case, name)} grows by the same amount with every call"
            why = (
                "a buffer that outlives the call and is never set back to zero: gradients accumulate from call to call"
            )
            return Finding("accumulates", name, evidence, why)
        if foreign or saved:
            why = "an in-place operation (-=, *=, out=, [...] =) on a saved array; work on a copy"
            return Finding("mutated", name, f"{told}: backward changes {foreign or saved} in place", why)
        evidence = f"{told}{', and backward draws random numbers' if drew else ''}"
        why = "a random draw (a dropout mask, a VAE's noise) made anew in backward; save the one that forward used"
        return Finding("redrawn", name, evidence, why)
    if foreign or saved:
        evidence = f"backward changes {foreign or saved} in place, so that whoever reads it next gets other numbers"
        return Finding("mutated", None, evidence, "an in-place operation (-=, *=, out=) on what was only lent to it")
    return None


def _copied(gradients: dict[str, Any]) -> dict[str, Any]:
    return {n: _as(g).copy() for n, g in gradients.items()}


def _changed_inputs(case: Case, inputs: list[Any], handed: list[Any]) -> str:
    """Which input or upstream gradient backward changed in place; empty where none."""
    for k, (dy, was) in enumerate(zip(handed, case.dys, strict=True)):
        if unlike(dy, was):
            return "the upstream gradient dy" if len(handed) == 1 else f"upstream gradient {k}"
    for name, now, was in zip(case.names, inputs, case.inputs, strict=True):
        if isinstance(was, xp.ndarray) and was.size and unlike(now * 1.0, was * 1.0):
            return f"the input {name}"
    return ""


def _changed_saved(run: Any, before: Any) -> str:
    """Which saved array backward changed in place; empty where none."""
    after = dict(arrays_in(run.saved, ""))
    for path, was in before:
        now = after.get(path)
        if now is None or now.shape != was.shape or (was.size and unlike(now * 1.0, was * 1.0)):
            return f"the saved value {path or 'cache'}"
    return ""


def ignores_upstream(case: Case) -> Finding | None:
    """The upstream gradient is not multiplied in, or a term without it is added."""
    zero = case.backward([xp.zeros(dy.shape) for dy in case.dys])
    for name, now in case.gradients.items():
        left = _as(zero[name])
        if left.shape != now.shape or not bool((left != 0).any()):
            continue
        if not bool(xp.isfinite(left).all()):
            evidence = f"{_d(case, name)} is NaN or Inf for dy = 0, where it has to be 0: backward is not linear in dy"
            return Finding("not linear", name, evidence, "a division by something made of dy (a norm, a maximum)")
        if not unlike(left, now):
            evidence = f"{_d(case, name)} is the same for every upstream gradient, also for dy = 0"
            why = "dy not multiplied in: the upstream gradient is ignored (right only for dy = 1, if at all)"
            return Finding("upstream ignored", name, evidence, why)
        evidence = f"{_d(case, name)} is not 0 for dy = 0: a term without dy is added{_multiple_of_input(case, left)}"
        why = "dy not multiplied into one of the terms, or a term (such as weight decay) that does not belong here"
        return Finding("not linear", name, evidence, why)
    return None


def _multiple_of_input(case: Case, left: Any) -> str:
    for n, x in zip(case.names, case.inputs, strict=True):
        if is_float(x) and x.shape == left.shape and x.size and bool((x != 0).all()):
            ratio = float(left.ravel()[0] / x.ravel()[0])
            if not unlike(left, ratio * x):
                return f", {ratio:.4g} times {n}"
    return ""


def not_linear(case: Case) -> Finding | None:
    """Twice the upstream gradient has to give twice the gradient, its negative the negative, a sum the sum."""
    others = [normals(dy.shape, k + 101) for k, dy in enumerate(case.dys)]

    def at(dys: list[Any]) -> dict[str, Any]:
        return {n: _as(g) for n, g in case.backward(dys).items()}

    minus, twice = at([-dy for dy in case.dys]), at([2 * dy for dy in case.dys])
    other, added = at(others), at([dy + o for dy, o in zip(case.dys, others, strict=True)])
    for name, g in case.gradients.items():
        noise = 4 * float(case.slopes(name).uncertainty.max()) if g.size else 0.0
        if unlike(minus[name], -g, noise):
            even = "the same as" if not unlike(minus[name], g) else "not the negative of that"
            evidence = f"{_d(case, name)} for -dy is {even} for dy: backward is not linear in dy"
            why = (
                "a mask taken from the sign of the upstream gradient (dy > 0) where it should come from the saved x, "
                "or dy squared or made absolute"
            )
            return Finding("not linear", name, evidence, why)
        if unlike(twice[name], 2 * g, noise):
            ratio = float(xp.abs(twice[name]).sum() / xp.abs(g).sum())
            evidence = (
                f"{_d(case, name)} for 2 dy is {ratio:.4g} times that for dy, wants 2: backward is not linear in dy"
            )
            why = "dy used twice (multiplied with itself)" if ratio > 3 else "dy clipped, normalised or cut to its sign"
            return Finding("not linear", name, evidence, f"{why}, or a value changed before it was used")
        if unlike(added[name], g + other[name], noise):
            evidence = f"{_d(case, name)} for dy1 + dy2 is not the sum of those for dy1 and dy2: it is not linear in dy"
            return Finding("not linear", name, evidence, "a mask or a maximum taken from dy")
    return None


def _as(g: Any) -> Any:
    return xp.asarray(g, dtype="float64")


def _d(case: Case, name: str) -> str:
    return case.subject.line(name)


Check = Callable[[Case], Finding | None]
BEFORE_NUMBERS: list[Check] = [
    forward_changes_input,
    forward_differs,
    backward_raises,
    nothing_returned,
    wrong_dtype,
    not_finite,
]
BEHAVIOUR: list[Check] = [two_calls_differ, ignores_upstream, not_linear]  # asked once the shapes are right
