"""A step with momentum

Lesson: 1_foundations/06_losses_and_descent

The gradient g points uphill, so plain descent takes a step rate · g the other way. With momentum, the weights roll
like a ball: a velocity v keeps a share of what it was (momentum, such as 0.9), and the new gradient is added to it.
The step is then taken along the velocity: rate times it, against it. Write one step. Return the new w and the new v;
leave the old ones as they are.
"""


# %% stub
def step(w, v, g, *, rate, momentum):
    """One step of descent.   w, v, g of one shape  ->  the new w, the new v, of the same"""
    return ..., ...


# %% solution
def step(w, v, g, *, rate, momentum):
    v = momentum * v + g
    return w - rate * v, v


# %% check
def check(answer, rng, compare):
    w, v = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    for _ in range(3):
        g = rng.normal(size=(5, 3))
        compare(answer.step, w, v, g, rate=rng.uniform(0.1, 0.5), momentum=rng.uniform(0.7, 0.9))
        w, v = step(w, v, g, rate=0.3, momentum=0.8)


# %% hint: concept
# Two lines, one after the other: first the velocity, from the old velocity and the gradient; then the weights, along
# the velocity just computed.

# %% hint: formula
# v ← momentum · v + g   and then   w ← w - rate · v

# %% hint: the line
# v = momentum * v + g
# return w - rate * v, v


# %% wrong: plain descent
# The velocity is right, but the step is not taken along it: w moves by the gradient alone, as without momentum.
def step(w, v, g, *, rate, momentum):
    return w - rate * g, momentum * v + g


# %% wrong: the old velocity
# w moves along the velocity of the step before. First the velocity takes up the new gradient, then w moves along it.
def step(w, v, g, *, rate, momentum):
    return w - rate * v, momentum * v + g


# %% wrong: uphill
# The step goes uphill. The velocity is built from gradients, which point to where the loss grows: go against it.
def step(w, v, g, *, rate, momentum):
    v = momentum * v + g
    return w + rate * v, v


# %% wrong: the share of the gradient
# Here g counts by 1 - momentum only, as in a running mean. Velocity adds the gradient in full, so that steps in the
# same direction grow.
def step(w, v, g, *, rate, momentum):
    v = momentum * v + (1 - momentum) * g
    return w - rate * v, v


# %% wrong: the rate in the velocity
# The rate is inside the velocity here (some books do so, with a minus). The velocity that is wanted knows no rate: it
# comes in when w moves, so that a new rate acts at once.
def step(w, v, g, *, rate, momentum):
    v = momentum * v - rate * g
    return w + v, v


# %% wrong: the velocity never grows
# The step is right, but the velocity returned is the old one: the next step would have forgotten this gradient.
def step(w, v, g, *, rate, momentum):
    return w - rate * (momentum * v + g), v
