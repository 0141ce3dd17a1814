"""Embedding: words that come twice

Lesson: 3_sequences/03_text

A network cannot multiply with a word. So each word of the vocabulary has a number, its id, and a row of D learned
numbers in a table w (V, D). The embedding looks the rows up: y[n, t] = w[ids[n, t]]. On the way back dy (N, T, D)
brings a row for each place in the text, and it goes to the row of w that had been looked up there. A word that comes
several times gets the sum; one that does not come gets 0. Write d_w.
"""

# %% stub
import numpy as np


class embedding:
    """y[n, t] = w[ids[n, t]].   ids (N, T) whole numbers below V, w (V, D)  ->  y (N, T, D)"""

    def forward(ids, w):
        return w[ids]

    def d_w(dy, ids, w_shape):
        return ...

    d_ids = None  # whole numbers have no gradient


# %% solution
def d_w(dy, ids, w_shape):
    dw = np.zeros(w_shape)
    np.add.at(dw, ids, dy)
    return dw


# %% check
def check(answer, rng, examine):
    ids = rng.integers(6, size=(3, 5))  # of 7: word 6 does not come
    ids[:, 1] = ids[:, 3] = ids[:, 0]  # each sentence has a word that comes three times,
    ids[1, 2] = ids[0, 0]  # and there is one that two sentences have
    examine(answer.embedding, ids, rng.normal(size=(7, 2)))


# %% hint: concept
# Go through the text word by word, with a table of zeros at hand: look up the id, and add the row of dy to that row of
# the table.

# %% hint: formula
# d_w[v] = sum of dy[n, t] over all n and t where ids[n, t] is v. Mind that NumPy's dw[ids] += dy adds only once to each
# row, however often it comes. Loop over n and t, or use np.add.at.

# %% hint: the line
# dw = np.zeros(w_shape)
# np.add.at(dw, ids, dy)
# return dw


# %% wrong: the last one alone
# Where a word comes several times, only its last place counts. So it is with dw[ids] = dy, and with dw[ids] += dy too:
# NumPy takes dw[ids], adds, and writes the rows back, each over the one before.
def d_w(dy, ids, w_shape):
    dw = np.zeros(w_shape)
    dw[ids] += dy
    return dw


# %% wrong: sentence by sentence
# Words that come in several sentences are added up, but those that come twice within one sentence are not: dw[ids[n]]
# += dy[n] writes a row that comes twice only once.
def d_w(dy, ids, w_shape):
    dw = np.zeros(w_shape)
    for n in range(len(ids)):
        dw[ids[n]] += dy[n]
    return dw


# %% wrong: an average
# Divided by how often the word comes. Each place where it stands has its share in the loss: the shares add up.
def d_w(dy, ids, w_shape):
    dw, count = np.zeros(w_shape), np.zeros((w_shape[0], 1))
    np.add.at(dw, ids, dy)
    np.add.at(count, ids, 1)
    return dw / np.maximum(count, 1)


# %% wrong: dy itself
# This is dy, a row for each place in the text, (N, T, D). What is wanted is a row for each word of the vocabulary, in
# the shape of w, (V, D).
def d_w(dy, ids, w_shape):
    return dy


# %% wrong: the upstream gradient left out
# This counts how often each word comes. What it gets each time is the row of dy that belongs to the place.
def d_w(dy, ids, w_shape):
    dw = np.zeros(w_shape)
    np.add.at(dw, ids, 1)
    return dw
