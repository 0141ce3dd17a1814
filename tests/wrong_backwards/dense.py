"""Dense layers, matrix products, a two-layer network."""

import numpy as np

from wrong_backwards.form import Family, Planted, normal

WRONG: list[Planted] = []


class dense:
    """y = x @ w + b.   x (N, D), w (D, M), b (M,) -> y (N, M)"""

    def forward(x, w, b):
        return x @ w + b

    def d_x(dy, w):
        return dy @ w.T

    def d_w(dy, x):
        return x.T @ dy

    def d_b(dy):
        return dy.sum(axis=0)


f = Family(dense, lambda: (normal(7, 5), normal(5, 3), normal(3)), WRONG)
f("d_w transposed", "transposed", d_w=lambda dy, x: dy.T @ x)
f("d_b not summed", "d_b, sum, axis 0", d_b=lambda dy: dy)
f("d_b keeps its axis", "keepdims", d_b=lambda dy: dy.sum(axis=0, keepdims=True))
f("d_b summed to one number", "sum, too many|one number", d_b=lambda dy: dy.sum())
f("d_b a mean", "batch, divis|mean", d_b=lambda dy: dy.mean(axis=0))
f("d_w divided by N", "batch, divis|mean", d_w=lambda dy, x: x.T @ dy / len(x))
f("d_x negated", "sign", d_x=lambda dy, w: -dy @ w.T)
f("d_w twice", "2|twice, factor", d_w=lambda dy, x: 2 * x.T @ dy)
f("upstream ignored in d_b", "upstream, ignored", d_b=lambda dy, x, w: np.full(w.shape[1], float(len(x))))
f("d_w None", "None, return", d_w=lambda dy, x: None)
f("d_x zeros", "0, detached|never filled", d_x=lambda dy, x: np.zeros_like(x))
f("d_w in integers", "integer", d_w=lambda dy, x: (x.T @ dy).astype(int))
f("d_w of the last sample", "last, =|overwrit", d_w=lambda dy, x: np.outer(x[-1], dy[-1]))
f("d_b of the last sample", "last, =|overwrit", d_b=lambda dy: dy[-1].copy())
f("d_w with weight decay added", "dy, weight decay|without dy", d_w=lambda dy, x, w: x.T @ dy + 0.1 * w)


def _updates_first(dy, x, w):
    d_w = x.T @ dy
    w -= 0.01 * d_w
    return dy @ w.T, d_w, dy.sum(axis=0)


def _normalises_dy(dy):
    return (dy / np.abs(dy).max()).sum(axis=0)


def _changes_dy(dy, w):
    dy *= 0.5
    return 2 * dy @ w.T


def _swapped(dy, x, w):
    return dy @ w.T, dy.sum(axis=0), x.T @ dy


_grads = {}


def _accumulates(dy, x):
    key = x.shape + dy.shape
    _grads[key] = _grads.get(key, 0) + x.T @ dy
    return _grads[key].copy()


f("w updated before d_x", "linear|changed|in place", backward=_updates_first)
f("dy normalised", "linear", d_b=_normalises_dy)
f("dy changed in place", "in place, upstream", d_x=_changes_dy)
f("gradients never zeroed", "accumulate|zero", d_w=_accumulates)


class square:
    """y = x @ w, w square.   x (N, D), w (D, D) -> y (N, D)"""

    def forward(x, w):
        return x @ w

    def d_x(dy, w):
        return dy @ w.T

    def d_w(dy, x):
        return x.T @ dy


f = Family(square, lambda: (normal(5, 4), normal(4, 4)), WRONG)
f("w not transposed", "transpose", d_x=lambda dy, w: dy @ w)
f("d_w transposed, square", "transpose", d_w=lambda dy, x: dy.T @ x)

f = Family(square, lambda: (normal(4, 4), normal(4, 4, seed=1)), WRONG)
f("gradients swapped", "swapped", d_x=lambda dy, x: x.T @ dy, d_w=lambda dy, w: dy @ w.T)


