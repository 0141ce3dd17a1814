"""A step of Adam

Lesson: 1_foundations/06_losses_and_descent

Adam gives every weight a step size of its own. For each it keeps two running means: m, of the gradient g, and s, of
g². A running mean moves towards each new value by a share of the way: m ← beta1 m + (1 - beta1) g, and
s ← beta2 s + (1 - beta2) g². Both begin at 0 and so are too small at first: in step t (1, 2, 3, ...), divide m by
1 - beta1ᵗ and s by 1 - beta2ᵗ. With these corrected means, w moves by rate · m / (√s + eps), downhill. Return the new
w, and the new m and s as they are kept: uncorrected. (Kingma and Ba 2015, where s is called v.)
"""

# %% stub
import numpy as np


def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    """Step number t of descent, from 1.   w, m, s, g of one shape  ->  the new w, m and s, of the same"""
    return ..., ..., ...


# %% solution
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    m_corrected = m / (1 - beta1**t)
    s_corrected = s / (1 - beta2**t)
    return w - rate * m_corrected / (np.sqrt(s_corrected) + eps), m, s


# %% check
def check(answer, rng, compare):
    w = rng.normal(size=(5, 3))
    m, s = np.zeros((5, 3)), np.zeros((5, 3))
    settings = {"rate": 0.3, "beta1": 0.8, "beta2": 0.97, "eps": 0.01}
    for t in (1, 2, 3):
        g = rng.normal(size=(5, 3))
        compare(answer.step, w, m, s, g, t, **settings)
        w, m, s = step(w, m, s, g, t, **settings)


# %% hint: concept
# Four lines, then the step: the two running means, which are kept, and their corrected values, which are used in this
# step only. In the first step the corrected values are just g and g²: nothing older is in them.

# %% hint: formula
# m ← beta1 m + (1 - beta1) g        s ← beta2 s + (1 - beta2) g²
# m' = m / (1 - beta1ᵗ)              s' = s / (1 - beta2ᵗ)
# w ← w - rate · m' / (√s' + eps)

# %% hint: the line
# m = beta1 * m + (1 - beta1) * g
# s = beta2 * s + (1 - beta2) * g**2
# m_corrected = m / (1 - beta1**t)
# s_corrected = s / (1 - beta2**t)
# return w - rate * m_corrected / (np.sqrt(s_corrected) + eps), m, s


# %% wrong: not corrected
# m and s are used as they are. They began at 0, so they are too small at first: divide by 1 - beta1ᵗ and 1 - beta2ᵗ.
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - rate * m / (np.sqrt(s) + eps), m, s


# %% wrong: the corrected means kept
# w is right, but the corrected means are returned. The next step would correct them a second time: keep m and s as
# they were before the correction.
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = (beta1 * m + (1 - beta1) * g) / (1 - beta1**t)
    s = (beta2 * s + (1 - beta2) * g**2) / (1 - beta2**t)
    return w - rate * m / (np.sqrt(s) + eps), m, s


# %% wrong: the root left out
# s is a mean of squares. Only its root has the size of a gradient, so that rate · m / √s is a step of about rate.
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - rate * m / (1 - beta1**t) / (s / (1 - beta2**t) + eps), m, s


# %% wrong: eps under the root
# eps is added under the root here. It comes after it: √s + eps.
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - rate * m / (1 - beta1**t) / np.sqrt(s / (1 - beta2**t) + eps), m, s


# %% wrong: the power left out
# The correction divides by 1 - beta, the same in every step. It has to fade: beta to the power of t goes to 0.
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - rate * m / (1 - beta1) / (np.sqrt(s / (1 - beta2)) + eps), m, s


# %% wrong: not squared
# s is the running mean of g itself here. It has to be that of g²: a step size has no sign, and no root of a negative.
def step(w, m, s, g, t, *, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g
    with np.errstate(invalid="ignore"):
        return w - rate * m / (1 - beta1**t) / (np.sqrt(s / (1 - beta2**t)) + eps), m, s
