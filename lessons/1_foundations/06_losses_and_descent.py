"""Losses, and ways down

Goal: derive three losses from one idea, and compare the ways of descending on a loss that can be drawn.
Needs: gradients (lesson 1.4), logarithms, what a probability is.
Time: about 3 s (--quick: the same).
You should see: descent in 108 steps with all 64,000 samples a step, in about 165 with 32; with momentum in 38, with
    Adam in about 28; above a learning rate of 0.078 the loss grows. (Times in ms are your machine's.)
"""

# %% [markdown]
# **One idea, three losses.** A good model makes what was observed probable. So multiply the probabilities that it
# gave to the N targets: their *likelihood*. Its logarithm turns the product into a sum. Divide by N, and put a minus
# in front, so that less is better (a probability is at most 1, so its logarithm is at most 0).
#
# | a target t is | the model gives | probability of t | minus its logarithm | the loss's name |
# |---|---|---|---|---|
# | a number | y, with normal errors of variance 1 | e^(-(y - t)²/2) / √(2π) | (y - t)²/2 + a constant | squared error |
# | 0 or 1 | p for 1 | p if t = 1, 1 - p if t = 0 | -(t ln p + (1 - t) ln(1 - p)) | binary cross-entropy |
# | one of C classes | p for each of them | p[t] | -ln p[t] | categorical cross-entropy |
#
# **The sign.** A network gives *logits*, any numbers; sigmoid or softmax makes probabilities of them. Taken together
# with its cross-entropy, either has the gradient p minus what p should be. It is positive where p is too large, so a
# step against it lowers that logit. If yours is the other way round, a minus is missing.

# %%
import time

import numpy as np

import minigen as mg
from minigen import lesson, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

y, t = mg.asarray([0.9, 0.2, 0.6], dtype="float64"), mg.asarray([1, 0, 1], dtype="float64")  # (N,)
density = xp.exp(-((y - t) ** 2) / 2) / (2 * np.pi) ** 0.5  # (N,)
assert abs(-xp.log(density).mean() - (mg.mse(y, t) / 2 + np.log(2 * np.pi) / 2)) < 1e-12
assert abs(-np.log(0.9 * (1 - 0.2) * 0.6) / 3 - mg.binary_cross_entropy(y, t)) < 1e-12  # y as probabilities
logits, label = mg.asarray([[0, 1, 3]], dtype="float64"), mg.asarray([1], dtype="int64")  # (1, C), (1,)
p = mg.softmax(logits)  # (1, C), adds up to 1
assert abs(-xp.log(p[0, 1]) - mg.cross_entropy(logits, label)) < 1e-12
d_logits = mg.cross_entropy.d_logits(1.0, logits, label, "mean")  # (1, C)
assert float(abs(d_logits - (p - mg.asarray([[0.0, 1.0, 0.0]], dtype="float64"))).max()) < 1e-12
print(f"p = {p[0]}, should be 0, 1, 0; gradient {d_logits[0]}")

# %% [markdown]
# **A loss to look at.** A line y = w x + b has two parameters, so its mean squared error is a surface over a plane: a
# bowl, as the loss is a square in both. Here it is long and narrow: w is multiplied by x, from 0 to 6, b only by 1.
# With p = (w, b), a column of ones beside x, and A = xᵀx / N, the loss is lowest + (p - best)ᵀ A (p - best).

# %%
N = 64_000
x = xp.stack([mg.random.uniform(N, 0, 6, dtype="float64"), xp.ones(N)], axis=1)  # (N, 2); the ones are for b
t = x @ mg.asarray([1.5, -2.0], dtype="float64") + mg.random.normal(N, dtype="float64")  # (N,)
A = x.T @ x / N  # (2, 2)
best = xp.linalg.solve(A, x.T @ t / N)  # (2,), where the gradient is 0
lowest = float(mg.mse(x @ best, t))


def loss_at(points):  # (..., 2) -> (...)
    away = points - best
    return lowest + ((away @ A) * away).sum(axis=-1)


start = mg.asarray([-0.5, 4.0], dtype="float64")  # (2,)
assert abs(loss_at(start) - mg.mse(x @ start, t)) < 1e-9

