"""What an explanation is asked about: one gradient that is wrong, beside the numbers it should have been."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case

SAME = 1e-6  # of the largest: how closely numbers have to agree for an explanation


@dataclass(frozen=True)
class Explanation:
    """What fits the numbers. `evidence` is a fact and ends without a stop; `cause` follows "Consistent with"."""

    key: str  # the kind, as "constant ratio"
    evidence: str
    cause: str

    @property
    def message(self) -> str:
        return f"{self.evidence}. Consistent with {self.cause}." if self.cause else f"{self.evidence}."


class Wrong:
    """The gradient of one input: `a`, the learner's, and `n`, the numerical one, of the same shape."""

    def __init__(self, case: Case, name: str, rank: int = 0) -> None:
        self.case, self.name, self.rank = case, name, rank  # rank: how many wrong ones come before it
        self.line = case.subject.line(name)
        self.x = case.x(name)
        self.a = case.gradients[name]
        self.slopes = case.slopes(name)
        self.n = self.slopes.gradient
        self.usable = self.slopes.measured & ~self.slopes.kinks
        self.largest = float(xp.abs(self.n).max()) if self.n.size else 0.0
        self.scale = max(self.largest, float(xp.abs(self.a).max()) if self.a.size else 0.0)

    @cached_property
    def entries(self) -> Any:
        """True where it is wrong."""
        return self.case.wrong_entries(self.name)

    def is_(self, other: Any) -> bool:
        """Whether the learner's gradient equals these numbers, where they could be measured."""
        return self.agree(self.a, other)

    def agree(self, a: Any, b: Any) -> bool:
        if a.shape != self.n.shape or b.shape != self.n.shape:
            return False
        off = xp.abs(a - b) * self.usable
        return bool((off <= SAME * max(float(xp.abs(b * self.usable).max()), 1e-300)).all())

    @cached_property
    def ratio(self) -> Any:
        """a / n where n is not about 0, else nan."""
        telling = self.usable & (xp.abs(self.n) > 1e-4 * self.largest)
        return xp.where(telling, self.a / xp.where(telling, self.n, 1.0), xp.nan)

    @cached_property
    def vanishes_alike(self) -> bool:
        """Whether a is about 0 wherever n is: what a ratio cannot see."""
        zero = self.usable & (xp.abs(self.n) <= 1e-9 * self.largest)
        return bool((xp.abs(self.a * zero) <= SAME * self.scale).all())


def constant(values: Any, tolerance: float = SAME) -> float | None:
    """The one number that all (not nan) values are, or None."""
    known = values[~xp.isnan(values)]
    if not known.size:
        return None
    middle = float(known.mean())
    spread = float(xp.abs(known - middle).max())
    return middle if spread <= 10 * tolerance * max(abs(middle), 1e-300) else None
