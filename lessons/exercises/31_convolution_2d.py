"""Convolution of an image

Lesson: 2_vision/02_convolution_and_pooling

On a grey image x (H, W) the kernel is a small image too, w (KH, KW). It is laid on a window of x, as large as itself,
and y gets one number: the sum of all products, entry by entry. Two things are new. Padding: p rows and columns of
zeros are put around x first, so that the kernel also gets to the border. Stride: from one window to the next the
kernel moves by s pixels, not by one, so the window of y[i, j] begins at row i · s and column j · s of the padded image.
It fits OH = (H + 2p - KH) // s + 1 times from top to bottom, and OW times, likewise, from left to right. Write it, with
two loops.
"""

# %% stub
import numpy as np


def convolve(x, w, stride, padding):
    """One number for each window.   x (H, W), w (KH, KW)  ->  y (OH, OW)"""
    x = np.pad(x, padding)  # (H + 2 padding, W + 2 padding), zeros around
    return ...


# %% solution
def convolve(x, w, stride, padding):
    x = np.pad(x, padding)  # (H + 2 padding, W + 2 padding), zeros around
    KH, KW = w.shape
    y = np.zeros(((x.shape[0] - KH) // stride + 1, (x.shape[1] - KW) // stride + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]
            y[i, j] = (window * w).sum()
    return y


# %% check
def check(answer, rng, compare):
    sizes = [((5, 7), (3, 2), 1, 0), ((7, 5), (2, 3), 1, 2), ((11, 7), (3, 2), 2, 1), ((7, 11), (2, 5), 3, 2)]
    for image, kernel, stride, padding in sizes:
        compare(answer.convolve, rng.normal(size=image), rng.normal(size=kernel), stride, padding)


# %% hint: concept
# First the size of y: make an array of zeros for it. Then go through its places, i from top to bottom, j from left to
# right. For each, cut the window out of x, and make one number of it and the kernel.

# %% hint: formula
# With the padded x: window = x[i·s : i·s + KH, j·s : j·s + KW], and y[i, j] = (window * w).sum(). Since x is padded
# already, OH = (x.shape[0] - KH) // s + 1.

# %% hint: the line
# KH, KW = w.shape
# y = np.zeros(((x.shape[0] - KH) // stride + 1, (x.shape[1] - KW) // stride + 1))
# for i in range(y.shape[0]):
#     for j in range(y.shape[1]):
#         y[i, j] = (x[i * stride : i * stride + KH, j * stride : j * stride + KW] * w).sum()
# return y


# %% wrong: the stride left out
# y has the right size, but neighbouring windows begin one pixel apart. The window of y[i, j] begins at row i · stride.
def convolve(x, w, stride, padding):
    x = np.pad(x, padding)
    KH, KW = w.shape
    y = np.zeros(((x.shape[0] - KH) // stride + 1, (x.shape[1] - KW) // stride + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = (x[i : i + KH, j : j + KW] * w).sum()
    return y


# %% wrong: the kernel turned round
# The kernel is upside down and back to front. w[0, 0] has to meet the window's own top left entry.
def convolve(x, w, stride, padding):
    x = np.pad(x, padding)
    KH, KW = w.shape
    y = np.zeros(((x.shape[0] - KH) // stride + 1, (x.shape[1] - KW) // stride + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]
            y[i, j] = (window * w[::-1, ::-1]).sum()
    return y


# %% wrong: one place short
# The last row and the last column of y are missing. The kernel can stand where it begins, and then take that many more
# steps: + 1.
def convolve(x, w, stride, padding):
    x = np.pad(x, padding)
    KH, KW = w.shape
    y = np.zeros(((x.shape[0] - KH) // stride, (x.shape[1] - KW) // stride))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]
            y[i, j] = (window * w).sum()
    return y


# %% wrong: the padding counted twice
# The windows run over the edge: there are too many places. `x` has been padded in the line above, so x.shape holds the
# 2 · padding already; here it was added once more.
def convolve(x, w, stride, padding):
    x = np.pad(x, padding)
    KH, KW = w.shape
    OH, OW = (x.shape[0] + 2 * padding - KH) // stride + 1, (x.shape[1] + 2 * padding - KW) // stride + 1
    y = np.zeros((OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]
            y[i, j] = (window * w).sum()
    return y


# %% wrong: the padding left out
# The zeros around the image are missing, so y is too small: it has only the windows that lie wholly inside the image.
def convolve(x, w, stride, padding):
    KH, KW = w.shape
    y = np.zeros(((x.shape[0] - KH) // stride + 1, (x.shape[1] - KW) // stride + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]
            y[i, j] = (window * w).sum()
    return y
