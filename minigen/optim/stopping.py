"""Early stopping: training ends when the validation loss no longer falls; the best weights are put back."""

import math
from typing import Any

from minigen.optim.arguments import count, number


class EarlyStopping:
    """Watches a validation loss and remembers the model at its lowest.

        stopper = EarlyStopping(model, patience=5)
        for epoch in range(100):
            ...
            if stopper.step(validation_loss):
                break
        stopper.restore()

    model: anything with state_dict() and load_state_dict(); a module's also holds running statistics.
    patience: how many losses in a row may be no improvement before step() says to stop.
    min_delta: by how much a loss has to be below the best one to count as an improvement.

    best_loss is inf and best_step None until a first loss below infinity; steps count from 0, as in range().
    Prechelt 1998, "Early stopping - but when?". Raises TypeError or ValueError for settings out of range.
    """

    def __init__(self, model: Any, *, patience: int, min_delta: float = 0.0) -> None:
        who = type(self).__name__
        for method in ("state_dict", "load_state_dict"):
            if not hasattr(model, method):
                raise TypeError(f"{who}: wants a model with {method}(), got {type(model).__name__}")
        self.model = model
        self.patience = count(who, "patience", patience)
        self.min_delta = number(who, "min_delta", min_delta)
        self.best_loss = math.inf
        self.best_step: int | None = None
        self.waited = 0  # losses since the best one
        self.taken = 0  # losses seen
        self._best_state: dict[str, Any] | None = None

    def step(self, loss: Any) -> bool:
        """Take one loss, a number or a Tensor of one; nan is no improvement. True: training should stop."""
        loss = float(loss)
        if loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_step, self.waited = loss, self.taken, 0
            self._best_state = self.model.state_dict()
        else:
            self.waited += 1
        self.taken += 1
        return self.waited >= self.patience

    def restore(self) -> None:
        """Give the model the weights it had at the lowest loss. Raises RuntimeError where there was none."""
        if self._best_state is None:
            raise RuntimeError("restore: nothing is remembered; step() has seen no loss below infinity yet")
        self.model.load_state_dict(self._best_state)
