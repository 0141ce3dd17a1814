"""The sigmoid, in terms of its output

Lesson: 1_foundations/05_activations

The sigmoid squeezes any number into the range from 0 to 1: y = 1 / (1 + exp(-x)). Like tanh, it has a slope that can
be written with the output alone: y times what y lacks to 1. When the gradient comes back, y is at hand. Write d_x
with dy and y.
"""

# %% stub
import numpy as np


class sigmoid:
    """y = 1 / (1 + exp(-x)), elementwise.   x of any shape  ->  y of the same"""

    def forward(x):
        return 1 / (1 + np.exp(-x))

    def d_x(dy, y):
        return ...


# %% solution
def d_x(dy, y):
    return dy * y * (1 - y)


# %% check
def check(answer, rng, examine):
    examine(answer.sigmoid, rng.normal(size=(5, 3)))


# %% hint: concept
# The chain rule: what arrives from above, times the slope of this function at each entry. The slope is largest in the
# middle, where y is 1/2, and vanishes where y comes near 0 or 1.

# %% hint: formula
# By the chain rule, dy/dx = exp(-x) / (1 + exp(-x))². One factor of that is y, the other exp(-x) / (1 + exp(-x)),
# which is 1 - y.

# %% hint: the line
# return dy * y * (1 - y)


# %% wrong: sigmoid of the output
# y is the output, the sigmoid has been applied to it already. Here it is applied a second time.
def d_x(dy, y):
    s = 1 / (1 + np.exp(-y))
    return dy * s * (1 - s)


# %% wrong: the input's
# The stub asks for y, the output; this asks for x, and uses it as if it were y. x is no share between 0 and 1.
def d_x(dy, x):
    return dy * x * (1 - x)


# %% wrong: tanh's slope
# 1 - y² is the slope of tanh. The sigmoid's is never above 1/4, and there at y = 1/2.
def d_x(dy, y):
    return dy * (1 - y**2)


# %% wrong: half of it
# This is only one of the two factors. The slope has to vanish at both ends: where y is near 1, and where it is near 0.
def d_x(dy, y):
    return dy * (1 - y)


# %% wrong: the upstream gradient left out
# This is the slope of the sigmoid alone. The chain rule multiplies it with what arrives from above, dy.
def d_x(dy, y):
    return y * (1 - y)
