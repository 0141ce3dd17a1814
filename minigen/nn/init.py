"""How weights start: functions (shape, fan_in, fan_out) -> float32 array. A layer takes one as `init=`.

fan_in, fan_out: how many numbers one output is summed from, and how many outputs one input goes to.
"""

import math
from collections.abc import Callable
from typing import Any

from minigen import random
from minigen.backend import xp

Init = Callable[[tuple[int, ...], int, int], Any]


def fan_in_uniform(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """Uniform within +-1 / sqrt(fan_in), the default, as PyTorch's. LeCun et al. 1998, Efficient BackProp."""
    return _uniform(shape, 1 / math.sqrt(fan_in))


def he_normal(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """Normal with variance 2 / fan_in: keeps the signal's size through ReLUs. He et al. 2015, eq. 10."""
    return random.normal(shape) * math.sqrt(2 / fan_in)


def he_uniform(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """Uniform with variance 2 / fan_in. He et al. 2015."""
    return _uniform(shape, math.sqrt(6 / fan_in))


def glorot_normal(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """Normal with variance 2 / (fan_in + fan_out): for tanh and sigmoid. Glorot and Bengio 2010, eq. 12."""
    return random.normal(shape) * math.sqrt(2 / (fan_in + fan_out))


def glorot_uniform(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """Uniform with variance 2 / (fan_in + fan_out), Keras's default. Glorot and Bengio 2010, eq. 16."""
    return _uniform(shape, math.sqrt(6 / (fan_in + fan_out)))


def orthogonal(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """Rows or columns at right angles, of length 1: lengths survive many steps. Saxe et al. 2014.

    A weight of more than two axes is taken as a matrix from all but the last axis to the last.
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = xp.linalg.qr(random.normal((max(rows, columns), min(rows, columns))))
    q = q * xp.sign(xp.diagonal(r))  # makes the draw uniform over all orthogonal matrices
    return (q if rows >= columns else q.T).reshape(shape).astype("float32")


def zeros(shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
    """All zero."""
    return xp.zeros(shape, dtype="float32")


def _uniform(shape: tuple[int, ...], bound: float) -> Any:
    return random.uniform(shape, -bound, bound)


def bias_like(init: Init, size: int, fan_in: int, fan_out: int) -> Any:
    """A layer's bias: drawn as PyTorch does under the default, else 0."""
    return (fan_in_uniform if init is fan_in_uniform else zeros)((size,), fan_in, fan_out)
