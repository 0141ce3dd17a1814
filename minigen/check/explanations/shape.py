"""The gradient has another shape than its input. What makes the shapes and the numbers agree names the mistake."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.explanations.wrong import SAME, Explanation
from minigen.check.numbers import cause, named

Remedy = Iterator[tuple[str, str, Any]]  # what is done to the gradient, what that tells, the result


def wrong_shape(case: Case, name: str, a: Any) -> Explanation:
    """What turns a gradient of the wrong shape into the right one: a sum, a transpose, a reshape, a crop."""
    slopes = case.slopes(name)
    n, usable = slopes.gradient, slopes.measured & ~slopes.kinks
    said = f"{case.subject.line(name)} has shape {a.shape}, {name} has {n.shape}"
    fitting = [(done, why, b) for remedy in REMEDIES for done, why, b in remedy(a, n) if b.shape == n.shape]
    for done, why, b in fitting:
        if _same(b, n, usable):
            return Explanation("shape", f"{said}; {done}, it is right", why)
    for done, why, b in fitting:
        number = named(float(b.sum() / n.sum()), case) if _proportional(b, n, usable) else None
        if number:
            evidence = f"{said}; {done}, it is {number.text} times the right one"
            return Explanation("shape", evidence, f"{why}; and {cause(number)}")
    for other, g in case.gradients.items():
        if other != name and a.shape == case.x(other).shape and g is not a:
            there = case.slopes(other)
            if _same(a, there.gradient, there.measured & ~there.kinks):
                why = f"the gradients returned in the wrong order, or {name} and {other} swapped"
                return Explanation("swapped", f"{said}; its numbers are those of the gradient of {other}", why)
    for done, why, _ in fitting:
        return Explanation("shape", f"{said}; {done}, it has the right shape but not yet the right numbers", why)
    return Explanation("shape", f"{said}: {a.size} numbers in the place of {n.size}", _by_size(a, n))


def _same(b: Any, n: Any, usable: Any) -> bool:
    return bool((xp.abs(b - n) * usable <= SAME * xp.abs(n).max()).all()) if n.size else True


def _proportional(b: Any, n: Any, usable: Any) -> bool:
    total = float(n.sum())
    return total != 0 and _same(b * (total / float(b.sum() or 1.0)), n, usable)


def _by_size(a: Any, n: Any) -> str:
    if a.size == 1 or a.ndim < n.ndim:
        return "a sum over too many axes, or the upstream gradient not broadcast back to the shape of the input"
    if a.ndim > n.ndim or a.size > n.size:
        return "a sum over the broadcast (batch) axes left out, or padding not cropped off"
    return "a product in the wrong order, an axis summed that should be kept, or a slice not put back into its place"


# --------------------------------------------------------------------------------------------- what may repair it


def _subsets(ndim: int) -> Iterator[tuple[tuple[int, ...], str]]:
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            yield axes, f"axis {axes[0]}" if count == 1 else f"axes {axes}"


def _summed(a: Any, n: Any) -> Remedy:
    for axes, names in _subsets(a.ndim):
        length = math.prod(a.shape[i] for i in axes)
        for keepdims in (False, True):
            total = a.sum(axis=axes, keepdims=keepdims)
            if length == 1:
                yield f"without {names} (of length 1)", "keepdims=True where the axis should go", total
                continue
            batch = " (the batch, or what was broadcast)" if 0 in axes else ""
            yield f"summed over {names}", f"the sum over {names} left out{batch}", total
            why = f"{names} left in, along which every entry is the same: what was broadcast not undone"
            yield f"averaged over {names}", why, total / length


def _transposed(a: Any, n: Any) -> Remedy:
    why = (
        "a transposed gradient: the factors of a product in the wrong order (dy.T @ x for x.T @ dy), or a .T not undone"
    )
    for order in list(itertools.permutations(range(a.ndim)))[1:] if a.ndim == n.ndim else []:
        yield "transposed" if a.ndim == 2 else f"with its axes in the order {order}", why, a.transpose(order)


def _reshaped(a: Any, n: Any) -> Remedy:
    if a.size == n.size:
        why = "the input's shape not restored (a reshape, flatten or squeeze not undone, an axis of length 1 lost)"
        yield "reshaped", why, a.reshape(n.shape)


def _cropped(a: Any, n: Any) -> Remedy:
    if a.ndim != n.ndim or any(i < j for i, j in zip(a.shape, n.shape, strict=True)):
        return
    why = "padding not cropped off: the gradient of the padded input returned"
    for share, where in ((0.5, "in the centre"), (0.0, "at the start"), (1.0, "at the end")):
        starts = [int((i - j) * share) for i, j in zip(a.shape, n.shape, strict=True)]
        yield f"cropped {where}", why, a[tuple(slice(s, s + j) for s, j in zip(starts, n.shape, strict=True))]


def _put_back(a: Any, n: Any) -> Remedy:
    if a.ndim != n.ndim or not a.size or any(i > j for i, j in zip(a.shape, n.shape, strict=True)):
        return
    why = "a slice (or an index) not put back into its place: the gradient is 0 everywhere else"
    for start in itertools.product(*(range(j - i + 1) for i, j in zip(a.shape, n.shape, strict=True))):
        whole = xp.zeros(n.shape)
        whole[tuple(slice(s, s + i) for s, i in zip(start, a.shape, strict=True))] = a
        yield f"put into zeros at {start}", why, whole


def _broadcast(a: Any, n: Any) -> Remedy:
    try:
        spread = xp.broadcast_to(a, n.shape)
    except ValueError:
        return
    why = "the upstream gradient not broadcast back along the axis that forward summed (or a keepdims missing)"
    yield "broadcast to that shape", why, spread


def _summed_too_much(a: Any, n: Any) -> Remedy:
    for axes, names in _subsets(n.ndim):
        total = n.sum(axis=axes)
        if total.shape == a.shape and bool((xp.abs(total - a) <= SAME * xp.abs(a).max()).all()):
            everything = " (everything summed to one number)" if not a.ndim else ""
            yield f"it is the right one summed over {names}; kept apart", f"a sum over {names} too many{everything}", n


REMEDIES = [_summed, _transposed, _reshaped, _cropped, _put_back, _broadcast, _summed_too_much]
