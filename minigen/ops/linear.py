"""Matrix products."""
# fmt: off

import math

from minigen.backend import xp
from minigen.graph import op, unbroadcast
from minigen.ops.shaping import expand_dims, scatter
from minigen.threads import shared_product


def same_floats(op_name, **arrays):
    """Refuse what would silently promote or truncate: integers, and float32 meeting float64."""
    kinds = {getattr(a, "dtype", None) for a in arrays.values() if a is not None}
    if len(kinds) == 1 and getattr(next(iter(kinds)), "kind", "") == "f":
        return
    given = {name: a for name, a in arrays.items() if a is not None}
    for name, a in given.items():
        if getattr(a, "dtype", None) is None or a.dtype.kind != "f":
            raise TypeError(
                f"{op_name}: {name} holds {getattr(a, 'dtype', type(a).__name__)}, wants floating-point numbers; "
                f"convert with .astype('float32')"
            )
    if len(kinds) > 1:
        got = ", ".join(f"{name} is {a.dtype}" for name, a in given.items())
        raise TypeError(f"{op_name}: {got}; wants one type: convert one side with .astype(...)")


def column_sums(x):
    """x summed over all axes but the last, as a product with ones: five times as fast as .sum(axis=...) on large x."""
    if x.ndim > 2 and x.shape[-1] < 16 and math.prod(x.shape[:-2]) >= x.shape[-2]:
        rows = x.reshape(math.prod(x.shape[:-2]), x.shape[-2] * x.shape[-1])
        return column_sums(rows).reshape(x.shape[-2:]).sum(axis=0)      # short rows, several in one (11 us, 59)
    flat = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return xp.ones(len(flat), dtype=x.dtype) @ flat


@op
class matmul:
    """y = a @ b, as NumPy does it: 1-D, 2-D, and stacks of matrices with broadcast first axes"""
    def forward(a, b):
        same_floats("matmul", a=a, b=b)
        return shared_product(a, b)
    def d_a(dy, b, a_shape):
        if b.ndim == 1:       return unbroadcast(expand_dims(dy, axis=-1) * b, a_shape)         # (..., N, 1) (K,)
        if len(a_shape) == 1: dy = expand_dims(dy, axis=-2)                                     # a is one row
        return unbroadcast(dy @ b.swapaxes(-1, -2), a_shape)
    def d_b(dy, a, b_shape):
        if len(b_shape) == 1: return unbroadcast(expand_dims(dy, axis=-1) * a, b_shape)        # (..., N, 1) (..., N, K)
        if a.ndim == 1:       return unbroadcast(expand_dims(a, axis=-1) * expand_dims(dy, axis=-2), b_shape)
        return unbroadcast(a.swapaxes(-1, -2) @ dy, b_shape)


@op
class dense:
    """y = x @ w + b.   x (N, D), w (D, M), b (M,) or None  ->  y (N, M)"""
    def forward(x, w, b=None):
        same_floats("dense", x=x, w=w, b=b)
        if x.ndim != 2 or w.ndim != 2:                      # NumPy would go on, and d_w be wrong
            raise ValueError(f"dense: x has shape {x.shape} and w {w.shape}, wants x (N, D) and w (D, M); "
                             "nn.Dense folds leading axes")
        if b is not None and b.shape != w.shape[1:]:
            raise ValueError(f"dense: b has shape {b.shape}, w {w.shape} wants {w.shape[1:]}")
        y = shared_product(x, w)
        if b is not None: y += b
        return y
    def d_x(dy, w):       return dy @ w.T
    def d_w(dy, x):       return x.T @ dy
    def d_b(dy):          return dy.sum(axis=0)
    def explain(x, w, b=None):
        if x.shape[1] != w.shape[0]:
            return f"x has {x.shape[1]} features (axis 1), w wants {w.shape[0]}"


@op
class embedding:
    """y = w[ids].   ids, integers of any shape, w (V, D)  ->  y (*ids.shape, D)"""
    def forward(ids, w):
        if ids.dtype.kind not in "iu":
            raise TypeError(f"embedding: ids are {ids.dtype}, wants integers")
        if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < len(w):
            raise IndexError(f"embedding: ids run from {int(ids.min())} to {int(ids.max())}, wants 0 to {len(w) - 1}")
        return w[ids]
    d_ids = None
    def d_w(dy, ids, w_shape): return scatter(dy, shape=w_shape, index=ids)
