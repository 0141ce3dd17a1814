"""Activations, elementwise but for maxout and softmax."""
# fmt: off

import math

from minigen.backend import xp
from minigen.graph import keep, op
from minigen.ops.arithmetic import exp, minimum


@op(elementwise=True)
class sigmoid:
    """y = 1 / (1 + e^-x)"""
    def forward(x): return 1 / (1 + xp.exp(xp.minimum(-x, 87)))      # e^89 is too large for float32
    def d_x(dy, y): return dy * y * (1 - y)


@op(elementwise=True)
class tanh:
    """y = tanh(x)"""
    def forward(x): return xp.tanh(x)
    def d_x(dy, y): return dy * (1 - y * y)


@op(elementwise=True)
class relu:
    """y = max(x, 0)"""
    def forward(x): return xp.maximum(x, 0)
    def d_x(dy, y): return dy * (y > 0)


@op(elementwise=True)
class leaky_relu:
    """y = x where x > 0, else slope x"""
    def forward(x, *, slope=0.01): return xp.maximum(x, 0) + xp.minimum(x, 0) * slope
    def d_x(dy, x, slope):         return dy * (x > 0) + dy * (x <= 0) * slope


@op(elementwise=True)
class elu:
    """y = x where x > 0, else alpha (e^x - 1).   Clevert et al. 2016, eq. 15"""
    def forward(x, *, alpha=1.0): return xp.maximum(x, 0) + xp.expm1(xp.minimum(x, 0)) * alpha
    def d_x(dy, x, alpha):        return dy * (x > 0) + dy * (x <= 0) * exp(minimum(x, 0.0)) * alpha


@op
class maxout:
    """y = the largest of each group of `pieces` features.   x (..., M pieces) -> y (..., M).   Goodfellow et al. 2013

    Of equal ones the first has the gradient.
    """
    def forward(x, *, pieces):
        if pieces < 1 or x.shape[-1] % pieces:
            last = f"{x.shape[-1]} features (axis {x.ndim - 1})"
            raise ValueError(f"maxout: x has {last}, which is no multiple of pieces={pieces}")
        groups = x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)            # (..., M, pieces)
        winners = groups.argmax(axis=-1)
        return keep(groups.max(axis=-1), won=xp.arange(pieces) == winners[..., None])
    def d_x(dy, won, x_shape):
        return (dy.reshape(*dy.shape, 1) * won).reshape(x_shape)


@op(elementwise=True)
class softplus:
    """y = ln(1 + e^x)"""
    def forward(x): return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))
    def d_x(dy, x): return dy * sigmoid(x)


@op(elementwise=True)
class silu:
    """y = x sigmoid(x).   Hendrycks and Gimpel 2016; Ramachandran et al. 2017 (swish)"""
    def forward(x):    return x * sigmoid(x)
    def d_x(dy, x, y): s = sigmoid(x); return dy * (s + y * (1 - s))


@op(elementwise=True)
class gelu:
    """y = x/2 (1 + tanh(c (x + a x^3))),   c = sqrt(2 / pi), a = 0.044715.   Hendrycks and Gimpel 2016, tanh form"""
    def forward(x): return x * 0.5 * (1 + xp.tanh(C * (x + A * x ** 3)))
    def d_x(dy, x):
        t = tanh(C * (x + A * x ** 3))
        return dy * 0.5 * (1 + t + x * (1 - t * t) * C * (1 + 3 * A * x ** 2))


C, A = math.sqrt(2 / math.pi), 0.044715


@op
class softmax:
    """y_i = e^x_i / sum_j e^x_j along axis"""
    def forward(x, *, axis=-1):
        e = xp.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)
    def d_x(dy, y, axis): return y * (dy - (dy * y).sum(axis=axis, keepdims=True))


@op
class log_softmax:
    """y_i = x_i - ln sum_j e^x_j along axis"""
    def forward(x, *, axis=-1):
        shifted = x - x.max(axis=axis, keepdims=True)
        return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))
    def d_x(dy, y, axis): return dy - exp(y) * dy.sum(axis=axis, keepdims=True)


@op
class dropout:
    """y = x mask / (1 - p).   mask: 1 for what is kept, drawn with probability 1 - p.   Srivastava et al. 2014"""
    def forward(x, mask, *, p):
        if not 0 <= p < 1:
            raise ValueError(f"dropout: p is {p!r}, wants a share to drop, from 0 to below 1")
        y = x * mask * (1 / (1 - p))
        if y.shape != x.shape:
            raise ValueError(f"dropout: mask {mask.shape} is larger than x {x.shape}")
        return y
    def d_x(dy, mask, p): return dy * mask * (1 / (1 - p))
    d_mask = None
