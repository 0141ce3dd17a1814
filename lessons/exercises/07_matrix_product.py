"""The matrix product, backwards

Lesson: 1_foundations/03_layers_as_matrices

In y = a @ b, each entry of y is a sum: y[n, m] = sum over k of a[n, k] · b[k, m]. So a[n, k] goes into the whole row n
of y, each time multiplied by an entry of row k of b. The gradient dy (N, M) arrives from above, an entry for each of
y. Write d_a: how strongly the loss answers to each entry of a. Here b is data, and needs no gradient.
"""

# %% stub
import numpy as np


class matrix_product:
    """y = a @ b.   a (N, K), b (K, M)  ->  y (N, M)"""

    def forward(a, b):
        return a @ b

    def d_a(dy, b):
        return ...

    d_b = None  # b is data


# %% solution
def d_a(dy, b):
    return dy @ b.T


# %% check
def check(answer, rng, examine):
    examine(answer.matrix_product, rng.normal(size=(7, 5)), rng.normal(size=(5, 3)))


# %% hint: concept
# Take one entry, a[n, k]. If it moves, y[n, 0], y[n, 1], ... y[n, M - 1] all move, y[n, m] by b[k, m] times as much.
# Those are M paths, so there are M products of a gradient and a slope, and they add up.

# %% hint: formula
# d_a[n, k] = sum over m of dy[n, m] · b[k, m]. A sum over an inner index is a matrix product: which of dy (N, M) and
# b (K, M) has to be turned, so that m is inside, and the result has the shape of a, (N, K)?

# %% hint: the line
# return dy @ b.T


# %% wrong: b not turned
# dy is (N, M) and b is (K, M): next to each other stand M and K, which do not fit. The sum is over m, the columns of
# both, so b has to be turned.
def d_a(dy, b):
    return dy @ b


# %% wrong: the result turned
# The numbers are right, but turned: d_a has to have the shape of a, (N, K), and this is (K, N).
def d_a(dy, b):
    return b @ dy.T


# %% wrong: b alone
# For numbers, the slope of a · b is b. Here it is the slope from one entry of a to one of y. On its way back, each has
# to be multiplied by what arrives at that entry of y, dy, and they have to be added up: by a product of matrices.
def d_a(dy, b):
    return b.T


# %% wrong: the rows added up
# dy is added up over its rows here. But row n of a goes into row n of y alone, so each row keeps its own gradient.
def d_a(dy, b):
    return np.sum(dy, axis=0) @ b.T


# %% wrong: a mean over the rows
# Divided by N, the number of rows. Nothing was averaged on the way forward, so nothing is divided on the way back.
def d_a(dy, b):
    return dy @ b.T / len(dy)
