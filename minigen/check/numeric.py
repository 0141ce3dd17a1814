"""The numerical gradient: the slope of a function, measured by changing one number of its input at a time.

    f'(x) = (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12 h  +  O(h^4)

The five-point stencil in float64 is good to about 1e-12 where a two-point one stops at 1e-9. The step is
fitted to each entry: the widest is 1e-3 max(1, |x|, mean |x|), and it narrows until the stencils at h and at
h / 2 agree, so that log at 1e-6 and exp at 1e-6 are both measured well. Where no step agrees, or the
slopes to the left and to the right differ, the function has a kink, as relu at 0: no gradient is right there,
and none wrong.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from minigen.backend import xp

AGREES = 1e-9  # of the slope: the stencils at h and at h / 2 differ by less, and the step is narrow enough
SAME_SLOPE = 1e-6  # of the slope: by how much left and right may differ, once curvature is taken out
NO_SLOPE = 1e-5  # of the largest slope: a disagreement above it is a kink
ROUNDING = 64 * 2.0**-52  # a generous guess at the relative error of a formula in float64
NARROWER = 16  # the ratio of one step to the next one tried

# Evaluated at x + k h for these k. Each row of weights gives, divided by h, one number about the slope at x.
OFFSETS = (-2, -1, -0.5, 0.5, 1, 2)
WIDE = [1 / 12, -8 / 12, 0, 0, 8 / 12, -1 / 12]  # five points, step h
NARROW = [0, 1 / 6, -8 / 6, 8 / 6, -1 / 6, 0]  # five points, step h / 2
JUMP = [
    0,
    -1,
    4,
    4,
    -1,
    0,
]  # the slope on the right minus that on the left, extrapolated from h and h / 2 to 0


@dataclass(frozen=True)
class Slopes:
    """A numerical gradient, and how far to trust it: arrays of x's shape, 0 for what was not measured."""

    gradient: Any
    kinks: Any  # True where there is no slope to compare with
    uncertainty: Any  # by how much rounding, or a scale that forbids more digits, may have put `gradient` off
    measured: Any  # True for the entries that were looked at


@dataclass(frozen=True)
class _Slope:
    """One entry's slope at one step size."""

    value: float
    disagreement: float  # between the two step sizes
    jump: float  # between left and right
    size: float  # of the one-sided slopes, term by term: what the others are compared with
    noise: float  # what rounding alone may come to

    @property
    def trusted(self) -> bool:
        agrees = self.disagreement <= max(AGREES * self.size, self.noise)
        return agrees and self.jump <= max(SAME_SLOPE * self.size, self.noise)


def numerical_gradient(terms: Callable[[], Any], x: Any, entries: Iterable[int] | None = None) -> Slopes:
    """The gradient of terms().sum() in x, entry by entry.

    terms: reads x and returns a 1-D array. It stays a sum to be done, for then what an entry does not touch
    cancels exactly: for outputs y and an upstream gradient dy, return (y * dy).ravel().
    x: a contiguous float64 array. Each entry is changed in place and restored, bit for bit, whatever happens.
    entries: which, in flat order; all by default.

    Raises TypeError for an x that is not contiguous float64, ValueError where terms() is not finite at x.
    """
    if x.dtype != xp.float64 or not x.flags.c_contiguous:
        raise TypeError(f"numerical_gradient: x is {x.dtype}, wants a contiguous float64 array")
    rest = terms()
    if not bool(xp.isfinite(rest).all()):
        raise ValueError("numerical_gradient: the function is NaN or Inf at x itself; it has no slope there")
    flat, mean = x.reshape(-1), float(xp.abs(x).mean()) if x.size else 0.0
    found: dict[int, _Slope] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a step that leaves the domain is narrowed
        for i in range(x.size) if entries is None else entries:
            value = float(flat[i])

            def at(v: float, i: int = i) -> Any:
                flat[i] = v
                try:
                    return terms()
                except (ValueError, ArithmeticError):  # outside the domain, as a probability above 1
                    return None

            try:
                found[i] = _slope(at, rest, value, mean)
            finally:
                flat[i] = value
    return _gathered(found, x)


def _gathered(found: dict[int, _Slope], x: Any) -> Slopes:
    largest = max((s.size for s in found.values()), default=0.0)
    gradient, uncertainty, kinks, measured = ([0.0] * x.size for _ in range(4))
    for i, s in found.items():
        off = s.disagreement if s.trusted else max(s.disagreement, s.jump)
        kink = not s.trusted and not off <= max(NO_SLOPE * largest, s.noise)
        gradient[i], uncertainty[i] = (0.0, 0.0) if kink else (s.value, max(off, s.noise))
        kinks[i], measured[i] = float(kink), 1.0
    as_x = [xp.asarray(values).reshape(x.shape) for values in (gradient, kinks, uncertainty, measured)]
    return Slopes(as_x[0], as_x[1] > 0, as_x[2], as_x[3] > 0)


def _slope(at: Callable[[float], Any], rest: Any, x: float, mean: float) -> _Slope:
    """The slope at x by the widest step to be trusted, else by the one that disagrees least with itself."""
    best = _Slope(0.0, math.inf, math.inf, 0.0, 0.0)
    for h in _steps(x, mean):
        slope = _measured(at, rest, x, h)
        if slope is None:
            continue
        if slope.trusted:
            return slope
        if max(slope.disagreement, slope.jump) < max(best.disagreement, best.jump):
            best = slope
    return best


def _steps(x: float, mean: float) -> Iterator[float]:
    """Steps to try, from wide to narrow. They are powers of two, so that x + h is exact."""
    widest = 1e-3 * max(1.0, abs(x), mean)
    narrowest = 1e-3 / 4096 * min(1.0, abs(x) or 1.0, mean or 1.0)
    h = 2.0 ** round(math.log2(widest))
    while h >= max(narrowest, 2.0**-40 * abs(x)):
        yield h
        h /= NARROWER


def _measured(at: Callable[[float], Any], rest: Any, x: float, h: float) -> _Slope | None:
    """The slope at x by steps of h, or None where the function is not finite that far out."""
    around = [at(x + k * h) for k in OFFSETS]
    if any(p is None for p in around):
        return None
    points = xp.stack(around)  # (6, terms)
    changes = points - rest  # exactly 0 for the terms that x does not touch
    wide, narrow, jump = xp.asarray([WIDE, NARROW, JUMP]) @ changes / h  # (terms,) each
    sums = xp.stack(
        [
            narrow.sum(),
            xp.abs(wide - narrow).sum(),
            xp.abs(jump).sum(),
            xp.abs(changes[1:5:3]).sum() / (2 * h),
            xp.sqrt((points * points).max(axis=0).sum()) * (ROUNDING / h),  # independent errors
        ]
    ).tolist()
    return _Slope(*sums) if all(map(math.isfinite, sums)) else None
