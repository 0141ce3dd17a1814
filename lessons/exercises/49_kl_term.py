"""The KL term

Lesson: 4_generative/02_vae

A VAE pays for every code that strays from the standard normal distribution, which new codes will be drawn from. The
price is the KL divergence of N(mean, exp(logvar)) from N(0, 1): (mean² + exp(logvar) - 1 - logvar) / 2 in each of the Z
coordinates. These are added up over the coordinates, and averaged over the N images. It is 0 only where mean and logvar
are 0. Write the loss, one number, and both gradients.
"""

# %% stub
import numpy as np


class kl:
    """mean over n of the sum over z of (mean² + exp(logvar) - 1 - logvar) / 2.   mean, logvar (N, Z)  ->  one number"""

    def forward(mean, logvar):
        return ...

    def d_mean(dy, mean):
        return ...

    def d_logvar(dy, logvar):
        return ...


# %% solution
def forward(mean, logvar):
    return (mean**2 + np.exp(logvar) - 1 - logvar).sum() / 2 / len(mean)


def d_mean(dy, mean):
    return dy * mean / len(mean)


def d_logvar(dy, logvar):
    return dy * (np.exp(logvar) - 1) / 2 / len(logvar)


# %% check
def check(answer, rng, compare, examine):
    mean, logvar = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    compare(answer.kl.forward, mean, logvar)
    examine(answer.kl, mean, logvar)


# %% hint: concept
# Each entry of mean and logvar has a term of its own in the sum; the others do not know of it. So the slope of one term
# is all you need, and the share it has in the average.

# %% hint: formula
# The slope of mean² / 2 is mean. The slope of (exp(logvar) - 1 - logvar) / 2 is (exp(logvar) - 1) / 2. Each times
# dy / N.

# %% hint: the line
# forward:   return (mean**2 + np.exp(logvar) - 1 - logvar).sum() / 2 / len(mean)
# d_mean:    return dy * mean / len(mean)
# d_logvar:  return dy * (np.exp(logvar) - 1) / 2 / len(logvar)


# %% wrong: not over N
# The loss is right, but the gradients are N times too large: the average over the images has a 1/N, for each of them.
def forward(mean, logvar):
    return (mean**2 + np.exp(logvar) - 1 - logvar).sum() / 2 / len(mean)


def d_mean(dy, mean):
    return dy * mean


def d_logvar(dy, logvar):
    return dy * (np.exp(logvar) - 1) / 2


# %% wrong: without the 1
# The loss is right, but d_logvar lacks the - 1. It is the slope of - logvar, and what keeps the variance from shrinking
# to nothing: at variance 1 the gradient has to be 0.
def forward(mean, logvar):
    return (mean**2 + np.exp(logvar) - 1 - logvar).sum() / 2 / len(mean)


def d_mean(dy, mean):
    return dy * mean / len(mean)


def d_logvar(dy, logvar):
    return dy * np.exp(logvar) / 2 / len(logvar)


# %% wrong: log sigma
# logvar is taken for the logarithm of the standard deviation: the variance would then be exp(2 logvar). But it is that
# of the variance itself, which is exp(logvar).
def forward(mean, logvar):
    return (mean**2 + np.exp(2 * logvar) - 1 - 2 * logvar).sum() / 2 / len(mean)


def d_mean(dy, mean):
    return dy * mean / len(mean)


def d_logvar(dy, logvar):
    return dy * (np.exp(2 * logvar) - 1) / len(logvar)


# %% wrong: over all entries
# Averaged over the coordinates too. The prices of the Z coordinates of one image add up; the mean is over the images
# alone.
def forward(mean, logvar):
    return (mean**2 + np.exp(logvar) - 1 - logvar).mean() / 2


def d_mean(dy, mean):
    return dy * mean / mean.size


def d_logvar(dy, logvar):
    return dy * (np.exp(logvar) - 1) / 2 / logvar.size


# %% wrong: the half left out of d_logvar
# The loss and d_mean are right. In d_logvar the half is missing: with mean², the 2 of the square cancels it; exp has no
# 2 to bring down.
def forward(mean, logvar):
    return (mean**2 + np.exp(logvar) - 1 - logvar).sum() / 2 / len(mean)


def d_mean(dy, mean):
    return dy * mean / len(mean)


def d_logvar(dy, logvar):
    return dy * (np.exp(logvar) - 1) / len(logvar)


# %% wrong: the sign
# The sign of the loss is turned, as in the bound that a VAE raises. A loss is lowered, and the KL divergence is never
# negative.
def forward(mean, logvar):
    return (1 + logvar - mean**2 - np.exp(logvar)).sum() / 2 / len(mean)


def d_mean(dy, mean):
    return -dy * mean / len(mean)


def d_logvar(dy, logvar):
    return dy * (1 - np.exp(logvar)) / 2 / len(logvar)
