"""Dropout, both ways

Lesson: 1_foundations/09_overfitting

While a network is trained, dropout sets a random share p of the numbers to 0, others in each step, so that no unit
can rely on another. The mask says which: 1 for what is kept, 0 for what is dropped. What is kept is divided by 1 - p:
so, on average, the numbers are as large as later, when the network is used, without dropout. Write both ways, forward
and d_x, with the mask, which is drawn elsewhere and handed in.
"""

# %% stub
import numpy as np


class dropout:
    """y = x * mask / (1 - p).   x and mask of one shape, p the share that is dropped  ->  y of the same"""

    def forward(x, mask, *, p):
        return ...

    def d_x(dy, mask, p):
        return ...

    d_mask = None  # random, not learned


# %% solution
def forward(x, mask, *, p):
    return x * mask / (1 - p)


def d_x(dy, mask, p):
    return dy * mask / (1 - p)


# %% check
def check(answer, rng, compare, examine):
    x = rng.normal(size=(7, 5))
    mask = np.where(rng.permutation(35) < 11, 0.0, 1.0).reshape(7, 5)  # 11 of 35 are dropped
    compare(answer.dropout.forward, x, mask, p=0.3)
    examine(answer.dropout, x, mask, p=0.3)


# %% hint: concept
# Once the mask is drawn, dropout only multiplies each entry by a number: 0, or 1 / (1 - p). On the way back, the
# gradient of each entry is multiplied by that same number.

# %% hint: formula
# y = x · mask / (1 - p)   and   d_x = dy · mask / (1 - p)

# %% hint: the line
# forward:  return x * mask / (1 - p)
# d_x:  return dy * mask / (1 - p)


# %% wrong: no mask on the way back
# The gradient also reaches what was dropped. A dropped number had no part in the answer: the mask belongs here, too.
def forward(x, mask, *, p):
    return x * mask / (1 - p)


def d_x(dy, mask, p):
    return dy / (1 - p)


# %% wrong: not scaled on the way back
# The gradient goes through the right places, but is not divided by 1 - p, as the numbers were on the way forward.
def forward(x, mask, *, p):
    return x * mask / (1 - p)


def d_x(dy, mask, p):
    return dy * mask


# %% wrong: not scaled at all
# What is kept is not scaled. So the mean shrinks to 1 - p of what it is without dropout: divide by 1 - p.
def forward(x, mask, *, p):
    return x * mask


def d_x(dy, mask, p):
    return dy * mask


# %% wrong: divided by p
# Divided by p, the share that is dropped. Of the sum, about a share of 1 - p is left: divide by that.
def forward(x, mask, *, p):
    return x * mask / p


def d_x(dy, mask, p):
    return dy * mask / p


# %% wrong: multiplied by it
# Multiplied by 1 - p: what is kept shrinks further. It has to grow, to make up for what is dropped: divide.
def forward(x, mask, *, p):
    return x * mask * (1 - p)


def d_x(dy, mask, p):
    return dy * mask * (1 - p)


# %% wrong: the mask turned round
# This keeps what should be dropped, and drops the rest: the mask is 1 for what is kept.
def forward(x, mask, *, p):
    return x * (1 - mask) / (1 - p)


def d_x(dy, mask, p):
    return dy * (1 - mask) / (1 - p)
