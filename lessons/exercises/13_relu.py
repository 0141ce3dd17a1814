"""ReLU: a gate for the gradient

Lesson: 1_foundations/05_activations

ReLU lets a positive number pass and makes 0 of a negative one: y = max(x, 0). So it is a gate, and what stood open on
the way forward stands open on the way back: where x was positive, the gradient passes unchanged; where it was not,
nothing comes through. Write d_x, with dy and x.
"""

# %% stub
import numpy as np


class relu:
    """y = max(x, 0), elementwise.   x of any shape  ->  y of the same"""

    def forward(x):
        return np.maximum(x, 0)

    def d_x(dy, x):
        return ...


# %% solution
def d_x(dy, x):
    return dy * (x > 0)


# %% check
def check(answer, rng, examine):
    x = rng.uniform(0.1, 2, size=(7, 5)) * rng.choice([-1, 1], size=(7, 5))  # none at the corner
    examine(answer.relu, x)


# %% hint: concept
# The slope of max(x, 0) is 1 where x is positive, and 0 where it is negative: there y stays at 0, however x moves. (At
# x = 0 there is none; 0 is taken.)

# %% hint: formula
# d_x = dy where x > 0, else 0. In NumPy, x > 0 is an array of True and False, which count as 1 and 0 in a product.

# %% hint: the line
# return dy * (x > 0)


# %% wrong: no gate
# The gradient passes everywhere here. Where x is negative, y is 0 and stays 0, so nothing may come back there.
def d_x(dy, x):
    return dy


# %% wrong: the gate alone
# This is where the gate stands open. What comes through it, dy, is missing.
def d_x(dy, x):
    return 1.0 * (x > 0)


# %% wrong: dy's own sign
# This lets the positive gradients pass, as ReLU would do with them. The gate was set on the way forward: it is the
# sign of x that counts, and a negative gradient passes where x was positive.
def d_x(dy, x):
    return dy * (dy > 0)


# %% wrong: the gate turned round
# The gate stands open where it should be closed: the gradient passes where x is positive.
def d_x(dy, x):
    return dy * (x < 0)


# %% wrong: times the output
# dy is multiplied by ReLU's output here. It has to be multiplied by its slope, which is 1 where x is positive,
# however large x is.
def d_x(dy, x):
    return dy * np.maximum(x, 0)
