"""What number is it? A factor, as a size, a setting, or a simple expression of them; and what that is consistent with.

`named(7.0, case, elsewhere)` finds that 7 is the batch size, and not 5 + 2: a candidate has to predict the factor also
`elsewhere`, in the same case with each dimension and setting changed in turn.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minigen.check.case import Case
from minigen.check.shrink import dimensions, settings, symbols

Elsewhere = list[tuple[Case, float]]  # the factor in other configurations


@dataclass(frozen=True)
class Atom:
    """A number that a configuration holds, and how to read it off another one."""

    role: str  # of a dimension, or "probability", "setting", "exponent"
    label: str  # "the batch size (axis 0 of x)"
    symbol: str  # "N"
    value: float  # in the case at hand
    read: Callable[[Case], float]


@dataclass(frozen=True)
class Number:
    """A factor with a name."""

    value: float
    form: str  # "{0}", "1 / {0}", "sqrt({0})", ...
    atoms: tuple[Atom, ...]
    negative: bool

    @property
    def text(self) -> str:
        """As a formula: "1 / N"."""
        sign = "-" if self.negative else ""
        return sign + self.form.format(*[a.symbol or f"{a.value:.6g}" for a in self.atoms])

    @property
    def explained(self) -> str:
        """As a clause: "7 is the batch size (axis 0 of x)". Empty for a plain number."""
        return " and ".join(f"{a.value:.6g} is {a.label}" for a in self.atoms)


ONE: list[tuple[str, Callable[..., float]]] = [
    ("{0}", lambda d: d),
    ("1 / {0}", lambda d: 1 / d),
    ("sqrt({0})", lambda d: math.sqrt(d)),
    ("1 / sqrt({0})", lambda d: 1 / math.sqrt(d)),
    ("{0} / ({0} - 1)", lambda d: d / (d - 1)),
    ("({0} - 1) / {0}", lambda d: (d - 1) / d),
    ("2 * {0}", lambda d: 2 * d),
    ("2 / {0}", lambda d: 2 / d),
    ("{0} / 2", lambda d: d / 2),
    ("1 / (2 * {0})", lambda d: 1 / (2 * d)),
    ("{0}^2", lambda d: d * d),
    ("1 / {0}^2", lambda d: 1 / d**2),
    ("({0} - 1)", lambda d: d - 1),
    ("1 / ({0} - 1)", lambda d: 1 / (d - 1)),
]
PROBABILITY: list[tuple[str, Callable[..., float]]] = [
    ("1 - {0}", lambda p: 1 - p),
    ("1 / (1 - {0})", lambda p: 1 / (1 - p)),
    ("(1 - {0}) / {0}", lambda p: (1 - p) / p),
    ("{0} / (1 - {0})", lambda p: p / (1 - p)),
    ("(1 - {0})^2", lambda p: (1 - p) ** 2),
    ("1 / (1 - {0})^2", lambda p: 1 / (1 - p) ** 2),
    ("{0} * (1 - {0})", lambda p: p * (1 - p)),
]
SEVERAL: list[tuple[int, str, Callable[..., float]]] = [
    (2, "{0} * {1}", lambda a, b: a * b),
    (2, "1 / ({0} * {1})", lambda a, b: 1 / (a * b)),
    (2, "{0} / {1}", lambda a, b: a / b),
    (2, "{1} / {0}", lambda a, b: b / a),
    (2, "sqrt({0} * {1})", lambda a, b: math.sqrt(a * b)),
    (2, "{0} * {1} / ({0} * {1} - 1)", lambda a, b: a * b / (a * b - 1)),
    (2, "({0} * {1} - 1) / ({0} * {1})", lambda a, b: (a * b - 1) / (a * b)),
    (3, "{0} * {1} * {2}", lambda a, b, c: a * b * c),
    (3, "1 / ({0} * {1} * {2})", lambda a, b, c: 1 / (a * b * c)),
    (4, "{0} * {1} * {2} * {3}", lambda a, b, c, d: a * b * c * d),
    (4, "1 / ({0} * {1} * {2} * {3})", lambda a, b, c, d: 1 / (a * b * c * d)),
]
PLAIN = {
    "1": 1.0, "2": 2.0, "1 / 2": 0.5, "3": 3.0, "1 / 3": 1 / 3, "4": 4.0, "1 / 4": 0.25, "3 / 2": 1.5, "2 / 3": 2 / 3,
    "sqrt(2)": math.sqrt(2), "1 / sqrt(2)": math.sqrt(0.5), "ln 2": math.log(2), "1 / ln 2": 1 / math.log(2),
    "sqrt(2 / pi)": math.sqrt(2 / math.pi), "sqrt(pi / 2)": math.sqrt(math.pi / 2), "ln 10": math.log(10),
    "1 / ln 10": 1 / math.log(10), "pi": math.pi, "2 pi": 2 * math.pi, "1 / (2 pi)": 0.5 / math.pi,
    "sqrt(2 pi)": math.sqrt(2 * math.pi), "1 / sqrt(2 pi)": 1 / math.sqrt(2 * math.pi),
}  # fmt: skip


def named(value: float, case: Case, elsewhere: Elsewhere | None = None) -> Number | None:
    """The simplest expression that gives this factor here and elsewhere; None where there is none."""
    negative, size = value < 0, abs(value)

    def fits(function: Callable[..., float], atoms: tuple[Atom, ...]) -> bool:
        try:
            if not math.isclose(function(*[a.read(case) for a in atoms]), size, rel_tol=1e-5):
                return False
            return all(
                math.isclose(function(*[a.read(c) for a in atoms]), abs(r), rel_tol=1e-5) and (r < 0) == negative
                for c, r in elsewhere or []
            )
        except (ZeroDivisionError, ValueError, TypeError, IndexError, KeyError):
            return False

    for form, function, chosen in _candidates(atoms_of(case)):
        if fits(function, chosen):
            return Number(value, form, chosen, negative)
    return None


def _candidates(atoms: list[Atom]) -> Iterator[tuple[str, Callable[..., float], tuple[Atom, ...]]]:
    """Expressions in the order of how simple they are."""
    for form in ("1", "2", "1 / 2"):
        yield form, _constant(PLAIN[form]), ()
    probabilities = [a for a in atoms if a.role == "probability"]
    for a in probabilities:
        for form, function in PROBABILITY:
            yield form, function, (a,)
    for form, function in ONE[:6]:
        for a in atoms:
            yield form, function, (a,)
    for count, form, function in SEVERAL[:2]:
        for chosen in itertools.combinations(atoms, count):
            yield form, function, chosen
    for form, value in PLAIN.items():
        yield form, _constant(value), ()
    for form, function in ONE[6:]:
        for a in atoms:
            yield form, function, (a,)
    for count, form, function in SEVERAL[2:]:
        for chosen in itertools.combinations(atoms, count):
            yield form, function, chosen


def _constant(value: float) -> Callable[[], float]:
    return lambda: value


def atoms_of(case: Case) -> list[Atom]:
    """The sizes and settings of a case, the dimensions of its inputs first."""
    if "atoms" not in case.memo:
        case.memo["atoms"] = list(_atoms(case))
    return case.memo["atoms"]


def _atoms(case: Case) -> Iterator[Atom]:
    def atom(role: str, label: str, symbol: str, read: Callable[[Case], float]) -> Atom:
        return Atom(role, label, symbol, read(case), read)

    known = {(k, axis) for d in dimensions(case) for k, axis, _ in d.axes}
    for d in dimensions(case):
        yield atom(d.role, d.label, d.symbol, _length(*d.axes[0]))
    for k, x in enumerate(case.inputs):  # axes that could not be resized
        for axis, length in enumerate(getattr(x, "shape", ())):
            if (k, axis) not in known and length > 1:
                name = case.names[k]
                yield atom("", f"axis {axis} of {name}", symbols(case).get((name, axis), ""), _length(k, axis))
    for s in settings(case):
        parts = s.value if isinstance(s.value, tuple) else (s.value,)
        for i, v in enumerate(parts):
            if type(v) in (int, float) and v not in (0, 1, -1):
                label = f"{s.name}[{i}]" if isinstance(s.value, tuple) else s.name
                role = "probability" if type(v) is float and 0 < v < 1 else "setting"
                yield atom(role, label, label, _reader(s.place, i))
    for k, y in enumerate(case.outputs):
        name = "y" if len(case.outputs) == 1 else f"output {k}"
        for axis in range(y.ndim):
            if y.shape[axis] > 1:
                yield atom("output", f"axis {axis} of {name}", "", _length(k, axis, of_output=True))


def _length(k: int, axis: int, blocks: int = 1, of_output: bool = False) -> Callable[[Case], float]:
    return lambda case: (case.outputs if of_output else case.inputs)[k].shape[axis] // blocks


def _reader(place: tuple[Any, ...], i: int) -> Callable[[Case], float]:
    def read(case: Case) -> float:
        if place[0] == "settings":
            value = {**case.subject.defaults, **case.settings}[place[1]]
        else:
            value = case.inputs[place[1]] if len(place) == 2 else case.inputs[place[1]][place[2]]
        return value[i] if isinstance(value, tuple) else value

    return read


# ----------------------------------------------------------------------------------------- what it is consistent with


def cause(number: Number) -> str:
    """The mistake that leaves this factor behind, as what follows "Consistent with"."""
    roles = tuple(a.role for a in number.atoms)
    name = " * ".join(a.symbol or f"{a.value:.6g}" for a in number.atoms)
    sign = "a wrong sign" if number.negative else ""
    story = _story(number, roles, name)
    return " and ".join(s for s in (sign, story) if s)


def _story(number: Number, roles: tuple[str, ...], name: str) -> str:
    form = number.form
    if not number.atoms:
        return {
            "1": "",
            "2": "a factor 1/2 left out, or one contribution counted twice",
            "1 / 2": "a factor 2 left out (as in the derivative of a square), or only one of two equal contributions "
            "kept (= where += belongs)",
        }.get(form, f"a factor {_inverse(form)} left out, or a factor {form} too many")
    if roles == ("probability",):
        p = number.atoms[0].symbol
        return {
            "1 - {0}": f"the scale 1/(1 - {p}) left out (dropout not rescaled by what it keeps)",
            "1 / (1 - {0})": f"the scale 1/(1 - {p}) applied twice, or a factor 1 - {p} left out",
            "(1 - {0}) / {0}": f"a scale of 1/{p} in the place of 1/(1 - {p}): the drop rate taken for the keep rate",
            "{0}": f"a factor {p} too many, or a division by {p} left out",
            "1 / {0}": f"the factor {p} left out, or a division by {p} too many",
        }.get(form, f"a factor {_inverse(number.text.lstrip('-'))} left out")
    up, down = (
        form in ("{0}", "{0} * {1}", "{0} * {1} * {2}", "{0} * {1} * {2} * {3}"),
        form.startswith("1 / ") and "sqrt" not in form,
    )
    if "- 1" in form:
        return (
            f"a division by {name} - 1 in the one place and by {name} in the other (the unbiased against the biased "
            f"variance, ddof; or an exponent {name} - 1 against {name})"
        )
    if "sqrt" in form:
        lost = "left out" if not form.startswith("1 /") else "applied twice (or once where it does not belong)"
        return f"the scale 1/sqrt({name}) {lost}"
    window = f" (as of a mean over a window of {name} x {name})" if number.atoms[0].value % 1 == 0 else ""
    if form == "{0}^2":
        return f"a division by {name}^2 left out{window}"
    if form == "1 / {0}^2":
        return f"a division by {name}^2 too many{window}, or a factor {name}^2 left out"
    if roles and set(roles) == {"window"}:
        if up:
            return f"the mean over the window left out: a division by the window's size {name} is missing"
        if down:
            return f"a division by the size of the window ({name}) too many, or the sum over it left out"
    if up and "batch" in roles:
        rest = "" if roles == ("batch",) else f" (over all {name} entries that the mean is taken over)"
        return f"the mean over the batch left out{rest}: a division by {name} is missing"
    if down and roles[0] == "batch":
        return (
            f"a division by the batch size too many ({name}): a mean over the batch where it is to be a sum, or the "
            "mean taken twice"
        )
    if up and "time" in roles:
        return f"the mean over the time steps left out: a division by {name} is missing"
    if down and "time" in roles:
        return f"an average over time where the steps are to be summed: a division by {name} (the time steps) too many"
    if up and set(roles) == {"reduced"}:
        return f"a division by {name} left out: the mean over the axis that forward reduces"
    if up:
        mean = "" if roles[0] == "setting" else f" (a mean that runs over {name} more entries)"
        return f"a division by {name} left out, or a factor {name} too many{mean}"
    if down:
        return f"a factor {name} left out, or a division by {name} too many"
    return f"a factor {_inverse(number.text.lstrip('-'))} left out"


def _inverse(text: str) -> str:
    """1 over a formula."""
    if text.startswith("1 / "):
        return text[4:]
    parts = text.split(" / ")
    return f"{parts[1]} / {parts[0]}" if len(parts) == 2 else f"1 / ({text})" if " " in text else f"1 / {text}"
