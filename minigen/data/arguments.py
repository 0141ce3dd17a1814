"""One question asked all over this room: is this argument a whole number of at least so much?"""

import operator
from typing import Any


def whole_number(where: str, name: str, value: Any, *, at_least: int = 1) -> int:
    """`value` as an int of at least `at_least`; else a TypeError or ValueError naming `where` and `name`."""
    wants = f"it wants a whole number of at least {at_least}"
    if isinstance(value, bool):
        raise TypeError(f"{where}: {name} is {value}, a truth value; {wants}")
    try:
        number = operator.index(value)  # ints and NumPy integers, never 32.0
    except TypeError:
        raise TypeError(f"{where}: {name} is {value!r}, a {type(value).__name__}; {wants}") from None
    if number < at_least:
        raise ValueError(f"{where}: {name} is {number}; {wants}")
    return number
