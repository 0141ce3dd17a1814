"""Three gates from one neuron

Lesson: 1_foundations/01_threshold_neuron

A threshold neuron multiplies each input by a weight, adds all that and a bias b, and fires (answers 1) where the sum
is above 0; elsewhere it answers 0. Before any of it is learned, choose the weights and the bias by hand, so that it
answers as these three do: and_gate, 1 where both inputs are 1; or_gate, 1 where at least one is; not_gate, 1 where
its one input is 0. Inputs are 0 or 1. Many choices are right.
"""


# %% stub
def neuron(x, w, b):
    """Does it fire?   x and w: lists of D numbers, b a number  ->  1 or 0"""
    return 1 if sum(xi * wi for xi, wi in zip(x, w, strict=True)) + b > 0 else 0


def and_gate(x1, x2):
    return neuron([x1, x2], w=[..., ...], b=...)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[..., ...], b=...)


def not_gate(x1):
    return neuron([x1], w=[...], b=...)


# %% solution
def and_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-1.5)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-0.5)


def not_gate(x1):
    return neuron([x1], w=[-1], b=0.5)


# %% check
def check(answer, compare):
    for x1 in (0, 1):
        for x2 in (0, 1):
            compare(answer.and_gate, x1, x2)
            compare(answer.or_gate, x1, x2)
        compare(answer.not_gate, x1)


# %% hint: concept
# A weight says how strongly its input pushes towards firing, or, if it is negative, away from it. The bias says how
# much is wanted: with a bias of -1.5, the inputs have to bring more than 1.5.

# %% hint: formula
# Write down the sum for each row of the table, such as w1 · 1 + w2 · 0 + b for the inputs 1, 0. It has to be above 0
# in the rows where 1 is wanted and not above 0 in the others. With w = [1, 1], which b does that for "and", which for
# "or"? For "not", x1 = 0 leaves the bias alone, so b has to be above 0, and the weight has to pull it down again.

# %% hint: the line
# and_gate: w=[1, 1], b=-1.5
# or_gate: w=[1, 1], b=-0.5
# not_gate: w=[-1], b=0.5


# %% wrong: and is or
# Your and_gate fires for a single 1 already. The bias is too weak: it has to hold back one input, and give way to two.
def and_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-0.5)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-0.5)


def not_gate(x1):
    return neuron([x1], w=[-1], b=0.5)


# %% wrong: and never fires
# Your and_gate never fires, not even for 1, 1. A sum of just 0, as with w=[1, 1] and b=-2, is not above 0.
def and_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-2)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-0.5)


def not_gate(x1):
    return neuron([x1], w=[-1], b=0.5)


# %% wrong: or is and
# Your or_gate waits for both. The bias is too strong: a single 1 has to bring more than the bias takes away.
def and_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-1.5)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-1.5)


def not_gate(x1):
    return neuron([x1], w=[-1], b=0.5)


# %% wrong: not without a bias
# Your not_gate never fires. Where x1 is 0, its weight has no say, and the bias alone has to lift the sum above 0.
def and_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-1.5)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-0.5)


def not_gate(x1):
    return neuron([x1], w=[-1], b=0)


# %% wrong: not with a positive weight
# Your not_gate answers what goes in. To turn it round, a 1 has to push away from firing: with a negative weight.
def and_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-1.5)


def or_gate(x1, x2):
    return neuron([x1, x2], w=[1, 1], b=-0.5)


def not_gate(x1):
    return neuron([x1], w=[1], b=-0.5)
