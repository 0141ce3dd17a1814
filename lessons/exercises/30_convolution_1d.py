"""Convolution in one dimension

Lesson: 2_vision/02_convolution_and_pooling

A kernel w of K numbers slides along a signal x of L numbers, one place at a time. Wherever it fits whole, each number
under it is multiplied with the kernel's number above it, and the products are added up: y[i] = x[i] · w[0] +
x[i + 1] · w[1] + ... + x[i + K - 1] · w[K - 1]. It fits in L - K + 1 places. So y[i] looks at K neighbours only, and
the same K weights serve everywhere. Write it, and return y as an array. (In deep learning the kernel is not turned
round. Mathematicians turn it, and call this one a correlation.)
"""

# %% stub
import numpy as np


def convolve(x, w):
    """y[i] = sum over k of x[i + k] w[k].   x (L,), w (K,)  ->  y (L - K + 1,)"""
    return ...


# %% solution
def convolve(x, w):
    return np.array([x[i : i + len(w)] @ w for i in range(len(x) - len(w) + 1)])


# %% check
def check(answer, rng, compare):
    for L, K in (11, 3), (7, 2), (5, 5):
        compare(answer.convolve, rng.normal(size=L), rng.normal(size=K))


# %% hint: concept
# Lay the kernel on the first K numbers of x, and work out one number, y[0]. Then move it by one. What changes is only
# which K numbers of x lie under it.

# %% hint: formula
# y[i] = x[i : i + K] @ w, for i = 0 ... L - K. (The @ of two vectors multiplies entry by entry, and adds up.)

# %% hint: the line
# return np.array([x[i : i + len(w)] @ w for i in range(len(x) - len(w) + 1)])


# %% wrong: the kernel turned round
# The kernel is used back to front: w[0] has to meet x[i], the first number under it. (np.convolve turns the kernel
# round, as mathematicians do.)
def convolve(x, w):
    return np.convolve(x, w, mode="valid")


# %% wrong: one place short
# The last place is missing. The kernel still fits where it begins at L - K, so there are L - K + 1 places:
# range(n) ends at n - 1.
def convolve(x, w):
    return np.array([x[i : i + len(w)] @ w for i in range(len(x) - len(w))])


# %% wrong: over the edge
# This y is as long as x: at the ends, where the kernel sticks out, numbers were made up (zeros). Here y has only the
# places where the kernel fits whole, L - K + 1 of them.
def convolve(x, w):
    x = np.pad(x, (len(w) // 2, (len(w) - 1) // 2))
    return np.array([x[i : i + len(w)] @ w for i in range(len(x) - len(w) + 1)])


# %% wrong: kernel after kernel
# The kernel jumps by its own length, so that no number of x is looked at twice. It has to move by one place at a time.
def convolve(x, w):
    return np.array([x[i : i + len(w)] @ w for i in range(0, len(x) - len(w) + 1, len(w))])


# %% wrong: an average
# Divided by K. The products are added up; whether the kernel averages is for its weights to say.
def convolve(x, w):
    return np.array([x[i : i + len(w)] @ w for i in range(len(x) - len(w) + 1)]) / len(w)
