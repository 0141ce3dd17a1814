"""Convolution and pooling. Images are N, H, W, C."""

import numpy as np

from wrong_backwards.form import Family, Planted, normal

WRONG: list[Planted] = []


def _out(H, K, stride, padding):
    return (H + 2 * padding - K) // stride + 1


def _pad(x, p):
    return np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))


class conv:
    """y[n, i, j] = sum_uv x[n, i s + u - p, j s + v - p] @ w[u, v] + b.   x (N, H, W, C), w (KH, KW, C, F), b (F,)"""

    def forward(x, w, b, *, stride=1, padding=0):
        KH, KW = w.shape[:2]
        OH, OW = _out(x.shape[1], KH, stride, padding), _out(x.shape[2], KW, stride, padding)
        padded = _pad(x, padding)
        y = np.zeros((len(x), OH, OW, w.shape[3]))
        for i in range(OH):
            for j in range(OW):
                window = padded[:, i * stride : i * stride + KH, j * stride : j * stride + KW]
                y[:, i, j] = np.tensordot(window, w, axes=3) + b
        return y

    def d_x(dy, w, x_shape, stride, padding):
        return _d_x(dy, w, x_shape, stride, padding)

    def d_w(dy, x, w_shape, stride, padding):
        return _d_w(dy, x, w_shape, stride, padding)

    def d_b(dy):
        return dy.sum(axis=(0, 1, 2))


def _d_x(dy, w, shape, stride, padding, add=True, crop=None, flip=False, spread=True, stop=0):
    N, H, W, C = shape
    KH, KW = w.shape[:2]
    w = w[::-1, ::-1] if flip else w
    d = np.zeros((N, H + 2 * padding, W + 2 * padding, C))
    step = stride if spread else 1
    for i in range(dy.shape[1] - stop):
        for j in range(dy.shape[2] - stop):
            piece = np.tensordot(dy[:, i, j], w, axes=([1], [3]))
            place = np.s_[:, i * step : i * step + KH, j * step : j * step + KW]
            d[place] = d[place] + piece if add else piece
    crop = padding if crop is None else crop
    return d[:, crop : crop + H, crop : crop + W]


def _d_w(dy, x, shape, stride, padding, flip=False, add=True, pad=True):
    KH, KW = shape[:2]
    padded, d = _pad(x, padding), np.zeros(shape)
    if not pad:
        padded = np.roll(padded, 1, axis=(1, 2))
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = padded[:, i * stride : i * stride + KH, j * stride : j * stride + KW]
            piece = np.tensordot(window, dy[:, i, j], axes=([0], [0]))
            d = d + piece if add else piece
    return d[::-1, ::-1].copy() if flip else d


def _x():
    return normal(2, 5, 5, 2), normal(3, 3, 2, 3), normal(3)


f = Family(conv, _x, WRONG, stride=2, padding=1)
f("d_w flipped", "flip", d_w=lambda dy, x, w_shape, stride, padding: _d_w(dy, x, w_shape, stride, padding, flip=True))
f(
    "d_x with the kernel flipped",
    "flip",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(dy, w, x_shape, stride, padding, flip=True),
)
f(
    "d_x: = for +=",
    "= where +=|overwrit|overlap",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(dy, w, x_shape, stride, padding, add=False),
)
f(
    "d_w: = for +=",
    "last, =",
    d_w=lambda dy, x, w_shape, stride, padding: _d_w(dy, x, w_shape, stride, padding, add=False),
)
f(
    "d_x cropped at the wrong end",
    "crop|padding",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(dy, w, x_shape, stride, padding, crop=0),
)
f(
    "d_x not cropped",
    "crop|padding",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(
        dy, w, (x_shape[0], x_shape[1] + 2 * padding, x_shape[2] + 2 * padding, x_shape[3]), stride, padding, crop=0
    )[:, : x_shape[1] + 2 * padding, : x_shape[2] + 2 * padding],
)
f(
    "d_x: stride not dilated",
    "stride",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(dy, w, x_shape, stride, padding, spread=False),
)
f("d_b over N alone", "sum over axes", d_b=lambda dy: dy.sum(axis=0))
f("d_b averaged over N", "batch", d_b=lambda dy: dy.mean(axis=0).sum(axis=(0, 1)))
f("d_b a mean over all", "divis|mean|window|2", d_b=lambda dy: dy.mean(axis=(0, 1, 2)))
f(
    "d_w divided by N",
    "batch",
    d_w=lambda dy, x, w_shape, stride, padding: _d_w(dy, x, w_shape, stride, padding) / len(x),
)
f(
    "d_x: the last row and column of windows left out",
    "last|axis 1|first 2|stops|location|outputs",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(dy, w, x_shape, stride, padding, stop=1),
)
f(
    "d_w of the first image",
    "first, axis 0|batch",
    d_w=lambda dy, x, w_shape, stride, padding: _d_w(dy[:1], x[:1], w_shape, stride, padding),
)
f(
    "d_w from an image one pixel off",
    "shift|offset|padding",
    d_w=lambda dy, x, w_shape, stride, padding: _d_w(dy, x, w_shape, stride, padding, pad=False),
)

