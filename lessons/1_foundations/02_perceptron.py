"""The perceptron

Goal: let a neuron find its weights by itself, from examples, and see when that must succeed and when it cannot.
Needs: the threshold neuron (lesson 1.1).
Time: about 2 s (--quick: the same).
You should see: 0.45, 0.78 and -0.83, so B is most like X; apples and oranges told apart, with no more mistakes on
    the way than Novikoff's bound; no end where no line separates them; more than 50 times the mistakes in grams.
"""

# %% [markdown]
# **Which of A, B and C is most like X?** Each is three measurements. Multiply number by number, and add: that is the
# *dot product*, written A · X, in code `a @ x`. Where both are large, or both are negative, it grows. Where their
# signs differ, it shrinks. So it measures likeness. It is also what a neuron computes: w · x, how like w its input
# is. (It also grows with the lengths of the two. Divided by both lengths, it is the cosine of the angle between them,
# from 1 for the same direction to -1 for opposite ones. C is X with all signs turned round.)

# %%
import numpy as np

import minigen as mg
from minigen import lesson, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

vectors = [[0.3, 0.3, 0.3], [0.6, 0.2, 0.6], [-0.5, -0.3, -0.7], [0.5, 0.3, 0.7]]
A, B, C, X = mg.asarray(vectors, dtype="float64")  # (3,) each
for name, vector, value in (("A", A, 0.45), ("B", B, 0.78), ("C", C, -0.83)):
    cosine = vector @ X / xp.sqrt((vector @ vector) * (X @ X))  # one number
    print(f"  cosine of {name} and X: {float(cosine):.2f}")
    lesson.promise(f"{name} · X", vector @ X, low=value - 1e-9, high=value + 1e-9)

# %% [markdown]
# **Apples and oranges.** Of each fruit we have two measured *features*: its weight (in units of 100 g) and how rough
# its skin is (0 to about 1). The data is made up, around a typical apple and a typical orange. What lies too near a
# line half-way between the two, or beyond it, is left out. So some straight line has all apples on one side and all
# oranges on the other: the data is *linearly separable*.

# %%
apple, orange = mg.asarray([[1.5, 0.4], [2.0, 0.8]], dtype="float64")  # (2,) each, typical ones
spread = mg.asarray([0.2, 0.1], dtype="float64")  # (2,), how far each feature strays


def fruit(n, variety, gap):  # -> features x (N, 2), targets t (N,): 0 an apple, 1 an orange
    t = xp.arange(n) % 2  # (n,)
    x = xp.where(t[:, None] == 1, orange, apple) + variety * spread * mg.random.normal((n, 2), dtype="float64")
    side = ((x - (apple + orange) / 2) / spread).sum(axis=1)  # (n,): 0 on the line, above 0 towards the oranges
    keep = side * (2 * t - 1) > gap  # 2t - 1 is 1 for an orange, -1 for an apple
    return x[keep], t[keep]


x, t = fruit(100, variety=1, gap=1)
print(f"{len(x)} fruits, {int(t.sum())} of them oranges")

# %% [markdown]
# **The rule** (Rosenblatt, 1958). Show the neuron one fruit x at a time. It answers y = 1 where w · x + b > 0, else
# 0. If y is the target t, nothing changes. If not, w moves towards x (if t is 1) or away from it (if t is 0):
#
# w ← w + (t - y) x,   b ← b + (t - y)
#
# That moves w · x + b by x · x + 1, towards the right answer. (A *learning rate* may shrink the step. Starting from
# zero weights it would shrink all of w and b alike, and change no answer, so we leave it out.) A pass over all fruits
# is called an *epoch*. When an epoch brings no mistake, nothing will ever change again: it has *converged*.


# %%
def learn(x, t, orders):  # orders: for each epoch, in which order to show the fruits
    w, b = xp.zeros(2), 0.0
    after, mistakes = [(w, b)], []  # w and b after each mistake; how many mistakes in each epoch
    for order in orders:
        before = len(after)
        for i in order.tolist():
            y = float(w @ x[i] + b > 0)
            error = float(t[i]) - y  # 0, or 1, or -1
            if error != 0:
                w, b = w + error * x[i], b + error
                after.append((w, b))
        mistakes.append(len(after) - before)
        if mistakes[-1] == 0:
            break
    return after, mistakes


