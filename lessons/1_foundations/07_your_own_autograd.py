"""Your own autograd

Goal: write reverse-mode differentiation in about forty lines, break it with a diamond, and mend it.
Needs: backprop by hand (lesson 1.4), classes and operators in Python.
Time: about 2 s (--quick: the same).
You should see: a gradient of 3 that should be 12; mended, 12; minigen's gradients; a gradient of 1 that should be 0.
"""

# %% [markdown]
# In lesson 1.4 the engine found the way back by itself. Here we write such an engine, for single numbers. For each
# result it remembers which numbers went in, and how steeply the result answers to each of them: its *local slopes*.
# For c = a b they are b (for a) and a (for b). This is *reverse-mode automatic differentiation* (Linnainmaa 1970).

# %%
import itertools
import math

import minigen as mg
from minigen import lesson

args = lesson.arguments(__doc__)


class Number:
    clock = itertools.count()  # 0, 1, 2, ...

    def __init__(self, value, *origins):
        self.value = value  # one float
        self.origins = origins  # pairs: a Number that went in, the local slope with respect to it
        self.grad = 0.0  # the slope of the end of the calculation with respect to this value: to be found
        self.born = next(Number.clock)  # for later

    def __add__(a, b):
        return Number(a.value + b.value, (a, 1.0), (b, 1.0))

    def __sub__(a, b):
        return Number(a.value - b.value, (a, 1.0), (b, -1.0))

    def __mul__(a, b):
        return Number(a.value * b.value, (a, b.value), (b, a.value))

    def __truediv__(a, b):
        return Number(a.value / b.value, (a, 1 / b.value), (b, -a.value / b.value**2))


def tanh(a):
    y = math.tanh(a.value)
    return Number(y, (a, 1 - y * y))


x, three = Number(2.0), Number(3.0)
print(f"2 * 3 has the local slopes {[slope for _, slope in (x * three).origins]}")

# %% [markdown]
# **The gradient is a sum over paths.** Along one path from the end back to x the local slopes multiply: the chain
# rule. If x reaches the end on several paths, their products add up. As a function that is one line, and it is right.
# But it goes along every path. Add a value to itself 16 times over, and there are 2^16 of them.


# %%
def by_paths(end, start):
    return 1.0 if end is start else sum(slope * by_paths(origin, start) for origin, slope in end.origins)


def calls(end):  # how often by_paths is called
    return 1 + sum(calls(origin) for origin, _ in end.origins)


assert by_paths(x * three + x * three, x) == 6
doubled = x
for _ in range(16):
    doubled = doubled + doubled
assert by_paths(doubled, x) == 2**16
print(f"16 additions, {calls(doubled):,} calls")

# %% [markdown]
# **Each value once.** Let the gradients that meet in a value flow on together. A value collects in `grad` what comes
# from above, and hands it on once, times each local slope. Then each value is visited once. In which order? Begin at
# the end, and take the values as we come upon them.


# %%
def first_come(end):
    end.grad, queue = 1.0, [end]
    for number in queue:  # it grows while we go along it
        for origin, slope in number.origins:
            origin.grad += slope * number.grad
            if origin not in queue:
                queue.append(origin)


for text in ("b + a", "a + b"):
    x = Number(2.0)
    a = x * three
    b = a * three
    y = eval(text)
    first_come(y)
    print(f"y = {text}: dy/dx is said to be {x.grad:g}, and is {by_paths(y, x):g}")
lesson.promise("first come, dy/dx", x.grad, low=3, high=3)

# %% [markdown]
# a + b and b + a have different gradients! This is a *diamond*: a is used twice, and reaches y on two paths of
# different length. Here it is, with its local slopes:
#
#                  b
#              3 /   \ 1
#     x --3--> a --1--> y
#
# In a + b the queue comes upon a first. It hands on what it has by then, 1. Only after that does b add its 3: too late,
# x never hears of it. (In b + a it is b's turn first: luck.)
#
# **The mend.** A value may hand on only after everything computed from it has done so. It is older than all of that,
# so go by age: the youngest first (a *topological* order). And clear every `grad` before, or a second walk would add.


