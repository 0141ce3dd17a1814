"""The right numbers in the wrong place: another input's gradient, a transpose, a flip, blocks swapped, a shift."""

import itertools
from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import SAME, Explanation, Wrong

Moved = Iterator[tuple[str, str, Any]]  # how it was moved, why, the moved array


def other_input(w: Wrong) -> Explanation | None:
    """Two gradients returned in each other's place."""
    for other in _of_the_same_shape(w):
        if w.case.is_wrong(other) and w.is_(w.case.slopes(other).gradient):
            evidence = f"{w.line} is, number by number, the gradient of {other}"
            why = f"{w.name} and {other} swapped: returned in the wrong order, or computed from each other's operands"
            return Explanation("swapped", evidence, why)
    return None


def gradient_of_another(w: Wrong) -> Explanation | None:
    """The same, where the other gradient is right."""
    for other in _of_the_same_shape(w):
        if w.is_(w.case.slopes(other).gradient):
            evidence = f"{w.line} is, number by number, the gradient of {other} (which is right itself)"
            return Explanation(
                "swapped", evidence, f"one formula used for both, or {w.name} and {other} mixed up in it"
            )
    return None


def _of_the_same_shape(w: Wrong) -> list[str]:
    others = [n for n in w.case.gradients if n != w.name and w.case.x(n).shape == w.x.shape]
    return [n for n in others if bool((w.case.slopes(n).gradient != 0).any())]


# ------------------------------------------------------------------------------------------ the gradient rearranged


def rearranged(w: Wrong) -> Explanation | None:
    """The entries are right but stand elsewhere: transposed, flipped, reshaped for transposed, blocks exchanged."""
    for how, why, b in _rearrangements(w.n):
        if b.shape == w.n.shape and w.is_(b) and not w.agree(b, w.n):
            evidence = f"{w.line} holds the right numbers in the wrong place: it is the right gradient {how}"
            return Explanation("misplaced", evidence, why)
    return None


def _rearrangements(n: Any) -> Moved:
    yield from _transposed(n)
    yield from _flipped(n)
    yield from _reshaped(n)
    for axis in range(n.ndim):
        yield from _blocks_swapped(n, axis)
        for by in range(1, min(4, n.shape[axis])):
            for step in (by, -by):
                why = f"an offset of {step} along axis {axis}: an index off by {by}"
                yield f"rolled by {step} along axis {axis}", why, xp.roll(n, step, axis)


def _orders(n: Any) -> list[tuple[int, ...]]:
    return list(itertools.permutations(range(n.ndim)))[1:]


def _transposed(n: Any) -> Moved:
    for order in _orders(n):
        how = "transposed" if n.ndim == 2 else f"with its axes in the order {order}"
        yield how, "a transpose missing or too many (dy.T @ x for x.T @ dy), or two axes swapped", n.transpose(order)


def _flipped(n: Any) -> Moved:
    for count in range(1, n.ndim + 1):
        for axes in itertools.combinations(range(n.ndim), count):
            along = f"along axis {axes[0]}" if count == 1 else f"along axes {axes}"
            why = f"a flip (reversal) {along}: a kernel flipped, a flip not undone, or a loop that runs the other way"
            yield f"flipped {along}", why, xp.flip(n, axes)


def _reshaped(n: Any) -> Moved:
    why = "reshape where a transpose (.T) is wanted, or the reverse: reshape keeps the numbers in memory order"
    for order in _orders(n):
        turned, inverse = n.transpose(order), tuple(order.index(i) for i in range(n.ndim))
        yield "transposed and then reshaped back", why, turned.reshape(n.shape)
        yield "reshaped and then transposed back", why, n.reshape(turned.shape).transpose(inverse)


def _blocks_swapped(n: Any, axis: int) -> Moved:
    for blocks in (2, 3, 4):
        if n.shape[axis] % blocks or n.shape[axis] < blocks:
            continue
        parts = xp.split(n, blocks, axis=axis)
        for order in list(itertools.permutations(range(blocks)))[1:]:
            moved = [i for i, j in enumerate(order) if i != j]
            how = f"with its {blocks} blocks along axis {axis} in the order {order}"
            why = f"blocks (slices, gates) {moved} swapped along axis {axis}: cut or joined in the wrong order"
            yield how, why, xp.concatenate([parts[i] for i in order], axis=axis)


# --------------------------------------------------------------------------------- the upstream gradient rearranged


