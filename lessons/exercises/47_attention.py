"""Attention: the gradient of the scores

Lesson: 3_sequences/03_text

In attention, each place of one sequence looks at all S places of another, and takes in most of those that matter to it.
A query q (N, T, D) meets every key k (N, S, D) in a dot product, the score: s = q kᵀ / sqrt(D), (N, T, S). Softmax over
the S places makes shares p of the scores, and y = p v is the average of the values v (N, S, M), weighted with these
shares. (@ works on the matrices of each example.) Write d_scores: from dy (N, T, M) back through p v, then back through
the softmax. There, every score has a say in every share of its row: a row of shares p with the gradient g gives the
scores p · (g - sum of (g · p)). And write d_q, with d_scores.
"""

# %% stub
import numpy as np

from minigen.graph import keep


def d_scores(dy, p, v):
    """The gradient of the scores s.   dy (N, T, M), p (N, T, S), v (N, S, M)  ->  (N, T, S)"""
    return ...


class attention:
    """y = softmax(q k^T / sqrt(D)) v.   q (N, T, D), k (N, S, D), v (N, S, M)  ->  y (N, T, M)"""

    def forward(q, k, v):
        s = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])  # (N, T, S)
        p = np.exp(s - s.max(axis=2, keepdims=True))
        p = p / p.sum(axis=2, keepdims=True)  # (N, T, S), each row adds up to 1
        return keep(p @ v, p=p)

    def d_q(dy, p, k, v):
        return ...

    d_k = None  # as d_q, with the roles of q and k exchanged

    def d_v(dy, p):
        return p.transpose(0, 2, 1) @ dy


# %% solution
def d_scores(dy, p, v):
    g = dy @ v.transpose(0, 2, 1)  # (N, T, S), the gradient of p
    return p * (g - (g * p).sum(axis=2, keepdims=True))


def d_q(dy, p, k, v):
    return d_scores(dy, p, v) @ k / np.sqrt(k.shape[2])


# %% check
def check(answer, rng, examine):
    q, k, v = rng.normal(size=(2, 3, 7)), rng.normal(size=(2, 5, 7)), rng.normal(size=(2, 5, 11))
    examine(answer.attention, q, k, v)


# %% hint: concept
# y = p @ v is a product like any other: dy, times v turned, is the gradient of p. The softmax comes next. If one score
# of a row grows, its share grows, and all other shares shrink: that is what the sum takes off.

# %% hint: formula
# g = dy @ vᵀ, with the last two axes of v exchanged;   d_s = p · (g - sum over S of (g · p));   d_q = d_s @ k / sqrt(D)

# %% hint: the line
# g = dy @ v.transpose(0, 2, 1)
# return p * (g - (g * p).sum(axis=2, keepdims=True))
# And in d_q:  return d_scores(dy, p, v) @ k / np.sqrt(k.shape[2])


# %% wrong: the diagonal alone
# p (1 - p) is what a share's own score does to it. But it also takes from all other shares of the row: the softmax's
# gradient is p · (g - sum of (g · p)).
def d_scores(dy, p, v):
    return (dy @ v.transpose(0, 2, 1)) * p * (1 - p)


def d_q(dy, p, k, v):
    return d_scores(dy, p, v) @ k / np.sqrt(k.shape[2])


# %% wrong: the sum left out
# This is p · g: it says that a score moves its own share, but not that the shares of a row always add up to 1. Subtract
# the sum of g · p before.
def d_scores(dy, p, v):
    return (dy @ v.transpose(0, 2, 1)) * p


def d_q(dy, p, k, v):
    return d_scores(dy, p, v) @ k / np.sqrt(k.shape[2])


# %% wrong: the root left out
# The scores were divided by sqrt(D), so what comes back is divided by it too.
def d_scores(dy, p, v):
    g = dy @ v.transpose(0, 2, 1)
    return p * (g - (g * p).sum(axis=2, keepdims=True))


def d_q(dy, p, k, v):
    return d_scores(dy, p, v) @ k


# %% wrong: over the wrong axis
# The sum runs over the queries. What adds up to 1 are the shares of one query, over the S places it looks at: the last
# axis.
def d_scores(dy, p, v):
    g = dy @ v.transpose(0, 2, 1)
    return p * (g - (g * p).sum(axis=1, keepdims=True))


def d_q(dy, p, k, v):
    return d_scores(dy, p, v) @ k / np.sqrt(k.shape[2])


# %% wrong: the softmax left out
# This is the gradient of the shares, taken for that of the scores: the way back through the softmax is missing.
def d_scores(dy, p, v):
    return dy @ v.transpose(0, 2, 1)


def d_q(dy, p, k, v):
    return d_scores(dy, p, v) @ k / np.sqrt(k.shape[2])
