"""How one step of a watched forward is changed: left out, of another sign, without its derivative, by a wrong operand.

A Site is a place in the source; a Change replaces the results of its calls so that what passes through one operand is
altered, to first order, and says in words what that stands for.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minigen.backend import xp
from minigen.check.calls import Call, Replace

REDUCTIONS = ("sum", "mean", "var", "std", "max", "min", "prod", "norm", "amax", "amin")
EXTREMES = ("max", "min", "amax", "amin")
Slope = Callable[[Call, int], Any]  # (call, operand) -> what the change of the operand is multiplied by


@dataclass(frozen=True)
class Site:
    """One place in the source, and the calls made there (several in a loop); `operand` is one that moves."""

    calls: tuple[Call, ...]
    operand: int
    alone: bool  # whether it is the only operand that moves

    @property
    def first(self) -> Call:
        return self.calls[0]

    @property
    def is_reduction(self) -> bool:
        return self.first.name in REDUCTIONS

    @property
    def passes_unchanged(self) -> bool:
        return self.first.name in ("add", "subtract", "negative", "positive")

    def only(self, calls: tuple[Call, ...]) -> "Site":
        return Site(calls, self.operand, self.alone)

    def text(self, k: int | None = None) -> str:
        """The source text of an operand, quoted."""
        return f"`{_operand(self.first.text, self.operand if k is None else k)}`"

    def path(self) -> str:
        """The path, for "the path through ..."."""
        where = self.first.where()
        return where if self.alone else f"{self.text()} in {where}"


@dataclass(frozen=True)
class Change:
    """A forward with something changed: what, and what it is consistent with."""

    what: str  # follows "is the gradient that is left when"
    why: str  # follows "Consistent with"
    replace: dict[int, Replace]
    keep: frozenset[int] = frozenset()  # calls whose results `replace` reads


# ----------------------------------------------------------------------------------------- how a result is replaced


def each(site: Site, replace: Callable[..., Any]) -> dict[int, Replace]:
    """The same replacement at every call of a site; `replace` is told which pass it is."""

    def at(i: int) -> Replace:
        return lambda call, operands, result, results: replace(call, operands, result, i)

    return {call.number: at(i) for i, call in enumerate(site.calls)}


def _through(call: Call, operands: list[Any], p: int) -> Any:
    """By how much the result moves because operand p did."""
    given = [o if i == p else was for i, (o, was) in enumerate(zip(operands, call.operands, strict=True))]
    return call.function(*given, **call.keywords) - call.result


def weighted(site: Site, m: float) -> dict[int, Replace]:
    """What passes through the operand counts m times."""
    p = site.operand
    return each(site, lambda call, operands, result, i: result + (m - 1) * _through(call, operands, p))


def with_slope(site: Site, slope: Slope) -> dict[int, Replace]:
    """What passes through the operand is multiplied by this slope, not by the call's own."""
    p = site.operand

    def replace(call: Call, operands: list[Any], result: Any, i: int) -> Any:
        return result - _through(call, operands, p) + slope(call, p) * (operands[p] - call.operands[p])

    return each(site, replace)


def with_operand(site: Site, pick: Callable[[Call, int], Any]) -> dict[int, Replace]:
    """The change of one factor of a product is multiplied with another tensor than the other factor."""
    p, other = site.operand, 1 - site.operand

    def replace(call: Call, operands: list[Any], result: Any, i: int) -> Any:
        given: list[Any] = [None, None]
        given[other], given[p] = pick(call, i), operands[p]
        moved = call.function(*given)
        given[p] = call.operands[p]
        return result - _through(call, operands, p) + moved - call.function(*given)

    return each(site, replace)


def like_a_sum(site: Site) -> dict[int, Replace]:
    """A maximum that passes the change of every entry."""
    p = site.operand

    def replace(call: Call, operands: list[Any], result: Any, i: int) -> Any:
        axes = {key: v for key, v in call.keywords.items() if key in ("axis", "keepdims")}
        return call.result + (operands[p] - call.operands[p]).sum(**axes)

    return each(site, replace)


def one_of_a_sum(site: Site, which: int) -> dict[int, Replace]:
    """A sum along an axis that passes the change of its first or last entry only."""
    p = site.operand

    def replace(call: Call, operands: list[Any], result: Any, i: int) -> Any:
        moved, axis = operands[p] - call.operands[p], axis_of(call)
        only = xp.zeros_like(moved)
        index = (slice(None),) * (axis % moved.ndim) + (which,)
        only[index] = moved[index]
        given = [call.operands[k] + only if k == p else o for k, o in enumerate(call.operands)]
        return result - _through(call, operands, p) + call.function(*given, **call.keywords) - call.result

    return each(site, replace)


