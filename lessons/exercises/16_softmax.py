"""Softmax without overflow

Lesson: 1_foundations/06_losses_and_descent

Softmax makes probabilities of the K numbers z that a network gives for each of N examples: p[n, k] is e to the power
of z[n, k], divided by the sum of that over the row n. But e to the power of 1000 is too large for a float: NumPy says
inf, and inf / inf is no number (nan). The cure: p stays the same if one number is taken from all entries of a row
(why?). Take away the row's largest, and no power is above 0. Write softmax, so that it works for z of any size.
"""

# %% stub
import numpy as np


def softmax(z):
    """p = e**z / the sum of e**z over the row.   z (N, K)  ->  p (N, K), each row adds up to 1"""
    return ...


# %% solution
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# %% check
def check(answer, rng, compare):
    z = rng.normal(size=(7, 5))
    with np.errstate(all="ignore"):  # what overflows is seen in the result
        compare(answer.softmax, z)
        compare(answer.softmax, z + 1000)
        compare(answer.softmax, z + 1000 * rng.permutation(7)[:, None] - 3000)  # large rows beside small ones


# %% hint: concept
# e to the power of (z - c) is e to the power of z, divided by that of c: the same factor above and below, so it
# cancels. That holds for each row by itself, with a c of its own. The largest entry is the c after which every power
# is between 0 and 1, and the largest is 1, so that the sum is never 0.

# %% hint: formula
# e = exp(z - the largest of the row),  p = e / the sum of e over the row.
# z.max(axis=1, keepdims=True) is (N, 1): one number for each row, kept upright so that NumPy repeats it along the row.

# %% hint: the line
# e = np.exp(z - z.max(axis=1, keepdims=True))
# return e / e.sum(axis=1, keepdims=True)


# %% wrong: overflow
# Right for small numbers. For large ones exp(z) is inf, and inf / inf is nan: take each row's largest away first.
def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


# %% wrong: one largest for all
# This takes the largest of the whole array away. A row far below it becomes all 0, and 0 / 0 is nan: each row needs
# its own largest.
def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum(axis=1, keepdims=True)


# %% wrong: over the batch
# Here each column adds up to 1. The probabilities are those of one example, along its row: axis 1.
def softmax(z):
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


# %% wrong: one sum for all
# Here all entries together add up to 1. Each example has its own probabilities: divide each row by its own sum.
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum()


# %% wrong: keepdims left out
# z is (N, K), and its largest entries along axis 1 are (N,), which NumPy would put along the rows. With keepdims=True
# they are (N, 1), one for each row.
def softmax(z):
    e = np.exp(z - z.max(axis=1))
    return e / e.sum(axis=1)


# %% wrong: held at a bound
# The powers are held at a bound here. That keeps them from overflowing, but makes entries equal that are not, and so
# changes the probabilities. To take one number away from the whole row changes nothing.
def softmax(z):
    e = np.exp(np.clip(z, -500, 500))
    return e / e.sum(axis=1, keepdims=True)
