"""Binary cross-entropy, from logits

Lesson: 1_foundations/06_losses_and_descent

For a yes or no, a network gives one number for each example, the logit z; the sigmoid makes the probability p of a yes
of it. The loss is -log p where the target t is 1, and -log(1 - p) where it is 0, averaged over the N examples. The
sigmoid and the logarithm are best taken together: the forward is written so that no logit overflows, and the gradient
becomes as simple as that of softmax and cross-entropy. Write d_z, so that it works for large logits, too.
"""

# %% stub
import numpy as np


class binary_cross_entropy:
    """loss = mean of -(t log p + (1 - t) log(1 - p)), p = sigmoid(z).   z (N,), t (N,) of 0 and 1  ->  one number"""

    def forward(z, t):
        return (np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))).mean()  # log1p(a) is log(1 + a)

    def d_z(dy, z, t):
        return ...

    d_t = None  # the targets are data


# %% solution
def d_z(dy, z, t):
    p = 1 / (1 + np.exp(-z))
    return dy * (p - t) / len(z)


# %% check
def check(answer, rng, compare, examine):
    t = rng.permutation([0.0, 0, 0, 1, 1, 1, 1])
    examine(answer.binary_cross_entropy, 2 * rng.normal(size=7), t)
    with np.errstate(all="ignore"):  # what overflows is seen in the result
        compare(answer.binary_cross_entropy.d_z, 0.7, rng.choice([-1000.0, 1000], size=7), t)


# %% hint: concept
# If p were the target, there would be nothing to learn. The gradient is the distance from that: the probability that
# was given, minus the one that should have been given.

# %% hint: formula
# With respect to p, the loss of one example has the slope (p - t) / (p (1 - p)). The sigmoid's own slope is p (1 - p),
# and the two cancel: d_z[n] = dy · (p[n] - t[n]) / N

# %% hint: the line
# p = 1 / (1 + np.exp(-z))
# return dy * (p - t) / len(z)


# %% wrong: the sigmoid's slope twice
# The sigmoid's slope p (1 - p) is in p - t already: it has cancelled what the logarithm's slope divides by. Here it is
# multiplied in a second time.
def d_z(dy, z, t):
    p = 1 / (1 + np.exp(-z))
    return dy * (p - t) * p * (1 - p) / len(z)


# %% wrong: the gradient of p
# This is how the loss answers to p. From p to the logit z it is one function further: the sigmoid, with its slope.
def d_z(dy, z, t):
    p = 1 / (1 + np.exp(-z))
    return dy * (p - t) / (p * (1 - p)) / len(z)


# %% wrong: the sigmoid left out
# z is a logit, and may be any number. What is compared with the target is the probability: the sigmoid of z.
def d_z(dy, z, t):
    return dy * (z - t) / len(z)


# %% wrong: only where the target is 1
# This is right where t is 1, and 0 where t is 0. There the loss is -log(1 - p), which has a gradient as well.
def d_z(dy, z, t):
    p = 1 / (1 + np.exp(-z))
    return dy * t * (p - 1) / len(z)


# %% wrong: the sign
# The sign is turned: where the target is 1, raising the logit lowers the loss, so the gradient is negative there.
def d_z(dy, z, t):
    p = 1 / (1 + np.exp(-z))
    return dy * (t - p) / len(z)


# %% wrong: not over N
# The loss is a mean over the N examples, so each of them has a share of 1/N in it. Divide by N.
def d_z(dy, z, t):
    p = 1 / (1 + np.exp(-z))
    return dy * (p - t)


# %% wrong: overflow
# Right, but not for a large logit: exp(1000) is inf, and inf / inf is no number. Write the sigmoid with exp(-z), which
# may become inf, too, but stands below the line only: 1 / inf is 0.
def d_z(dy, z, t):
    p = np.exp(z) / (1 + np.exp(z))
    return dy * (p - t) / len(z)
