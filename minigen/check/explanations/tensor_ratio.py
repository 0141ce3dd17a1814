"""The wrong gradient is the right one times a tensor that is known: a derivative left out, a factor gamma, an input."""

import itertools
from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.explanations.location import where_wrong
from minigen.check.explanations.wrong import Explanation, Wrong, constant
from minigen.check.tensors import FUNCTIONS, functions_of, known, told_factor

NICE = (1, -1, 2, -2, 0.5, -0.5)


def derivative_ratio(w: Wrong) -> Explanation | None:
    """An elementwise op: the slope that the learner used, beside the one measured, where that names the mistake."""
    slopes = _slopes(w)
    if slopes is None:
        return None
    used, right, told = slopes
    meant = next(_formulas(right, told), None)
    name = f" ({meant.text})" if meant else ""
    if _equal(used, xp.ones_like(used)):
        evidence = (
            f"{w.line} is dy itself: the slope used is 1 at every entry{', where it is ' + meant.text if meant else ''}"
        )
        where = where_wrong(w)
        if where is not None:
            why = f"a mask left out: dy passes unchanged also {where[0]}, where the derivative is another"
            return Explanation("derivative", evidence, why)
        factor = f", the factor {meant.text}," if meant else ""
        why = f"the derivative{factor} left out: the upstream gradient is passed on unchanged"
        return Explanation("derivative", evidence, why)
    if _equal(used, right * right):
        evidence = f"{w.line} / dy is the square of the slope{name}"
        return Explanation("derivative", evidence, f"the derivative (or factor){name} applied twice")
    said = next(_formulas(used, told), None)
    if _equal(used, 1 / right):
        evidence = f"{w.line} / dy is 1 / slope" + (f", {said.text} for {meant.text}" if said and meant else "")
        why = "a division by the derivative where it is to be multiplied in (the inverse)"
        return Explanation("derivative", evidence, why)
    if bool(((right == 0) | (xp.abs(right - 1) < 1e-6)).all()) and _equal(used, 1 - right):
        evidence = f"{w.line} is dy where it should be 0, and 0 where it should be dy"
        return Explanation("inverted mask", evidence, "the mask inverted")
    cause = _why(w, said, meant, used, right, told) if said else None
    return Explanation("derivative", _compared(w, said, meant, used, right), cause) if said and cause else None


def derivative_formula(w: Wrong) -> Explanation | None:
    """An elementwise op: a formula for the slope that the learner used, and no more."""
    slopes = _slopes(w)
    if slopes is None:
        return None
    used, right, told = slopes
    said = next(_formulas(used, told), None)
    if said is None:
        return None
    evidence = _compared(w, said, None, used, right)
    return Explanation("derivative", evidence, f"a wrong formula for the derivative ({said.text})")


def _compared(w: Wrong, said: "Formula", meant: "Formula | None", used: Any, right: Any) -> str:
    other = meant.text if meant else f"another ({_few(right)} where {_few(used)} was used)"
    return f"{w.line} / dy is {said.text}, where the slope is {other}"


class Formula:
    """A combination of at most two simple functions of known tensors."""

    def __init__(self, terms: list[tuple[float, str, str]]) -> None:
        self.terms = terms  # (factor, formula with {u}, source)

    @property
    def text(self) -> str:
        terms = sorted(self.terms, key=lambda term: term[2] != "")  # the plain number first
        parts = [_times(c, f.format(u=u) if u else "1") for c, f, u in terms]
        return " + ".join(parts).replace("+ -", "- ")

    @property
    def sources(self) -> set[str]:
        return {u for _, _, u in self.terms if u}

    def of(self, values: dict[str, Any]) -> Any:
        return sum(c * (FUNCTIONS[f](values[u]) if u else 1.0) for c, f, u in self.terms)


def _times(c: float, text: str) -> str:
    if text == "1":
        return f"{c:.4g}"
    factor = "" if c == 1 else "-" if c == -1 else f"{c:.4g} "
    return factor + (text if not factor or " " not in text else f"({text})")