def axis_of(call: Call) -> Any:
    """The axis of a reduction, if it is one number."""
    axis = call.keywords.get("axis", call.operands[1] if len(call.operands) > 1 else None)
    return axis if isinstance(axis, int) else None


def from_point(pairs: Any, slope: Callable[[Any], Any]) -> dict[int, Replace]:
    """For each (r, q): the result r as it was, moved by what the earlier result q moved, times a slope."""

    def at(q: Call) -> Replace:
        return lambda call, operands, result, results: call.result + slope(call.result) * (results[q.number] - q.result)

    return {r.number: at(q) for r, q in pairs}


def summed_from_point(pairs: Any, axis: int) -> dict[int, Replace]:
    """For each (r, q): the result r as it was, moved by the plain sum of what q moved along an axis."""

    def at(q: Call) -> Replace:
        return lambda call, operands, result, results: (
            call.result + (results[q.number] - q.result).sum(axis=axis).reshape(call.result.shape)
        )

    return {r.number: at(q) for r, q in pairs}


# ------------------------------------------------------------------------------------------------ wrong derivatives


def slope_of(call: Call, p: int, at: Any = None) -> Any:
    """The derivative of an elementwise call in operand p, at what it was given (or elsewhere)."""
    given = list(call.operands)
    u = given[p] if at is None else at
    h = 1e-5 * xp.maximum(1.0, xp.abs(u))
    given[p] = u + h
    above = call.function(*given, **call.keywords)
    given[p] = u - h
    return (above - call.function(*given, **call.keywords)) / (2 * h)


WRITTEN_IN_OUTPUT: dict[str, Callable[[Any], Any]] = {
    "y (1 - y)": lambda t: t * (1 - t),
    "1 - y^2": lambda t: 1 - t * t,
    "y": lambda t: t,
    "1 / (2 y)": lambda t: 0.5 / t,
}


TAKEN_FOR_IT: dict[str, Callable[[Any, Any], Any]] = {
    "its result": lambda u, y: y,
    "minus its result": lambda u, y: -y,
    "{u}": lambda u, y: u,
    "1 - its result": lambda u, y: 1 - y,
    "1 - its result^2": lambda u, y: 1 - y * y,
    "its result (1 - its result)": lambda u, y: y * (1 - y),
    "1 / its result": lambda u, y: 1 / y,
    "exp({u})": lambda u, y: xp.exp(u),
    "cos({u})": lambda u, y: xp.cos(u),
    "sin({u})": lambda u, y: xp.sin(u),
}


def wrong_slopes(site: Site) -> Iterator[tuple[str, str, Slope]]:
    """(what the derivative is, why, the slope) for wrong derivatives of an elementwise call."""
    p, call = site.operand, site.first
    s, name = slope_of(call, p), site.text()
    if bool(((xp.abs(s) < 1e-6) | (xp.abs(s - 1) < 1e-6)).all()):
        yield "1 where it should be 0, and the reverse", "the mask inverted", lambda call, p: 1 - slope_of(call, p)
        return
    if len(call.operands) == 1:
        for formula, f in TAKEN_FOR_IT.items():
            told = formula.format(u=name)
            why = f"a wrong derivative of {call.where()}: {told} taken for {call.name}'"
            yield told, why, _of_operand_and_result(f)
    yield "squared", "the derivative (or factor) applied twice", lambda call, p: slope_of(call, p) ** 2
    for formula, g in WRITTEN_IN_OUTPUT.items():
        if s.shape == call.result.shape and bool((xp.abs(g(call.result) - s) < 1e-6).all()):
            why = f"the derivative written for the output ({formula}) but given the input (pre-activation)"
            yield f"{formula} with the input for the output", why, _of_operand(g)
    if site.alone:
        why = "the derivative evaluated at the output y instead of the input (pre-activation)"
        yield "taken at the output", why, lambda call, p: slope_of(call, p, call.result)
    why = f"a factor {name} too many (an exponent not lowered by one)"
    yield f"multiplied by {name} once too often", why, lambda call, p: slope_of(call, p) * call.operands[p]
    why = f"a factor {name} left out (an exponent one too low)"
    yield f"divided by {name}", why, lambda call, p: slope_of(call, p) / call.operands[p]
    if len(call.operands) == 2 and isinstance(call.operands[1 - p], xp.ndarray):
        yield from _by_the_other_operand(name, site.text(1 - p))
    why = "the result of this step multiplied in once too often"
    yield "multiplied by the result", why, lambda call, p: slope_of(call, p) * call.result
    why = "a factor left out: the result of this step"
    yield "divided by the result", why, lambda call, p: slope_of(call, p) / call.result
    why = "a division by the derivative for a multiplication (the inverse)"
    yield "1 / slope", why, lambda call, p: 1 / slope_of(call, p)


