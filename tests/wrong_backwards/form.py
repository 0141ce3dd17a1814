"""How a wrong backward is written down: a right op, one thing planted in it, the words its diagnosis must contain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Planted:
    """One wrong backward.

    op         a class in contract form, or (forward, backward)
    inputs     () -> the arrays to examine it at
    words      each has to be in the message; "a|b": one of them has to
    """

    name: str
    op: Any
    inputs: Callable[[], tuple[Any, ...]]
    words: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def missing(self, message: str) -> list[str]:
        """The words that are not there."""
        text = message.lower()
        return [w for w in self.words if not any(part.lower() in text for part in w.split("|"))]


RIGHT: list[tuple[type, Callable[[], tuple[Any, ...]], dict[str, Any]]] = []  # what the mistakes are planted in


class Family:
    """The wrong backwards of one right op: `f = Family(right, inputs)`, then `f("name", words, d_w=wrong line)`."""

    def __init__(
        self, right: type, inputs: Callable[[], tuple[Any, ...]], into: list[Planted], **settings: Any
    ) -> None:
        self.right, self.inputs, self.into, self.settings = right, inputs, into, settings
        RIGHT.append((right, inputs, settings))

    def __call__(self, what: str, words: str, **changed: Any) -> None:
        members = {k: v for k, v in vars(self.right).items() if not k.startswith("__")}
        if "backward" in changed and "backward" not in members:  # it stands alone
            members = {k: v for k, v in members.items() if not k.startswith("d_") or v is None}
        op = type(self.right.__name__, (), {**members, "__doc__": self.right.__doc__, **changed})
        name = f"{self.right.__name__}: {what}"
        self.into.append(Planted(name, op, self.inputs, tuple(words.split(", ")), self.settings))


def normal(*shape: int, seed: int = 0) -> Any:
    """Random-normal numbers, the same at every call; another seed for shapes that occur twice."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def positive(*shape: int, seed: int = 0) -> Any:
    """Numbers between 0.4 and 2.4."""
    return np.random.default_rng([seed, *shape, 1]).random(shape) * 2 + 0.4


def probabilities(*shape: int, seed: int = 0) -> Any:
    """Numbers between 0.1 and 0.9."""
    return np.random.default_rng([seed, *shape, 2]).random(shape) * 0.8 + 0.1


def integers(below: int, *shape: int, seed: int = 0) -> Any:
    """Whole numbers, with repeats."""
    return np.random.default_rng([seed, below, *shape]).integers(0, below, shape)


def zeros_and_ones(*shape: int, p: float = 0.5, seed: int = 0) -> Any:
    """1.0 with probability p, else 0.0; both occur."""
    drawn = (np.random.default_rng([seed, *shape, 3]).random(shape) < p).astype(float)
    drawn.reshape(-1)[:2] = 0.0, 1.0
    return drawn
