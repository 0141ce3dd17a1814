"""A gradient without a formula

Lesson: 1_foundations/08_gradient_checking

A gradient is a slope, so it can be measured: move one entry of x a little up, by h, then a little down, by h, and see
by how much f(x) differs, for each unit that the entry has moved. It takes two calls of f for each entry, far too slow
to train with, but it shares no mistake with your formulas: it is the judge of all the exercises before this one.
Write slope_at, for one entry. Leave x as it was.
"""

# %% stub
import numpy as np


def slope_at(f, x, i, h):
    """How f(x) answers to the entry x[i] alone.   f: array -> a number, i an index such as (2, 0)  ->  a number"""
    return ...


def numerical_gradient(f, x, h=1e-5):
    """The slope of f at every entry.   x of any shape  ->  an array of the same"""
    slopes = np.zeros(x.shape)
    for i in np.ndindex(x.shape):  # each index: (0, 0), (0, 1), ...
        slopes[i] = slope_at(f, x, i, h)
    return slopes


# %% solution
def slope_at(f, x, i, h):
    up, down = x.copy(), x.copy()
    up[i] += h
    down[i] -= h
    return (f(up) - f(down)) / (2 * h)


# %% check
def check(answer, rng, compare):
    w = rng.normal(size=(5, 3))

    def f(x):
        return float((w * np.exp(x) + np.sin(x) * x[::-1]).sum())

    compare(answer.numerical_gradient, f, rng.normal(size=(5, 3)), h=1e-4)


# %% hint: concept
# Two arrays, each a copy of x with one entry moved: one with h more, one with h less. Between the two that entry has
# moved by 2 h.

# %% hint: formula
# slope ≈ (f(x with x[i] + h) - f(x with x[i] - h)) / (2 h). x.copy() is a new array with the same numbers.

# %% hint: the line
# up, down = x.copy(), x.copy()
# up[i] += h
# down[i] -= h
# return (f(up) - f(down)) / (2 * h)


# %% wrong: one side only
# This moves up only. The slope over a step to one side is off by about h, that over both sides by about h², which is
# far less: the curve's bend cancels.
def slope_at(f, x, i, h):
    up = x.copy()
    up[i] += h
    return (f(up) - f(x)) / h


# %% wrong: over h
# Twice what it should be: from h below to h above, the entry moves by 2 h.
def slope_at(f, x, i, h):
    up, down = x.copy(), x.copy()
    up[i] += h
    down[i] -= h
    return (f(up) - f(down)) / h


# %% wrong: not divided
# This is by how much f(x) differs. The slope is that for each unit the entry has moved: divide by how far it did.
def slope_at(f, x, i, h):
    up, down = x.copy(), x.copy()
    up[i] += h
    down[i] -= h
    return f(up) - f(down)


# %% wrong: not put back
# x is moved and not put back. So it is no longer the caller's x, and for the next entry this one is off.
def slope_at(f, x, i, h):
    x[i] += h
    above = f(x)
    x[i] -= 2 * h
    below = f(x)
    return (above - below) / (2 * h)


# %% wrong: two names for one array
# All slopes are 0: `up = x` and `down = x` make no copies, but two more names for the same array, which moves up and
# down again. Write x.copy().
def slope_at(f, x, i, h):
    up = x
    down = x
    up[i] += h
    down[i] -= h
    return (f(up) - f(down)) / (2 * h)


# %% wrong: all at once
# Here all entries of x are moved together, and all slopes come out equal, as their sum. Move x[i] alone.
def slope_at(f, x, i, h):
    return (f(x + h) - f(x - h)) / (2 * h)
