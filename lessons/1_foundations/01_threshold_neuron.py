"""The threshold neuron

Goal: build AND, OR and NOT from a neuron that counts and compares, and find out what one neuron cannot do.
Needs: some Python (functions, lists), and what a straight line in the plane is.
Time: about 2 s (--quick: the same).
You should see: AND, OR and NOT right; 14 of the 16 functions of two inputs found, but for XOR at most 3 rows of 4
    right, whatever the weights; XOR right with three neurons, 4 of 4.
"""

# %% [markdown]
# A nerve cell adds up what arrives from other cells, and above some strength it *fires*: it sends a pulse of its own.
# McCulloch and Pitts (1943) made arithmetic of it. Inputs are 0 or 1. The neuron counts the ones, and answers 1 (it
# fires) where the count reaches a number called the *threshold*; elsewhere it answers 0.
#
# The simplest questions for it are those of logic. **AND**: are both inputs 1? **OR**: is at least one of them 1?

# %%
import minigen as mg
from minigen import lesson, xp  # xp is NumPy (arrays of numbers), or CuPy with --backend cupy: the same on a GPU

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

x = mg.asarray([[0, 0], [0, 1], [1, 0], [1, 1]])  # (N, D): N = 4 questions, a row each, of D = 2 inputs
count = x.sum(axis=1)  # (N,), the ones of each row
print(f"inputs\n{x}\nreach 2: {count >= 2}\nreach 1: {count >= 1}")
assert (count >= 2).tolist() == [False, False, False, True]  # a threshold of 2 is AND
assert (count >= 1).tolist() == [False, True, True, True]  # a threshold of 1 is OR

# %% [markdown]
# **The threshold becomes a bias.** Three changes make the neuron that everybody has used since.
#
# - Inputs need not count alike: each is multiplied by a *weight* of its own before they are added.
# - "w1 x1 + w2 x2 is above the threshold" says the same as "w1 x1 + w2 x2 - threshold is above 0". So we add a number
#   b = -threshold, the *bias*, and always compare with 0.
# - A count of whole numbers reaches 2 exactly where it is above 1.5. So the bias of AND is -1.5, that of OR -0.5.
#
# **NOT** has one input, and answers 1 where it is 0. That takes a negative weight: an input that holds the neuron
# back. (In 1943 there were no weights. An input that held back forbade firing altogether.)


# %%
def neuron(x, w, b):  # x (N, D), w (D,), b a number -> (N,) of True (it fires) and False
    return (x * w).sum(axis=1) + b > 0


w_both = mg.asarray([1, 1])  # (D,), for AND and OR: both inputs count alike
b_and, b_or = -1.5, -0.5
y_and, y_or = neuron(x, w_both, b_and), neuron(x, w_both, b_or)  # (N,) each
y_not = neuron(mg.asarray([[0], [1]]), mg.asarray([-1]), 0.5)  # (2,), for the inputs 0 and 1
print(f"AND {y_and}\nOR  {y_or}\nNOT {y_not}")
right = (y_and == (count == 2)).sum() + (y_or == (count >= 1)).sum() + (y_not == mg.asarray([1, 0])).sum()
lesson.promise("rows of AND, OR and NOT right, of 10", right, low=10)

# %% [markdown]
# **XOR** (exclusive or) answers 1 where exactly one input is 1: the row 0, 1 and the row 1, 0. We look for a neuron
# that does it by trying: every w1, w2 and b from -4 to 4 in steps of 1/4.

# %%
ticks = xp.arange(-16, 17) / 4  # (33,): -4, -3.75, ..., 4
w1, w2, b = (grid.reshape(-1, 1) for grid in xp.meshgrid(ticks, ticks, ticks))  # (G, 1) each: G neurons
sums = w1 * x[:, 0] + w2 * x[:, 1] + b  # (G, N): each neuron's sum for each row
fires = sums > 0  # (G, N)

t_xor = mg.asarray([0, 1, 1, 0])  # (N,), the right answers: targets
rows_right = (fires == t_xor).sum(axis=1)  # (G,), how many of the 4 each neuron gets right
print(f"{len(rows_right)} neurons tried; with 4 rows right: {int((rows_right == 4).sum())}")
lesson.promise("XOR: rows right, of 4, the best neuron", rows_right.max(), low=3, high=3)

# %% [markdown]
# Is the grid to blame? For the other questions it is fine enough. A function of two inputs has four answers, 0 or 1
# each, so there are 2 · 2 · 2 · 2 = 16 functions. Read the answers as the digits of a binary number: 0001 is AND, 1,
# and 0110 is XOR, 6. The grid finds 14 of the 16. The two that are missing are XOR and its opposite, 1001, 9.

# %%
numbers = (fires * mg.asarray([8, 4, 2, 1], dtype="int64")).sum(axis=1)  # (G,), 0 to 15: which function it is
found = set(numbers.tolist())
print(f"found {sorted(found)}, missing {sorted(set(range(16)) - found)}")
assert set(range(16)) - found == {6, 9}
lesson.promise("functions of two inputs found, of 16", len(found), low=14, high=14)

# %% [markdown]
# **Why no neuron can do XOR.** Trying is no proof: there are always weights that we have not tried. Write down what
# each row asks of the sum w1 x1 + w2 x2 + b.
#
# | x1 | x2 | XOR | so the sum |
# |---|---|---|---|
# | 0 | 0 | 0 | b ≤ 0 |
# | 0 | 1 | 1 | w2 + b > 0 |
# | 1 | 0 | 1 | w1 + b > 0 |
# | 1 | 1 | 0 | w1 + w2 + b ≤ 0 |
#
# Add the two in the middle: w1 + w2 + 2b > 0. Add the first and the last: w1 + w2 + 2b ≤ 0. The same number cannot be
# both. So there are no such weights, on any grid. (Minsky and Papert's book "Perceptrons", 1969, asked of many more
# questions what one layer of neurons can and cannot do.)

