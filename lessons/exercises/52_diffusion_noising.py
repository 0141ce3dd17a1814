"""Diffusion: noise in one stroke

Lesson: 4_generative/14_diffusion_2d

Diffusion ruins a picture little by little. At step t (0, 1, 2, ...) a share beta[t] of its variance is replaced by
noise, and 1 - beta[t] stays. One need not take the steps one by one: alpha_bar[t], the product of all 1 - beta from
step 0 up to and including step t, is the share of the variance that is the picture's after step t; the rest is noise.
These are variances, and a variance goes with the square of a number; so x_t = sqrt(alpha_bar[t]) · x_0 +
sqrt(1 - alpha_bar[t]) · noise. In a batch, each of the N pictures has a step t[n] of its own. Write it.
"""

# %% stub
import numpy as np


def noised(x_0, t, noise, beta):
    """x_0 (N, D), t (N,) whole numbers from 0 to T - 1, noise (N, D), beta (T,)  ->  x_t (N, D)"""
    return ...


# %% solution
def noised(x_0, t, noise, beta):
    alpha_bar = np.cumprod(1 - beta)[t][:, None]  # (N, 1)
    return np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * noise


# %% check
def check(answer, rng, compare):
    N, D, T = 7, 3, 11
    for _ in range(3):
        t = np.concatenate([[0, T - 1], rng.integers(1, T - 1, size=N - 2)])  # the first and the last step, too
        x_0, noise = rng.normal(size=(N, D)), rng.normal(size=(N, D))
        compare(answer.noised, x_0, t, noise, rng.uniform(0.02, 0.3, size=T))


# %% hint: concept
# First, for all T steps at once, what is left of the picture: after step 0 it is 1 - beta[0], after step 1 that times
# 1 - beta[1], and so on. Then pick for each picture the number of its own step.

# %% hint: formula
# alpha_bar = np.cumprod(1 - beta), (T,). alpha_bar[t] is (N,); with a second axis of length 1, (N, 1), it lines up with
# the rows of x_0: alpha_bar[t][:, None].

# %% hint: the line
# alpha_bar = np.cumprod(1 - beta)[t][:, None]
# return np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * noise


# %% wrong: the roots left out
# The roots are missing. alpha_bar is a share of the variance, the square of the size; a picture is multiplied with the
# root of it.
def noised(x_0, t, noise, beta):
    alpha_bar = np.cumprod(1 - beta)[t][:, None]
    return alpha_bar * x_0 + (1 - alpha_bar) * noise


# %% wrong: one step only
# This is the noise of one step, with 1 - beta[t]. After step t, all the steps before it have left their noise as well:
# take the product of all of them.
def noised(x_0, t, noise, beta):
    alpha = (1 - beta)[t][:, None]
    return np.sqrt(alpha) * x_0 + np.sqrt(1 - alpha) * noise


# %% wrong: one step too few
# The step t itself is not in the product. After step 0 the picture is noisy already: alpha_bar[0] is 1 - beta[0].
def noised(x_0, t, noise, beta):
    alpha_bar = np.concatenate([[1], np.cumprod(1 - beta)])[t][:, None]
    return np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * noise


# %% wrong: the axis missing
# alpha_bar[t] is (N,), and NumPy would line it up with the D columns. It belongs to the rows: make it (N, 1).
def noised(x_0, t, noise, beta):
    alpha_bar = np.cumprod(1 - beta)[t]
    return np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * noise


# %% wrong: picture and noise exchanged
# The shares are exchanged: alpha_bar, near 1 in the first steps, is the picture's, and what is left to 1 the noise's.
def noised(x_0, t, noise, beta):
    alpha_bar = np.cumprod(1 - beta)[t][:, None]
    return np.sqrt(1 - alpha_bar) * x_0 + np.sqrt(alpha_bar) * noise
