"""The wrong gradient is the right one times something: one number, or a tensor that is known."""

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.explanations.wrong import Explanation, Wrong, constant
from minigen.check.numbers import Elsewhere, cause, named
from minigen.check.shrink import dimensions, settings


def all_zero(w: Wrong) -> Explanation | None:
    """The path is detached: zeros where there is a slope."""
    if w.scale and not bool((w.a != 0).any()):
        evidence = f"{w.line} is 0 everywhere, and the slope is not (up to {w.largest:.3g})"
        return Explanation("zero", evidence, "a detached path, or a buffer of zeros that was never filled")
    return None


def constant_ratio(w: Wrong) -> Explanation | None:
    """Every entry is off by the same factor; what number is it?"""
    r = _factor(w)
    if r is None:
        return None
    number = named(r, w.case, elsewhere(w))
    if number is None:
        return None
    if r == -1 or number.text == "-1":
        evidence = f"{w.line} has the right size and the wrong sign, everywhere"
    else:
        larger = abs(r) > 1
        size = f"{abs(r) if larger else 1 / abs(r):.6g} times too {'large' if larger else 'small'}"
        sign = ", and of the wrong sign" if r < 0 else ""
        told = number.explained
        evidence = f"{w.line} is {size}{sign}: a factor of {number.text} everywhere" + (f", and {told}" if told else "")
    return Explanation("constant ratio", evidence, cause(number))


def unnamed_ratio(w: Wrong) -> Explanation | None:
    """Every entry is off by the same factor, which no size or setting gives."""
    r = _factor(w)
    if r is None or int((~xp.isnan(w.ratio)).sum()) < 3:
        return None
    evidence = f"{w.line} is {r:.6g} times what it should be, everywhere"
    return Explanation("constant ratio", evidence, "a constant factor wrong; no size and no setting gives this number")


def _factor(w: Wrong) -> float | None:
    r = constant(w.ratio) if w.vanishes_alike else None
    return None if r is None or r == 0 or abs(r - 1) < 1e-4 else r


def elsewhere(w: Wrong) -> Elsewhere:
    """The factor in other configurations: each dimension one shorter, each number among the settings changed."""
    found = []
    for variant in neighbours(w.case):
        if w.name in variant.gradients:
            r = factor_in(variant, w.name)
            if r is not None:
                found.append((variant, r))
    return found


def neighbours(case: Case) -> list[Case]:
    """The case with one dimension or one setting changed a little, for each of them."""
    if "neighbours" not in case.memo:
        variants = [d.resized(case, d.length - 1 if d.length > 2 else 1) for d in dimensions(case)]
        for s in settings(case):
            if type(s.value) is float and s.value:
                variants.append(case.variant(*s.changed(case, s.value * 0.8)))
            elif type(s.value) is int and s.value > 1 and s.name != "axis":
                variants += [
                    case.variant(*s.changed(case, s.value + 1)),
                    case.variant(*s.changed(case, s.value - 1)),
                ]
        case.memo["neighbours"] = [v for v in variants if v is not None]
    return case.memo["neighbours"]


def factor_in(case: Case, name: str) -> float | None:
    """The constant factor of a gradient in another configuration, from a few entries; None where it is not constant."""
    a = case.gradients[name].ravel()
    if not a.size or float(xp.abs(a).max()) == 0:
        return None
    few = [int(i) for i in xp.argsort(-xp.abs(a))[:3]]
    n = case.slopes_at(name, few).gradient.ravel()
    n = xp.stack([n[i] for i in few])
    a = xp.stack([a[i] for i in few])
    if bool((n == 0).any()):
        return None
    return constant(a / n, 1e-5)
