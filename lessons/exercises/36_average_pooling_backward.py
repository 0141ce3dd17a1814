"""Average pooling: the way back

Lesson: 2_vision/02_convolution_and_pooling

Average pooling gives the mean of each window of K x K pixels, channel by channel. So every pixel of the window has the
same share in the output, 1/K², and gets that share of dy back; and where windows overlap, a pixel gets its share from
each window it lies in. Write d_x.
"""

# %% stub
import numpy as np


class average_pool2d:
    """The mean of each window, channel by channel.   x (N, H, W, C)  ->  y (N, OH, OW, C)"""

    def forward(x, *, kernel, stride):
        N, H, W, C = x.shape
        OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
        y = np.zeros((N, OH, OW, C))
        for i in range(OH):
            for j in range(OW):
                window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]  # (N, K, K, C)
                y[:, i, j] = window.mean(axis=(1, 2))
        return y

    def d_x(dy, x_shape, kernel, stride):
        return ...


# %% solution
def d_x(dy, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = dx[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]  # (N, K, K, C)
            window += dy[:, i : i + 1, j : j + 1] / kernel**2  # (N, 1, 1, C); what is added to a slice is added to dx
    return dx


# %% check
def check(answer, rng, examine):
    examine(answer.average_pool2d, rng.normal(size=(2, 7, 5, 3)), kernel=3, stride=2)


# %% hint: concept
# Walk through the windows as forward does. Each takes its dy[:, i, j], one number for each image and channel, and deals
# it out in equal parts to its K² pixels.

# %% hint: formula
# dx[n, i s + u, j s + v, c] += dy[n, i, j, c] / K², for all u and v below K. To add it to a window (N, K, K, C), dy
# needs two axes of length 1 in the middle: dy[:, i : i + 1, j : j + 1] has them.

# %% hint: the line
# dx = np.zeros(x_shape)
# for i in range(dy.shape[1]):
#     for j in range(dy.shape[2]):
#         share = dy[:, i : i + 1, j : j + 1] / kernel**2
#         dx[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel] += share
# return dx


# %% wrong: the whole of it to each
# Each of the K² pixels gets all of dy. It had only a K²-th part in the mean, so that is what it gets: / kernel**2.
def d_x(dy, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            dx[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel] += dy[:, i : i + 1, j : j + 1]
    return dx


# %% wrong: the last window alone
# Where windows overlap, each overwrites the share that those before it have given. Add up: += for =.
def d_x(dy, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            share = dy[:, i : i + 1, j : j + 1] / kernel**2
            dx[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel] = share
    return dx


# %% wrong: over K
# Divided by K. A window is K pixels wide and K pixels high, so there are K² that share.
def d_x(dy, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            share = dy[:, i : i + 1, j : j + 1] / kernel
            dx[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel] += share
    return dx


# %% wrong: dy blown up
# Each entry of dy is repeated K times along both axes, as if the windows lay side by side. That is right only where the
# stride is K; here they overlap, and the shape says so.
def d_x(dy, x_shape, kernel, stride):
    return dy.repeat(kernel, axis=1).repeat(kernel, axis=2) / kernel**2


# %% wrong: the axes of the window missing
# dy[:, i, j] is (N, C), the window (N, K, K, C), and NumPy lines up axes from the right: N meets K. Put two axes of
# length 1 between N and C.
def d_x(dy, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            share = dy[:, i, j] / kernel**2
            dx[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel] += share
    return dx
