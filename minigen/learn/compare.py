"""The learner's function and the solution's, called on equal inputs: do they do the same?"""

import copy
import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Outcome:
    """What one call did: returned a value, left its arguments changed, or raised."""

    value: Any
    arguments: list[Any]
    error: Exception | None = None


@dataclass
class Comparison:
    """One call of compare: the same call, of the learner's function and of the solution's."""

    name: str
    parameters: list[str]
    inputs: list[Any]
    settings: dict[str, Any]
    tolerance: float
    mine: Outcome
    wanted: Outcome

    @property
    def ok(self) -> bool:
        return same(self.mine, self.wanted, self.tolerance)


def outcome(function: Callable[..., Any], inputs: list[Any], settings: dict[str, Any]) -> Outcome:
    """Call a function on copies of the inputs; global random generators begin at 0."""
    inputs, settings = copy.deepcopy((inputs, settings))
    random.seed(0)
    np.random.seed(0)
    try:
        value = function(*inputs, **settings)
        return Outcome(list(value) if isinstance(value, Iterator) else value, [*inputs, *settings.values()])
    except Exception as error:  # whatever a learner's function raises is an outcome
        return Outcome(None, inputs, error)


def same(a: Outcome, b: Outcome, tolerance: float = 1e-7) -> bool:
    """Whether two calls did the same."""
    if a.error or b.error:
        return type(a.error) is type(b.error) and str(a.error) == str(b.error)
    return alike(a.value, b.value, tolerance) and alike(a.arguments, b.arguments, tolerance)


def alike(a: Any, b: Any, tolerance: float = 1e-7) -> bool:
    """Whether two results are the same: numbers and arrays to a share of the largest entry, containers part by part.

    A list may stand for a tuple, an array for its Tensor. What == says nothing of (a random generator) is the same.
    """
    a, b = plain(a), plain(b)
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(alike(a[k], b[k], tolerance) for k in b)
    if isinstance(b, list | tuple):
        fits = isinstance(a, list | tuple) and len(a) == len(b)
        return fits and all(alike(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if not is_numeric(b):
        has_meaning = b is None or isinstance(b, str | bytes | set | frozenset | complex | range | slice)
        return type(a) is type(b) and (not has_meaning or bool(a == b))
    if not is_numeric(a) or np.shape(a) != np.shape(b):
        return False
    x, y = np.asarray(a, dtype="float64"), np.asarray(b, dtype="float64")
    largest = np.abs(y[np.isfinite(y)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return bool(((np.abs(x - y) <= tolerance * largest) | (x == y) | (np.isnan(x) & np.isnan(y))).all())


def plain(value: Any) -> Any:
    """A Tensor as its array."""
    return value.data if hasattr(value, "requires_grad") and hasattr(value, "data") else value


def is_numeric(value: Any) -> bool:
    """Whether it is a number, or an array of numbers or truth values."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "fiub"
    return isinstance(value, bool | int | float)


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """The names of a function's parameters; none where it does not tell."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []
