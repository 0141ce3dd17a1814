"""Contributions that are lost: every entry of the learner's Jacobian is right or 0. Which are missing tells why.

A row of the Jacobian is an output entry, a column an entry of the input.
"""

import itertools
import math
from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import Explanation, Wrong
from minigen.check.subject import is_index


def lost_contributions(w: Wrong) -> Explanation | None:
    """Every entry of the learner's Jacobian is right or 0: some contributions are lost. Which?"""
    lost = _lost(w)
    if lost is None:
        return None
    how, there, kept = lost
    for find in (_diagonal, _repeated, _whole_outputs, _blocks, _overwritten, _whole_inputs):
        found = find(w, there, kept)
        if found:
            return Explanation("lost contributions", f"{how}. {found[0]}", found[1])
    return None


def some_lost(w: Wrong) -> Explanation | None:
    """The same, where nothing can be said of which."""
    lost = _lost(w)
    why = "contributions left out of a sum: overwritten (= for +=), masked, or skipped by an index"
    return Explanation("lost contributions", lost[0], why) if lost else None


def _lost(w: Wrong) -> Any:
    """(in words, which contributions there are, which the learner has) if all that the learner has are right."""
    if not w.case.small(w.name):
        return None
    J, L = w.case.jacobian(w.name), w.case.learned_jacobian(w.name)
    top = float(xp.abs(J).max())
    there, kept = xp.abs(J) > 1e-7 * top, xp.abs(L) > 1e-7 * top
    if bool((kept & ~there).any()) or not bool((there & ~kept).any()) or not bool(kept.any()):
        return None
    if bool((xp.abs(L - J) * kept > 1e-5 * top).any()) or not bool(
        (there.sum(axis=0) + there.sum(axis=1).max() > 2).any()
    ):
        return None
    lost, of = int((there & ~kept).sum()), int(there.sum())
    how = f"{w.line} lacks {lost} of {of} contributions (entries of the Jacobian); the others are right"
    return how, there, kept


def _diagonal(w: Wrong, there: Any, kept: Any) -> tuple[str, str] | None:
    """An output that depends on several inputs sends its gradient only to its own."""
    if there.shape[0] != there.shape[1]:
        return None
    eye = xp.eye(len(there)) > 0
    if bool((kept == (there & eye)).all()):
        told = "Only the diagonal is there: each output sends its gradient to its own input, and to no other"
        return told, "the diagonal only: the sum term (the cross terms of the Jacobian, as in a softmax) left out"
    return None


def output_shapes(w: Wrong) -> list[tuple[int, ...]]:
    return [y.shape for y, f in zip(w.case.outputs, w.case.floats, strict=True) if f]


def _whole_outputs(w: Wrong, there: Any, kept: Any) -> tuple[str, str] | None:
    """All contributions of some outputs are lost: along one axis, only some places count."""
    shapes = output_shapes(w)
    speaks, heard = there.any(axis=1), kept.any(axis=1)
    whole = bool((kept == (there & heard[:, None])).all())
    if not whole or bool((heard == speaks).all()):
        return None
    start = 0
    for k, shape in enumerate(shapes):
        size = math.prod(shape)
        s, h = speaks[start : start + size].reshape(shape), heard[start : start + size].reshape(shape)
        start += size
        output = "the output" if len(shapes) == 1 else f"output {k}"
        if bool((s == h).all()):
            continue
        if not bool(h.any()):
            return (
                f"The upstream gradient of {output} is not used",
                f"the upstream gradient of one output ({output}) forgotten",
            )
        found = _places(w, s, h, output)
        if found:
            return found
    return _overwritten(w, there, kept)


def _places(w: Wrong, speaks: Any, heard: Any, output: str) -> tuple[str, str] | None:
    """The outputs that count, where they are certain places along one axis or several."""
    shape, flags, said, overwrites, spaced = speaks.shape, speaks, [], True, False
    for axis in range(len(shape)):
        others = tuple(i for i in range(len(shape)) if i != axis)
        s, h = speaks.any(axis=others), heard.any(axis=others)
        if not bool((s == h).all()):
            flags = flags & _along(h, axis, len(shape))
            places = [int(i) for i in xp.nonzero(h)[0]]
            said.append(f"{_which(places, shape[axis])} of {shape[axis]} along axis {axis}{role_of(axis, shape)}")
            overwrites = overwrites and places in ([0], [shape[axis] - 1])
            spaced = len(places) > 1 and len({b - a for a, b in itertools.pairwise(places)} - {1}) == 1
    if not said or not bool((flags == heard).all()):
        return None
    which = " and ".join(said)
    if overwrites:
        why = (
            "= where += belongs in a loop, so that each pass overwrites the one before, or the upstream gradient used "
            "at one place only"
        )
    elif spaced:
        why = "one copy of several taken: the sum over the others left out"
    else:
        why = "a loop that stops too early, or a slice too short"
    return f"Of {output}, only {which} count", f"{why} (only {which} reaches {w.name})"


def _along(flags: Any, axis: int, ndim: int) -> Any:
    shape = [1] * ndim
    shape[axis] = len(flags)
    return flags.reshape(shape)


def _which(places: list[int], n: int) -> str:
    if places == [n - 1]:
        return "the last"
    if places == [0]:
        return "the first"
    if places == list(range(places[0], n)):
        return f"the last {len(places)}"
    if places == list(range(len(places))):
        return f"the first {len(places)}"
    return f"{len(places)} ({', '.join(map(str, places[:6]))})"


def role_of(axis: int, shape: tuple[int, ...]) -> str:
    if axis == 0 and len(shape) > 1:
        return " (the batch)"
    if axis == 1 and len(shape) == 3:
        return " (the time steps)"
    return ""


