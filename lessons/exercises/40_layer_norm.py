"""Layer norm: over which axis?

Lesson: 2_vision/04_vgg

Batch norm needs a batch. Layer norm does without: each example is normalised by itself, over its D features. If the
examples are sequences, x (N, T, D), say N texts of T words, D numbers for each word, then each of their T steps is
normalised by itself. So there are N · T means and variances. But the scale gamma and the shift beta are still one for
each feature, (D,), and serve all examples and all steps. Write the forward, and d_gamma from dy and x_hat, both
(N, T, D). The question in each is the axis.
"""

# %% stub
import numpy as np


def layer_norm(x, gamma, beta, eps):
    """y = gamma (x - mean) / sqrt(var + eps) + beta.   x (N, T, D), gamma (D,), beta (D,)  ->  y (N, T, D)"""
    return ...


def d_gamma(dy, x_hat):
    """The gradient of gamma.   dy (N, T, D), x_hat (N, T, D)  ->  (D,)"""
    return ...


# %% solution
def layer_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + eps)
    return gamma * x_hat + beta


def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=(0, 1))


# %% check
def check(answer, rng, compare):
    x, gamma, beta = rng.normal(3, 2, size=(3, 5, 7)), rng.normal(size=7), rng.normal(size=7)
    compare(answer.layer_norm, x, gamma, beta, 0.01)
    compare(answer.d_gamma, rng.normal(size=x.shape), rng.normal(size=x.shape))


# %% hint: concept
# Two questions, two answers. Of what is the mean taken? Of the D numbers of one example at one time. Where is gamma[d]
# used? In all examples, at all times; so from all of them its gradient gets a share.

# %% hint: formula
# mean[n, t] and var[n, t] over the last axis, kept as an axis of length 1 so that they line up with x: keepdims=True.
# d_gamma[d] = sum over n and t of dy[n, t, d] · x_hat[n, t, d]

# %% hint: the line
# x_hat = (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + eps)
# return gamma * x_hat + beta
# And in d_gamma:  return (dy * x_hat).sum(axis=(0, 1))


# %% wrong: over the batch
# This is batch norm: mean and variance are taken over the examples (axis 0). Layer norm takes them over the features of
# one example, the last axis.
def layer_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    return gamma * x_hat + beta


def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=(0, 1))


# %% wrong: over time too
# All time steps of an example share one mean here. Each is to be normalised by itself, over the last axis alone: or
# else a step would know of those that come after it.
def layer_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=(1, 2), keepdims=True)) / np.sqrt(x.var(axis=(1, 2), keepdims=True) + eps)
    return gamma * x_hat + beta


def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=(0, 1))


# %% wrong: keepdims left out
# The mean over the last axis is (N, T), and does not line up with x, (N, T, D): NumPy lines up axes from the right.
# Keep the axis, with length 1: keepdims=True.
def layer_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=2)) / np.sqrt(x.var(axis=2) + eps)
    return gamma * x_hat + beta


def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=(0, 1))


# %% wrong: gamma's gradient over the features
# The forward is right. But d_gamma is added up along the axis of the mean, the features: gamma has one number for each
# of them. What it is shared by are examples and time steps.
def layer_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + eps)
    return gamma * x_hat + beta


def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=2)


# %% wrong: gamma's gradient over the batch alone
# The forward is right. d_gamma still has one row for each time step, (T, D), but gamma serves all of them: add up over
# time as well.
def layer_norm(x, gamma, beta, eps):
    x_hat = (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + eps)
    return gamma * x_hat + beta


def d_gamma(dy, x_hat):
    return (dy * x_hat).sum(axis=0)
