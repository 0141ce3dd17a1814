"""Unbroadcasting

Lesson: 1_foundations/03_layers_as_matrices

NumPy adds a bias b of shape (3,) to an x of shape (7, 3) by using b seven times: it broadcasts. On the way back, the
gradient dy has the shape (7, 3), but the gradient of b needs the shape of b. Every copy of b has its share in the
loss, so the shares are added up: sum over the axes along which b was repeated. Write that for any two shapes. An
axis was repeated where the shape says 1 and dy says more, and where dy has axes that the shape lacks: those in front.
"""


# %% stub
def unbroadcast(dy, shape):
    """dy, summed to `shape`, which NumPy had broadcast to dy.shape."""
    return ...


# %% solution
def unbroadcast(dy, shape):
    extra = dy.ndim - len(shape)
    dy = dy.sum(axis=tuple(range(extra)))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1)
    return dy.sum(axis=repeated, keepdims=True)


# %% check
def check(answer, rng, compare):
    pairs = [
        ((7, 3), (3,)),
        ((7, 3), (7, 3)),
        ((7, 3), (7, 1)),
        ((5, 7, 3), (1, 3)),
        ((2, 5, 7, 3), (5, 1, 3)),
        ((7,), ()),
    ]
    for full, shape in pairs:
        compare(answer.unbroadcast, rng.normal(size=full), shape)


# %% hint: concept
# Broadcasting does two things, one after the other: it puts new axes in front until both have as many, then it
# repeats along the axes of length 1. Undo the two in turn, each with a sum.

# %% hint: formula
# With extra = dy.ndim - len(shape): sum over the axes 0 ... extra - 1, which vanish; then over each axis whose length
# in `shape` is 1, which stays, with length 1.

# %% hint: the line
# dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
# return dy.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


# %% wrong: only the axes in front
# The new axes in front are summed, but an axis of length 1, as in (7, 1), was repeated too.
def unbroadcast(dy, shape):
    return dy.sum(axis=tuple(range(dy.ndim - len(shape))))


# %% wrong: keepdims left out
# An axis of length 1 is an axis: (7, 1) is not (7,). Sum over it with keepdims=True.
def unbroadcast(dy, shape):
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    return dy.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1))


# %% wrong: a mean
# Each copy has its own share in the loss, and the shares add up. A mean divides by the number of copies.
def unbroadcast(dy, shape):
    dy = dy.mean(axis=tuple(range(dy.ndim - len(shape)))) if dy.ndim > len(shape) else dy
    return dy.mean(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True) if 1 in shape else dy


# %% wrong: the first copy alone
# This takes the share of one copy, and forgets those of all the others.
def unbroadcast(dy, shape):
    for _ in range(dy.ndim - len(shape)):
        dy = dy[0]
    return dy[tuple(slice(0, n) for n in shape)]
