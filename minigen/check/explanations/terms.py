"""A term is missing or too many: the difference between the learner's gradient and the right one is a known tensor."""

from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import Explanation, Wrong, constant
from minigen.check.tensors import functions_of, known


def known_term(w: Wrong) -> Explanation | None:
    """n - a is a multiple of an input, of one-hot labels, of dy, ..."""
    return _term(w, [(n, t) for n, t in known(w.case, w.x.shape) if not n.startswith("`")])


def one_hot_term(w: Wrong) -> Explanation | None:
    """n - a is a multiple of one-hot labels: the - 1 of a cross-entropy."""
    return _term(w, [(n, t) for n, t in known(w.case, w.x.shape) if n.startswith("one-hot")])


def _term(w: Wrong, sources: list[tuple[str, Any]]) -> Explanation | None:
    d = xp.where(w.usable, w.n - w.a, xp.nan)
    if d.size < 3 or not sources:
        return None
    for _, text, t in functions_of(sources):
        if not bool(xp.isfinite(t).all()) or not bool((t != 0).any()):
            continue
        if bool((xp.abs(xp.where(t == 0, d, 0.0)) > 1e-7 * w.scale).any()):
            continue
        c = constant(xp.where(t != 0, d / xp.where(t == 0, 1.0, t), xp.nan), 1e-6)
        if c is not None and abs(c) > 1e-9 and int((t != 0).sum()) >= 3:
            what = "missing" if _closer(w) else "too many, or of the wrong sign"
            evidence = f"What {w.line} lacks is {c:.4g} x {text} at every entry"
            return Explanation("term", evidence, f"a term in {text} {what}")
    return None


def _closer(w: Wrong) -> bool:
    """Whether the learner's gradient is smaller: a term lost rather than one too many."""
    return float(xp.abs(w.a).sum()) <= float(xp.abs(w.n).sum())


def constant_along(w: Wrong) -> Explanation | None:
    """n - a is the same along an axis, where a mean's gradient is missing; or a multiple of something, row by row."""
    d, scale = w.n - w.a, float(xp.abs(w.n - w.a).max())
    if not bool(w.usable.all()) or scale == 0:
        return None
    for axis in range(d.ndim):
        if d.shape[axis] > 2 and bool((xp.abs(d - d.mean(axis=axis, keepdims=True)) <= 1e-6 * scale).all()):
            evidence = f"What {w.line} lacks is the same for all entries along axis {axis} of {w.name}"
            return Explanation("term", evidence, f"the term of a mean (or sum) over axis {axis} missing or wrong")
    for name, t in known(w.case, w.x.shape):
        for axis in range(d.ndim):
            if d.shape[axis] < 3 or name == "dy":
                continue
            if _multiple_along(d, t, axis, scale):
                evidence = f"What {w.line} lacks is a multiple of {name}, one factor along each line of axis {axis}"
                return Explanation(
                    "term", evidence, f"a term missing or of the wrong sign that is a sum over axis {axis} times {name}"
                )
    return None


def _multiple_along(d: Any, t: Any, axis: int, scale: float) -> bool:
    """Whether d = c t with one c for each line along the axis."""
    tt = (t * t).sum(axis=axis, keepdims=True)
    if bool((tt <= 0).any()):
        return False
    c = (d * t).sum(axis=axis, keepdims=True) / tt
    return bool((xp.abs(d - c * t) <= 1e-6 * scale).all())
