"""What this room is given: parameters, numbers, saved states. Refused here, with sentences."""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from minigen.tensor import Tensor


def tensors(who: str, params: Iterable[Tensor]) -> list[Tensor]:
    """`params`, any iterable of Tensors, as a list. Raises TypeError for anything else."""
    if isinstance(params, Tensor):
        raise TypeError(f"{who}: wants several parameters, got one Tensor; put it into a list")
    if hasattr(params, "parameters"):
        raise TypeError(f"{who}: wants the parameters of the {type(params).__name__}; pass its .parameters()")
    try:
        found = list(params)
    except TypeError:
        got = type(params).__name__
        raise TypeError(f"{who}: wants Tensors, such as model.parameters(), got {got}") from None
    for i, p in enumerate(found):
        if not isinstance(p, Tensor):
            raise TypeError(f"{who}: parameter {i} is of type {type(p).__name__}, wants a Tensor")
    return found


def trainable(who: str, params: Iterable[Tensor]) -> list[Tensor]:
    """`params` as a list of Tensors that an optimiser can work on.

    Raises TypeError for what is no Tensor; ValueError where there are none, and for one that is given twice,
    was computed by an op, or requires no gradient.
    """
    found = tensors(who, params)
    if not found:
        raise ValueError(f"{who}: there are no parameters to train; the list is empty, or a generator that was used up")
    first: dict[int, int] = {}
    for i, p in enumerate(found):
        if p.origin:
            raise ValueError(
                f"{who}: parameter {called(i, p)} was computed by {p.origin[0].op.__name__}; wants leaves, "
                "made by mg.tensor(..., requires_grad=True)"
            )
        if not p.requires_grad:
            raise ValueError(
                f"{who}: parameter {called(i, p)} requires no gradient, so it would never be trained; "
                "leave it out, or make it with requires_grad=True"
            )
        if id(p) in first:
            raise ValueError(f"{who}: parameter {called(i, p)} is parameter {first[id(p)]} again; wants each once")
        first[id(p)] = i
    return found


def called(i: int, p: Tensor) -> str:
    """How to speak of parameter i."""
    return f"{i} ({p.name})" if p.name else str(i)


def number(who: str, name: str, value: Any, *, least: float = 0.0, below: float = math.inf) -> float:
    """`value` as Python's float, which promotes no dtype.

    Raises TypeError for what is no number, ValueError unless least <= value < below.
    """
    if not isinstance(value, Real):
        raise TypeError(f"{who}: {name} is of type {type(value).__name__}, wants a number")
    found = float(value)
    if not least <= found < below:  # nan comes here too
        limit = "finite" if below == math.inf else f"below {below:g}"
        raise ValueError(f"{who}: {name} is {found}, wants a number of at least {least:g}, and {limit}")
    return found


def count(who: str, name: str, value: Any) -> int:
    """`value`, a whole number of at least 1 (NumPy's too), as an int. Raises TypeError or ValueError."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{who}: {name} is {value!r}, wants a whole number")
    if value < 1:
        raise ValueError(f"{who}: {name} is {value}, wants at least 1")
    return int(value)


def check_state(who: str, expected: dict[str, Any], state: dict[str, Any]) -> None:
    """Raise ValueError, before anything has changed, unless `state` has the names and shapes expected."""
    wrong = [f"{key} is missing" for key in expected if key not in state]
    wrong += [f"{key} is unknown here" for key in state if key not in expected]
    if wrong:
        more = f", and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise ValueError(f"{who}: this state is of something else: {', '.join(wrong[:4])}{more}")
    for key, value in expected.items():
        want, got = getattr(value, "shape", ()), getattr(state[key], "shape", ())
        if want != got:
            raise ValueError(f"{who}: {key} has shape {got} in this state, wants {want}")
