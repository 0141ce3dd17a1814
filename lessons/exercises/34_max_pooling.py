"""Max pooling

Lesson: 2_vision/02_convolution_and_pooling

Max pooling makes an image smaller: of each window of K x K pixels it keeps the largest, in each channel by itself. It
has no weights. For the way back one has to know which pixel won. Number those of a window from 0 to K² - 1, row by row,
and note the winner's number (the first, if several are equal). Padding is nothing here, not 0: a border that stands for
"no pixel" must never win, not even where all pixels are negative. Fill in the three gaps.
"""

# %% stub
import numpy as np


def max_pool(x, kernel, stride, padding):
    """x (N, H, W, C)  ->  y (N, OH, OW, C), the largest;  winner (N, OH, OW, C), its number in the window"""
    border = ...  # the number that stands for "no pixel"
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)  # row by row, in one line
            y[:, i, j] = ...
            winner[:, i, j] = ...
    return y, winner


# %% solution
def max_pool(x, kernel, stride, padding):
    border = -np.inf
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)
            y[:, i, j] = pixels.max(axis=1)
            winner[:, i, j] = pixels.argmax(axis=1)
    return y, winner


# %% check
def check(answer, rng, compare):
    compare(answer.max_pool, rng.normal(size=(3, 7, 5, 2)), 2, 2, 0)
    compare(answer.max_pool, rng.normal(size=(3, 7, 5, 2)), 3, 2, 1)  # windows overlap
    compare(answer.max_pool, rng.uniform(-5, -1, size=(2, 7, 5, 3)), 3, 2, 1)  # all below zero
    compare(answer.max_pool, rng.integers(3, size=(2, 7, 5, 3)) * 0.5 - 2, 3, 2, 1)  # many are equal


# %% hint: concept
# `pixels` has three axes: the image, the pixel's number in its window, the channel. The contest is among the pixels of
# one window, so along the axis in the middle; images and channels keep apart.

# %% hint: formula
# y[n, i, j, c] = max over k of pixels[n, k, c], and the winner is the k where it is: max and argmax, along one axis.
# What loses against every number is minus infinity, -np.inf.

# %% hint: the line
# border = -np.inf
# y[:, i, j] = pixels.max(axis=1)
# winner[:, i, j] = pixels.argmax(axis=1)


# %% wrong: a border of zeros
# With a border of zeros, a 0 that is no pixel wins wherever all pixels of a window are negative. The border has to lose
# against every number there is.
def max_pool(x, kernel, stride, padding):
    border = 0
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)
            y[:, i, j] = pixels.max(axis=1)
            winner[:, i, j] = pixels.argmax(axis=1)
    return y, winner


# %% wrong: one number for all
# Without an axis, max and argmax look at all images and channels at once, and y gets one and the same number in all of
# them. Say along which axis the contest is.
def max_pool(x, kernel, stride, padding):
    border = -np.inf
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)
            y[:, i, j] = pixels.max()
            winner[:, i, j] = pixels.argmax()
    return y, winner


# %% wrong: over the channels
# Axis 2 holds the channels: this is a contest among the channels of a pixel. It is to be one among the pixels of a
# window, in each channel by itself.
def max_pool(x, kernel, stride, padding):
    border = -np.inf
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)
            y[:, i, j] = pixels.max(axis=2)
            winner[:, i, j] = pixels.argmax(axis=2)
    return y, winner


# %% wrong: the pixel for its number
# `winner` holds the largest pixel itself, cut to a whole number. It is to say which one that is: its number in the
# window, from 0 to K² - 1.
def max_pool(x, kernel, stride, padding):
    border = -np.inf
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)
            y[:, i, j] = pixels.max(axis=1)
            winner[:, i, j] = pixels.max(axis=1)
    return y, winner


# %% wrong: the last of equal ones
# Where several pixels are equally large, this notes the last of them. Take the first: one rule for all, so that forward
# and the way back agree.
def max_pool(x, kernel, stride, padding):
    border = -np.inf
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=border)
    N, H, W, C = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            pixels = window.reshape(N, kernel * kernel, C)
            y[:, i, j] = pixels.max(axis=1)
            winner[:, i, j] = kernel * kernel - 1 - pixels[:, ::-1].argmax(axis=1)
    return y, winner