class sigmoid_layer:
    """y = sigmoid(x @ w + b).   x (N, D), w (D, M), b (M,) -> y (N, M)"""

    def forward(x, w, b):
        z = x @ w + b
        return 1 / (1 + np.exp(-z))

    def d_x(dy, w, y):
        return (dy * y * (1 - y)) @ w.T

    def d_w(dy, x, y):
        return x.T @ (dy * y * (1 - y))

    def d_b(dy, y):
        return (dy * y * (1 - y)).sum(axis=0)


f = Family(sigmoid_layer, lambda: (normal(5, 3), normal(3, 2), normal(2)), WRONG)
f(
    "sigmoid' left out of all",
    "derivative|factor, left out",
    d_x=lambda dy, w: dy @ w.T,
    d_w=lambda dy, x: x.T @ dy,
    d_b=lambda dy: dy.sum(axis=0),
)
f("sigmoid' left out of d_w", "derivative|factor, left out", d_w=lambda dy, x: x.T @ dy)
f("sigmoid' left out of d_b", "derivative|factor|steps, left out", d_b=lambda dy: dy.sum(axis=0))
f("1 - y for y (1 - y)", "factor|derivative", d_x=lambda dy, w, y: (dy * (1 - y)) @ w.T)
f(
    "w forgotten after the sigmoid",
    "transpose|factor|square|passes|sum|product|w",
    d_x=lambda dy, w, y: (dy * y * (1 - y)) @ np.ones_like(w).T,
)


class two_layers:
    """y = relu(x @ w1) @ w2.   x (N, D), w1 (D, H), w2 (H, M) -> y (N, M)"""

    def forward(x, w1, w2):
        return np.maximum(x @ w1, 0) @ w2

    def backward(dy, x, w1, w2):
        h = np.maximum(x @ w1, 0)
        dh = (dy @ w2.T) * (h > 0)
        return dh @ w1.T, x.T @ dh, h.T @ dy


def _no_mask(dy, x, w1, w2):
    h = np.maximum(x @ w1, 0)
    dh = dy @ w2.T
    return dh @ w1.T, x.T @ dh, h.T @ dy


def _mask_of_dh(dy, x, w1, w2):
    h = np.maximum(x @ w1, 0)
    dh = dy @ w2.T
    dh = dh * (dh > 0)
    return dh @ w1.T, x.T @ dh, h.T @ dy


def _before_relu(dy, x, w1, w2):
    h = x @ w1
    dh = (dy @ w2.T) * (h > 0)
    return dh @ w1.T, x.T @ dh, h.T @ dy


f = Family(two_layers, lambda: (normal(5, 3), normal(3, 4), normal(4, 2)), WRONG)
f("no relu mask", "mask", backward=_no_mask)
f("mask from the gradient's sign", "mask, dy", backward=_mask_of_dh)
f("h before the relu in d_w2", "x @ w1|mask|relu|maximum", backward=_before_relu)


class residual:
    """y = x + tanh(x @ w).   x (N, D), w (D, D) -> y (N, D)"""

    def forward(x, w):
        return x + np.tanh(x @ w)

    def backward(dy, x, w):
        da = dy * (1 - np.tanh(x @ w) ** 2)
        return dy + da @ w.T, x.T @ da


f = Family(residual, lambda: (normal(5, 3), normal(3, 3)), WRONG)
f(
    "the skip path lost",
    "path|term, left out|missing",
    backward=lambda dy, x, w: ((da := dy * (1 - np.tanh(x @ w) ** 2)) @ w.T, x.T @ da),
)
f(
    "the skip path counted twice",
    "twice|2, path|term",
    backward=lambda dy, x, w: (2 * dy + (da := dy * (1 - np.tanh(x @ w) ** 2)) @ w.T, x.T @ da),
)
