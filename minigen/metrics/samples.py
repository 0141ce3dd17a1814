"""What every metric takes: samples as rows of numbers, on the host, in float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigen.backend import to_numpy

Rows = NDArray[np.float64]


def rows(where: str, name: str, samples: Any, *, at_least: int = 1) -> Rows:
    """`samples` (N, ...), an array of any backend or a Tensor, as (N, F) float64: images become rows of pixels.

    Raises ValueError where it is no such array, has fewer than `at_least` samples, or holds NaN or Inf.
    """
    array = to_numpy(samples)
    if array.ndim < 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{where}: {name} has shape {array.shape} and type {array.dtype}; it wants numbers, a sample a row: (N, F)"
        )
    if len(array) < at_least:
        raise ValueError(f"{where}: {name} has {len(array)} samples; it wants at least {at_least}")
    array = array.reshape(len(array), -1).astype(np.float64)
    if not np.isfinite(array).all():
        wrong = int((~np.isfinite(array)).any(axis=1).sum())
        raise ValueError(
            f"{where}: {wrong} of the {len(array)} samples of {name} hold NaN or Inf; it wants finite ones"
        )
    return array


def alike(where: str, *, at_least: int = 1, **named: Any) -> list[Rows]:
    """Each of several sets of samples as `rows`, after making sure that they have equally many features."""
    found = {name: rows(where, name, samples, at_least=at_least) for name, samples in named.items()}
    (first, one), *others = found.items()
    for name, other in others:
        if other.shape[1] != one.shape[1]:
            raise ValueError(
                f"{where}: {first} has {one.shape[1]} features, {name} {other.shape[1]}; it wants equally many"
            )
    return list(found.values())


def neighbours(where: str, k: int, samples: int) -> int:
    """`k`, if each of so many samples has k others. Raises ValueError if not."""
    if not 1 <= k < samples:
        raise ValueError(f"{where}: k is {k}; among {samples} samples it wants 1 to {samples - 1}")
    return k
