"""Convolution: the gradient of the kernel

Lesson: 2_vision/02_convolution_and_pooling

Now with N images at once, C channels in and F channels out. A window is (N, KH, KW, C), the kernel (KH, KW, C, F), and
y[n, i, j, f] is the sum, over u, v and c, of window[n, u, v, c] · w[u, v, c, f]. NumPy writes such a sum by its
letters, np.einsum("nuvc,uvcf->nf", window, w): what is missing to the right of the arrow is summed over. Write d_w, the
gradient of the kernel. The kernel is the same in every window, so every window has its share in its gradient.
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

    def d_w(dy, x, w_shape, stride, padding):  # w_shape is (KH, KW, C, F)
        return ...

    d_x = None  # the next exercise


# %% solution
def d_w(dy, x, w_shape, stride, padding):
    x = pad(x, padding)
    KH, KW, C, F = w_shape
    dw = np.zeros(w_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, i * stride : i * stride + KH, j * stride : j * stride + KW]  # (N, KH, KW, C)
            dw += np.einsum("nuvc,nf->uvcf", window, dy[:, i, j])
    return dw


# %% check
def check(answer, rng, examine):
    examine(answer.conv2d, rng.normal(size=(5, 7, 5, 2)), rng.normal(size=(3, 2, 2, 3)), stride=2, padding=1)


# %% hint: concept
# In one window this is a dense layer: KH · KW · C numbers in, F numbers out. You know its d_w: what went in, times what
# comes back, added up over the N examples. All windows share one w, so add up over the windows too.

# %% hint: formula
# d_w[u, v, c, f] = sum over i, j and n of window(i, j)[n, u, v, c] · dy[n, i, j, f]. Walk through the windows as
# forward does, on the padded x, and let einsum sum over n.

# %% hint: the line
# In the two loops of forward, with dw = np.zeros(w_shape) before them:
# dw += np.einsum("nuvc,nf->uvcf", window, dy[:, i, j])


# %% wrong: the last window alone
# Each window overwrites what those before it have given: only the last one is left. The shares add up: += for =.
def d_w(dy, x, w_shape, stride, padding):
    x = pad(x, padding)
    KH, KW, C, F = w_shape
    dw = np.zeros(w_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, i * stride : i * stride + KH, j * stride : j * stride + KW]
            dw = np.einsum("nuvc,nf->uvcf", window, dy[:, i, j])
    return dw


# %% wrong: the padding forgotten
# x comes without its padding: forward made a padded one of its own, and here the windows run over the edge. Pad first.
def d_w(dy, x, w_shape, stride, padding):
    KH, KW, C, F = w_shape
    dw = np.zeros(w_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, i * stride : i * stride + KH, j * stride : j * stride + KW]
            dw += np.einsum("nuvc,nf->uvcf", window, dy[:, i, j])
    return dw


# %% wrong: the stride left out
# These windows begin one pixel apart, those of forward `stride` pixels. dy[:, i, j] belongs to the window that begins
# at row i · stride, column j · stride.
def d_w(dy, x, w_shape, stride, padding):
    x = pad(x, padding)
    KH, KW, C, F = w_shape
    dw = np.zeros(w_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            dw += np.einsum("nuvc,nf->uvcf", x[:, i : i + KH, j : j + KW], dy[:, i, j])
    return dw


# %% wrong: the kernel turned round
# The numbers are right, but upside down and back to front. The kernel was not turned in forward, so its gradient is not
# turned either.
def d_w(dy, x, w_shape, stride, padding):
    x = pad(x, padding)
    KH, KW, C, F = w_shape
    dw = np.zeros(w_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, i * stride : i * stride + KH, j * stride : j * stride + KW]
            dw += np.einsum("nuvc,nf->uvcf", window, dy[:, i, j])
    return dw[::-1, ::-1]


# %% wrong: a mean over the images
# Divided by N, the number of images. If there is a mean over the batch, it is in the loss, and so in dy already.
def d_w(dy, x, w_shape, stride, padding):
    x = pad(x, padding)
    KH, KW, C, F = w_shape
    dw = np.zeros(w_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, i * stride : i * stride + KH, j * stride : j * stride + KW]
            dw += np.einsum("nuvc,nf->uvcf", window, dy[:, i, j])
    return dw / len(x)