# %% [markdown]
# **Descent.** A step takes the gradient g from the next `size` samples (they are in random order), and goes against it,
# or a `direction` made of it (later). We count steps until the loss is within 2% of the lowest for the first time.


# %%
def descend(direction, rate, size, steps):  # -> all p on the way, (steps + 1, 2)
    p, m, s = start, xp.zeros(2), xp.zeros(2)  # m, s: what a direction may remember
    path = [p]
    for step in range(1, steps + 1):
        first = (step - 1) * size % N
        xb, tb = x[first : first + size], t[first : first + size]  # (size, 2), (size,)
        g = xb.T @ (xb @ p - tb) * (2 / size)  # (2,)
        p = p - rate * (direction(g, step, m, s) if direction else g)
        path.append(p)
    return xp.stack(path)


def steps_needed(path):
    return int(mg.to_numpy(loss_at(path) <= 1.02 * lowest).nonzero()[0][0])


# %% [markdown]
# **How many samples a step?** All of them (*full batch*), one (*stochastic* descent, Robbins and Monro 1951), or a
# few (*mini-batch*). Fewer give a gradient that is only roughly right, but cost less. One sample alone can be far off
# and needs a smaller rate; and at a constant rate its path never comes to rest.

# %%
batches, seconds = {}, {}
for name, size, rate, steps in [("one", 1, 0.005, 3000), ("all", N, 0.06, 150), ("32", 32, 0.04, 400)]:
    began = time.perf_counter()
    batches[name] = path = descend(None, rate, size, steps)  # (steps + 1, 2)
    float(path[-1, 0])  # waits for a GPU
    seconds[name] = (time.perf_counter() - began) / steps
    needed = lesson.promise(f"{name} a step: steps", steps_needed(path), low=95, high=1900 if size == 1 else 200)
    print(f"  {needed * size:,} samples, {1e6 * seconds[name]:.0f} us a step, {1e3 * needed * seconds[name]:.1f} ms")

# %% [markdown]
# **The learning rate.** On a bowl we know how large it may be. Along a direction of curvature c a step multiplies the
# distance to the best by 1 - rate c. That shrinks it only if the rate is below 2 / c, so the steepest direction sets
# the limit, and the flattest one has to wait: its factor is close to 1. The curvatures are the eigenvalues of 2 A.

# %%
limit = lesson.promise("limit of the rate", 2 / float(xp.linalg.eigvalsh(2 * A).max()), low=0.07, high=0.09)
trials = [(1.05, 20), (0.1, 120), (0.8, 120)]
rates = {f"{share} of the limit": descend(None, share * limit, N, steps) for share, steps in trials}
wild, slow, right = rates.values()
lesson.promise("rate too small, loss over the lowest", loss_at(slow[-1]) / lowest, low=2)
lesson.promise("rate right, steps", steps_needed(right), high=120)
lesson.promise("rate too large, loss over the first", loss_at(wild[-1]) / loss_at(start), low=2)

# %% [markdown]
# **Better directions.** *Momentum* (Polyak 1964) adds up past gradients: what points to and fro cancels, what points
# along the valley grows, and shoots past the end. *RMSProp* (Tieleman and Hinton 2012) divides the gradient of each
# parameter by its usual size, so that steep and flat ones move alike, also where they should come to rest. *Adam*
# (Kingma and Ba 2015) does both, with running means of g and of g²; they begin at 0, and the divisors make up for
# that. (`optim.SGD`, `optim.RMSProp` and `optim.Adam` are these formulas.)


# %%
def momentum(g, step, m, s):
    m += g - 0.1 * m  # 0.9 m + g
    return m


def rmsprop(g, step, m, s):
    s += 0.1 * (g * g - s)  # 0.9 s + 0.1 g²
    return g / (xp.sqrt(s) + 1e-8)


def adam(g, step, m, s):
    m += 0.1 * (g - m)  # 0.9 m + 0.1 g
    s += 0.001 * (g * g - s)  # 0.999 s + 0.001 g²
    return m / (1 - 0.9**step) / (xp.sqrt(s / (1 - 0.999**step)) + 1e-8)


