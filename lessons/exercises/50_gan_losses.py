"""The two losses of a GAN

Lesson: 4_generative/05_gan_2d

A discriminator gives each picture a number, its logit; the sigmoid s of it is how probable it finds that the picture is
real. It wants s = 1 for real pictures and s = 0 for fakes: its loss is the mean of -log s over the real ones, plus the
mean of -log(1 - s) over the fakes. The generator wants its fakes to be taken for real: its loss is the mean of -log s
over them. (With log(1 - s) instead, it would get next to no gradient when it needs it most, while its fakes are still
found out.) Write the three gradients with respect to the logits. Each of these logarithms, together with the sigmoid,
has a very simple one.
"""

# %% stub
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class discriminator_loss:
    """mean of -log sigmoid(real)  +  mean of -log(1 - sigmoid(fake)).   real (N,), fake (M,) logits  ->  one number"""

    def forward(real, fake):
        return np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()  # the same, without a log of 0

    def d_real(dy, real):
        return ...

    def d_fake(dy, fake):
        return ...


class generator_loss:
    """mean of -log sigmoid(logits).   logits (M,), of fakes  ->  one number"""

    def forward(logits):
        return np.log1p(np.exp(-logits)).mean()

    def d_logits(dy, logits):
        return ...


# %% solution
def d_real(dy, real):
    return dy * (sigmoid(real) - 1) / len(real)


def d_fake(dy, fake):
    return dy * sigmoid(fake) / len(fake)


def d_logits(dy, logits):
    return dy * (sigmoid(logits) - 1) / len(logits)


# %% check
def check(answer, rng, examine):
    examine(answer.discriminator_loss, rng.normal(0, 2, size=7), rng.normal(0, 2, size=5))
    examine(answer.generator_loss, rng.normal(0, 2, size=5))


# %% hint: concept
# This is binary cross-entropy: two classes, fake and real. With the sigmoid, its gradient is the difference of what was
# said and what should have been said. For the discriminator, that is 1 for real ones and 0 for fakes; for the
# generator, 1 for its fakes.

# %% hint: formula
# -log s has the slope s - 1 with respect to the logit, -log(1 - s) has the slope s. Each is one of N (or M) in a mean.

# %% hint: the line
# d_real:    return dy * (sigmoid(real) - 1) / len(real)
# d_fake:    return dy * sigmoid(fake) / len(fake)
# d_logits:  return dy * (sigmoid(logits) - 1) / len(logits)


# %% wrong: the other generator loss
# The discriminator is right. The generator's gradient is that of log(1 - s), the loss that hardly moves while the fakes
# are found out (s near 0). Here its loss is -log s.
def d_real(dy, real):
    return dy * (sigmoid(real) - 1) / len(real)


def d_fake(dy, fake):
    return dy * sigmoid(fake) / len(fake)


def d_logits(dy, logits):
    return -dy * sigmoid(logits) / len(logits)


# %% wrong: the sigmoid's slope left out
# These are the slopes with respect to the probability s, -1/s and 1/(1 - s). The logit lies one step further back:
# times the slope of the sigmoid, s (1 - s).
def d_real(dy, real):
    return -dy / sigmoid(real) / len(real)


def d_fake(dy, fake):
    return dy / (1 - sigmoid(fake)) / len(fake)


def d_logits(dy, logits):
    return -dy / sigmoid(logits) / len(logits)


# %% wrong: the labels exchanged
# Real and fake have changed places: as it stands, the discriminator learns to take fakes for real. Real pictures should
# get 1, so theirs is s - 1.
def d_real(dy, real):
    return dy * sigmoid(real) / len(real)


def d_fake(dy, fake):
    return dy * (sigmoid(fake) - 1) / len(fake)


def d_logits(dy, logits):
    return dy * (sigmoid(logits) - 1) / len(logits)


# %% wrong: not over the batch
# Each loss is a mean over its pictures, so each picture has a share of 1/N (real) or 1/M (fake) in it.
def d_real(dy, real):
    return dy * (sigmoid(real) - 1)


def d_fake(dy, fake):
    return dy * sigmoid(fake)


def d_logits(dy, logits):
    return dy * (sigmoid(logits) - 1)


# %% wrong: the generator helps the discriminator
# The discriminator is right. The generator got the discriminator's gradient for fakes, and would learn to be found out.
# It wants 1 for its fakes.
def d_real(dy, real):
    return dy * (sigmoid(real) - 1) / len(real)


def d_fake(dy, fake):
    return dy * sigmoid(fake) / len(fake)


def d_logits(dy, logits):
    return dy * sigmoid(logits) / len(logits)
