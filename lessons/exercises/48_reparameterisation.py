"""The reparameterisation

Lesson: 4_generative/02_vae

The encoder of a VAE says where an image belongs: a mean, and logvar, the logarithm of a variance, for each of Z
coordinates. The code z is drawn at random from there. A draw has no slope, so the randomness is brought in from
outside: noise from the standard normal distribution is stretched by the standard deviation, exp(logvar / 2), and
shifted by the mean. z = mean + exp(logvar / 2) · noise, and now z answers to both. Write d_mean and d_logvar.
"""

# %% stub
import numpy as np


class draw:
    """z = mean + exp(logvar / 2) noise.   All of them (N, Z)"""

    def forward(mean, logvar, noise):
        return mean + np.exp(logvar / 2) * noise

    def d_mean(dy):
        return ...

    def d_logvar(dy, logvar, noise):
        return ...

    d_noise = None  # it comes from outside


# %% solution
def d_mean(dy):
    return dy


def d_logvar(dy, logvar, noise):
    return dy * noise * np.exp(logvar / 2) / 2


# %% check
def check(answer, rng, examine):
    examine(answer.draw, rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=(5, 3)))


# %% hint: concept
# For this one draw, the noise is a number like any other. If the mean grows by a little, by how much does z? And if
# logvar does?

# %% hint: formula
# The slope of exp(u) is exp(u), and that of u = logvar / 2 is 1/2; the noise is a factor in front.

# %% hint: the line
# d_mean:    return dy
# d_logvar:  return dy * noise * np.exp(logvar / 2) / 2


# %% wrong: the half left out
# Twice too large. exp(logvar / 2) has an inner function, logvar / 2, and its slope is 1/2.
def d_mean(dy):
    return dy


def d_logvar(dy, logvar, noise):
    return dy * noise * np.exp(logvar / 2)


# %% wrong: the noise left out
# The noise is missing. How much z answers to its standard deviation depends on the draw: where the noise was 0, not at
# all; where it was negative, z falls.
def d_mean(dy):
    return dy


def d_logvar(dy, logvar, noise):
    return dy * np.exp(logvar / 2) / 2


# %% wrong: exp left out
# The slope of the exponential is the exponential again, so the standard deviation stays in as a factor. It is missing.
def d_mean(dy):
    return dy


def d_logvar(dy, logvar, noise):
    return dy * noise / 2


# %% wrong: the variance
# exp(logvar) is the variance. What the noise was multiplied with is the standard deviation, exp(logvar / 2), and it is
# that which stays when the slope is taken.
def d_mean(dy):
    return dy


def d_logvar(dy, logvar, noise):
    return dy * noise * np.exp(logvar) / 2


# %% wrong: new noise
# New noise is drawn on the way back. It has to be the same as on the way forward: the question is how this z, made with
# this noise, would have moved.
def d_mean(dy):
    return dy


def d_logvar(dy, logvar):
    return dy * np.random.normal(size=logvar.shape) * np.exp(logvar / 2) / 2