tried = {"plain": (None, 0.06), "momentum": (momentum, 0.04), "RMSProp": (rmsprop, 0.1), "Adam": (adam, 0.3)}
paths = {name: descend(direction, rate, N, 150) for name, (direction, rate) in tried.items()}
for (name, path), bound in zip(paths.items(), (115, 42, 95, 35), strict=True):  # each at a rate that suits it
    lesson.promise(f"{name}, steps", steps_needed(path), high=bound)

# %%
ticks = np.meshgrid(*np.linspace([-1.6, -4.5], [3.2, 5.5], 100).T)  # w and b, (100, 100) each
heights = mg.to_numpy(loss_at(mg.asarray(np.stack(ticks, axis=-1))))  # (100, 100)
figure, axes = plt.subplots(2, 3, figsize=(12, 7.5))
groups = ("samples a step", batches), ("learning rate", rates), ("direction", paths)
for (ax, below), (title, group) in zip(axes.T, groups, strict=True):
    ax.contourf(*ticks, heights, np.geomspace(lowest, heights.max(), 14), cmap="Greys", alpha=0.6)
    for name, path in group.items():
        ax.plot(*mg.to_numpy(path).T, ".-", markersize=3, linewidth=0.8, label=name)
        when = np.arange(1, len(path)) * (1e3 * seconds[name] if group is batches else 1)
        below.semilogy(when, mg.to_numpy(loss_at(path))[1:] - lowest, linewidth=1)
    ax.plot(*mg.to_numpy(best), "k+", markersize=10)
    ax.set(title=title, xlabel="w", ylabel="b", xlim=(-1.6, 3.2), ylim=(-4.5, 5.5))
    ax.legend(loc="lower left", frameon=True)
    below.axhline(0.02 * lowest, color="black", linestyle=":")  # counted as there
    below.set(ylabel="loss above the lowest", xlabel="step", ylim=(5e-3, 100))
axes[1, 0].set(xlabel="milliseconds", xscale="log")
lesson.save(figure, "06_losses_and_descent.png")

# %% [markdown]
# **Break it.** Take the squared error for a probability. Let the model be sure and wrong: t = 1, logit -6. On the way
# back through the sigmoid the gradient is multiplied by p (1 - p): next to nothing where the model is sure, right or
# wrong. Cross-entropy cancels that factor.

# %%
z = xp.full(1, -6.0)  # (1,)
p = mg.sigmoid(z)  # (1,)
squared = mg.sigmoid.d_x(mg.mse.d_x(1.0, p, 1.0, "mean"), p)
cross = mg.binary_cross_entropy_with_logits.d_x(1.0, z, 1.0, "mean")
print(f"gradient {float(squared[0]):.4f}, of cross-entropy {float(cross[0]):.4f}")
lesson.promise("cross-entropy's gradient, times the squared error's", cross / squared, low=100)

# %% [markdown]
# **The exercises**: `minigen learn run mean_squared_error`, `binary_cross_entropy`, `sum_and_mean`, `softmax`,
# `softmax_cross_entropy`, `softmax_backward`, `momentum` and `adam`.
#
# **The same in Keras and in PyTorch**, with this lesson's `x`, `t`, `start` and N: Adam's first 20 steps.
#
# ```python
# import torch
# x, t = torch.tensor(x), torch.tensor(t)
# p = torch.tensor(start, requires_grad=True)
# adam = torch.optim.Adam([p], lr=0.3)
# for _ in range(20):
#     adam.zero_grad()
#     torch.nn.functional.mse_loss(x @ p, t).backward()
#     adam.step()
# print(p)
# ```
#
# ```python
# import keras
# model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
# model.set_weights([start[:1, None], start[1:]])  # w (1, 1), b (1,)
# model.compile(optimizer=keras.optimizers.Adam(0.3), loss="mse")
# model.fit(x[:, :1], t, batch_size=N, epochs=20)  # batch_size=32: mini-batches
# print(model.get_weights())
# ```

# %%
lesson.report(args)
