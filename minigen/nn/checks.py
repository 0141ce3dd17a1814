"""What layers check of their settings, when they are made."""

from numbers import Integral
from typing import Any


def positive(layer: str, **sizes: Any) -> None:
    """Raise where a size is not a whole number (an int, NumPy's too) of at least 1."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{layer}: {name} is {size!r}, wants an int of at least 1")


def probability(layer: str, p: float) -> None:
    """Raise where p is no share of entries that may be dropped."""
    if not 0 <= p < 1:
        raise ValueError(f"{layer}: p is {p!r}, wants a share to drop, from 0 to below 1")


def small(layer: str, **settings: float) -> None:
    """Raise where a setting (eps, momentum) does not lie between 0 and 1."""
    for name, value in settings.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{layer}: {name} is {value!r}, wants a number from 0 to 1")
