"""Averaged weights: often better than the last ones, whose noise they do not share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from minigen.backend import asarray
from minigen.graph import mark_changed
from minigen.optim.arguments import check_state, number, tensors
from minigen.tensor import Tensor


class ExponentialMovingAverage:
    """average = decay average + (1 - decay) p, for every parameter p, from its value now.

        ema = ExponentialMovingAverage(model, decay=0.999)
        optimiser.step(); ema.update()                    # in the training loop
        with ema.applied(): sample(model)                 # with the averaged weights

    model: a module, or any iterable of Tensors. Only parameters are averaged; a batch norm's running
    statistics stay the model's own.
    decay: at least 0 and below 1. warm_up=True takes min(decay, (1 + n) / (10 + n)) after n updates, which
    forgets the initial weights sooner.

    `averages` holds an array for each parameter. Polyak and Juditsky 1992, "Acceleration of stochastic
    approximation by averaging"; with this decay, Tarvainen and Valpola 2017, "Mean teachers are better role
    models". Raises TypeError or ValueError for what is no Tensor and for a decay out of its range.
    """

    def __init__(self, model: Any, *, decay: float = 0.999, warm_up: bool = False) -> None:
        who = type(self).__name__
        params: Iterable[Tensor] = model.parameters() if hasattr(model, "parameters") else model
        self.params = tensors(who, params)
        self.decay = number(who, "decay", decay, below=1)
        self.warm_up = warm_up
        self.updates = 0
        self.averages = [p._data.copy() for p in self.params]
        self._is_applied = False

    def update(self) -> None:
        """Take the parameters as they are now into the averages. Raises RuntimeError inside `applied()`."""
        if self._is_applied:
            raise RuntimeError("update: inside `with applied()` the weights are the averages; call it after")
        n = self.updates
        decay = min(self.decay, (1 + n) / (10 + n)) if self.warm_up else self.decay
        for average, p in zip(self.averages, self.params, strict=True):
            average *= decay
            average += p._data * (1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """In the with-block the parameters are the averages; after it, error or not, what they were."""
        own = [p._data.copy() for p in self.params]
        was, self._is_applied = self._is_applied, True
        try:
            _write(self.params, self.averages)
            yield
        finally:
            _write(self.params, own)
            self._is_applied = was

    def state_dict(self) -> dict[str, Any]:
        """The averages (copies), as "average.<i>" for parameter i, and how many updates they have seen."""
        averages = {f"average.{i}": average.copy() for i, average in enumerate(self.averages)}
        return {"updates": self.updates, **averages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. Raises ValueError, with nothing changed, where it does not fit."""
        check_state(f"{type(self).__name__}.load_state_dict", self.state_dict(), state)
        self.updates = int(state["updates"])
        for i, average in enumerate(self.averages):
            average[...] = asarray(state[f"average.{i}"], average.dtype)


def _write(params: list[Tensor], arrays: list[Any]) -> None:
    """Give the parameters these numbers, in place: an optimiser's flat array may hold them."""
    for p, array in zip(params, arrays, strict=True):
        p._data[...] = array
        mark_changed(p)
