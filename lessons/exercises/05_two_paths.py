"""Two paths: gradients add up

Lesson: 1_foundations/07_your_own_autograd

A network ends in one number, the loss. From here on, dy is short for the gradient of the loss with respect to y: how
strongly the loss answers to y. It arrives from above, and is handed down, one function after the other. Here x is
used twice: u = x² and v = sin(x), then y = u · v. So x reaches y on two paths, which part and meet again. d_u and d_v
are there already; write d_x. (The slope of sin(x) is cos(x).)
"""

# %% stub
import numpy as np


class two_paths:
    """y = x**2 * sin(x), elementwise.   x of any shape  ->  y of the same"""

    def forward(x):
        u = x**2
        v = np.sin(x)
        return u * v

    def d_x(dy, x):
        u = x**2
        v = np.sin(x)
        d_u = dy * v  # the slope of u v is v if u is moved,
        d_v = dy * u  # and u if v is moved
        return ...


# %% solution
def d_x(dy, x):
    u = x**2
    v = np.sin(x)
    d_u = dy * v
    d_v = dy * u
    return d_u * 2 * x + d_v * np.cos(x)


# %% check
def check(answer, rng, examine):
    examine(answer.two_paths, rng.normal(size=(5, 3)))


# %% hint: concept
# If x moves, both u and v move, and each moves the loss. Follow each path by itself, with the chain rule, from the
# gradient at its upper end down to x. The loss feels both at once, so the two add up.

# %% hint: formula
# d_x = d_u · du/dx + d_v · dv/dx,  with du/dx = 2 x  and  dv/dx = cos(x)

# %% hint: the line
# return d_u * 2 * x + d_v * np.cos(x)


# %% wrong: the path through v alone
# This is what comes back through v. x went into u, too, and what comes back from there has to be added.
def d_x(dy, x):
    return dy * x**2 * np.cos(x)


# %% wrong: the path through u alone
# This is what comes back through u. x went into v, too, and what comes back from there has to be added.
def d_x(dy, x):
    return dy * np.sin(x) * 2 * x


# %% wrong: the paths multiplied
# The two paths are multiplied here. Slopes are multiplied along one path; where paths meet, they are added.
def d_x(dy, x):
    return dy * np.sin(x) * 2 * x * dy * x**2 * np.cos(x)


# %% wrong: their own slopes left out
# d_u and d_v are the gradients at the upper ends of the paths. On its way down to x, each meets one more slope:
# that of x² and that of sin(x).
def d_x(dy, x):
    return dy * np.sin(x) + dy * x**2


# %% wrong: a mean of the two
# The two paths are averaged here. The loss feels both of them in full: add them, and do not divide.
def d_x(dy, x):
    return (dy * np.sin(x) * 2 * x + dy * x**2 * np.cos(x)) / 2
