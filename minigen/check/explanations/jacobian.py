"""The Jacobian that the learner's backward amounts to, beside the measured one: what does not belong, what is weighted.

A row is an output entry, a column an entry of the input.
"""

import math

from minigen.backend import xp
from minigen.check.explanations.contributions import by_axes, output_shapes, role_of
from minigen.check.explanations.wrong import Explanation, Wrong, constant
from minigen.check.tensors import NICE, functions_of, known, told_factor


def foreign_contributions(w: Wrong) -> Explanation | None:
    """The learner's Jacobian has entries where an input does not touch an output at all: a sum over the wrong axis."""
    case = w.case
    if not case.small(w.name) or not w.x.ndim:
        return None
    J, L = case.jacobian(w.name), case.learned_jacobian(w.name)
    top = max(float(xp.abs(J).max()), float(xp.abs(L).max()))
    there, learned = xp.abs(J) > 1e-7 * top, xp.abs(L) > 1e-7 * top
    foreign = learned & ~there
    if not bool(foreign.any()):
        return None
    if int((foreign & learned).sum()) == int(learned.sum()) and not bool((there & learned).any()):
        pieces = "none of its contributions belongs there"
        own = there.any(axis=0) & learned.any(axis=0)
        if not bool(own.any()) and there.shape[0] == there.shape[1]:
            evidence = f"{w.line} is 0 wherever it should not be, and the reverse"
            return Explanation("inverted mask", evidence, "the mask inverted")
        return Explanation(
            "misplaced",
            f"{w.line} goes to the wrong entries: {pieces}",
            "an index, an offset or a mask that selects the wrong places",
        )
    shape = output_shapes(w)[0]
    size = math.prod(shape)
    for i in range(len(shape)):
        for j in range(w.x.ndim):
            n = shape[i]
            if n < 2 or w.x.shape[j] != n:
                continue
            t, l = by_axes(there[:size], shape, w.x.shape, i, j), by_axes(learned[:size], shape, w.x.shape, i, j)
            apart = xp.arange(n)[:, None] - xp.arange(n)[None, :]
            apart_there, apart_learned = bool((t & (apart != 0)).any()), bool((l & (apart != 0)).any())
            what = "sample (row) n" if i == 0 else f"place n along axis {i}"
            if apart_learned and not apart_there:
                evidence = (
                    f"{w.line} mixes what forward keeps apart: {what} of the output sends gradient to other places "
                    f"than n along axis {j} of {w.name}"
                )
                others = [a for a in range(w.x.ndim) if a != j and w.x.shape[a] > 1]
                right = f" where it belongs over axis {others[-1]}" if others else ""
                return Explanation(
                    "wrong axis",
                    evidence,
                    f"a sum (or mean, or softmax) over the wrong axis: over axis {j}{right}, or over too many",
                )
            if apart_there and not bool((t & (apart < 0)).any()) and bool((l & (apart < 0)).any()):
                evidence = (
                    f"forward passes along axis {j} from earlier to later places; {w.line} passes gradients the same "
                    "way, where they have to go back"
                )
                return Explanation(
                    "reversed time",
                    evidence,
                    "a loop that runs forward in time (range for reversed(range)): the carry goes the wrong way",
                )
    return None


def weighted_outputs(w: Wrong) -> Explanation | None:
    """Each output's contribution is right but for a weight: by place, or a function of the output."""
    case = w.case
    shapes = output_shapes(w)
    if not case.small(w.name) or len(shapes) != 1 or case.outputs[0].size < 3:
        return None
    J, L = case.jacobian(w.name), case.learned_jacobian(w.name)
    telling = xp.abs(J) > 1e-5 * float(xp.abs(J).max())
    if bool((xp.abs(L) > 1e-7 * float(xp.abs(L).max()))[xp.abs(J) <= 1e-9 * float(xp.abs(J).max())].any()):
        return None
    ratio = xp.where(telling, L / xp.where(telling, J, 1.0), 0.0)
    count = telling.sum(axis=1)
    weights = ratio.sum(axis=1) / xp.maximum(count, 1)
    off = xp.abs(ratio - weights[:, None]) * telling
    if bool((off > 1e-5 * float(xp.abs(weights).max())).any()) or int((count > 0).sum()) < 3:
        return None
    known_rows = count > 0
    if constant(weights[known_rows]) is not None:
        return None
    for name, text, t in functions_of(known(case, shapes[0])):
        u = t.ravel()[known_rows]
        if name == "dy" or not bool(xp.isfinite(u).all()) or not bool((u != 0).all()):
            continue
        c = constant(weights[known_rows] / u)
        if c is not None and min(abs(c - k) for k in NICE) < 1e-5:
            text, why = told_factor(c, text)
            evidence = f"In {w.line}, what comes from each output is {text} times what it should be"
            return Explanation("weighted outputs", evidence, f"{why} (in the step that is last in forward)")
    by_place = weights.reshape(shapes[0])
    for axis in range(by_place.ndim):
        others = tuple(i for i in range(by_place.ndim) if i != axis)
        mean = by_place.mean(axis=others, keepdims=True)
        if bool(known_rows.all()) and bool((xp.abs(by_place - mean) <= 1e-5 * float(xp.abs(weights).max())).all()):
            shown = ", ".join(f"{float(v):.4g}" for v in mean.ravel()[:6])
            places = f"the places of axis {axis} of the output{role_of(axis, shapes[0])}"
            evidence = f"In {w.line}, what comes from {places} is weighted with {shown}, wants 1 each"
            return Explanation(
                "weighted outputs",
                evidence,
                f"a factor that changes along axis {axis}: a carry or a scale multiplied in too often, or too seldom",
            )
    return None
