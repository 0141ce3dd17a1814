"""Layers as matrices

Goal: write a layer as one matrix product, see why layers need something bent between them, and multiply slopes.
Needs: the perceptron (lesson 1.2), what a slope (derivative) is.
Time: about 2 s (--quick: the same).
You should see: a product whose first entry is -14; two layers equal to one; the chain rule's slopes equal to measured
    ones; XOR right with the step between the layers, and one answer for all four questions without it.
"""

# %% [markdown]
# **A layer** is several neurons that look at the same inputs. Give each neuron a column of a table w, the *weight
# matrix*: w[d, m] is how much neuron m makes of input d. Its sum is y[m] = x[0] w[0, m] + x[1] w[1, m] + ... + b[m]:
# the dot product of x with column m, plus its bias. With D inputs and M neurons, w has the shape (D, M).

# %%
from math import tanh

import minigen as mg
from minigen import lesson, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

D, M = 4, 3  # inputs, neurons
x = mg.random.normal(D, dtype="float64")  # (D,), one example
w, b = mg.random.normal((D, M), dtype="float64"), mg.random.normal(M, dtype="float64")  # (D, M), (M,)
one_by_one = [float(sum(x[d] * w[d, m] for d in range(D)) + b[m]) for m in range(M)]  # neuron by neuron
y = x @ w + b  # (M,), the layer at once
print(f"neuron by neuron {one_by_one}\nthe layer        {y.tolist()}")
assert float(abs(y - mg.asarray(one_by_one, dtype="float64")).max()) < 1e-12

# %% [markdown]
# **The matrix product** does this for many examples. Each row of p is an example, each column of q a neuron, and
# entry (n, m) of p @ q is row n of p times column m of q: a dot product. So the rows of p have to be as long as the
# columns of q: (N, D) @ (D, M) gives (N, M). Work the first entry out on paper: 2 · (-2) + 5 · (-2) + 2 · 0 = -14.

# %%
p = mg.asarray([[2, 5, 2], [1, 0, -2], [3, 1, 1]], dtype="float64")  # (3, 3)
q = mg.asarray([[-2, 1, 0], [-2, 2, 1], [0, 0, 3]], dtype="float64")  # (3, 3)
for n in range(3):
    for m in range(3):
        terms = [f"{u:g}·({v:g})" for u, v in zip(p[n].tolist(), q[:, m].tolist(), strict=True)]
        print(f"  entry ({n}, {m}):  {' + '.join(terms):28} = {float(p[n] @ q[:, m]):g}")
product = p @ q  # (3, 3)
assert product.tolist() == [[-14, 12, 11], [-2, 1, -6], [-8, 5, 4]]
assert (q @ p).tolist() != product.tolist()  # the order matters
lesson.promise("the first entry", product[0, 0], low=-14, high=-14)

# %% [markdown]
# **A batch** is a table of examples that go through the layer together, a row each: one product instead of N. The
# bias has the shape (M,), the product (N, M). NumPy adds b to every row, as if it had been copied N times. That is
# called *broadcasting*. Move b[0] by 1, and column 0 of y moves by 1 in every row: N times in all.

# %%
N = 5
batch = mg.random.normal((N, D), dtype="float64")  # (N, D)
y = batch @ w + b  # (N, M)
rows = xp.stack([row @ w + b for row in batch])  # (N, M), row by row
assert float(abs(y - rows).max()) < 1e-12
moved = batch @ w + (b + mg.asarray([1, 0, 0], dtype="float64"))  # (N, M)
print(f"(N, D) @ (D, M) + (M,) = {batch.shape} @ {w.shape} + {b.shape} = {y.shape}")
lesson.promise("b[0] up by 1: the sum of y is up by", (moved - y).sum(), low=N - 1e-9, high=N + 1e-9)

# %% [markdown]
# **A stack.** The answers of one layer are the inputs of the next. Write that for two, and multiply out:
#
# (x w1 + b1) w2 + b2 = x (w1 w2) + (b1 w2 + b2)
#
# On the right is a single layer. However many *linear* layers are stacked, one layer does the same.

# %%
w1, b1 = mg.random.normal((D, 8), dtype="float64"), mg.random.normal(8, dtype="float64")  # (D, 8), (8,)
w2, b2 = mg.random.normal((8, M), dtype="float64"), mg.random.normal(M, dtype="float64")  # (8, M), (M,)
stack = (batch @ w1 + b1) @ w2 + b2  # (N, M), by way of (N, 8)
single = batch @ (w1 @ w2) + (b1 @ w2 + b2)  # (N, M), by way of the weights (D, M) and the bias (M,)
lesson.promise("two layers and one differ by", abs(stack - single).max(), high=1e-10)

