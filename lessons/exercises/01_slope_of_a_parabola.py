"""The slope of a parabola

Lesson: 1_foundations/03_layers_as_matrices

Take the parabola y = a x² + b x + c. Move x a little, by h, and y moves by about slope · h: the slope dy/dx says
how strongly y answers to x. Write it, as a formula in x, a, b and c. (Backpropagation is this, many times over.)
"""


# %% stub
def slope(x, a, b, c):
    """dy/dx of y = a x**2 + b x + c. All of them are numbers."""
    return ...


# %% solution
def slope(x, a, b, c):
    return 2 * a * x + b


# %% check
def check(answer, rng, compare):
    for x, a, b, c in rng.normal(size=(5, 4)):
        compare(answer.slope, x, a, b, c)


# %% hint: concept
# A sum's slope is the sum of its terms' slopes. So ask of each term alone, a x², b x and c: if x grows by a little,
# by how much does this term grow?

# %% hint: formula
# The slope of xⁿ is n xⁿ⁻¹. A factor in front stays in front. A constant does not move at all.

# %% hint: the line
# return 2 * a * x + b


# %% wrong: the 2 left out
# The exponent comes down as a factor: the slope of x² is 2 x, not x.
def slope(x, a, b, c):
    return a * x + b


# %% wrong: the constant kept
# c is the same wherever x is, so it adds nothing to the slope: it only lifts the whole parabola.
def slope(x, a, b, c):
    return 2 * a * x + b + c


# %% wrong: y itself
# This is y, the height of the parabola at x. What is wanted is how fast that height changes.
def slope(x, a, b, c):
    return a * x**2 + b * x + c


# %% wrong: the exponent kept
# The exponent comes down as a factor, and what is left up there is one less: x² becomes 2 x, not 2 x².
def slope(x, a, b, c):
    return 2 * a * x**2 + b


# %% wrong: b x kept
# The slope of b x is b: a straight line rises by b for each step in x, wherever you stand on it.
def slope(x, a, b, c):
    return 2 * a * x + b * x
