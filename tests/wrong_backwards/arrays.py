"""Broadcasting, reductions, indexing, moving entries."""

import numpy as np

from wrong_backwards.form import Family, Planted, normal, positive

WRONG: list[Planted] = []


class add_rows:
    """y = x + b.   x (N, D), b (D,)"""

    def forward(x, b):
        return x + b

    def d_x(dy):
        return dy

    def d_b(dy):
        return dy.sum(axis=0)


f = Family(add_rows, lambda: (normal(5, 5), normal(5)), WRONG)
f("summed over the wrong axis", "axis", d_b=lambda dy: dy.sum(axis=1))
f("not summed", "sum", d_b=lambda dy: dy.copy())
f("a mean", "5", d_b=lambda dy: dy.mean(axis=0))


class scale_columns:
    """y = x s.   x (N, D), s (N, 1)"""

    def forward(x, s):
        return x * s

    def d_x(dy, s):
        return dy * s

    def d_s(dy, x):
        return (dy * x).sum(axis=1, keepdims=True)


f = Family(scale_columns, lambda: (normal(5, 3), positive(5, 1)), WRONG)
f("keepdims lost", "shape, axis of length 1|reshape|keepdims", d_s=lambda dy, x: (dy * x).sum(axis=1))
f("x left out of d_s", "x", d_s=lambda dy, x: dy.sum(axis=1, keepdims=True))
f("s left out of d_x", "s, left out", d_x=lambda dy: dy.copy())
f("not summed", "sum", d_s=lambda dy, x: dy * x)


class total:
    """y = sum of x over axis 1.   x (N, D) -> (N,)"""

    def forward(x):
        return x.sum(axis=1)

    def d_x(dy, x_shape):
        return np.broadcast_to(dy[:, None], x_shape) * 1.0


f = Family(total, lambda: (normal(4, 4),), WRONG)
f("spread along the wrong axis", "axis|transpos", d_x=lambda dy, x_shape: np.broadcast_to(dy[None, :], x_shape) * 1.0)
f("not spread", "broadcast", d_x=lambda dy: dy[:, None])
f("divided by D", "4", d_x=lambda dy, x_shape: np.broadcast_to(dy[:, None], x_shape) / x_shape[1])


class largest:
    """y = the largest entry of each row.   x (N, D) -> (N,)"""

    def forward(x):
        return x.max(axis=1)

    def d_x(dy, x):
        return dy[:, None] * (x == x.max(axis=1, keepdims=True))


f = Family(largest, lambda: (normal(5, 4),), WRONG)
f("every entry", "mask|max", d_x=lambda dy, x: dy[:, None] * np.ones_like(x))
f("the smallest entry", "wrong entries|index|mask", d_x=lambda dy, x: dy[:, None] * (x == x.min(axis=1, keepdims=True)))
f("the value multiplied in", "x|y", d_x=lambda dy, x: dy[:, None] * (x == x.max(axis=1, keepdims=True)) * x)


class transpose:
    """y = x.T.   x (N, D) -> (D, N)"""

    def forward(x):
        return x.T * 1.0

    def d_x(dy):
        return dy.T


f = Family(transpose, lambda: (normal(3, 4),), WRONG)
f("reshape for .T", "reshape|transpos", d_x=lambda dy, x_shape: dy.reshape(x_shape))
f("not transposed", "transpos", d_x=lambda dy: dy.copy())

f = Family(transpose, lambda: (normal(4, 4),), WRONG)
f("not transposed, square", "transpos", d_x=lambda dy: dy.copy())


class permute:
    """y = x with its columns in another order.   x (N, D), order (D,)"""

    def forward(x, order):
        return x[:, order]

    def d_x(dy, order):
        return dy[:, np.argsort(order)]

    d_order = None


f = Family(permute, lambda: (normal(3, 5), np.array([2, 0, 3, 4, 1])), WRONG)
f("the same permutation for the inverse", "permutation|inverse", d_x=lambda dy, order: dy[:, order])
f("not permuted", "order|place|index|permut", d_x=lambda dy: dy.copy())