# %% [markdown]
# **What a layer does to the plane.** With two inputs and two neurons, a layer moves each point (x1, x2) to a new
# place. A linear layer turns, stretches, slants and shifts a square grid, but straight lines stay straight and a
# middle stays a middle. So it cannot help XOR: red and blue, the corners of a parallelogram now, are still not
# separable by a line.
#
# Now apply tanh to every number: it squeezes all numbers into -1 to 1, in an S-shaped curve. (Such a function between
# the layers is an *activation*, and the first layer's neurons are called *hidden*.) It bends the grid, so that a line
# can cut the reds off: h1 - h2 = 0.8. Seen from the inputs, the side of the reds is a band.

# %%
corners = mg.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float64")  # (4, 2)
t = mg.asarray([[0], [1], [1], [0]], dtype="float64")  # (4, 1), XOR
v1, c1 = mg.asarray([[3, 1.5], [1.5, 3]], dtype="float64"), mg.asarray([-0.75, -3.75], dtype="float64")  # (2, 2), (2,)
v2, c2 = mg.asarray([[1], [-1]], dtype="float64"), mg.asarray([-0.8], dtype="float64")  # (2, 1), (1,)
a = corners @ v1 + c1  # (4, 2)
h = xp.tanh(a)  # (4, 2)
y = h @ v2 + c2  # (4, 1)
assert bool((a[0] + a[3] == a[1] + a[2]).all())  # both diagonals have the same middle: a parallelogram
lesson.promise("after tanh, the diagonals' middles differ by", abs(h[0] + h[3] - h[1] - h[2]).max() / 2, low=0.5)
lesson.promise("XOR: rows right, of 4, with tanh", ((y > 0) == (t == 1)).sum(), low=4)

# %%
ticks = xp.linspace(-0.25, 1.25, 61)  # (P,)
grid = xp.stack(xp.meshgrid(ticks, ticks), axis=-1)  # (P, P, 2)
places = [grid, grid @ v1 + c1, xp.tanh(grid @ v1 + c1)]  # (P, P, 2) each
figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.4))
edges, surface = mg.to_numpy(ticks), mg.to_numpy(places[2] @ v2 + c2)[..., 0]  # (P,), (P, P)
axes[3].contourf(edges, edges, surface, [-9, 0, 9], colors=["#c6dbef", "#fcc5b4"])
axes[2].plot([-0.2, 1], [-1, 0.2], color="black")
titles = "Inputs", "After x @ w + b", "After tanh, with the line", "Seen from the inputs"
for i, (ax, dots) in enumerate(zip(axes, (corners, a, h, corners), strict=True)):
    for line in range(0, 61, 5) if i < 3 else ():  # every fifth line of the grid, in both directions
        lines = mg.to_numpy(places[i])
        ax.plot(*lines[line].T, *lines[:, line].T, color="0.7", linewidth=0.8, zorder=1)
    ax.scatter(*mg.to_numpy(dots).T, c=mg.to_numpy(t), cmap="RdBu_r", s=90, edgecolors="white", linewidths=2, zorder=2)
    ax.set(title=titles[i], xlabel=f"{'xahx'[i]}1", ylabel=f"{'xahx'[i]}2", aspect="equal")
lesson.save(figure, "03_layers_as_matrices.png")

# %% [markdown]
# **The chain rule.** A network is a *composition* of functions: each takes what the one before returns. Here are
# three with single numbers: a = 3x - 1, h = tanh(a), y = 2h. Move x by a small ε, and a moves by 3ε. The slope of
# tanh at a is 1 - h², so h moves by (1 - h²) 3ε, and y by 2 (1 - h²) 3ε. The slopes of a chain are multiplied. We
# measure it, too.

# %%
x0, epsilon = 0.6, 1e-5
chain = 2 * (1 - tanh(3 * x0 - 1) ** 2) * 3
up, down = (2 * tanh(3 * (x0 + e) - 1) for e in (epsilon, -epsilon))
measured = (up - down) / (2 * epsilon)
print(f"dy/dx = 2 · (1 - h²) · 3 = {chain:.8f}; measured {measured:.8f}")
lesson.promise("slope by the chain rule and measured, difference", abs(chain - measured), high=1e-8)

# %% [markdown]
# **The chain rule with layers.** With H hidden neurons, x[d] reaches the answer y on H paths, one through each. Along
# a path, slopes are multiplied: v1[d, j] into hidden neuron j, its 1 - h[j]², and v2[j] out of it. Where paths meet,
# they add up. Multiply and add up: that is a matrix product again, with the slopes of tanh in between.

