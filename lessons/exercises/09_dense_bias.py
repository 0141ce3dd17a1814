"""Dense: the gradient of the bias

Lesson: 1_foundations/04_backprop_by_hand

A dense layer may be handed more than a table: N examples, each of T parts (the rows of an image, say), each part D
numbers. Every part goes through the same layer, y = x @ w + b, so the bias b, M numbers, is added N · T times. The
gradient dy (N, T, M) arrives from above. Write d_b. The other two gradients are there already.
"""

# %% stub
import numpy as np


class dense:
    """y = x @ w + b.   x (N, T, D), w (D, M), b (M,)  ->  y (N, T, M)"""

    def forward(x, w, b):
        return x @ w + b

    def d_x(dy, w):
        return dy @ w.T

    def d_w(dy, x):
        rows = x.reshape(-1, x.shape[2])  # (N T, D): all parts of all examples, one below the other
        return rows.T @ dy.reshape(-1, dy.shape[2])

    def d_b(dy):
        return ...


# %% solution
def d_b(dy):
    return dy.sum(axis=(0, 1))


# %% check
def check(answer, rng, examine):
    examine(answer.dense, rng.normal(size=(7, 2, 5)), rng.normal(size=(5, 3)), rng.normal(size=3))


# %% hint: concept
# b[m] is added to y[n, t, m] for every example n and every part t. It reaches the loss on N · T paths, each with slope
# 1, and where paths meet, their gradients add up.

# %% hint: formula
# d_b[m] = sum over n and t of dy[n, t, m]: a sum over the first two of the three axes. It has the shape of b, (M,).

# %% hint: the line
# return dy.sum(axis=(0, 1))


# %% wrong: not added up
# dy has one gradient for each time b was added; b itself is only M numbers. Add up over all examples and parts.
def d_b(dy):
    return dy


# %% wrong: over the examples only
# This adds up over the N examples, and leaves the parts apart. b was added to every part, too: sum over both axes.
def d_b(dy):
    return dy.sum(axis=0)


# %% wrong: one number
# This adds up everything, to one number. Each of the M entries of b has a gradient of its own: keep the last axis.
def d_b(dy):
    return np.sum(dy)


# %% wrong: axes kept
# The numbers are right, but the shape is (1, 1, M), and b has (M,): sum without keepdims.
def d_b(dy):
    return dy.sum(axis=(0, 1), keepdims=True)


# %% wrong: a mean
# A mean divides by N · T. Each time b was added counts in full; if the loss is a mean, that is in dy already.
def d_b(dy):
    return dy.mean(axis=(0, 1))
