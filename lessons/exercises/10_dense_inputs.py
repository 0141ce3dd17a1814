"""Dense: back to the layer below

Lesson: 1_foundations/04_backprop_by_hand

The x of a dense layer is what the layer below has computed, so d_x is what that layer will be handed as its dy: this
line carries the gradient down through a deep network. Write it for y = x @ w + b. The check also takes a layer with
as many outputs as inputs (D = M). There a wrong product has the right shape, too, so do not go by shapes alone.
"""

# %% stub
import numpy as np


class dense:
    """y = x @ w + b.   x (N, D), w (D, M), b (M,)  ->  y (N, M)"""

    def forward(x, w, b):
        return x @ w + b

    def d_x(dy, w):
        return ...

    def d_w(dy, x):
        return x.T @ dy

    def d_b(dy):
        return dy.sum(axis=0)


# %% solution
def d_x(dy, w):
    return dy @ w.T


# %% check
def check(answer, rng, examine):
    examine(answer.dense, rng.normal(size=(7, 5)), rng.normal(size=(5, 5)), rng.normal(size=5))
    examine(answer.dense, rng.normal(size=(7, 5)), rng.normal(size=(5, 3)), rng.normal(size=3))


# %% hint: concept
# On the way forward, w[i, j] carries x[n, i] to y[n, j]. On the way back, it carries the gradient of y[n, j] to
# x[n, i]: the same weight between the same two, the other way round.

# %% hint: formula
# d_x[n, i] = sum over j of dy[n, j] · w[i, j]. The sum is over the second index of both: as a matrix product, which of
# the two has to be turned?

# %% hint: the line
# return dy @ w.T


# %% wrong: not turned
# This sends dy through w forwards once more: it sums over w's first index. Between x and y the gradient goes the
# other way, from j to i, so w has to be turned. (A square w hides that: both ways have the right shape.)
def d_x(dy, w):
    return dy @ w


# %% wrong: the inverse
# This undoes the layer: it asks which x would have given dy. The gradient asks something else, how strongly the loss
# answers to x. It comes back through the same weights, turned round, not through their inverse.
def d_x(dy, w):
    return dy @ np.linalg.pinv(w)


# %% wrong: w alone
# This is the slope of y alone, the same whatever arrives from above. What arrives, dy, has to be multiplied with it.
def d_x(dy, w):
    return w.T


# %% wrong: a mean over the batch
# Divided by N, the batch size. The mean over the batch belongs to the loss, which has put its 1/N into dy already.
def d_x(dy, w):
    return dy @ w.T / len(dy)


# %% wrong: the rows added up
# This adds dy up over the batch, as for the bias. But each example has an x of its own, so each keeps its own row.
def d_x(dy, w):
    return dy.sum(axis=0) @ w.T