# %%
def backward(end):
    found, seen = [end], {end}  # everything that end was computed from
    for number in found:
        number.grad = 0.0
        for origin, _ in number.origins:
            if origin not in seen:
                seen.add(origin)
                found.append(origin)
    end.grad = 1.0
    for number in sorted(found, key=lambda number: number.born, reverse=True):
        for origin, slope in number.origins:
            origin.grad += slope * number.grad


for _ in range(2):  # the second time it is 12, not 24
    backward(y)  # the same y = a + b
    lesson.promise("mended, dy/dx", x.grad, low=12, high=12)

chain = x
for _ in range(10_000):
    chain = chain + three
backward(chain)  # no function calls itself here; by_paths would end in a RecursionError
assert x.grad == 1

# %% [markdown]
# **The same in minigen**, with an expression that uses every operation, and most values twice. A Tensor keeps the node
# that made it, a node its parents and its number, and the walk (`minigen/graph/walk.py`) goes from the highest number
# down. One thing differs. minigen's values are arrays, and their slopes would be too many to keep: a dense layer from
# 1,000 inputs to 1,000 outputs has a million. So an op has `d_` lines instead, which hand a gradient on without
# writing the slopes down.


# %%
def expression(x, w, b, tanh):
    a = x * w + b
    h = tanh(a)
    return (a - h * h) / (x + h) * w


values = 0.6, -1.1, 0.4
ours = [Number(v) for v in values]
backward(expression(*ours, tanh))
tensors = [mg.tensor(v, requires_grad=True, dtype="float64") for v in values]
print("on the way back:", [step.node for step in mg.backprop(expression(*tensors, mg.tanh))])
for name, our, tensor in zip("xwb", ours, tensors, strict=True):
    print(f"  dy/d{name}: ours {our.grad:.12f}, minigen's {float(tensor.grad):.12f}")
    assert abs(our.grad - float(tensor.grad)) < 1e-12

# %% [markdown]
# **Break it.** Keep the origins in a dict, `{a: b.value, b: a.value}`. It reads better and does the same, until both
# inputs are the same object: then the two entries are one, and the second slope has overwritten the first. The
# trap for such mistakes is x - x / x * x, which is 0 for every x, so that its slope is 0, too.


# %%
def in_a_dict(end):  # puts the origins of end through a dict, and those of all it was computed from
    end.origins = tuple(dict(end.origins).items())
    for origin, _ in end.origins:
        in_a_dict(origin)


for text, right in [("x - x", 0), ("x / x", 0), ("x * x", 4), ("x - x / x * x", 0)]:
    x = Number(2.0)
    y = eval(text)  # the expression itself
    backward(y)
    assert x.grad == right
    in_a_dict(y)
    backward(y)
    print(f"  {text:13}   slope at 2: {right}, by the dict {x.grad:g}")
lesson.promise("x - x / x * x, by the dict", x.grad, low=1, high=1)

# %% [markdown]
# **The exercise**: `minigen learn run two_paths`. Slopes multiply along a path (`chain_rule`, lesson 1.3), and add up.
#
# **The same in Keras and in PyTorch**, with this lesson's `expression` and `values`: the gradients again.
#
# ```python
# import torch
# x, w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values)
# expression(x, w, b, torch.tanh).backward()
# print(x.grad, w.grad, b.grad)
# ```
#
# ```python
# import keras
# import tensorflow as tf
# x, w, b = (tf.Variable(v, dtype="float64") for v in values)
# with tf.GradientTape() as tape:
#     y = expression(x, w, b, keras.ops.tanh)
# print(tape.gradient(y, [x, w, b]))
# ```

# %%
lesson.report(args)
