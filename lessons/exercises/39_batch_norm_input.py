"""Batch norm: the gradient of the input

Lesson: 2_vision/04_vgg

If one x[n, d] grows, it moves x_hat in three ways: its own entry grows, the mean of its column grows, and so does the
column's standard deviation, std. The last two are felt by all N examples. What is left over, once the three are added
up, is simple. Let g = dy · gamma be the gradient of x_hat. Subtract from g its mean over the batch (that undoes the
common shift), and x_hat times the mean over the batch of g · x_hat (that undoes the common stretch); divide by std.
Write d_x so.
"""

# %% stub
import numpy as np

from minigen.graph import keep


class batch_norm:
    """y = gamma (x - mean) / sqrt(var + eps) + beta.   x (N, D), gamma (D,), beta (D,)  ->  y (N, D)"""

    def forward(x, gamma, beta, *, eps):
        std = np.sqrt(x.var(axis=0) + eps)  # (D,)
        x_hat = (x - x.mean(axis=0)) / std  # (N, D)
        return keep(gamma * x_hat + beta, x_hat=x_hat, std=std)

    def d_x(dy, gamma, x_hat, std):
        return ...

    def d_gamma(dy, x_hat):
        return (dy * x_hat).sum(axis=0)

    def d_beta(dy):
        return dy.sum(axis=0)


# %% solution
def d_x(dy, gamma, x_hat, std):
    g = dy * gamma
    return (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std


# %% check
def check(answer, rng, examine):
    examine(answer.batch_norm, rng.normal(3, 2, size=(7, 5)), rng.normal(size=5), rng.normal(size=5), eps=0.01)


# %% hint: concept
# If all x of a column grow by the same number, x_hat stays as it is; so the entries of d_x, in a column, add up to 0.
# (And nearly the same if all are stretched.) The two terms that are subtracted see to just that.

# %% hint: formula
# g = dy · gamma,   d_x = (g - mean of g - x_hat · mean of (g · x_hat)) / std,   both means over the batch, (D,)

# %% hint: the line
# g = dy * gamma
# return (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std


# %% wrong: mean and std as constants
# Mean and std are treated as if they were given numbers. They are made of x too: if x[n, d] moves they move, and with
# them all examples. The two terms that are subtracted are missing.
def d_x(dy, gamma, x_hat, std):
    return dy * gamma / std


# %% wrong: gamma left out
# gamma is missing. x_hat is multiplied with it on the way to y, so what comes back is multiplied with it too.
def d_x(dy, gamma, x_hat, std):
    return (dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0)) / std


# %% wrong: std as a constant
# The way through the mean is there, the way through std is not: the term with x_hat is missing.
def d_x(dy, gamma, x_hat, std):
    g = dy * gamma
    return (g - g.mean(axis=0)) / std


# %% wrong: the mean as a constant
# The way through std is there, the way through the mean is not: subtract the mean of g as well.
def d_x(dy, gamma, x_hat, std):
    g = dy * gamma
    return (g - x_hat * (g * x_hat).mean(axis=0)) / std


# %% wrong: sums for means
# These are sums over the batch where means belong. One example has only an N-th part in the mean of its column, and so
# the shares that come back through it are divided by N.
def d_x(dy, gamma, x_hat, std):
    g = dy * gamma
    return (g - g.sum(axis=0) - x_hat * (g * x_hat).sum(axis=0)) / std
