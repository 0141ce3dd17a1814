"""Max pooling: the way back

Lesson: 2_vision/02_convolution_and_pooling

The largest pixel of a window is what came out of max pooling. If that pixel grows a little, the output grows as much;
if one that lost does, nothing happens. So on the way back all of dy goes to the winner, and nothing to the others. One
pixel may win in several windows that overlap: then it gets the dy of each. The loops walk through all windows, and
through the K² pixels of each; fill in the one line that is missing. (keep(y, winner=winner) in forward returns y, and
keeps the winners' numbers for d_x, which asks for them by that name.)
"""

# %% stub
import numpy as np

from minigen.graph import keep


class max_pool2d:
    """The largest pixel of each window, channel by channel.   x (N, H, W, C)  ->  y (N, OH, OW, C)"""

    def forward(x, *, kernel, stride):
        N, H, W, C = x.shape
        OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
        y, winner = np.zeros((N, OH, OW, C)), np.zeros((N, OH, OW, C), dtype=int)
        for i in range(OH):
            for j in range(OW):
                window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                pixels = window.reshape(N, kernel * kernel, C)
                y[:, i, j] = pixels.max(axis=1)
                winner[:, i, j] = pixels.argmax(axis=1)
        return keep(y, winner=winner)

    def d_x(dy, winner, x_shape, kernel, stride):
        dx = np.zeros(x_shape)
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for k in range(kernel * kernel):
                    row, column = i * stride + k // kernel, j * stride + k % kernel  # where pixel k of this window is
                    ...
        return dx


# %% solution
def d_x(dy, winner, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for k in range(kernel * kernel):
                row, column = i * stride + k // kernel, j * stride + k % kernel  # where pixel k of this window is
                dx[:, row, column] += dy[:, i, j] * (winner[:, i, j] == k)
    return dx


# %% check
def check(answer, rng, examine):
    examine(answer.max_pool2d, rng.normal(size=(2, 7, 5, 3)), kernel=3, stride=2)


# %% hint: concept
# Stand at pixel k of window (i, j), in all images and channels at once. In some of them it has won, in the others not:
# winner[:, i, j] == k says where, as True and False. And True counts as 1, False as 0.

# %% hint: formula
# dx[n, row, column, c] += dy[n, i, j, c] where winner[n, i, j, c] is k, and nothing elsewhere.

# %% hint: the line
# dx[:, row, column] += dy[:, i, j] * (winner[:, i, j] == k)


# %% wrong: the last window alone
# Windows overlap, and each overwrites what those before it have left: a pixel that has won in two of them gets the dy
# of one, or nothing. Add up: += for =.
def d_x(dy, winner, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for k in range(kernel * kernel):
                row, column = i * stride + k // kernel, j * stride + k % kernel
                dx[:, row, column] = dy[:, i, j] * (winner[:, i, j] == k)
    return dx


# %% wrong: the last of its victories
# A pixel that has won in several windows gets the dy of the last one only. It has a share in each of these outputs: add
# their dy up.
def d_x(dy, winner, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for k in range(kernel * kernel):
                row, column = i * stride + k // kernel, j * stride + k % kernel
                won = winner[:, i, j] == k
                dx[:, row, column] = np.where(won, dy[:, i, j], dx[:, row, column])
    return dx


# %% wrong: to all pixels
# Every pixel of the window gets dy, whether it has won or not. Those that lost had no say in y: for them it is 0.
def d_x(dy, winner, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for k in range(kernel * kernel):
                row, column = i * stride + k // kernel, j * stride + k % kernel
                dx[:, row, column] += dy[:, i, j]
    return dx


# %% wrong: to the losers
# The mask is the wrong way round: those that lost get dy, and the winner nothing.
def d_x(dy, winner, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for k in range(kernel * kernel):
                row, column = i * stride + k // kernel, j * stride + k % kernel
                dx[:, row, column] += dy[:, i, j] * (winner[:, i, j] != k)
    return dx


# %% wrong: the upstream gradient left out
# This counts in how many windows a pixel has won. What it gets for each of them is dy[:, i, j].
def d_x(dy, winner, x_shape, kernel, stride):
    dx = np.zeros(x_shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for k in range(kernel * kernel):
                row, column = i * stride + k // kernel, j * stride + k % kernel
                dx[:, row, column] += winner[:, i, j] == k
    return dx
