"""Batch norm: the gradients of scale and shift

Lesson: 2_vision/04_vgg

y = gamma x_hat + beta, where x_hat (N, D) is the normalised x. Each feature has one gamma and one beta, which serve all
N examples. Write their gradients, d_gamma and d_beta, of the shape (D,). (keep(y, x_hat=x_hat) in forward returns y,
and keeps x_hat for the lines that ask for it by that name.)
"""

# %% stub
import numpy as np

from minigen.graph import keep


class batch_norm:
    """y = gamma (x - mean) / sqrt(var + eps) + beta.   x (N, D), gamma (D,), beta (D,)  ->  y (N, D)"""

    def forward(x, gamma, beta, *, eps):
        x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
        return keep(gamma * x_hat + beta, x_hat=x_hat)

    d_x = None  # the next exercise

    def d_gamma(dy, x_hat):
        return ...

    def d_beta(dy):
        return ...


# %% solution
def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=0)


def d_beta(dy):
    return dy.sum(axis=0)


# %% check
def check(answer, rng, examine):
    examine(answer.batch_norm, rng.normal(3, 2, size=(7, 5)), rng.normal(size=5), rng.normal(size=5), eps=0.01)


# %% hint: concept
# gamma was broadcast: one number for a whole column. So was beta. What is used N times gets N shares back, and they are
# added up.

# %% hint: formula
# d_gamma[d] = sum over n of dy[n, d] · x_hat[n, d]   and   d_beta[d] = sum over n of dy[n, d]

# %% hint: the line
# d_gamma:  return (dy * x_hat).sum(axis=0)
# d_beta:   return dy.sum(axis=0)


# %% wrong: x for x_hat
# gamma is multiplied with x_hat, the normalised input. Here its gradient is made of x, as it was before.
def d_gamma(dy, x):
    return (dy * x).sum(axis=0)


def d_beta(dy):
    return dy.sum(axis=0)


# %% wrong: summed to one number
# d_beta is added up over the features too, to one number. Each feature has a beta of its own: sum over the batch alone.
def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=0)


def d_beta(dy):
    return dy.sum()


# %% wrong: a mean
# Divided by N. Every example has its share in the gradient, and the shares add up; a mean over the batch, if there is
# one, is in dy already.
def d_gamma(dy, x_hat):
    return (dy * x_hat).mean(axis=0)


def d_beta(dy):
    return dy.mean(axis=0)


# %% wrong: not summed
# One gradient for each example, (N, D). But there is one gamma for all of them, (D,): add up over the batch.
def d_gamma(dy, x_hat):
    return dy * x_hat


def d_beta(dy):
    return dy


# %% wrong: gamma in it
# gamma is in its own gradient. The slope of gamma · x_hat, as gamma moves, is x_hat alone.
def d_gamma(dy, x_hat, gamma):
    return (dy * gamma * x_hat).sum(axis=0)


def d_beta(dy):
    return dy.sum(axis=0)
