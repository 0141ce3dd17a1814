"""The chain rule

Lesson: 1_foundations/03_layers_as_matrices

One function after another: first u = x² + b x, then y = u³. Move x by a small h, and u moves by du/dx · h; move u by
that, and y moves by dy/du times as much. So the slopes of a chain are multiplied, each taken at the place where its
own function stands. Write dy/dx. (The slope of u³ is 3 u².)
"""


# %% stub
def slope(x, b):
    """dy/dx of y = u**3, where u = x**2 + b * x. All of them are numbers."""
    u = x**2 + b * x
    return ...


# %% solution
def slope(x, b):
    u = x**2 + b * x
    return 3 * u**2 * (2 * x + b)


# %% check
def check(answer, rng, compare):
    for x, b in rng.normal(size=(5, 2)):
        compare(answer.slope, x, b)


# %% hint: concept
# Two questions, one after the other. If u grows by a little, by how many times that does u³ grow? And if x grows by
# a little, by how many times that does u grow? If the first is 5 and the second is 2, y grows by 10 times.

# %% hint: formula
# dy/dx = dy/du · du/dx,  with dy/du = 3 u²  and  du/dx = 2 x + b

# %% hint: the line
# return 3 * u**2 * (2 * x + b)


# %% wrong: the inner slope left out
# This is dy/du, how y answers to u. But it is x that is moved, and u does not move as much as x: multiply by du/dx.
def slope(x, b):
    u = x**2 + b * x
    return 3 * u**2


# %% wrong: the outer slope left out
# This is du/dx, how u answers to x. What y makes of it is missing: multiply by dy/du.
def slope(x, b):
    return 2 * x + b


# %% wrong: added
# The two slopes are added here. In a chain they are multiplied: the second function magnifies what the first has done.
def slope(x, b):
    u = x**2 + b * x
    return 3 * u**2 + 2 * x + b


# %% wrong: the outer slope at x
# The slope of the cube is taken at x here. But the cube is handed u, not x: its slope has to be taken at u.
def slope(x, b):
    return 3 * x**2 * (2 * x + b)


# %% wrong: brackets
# du/dx is a sum, 2 x + b, and all of it is multiplied. Without brackets around it, only its first term is.
def slope(x, b):
    u = x**2 + b * x
    return 3 * u**2 * 2 * x + b