# %%
middle = sums[:, 1] + sums[:, 2]  # (G,); XOR wants it above 0 ...
outer = sums[:, 0] + sums[:, 3]  # (G,); ... and this not above 0
assert bool((middle == outer).all())  # but they are equal, for every neuron (quarters add up without rounding)
print("sums of the middle rows and of the outer rows: the same for all neurons")

# %% [markdown]
# **Three neurons can.** XOR says: OR, but not AND. So let one neuron do OR, one AND, and hand their answers to a
# third, which fires where OR fires and AND does not: weights 1 and -1, bias -0.5. That is a network of two *layers*.

# %%
hidden = xp.stack([y_or, y_and], axis=1).astype("float32")  # (N, 2), the answers of the first layer
w_xor = mg.asarray([1, -1])  # (2,): for OR, against AND
y_xor = neuron(hidden, w_xor, -0.5)  # (N,)
for row, h, y in zip(x.tolist(), hidden.tolist(), y_xor.tolist(), strict=True):
    print(f"  inputs {row}   OR, AND {h}   XOR {int(y)}")
lesson.promise("XOR: rows right, of 4, three neurons", (y_xor == t_xor).sum(), low=4)

# %% [markdown]
# **The picture.** Take x1 and x2 as coordinates. Where w1 x1 + w2 x2 + b is 0, the neuron is about to change its
# mind, and these points lie on a straight line. On one side (red) it fires, on the other (blue) not. AND and OR have
# such a line, in the same direction: only the bias differs, and it moves the line. For XOR one line leaves a dot on
# the wrong side. The network draws two lines, and fires between them.

# %%
ticks = xp.linspace(-0.5, 1.5, 201)  # (P,)
points = xp.stack(xp.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)  # (P P, 2), a plane full of questions
por, pand = neuron(points, w_both, b_or), neuron(points, w_both, b_and)  # (P P,) each
both = neuron(xp.stack([por, pand], axis=1), w_xor, -0.5)  # (P P,)
panels = [
    ("AND: x1 + x2 - 1.5 > 0", pand, count == 2),
    ("OR: x1 + x2 - 0.5 > 0", por, count >= 1),
    ("XOR, one neuron: 3 of 4 right", por, t_xor),
    ("XOR, three neurons: OR, not AND", both, t_xor),
]
figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.7), sharey=True)
for ax, (title, answers, targets) in zip(axes, panels, strict=True):
    edges, plane = mg.to_numpy(ticks), mg.to_numpy(answers).reshape(201, 201)  # matplotlib's are NumPy's
    ax.contourf(edges, edges, plane, [-0.5, 0.5, 1.5], colors=["#c6dbef", "#fcc5b4"])
    corners, colours = mg.to_numpy(x), mg.to_numpy(targets)
    ax.scatter(*corners.T, c=colours, cmap="RdBu_r", s=90, edgecolors="white", linewidths=2)
    ax.set(title=title, xlabel="x1", xticks=[0, 1], yticks=[0, 1], aspect="equal")
axes[0].set(ylabel="x2")
lesson.save(figure, "01_threshold_neuron.png")

# %% [markdown]
# **Break it.** AND is right with any bias above -2 and up to -1. So take -1.9, and let the inputs be off by up to 0.2
# either way, as measured numbers are. The line now runs close by the dot at 1, 1, and in more than a quarter of the
# trials the noise carries the dot across. With -1.5 the line keeps its distance from all four dots, and no answer
# changes. That distance, the *margin*, comes back in lesson 1.2.

# %%
noisy = mg.random.uniform((10_000, 4, 2), low=-0.2, high=0.2) + x  # (trials, N, D)
for b_try in (-1.5, -1.9):
    wrong = neuron(noisy.reshape(-1, 2), w_both, b_try).reshape(-1, 4) != y_and  # (trials, N)
    share = wrong.mean(axis=0)  # (N,), of the trials
    print(f"  bias {b_try}: wrong answers, row by row: {[f'{s:.0%}' for s in share.tolist()]}")
    bounds = {"high": 0} if b_try == -1.5 else {"low": 0.26, "high": 0.30}
    lesson.promise(f"share wrong for 1, 1 at bias {b_try}", share[3], **bounds)

# %% [markdown]
# **The exercise**: choose the weights and biases of AND, OR and NOT yourself. Once, `minigen learn init my-exercises`
# puts all exercises into a folder of yours. In that folder, `minigen learn run threshold_neuron` checks this one.
#
# **The same in Keras and in PyTorch**, with this lesson's `x`, `w_both` and `b_and` as NumPy arrays: AND again.
# `Linear` keeps its weights with a row for each neuron, `Dense` with a column for each.
#
# ```python
# import torch
# layer = torch.nn.Linear(2, 1)  # 2 inputs, 1 neuron
# with torch.no_grad():
#     layer.weight[:] = torch.tensor(w_both)  # (1, 2)
#     layer.bias[:] = b_and  # (1,)
#     y = layer(torch.tensor(x)) > 0  # (4, 1)
# print(y)
# ```
#
# ```python
# import keras
# import numpy as np
# layer = keras.layers.Dense(1)
# layer.build((None, 2))
# layer.set_weights([w_both.reshape(2, 1), np.array([b_and])])
# print(layer(x) > 0)
# ```

# %%
lesson.report(args)