def transposed_jacobian(w: Wrong) -> Explanation | None:
    """As many outputs as inputs, and backward does what forward does: J dy where J^T dy belongs."""
    outputs = sum(y.size for y in w.case.outputs)
    if outputs != w.x.size or outputs < 3 or not w.case.small(w.name):
        return None
    forward_again = (w.case.jacobian(w.name) @ w.case.dy).reshape(w.x.shape)
    if not w.is_(forward_again) or w.agree(forward_again, w.n):
        return None
    evidence = f"{w.line} is J dy, the Jacobian times dy, where J^T dy belongs"
    why = (
        "a matrix not transposed (w for w.T), the same permutation (roll, order of axes, cumulative sum) applied for "
        "the inverse one, or factors applied in forward's order: backward goes through them in the reverse order"
    )
    return Explanation("transposed Jacobian", evidence, why)


def upstream_rearranged(w: Wrong) -> Explanation | None:
    """The upstream gradient is read in another order than forward wrote the output: tile for repeat, reshape for .T."""
    case = w.case
    if len(case.outputs) != 1 or not case.small(w.name) or case.outputs[0].size < 3:
        return None
    for how, why, moved in _upstream_orders(case.dys[0]):
        if moved.size == case.dys[0].size:
            gradient = (case.jacobian(w.name).T @ moved.ravel()).reshape(w.x.shape)
            if w.is_(gradient) and not w.agree(gradient, w.n):
                return Explanation("misplaced", f"{w.line} would be right if dy were {how}", why)
    return None


def _upstream_orders(dy: Any) -> Moved:
    why = "the upstream gradient read in the wrong order: a sum over the wrong axis, a reshape for a transpose, a swap"
    for how, _, moved in _rearrangements(dy):
        yield how, why, moved
    for count in range(1, min(dy.ndim, 3) + 1):
        for axes in itertools.combinations(range(dy.ndim), count):
            for k in range(2, min(dy.shape[a] for a in axes)):
                if all(dy.shape[a] % k == 0 for a in axes):
                    yield _dealt(dy, axes, k)
    flat = dy.ravel()
    for k in range(2, flat.size):
        if flat.size % k == 0:
            why = "a reshape with its lengths in the wrong order: rows and columns of the flattened array exchanged"
            yield f"read as ({k}, {flat.size // k}) the other way round", why, flat.reshape(k, -1).T.ravel()


def _dealt(dy: Any, axes: tuple[int, ...], k: int) -> tuple[str, str, Any]:
    """These axes cut into k blocks each, and read across them."""
    moved = dy
    for a in axes:
        front, back = moved.shape[:a], moved.shape[a + 1 :]
        cut = moved.reshape(*front, k, moved.shape[a] // k, *back)
        moved = xp.swapaxes(cut, a, a + 1).reshape(dy.shape)
    places = " and ".join(f"axis {a}" for a in axes)
    why = f"tile taken for repeat, or the reverse: {k} copies along {places} lie side by side, or one block apart"
    return f"read with {places} dealt out by {k} the other way round (tile for repeat)", why, moved


# --------------------------------------------------------------------------------------------------- less than that


def shifted(w: Wrong) -> Explanation | None:
    """Right numbers, some places off, with others at the border: a crop at the wrong offset."""
    long = [k for k in range(w.n.ndim) if w.n.shape[k] > 2]
    for count in (1, 2):
        for axes in itertools.combinations(long, count):
            for by in itertools.product((-3, -2, -1, 1, 2, 3), repeat=count):
                if all(abs(s) <= w.n.shape[k] - 2 for s, k in zip(by, axes, strict=True)) and _is_shifted(w, axes, by):
                    steps = ", ".join(f"{s} along axis {k}" for s, k in zip(by, axes, strict=True))
                    why = "a crop (or slice) at the wrong offset: padding cut off at the wrong end, an index off by one"
                    return Explanation("shifted", f"{w.line} is the right gradient shifted by {steps}", why)
    return None


def _is_shifted(w: Wrong, axes: tuple[int, ...], by: tuple[int, ...]) -> bool:
    there, here = [slice(None)] * w.n.ndim, [slice(None)] * w.n.ndim
    for s, k in zip(by, axes, strict=True):
        there[k] = slice(max(s, 0), w.n.shape[k] + min(s, 0))
        here[k] = slice(max(-s, 0), w.n.shape[k] + min(-s, 0))
    part, right = w.a[tuple(there)], w.n[tuple(here)]
    same = bool((xp.abs(part - right) <= SAME * w.largest).all())
    return same and right.size >= 6 and bool((right != 0).any())


def same_numbers(w: Wrong) -> Explanation | None:
    """Sorted, they are the same: a permutation that no simple rearrangement gives."""
    if w.x.size < 4 or not bool(w.usable.all()):
        return None
    a, n = xp.sort(w.a.ravel()), xp.sort(w.n.ravel())
    distinct = int((xp.diff(n) > SAME * w.largest).sum())
    if distinct >= 3 and bool((xp.abs(a - n) <= SAME * w.largest).all()):
        evidence = f"{w.line} holds exactly the right numbers, in another order"
        return Explanation("misplaced", evidence, "an index, a permutation or a reshape applied the wrong way round")
    return None