def _formulas(values: Any, sources: list[tuple[str, Any]]) -> Iterator[Formula]:
    """Formulas for these values, the simplest first."""
    own = sources[:6]
    columns = [(f, u, FUNCTIONS[f](t)) for f in FUNCTIONS for u, t in own]
    columns = [(f, u, c) for f, u, c in columns if bool(xp.isfinite(c).all()) and float(xp.abs(c).max()) < 1e6]
    for f, u, column in columns:
        if bool((column != 0).all()):
            c = constant(values / column)
            if c is not None and abs(c - _nice(c)) < 1e-5 and 0.2 < abs(c) < 10:
                yield Formula([(_nice(c), f, u)])
    with_one = ("1 - {u}", "1 + {u}", "1 - {u}^2", "1 + exp({u})", "1 - exp({u})", "1 - tanh({u})^2")  # combinations
    basis = [("", "", xp.ones_like(values)), *[c for c in columns if c[0] not in with_one]]
    for (f, u, p), (g, v, q) in itertools.combinations(basis, 2):
        if u and v and u != v:
            continue
        pp, pq, qq, pv, qv = p @ p, p @ q, q @ q, p @ values, q @ values
        det = pp * qq - pq * pq
        if not abs(det) > 1e-9 * pp * qq:
            continue
        c, d = float((qq * pv - pq * qv) / det), float((pp * qv - pq * pv) / det)
        if all(min(abs(k - round(4 * k) / 4), 1) < 1e-5 and 0.2 < abs(k) < 10 for k in (c, d)) and _equal(
            values, c * p + d * q
        ):
            yield Formula([(_nice(d), g, v), (_nice(c), f, u)])


def _nice(c: float) -> float:
    return round(4 * c) / 4


def _why(w: Wrong, said: Formula, meant: Formula | None, used: Any, right: Any, told: Any) -> str | None:
    """What the two formulas, side by side, are consistent with."""
    values, x = dict(told), w.name
    if said.sources == {x} and "y" in values and _equal(_safely(said, {x: values["y"]}), right):
        return f"the derivative written for the output ({_in(said, x, 'y')}) but given the input {x}"
    if said.sources == {"y"} and _equal(_safely(said, {"y": values[x]}), right):
        return f"the derivative written for the input {x} but given the output y (evaluated at the output)"
    for name, t in told:
        for formula in ("{u}", "1 / {u}", "{u}^2", "1 / {u}^2"):
            c = constant(_divided(used, right * FUNCTIONS[formula](xp.where(t == 0, xp.nan, t))))
            if c is not None and min(abs(c - k) for k in NICE) < 1e-5:
                left_out = formula.startswith("1 / ")
                factor = formula.removeprefix("1 / ").format(u=name)
                sign = ", and a wrong sign" if c < 0 else ""
                own = meant is not None and name in meant.sources
                power = " (an exponent off by one, or a square missing)" if own else ""
                return f"a factor {factor} {'left out' if left_out else 'too many'} in the derivative{power}{sign}"
    return f"a wrong formula for the derivative: {said.text} for {meant.text}" if meant else None


def _in(formula: Formula, old: str, new: str) -> str:
    return Formula([(c, f, new if u == old else u) for c, f, u in formula.terms]).text


def _safely(formula: Formula, values: dict[str, Any]) -> Any:
    return formula.of(values)


def _divided(a: Any, b: Any) -> Any:
    return a / xp.where(b == 0, xp.nan, b)


def _slopes(w: Wrong) -> Any:
    """(slope used, slope measured, known tensors) of an op each of whose outputs depends on its own input entry."""
    case = w.case
    if len(case.outputs) != 1 or case.outputs[0].shape != w.x.shape or not case.small(w.name) or w.x.size < 4:
        return None
    J, L = case.jacobian(w.name), case.learned_jacobian(w.name)
    off = 1 - xp.eye(len(J))
    if any(float(xp.abs(M * off).max()) > 1e-8 * float(xp.abs(M).max()) for M in (J, L)):
        return None
    keep = w.usable.ravel()
    if int(keep.sum()) < 4:
        return None
    told = [(n, t.ravel()[keep]) for n, t in known(case, w.x.shape) if not n.startswith(("`", "dy"))]
    return xp.diag(L)[keep], xp.diag(J)[keep], told


def _equal(a: Any, b: Any) -> bool:
    return bool((xp.abs(a - b) <= 1e-6 * float(xp.abs(b).max())).all()) if bool(xp.isfinite(b).all()) else False


def _few(values: Any) -> str:
    return ", ".join(f"{float(v):.4g}" for v in values[:2])


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
