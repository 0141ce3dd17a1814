"""Moving entries without changing them: each op's gradient moves the entries back."""
# fmt: off

import builtins
from numbers import Integral

from minigen.backend import current, xp
from minigen.graph import op, unbroadcast


@op
class reshape:
    """y = x in another shape; one length may be -1"""
    def forward(x, *, shape): return x.reshape(shape)
    def d_x(dy, x_shape):     return dy.reshape(x_shape)


@op
class transpose:
    """y = x with its axes in another order; all reversed by default"""
    def forward(x, *, axes=None): return x.transpose(axes)
    def d_x(dy, axes):            return transpose(dy, axes=axes and inverse(axes))


def inverse(axes):
    """The order of axes that undoes another: transposing by both is the identity."""
    order = [a % len(axes) for a in axes]
    return tuple(order.index(i) for i in range(len(axes)))


@op
class expand_dims:
    """y = x with a new axis of length 1 at `axis`"""
    def forward(x, *, axis): return xp.expand_dims(x, axis)
    def d_x(dy, x_shape):    return dy.reshape(x_shape)


@op
class squeeze:
    """y = x without its axes of length 1, or without those named"""
    def forward(x, *, axis=None): return x.squeeze(axis)
    def d_x(dy, x_shape):         return dy.reshape(x_shape)


@op
class broadcast_to:
    """y = x repeated along its axes of length 1, and along new first axes, to fill shape"""
    def forward(x, *, shape): return xp.broadcast_to(x, shape)
    def d_x(dy, x_shape):     return unbroadcast(dy, x_shape)


@op
class getitem:
    """y = x[index];   index: what NumPy takes, as ints, slices, arrays of ints (with repeats), masks"""
    def forward(x, *, index):     return x[index]
    def d_x(dy, x_shape, index):  return scatter(dy, shape=x_shape, index=index)


@op
class scatter:
    """y = 0, and y[index] += x, adding where an index repeats. The transpose of getitem"""
    def forward(x, *, shape, index):
        y = xp.zeros(shape, dtype=x.dtype)
        if _may_repeat(index):
            add_at(y, index, x)
        else:
            y[index] = x
        return y
    def d_x(dy, index): return getitem(dy, index=index)


def add_at(y, index, x):
    """y[index] += x, adding where an index repeats.

    Rows named by one array of integers are sorted, and each run summed: four times as fast as numpy.add.at.
    """
    rows = getattr(index, "size", 0)
    if current() != "numpy" or not rows or y.ndim < 2:
        xp.add.at(y, index, x)
        return
    index = index.ravel().astype(int, copy=False) % len(y)               # -1 is the last row, as len(y) - 1 is
    order = index.argsort(kind="stable")
    ids = index[order]
    starts = xp.flatnonzero(xp.concatenate(([True], ids[1:] != ids[:-1])))
    y[ids[starts]] += xp.add.reduceat(x.reshape(rows, *y.shape[1:])[order], starts, axis=0)


def _may_repeat(index):
    """Whether an index may name an entry twice: it holds an array or a list of integers."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(p, list) or hasattr(p, "dtype") and p.dtype.kind in "iu" and p.ndim > 0 for p in parts)


@op
class concatenate:
    """y = the xs joined along an axis"""
    def forward(*xs, axis=0):
        if not isinstance(axis, Integral):
            raise TypeError(f"concatenate: axis is {axis!r}, wants an int; to join flat, .reshape(-1) each first")
        return xp.concatenate(xs, axis=axis)
    def backward(dy, xs_shape, axis):
        ends = [builtins.sum(shape[axis] for shape in xs_shape[: i + 1]) for i in range(len(xs_shape) - 1)]
        return split(dy, sections=ends, axis=axis)


@op
class split:
    """ys = x cut along an axis: into so many equal sections, or before each index of a list, as numpy.split"""
    outputs = "*ys"
    def forward(x, *, sections, axis=0):
        n = x.shape[axis]
        starts = [] if isinstance(sections, Integral) else [max(i + n, 0) if i < 0 else i for i in sections]
        if starts != sorted(starts):                                    # the pieces would overlap
            raise ValueError(f"split: sections are {sections!r}, wants a number of them, or indices that rise")
        return xp.split(x, sections, axis=axis)
    def d_x(d_ys, axis):                 return concatenate(*d_ys, axis=axis)


@op
class stack:
    """y = the xs, all of one shape, side by side along a new axis"""
    def forward(*xs, axis=0):         return xp.stack(xs, axis=axis)
    def backward(dy, xs_shape, axis):
        axis = axis % (len(xs_shape[0]) + 1)
        return [dy[(slice(None),) * axis + (i,)] for i in range(len(xs_shape))]


@op
class pad:
    """y = x with `value` around it;   width: ((before, after), ...), a pair for each axis, or one or an int for all"""
    def forward(x, *, width, value=0): return xp.pad(x, pairs(width, x.ndim), constant_values=value)
    def d_x(dy, x_shape, width):
        before = [b for b, _ in pairs(width, len(x_shape))]
        return dy[tuple(slice(b, b + n) for b, n in zip(before, x_shape, strict=True))]


def pairs(width, ndim):
    """What pad takes as its width, as (before, after) for each axis."""
    each = (width, width) if isinstance(width, Integral) else width
    each = [each] * ndim if isinstance(each[0], Integral) else each
    if len(each) != ndim or any(len(pair) != 2 for pair in each):
        raise ValueError(f"width is {width!r}, wants a pair (before, after) for each of {ndim} axes, or one for all")
    return each


@op
class flip:
    """y = x in reverse order along axis (None: along all)"""
    def forward(x, *, axis=None): return xp.flip(x, axis=axis)
    def d_x(dy, axis):            return flip(dy, axis=axis)
