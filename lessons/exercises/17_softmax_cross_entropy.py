"""Softmax and cross-entropy

Lesson: 1_foundations/06_losses_and_descent

For each example, a classifier gives K numbers, its logits z. Softmax makes probabilities p of them, and the loss is
-log p of the right class t, averaged over the N examples. Each of the two has an ugly gradient. Together they have a
beautiful one: the probabilities, minus 1 at the right class, over N. Write it.
"""

# %% stub
import numpy as np


class softmax_cross_entropy:
    """loss = mean over n of -log softmax(z)[n, t[n]].   z (N, K), t (N,) class numbers  ->  one number"""

    def forward(z, t):
        z = z - z.max(axis=1, keepdims=True)  # (N, K); changes no probability, keeps exp from overflowing
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # (N, K)
        return -log_p[np.arange(len(t)), t].mean()

    def d_z(dy, z, t):
        return ...

    d_t = None  # class numbers have no gradient


# %% solution
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(t)), t] -= 1
    return dy * p / len(t)


# %% check
def check(answer, rng, examine):
    examine(answer.softmax_cross_entropy, rng.normal(size=(7, 5)), rng.integers(5, size=7))


# %% hint: concept
# If the right class had probability 1 and the others 0, there would be nothing to learn. The gradient is the
# distance from that: the probabilities the network gave, minus those it should have given.

# %% hint: formula
# d_z[n, k] = dy · (p[n, k] - 1 if k is t[n], else p[n, k]) / N,
# where p[n, k] = exp(z[n, k]) / sum over j of exp(z[n, j])

# %% hint: the line
# p = np.exp(z - z.max(axis=1, keepdims=True))
# p /= p.sum(axis=1, keepdims=True)
# p[np.arange(len(t)), t] -= 1
# return dy * p / len(t)


# %% wrong: not over N
# The loss is a mean over the N examples, so each of them has a share of 1/N in it. Divide by N.
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(t)), t] -= 1
    return dy * p


# %% wrong: over all entries
# Divided by N · K. The mean in the loss is over the N examples only: of the K classes, one is looked at, the right one.
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(t)), t] -= 1
    return dy * p / z.size


# %% wrong: without the 1
# These are the probabilities alone. At the right class, subtract 1: there the network should have said 1.
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return dy * p / len(t)


# %% wrong: the sign
# The sign is turned: the logit of the right class has to get a negative gradient, since raising it lowers the loss.
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= -p.sum(axis=1, keepdims=True)
    p[np.arange(len(t)), t] += 1
    return dy * p / len(t)


# %% wrong: softmax over the batch
# Softmax runs over the classes of one example (axis 1): each row of p has to add up to 1, not each column.
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=0, keepdims=True))
    p /= p.sum(axis=0, keepdims=True)
    p[np.arange(len(t)), t] -= 1
    return dy * p / len(t)


# %% wrong: the upstream gradient left out
# dy is left out. It is 1 where this loss stands alone, but not where it is one of several, or is weighted.
def d_z(dy, z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(t)), t] -= 1
    return p / len(t)
