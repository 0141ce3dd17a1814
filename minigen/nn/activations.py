"""Activations as layers, and the layers that only reshape or drop."""

import math
from typing import Any

from minigen import ops, random
from minigen.nn import checks
from minigen.nn.module import Module


class Sigmoid(Module):
    """1 / (1 + e^-x)"""

    def forward(self, x: Any) -> Any:
        return ops.sigmoid(x)


class Tanh(Module):
    """tanh(x)"""

    def forward(self, x: Any) -> Any:
        return ops.tanh(x)


class ReLU(Module):
    """max(x, 0)"""

    def forward(self, x: Any) -> Any:
        return ops.relu(x)


class LeakyReLU(Module):
    """x where x > 0, else slope x"""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        return ops.leaky_relu(x, slope=self.slope)

    def describe(self) -> str:
        return f"slope={self.slope}"


class ELU(Module):
    """x where x > 0, else alpha (e^x - 1)"""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return ops.elu(x, alpha=self.alpha)

    def describe(self) -> str:
        return f"alpha={self.alpha}"


class Maxout(Module):
    """The largest of each group of `pieces` features. x (..., M pieces) -> y (..., M)"""

    def __init__(self, pieces: int) -> None:
        checks.positive("Maxout", pieces=pieces)
        self.pieces = pieces

    def forward(self, x: Any) -> Any:
        return ops.maxout(x, pieces=self.pieces)

    def describe(self) -> str:
        return f"pieces={self.pieces}"


class Softplus(Module):
    """ln(1 + e^x)"""

    def forward(self, x: Any) -> Any:
        return ops.softplus(x)


class SiLU(Module):
    """x sigmoid(x)"""

    def forward(self, x: Any) -> Any:
        return ops.silu(x)


class GELU(Module):
    """x times the normal distribution function at x, in its tanh form"""

    def forward(self, x: Any) -> Any:
        return ops.gelu(x)


class Softmax(Module):
    """e^x over its sum along axis"""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return ops.softmax(x, axis=self.axis)

    def describe(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Softmax):
    """The logarithm of softmax along axis"""

    def forward(self, x: Any) -> Any:
        return ops.log_softmax(x, axis=self.axis)


class Flatten(Module):
    """All axes but the first in one. x (N, ...) -> y (N, D)"""

    def forward(self, x: Any) -> Any:
        return ops.reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))


class Dropout(Module):
    """In training, each entry is dropped with probability p, and the rest scaled by 1 / (1 - p).

    In eval mode, x itself. Srivastava et al. 2014.
    """

    def __init__(self, p: float = 0.5) -> None:
        checks.probability("Dropout", p)
        self.p = p

    def forward(self, x: Any) -> Any:
        if not self.training or self.p == 0:
            return x
        return ops.dropout(x, random.keep_mask(x.shape, self.p), p=self.p)

    def describe(self) -> str:
        return f"p={self.p}"
