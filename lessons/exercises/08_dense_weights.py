"""Dense: the gradient of the weights

Lesson: 1_foundations/04_backprop_by_hand

A dense layer computes y = x @ w + b: N examples with D features go in as the rows of x, M numbers for each come out.
The gradient dy (N, M) arrives from above and says how strongly the loss answers to each entry of y. Write d_w: how
strongly it answers to each weight. The other two gradients are there already.
"""

# %% stub
import numpy as np


class dense:
    """y = x @ w + b.   x (N, D), w (D, M), b (M,)  ->  y (N, M)"""

    def forward(x, w, b):
        return x @ w + b

    def d_x(dy, w):
        return dy @ w.T

    def d_w(dy, x):
        return ...

    def d_b(dy):
        return dy.sum(axis=0)


# %% solution
def d_w(dy, x):
    return x.T @ dy


# %% check
def check(answer, rng, examine):
    examine(answer.dense, rng.normal(size=(7, 5)), rng.normal(size=(5, 3)), rng.normal(size=3))


# %% hint: concept
# The weight w[i, j] carries x[n, i] into y[n, j], in every row n. So its gradient adds up, over all rows, what it
# carried times what arrived where it carried it to.

# %% hint: formula
# d_w[i, j] = sum over n of x[n, i] · dy[n, j]. A sum over an inner index is a matrix product: which of x and dy has to
# be turned so that n is inside, and the result has the shape of w, (D, M)?

# %% hint: the line
# return x.T @ dy


# %% wrong: turned
# The numbers are right, but turned: d_w has to have the shape of w, (D, M), and this is its transpose.
def d_w(dy, x):
    return dy.T @ x


# %% wrong: a mean over the batch
# Divided by N, the batch size. The mean over the batch belongs to the loss, which has put its 1/N into dy already.
def d_w(dy, x):
    return x.T @ dy / len(x)


# %% wrong: the upstream gradient left out
# This ignores how much the loss cares for each output: dy, the gradient from above, has to be in it.
def d_w(dy, x):
    return x.T @ np.ones_like(dy)


# %% wrong: turned the wrong one
# x is (N, D) and dy is (N, M): for a product over the rows n, x has to be turned, x.T is (D, N). Look at the shapes.
def d_w(dy, x):
    return x @ dy
