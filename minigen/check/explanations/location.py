"""Where it is wrong, and where it is right: a condition on the inputs, or a region of the array."""

import itertools
from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import SAME, Explanation, Wrong
from minigen.check.subject import is_float, is_index


def location(w: Wrong) -> Explanation | None:
    """Part of the entries are right; what do the wrong ones have in common?"""
    where = where_wrong(w)
    if where is None:
        return None
    phrase, why = where
    told, more = _what_is_there(w)
    evidence = (
        f"{w.line} is wrong only {phrase} ({int(w.entries.sum())} of {w.n.size} entries){told}; elsewhere it is right"
    )
    return Explanation("location", evidence, "; ".join(filter(None, [more, why])))


def where_wrong(w: Wrong) -> tuple[str, str] | None:
    """(where, what that hints at) if the wrong entries are exactly those where something holds."""
    usable = w.usable & (~w.slopes.kinks)
    wrong = w.entries
    if not bool(wrong.any()) or bool((wrong | ~usable).all()):
        return None
    alive = usable & ((w.n != 0) | (w.a != 0))  # entries that could show it
    for phrase, why, there in _conditions(w):
        shown = there & alive
        if bool((shown == wrong).all()) and not bool((shown == alive).all()):
            return phrase, why
    return None


def _conditions(w: Wrong) -> Iterator[tuple[str, str, Any]]:
    x, name = w.x, w.name
    mask = "the case of this side (a mask, a slope, a branch of where) missing or wrong"
    same = [(name, x)] + [
        (n, z)
        for n, z in zip(w.case.names, w.case.inputs, strict=True)
        if n != name and getattr(z, "shape", None) == x.shape
    ]
    same += [("y", y) for y in w.case.outputs[:1] if y.shape == x.shape]
    for n, z in same:
        if is_float(z) and bool((z < 0).any()):
            yield f"where {n} < 0", mask, z < 0
            yield f"where {n} > 0", mask, z > 0
        values = xp.unique(z)
        if values.size <= 4 and values.size < z.size:
            for v in values.tolist():
                yield f"where {n} = {v:g}", f"the term or mask for {n} = {v:g} dropped", z == v
    for label, condition in _thresholds(w):
        yield f"where {label}", "a bound, clip or branch of forward not respected in backward", condition
    for n, z in zip(w.case.names, w.case.inputs, strict=True):
        if is_index(z) and z.size and x.ndim:
            if int(z.min()) >= 0 and int(z.max()) < len(x):
                count = xp.zeros(len(x))
                xp.add.at(count, z.ravel(), 1.0)
                repeated = _along_first(count > 1, x)
                yield (
                    f"at entries whose index is repeated in {n}",
                    f"= where += belongs: repeated ids in {n} overwrite each other (use np.add.at)",
                    repeated,
                )
            if z.shape == x.shape[:-1]:
                hit = xp.arange(x.shape[-1]) == z[..., None]
                yield (
                    f"at the entry that {n} names in each row",
                    f"the one-hot of {n} (the - 1 at the label) missing or wrong",
                    hit,
                )
                yield (
                    f"at the entries that {n} does not name",
                    f"the terms of the entries that are not {n} missing",
                    ~hit,
                )
    for axis in range(x.ndim):
        n = x.shape[axis]
        if n < 2:
            continue
        at = xp.arange(n)
        rows = [
            ("at the last place", at == n - 1),
            ("at the first place", at == 0),
            ("at all but the last place", at < n - 1),
            ("at all but the first place", at > 0),
        ]
        for blocks in (2, 3, 4):
            if n % blocks == 0 and n > blocks:
                of = at // (n // blocks)
                rows += [(f"in block {b} of {blocks} (counted from 0)", of == b) for b in range(blocks)]
                if blocks > 2:
                    rows += [(f"outside block {b} of {blocks} (counted from 0)", of != b) for b in range(blocks)]
                if blocks == 4:
                    pairs = itertools.combinations(range(4), 2)
                    rows += [(f"in blocks {b} and {c} of 4 (counted from 0)", (of == b) | (of == c)) for b, c in pairs]
        rows += [("at the border", (at == 0) | (at == n - 1)), ("inside, not at the border", (at > 0) & (at < n - 1))]
        for phrase, flags in rows:
            yield (
                f"{phrase} along axis {axis} of {name}",
                _place_hint(phrase),
                xp.broadcast_to(_at_axis(flags, axis, x.ndim), x.shape),
            )
    if w.case.small(name):
        J = w.case.jacobian(name)
        uses = (xp.abs(J) > 1e-9 * float(xp.abs(J).max())).sum(axis=0).reshape(x.shape)
        yield (
            "at entries that several outputs share",
            "= where += belongs: what several outputs (overlapping windows, repeats) send is to be added up",
            uses > uses[uses > 0].min(),
        )
    if x.ndim == 2 and x.shape[0] == x.shape[1]:
        eye = xp.eye(len(x)) > 0
        yield "on the diagonal", "a diagonal term missing or wrong", eye
        yield "off the diagonal", "the terms off the diagonal missing or wrong", ~eye


def _place_hint(phrase: str) -> str:
    if "blocks" in phrase:
        return "two slices (gates) swapped, or the formula of both wrong"
    if "block" in phrase:
        return "the formula of this slice (gate) wrong: the derivative of its activation, or its factor"
    if "border" in phrase:
        return "padding or the border handled wrongly"
    return "a loop that stops one step short or starts one late, or a carry that is lost there"


def _thresholds(w: Wrong) -> Iterator[tuple[str, Any]]:
    """Splits of x by size: all wrong entries on one side of a bound."""
    x, wrong, usable = w.x, w.entries, w.usable
    for label, z in ((w.name, x), (f"|{w.name}|", xp.abs(x))):
        right_values, wrong_values = z[usable & ~wrong], z[wrong]
        if right_values.size < 2 or wrong_values.size < 2:
            continue
        if float(wrong_values.min()) > float(right_values.max()):
            yield (
                f"{label} > {0.5 * (float(wrong_values.min()) + float(right_values.max())):.3g}",
                z > float(right_values.max()),
            )
        if float(wrong_values.max()) < float(right_values.min()):
            yield (
                f"{label} < {0.5 * (float(wrong_values.max()) + float(right_values.min())):.3g}",
                z < float(right_values.min()),
            )


def _along_first(flags: Any, x: Any) -> Any:
    return xp.broadcast_to(_at_axis(flags, 0, x.ndim), x.shape)


def _at_axis(flags: Any, axis: int, ndim: int) -> Any:
    shape = [1] * ndim
    shape[axis] = len(flags)
    return flags.reshape(shape)


def _what_is_there(w: Wrong) -> tuple[str, str]:
    """What the learner's gradient is at the wrong entries, and what that means."""
    a, n = w.a[w.entries], w.n[w.entries]
    if not bool((a != 0).any()):
        return ", and is 0 there", "a contribution that is lost there"
    if not bool((xp.abs(n) > SAME * w.scale).any()):
        dy = w.case.dys[0]
        passed = dy.shape == w.a.shape and bool((a == dy[w.entries]).all())
        return (
            f", and should be 0 there{', not dy' if passed else ''}",
            "a mask left out: the gradient passes where forward is flat",
        )
    ratio = a / n
    if bool(xp.isfinite(ratio).all()) and float(xp.abs(ratio - ratio[0]).max()) < 1e-5 * abs(float(ratio[0])):
        return f", and {float(ratio[0]):.4g} times what it should be there", ""
    return "", ""
