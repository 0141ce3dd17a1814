"""Which formula is it? At most two simple functions of known tensors, for numbers that are given entry by entry."""

import itertools
from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import SAME, constant
from minigen.check.tensors import FUNCTIONS

MOST_SOURCES = 6
COMBINED = ("1 - {u}", "1 + {u}", "1 - {u}^2", "1 + exp({u})", "1 - exp({u})", "1 - tanh({u})^2")  # two terms already


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


def formulas(values: Any, sources: list[tuple[str, Any]]) -> Iterator[Formula]:
    """Formulas for these values, the simplest first."""
    own = sources[:MOST_SOURCES]
    columns = [(f, u, FUNCTIONS[f](t)) for f in FUNCTIONS for u, t in own]
    columns = [(f, u, c) for f, u, c in columns if bool(xp.isfinite(c).all()) and float(xp.abs(c).max()) < 1e6]
    for f, u, column in columns:
        if bool((column != 0).all()):
            c = constant(values / column)
            if c is not None and abs(c - _nice(c)) < 1e-5 and 0.2 < abs(c) < 10:
                yield Formula([(_nice(c), f, u)])
    basis = [("", "", xp.ones_like(values)), *[c for c in columns if c[0] not in COMBINED]]
    for (f, u, p), (g, v, q) in itertools.combinations(basis, 2):
        if u and v and u != v:
            continue
        pp, pq, qq, pv, qv = p @ p, p @ q, q @ q, p @ values, q @ values
        det = pp * qq - pq * pq
        if not abs(det) > 1e-9 * pp * qq:
            continue
        c, d = float((qq * pv - pq * qv) / det), float((pp * qv - pq * pv) / det)
        if all(min(abs(k - round(4 * k) / 4), 1) < 1e-5 and 0.2 < abs(k) < 10 for k in (c, d)) and equal(
            values, c * p + d * q
        ):
            yield Formula([(_nice(d), g, v), (_nice(c), f, u)])


def _nice(c: float) -> float:
    return round(4 * c) / 4


def equal(a: Any, b: Any) -> bool:
    """Whether two arrays agree as closely as an explanation wants; never where b is not finite."""
    return bool(xp.isfinite(b).all()) and bool((xp.abs(a - b) <= SAME * xp.abs(b).max()).all())
