"""Leaky ReLU, both ways

Lesson: 1_foundations/05_activations

A unit behind ReLU whose input is negative for every example gets no gradient any more, and never recovers. Leaky ReLU
leaves the gate ajar: y = x where x is positive, and y = leak · x elsewhere, with a small number leak, such as 0.01.
Write both ways, forward and d_x.
"""

# %% stub
import numpy as np


class leaky_relu:
    """y = x where x > 0, else leak * x, elementwise.   x of any shape  ->  y of the same"""

    def forward(x, *, leak=0.01):
        return ...

    def d_x(dy, x, leak):
        return ...


# %% solution
def forward(x, *, leak=0.01):
    return np.where(x > 0, x, leak * x)


def d_x(dy, x, leak):
    return dy * np.where(x > 0, 1, leak)


# %% check
def check(answer, rng, compare, examine):
    x = rng.uniform(0.1, 2, size=(7, 5)) * rng.choice([-1, 1], size=(7, 5))  # none at the corner
    compare(answer.leaky_relu.forward, x, leak=0.2)
    examine(answer.leaky_relu, x, leak=0.2)


# %% hint: concept
# Two straight lines that meet at 0: one has slope 1, the other has slope leak. On the way forward, x is multiplied by
# the slope of its side; on the way back, dy is multiplied by the same slope.

# %% hint: formula
# y = x where x > 0, else leak · x.   d_x = dy where x > 0, else leak · dy.
# In NumPy, np.where(condition, a, b) takes a where the condition holds, and b elsewhere.

# %% hint: the line
# forward:  return np.where(x > 0, x, leak * x)
# d_x:  return dy * np.where(x > 0, 1, leak)


# %% wrong: no leak on the way back
# The way back is that of the plain ReLU: where x is negative, nothing passes. A share of dy has to, as large as leak.
def forward(x, *, leak=0.01):
    return np.where(x > 0, x, leak * x)


def d_x(dy, x, leak):
    return dy * (x > 0)


# %% wrong: no gate on the way back
# The gradient passes in full everywhere. Where x is negative, only a share of it does, as large as leak.
def forward(x, *, leak=0.01):
    return np.where(x > 0, x, leak * x)


def d_x(dy, x, leak):
    return dy


# %% wrong: the output for the slope
# Below 0, dy is multiplied by leak · x, the output. The slope of that line is leak alone, wherever x is on it.
def forward(x, *, leak=0.01):
    return np.where(x > 0, x, leak * x)


def d_x(dy, x, leak):
    return dy * np.where(x > 0, 1, leak * x)


# %% wrong: dy's own sign
# The side is chosen by the sign of dy here. What counts is on which side x was, on the way forward.
def forward(x, *, leak=0.01):
    return np.where(x > 0, x, leak * x)


def d_x(dy, x, leak):
    return np.where(dy > 0, dy, leak * dy)


# %% wrong: the plain ReLU
# This is the plain ReLU: below 0 it gives 0. The leaky one gives leak · x there, a small negative number.
def forward(x, *, leak=0.01):
    return np.maximum(x, 0)


def d_x(dy, x, leak):
    return dy * (x > 0)


# %% wrong: the leak alone
# Below 0 this gives the number leak itself. It is a slope: it has to be multiplied by x.
def forward(x, *, leak=0.01):
    return np.where(x > 0, x, leak)


def d_x(dy, x, leak):
    return dy * np.where(x > 0, 1, leak)
