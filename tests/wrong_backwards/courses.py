"""Wrong backwards in the style of courses: out, cache = forward(...), grads = backward(dout, cache)."""

import numpy as np

from wrong_backwards.form import Planted, integers, normal, positive

WRONG: list[Planted] = []


def affine_forward(x, w, b):
    out = x.reshape(len(x), -1) @ w + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    np.random.seed(dropout_param["seed"])
    mask = (np.random.rand(*x.shape) < p) / p if mode == "train" else None
    return (x * mask if mode == "train" else x), (dropout_param, mask)


def dropout_backward(dout, cache):
    return dout * cache[1]


def batchnorm_forward(x, gamma, beta, bn_param):
    mu, var = x.mean(axis=0), x.var(axis=0)
    bn_param["running_mean"] = 0.9 * bn_param.get("running_mean", 0) + 0.1 * mu
    x_hat = (x - mu) / np.sqrt(var + bn_param["eps"])
    return gamma * x_hat + beta, (x_hat, gamma, var, bn_param["eps"])


def batchnorm_backward(dout, cache):
    x_hat, gamma, var, eps = cache
    g = dout * gamma
    dx = (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / np.sqrt(var + eps)
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


def conv_forward(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    F, _, HH, WW = w.shape
    H, W = 1 + (x.shape[2] + 2 * p - HH) // s, 1 + (x.shape[3] + 2 * p - WW) // s
    out = np.zeros((len(x), F, H, W))
    for i in range(H):
        for j in range(W):
            out[:, :, i, j] = (
                np.tensordot(xp[:, :, i * s : i * s + HH, j * s : j * s + WW], w, axes=([1, 2, 3], [1, 2, 3])) + b
            )
    return out, (x, w, b, conv_param)


def _conv_backward(crop=True, add=True, spread=True, flip=False):
    def conv_backward(dout, cache):
        x, w, b, conv_param = cache
        s, p = conv_param["stride"], conv_param["pad"]
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        HH, WW = w.shape[2:]
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                here = np.s_[:, :, i * s : i * s + HH, j * s : j * s + WW]
                there = here if spread else np.s_[:, :, i : i + HH, j : j + WW]
                piece = np.tensordot(dout[:, :, i, j], w[:, :, ::-1, ::-1] if flip else w, axes=1)
                dxp[there] = dxp[there] + piece if add else piece
                dw += np.tensordot(dout[:, :, i, j], xp[here], axes=([0], [0]))
        dx = dxp[:, :, p : p + x.shape[2], p : p + x.shape[3]] if crop else dxp
        return dx, dw, dout.sum(axis=(0, 2, 3))

    return conv_backward


conv_backward = _conv_backward()


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def word_embedding_forward(x, W):
    return W[x], (x, W)


def word_embedding_backward(dout, cache):
    x, W = cache
    dW = np.zeros_like(W)
    np.add.at(dW, x, dout)
    return None, dW


def loss_forward(scores, y):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean(), (p, y)


def loss_backward(dout, cache):
    p, y = cache
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    return dout * d / len(y)


def _pair(name, forward, backward, inputs, words):
    WRONG.append(Planted(f"{forward.__name__}: {name}", (forward, backward), inputs, tuple(words.split(", "))))


def _affine():
    return normal(5, 2, 3), normal(6, 4), normal(4)


def _bn():
    return normal(7, 3), positive(3), normal(3), {"eps": 1e-3, "mode": "train"}


def _conv():
    return normal(2, 2, 5, 5), normal(3, 2, 3, 3), normal(3), {"stride": 2, "pad": 1}


def _step():
    return normal(3, 4), normal(3, 5), normal(4, 5), 0.5 * normal(5, 5), normal(5)


_pair("dx not reshaped", affine_forward, lambda d, c: (d @ c[1].T, *affine_backward(d, c)[1:]), _affine, "reshap")
_pair(
    "dw divided by N",
    affine_forward,
    lambda d, c: (affine_backward(d, c)[0], affine_backward(d, c)[1] / len(d), d.sum(axis=0)),
    _affine,
    "batch",
)
_pair("db None for all", affine_forward, lambda d, c: None, _affine, "None")
_pair(
    "returned in the wrong order",
    affine_forward,
    lambda d, c: {"dx": affine_backward(d, c)[0], "dw": affine_backward(d, c)[2], "db": affine_backward(d, c)[1]},
    _affine,
    "order|swapped",
)
_pair("no mask", relu_forward, lambda d, c: d.copy(), lambda: (normal(4, 5),), "mask|derivative")
_pair("mask from dout", relu_forward, lambda d, c: d * (d > 0), lambda: (normal(4, 5),), "mask, dy")
_pair(
    "cache changed in place",
    relu_forward,
    lambda d, c: d * np.greater(c, 0, out=c),
    lambda: (normal(4, 5),),
    "in place",
)
_pair(
    "no mask",
    dropout_forward,
    lambda d, c: d.copy(),
    lambda: (normal(5, 4), {"p": 0.7, "mode": "train", "seed": 3}),
    "mask|derivative",
)
_pair(
    "scale left out",
    dropout_forward,
    lambda d, c: d * (c[1] > 0),
    lambda: (normal(5, 4), {"p": 0.7, "mode": "train", "seed": 3}),
    "p",
)
_pair(
    "mask drawn again",
    dropout_forward,
    lambda d, c: d * (np.random.rand(*d.shape) < 0.7) / 0.7,
    lambda: (normal(5, 4), {"p": 0.7, "mode": "train", "seed": 3}),
    "random|redrawn",
)
_pair(
    "statistics constant",
    batchnorm_forward,
    lambda d, c: (d * c[1] / np.sqrt(c[2] + c[3]), *batchnorm_backward(d, c)[1:]),
    _bn,
    "constant",
)
_pair(
    "gamma left out",
    batchnorm_forward,
    lambda d, c: (batchnorm_backward(d / c[1], c)[0], *batchnorm_backward(d, c)[1:]),
    _bn,
    "gamma",
)
_pair("dx not cropped", conv_forward, _conv_backward(crop=False), _conv, "crop|padding")
_pair("= for +=", conv_forward, _conv_backward(add=False), _conv, "= where +=|overlap|overwrit")
_pair("stride ignored", conv_forward, _conv_backward(spread=False), _conv, "stride")
_pair("kernel flipped", conv_forward, _conv_backward(flip=True), _conv, "flip")
_pair(
    "tanh' left out",
    rnn_step_forward,
    lambda d, c: (d @ c[2].T, d @ c[3].T, c[0].T @ d, c[1].T @ d, d.sum(axis=0)),
    _step,
    "tanh, derivative",
)
_pair(
    "Wh for Wh.T",
    rnn_step_forward,
    lambda d, c: (rnn_step_backward(d, c)[0], (d * (1 - c[4] ** 2)) @ c[3], *rnn_step_backward(d, c)[2:]),
    _step,
    "transpos",
)
_pair(
    "dWx and dWh from one input",
    rnn_step_forward,
    lambda d, c: (*rnn_step_backward(d, c)[:3], c[4].T @ (d * (1 - c[4] ** 2)), rnn_step_backward(d, c)[4]),
    _step,
    "prev_h|next_h|np.tanh",
)
_pair(
    "repeated words overwritten",
    word_embedding_forward,
    lambda d, c: (None, _assign(d, c)),
    lambda: (integers(5, 3, 4), normal(6, 2)),
    "repeated, +=",
)
_pair(
    "not averaged",
    loss_forward,
    lambda d, c: loss_backward(d, c) * len(c[1]),
    lambda: (normal(7, 5), integers(5, 7)),
    "batch",
)
_pair(
    "- 1 missing",
    loss_forward,
    lambda d, c: d * c[0] / len(c[1]),
    lambda: (normal(7, 5), integers(5, 7)),
    "one-hot|p[np.arange",
)


def _assign(dout, cache):
    x, W = cache
    dW = np.zeros_like(W)
    dW[x] = dout
    return dW


RIGHT = [
    (affine_forward, affine_backward, _affine),
    (relu_forward, relu_backward, lambda: (normal(4, 5),)),
    (dropout_forward, dropout_backward, lambda: (normal(5, 4), {"p": 0.7, "mode": "train", "seed": 3})),
    (batchnorm_forward, batchnorm_backward, _bn),
    (conv_forward, conv_backward, _conv),
    (rnn_step_forward, rnn_step_backward, _step),
    (word_embedding_forward, word_embedding_backward, lambda: (integers(5, 3, 4), normal(6, 2))),
    (loss_forward, loss_backward, lambda: (normal(7, 5), integers(5, 7))),
]