shuffle = np.random.default_rng(args.seed)
orders = [shuffle.permutation(len(x)) for _ in range(1000)]  # (N,) each
after, mistakes = learn(x, t, orders)
w, b = after[-1]
print(f"w = {w.round(3)}, b = {b:g}; mistakes in each epoch: {mistakes}")
lesson.promise("fruits told wrong in the end", ((x @ w + b > 0) != (t == 1)).sum(), high=0)

# %% [markdown]
# **Must it converge?** If the data is linearly separable, yes, whatever the order. Novikoff (1962) proved it with two
# numbers. Count b as the weight of a third input that is always 1, so that x and w have three numbers each. Let v be
# a vector of length 1 that gets all fruits right. R is the length of the longest x. gamma is the *margin*: the
# smallest distance by which v is right, the least of ±(v · x), with + for oranges and - for apples. Then:
#
# - Each mistake adds ±x to w, so w · v grows by at least gamma. After k mistakes, w · v ≥ k gamma.
# - A mistake is made where w · x is on the wrong side, so w² = w · w grows by no more than x² ≤ R². After k mistakes,
#   w² ≤ k R².
# - w · v is never more than the length of w. So k gamma ≤ length of w ≤ √k R, and that gives **k ≤ (R / gamma)²**.
#
# Any v that gets all fruits right gives a bound. We know one: the line by which the data was made. The first two
# claims are checked below after every mistake, and the bound with 50 other orders. It is made for the worst case:
# here it is more than ten times too high.

# %%
x3 = xp.concatenate([x, xp.ones((len(x), 1))], axis=1)  # (N, 3), with the input that is always 1
line = xp.concatenate([1 / spread, -((apple + orange) / 2 / spread).sum(keepdims=True)])  # (3,), line · x is `side`
v = line / xp.sqrt(line @ line)  # (3,), of length 1
gamma = float(((2 * t - 1) * (x3 @ v)).min())
R = float(xp.sqrt((x3**2).sum(axis=1).max()))
bound, k = (R / gamma) ** 2, sum(mistakes)
print(f"R = {R:.2f}, gamma = {gamma:.3f}: at most {bound:.0f} mistakes; made: {k}")
w3 = xp.stack([xp.concatenate([w, xp.full(1, b)]) for w, b in after])  # (k + 1, 3)
made = xp.arange(k + 1)  # (k + 1,): 0, 1, ..., k mistakes
along, length = w3 @ v, xp.sqrt((w3**2).sum(axis=1))  # (k + 1,) each: w · v, and the length of w
assert gamma > 0 and bool((along >= made * gamma - 1e-9).all() and (length**2 <= made * R**2 + 1e-9).all())
counts = [sum(learn(x, t, [shuffle.permutation(len(x)) for _ in range(1000)])[1]) for _ in range(50)]
print(f"50 other orders: from {min(counts)} to {max(counts)} mistakes")
lesson.promise("the most mistakes, as a share of the bound", max(k, *counts) / bound, high=0.1)

# %% [markdown]
# **Not separable.** In another year the fruits vary more, and none is left out. No line is right for all. Then no
# epoch is without a mistake, and the rule never stops: it moves the line to please one fruit, and that costs another.
# Where it stands when we stop is chance. The cure is to keep, on the way, the best weights so far, in one's *pocket*
# (Gallant, 1990).

# %%
x_mixed, t_mixed = fruit(100, variety=1.6, gap=-100)  # gap -100: all are kept
after_mixed, mistakes_mixed = learn(x_mixed, t_mixed, [shuffle.permutation(100) for _ in range(60)])
wrong = xp.stack([((x_mixed @ w + b > 0) != (t_mixed == 1)).sum() for w, b in after_mixed])  # (k + 1,), of 100
pocket = after_mixed[int(wrong.argmin())]
print(f"mistakes in each epoch: {mistakes_mixed[:12]} ...; with the last line {int(wrong[-1])} of 100 are wrong")
lesson.promise("the fewest mistakes in any of 60 epochs", min(mistakes_mixed), low=1)
lesson.promise("wrong with the pocket's line, of 100", wrong.min(), low=1, high=20)

# %% [markdown]
# **The picture.** First the line on its way: a single mistake can move it far. Then the fruit of the other year, with
# the pocket's line. Last, w · v and the length of w, between the two curves of the proof, which meet only at the
# bound, far to the right.

