"""tanh, in terms of its output

Lesson: 1_foundations/05_activations

tanh squeezes any number into the range from -1 to 1. Its slope is 1 - tanh²(x). When the gradient comes back, the
output y = tanh(x) is at hand, so the costly tanh need not be computed again. Write d_x with dy and y alone.
"""

# %% stub
import numpy as np


class tanh:
    """y = tanh(x), elementwise.   x of any shape  ->  y of the same"""

    def forward(x):
        return np.tanh(x)

    def d_x(dy, y):
        return ...


# %% solution
def d_x(dy, y):
    return dy * (1 - y**2)


# %% check
def check(answer, rng, examine):
    examine(answer.tanh, rng.normal(size=(5, 3)))


# %% hint: concept
# The chain rule: what arrives from above, times the slope of this function at each entry.

# %% hint: formula
# tanh'(x) = 1 - tanh²(x), and tanh(x) is y.

# %% hint: the line
# return dy * (1 - y**2)


# %% wrong: tanh of the output
# y is the output, tanh has been applied to it already. Here it is applied a second time.
def d_x(dy, y):
    return dy * (1 - np.tanh(y) ** 2)


# %% wrong: the square left out
# The slope is 1 - y², not 1 - y. At x = 0, where tanh is steepest, both are 1; look further out.
def d_x(dy, y):
    return dy * (1 - y)


# %% wrong: the sigmoid's slope
# y (1 - y) is the slope of the sigmoid, whose output lies between 0 and 1. tanh has another: 1 - y².
def d_x(dy, y):
    return dy * y * (1 - y)


# %% wrong: the input's
# The stub asks for y, the output; this asks for x, and uses it as if it were y. tanh'(x) is 1 - tanh²(x), not 1 - x².
def d_x(dy, x):
    return dy * (1 - x**2)


# %% wrong: the upstream gradient left out
# This is the slope of tanh alone. The chain rule multiplies it with what arrives from above, dy.
def d_x(dy, y):
    return 1 - y**2
