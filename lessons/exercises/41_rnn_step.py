"""One step of a recurrent network

Lesson: 3_sequences/01_rnn_by_hand

A recurrent network reads a sequence step by step, and remembers: its state h, H numbers for each of the N examples, is
made of the new input x and of the state before. Both go through weights of their own, the two are added up with a bias,
and tanh keeps the result between -1 and 1: the new h is tanh(x w_x + h w_h + b). The same weights serve at every step.
Write one step.
"""

# %% stub
import numpy as np


def step(x, h, w_x, w_h, b):
    """The next state.   x (N, D), h (N, H), w_x (D, H), w_h (H, H), b (H,)  ->  (N, H)"""
    return ...


# %% solution
def step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + h @ w_h + b)


# %% check
def check(answer, rng, compare):
    N, D, H = 7, 5, 3
    w_x, w_h, b = rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=H)
    for _ in range(3):
        compare(answer.step, rng.normal(size=(N, D)), rng.normal(size=(N, H)), w_x, w_h, b)


# %% hint: concept
# It is a dense layer and tanh, as you know them, with one more input: the state before, which has a matrix of its own.

# %% hint: formula
# a = x w_x + h w_h + b, with the rows of x and h as the examples; the new h is tanh of all of a.

# %% hint: the line
# return np.tanh(x @ w_x + h @ w_h + b)


# %% wrong: tanh left out
# tanh is missing. Without it the state can grow from step to step, without end; and all steps together could be written
# as a single layer.
def step(x, h, w_x, w_h, b):
    return x @ w_x + h @ w_h + b


# %% wrong: the state left out
# The state before is not in it, so the network remembers nothing: each step sees its own input alone.
def step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + b)


# %% wrong: w_h turned
# w_h is turned. It is square, so NumPy does not complain; but rows are multiplied from the left, h @ w_h, as x @ w_x.
def step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + h @ w_h.T + b)


# %% wrong: tanh too early
# tanh is taken of the input's part alone, and the rest is added outside of it. First add up everything, then take tanh.
def step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + b) + h @ w_h


# %% wrong: the bias left out
# The bias b is missing.
def step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + h @ w_h)
