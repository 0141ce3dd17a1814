"""Gradient clipping

Lesson: 3_sequences/01_rnn_by_hand

Through many time steps a gradient may grow and grow, and one step with it would ruin the weights. So it is clipped.
Take all gradients of the network, a list of arrays, as one long arrow. Its length, the norm, is the root of the sum of
the squares of all their entries. If the arrow is longer than `longest`, shorten it to that length; it keeps its
direction, so every array is multiplied with the same number. If it is not longer, it stays as it is. Return new arrays,
and leave the old ones alone.
"""

# %% stub
import numpy as np


def clip(gradients, longest):
    """A list of arrays of any shapes, and a number  ->  a list of new arrays of the same shapes"""
    return ...


# %% solution
def clip(gradients, longest):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * min(1, longest / norm) for g in gradients]


# %% check
def check(answer, rng, compare):
    for size in (0.1, 1, 3):
        compare(answer.clip, [rng.normal(0, size, size=shape) for shape in [(5, 3), (3,), (3, 2)]], 2.0)


# %% hint: concept
# There are two steps: measure the arrow (one number, over all arrays), then choose one factor for all of them. What is
# the factor if the arrow is short enough? And if it is twice too long?

# %% hint: formula
# norm = sqrt(sum over all arrays and all their entries of g²), and each g is multiplied with longest / norm if
# norm > longest, else with 1.

# %% hint: the line
# norm = np.sqrt(sum((g**2).sum() for g in gradients))
# return [g * min(1, longest / norm) for g in gradients]


# %% wrong: each by itself
# Each array is measured and shortened by itself, so some shrink and others do not: the arrow turns. Measure all of them
# together, and shorten all by the same factor.
def clip(gradients, longest):
    return [g * min(1, longest / np.sqrt((g**2).sum())) for g in gradients]


# %% wrong: entry by entry
# Large entries are cut off one by one. (That exists, as clipping by value, but it turns the arrow.) Here all entries
# are to be multiplied with the same number.
def clip(gradients, longest):
    return [np.clip(g, -longest, longest) for g in gradients]


# %% wrong: always
# This brings every arrow to the length `longest`, the short ones too. Those that are short enough stay as they are.
def clip(gradients, longest):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * longest / norm for g in gradients]


# %% wrong: the root left out
# The norm is the root of the sum of squares; this divides by the sum of squares itself.
def clip(gradients, longest):
    norm = sum((g**2).sum() for g in gradients)
    return [g * min(1, longest / norm) for g in gradients]


# %% wrong: in place
# The numbers are right, but `g *= ...` changes the arrays that the caller still holds. Make new ones: g * ...
def clip(gradients, longest):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    for g in gradients:
        g *= min(1, longest / norm)
    return gradients
