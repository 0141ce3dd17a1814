"""One step of an LSTM

Lesson: 3_sequences/02_lstm_memory

An LSTM has, besides its state h, a memory c, and four gates that say what happens to it. From the input and the state
come 4H numbers for each example, a = x w_x + h w_h + b, H for each gate, in the order i, f, g, o. i, f and o go through
the sigmoid, and are shares between 0 and 1; g goes through tanh, and is what could be written down. i is the share of g
that is written; f is the share of the old memory that is not forgotten; o is the share of the memory's tanh that is
shown. So the new c is f · c + i · g, and the new h is o · tanh(c), with the new c. Write it.
"""

# %% stub
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(x, h, c, w_x, w_h, b):
    """x (N, D), h (N, H), c (N, H), w_x (D, 4H), w_h (H, 4H), b (4H,)  ->  the new h (N, H), the new c (N, H)"""
    a = x @ w_x + h @ w_h + b  # (N, 4H)
    i, f, g, o = np.split(a, 4, axis=1)  # (N, H) each, not yet through sigmoid or tanh
    return ..., ...


# %% solution
def step(x, h, c, w_x, w_h, b):
    a = x @ w_x + h @ w_h + b  # (N, 4H)
    i, f, g, o = np.split(a, 4, axis=1)  # (N, H) each, not yet through sigmoid or tanh
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


# %% check
def check(answer, rng, compare):
    N, D, H = 7, 5, 3
    w_x, w_h, b = rng.normal(size=(D, 4 * H)) / 2, rng.normal(size=(H, 4 * H)) / 2, rng.normal(size=4 * H)
    for _ in range(3):
        compare(answer.step, rng.normal(size=(N, D)), rng.normal(size=(N, H)), rng.normal(size=(N, H)), w_x, w_h, b)


# %% hint: concept
# The memory first, the state after it: what is kept of the old memory, plus what is written now, is the new memory; and
# what is shown of that is the new state.

# %% hint: formula
# c_new = sigmoid(f) · c + sigmoid(i) · tanh(g)   and   h_new = sigmoid(o) · tanh(c_new), entry by entry

# %% hint: the line
# c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
# return sigmoid(o) * np.tanh(c), c


# %% wrong: the old memory shown
# The memory is right, but the state is made of the old one. o shows a share of what the memory is now.
def step(x, h, c, w_x, w_h, b):
    i, f, g, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    return sigmoid(o) * np.tanh(c), sigmoid(f) * c + sigmoid(i) * np.tanh(g)


# %% wrong: i and f swapped
# i and f have changed places: f is the share of the old memory that stays, i the share of g that is written.
def step(x, h, c, w_x, w_h, b):
    i, f, g, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c = sigmoid(i) * c + sigmoid(f) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


# %% wrong: the last tanh left out
# h shows the memory as it is. The memory may have grown large: it goes through tanh first.
def step(x, h, c, w_x, w_h, b):
    i, f, g, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * c, c


# %% wrong: g through the sigmoid
# g goes through the sigmoid here, as the three shares do. But g is what is written, and may be negative: tanh.
def step(x, h, c, w_x, w_h, b):
    i, f, g, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * sigmoid(g)
    return sigmoid(o) * np.tanh(c), c


# %% wrong: results swapped
# The two are right, but in the wrong order: first the new h, then the new c.
def step(x, h, c, w_x, w_h, b):
    i, f, g, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)
