"""An elementwise op with a wrong derivative: the slope that the learner used beside the one measured, as formulas."""

from typing import Any

from minigen.backend import xp
from minigen.check.explanations.formula import Formula, equal, formulas
from minigen.check.explanations.location import where_wrong
from minigen.check.explanations.wrong import Explanation, Wrong, constant
from minigen.check.tensors import FUNCTIONS, NICE, known


def derivative_ratio(w: Wrong) -> Explanation | None:
    """An elementwise op: the slope that the learner used, beside the one measured, where that names the mistake."""
    slopes = _slopes(w)
    if slopes is None:
        return None
    used, right, told = slopes
    meant = next(formulas(right, told), None)
    name = f" ({meant.text})" if meant else ""
    if equal(used, xp.ones_like(used)):
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
    if equal(used, right * right):
        evidence = f"{w.line} / dy is the square of the slope{name}"
        return Explanation("derivative", evidence, f"the derivative (or factor){name} applied twice")
    said = next(formulas(used, told), None)
    if equal(used, 1 / right):
        evidence = f"{w.line} / dy is 1 / slope" + (f", {said.text} for {meant.text}" if said and meant else "")
        why = "a division by the derivative where it is to be multiplied in (the inverse)"
        return Explanation("derivative", evidence, why)
    if bool(((right == 0) | (xp.abs(right - 1) < 1e-6)).all()) and equal(used, 1 - right):
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
    said = next(formulas(used, told), None)
    if said is None:
        return None
    evidence = _compared(w, said, None, used, right)
    return Explanation("derivative", evidence, f"a wrong formula for the derivative ({said.text})")


def _compared(w: Wrong, said: Formula, meant: Formula | None, used: Any, right: Any) -> str:
    other = meant.text if meant else f"another ({_few(right)} where {_few(used)} was used)"
    return f"{w.line} / dy is {said.text}, where the slope is {other}"


def _why(w: Wrong, said: Formula, meant: Formula | None, used: Any, right: Any, told: Any) -> str | None:
    """What the two formulas, side by side, are consistent with."""
    values, x = dict(told), w.name
    if said.sources == {x} and "y" in values and equal(said.of({x: values["y"]}), right):
        return f"the derivative written for the output ({_in(said, x, 'y')}) but given the input {x}"
    if said.sources == {"y"} and equal(said.of({"y": values[x]}), right):
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


def _few(values: Any) -> str:
    return ", ".join(f"{float(v):.4g}" for v in values[:2])
