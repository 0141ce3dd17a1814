"""Normalisation, statistics, dropout."""

import numpy as np

from wrong_backwards.form import Family, Planted, normal, positive, zeros_and_ones

WRONG: list[Planted] = []


def _stats(x, axis=0):
    mu = x.mean(axis=axis, keepdims=True)
    r = 1 / np.sqrt(x.var(axis=axis, keepdims=True) + 1e-3)
    return (x - mu) * r, r


class batch_norm:
    """y = gamma (x - mean) / sqrt(var + eps) + beta.   x (N, C), gamma (C,), beta (C,)"""

    def forward(x, gamma, beta):
        mu = x.mean(axis=0)
        var = ((x - mu) ** 2).mean(axis=0)
        x_hat = (x - mu) / np.sqrt(var + 1e-3)
        return gamma * x_hat + beta

    def d_x(dy, x, gamma):
        x_hat, r = _stats(x)
        g = dy * gamma
        return r * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))

    def d_gamma(dy, x):
        return (dy * _stats(x)[0]).sum(axis=0)

    def d_beta(dy):
        return dy.sum(axis=0)


def _bn(change):
    def d_x(dy, x, gamma):
        x_hat, r = _stats(x)
        return change(dy, gamma, x_hat, r, len(x))

    return d_x


f = Family(batch_norm, lambda: (normal(7, 3), positive(3), normal(3)), WRONG)
f("gamma left out", "gamma", d_x=_bn(lambda dy, gamma, h, r, N: r * (dy - dy.mean(axis=0) - h * (dy * h).mean(axis=0))))
f("mean term missing", "mean", d_x=_bn(lambda dy, gamma, h, r, N: r * (dy * gamma - h * (dy * gamma * h).mean(axis=0))))
f(
    "variance term missing",
    "var|x - mu|square",
    d_x=_bn(lambda dy, gamma, h, r, N: r * (dy * gamma - (dy * gamma).mean(axis=0))),
)
f("statistics taken as constants", "constant", d_x=_bn(lambda dy, gamma, h, r, N: r * dy * gamma))
f(
    "variance term of the wrong sign",
    "sign",
    d_x=_bn(
        lambda dy, gamma, h, r, N: r * (dy * gamma - (dy * gamma).mean(axis=0) + h * (dy * gamma * h).mean(axis=0))
    ),
)
f(
    "sums for means",
    "batch|7|N",
    d_x=_bn(lambda dy, gamma, h, r, N: r * (dy * gamma - (dy * gamma).sum(axis=0) - h * (dy * gamma * h).sum(axis=0))),
)
f(
    "1 / std left out",
    "sqrt|std|var",
    d_x=_bn(lambda dy, gamma, h, r, N: dy * gamma - (dy * gamma).mean(axis=0) - h * (dy * gamma * h).mean(axis=0)),
)
f(
    "N times too large",
    "batch",
    d_x=_bn(
        lambda dy, gamma, h, r, N: N * r * (dy * gamma - (dy * gamma).mean(axis=0) - h * (dy * gamma * h).mean(axis=0))
    ),
)
f("d_gamma from x", "x_hat|x", d_gamma=lambda dy, x: (dy * x).sum(axis=0))
f("d_gamma from x - mean", "x - mu|sqrt(var", d_gamma=lambda dy, x: (dy * (x - x.mean(axis=0))).sum(axis=0))
f("d_gamma a mean", "batch", d_gamma=lambda dy, x: (dy * _stats(x)[0]).mean(axis=0))
f("d_beta not summed", "sum, axis 0", d_beta=lambda dy: dy.copy())
f(
    "d_gamma and d_beta swapped",
    "swapped",
    d_gamma=lambda dy: dy.sum(axis=0),
    d_beta=lambda dy, x: (dy * _stats(x)[0]).sum(axis=0),
)
f("d_beta times gamma", "gamma", d_beta=lambda dy, gamma: (dy * gamma).sum(axis=0))


class layer_norm:
    """y = gamma (x - mean) / sqrt(var + eps) + beta, each sample.   x (N, D), gamma (D,), beta (D,)"""

    def forward(x, gamma, beta):
        mu = x.mean(axis=-1, keepdims=True)
        var = x.var(axis=-1, keepdims=True)
        return gamma * (x - mu) / np.sqrt(var + 1e-3) + beta

    def d_x(dy, x, gamma):
        x_hat, r = _stats(x, -1)
        g = dy * gamma
        return r * (g - g.mean(axis=-1, keepdims=True) - x_hat * (g * x_hat).mean(axis=-1, keepdims=True))

    def d_gamma(dy, x):
        return (dy * _stats(x, -1)[0]).sum(axis=0)

    def d_beta(dy):
        return dy.sum(axis=0)


