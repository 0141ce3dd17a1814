"""Batch norm

Lesson: 2_vision/04_vgg

A layer learns best from inputs of a steady size. Batch norm sees to it, for each feature by itself: over the N examples
of the batch, it subtracts the feature's mean and divides by its standard deviation, the root of var + eps. (eps is
small, and keeps the root from being 0. var is the mean of the squared distances from the mean.) The result, x_hat, has
mean 0 and variance 1. Then each feature may choose a scale and a shift of its own, which are learned: y = gamma x_hat +
beta. Write it.
"""

# %% stub
import numpy as np


def batch_norm(x, gamma, beta, eps):
    """y = gamma (x - mean) / sqrt(var + eps) + beta.   x (N, D), gamma (D,), beta (D,)  ->  y (N, D)"""
    return ...


# %% solution
def batch_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    return gamma * x_hat + beta


# %% check
def check(answer, rng, compare):
    for N, D in (7, 5), (3, 2), (5, 11):
        x = rng.normal(3, 2, size=(N, D))
        compare(answer.batch_norm, x, rng.normal(size=D), rng.normal(size=D), rng.uniform(0.01, 0.1))


# %% hint: concept
# A feature is a column of x. Each column has one mean and one variance, so of both there are D: what is averaged over
# are the rows.

# %% hint: formula
# mean = (sum over n of x[n]) / N,   var = (sum over n of (x[n] - mean)²) / N,   x_hat = (x - mean) / sqrt(var + eps),
# y = gamma · x_hat + beta. Arrays have .mean(axis=...) and .var(axis=...).

# %% hint: the line
# x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
# return gamma * x_hat + beta


# %% wrong: over the features
# Each example is normalised over its own features here: mean and variance are those of a row. Batch norm takes them of
# a column: of one feature, over the batch.
def batch_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + eps)
    return gamma * x_hat + beta


# %% wrong: the root left out
# Divided by the variance. What brings the variance to 1 is dividing by its root, the standard deviation.
def batch_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=0)) / (x.var(axis=0) + eps)
    return gamma * x_hat + beta


# %% wrong: eps outside the root
# eps was added to the standard deviation. It belongs to the variance, under the root.
def batch_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=0)) / (np.sqrt(x.var(axis=0)) + eps)
    return gamma * x_hat + beta


# %% wrong: over N - 1
# This variance is divided by N - 1. That is the better guess at the variance of all the data there could be; batch norm
# normalises with the variance of this very batch: divide by N.
def batch_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + eps)
    return gamma * x_hat + beta


# %% wrong: gamma and beta left out
# This is x_hat, and right so far. The scale gamma and the shift beta, which each feature learns, are missing.
def batch_norm(x, gamma, beta, eps):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
