"""Backpropagation through time

Lesson: 3_sequences/01_rnn_by_hand

The state after step t has two readers: whatever is above it, which sends dy[:, t], and step t + 1, which sends its own
share. So go through time backwards, and carry a gradient dh along, which is 0 after the last step. At each step: add dy
and dh; take the sum back through tanh, whose output was y[:, t], and call it da[:, t]; add what this step has to say to
d_w_h, for h w_h is a dense layer, whose input is the state before; and send da back through w_h, to be the dh of the
step before. What is left at the start is the gradient of h0. Write it; the rest of the gradients is made of da.
"""

# %% stub
import numpy as np


def through_time(dy, y, h0, w_h):
    """dy (N, T, H), y (N, T, H), h0 (N, H), w_h (H, H)  ->  da (N, T, H), d_w_h (H, H), d_h0 (N, H)"""
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)  # (N, T, H): before[:, t] is the state before step t
    return ..., ..., ...


class rnn:
    """h_t = tanh(x_t w_x + h_{t-1} w_h + b), T times.

    x (N, T, D), h0 (N, H), w_x (D, H), w_h (H, H), b (H,)  ->  y (N, T, H), the state after each step
    """

    def forward(x, h0, w_x, w_h, b):
        h, states = h0, []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ w_x + h @ w_h + b)
            states.append(h)
        return np.stack(states, axis=1)

    def backward(dy, x, h0, w_x, w_h, y):  # all gradients at once, in the order of the inputs
        da, d_w_h, d_h0 = through_time(dy, y, h0, w_h)
        return da @ w_x.T, d_h0, np.einsum("ntd,nth->dh", x, da), d_w_h, da.sum(axis=(0, 1))


# %% solution
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)  # (N, T, H): before[:, t] is the state before step t
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        d_w_h += before[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h.T
    return da, d_w_h, dh


# %% check
def check(answer, rng, examine):
    N, T, D, H = 2, 5, 7, 3
    weights = rng.normal(size=(D, H)) / 3, rng.normal(size=(H, H)) / 2, rng.normal(size=H)
    examine(answer.rnn, rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), *weights)


# %% hint: concept
# Each step, by itself, is a dense layer and tanh, and you know the way back through both. New is only the chain: a
# step's input, the state before, is the output of the step before it. That is why time runs backwards here.

# %% hint: formula
# For t = T - 1 ... 0:   da[:, t] = (dy[:, t] + dh) · (1 - y[:, t]²),   d_w_h += before[:, t].T @ da[:, t],
# dh = da[:, t] @ w_h.T

# %% hint: the line
# da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
# for t in reversed(range(y.shape[1])):
#     da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
#     d_w_h += before[:, t].T @ da[:, t]
#     dh = da[:, t] @ w_h.T
# return da, d_w_h, dh


# %% wrong: nothing carried
# Each step gets only what comes from above, dy[:, t]. But it also made the state that all later steps began with: add
# the dh that the step after it has sent.
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = dy[:, t] * (1 - y[:, t] ** 2)
        d_w_h += before[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h.T
    return da, d_w_h, dh


# %% wrong: one step's weights
# d_w_h holds the share of one step only, the last that the loop came to. The same w_h served at every step: add the
# shares up, += for =.
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    da, dh = np.zeros_like(y), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        d_w_h = before[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h.T
    return da, d_w_h, dh


# %% wrong: tanh left out
# The way back through tanh is missing: multiply with its slope, 1 - y².
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = dy[:, t] + dh
        d_w_h += before[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h.T
    return da, d_w_h, dh


# %% wrong: forward in time
# The loop runs forward in time, so dh is carried from earlier steps to later ones. A gradient comes from the future:
# begin with the last step.
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in range(y.shape[1]):
        da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        d_w_h += before[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h.T
    return da, d_w_h, dh


# %% wrong: w_h not turned
# On the way to the step before, da goes through w_h as it is. Forward h @ w_h, backward @ w_h.T: since w_h is square,
# NumPy cannot tell.
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        d_w_h += before[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h
    return da, d_w_h, dh


# %% wrong: the carry piles up
# dh grows from step to step: what step t + 1 had sent is still in it when step t sends its own. It has been used, at
# step t, and gone through tanh and w_h there; the step before gets only what comes out of that: = for +=.
def through_time(dy, y, h0, w_h):
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        d_w_h += before[:, t].T @ da[:, t]
        dh += da[:, t] @ w_h.T
    return da, d_w_h, dh


# %% wrong: the state after
# All is right but d_w_h: it is made of y[:, t], the state after step t. What went into w_h at step t is the state
# before it; at the first step, that is h0.
def through_time(dy, y, h0, w_h):
    da, d_w_h, dh = np.zeros_like(y), np.zeros_like(w_h), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        da[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        d_w_h += y[:, t].T @ da[:, t]
        dh = da[:, t] @ w_h.T
    return da, d_w_h, dh