# %%
slopes = v1 @ ((1 - h[1] ** 2)[:, None] * v2)  # (2, 2) @ (2, 1) -> (2, 1): dy/dx1 and dy/dx2, at the corner 0, 1
steps = epsilon * xp.eye(2)  # (2, 2): row d moves x[d] alone
up, down = (xp.tanh((corners[1] + s) @ v1 + c1) @ v2 + c2 for s in (steps, -steps))  # (2, 1) each
measured = (up - down) / (2 * epsilon)  # (2, 1)
print(f"by the chain rule {slopes.ravel()}, measured {measured.ravel()}")
lesson.promise("slopes of two layers, by the chain rule and measured", abs(slopes - measured).max(), high=1e-8)

# %% [markdown]
# **Slopes of a matrix product.** Take p @ q from above, and let y be the sum of all its entries. Move p[0, 0] by 1:
# row 0 of the product moves by row 0 of q, which is -2, 1, 0, and y by their sum, -1. That is the slope of y for p[0,
# 0]. In the same way p[n, k] has its say in all of row n, by row k of q. In lesson 1.4 we need such slopes for every
# weight of a network, and get them all at once, from the back to the front.

# %%
p_moved = p.copy()
p_moved[0, 0] += 1
change = p_moved @ q - product  # (3, 3)
print(f"the product changes by\n{change}")
assert change[0].tolist() == q[0].tolist() and not bool(change[1:].any())
lesson.promise("slope of the sum for p[0, 0]", change.sum(), low=-1, high=-1)

# %% [markdown]
# **Break it.** Lesson 1.1 did XOR with three neurons: OR, AND, and "OR, not AND". As two layers, with the step
# (fires, or not) between them, all is well. Leave the step out, and the two layers are one: u1 @ u2 is (0, 0), so no
# input counts at all, and the answer is the same for all four questions. Nor is it the fault of these weights. The
# best that *any* linear layer can do, in the sense of the smallest squared error, is to answer 0.5 to everything.

# %%
u1 = mg.asarray([[1, 1], [1, 1]], dtype="float64")  # (2, 2): OR, AND
d1 = mg.asarray([-0.5, -1.5], dtype="float64")  # (2,)
u2, d2 = mg.asarray([[1], [-1]], dtype="float64"), -0.5  # (2, 1): OR, not AND
sums = corners @ u1 + d1  # (4, 2)
with_step = (sums > 0).astype("float64") @ u2 + d2 > 0  # (4, 1)
without = sums @ u2 + d2  # (4, 1)
print(f"with the step {with_step.ravel()}, without: {without.ravel()}")
lesson.promise("XOR: rows right, of 4, with the step", (with_step == (t == 1)).sum(), low=4)
lesson.promise("without it, the four answers differ by", without.max() - without.min(), high=1e-12)
x3 = xp.concatenate([corners, xp.ones((4, 1))], axis=1)  # (4, 3), with an input that is always 1, for the bias
best = xp.linalg.lstsq(x3, t, rcond=None)[0]  # (3, 1): the weights with the smallest squared error
lesson.promise("the best linear layer's answers, at most off 0.5 by", abs(x3 @ best - 0.5).max(), high=1e-9)

# %% [markdown]
# **The exercises**: to warm up, `minigen learn run slope_of_a_parabola` and `chain_rule`; then `unbroadcasting`, what
# a bias that was broadcast needs on the way back, and `matrix_product`, the slopes of a product. In these two, dy says
# how strongly one last number, the loss, answers to each entry of y. (More of it in lesson 1.4.)
#
# **The same in Keras and in PyTorch**, with this lesson's `corners`, `v1`, `c1`, `v2`, `c2`: the slopes at the corner
# 0, 1. `Linear` keeps its weights the other way round, a row for each neuron.
#
# ```python
# import torch
# network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)).double()
# weights = v1.T, c1, v2.T, c2
# network.load_state_dict(dict(zip(network.state_dict(), map(torch.tensor, weights))))
# x = torch.tensor(corners[1], requires_grad=True)
# network(x).backward()
# print(x.grad)
# ```
#
# ```python
# import keras
# import tensorflow as tf
# keras.backend.set_floatx("float64")
# network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1)])
# network.set_weights([v1, c1, v2, c2])
# x = tf.constant(corners[1:2])
# with tf.GradientTape() as tape:
#     tape.watch(x)
#     y = network(x)
# print(tape.gradient(y, x))
# ```

# %%
lesson.report(args)
