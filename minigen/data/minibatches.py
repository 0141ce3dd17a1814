"""Mini-batches: the samples in a new random order every epoch, a few at a time."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigen.data.arguments import whole_number


class batches:  # noqa: N801 - lower case like range and enumerate, because it is used like them
    """The samples of `x` (and `y`) in batches; every `for` over it is one epoch.

        loader = batches(x, y, batch_size=32)
        for epoch in range(10):
            for xb, yb in loader:       # xb (32, ...), yb (32, ...); the last batch may be smaller
                ...

    `x` and `y` are arrays (NumPy's, CuPy's) with the samples along axis 0. It yields `(xb, yb)`, or `xb`
    alone without `y`: copies, on the device the data is on. `len(loader)` is the number of batches in an
    epoch.

    batch_size=None takes all samples at once (full-batch descent), 1 is stochastic descent, between them
    mini-batch. drop_last leaves out a last batch that is smaller than batch_size.

    It is the samples that are shuffled, not a fixed set of batches. Epoch number e uses the order drawn from
    (seed, e): each epoch has another order, and the same seed gives the same sequence of epochs.
    `loader.epoch`, the number of epochs begun, is the only state: store it in a checkpoint and set it again
    to resume.

    Raises TypeError if x or y is no array, or batch_size or seed no whole number; ValueError if there are no
    samples, if x and y differ in length, if batch_size is below 1 or leaves no batch, or seed is negative;
    and if one of their numbers is NaN or Inf, which in a few steps would make every weight NaN.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = 32,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        n = _samples("x", x)
        if y is not None and _samples("y", y) != n:
            raise ValueError(f"batches: x has {n} samples (axis 0), y has {len(y)}; it wants equally many")
        size = n if batch_size is None else whole_number("batches", "batch_size", batch_size)
        if drop_last and size > n:
            raise ValueError(f"batches: drop_last leaves no batch: batch_size is {size}, of {n} samples")
        self.x, self.y = x, y
        self.batch_size = size
        self.shuffle, self.drop_last = shuffle, drop_last
        self.seed = whole_number("batches", "seed", seed, at_least=0)
        self.epoch = 0

    def __len__(self) -> int:
        n = len(self.x)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)  # -(-a // b) rounds up

    def __iter__(self) -> Iterator[Any]:
        order = np.arange(len(self.x))
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        self.epoch += 1
        return self._epoch(order)

    def _epoch(self, order: np.ndarray) -> Iterator[Any]:
        for i in range(len(self)):
            # A list of ints indexes an array of any device; an index array would have to be on the same one.
            # Next to an index array it costs 4 us at 128 samples.
            chosen = order[i * self.batch_size : (i + 1) * self.batch_size].tolist()
            yield self.x[chosen] if self.y is None else (self.x[chosen], self.y[chosen])


def _samples(name: str, array: Any) -> int:
    shape = getattr(array, "shape", None)
    if not shape:
        what = "a single number" if shape == () else f"a {type(array).__name__}"
        raise TypeError(f"batches: {name} is {what}; it wants an array with the samples along axis 0")
    if shape[0] == 0:
        raise ValueError(f"batches: {name} has shape {tuple(shape)}, so no samples; it wants at least one")
    if getattr(getattr(array, "dtype", None), "kind", "") == "f":
        _refuse_nonfinite(name, array)
    return int(shape[0])


def _refuse_nonfinite(name: str, array: Any) -> None:
    """Raise where a number is NaN or Inf, saying how many are and where the first one is."""
    with np.errstate(all="ignore"):
        if math.isfinite(array.sum()):  # one pass, and no memory
            return
        wrong = array - array != 0  # NaN - NaN and Inf - Inf are NaN, on any device
    count = int(wrong.sum())
    if count:  # else they are finite, and only their sum overflowed
        index = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), array.shape))
        place = ", ".join(map(str, index))
        raise ValueError(
            f"batches: {count} of the {array.size} numbers of {name} are NaN or Inf, the first in sample "
            f"{index[0]} ({name}[{place}] is {float(array[index])}); it wants finite ones"
        )