f = Family(conv, lambda: (normal(2, 4, 4, 3), normal(2, 2, 3, 3), normal(3)), WRONG)
f(
    "F and C swapped",
    "axes|transpos",
    d_x=lambda dy, w, x_shape, stride, padding: _d_x(dy, w.swapaxes(2, 3), x_shape, stride, padding),
)
f(
    "KH and KW swapped in d_w",
    "axes|transpos",
    d_w=lambda dy, x, w_shape, stride, padding: _d_w(dy, x, w_shape, stride, padding).swapaxes(0, 1).copy(),
)


class avg_pool:
    """y = the mean of each k x k window.   x (N, H, W, C)"""

    def forward(x, *, k, stride):
        OH, OW = _out(x.shape[1], k, stride, 0), _out(x.shape[2], k, stride, 0)
        y = np.zeros((len(x), OH, OW, x.shape[3]))
        for i in range(OH):
            for j in range(OW):
                y[:, i, j] = x[:, i * stride : i * stride + k, j * stride : j * stride + k].mean(axis=(1, 2))
        return y

    def d_x(dy, x, k, stride):
        return _spread(dy, x, k, stride, 1 / k**2)


def _spread(dy, x, k, stride, share, add=True):
    d = np.zeros_like(x)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            place = np.s_[:, i * stride : i * stride + k, j * stride : j * stride + k]
            piece = np.broadcast_to(dy[:, i : i + 1, j : j + 1] * share, d[place].shape)
            d[place] = d[place] + piece if add else piece
    return d


f = Family(avg_pool, lambda: (normal(2, 5, 5, 2),), WRONG, k=3, stride=2)
f("1/k^2 left out", "k^2|9|k", d_x=lambda dy, x, k, stride: _spread(dy, x, k, stride, 1))
f("1/k for 1/k^2", "k, divis|factor", d_x=lambda dy, x, k, stride: _spread(dy, x, k, stride, 1 / k))
f(
    "= for +=",
    "= where +=|overwrit|overlap",
    d_x=lambda dy, x, k, stride: _spread(dy, x, k, stride, 1 / k**2, add=False),
)
f("transposed", "transpos|axes|order", d_x=lambda dy, x, k, stride: _spread(dy.swapaxes(1, 2), x, k, stride, 1 / k**2))


class max_pool:
    """y = the largest entry of each k x k window.   x (N, H, W, C)"""

    def forward(x, *, k, stride):
        OH, OW = _out(x.shape[1], k, stride, 0), _out(x.shape[2], k, stride, 0)
        y = np.zeros((len(x), OH, OW, x.shape[3]))
        for i in range(OH):
            for j in range(OW):
                y[:, i, j] = x[:, i * stride : i * stride + k, j * stride : j * stride + k].max(axis=(1, 2))
        return y

    def d_x(dy, x, k, stride):
        return _unpool(dy, x, k, stride)


def _unpool(dy, x, k, stride, add=True, mask=None):
    d = np.zeros_like(x)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            place = np.s_[:, i * stride : i * stride + k, j * stride : j * stride + k]
            window = x[place]
            won = window == window.max(axis=(1, 2), keepdims=True)
            if mask is None:
                flat = won.reshape(len(x), k * k, -1)
                won = (np.cumsum(flat, axis=1) * flat == 1).reshape(won.shape)
            won = won if mask is None else mask(window, won)
            d[place] = (
                d[place] + won * dy[:, i : i + 1, j : j + 1]
                if add
                else np.where(won, dy[:, i : i + 1, j : j + 1], d[place])
            )
    return d


f = Family(max_pool, lambda: (normal(2, 5, 5, 2),), WRONG, k=3, stride=2)
f("= for +=", "= where +=|overwrit|overlap", d_x=lambda dy, x, k, stride: _unpool(dy, x, k, stride, add=False))
f(
    "all entries of a window",
    "mask|max",
    d_x=lambda dy, x, k, stride: _unpool(dy, x, k, stride, mask=lambda v, won: np.ones_like(won)),
)
f(
    "to the smallest",
    "mask|wrong entries|selects",
    d_x=lambda dy, x, k, stride: _unpool(dy, x, k, stride, mask=lambda v, won: v == v.min(axis=(1, 2), keepdims=True)),
)
f("divided by k^2", "k", d_x=lambda dy, x, k, stride: _unpool(dy, x, k, stride) / k**2)


def _tied():
    x = np.round(normal(2, 4, 4, 2) * 1.2)
    return (x + 0.3,)


f = Family(max_pool, _tied, WRONG, k=2, stride=2)
f("ties each given everything", "tie", d_x=lambda dy, x, k, stride: _unpool(dy, x, k, stride, mask=lambda v, won: won))


class upsample:
    """y[n, i, j] = x[n, i // 2, j // 2].   x (N, H, W, C)"""

    def forward(x):
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def d_x(dy, x_shape):
        N, H, W, C = x_shape
        return dy.reshape(N, H, 2, W, 2, C).sum(axis=(2, 4))


f = Family(upsample, lambda: (normal(2, 3, 3, 2),), WRONG)
f(
    "a mean for a sum",
    "4",
    d_x=lambda dy, x_shape: dy.reshape(x_shape[0], x_shape[1], 2, x_shape[2], 2, x_shape[3]).mean(axis=(2, 4)),
)
f(
    "tile for repeat",
    "tile|order",
    d_x=lambda dy, x_shape: dy.reshape(x_shape[0], 2, x_shape[1], 2, x_shape[2], x_shape[3]).sum(axis=(1, 3)),
)
f("one pixel of four", "outputs|sum|contributions", d_x=lambda dy: dy[:, ::2, ::2].copy())
