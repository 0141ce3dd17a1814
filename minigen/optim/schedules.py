"""Schedules of the learning rate: how it goes on from the one the optimiser was given.

A linear rise over the first hundred batches, then half a cosine down to 0:

    schedule = WarmUp(optimiser, steps=100, then=CosineLR(optimiser, steps=1000))
    for x, t in batches:
        ...
        optimiser.step()
        schedule.step()
"""

import math
from typing import Any

from minigen.optim.arguments import check_state, count, number
from minigen.optim.optimisers import Optimiser


class Schedule:
    """Sets the optimiser's `lr` at every `.step()`; `base` is the `lr` it had when the schedule was made.

    `.step()` belongs after the optimiser's: after every batch, or after every epoch, as the numbers of steps
    given to the schedule are meant. Schedules raise TypeError or ValueError for a setting out of its range.
    """

    def __init__(self, optimiser: Optimiser) -> None:
        self.optimiser = optimiser
        self.base = optimiser.lr
        self.taken = 0  # steps

    def at(self, t: int) -> float:
        """The learning rate after t steps: `[schedule.at(t) for t in range(1000)]` is its curve."""
        raise NotImplementedError

    def step(self) -> None:
        """Go one step on."""
        self.taken += 1
        self.optimiser.lr = self.at(self.taken)

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands, as numbers."""
        return {"base": self.base, "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. Raises ValueError where its names do not fit."""
        check_state(f"{type(self).__name__}.load_state_dict", self.state_dict(), state)
        self.base, self.taken = float(state["base"]), int(state["taken"])
        self.optimiser.lr = self.at(self.taken)


class StepLR(Schedule):
    """lr = base factor^(t // every): times `factor` after every `every` steps."""

    def __init__(self, optimiser: Optimiser, *, every: int, factor: float = 0.1) -> None:
        self.every = count("StepLR", "every", every)
        self.factor = number("StepLR", "factor", factor)
        super().__init__(optimiser)

    def at(self, t: int) -> float:
        return self.base * self.factor ** (t // self.every)


class CosineLR(Schedule):
    """lr = final + (base - final) (1 + cos(pi t / steps)) / 2: half a cosine down to final, where it stays.

    Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", eq. 5.
    """

    def __init__(self, optimiser: Optimiser, *, steps: int, final: float = 0.0) -> None:
        self.steps = count("CosineLR", "steps", steps)
        self.final = number("CosineLR", "final", final)
        super().__init__(optimiser)

    def at(self, t: int) -> float:
        return self.final + (self.base - self.final) * (1 + math.cos(math.pi * min(t / self.steps, 1))) / 2


class WarmUp(Schedule):
    """lr = base (t + 1) / steps for t < steps, then base, or another schedule from its beginning.

    The first update is made with base / steps, the `steps`-th with base. Goyal et al. 2017, "Accurate, large
    minibatch SGD". `then` is a schedule of the same optimiser; only the WarmUp is to be stepped.
    """

    def __init__(self, optimiser: Optimiser, *, steps: int, then: Schedule | None = None) -> None:
        self.steps = count("WarmUp", "steps", steps)
        if then is not None and (not isinstance(then, Schedule) or then.optimiser is not optimiser):
            raise ValueError("WarmUp: then wants a schedule that was made for the same optimiser")
        super().__init__(optimiser)
        self.then = then
        if then is not None:
            self.base = then.base
        optimiser.lr = self.at(0)

    def at(self, t: int) -> float:
        if t < self.steps:
            return self.base * (t + 1) / self.steps
        return self.base if self.then is None else self.then.at(t - self.steps)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.then is not None and "base" in state:
            self.then.base = float(state["base"])
        super().load_state_dict(state)
