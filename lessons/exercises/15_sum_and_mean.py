"""Sum and mean, backwards

Lesson: 1_foundations/06_losses_and_descent

Losses end in a sum or a mean. A sum has slope 1 in each of its terms, so on the way back each of them is handed the
whole gradient. A mean over n numbers has slope 1/n in each. Write d_x for both, where x is (N, D). total adds up all
entries of x, so its dy is one number. row_means takes the mean of each row, so its dy is (N,), an entry for each row.
Either way d_x has the shape of x. It is handed over as x_shape: which numbers were in x does not matter.
"""

# %% stub
import numpy as np


def total_backward(dy, x_shape):
    """d_x of y = x.sum().   dy one number, x_shape is (N, D)  ->  d_x (N, D)"""
    return ...


def row_means_backward(dy, x_shape):
    """d_x of y = x.mean(axis=1).   dy (N,), x_shape is (N, D)  ->  d_x (N, D)"""
    return ...


# %% solution
def total_backward(dy, x_shape):
    return dy * np.ones(x_shape)


def row_means_backward(dy, x_shape):
    N, D = x_shape
    return dy.reshape(N, 1) * np.ones(x_shape) / D


# %% check
def check(answer, rng, compare):
    compare(answer.total_backward, rng.normal(), (7, 5))
    compare(answer.row_means_backward, rng.normal(size=7), (7, 5))
    compare(answer.row_means_backward, rng.normal(size=3), (3, 3))  # where a wrong axis also fits


# %% hint: concept
# It is unbroadcasting, seen from the other side: what was added up on the way forward is copied on the way back. For
# the mean, each copy is as small as its share in the mean.

# %% hint: formula
# total:  d_x[n, i] = dy.   row_means:  d_x[n, i] = dy[n] / D, where N, D = x_shape.
# np.ones(x_shape) is an array of ones to multiply with. dy.reshape(N, 1) stands upright, so that NumPy repeats it
# along the rows.

# %% hint: the line
# total:  return dy * np.ones(x_shape)
# row_means:  return dy.reshape(N, 1) * np.ones(x_shape) / D,  after N, D = x_shape


# %% wrong: one number for all
# In total, dy is one number, but each entry of x needs a gradient of its own: as many copies of dy as x has entries.
def total_backward(dy, x_shape):
    return dy


def row_means_backward(dy, x_shape):
    return dy[:, None] * np.ones(x_shape) / x_shape[1]


# %% wrong: the sum as a mean
# In total, dy is divided by the number of entries. That belongs to a mean; in a sum, each entry counts in full.
def total_backward(dy, x_shape):
    return dy * np.ones(x_shape) / np.prod(x_shape)


def row_means_backward(dy, x_shape):
    return dy[:, None] * np.ones(x_shape) / x_shape[1]


# %% wrong: the mean as a sum
# In row_means, each entry is handed the whole gradient of its row. It has only a share of 1/D in the mean.
def total_backward(dy, x_shape):
    return dy * np.ones(x_shape)


def row_means_backward(dy, x_shape):
    return dy[:, None] * np.ones(x_shape)


# %% wrong: over all entries
# In row_means, dy is divided by N · D, the number of all entries. Each mean is that of one row: of D numbers.
def total_backward(dy, x_shape):
    return dy * np.ones(x_shape)


def row_means_backward(dy, x_shape):
    return dy[:, None] * np.ones(x_shape) / np.prod(x_shape)


# %% wrong: over the number of rows
# In row_means, dy is divided by N, the number of rows. Each mean is that of one row: of D numbers.
def total_backward(dy, x_shape):
    return dy * np.ones(x_shape)


def row_means_backward(dy, x_shape):
    return dy[:, None] * np.ones(x_shape) / x_shape[0]


# %% wrong: the axis not put back
# In row_means, dy is (N,), and NumPy puts that along the rows, where it does not fit. It has to stand upright, (N, 1),
# one number for each row.
def total_backward(dy, x_shape):
    return dy * np.ones(x_shape)


def row_means_backward(dy, x_shape):
    return dy * np.ones(x_shape) / x_shape[1]
