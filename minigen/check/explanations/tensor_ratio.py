"""The wrong gradient is the right one times a tensor that is known: a factor gamma, an input, a standard deviation."""

from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import Explanation, Wrong, constant
from minigen.check.tensors import NICE, functions_of, known, told_factor


def tensor_ratio(w: Wrong) -> Explanation | None:
    """a / n, entry by entry, is a known tensor: a factor left out, or one too many."""
    r = w.ratio
    telling = ~xp.isnan(r)
    if int(telling.sum()) < 3 or not w.vanishes_alike or constant(r) is not None:
        return None
    values = r[telling]
    for name, text, t in functions_of(known(w.case, w.x.shape)):
        if name == "dy" and len(w.case.outputs) == 1 and w.case.dys[0].shape != w.x.shape:
            continue
        u = t[telling]
        if not bool(xp.isfinite(u).all()) or not bool((u != 0).all()):
            continue
        c = constant(values / u)
        if c is None or min(abs(c - k) for k in NICE) > 1e-5:
            continue
        text, why = told_factor(c, text)
        axes = _axes(r)
        along = f", the same along {axes}" if axes else ""
        evidence = f"{w.line} / (its numerical value) is {text} at every entry{along}"
        return Explanation("tensor ratio", evidence, why)
    return None


def _axes(r: Any) -> str:
    """The axes along which the ratio does not change, in words."""
    same = [k for k in range(r.ndim) if r.shape[k] > 1 and _constant_along(r, k)]
    return " and ".join(f"axis {k}" for k in same)


def _constant_along(r: Any, axis: int) -> bool:
    known = xp.where(xp.isnan(r), 0.0, r)
    count = (~xp.isnan(r)).sum(axis=axis, keepdims=True)
    mean = known.sum(axis=axis, keepdims=True) / xp.maximum(count, 1)
    off = xp.where(xp.isnan(r), 0.0, xp.abs(r - mean))
    return bool((off <= 1e-5 * xp.abs(mean)).all())


def axis_ratio(w: Wrong) -> Explanation | None:
    """a / n depends on some axes only, in a way that no known tensor explains."""
    r = w.ratio
    if r.ndim < 2 or int((~xp.isnan(r)).sum()) < 4 or not w.vanishes_alike or constant(r) is not None:
        return None
    same = [k for k in range(r.ndim) if r.shape[k] > 1 and _constant_along(r, k)]
    if not same:
        return None
    free = [k for k in range(r.ndim) if k not in same and r.shape[k] > 1]
    others = " and ".join(f"axis {k}" for k in free)
    evidence = f"{w.line} / (its numerical value) depends on {others} of {w.name} only"
    return Explanation(
        "axis ratio",
        evidence,
        f"a factor wrong or missing that belongs to {others} (a scale for each feature, a count, a weight)",
    )
