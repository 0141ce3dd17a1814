"""The verdict on one input's gradient, and the report of all of them."""

from dataclasses import dataclass
from typing import Any

from minigen.backend import xp
from minigen.check.numeric import Slopes

TOLERANCE = 1e-7  # of the largest slope
MOST_KINKS = 0.2  # of the entries looked at


@dataclass(frozen=True)
class Checked:
    """What was checked of one input."""

    name: str
    order: int  # 1: the gradient; 2: the gradient of the gradient
    entries: int  # looked at
    size: int  # of the input
    kinks: int  # entries left out because there is no slope
    error: float  # the worst difference, relative to the largest slope

    def __str__(self) -> str:
        kinks = f", {self.kinks} kinks left out" if self.kinks else ""
        entries = f"{self.entries} of {self.size} entries{kinks}"
        return f"order {self.order}   {self.name}: {entries}, off by {self.error:.1e}"


@dataclass(frozen=True)
class Report:
    """What gradcheck looked at. It returns one only where every entry was right."""

    inputs: list[Checked]

    @property
    def entries(self) -> int:
        """How many slopes were compared."""
        return sum(c.entries - c.kinks for c in self.inputs)

    @property
    def kinks(self) -> int:
        """How many were left out."""
        return sum(c.kinks for c in self.inputs)

    @property
    def error(self) -> float:
        """The worst relative error of them all."""
        return max(c.error for c in self.inputs)

    def __str__(self) -> str:
        return "\n".join(map(str, self.inputs))


def judged(name: str, path: str, order: int, analytic: Any, slopes: Slopes) -> Checked:
    """The comparison for one input; raises where an entry is off, or too few could be measured."""
    smooth = slopes.measured & ~slopes.kinks
    entries, kinks = int(slopes.measured.sum()), int(slopes.kinks.sum())
    if kinks > MOST_KINKS * entries:
        raise AssertionError(
            f"gradcheck: {kinks} of {entries} entries of {path} lie at kinks of {name}, where no gradient is "
            "right or wrong; move the inputs away from them (ties, zeros of relu and abs)"
        )
    largest = xp.abs(slopes.gradient).max() if entries else 0.0
    allowed = xp.maximum(TOLERANCE * largest, slopes.uncertainty)
    off = xp.where(smooth, xp.abs(analytic - slopes.gradient), 0.0)
    error = off / xp.maximum(allowed, 1e-300) * TOLERANCE
    wrong = ~(error <= TOLERANCE)  # nan too, which is above nothing
    if bool(wrong.any()):
        at = int(xp.where(wrong, xp.nan_to_num(error, nan=xp.inf), 0).argmax())
        index = f"[{', '.join(map(str, _index(at, analytic.shape)))}]" if analytic.ndim else ""
        what = f"d_{path}{index}" if order == 1 else f"the second derivative in {path}{index}"
        raise AssertionError(
            f"gradcheck: {name}: {what} is {float(analytic.ravel()[at]):.9g} by backward, and "
            f"{float(slopes.gradient.ravel()[at]):.9g} measured; {int(wrong.sum())} of {entries - kinks} "
            f"entries are off by more than {TOLERANCE:.0e} of the largest slope, {float(largest):.3g}"
        )
    return Checked(path, order, entries, analytic.size, kinks, float(error.max()) if entries else 0.0)


def _index(flat: int, shape: tuple[int, ...]) -> list[int]:
    """The place in an array of this shape of an entry given in flat order."""
    index: list[int] = []
    for n in reversed(shape):
        flat, i = divmod(flat, n)
        index.insert(0, i)
    return index
