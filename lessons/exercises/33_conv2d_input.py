"""Convolution: the gradient of the image

Lesson: 2_vision/02_convolution_and_pooling

The way back to the pixels. In each window, y[n, i, j, f] took window[n, u, v, c] times w[u, v, c, f]; so dy[n, i, j, f]
sends the same weight's share back to the same pixel. Windows overlap: a pixel that several of them have seen gets a
share from each. The windows lie in the padded image, and the padding is no part of x: cut it off in the end. Write d_x,
of the shape x_shape.
"""

# %% stub
import numpy as np


def pad(x, padding):
    """Zeros around each image.   (N, H, W, C)  ->  (N, H + 2 padding, W + 2 padding, C)"""
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))


class conv2d:
    """One row of F numbers for each window.   x (N, H, W, C), w (KH, KW, C, F)  ->  y (N, OH, OW, F)"""

    def forward(x, w, *, stride, padding):
        x = pad(x, padding)
        KH, KW, C, F = w.shape
        OH, OW = (x.shape[1] - KH) // stride + 1, (x.shape[2] - KW) // stride + 1
        y = np.zeros((len(x), OH, OW, F))
        for i in range(OH):
            for j in range(OW):
                window = x[:, i * stride : i * stride + KH, j * stride : j * stride + KW]  # (N, KH, KW, C)
                y[:, i, j] = np.einsum("nuvc,uvcf->nf", window, w)
        return y

    def d_x(dy, w, x_shape, stride, padding):  # x_shape is (N, H, W, C)
        return ...

    d_w = None  # the exercise before


# %% solution
def d_x(dy, w, x_shape, stride, padding):
    KH, KW, C, F = w.shape
    N, H, W, C = x_shape
    dx = pad(np.zeros(x_shape), padding)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w)  # (N, KH, KW, C)
            dx[:, i * stride : i * stride + KH, j * stride : j * stride + KW] += window
    return dx[:, padding : padding + H, padding : padding + W]


# %% check
def check(answer, rng, examine):
    examine(answer.conv2d, rng.normal(size=(3, 7, 5, 2)), rng.normal(size=(3, 2, 2, 5)), stride=2, padding=1)


# %% hint: concept
# Run forward in reverse. Start with a padded image of zeros. For each place (i, j), take dy[:, i, j], make a window of
# it with the kernel, and add it where forward had cut its window out. Then cut off the border.

# %% hint: formula
# dx[n, i s + u, j s + v, c] += sum over f of dy[n, i, j, f] · w[u, v, c, f], in an image of the padded size. What is
# inside the border are the rows padding ... padding + H - 1, and the columns likewise.

# %% hint: the line
# dx = pad(np.zeros(x_shape), padding)
# for i in range(dy.shape[1]):
#     for j in range(dy.shape[2]):
#         window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w)
#         dx[:, i * stride : i * stride + len(w), j * stride : j * stride + w.shape[1]] += window
# return dx[:, padding : padding + x_shape[1], padding : padding + x_shape[2]]


# %% wrong: the last window wins
# Where windows overlap, the later one overwrites the earlier one's share. A pixel gets a share from every window that
# has seen it: += for =.
def d_x(dy, w, x_shape, stride, padding):
    KH, KW, C, F = w.shape
    N, H, W, C = x_shape
    dx = pad(np.zeros(x_shape), padding)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w)
            dx[:, i * stride : i * stride + KH, j * stride : j * stride + KW] = window
    return dx[:, padding : padding + H, padding : padding + W]


# %% wrong: the border left on
# This is the gradient of the padded image. x had no border: cut `padding` rows and columns off on each side.
def d_x(dy, w, x_shape, stride, padding):
    KH, KW, C, F = w.shape
    dx = pad(np.zeros(x_shape), padding)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w)
            dx[:, i * stride : i * stride + KH, j * stride : j * stride + KW] += window
    return dx


# %% wrong: cut off on one side
# The shape is right, but what was cut off lies below and to the right only. The image begins `padding` rows down and
# `padding` columns in, so everything is in the wrong place by that much.
def d_x(dy, w, x_shape, stride, padding):
    KH, KW, C, F = w.shape
    N, H, W, C = x_shape
    dx = pad(np.zeros(x_shape), padding)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w)
            dx[:, i * stride : i * stride + KH, j * stride : j * stride + KW] += window
    return dx[:, :H, :W]


# %% wrong: the kernel turned round
# The kernel is turned round here. That is needed when d_x is written as a convolution of dy; where windows are added
# back one by one, each weight goes to the pixel that it met on the way forward.
def d_x(dy, w, x_shape, stride, padding):
    KH, KW, C, F = w.shape
    N, H, W, C = x_shape
    dx = pad(np.zeros(x_shape), padding)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w[::-1, ::-1])
            dx[:, i * stride : i * stride + KH, j * stride : j * stride + KW] += window
    return dx[:, padding : padding + H, padding : padding + W]


# %% wrong: the stride left out
# The windows are put back one pixel apart. Forward cut them out `stride` pixels apart: row i · stride, column
# j · stride.
def d_x(dy, w, x_shape, stride, padding):
    KH, KW, C, F = w.shape
    N, H, W, C = x_shape
    dx = pad(np.zeros(x_shape), padding)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("nf,uvcf->nuvc", dy[:, i, j], w)
            dx[:, i : i + KH, j : j + KW] += window
    return dx[:, padding : padding + H, padding : padding + W]