def _ln_wrong_axis(dy, x, gamma):
    x_hat, r = _stats(x, -1)
    g = dy * gamma
    return r * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))


f = Family(layer_norm, lambda: (normal(5, 7), positive(7), normal(7)), WRONG)
f("means over the batch", "axis", d_x=_ln_wrong_axis)
f(
    "gamma outside the means",
    "order|gamma",
    d_x=lambda dy, x, gamma: (
        gamma
        * (s := _stats(x, -1))[1]
        * (dy - dy.mean(axis=-1, keepdims=True) - s[0] * (dy * s[0]).mean(axis=-1, keepdims=True))
    ),
)
f(
    "variance taken as a constant",
    "var",
    d_x=lambda dy, x, gamma: _stats(x, -1)[1] * (dy * gamma - (dy * gamma).mean(axis=-1, keepdims=True)),
)
f("d_gamma summed over the features", "shape|swapped|sum", d_gamma=lambda dy, x: (dy * _stats(x, -1)[0]).sum(axis=1))


class mean:
    """y = mean of x over axis 0"""

    def forward(x):
        return x.mean(axis=0)

    def d_x(dy, x):
        return np.broadcast_to(dy, x.shape) / len(x)


f = Family(mean, lambda: (normal(7, 3),), WRONG)
f("1/n left out", "7, mean, divis", d_x=lambda dy, x: np.broadcast_to(dy, x.shape) * 1.0)
f("not broadcast", "shape, broadcast", d_x=lambda dy, x: dy / len(x))


class variance:
    """y = sum of (x - mean)^2 / (n - 1) over axis 0"""

    def forward(x):
        return x.var(axis=0, ddof=1)

    def d_x(dy, x):
        return dy * 2 * (x - x.mean(axis=0)) / (len(x) - 1)


f = Family(variance, lambda: (normal(7, 3),), WRONG)
f("N for N - 1", "n - 1|ddof|unbiased|7 - 1", d_x=lambda dy, x: dy * 2 * (x - x.mean(axis=0)) / len(x))
f("not centred", "mean|centred|same for all|constant", d_x=lambda dy, x: dy * 2 * x / (len(x) - 1))
f("2 missing", "factor 2", d_x=lambda dy, x: dy * (x - x.mean(axis=0)) / (len(x) - 1))


class standardise:
    """y = (x - mean) / std over axis 0"""

    def forward(x):
        return (x - x.mean(axis=0)) / x.std(axis=0)

    def d_x(dy, x):
        s = x.std(axis=0)
        h = (x - x.mean(axis=0)) / s
        return (dy - dy.mean(axis=0) - h * (dy * h).mean(axis=0)) / s


f = Family(standardise, lambda: (normal(7, 3),), WRONG)
f("std constant", "std", d_x=lambda dy, x: (dy - dy.mean(axis=0)) / x.std(axis=0))
f("mean and std constant", "constant", d_x=lambda dy, x: dy / x.std(axis=0))


class dropout:
    """y = x mask / (1 - p)"""

    def forward(x, mask, *, p):
        return x * mask / (1 - p)

    def d_x(dy, mask, p):
        return dy * mask / (1 - p)

    d_mask = None


def _redrawn(dy, p):
    return dy * (np.random.random(dy.shape) > p) / (1 - p)


f = Family(dropout, lambda: (normal(5, 4), zeros_and_ones(5, 4, p=0.7)), WRONG, p=0.3)
f("not rescaled", "1 - p", d_x=lambda dy, mask: dy * mask)
f("rescaled twice", "1 - p, twice", d_x=lambda dy, mask, p: dy * mask / (1 - p) ** 2)
f("scaled by p", "p", d_x=lambda dy, mask, p: dy * mask / p)
f("mask not applied", "mask", d_x=lambda dy, p: dy / (1 - p))
f("mask inverted", "mask", d_x=lambda dy, mask, p: dy * (1 - mask) / (1 - p))
f("mask redrawn", "redrawn|random", d_x=_redrawn)
f("mask and scale left out", "mask|derivative", d_x=lambda dy: dy.copy())
