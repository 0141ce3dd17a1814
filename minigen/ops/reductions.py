"""Reductions over any axes: an int, a tuple of ints, or None for all of them; keepdims as in NumPy."""
# fmt: off

import math

from minigen.backend import xp
from minigen.graph import op
from minigen.ops.arithmetic import exp
from minigen.ops.shaping import broadcast_to


def normal_axes(axis, ndim):
    """axis as a tuple of non-negative ints."""
    axis = range(ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(a % ndim for a in axis) if ndim else ()


def restored(y, x_shape, axis, keepdims):
    """y, of a reduction over `axis`, with the reduced axes back as axes of length 1, so that it broadcasts with x."""
    if keepdims or axis is None and not x_shape:
        return y
    gone = normal_axes(axis, len(x_shape))
    return y.reshape(tuple(1 if i in gone else n for i, n in enumerate(x_shape)))


def count(x_shape, axis):
    """How many entries of x go into one entry of the reduction."""
    return math.prod(x_shape[i] for i in normal_axes(axis, len(x_shape)))


def _refuse_empty(name, x, axis):
    if count(x.shape, axis) == 0:
        raise ValueError(f"{name}: x {x.shape} has no entries along axis {axis}; an empty batch has no {name}")


@op
class sum:
    """y = sum of x over axis"""
    def forward(x, *, axis=None, keepdims=False): return x.sum(axis=axis, keepdims=keepdims)
    def d_x(dy, x_shape, axis, keepdims):
        return broadcast_to(restored(dy, x_shape, axis, keepdims), shape=x_shape)


@op
class mean:
    """y = sum of x over axis / n,   n entries along axis"""
    def forward(x, *, axis=None, keepdims=False):
        _refuse_empty("mean", x, axis)
        return x.mean(axis=axis, keepdims=keepdims)
    def d_x(dy, x_shape, axis, keepdims):
        return broadcast_to(restored(dy / count(x_shape, axis), x_shape, axis, keepdims), shape=x_shape)


@op
class var:
    """y = sum of (x - mean)^2 over axis / (n - ddof);   ddof 0: the biased variance, 1: the unbiased one"""
    def forward(x, *, axis=None, ddof=0, keepdims=False):
        if count(x.shape, axis) <= ddof:
            n = count(x.shape, axis)
            raise ValueError(f"var: x {x.shape} has {n} entries along axis {axis}, wants more than {ddof}")
        return x.var(axis=axis, ddof=ddof, keepdims=keepdims)
    def d_x(dy, x, axis, ddof, keepdims):
        centred = x - x.mean(axis=axis, keepdims=True)
        return restored(dy, x.shape, axis, keepdims) * centred * (2 / (count(x.shape, axis) - ddof))


def _share(x, y, axis):
    """1 where x holds the extreme value y, divided among ties, else 0; of x's dtype."""
    ties = (x == y).astype(x.dtype)
    return ties / ties.sum(axis=axis, keepdims=True)


@op
class max:
    """y = the largest entry of x over axis; equal ones share the gradient"""
    def forward(x, *, axis=None, keepdims=False):
        _refuse_empty("max", x, axis)
        return x.max(axis=axis, keepdims=keepdims)
    def d_x(dy, x, y, axis, keepdims):
        return restored(dy, x.shape, axis, keepdims) * _share(x, restored(y, x.shape, axis, keepdims), axis)


@op
class min:
    """y = the smallest entry of x over axis; equal ones share the gradient"""
    def forward(x, *, axis=None, keepdims=False):
        _refuse_empty("min", x, axis)
        return x.min(axis=axis, keepdims=keepdims)
    def d_x(dy, x, y, axis, keepdims):
        return restored(dy, x.shape, axis, keepdims) * _share(x, restored(y, x.shape, axis, keepdims), axis)


@op
class logsumexp:
    """y = ln(sum of e^x over axis), without overflow"""
    def forward(x, *, axis=None, keepdims=False):
        _refuse_empty("logsumexp", x, axis)
        largest = x.max(axis=axis, keepdims=True)
        shift = xp.where(xp.isfinite(largest), largest, 0)               # all -inf: the result is -inf, not nan
        total = xp.exp(x - shift).sum(axis=axis, keepdims=True)
        y = xp.log(total + (total == 0)) + largest
        return y if keepdims else y.squeeze(axis)
    def d_x(dy, x, y, axis, keepdims):
        return restored(dy, x.shape, axis, keepdims) * exp(x - restored(y, x.shape, axis, keepdims))
