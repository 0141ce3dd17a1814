"""A penalty for large weights

Lesson: 1_foundations/09_overfitting

A network that learns its examples by heart tends to have large weights. So a penalty is added to the loss: half of
strength (a small number) times the sum of all squared weights. The gradient of a sum of two terms is the sum of their
gradients. Here the loss is the mean squared error of y = x @ w, and its part of d_w is there already. Write d_w.
"""

# %% stub
import numpy as np


class penalised:
    """loss = mean of (x @ w - t)**2 + strength / 2 * sum of w**2.   x (N, D), w (D, M), t (N, M)  ->  one number"""

    def forward(x, w, t, *, strength):
        return np.mean((x @ w - t) ** 2) + strength / 2 * np.sum(w**2)

    def d_w(dy, x, w, t, strength):
        from_error = x.T @ (2 * (x @ w - t) / t.size)  # (D, M), the gradient of the mean squared error
        return ...

    d_x = None  # the inputs are data,
    d_t = None  # and so are the targets


# %% solution
def d_w(dy, x, w, t, strength):
    from_error = x.T @ (2 * (x @ w - t) / t.size)
    return dy * (from_error + strength * w)


# %% check
def check(answer, rng, examine):
    x, w, t = rng.normal(size=(7, 5)), rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    examine(answer.penalised, x, w, t, strength=0.3)


# %% hint: concept
# Each weight is in the penalty once, squared. The penalty's gradient pulls it towards 0, the harder the larger it is.

# %% hint: formula
# The slope of strength / 2 · w² is strength · w: the 2 that comes down meets the half. Then
# d_w = dy · (from_error + strength · w): dy is for the whole loss, so it multiplies both terms.

# %% hint: the line
# return dy * (from_error + strength * w)


# %% wrong: without the penalty
# This is the gradient of the error alone. The penalty is part of the loss, and depends on w: add its gradient.
def d_w(dy, x, w, t, strength):
    return dy * (x.T @ (2 * (x @ w - t) / t.size))


# %% wrong: the half left out
# The penalty's gradient is twice too large. The 2 that comes down from the square meets the 1/2 in front of the sum.
def d_w(dy, x, w, t, strength):
    return dy * (x.T @ (2 * (x @ w - t) / t.size) + 2 * strength * w)


# %% wrong: the 2 left out
# The penalty's gradient is half of what it should be. From the square a 2 comes down, and meets the 1/2 in front.
def d_w(dy, x, w, t, strength):
    return dy * (x.T @ (2 * (x @ w - t) / t.size) + strength / 2 * w)


# %% wrong: the sign
# The penalty is subtracted here. That would reward large weights: descent goes against the gradient, so it has to be
# added, to shrink them.
def d_w(dy, x, w, t, strength):
    return dy * (x.T @ (2 * (x @ w - t) / t.size) - strength * w)


# %% wrong: the upstream gradient on one term only
# dy multiplies the error's part only. It is how strongly the rest answers to the whole loss, so it multiplies both.
def d_w(dy, x, w, t, strength):
    return dy * (x.T @ (2 * (x @ w - t) / t.size)) + strength * w


# %% wrong: the penalty averaged
# The penalty's gradient is divided by the number of examples. The mean is over the errors only: the penalty is added
# as it is.
def d_w(dy, x, w, t, strength):
    return dy * (x.T @ (2 * (x @ w - t) / t.size) + strength * w / len(x))
