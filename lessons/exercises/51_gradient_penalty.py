"""A gradient penalty

Lesson: 4_generative/06_gan_losses

A Wasserstein GAN has a critic in place of the discriminator: it gives each point any number, and must not be too steep
anywhere. So its slope is measured at N points: g (N, D) is the gradient of its answer with respect to the D coordinates
of each point. How steep it is there is the length of the row, norm = sqrt(sum over d of g²). Wherever that is not 1,
there is a penalty: the mean over the points of (norm - 1)². Write d_g, how the penalty answers to each entry of g.
(From there the engine goes on by itself, through the critic's own backward pass.)
"""

# %% stub
import numpy as np


class gradient_penalty:
    """mean over n of (norm[n] - 1)²,  norm[n] = sqrt(sum over d of g[n, d]²).   g (N, D)  ->  one number"""

    def forward(g):
        norm = np.sqrt((g**2).sum(axis=1))  # (N,)
        return ((norm - 1) ** 2).mean()

    def d_g(dy, g):
        return ...


# %% solution
def d_g(dy, g):
    norm = np.sqrt((g**2).sum(axis=1, keepdims=True))  # (N, 1)
    return dy * 2 * (norm - 1) * g / norm / len(g)


# %% check
def check(answer, rng, examine):
    examine(answer.gradient_penalty, rng.normal(size=(7, 3)))


# %% hint: concept
# In which direction does an arrow get longer fastest? In its own. So the gradient of the norm is the row g[n], brought
# to length 1. What comes after the norm is a square and a mean.

# %% hint: formula
# d norm / d g = g / norm, for each row. (norm - 1)² has the slope 2 (norm - 1), and the mean gives 1/N.

# %% hint: the line
# norm = np.sqrt((g**2).sum(axis=1, keepdims=True))
# return dy * 2 * (norm - 1) * g / norm / len(g)


# %% wrong: not divided by the norm
# The direction has to have length 1, and g[n] has the length norm[n]. With g as it is, steep points get more than their
# share.
def d_g(dy, g):
    norm = np.sqrt((g**2).sum(axis=1, keepdims=True))
    return dy * 2 * (norm - 1) * g / len(g)


# %% wrong: the direction left out
# This is how the penalty answers to the norm, the same for all D coordinates. By how much each of them lengthens the
# row is still missing: its part in the direction of the row.
def d_g(dy, g):
    norm = np.sqrt((g**2).sum(axis=1, keepdims=True))
    return dy * 2 * (norm - 1) * np.ones_like(g) / len(g)


# %% wrong: one norm for all
# One norm was taken of all the entries of g at once. Each point has a slope of its own: sum over the coordinates, axis
# 1, and keep the axis.
def d_g(dy, g):
    norm = np.sqrt((g**2).sum())
    return dy * 2 * (norm - 1) * g / norm / len(g)


# %% wrong: the 2 left out
# Half of what it should be. The square (norm - 1)² has the slope 2 (norm - 1).
def d_g(dy, g):
    norm = np.sqrt((g**2).sum(axis=1, keepdims=True))
    return dy * (norm - 1) * g / norm / len(g)


# %% wrong: not over N
# The penalty is a mean over the N points: each has a share of 1/N in it.
def d_g(dy, g):
    norm = np.sqrt((g**2).sum(axis=1, keepdims=True))
    return dy * 2 * (norm - 1) * g / norm


# %% wrong: keepdims left out
# The norms are (N,), and do not line up with the rows of g, (N, D): NumPy lines up axes from the right. Keep the axis
# of the sum, with length 1.
def d_g(dy, g):
    norm = np.sqrt((g**2).sum(axis=1))
    return dy * 2 * (norm - 1) * g / norm / len(g)
