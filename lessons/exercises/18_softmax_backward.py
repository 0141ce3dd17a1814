"""Softmax backwards

Lesson: 1_foundations/06_losses_and_descent

A softmax need not be followed by a cross-entropy, so its own gradient is wanted, too. The outputs of a row add up to
1: if z[n, k] grows, y[n, k] grows and all the others of the row shrink. In numbers: y[n, k] moves by
y[n, k] (1 - y[n, k]) for each step in z[n, k], and another entry y[n, j] by -y[n, j] y[n, k]. So d_z[n, k] has a term
for each entry of its row. Write d_z, with dy and the output y.
"""

# %% stub
import numpy as np


class softmax:
    """y = e**z / the sum of e**z over the row.   z (N, K)  ->  y (N, K), each row adds up to 1"""

    def forward(z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def d_z(dy, y):
        return ...


# %% solution
def d_z(dy, y):
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


# %% check
def check(answer, rng, examine):
    examine(answer.softmax, rng.normal(size=(7, 5)))


# %% hint: concept
# z[n, k] reaches the loss on K paths, through every output of its row, so K products of a gradient and a slope are
# added up. y[n, k] is a factor of all of them. What is left is dy[n, k], less one number for the whole row.

# %% hint: formula
# d_z[n, k] = dy[n, k] y[n, k] (1 - y[n, k]) - sum over the other j of dy[n, j] y[n, j] y[n, k]
# Put the first term's  - dy[n, k] y[n, k] y[n, k]  into the sum, which then runs over all j:
# d_z[n, k] = y[n, k] · (dy[n, k] - sum over j of dy[n, j] y[n, j])

# %% hint: the line
# return y * (dy - (dy * y).sum(axis=1, keepdims=True))


# %% wrong: its own output alone
# This follows one path of K: from z[n, k] to y[n, k]. But z[n, k] also moves all other outputs of its row.
def d_z(dy, y):
    return dy * y * (1 - y)


# %% wrong: the sum left out
# This is as if the sum that softmax divides by stayed the same. It grows with each z, and pulls the whole row down:
# subtract that.
def d_z(dy, y):
    return dy * y


# %% wrong: the sign of the sum
# The sum has the wrong sign: where one output of a row grows, the others shrink, so their share is subtracted.
def d_z(dy, y):
    return y * (dy + (dy * y).sum(axis=1, keepdims=True))


# %% wrong: over the batch
# The sum runs over the examples here. Softmax mixes the entries of one row: sum along axis 1.
def d_z(dy, y):
    return y * (dy - (dy * y).sum(axis=0, keepdims=True))


# %% wrong: keepdims left out
# The sums along axis 1 are (N,), which NumPy would put along the rows of (N, K), where they do not fit. With
# keepdims=True they are (N, 1), one for each row.
def d_z(dy, y):
    return y * (dy - (dy * y).sum(axis=1))


# %% wrong: not weighted
# The sum is over dy alone. Each output of the row counts by how large it is: sum dy · y.
def d_z(dy, y):
    return y * (dy - dy.sum(axis=1, keepdims=True))