# %%
figure, axes = plt.subplots(1, 5, figsize=(17, 3.5))
ticks = xp.linspace(0, 1, 301)  # (P,)
plane = xp.stack(xp.meshgrid(0.5 + 2.6 * ticks, -0.2 + 1.7 * ticks), axis=-1)  # (P, P, 2): weights, roughnesses
edges = mg.to_numpy(plane.transpose(2, 0, 1))  # (2, P, P)
panels = [(x, t, after[m], f"After {m} of {k} mistakes") for m in (k // 2, k // 2 + 1, k)]
panels += [(x_mixed, t_mixed, pocket, "Not separable (dashed: the last)")]
for ax, (points, targets, (w, b), title) in zip(axes, panels, strict=False):
    answers = mg.to_numpy(plane @ w + b > 0)  # (P, P)
    ax.contourf(*edges, answers, [-0.5, 0.5, 1.5], colors=["#d9ead3", "#fde0c5"])
    for kind, colour, name in ((0, "#009E73", "apple"), (1, "#D55E00", "orange")):
        ax.scatter(*mg.to_numpy(points[targets == kind]).T, s=18, color=colour, label=name)
    ax.set(title=title, xlabel="weight, in 100 g")
axes[0].set(ylabel="roughness of the skin")
w, b = after_mixed[-1]
axes[3].contour(*edges, mg.to_numpy(plane @ w + b), [0], colors="black", linestyles="--")
curves = xp.stack([xp.sqrt(made) * R, length, along, made * gamma], axis=1)  # (k + 1, 4)
axes[4].plot(mg.to_numpy(curves), label=["√k R", "length of w", "w · v", "k gamma"])
axes[4].set(title=f"The proof at work (bound: {bound:.0f})", xlabel="mistakes made, k")
axes[0].legend(loc="lower right"), axes[4].legend()
lesson.save(figure, "02_perceptron.png")

# %% [markdown]
# **Break it.** Weigh in grams: the same fruits, the first feature 100 times as large. Nothing else has changed, and a
# line still separates them. But R is now almost 100 times as large, the weight drowns the roughness, and many more
# mistakes are made. So features are brought to a like size before learning, here and in every network.

# %%
_, in_grams = learn(x * mg.asarray([100, 1], dtype="float64"), t, orders)
print(f"in 100 g: {k} mistakes in {len(mistakes)} epochs; in grams: {sum(in_grams)} in {len(in_grams)}")
lesson.promise("mistakes in grams, times as many", sum(in_grams) / k, low=50)

# %% [markdown]
# **The exercise**: write the rule, with a learning rate: `minigen learn run perceptron_update`.
#
# **The same in Keras and in PyTorch**, with this lesson's `x`, `t`, `orders` and `mistakes`: w and b again. Both work
# with gradients (lesson 1.4): with the loss (y - t) (w · x + b), y taken as a fixed number, their step is the rule.
#
# ```python
# import torch
# x, t = torch.tensor(x), torch.tensor(t)
# neuron = torch.nn.Linear(2, 1, dtype=torch.float64)
# torch.nn.init.zeros_(neuron.weight), torch.nn.init.zeros_(neuron.bias)
# sgd = torch.optim.SGD(neuron.parameters(), lr=1.0)
# for i in np.concatenate(orders[: len(mistakes)]):
#     s = neuron(x[i])  # (1,)
#     loss = ((s.detach() > 0).double() - t[i]) * s
#     sgd.zero_grad()
#     loss.sum().backward()
#     sgd.step()
# print(neuron.weight, neuron.bias)
# ```
#
# ```python
# import keras
# import tensorflow as tf
# neuron = keras.layers.Dense(1, kernel_initializer="zeros")
# sgd = keras.optimizers.SGD(learning_rate=1.0)
# for i in np.concatenate(orders[: len(mistakes)]):
#     with tf.GradientTape() as tape:
#         s = neuron(x[i : i + 1])  # (1, 1)
#         loss = (tf.cast(s > 0, s.dtype) - float(t[i])) * s
#     sgd.apply(tape.gradient(loss, neuron.trainable_variables), neuron.trainable_variables)
# print(neuron.get_weights())
# ```

# %%
lesson.report(args)