def _blocks(w: Wrong, there: Any, kept: Any) -> tuple[str, str] | None:
    """Along an axis that input and output share: only the block diagonal, or a band of it: no carry, or truncated."""
    shapes = output_shapes(w)
    shape, x_shape = shapes[0], w.x.shape
    size = math.prod(shape)
    T, K = there[:size], kept[:size]
    for i in range(len(shape)):
        for j in range(len(x_shape)):
            n = shape[i]
            if n < 2 or x_shape[j] != n:
                continue
            t = by_axes(T, shape, x_shape, i, j)
            k = by_axes(K, shape, x_shape, i, j)
            apart = xp.arange(n)[:, None] - xp.arange(n)[None, :]
            if bool((t == k).all()) or not bool(((T & _spread(k, shape, x_shape, i, j)) == K).all()):
                continue
            reach = int(xp.abs(apart[k]).max()) if bool(k.any()) else -1
            causal = not bool((t & (apart < 0)).any())
            role = " (the time steps)" if causal else ""
            if reach == 0:
                told = f"Place t of axis {i} of the output{role} sends its gradient to place t of {w.name} only"
                if not causal:
                    return told, f"the contributions across axis {j} of {w.name} (a sum, a coupling term) left out"
                back = "what comes back from the next time step is not added (no backpropagation through time)"
                return told, f"the carry left out: {back}"
            if causal and bool((k == (t & (apart <= reach))).all()):
                told = f"The gradient goes back {reach} of {n - 1} steps along axis {j}{role}"
                return told, f"backpropagation through time truncated to {reach} step(s): the carry stops too early"
            if causal:
                told = f"The gradient reaches back along axis {j}{role} from some places only, and not from others"
                return told, "backpropagation through time truncated: the carry is dropped at some time steps"
            only_last = not bool(k[: n - 1].any()) and bool((k[n - 1] == t[n - 1]).all())
            if only_last:
                return (
                    f"Only the last place of axis {i} of the output{role} sends any",
                    "the upstream gradient used at the last time step only",
                )
    return None


def by_axes(T: Any, shape: Any, x_shape: Any, i: int, j: int) -> Any:
    """(places of output axis i, places of input axis j): whether anything passes between them."""
    whole = T.reshape(*shape, *x_shape)
    others = tuple(a for a in range(whole.ndim) if a not in (i, len(shape) + j))
    return whole.any(axis=others)


def _spread(k: Any, shape: Any, x_shape: Any, i: int, j: int) -> Any:
    full = [1] * (len(shape) + len(x_shape))
    full[i], full[len(shape) + j] = k.shape
    wide = xp.broadcast_to(k.reshape(full), (*shape, *x_shape))
    return wide.reshape(math.prod(shape), -1)


def _overwritten(w: Wrong, there: Any, kept: Any) -> tuple[str, str] | None:
    """Where several outputs share an input entry, only the last (or first) one's gradient arrives."""
    shared = there.sum(axis=0) > 1
    single = ~shared
    if not bool((there[:, single] == kept[:, single]).all()) or not bool(shared.any()):
        return None
    order = xp.arange(len(there))[:, None]
    last = xp.where(kept, order, -1).max(axis=0)
    last_there = xp.where(there, order, -1).max(axis=0)
    lossy = (there & ~kept).any(axis=0)
    if bool((last == last_there)[lossy].all()) or bool(
        (xp.where(kept, order, len(there)).min(axis=0) == xp.where(there, order, len(there)).min(axis=0))[lossy].all()
    ):
        told = (
            f"The lost ones belong to entries of {w.name} that several outputs (overlapping windows, repeated uses) "
            "share: only one of them arrives"
        )
        return (
            told,
            "= where += belongs: each overlapping window (or repeated index) overwrites what the one before has added",
        )
    return None


def _repeated(w: Wrong, there: Any, kept: Any) -> tuple[str, str] | None:
    """The same where an index array says which output reads which entry."""
    ids = _repeated_ids(w, there)
    if not ids or not _overwritten(w, there, kept):
        return None
    told = f"The lost ones belong to entries of {w.name} that are used more than once{ids}"
    return told, "= where += belongs at repeated indices: the last one overwrites the others (use np.add.at)"


def _repeated_ids(w: Wrong, there: Any) -> str:
    """The name of an index array that says which outputs read which row, some more than once."""
    for name, z in zip(w.case.names, w.case.inputs, strict=True):
        if is_index(z) and w.x.ndim and z.size and int(z.min()) >= 0 and int(z.max()) < len(w.x):
            count = xp.zeros(len(w.x))
            xp.add.at(count, z.ravel(), 1.0)
            uses = there.sum(axis=0).reshape(len(w.x), -1).max(axis=1)
            if bool((uses == count * (uses.max() / count.max())).all()) and bool((count > 1).any()):
                return f" (repeated ids in {name})"
    return ""


def _whole_inputs(w: Wrong, there: Any, kept: Any) -> tuple[str, str] | None:
    """Some entries of the input get nothing at all."""
    lost = (there.any(axis=0) & ~kept.any(axis=0)).reshape(w.x.shape)
    right = ~(there & ~kept).any(axis=0).reshape(w.x.shape)
    if not bool((lost | right).all()) or not w.x.ndim:
        return None
    for axis in range(w.x.ndim):
        others = tuple(i for i in range(w.x.ndim) if i != axis)
        some, every = lost.any(axis=others), lost.all(axis=others)
        if bool((some == every).all()) and not bool(every.all()):
            places = [int(i) for i in xp.nonzero(~every)[0]]
            n = w.x.shape[axis]
            told = f"Along axis {axis} of {w.name} only {_which(places, n)} of {n} get a gradient"
            return told, f"a slice or loop that reaches only part of axis {axis}"
    return None