class roll:
    """y = x rolled by 2 along axis 1"""

    def forward(x):
        return np.roll(x, 2, axis=1)

    def d_x(dy):
        return np.roll(dy, -2, axis=1)


f = Family(roll, lambda: (normal(3, 5),), WRONG)
f("rolled the same way", "inverse|roll|offset", d_x=lambda dy: np.roll(dy, 2, axis=1))


class flip:
    """y = x reversed along axis 1"""

    def forward(x):
        return x[:, ::-1] * 1.0

    def d_x(dy):
        return dy[:, ::-1]


f = Family(flip, lambda: (normal(3, 5),), WRONG)
f("not undone", "flip", d_x=lambda dy: dy.copy())


class repeat:
    """y = each entry three times, side by side.   x (N,) -> (3 N,)"""

    def forward(x):
        return x.repeat(3)

    def d_x(dy):
        return dy.reshape(-1, 3).sum(axis=1)


f = Family(repeat, lambda: (normal(5),), WRONG)
f("tile for repeat", "tile", d_x=lambda dy: dy.reshape(3, -1).sum(axis=0))
f("one copy of three", "sum|outputs|contributions|overwrit", d_x=lambda dy: dy[::3].copy())


class pick:
    """y = x[rows].   x (V, D), rows (N,) with repeats"""

    def forward(x, rows):
        return x[rows]

    def d_x(dy, x, rows):
        d = np.zeros_like(x)
        np.add.at(d, rows, dy)
        return d

    d_rows = None


def _assigned(dy, x, rows):
    d = np.zeros_like(x)
    d[rows] = dy
    return d


f = Family(pick, lambda: (normal(5, 3), np.array([0, 2, 2, 4, 0, 2])), WRONG)
f("= for +=", "repeated, +=", d_x=_assigned)


class cut:
    """y = x[:, 1:4].   x (N, D)"""

    def forward(x):
        return x[:, 1:4] * 1.0

    def d_x(dy, x):
        d = np.zeros_like(x)
        d[:, 1:4] = dy
        return d


def _cut_at(start):
    def d_x(dy, x):
        d = np.zeros_like(x)
        d[:, start : start + 3] = dy
        return d

    return d_x


f = Family(cut, lambda: (normal(3, 6),), WRONG)
f("put back one place off", "offset|shift|roll|index", d_x=_cut_at(2))
f("not put back", "shape, slice|crop|sum|pad|place", d_x=lambda dy: dy.copy())


class join:
    """y = a and b side by side.   a (N, D), b (N, E)"""

    def forward(a, b):
        return np.concatenate([a, b], axis=1)

    def d_a(dy, a):
        return dy[:, : a.shape[1]]

    def d_b(dy, a):
        return dy[:, a.shape[1] :]


f = Family(join, lambda: (normal(3, 4), normal(3, 4, seed=1)), WRONG)
f("swapped", "swapped", d_a=lambda dy, a: dy[:, a.shape[1] :], d_b=lambda dy, a: dy[:, : a.shape[1]])


class norm:
    """y = sqrt(sum of x^2) of each row.   x (N, D) -> (N,)"""

    def forward(x):
        return np.sqrt((x * x).sum(axis=1))

    def d_x(dy, x, y):
        return dy[:, None] * x / y[:, None]


f = Family(norm, lambda: (normal(5, 3),), WRONG)
f("not divided by the norm", "y|np.sqrt", d_x=lambda dy, x: dy[:, None] * x)
f("divided by the square", "y|np.sqrt", d_x=lambda dy, x, y: dy[:, None] * x / y[:, None] ** 2)
f("2 left in", "2", d_x=lambda dy, x, y: 2 * dy[:, None] * x / y[:, None])


class running:
    """y = cumulative sum along axis 1"""

    def forward(x):
        return np.cumsum(x, axis=1)

    def d_x(dy):
        return np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]


f = Family(running, lambda: (normal(3, 5),), WRONG)
f("summed the same way", "forward|transpos|inverse|time", d_x=lambda dy: np.cumsum(dy, axis=1))
f("passed on", "sum|carry|cumsum|diagonal|left out", d_x=lambda dy: dy.copy())