def _by_the_other_operand(name: str, factor: str) -> Iterator[tuple[str, str, Slope]]:
    why = f"a factor {factor} too many, or a division by it left out (not squared)"
    yield f"multiplied by {factor} once too often", why, lambda call, p: slope_of(call, p) * call.operands[1 - p]
    why = f"a factor {factor} left out"
    yield f"divided by {factor}", why, lambda call, p: slope_of(call, p) / call.operands[1 - p]
    why = f"{name} multiplied where {factor} belongs (the product's own operand)"
    yield f"{name} itself", why, lambda call, p: call.operands[p]
    why = f"a division by {factor} for a multiplication"
    yield f"divided by {factor} twice", why, lambda call, p: slope_of(call, p) / call.operands[1 - p] ** 2


def _of_operand(f: Callable[[Any], Any]) -> Slope:
    return lambda call, p: f(call.operands[p])


def _of_operand_and_result(f: Callable[[Any, Any], Any]) -> Slope:
    return lambda call, p: f(call.operands[p], call.result)


Composite = tuple[str, str, Callable[[Any], Any]]  # what the step does, why, its slope as a function of its result r
COMPOSITE: list[Composite] = [
    (
        "passes with slope 1",
        "the derivative of this step left out: the gradient passes as if the step were not there",
        lambda r: 1.0,
    ),
    ("passes with slope r (1 - r)", "a wrong derivative of this step: r (1 - r), a sigmoid's", lambda r: r * (1 - r)),
    ("passes with slope 1 - r^2", "a wrong derivative of this step: 1 - r^2, a tanh's", lambda r: 1 - r * r),
    ("passes with slope r, its result", "the derivative of this step incomplete: its result alone", lambda r: r),
    (
        "passes with slope 1 - r, r its result",
        "a wrong derivative of this step: 1 - r (a square, or a factor r, missing)",
        lambda r: 1 - r,
    ),
    (
        "passes with slope r^2 (1 - r)^2",
        "the derivative of this step (a sigmoid's) applied twice",
        lambda r: (r * (1 - r)) ** 2,
    ),
]
SOFTMAX: list[Composite] = [
    (
        "is taken entry by entry, with p (1 - p)",
        "p (1 - p) taken for the whole Jacobian of the softmax: the diagonal only, the cross terms (the sum) left out",
        lambda p: p * (1 - p),
    ),
    (
        "passes with slope 1",
        "the derivative of the softmax left out: the gradient passes as if it were not there",
        lambda p: 1.0,
    ),
    ("passes with slope p", "the sum term of the softmax left out: p dy for p (dy - sum(dy p))", lambda p: p),
]


# ------------------------------------------------------------------------------------------------------------ words


def left_out(site: Site) -> str:
    """What it is consistent with that a path is left out."""
    call = site.first
    loop = ": what is carried from one pass (time step) to the next" if len(site.calls) > 1 and not site.alone else ""
    if site.is_reduction and site.alone:
        return f"{call.where()} taken as a constant: the {call.name} term of the gradient left out{loop}"
    if site.alone:
        return f"{call.where()} taken as a constant: this path of the gradient left out{loop}"
    why = "a path (a term of the sum or product rule) left out"
    return f"{site.text()} in {call.where()} taken as a constant: {why}{loop}"


def slope_left_out(site: Site) -> Change:
    """A derivative or a factor left out: the change passes as it came."""
    call, replace = site.first, with_slope(site, lambda call, p: 1.0)
    where = call.where()
    if call.name in ("multiply", "divide", "true_divide") and len(call.operands) == 2:
        verb = "factor" if call.name == "multiply" else "division by"
        why = f"the {verb} {site.text(1 - site.operand)} left out in the gradient of {where}"
        return Change(f"{where} passes {site.text()} unchanged", why, replace)
    if call.name in ("maximum", "minimum", "clip", "where", "absolute", "fabs"):
        why = f"the mask left out: the gradient passes also where {where} is flat (or has another slope)"
        return Change(f"{where} passes everything", why, replace)
    why = f"the derivative of {where} ({call.name}') left out: the gradient passes as if the step were not there"
    return Change(f"{where} passes with slope 1", why, replace)


def _operand(text: str, k: int) -> str:
    """The text of operand k of an expression."""
    try:
        node: Any = ast.parse(text, mode="eval").body
        parts: list[Any] = []
        if isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            parts = [node.operand]
        elif isinstance(node, ast.Call):
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            is_module = isinstance(owner, ast.Name) and owner.id in ("np", "xp", "numpy", "cp", "mg")
            parts = [*([] if owner is None or is_module else [owner]), *node.args]
        return ast.get_source_segment(text, parts[k]) or f"operand {k + 1}"
    except (SyntaxError, IndexError, ValueError):
        return f"operand {k + 1}"
