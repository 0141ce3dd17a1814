"""The parts of a batch: where parallel.Team has cut one up, each process holds one, and few ops have to know.

An op that looks at the batch as a whole, as batch norm does for its mean, adds its sums up over all parts.
"""

from collections.abc import Callable
from typing import Any

_add_up: Callable[[Any], Any] | None = None  # set while this process works on one part of several


def total(sums: Any) -> Any:
    """An array (or number) added up over all parts of the batch, the same in each. All parts have to ask at once."""
    return sums if _add_up is None else _add_up(sums)


def is_a_part() -> bool:
    """Whether this process works on one part of several."""
    return _add_up is not None


def working_on_a_part(add_up: Callable[[Any], Any] | None) -> None:
    """From now on `total` asks `add_up`; None: what there is, is whole again."""
    global _add_up
    _add_up = add_up
