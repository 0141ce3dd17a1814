"""The perceptron's update

Lesson: 1_foundations/02_perceptron

A perceptron answers y = 1 where w · x + b > 0, and y = 0 elsewhere. Rosenblatt's rule teaches it, one example x at a
time: if the answer y is the target t, nothing changes; if not, w moves by a share (the learning rate) of x towards
the target, and b by the same share of 1. Write the rule: return the new w and b, and leave the old as they are.
"""


# %% stub
def update(w, b, x, t, rate):
    """One step of learning.   w (D,), b a number, x (D,), t 0 or 1  ->  the new w (D,), the new b"""
    y = 1 if w @ x + b > 0 else 0
    return ..., ...


# %% solution
def update(w, b, x, t, rate):
    y = 1 if w @ x + b > 0 else 0
    return w + rate * (t - y) * x, b + rate * (t - y)


# %% check
def check(answer, rng, compare):
    for t in (0, 1) * 4:
        compare(answer.update, rng.normal(size=5), rng.normal(), rng.normal(size=5), t, rng.uniform(0.1, 0.9))


# %% hint: concept
# There are three cases: the answer is right, it is 0 and should be 1, it is 1 and should be 0. One number tells all
# three apart, with its sign: the error t - y.

# %% hint: formula
# w ← w + rate · (t - y) · x   and   b ← b + rate · (t - y)

# %% hint: the line
# return w + rate * (t - y) * x, b + rate * (t - y)


# %% wrong: the sign
# The step goes the wrong way. Where the target is 1 and the answer 0, w · x has to grow, so w has to move towards x.
def update(w, b, x, t, rate):
    y = 1 if w @ x + b > 0 else 0
    return w - rate * (t - y) * x, b - rate * (t - y)


# %% wrong: the answer left out
# This moves w whenever the target is 1, also where the answer was right already. What counts is the error, t - y.
def update(w, b, x, t, rate):
    return w + rate * t * x, b + rate * t


# %% wrong: b times x
# b has no x to be multiplied with: it is the weight of an input that is always 1.
def update(w, b, x, t, rate):
    y = 1 if w @ x + b > 0 else 0
    return w + rate * (t - y) * x, b + rate * (t - y) * x


# %% wrong: b forgotten
# w is right, but b never moves: the line between the two answers could turn, but hardly move sideways.
def update(w, b, x, t, rate):
    y = 1 if w @ x + b > 0 else 0
    return w + rate * (t - y) * x, b


# %% wrong: in place
# The numbers are right, but `w += ...` changes the array that the caller still holds. Write w = w + ... instead.
def update(w, b, x, t, rate):
    y = 1 if w @ x + b > 0 else 0
    w += rate * (t - y) * x
    return w, b + rate * (t - y)
