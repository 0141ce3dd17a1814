"""The mean squared error

Lesson: 1_foundations/06_losses_and_descent

Where the answers are numbers, not classes, the usual loss is the mean squared error: the difference between the
network's answer x and the target t, squared, averaged over all N · D entries. Write d_x. (dy is one number here, how
strongly the rest answers to this loss: 1 where it stands alone.)
"""

# %% stub
import numpy as np


class mean_squared_error:
    """loss = mean of (x - t)**2.   x (N, D), t (N, D)  ->  one number"""

    def forward(x, t):
        return np.mean((x - t) ** 2)

    def d_x(dy, x, t):
        return ...

    d_t = None  # the targets are data


# %% solution
def d_x(dy, x, t):
    return dy * 2 * (x - t) / x.size


# %% check
def check(answer, rng, examine):
    examine(answer.mean_squared_error, rng.normal(size=(7, 3)), rng.normal(size=(7, 3)))


# %% hint: concept
# Three functions, one after the other: a difference, a square, a mean. Go back through them, and multiply the slopes.

# %% hint: formula
# The mean hands each entry dy / (N D). The square makes that times 2 (x - t). The difference has slope 1 in x.

# %% hint: the line
# return dy * 2 * (x - t) / x.size


# %% wrong: without the mean
# The loss is a mean over N · D entries, so each has a share of 1 / (N D) in it. Divide by the number of entries.
def d_x(dy, x, t):
    return dy * 2 * (x - t)


# %% wrong: over the examples only
# Divided by N, the number of examples. The mean runs over all entries: D for each example, so N · D.
def d_x(dy, x, t):
    return dy * 2 * (x - t) / len(x)


# %% wrong: the 2 left out
# The slope of a square is 2 times what is squared. (Some books put 1/2 before the loss to be rid of it; not here.)
def d_x(dy, x, t):
    return dy * (x - t) / x.size


# %% wrong: the sign
# The sign is turned. Where the answer x is above the target, the loss grows with x, so the gradient is positive.
def d_x(dy, x, t):
    return dy * 2 * (t - x) / x.size


# %% wrong: the square kept
# This still holds the square. The exponent comes down as a factor, and what is left is 2 (x - t), with its sign.
def d_x(dy, x, t):
    return dy * 2 * (x - t) ** 2 / x.size


# %% wrong: the upstream gradient left out
# dy is left out. It is 1 where this loss stands alone, but not where it is one of several, or is weighted.
def d_x(dy, x, t):
    return 2 * (x - t) / x.size
