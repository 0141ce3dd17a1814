"""Random numbers, all from one generator: `mg.seed(0)` makes a whole run repeatable.

Layers draw their weights, dropout its masks and models their noise here, on the backend in use.
"""

from numbers import Integral
from typing import Any

from minigen.backend import current, xp

_generators: dict[str, Any] = {}  # one for each backend
_seed: int | None = None


def seed(number: int) -> None:
    """Start the sequence of random numbers anew from this number.

    Raises ValueError for what is no whole number of at least 0.
    """
    global _seed
    if not isinstance(number, Integral) or number < 0:
        raise ValueError(f"seed: got {number!r}, wants a whole number of at least 0")
    _seed = number
    _generators.clear()


def generator() -> Any:
    """The generator that everything draws from, a numpy.random.Generator (or CuPy's)."""
    if current() not in _generators:
        _generators[current()] = xp.random.default_rng(_seed)
    return _generators[current()]


def normal(shape: Any, dtype: Any = "float32") -> Any:
    """An array of standard normal numbers."""
    return generator().standard_normal(shape, dtype=dtype)


def uniform(shape: Any, low: float = 0.0, high: float = 1.0, dtype: Any = "float32") -> Any:
    """An array of numbers between low and high, all equally likely."""
    return generator().random(shape, dtype=dtype) * (high - low) + low


def keep_mask(shape: Any, p: float) -> Any:
    """An array of booleans, True with probability 1 - p: what dropout keeps."""
    return uniform(shape) >= p
