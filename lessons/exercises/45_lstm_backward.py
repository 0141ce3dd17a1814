"""One step of an LSTM: the way back

Lesson: 3_sequences/02_lstm_memory

Here are the gates of one step: a (N, 4H) and the memory c_before come in, the state h = o tanh(c) and the memory
c = f c_before + i g go out. Two gradients arrive: d_h, and d_c, which the memory carries back from all later steps. h
is made of c too, so first add to d_c what comes through h: d_h · o · (1 - tanh²(c)). Then each gate gets its gradient:
what it was multiplied with, times what arrives there, times its own slope (s (1 - s) for the sigmoids, 1 - g² for
tanh). And f · d_c goes on to the memory before: no matrix and no tanh lie on that way, which is why an LSTM remembers
for so long. Return d_a (the four side by side, in the order i, f, g, o) and d_c_before.
"""

# %% stub
import numpy as np

from minigen.graph import keep


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class lstm_gates:
    """c = f c_before + i g,   h = o tanh(c).   a (N, 4H), c_before (N, H)  ->  h (N, H), c (N, H)"""

    outputs = "h", "c"

    def forward(a, c_before):
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c_before + i * g
        return keep(o * np.tanh(c), c, i=i, f=f, g=g, o=o)  # returns h and c, keeps the gates

    def backward(d_h, d_c, c_before, c, i, f, g, o):  # the gates are through sigmoid and tanh
        return ..., ...


# %% solution
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


# %% check
def check(answer, rng, examine):
    examine(answer.lstm_gates, rng.normal(size=(5, 4 * 3)), rng.normal(size=(5, 3)))


# %% hint: concept
# Five products and a sum: go back through them one by one, last first. A product sends to each of its factors what
# arrives, times the other factor. A gate then goes back through its own sigmoid or tanh.

# %% hint: formula
# d_c ← d_c + d_h · o · (1 - tanh²(c)). Then i: d_c · g · i (1 - i).   f: d_c · c_before · f (1 - f).
# g: d_c · i · (1 - g²).   o: d_h · tanh(c) · o (1 - o).   c_before: d_c · f.

# %% hint: the line
# d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
# d_i, d_f = d_c * g * i * (1 - i), d_c * c_before * f * (1 - f)
# d_g, d_o = d_c * i * (1 - g**2), d_h * np.tanh(c) * o * (1 - o)
# return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


# %% wrong: the carry dropped
# What the memory carries back from later steps, d_c, is overwritten. Add to it what comes through h: the memory has two
# readers, this step's h and the next step.
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_h * o * (1 - np.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


# %% wrong: the memory's tanh left out
# On the way from h to the memory lies tanh(c): multiply with its slope, 1 - tanh²(c). The gate o is right, all the
# others are not.
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_c + d_h * o
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


# %% wrong: f without its slope
# Gate f is wrong, the others are right: it went through a sigmoid as i and o did, so its slope f (1 - f) has to be in
# it.
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


# %% wrong: i and f swapped
# The gradients of i and f have changed places. The order is i, f, g, o, as in forward.
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_f, d_i, d_g, d_o], axis=1), d_c * f


# %% wrong: the memory before without f
# All gates are right. But only the share f of the memory before is in c, so its gradient is d_c · f.
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c


# %% wrong: the sigmoid's slope for g
# Gate g is wrong, the others are right: it went through tanh, not the sigmoid, and the slope of tanh is 1 - g².
def backward(d_h, d_c, c_before, c, i, f, g, o):
    d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * g * (1 - g)
    d_o = d_h * np.tanh(c) * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f
