"""Activations, and gradients that vanish or explode

Goal: draw six activation functions and their slopes, and measure what 20 layers of them do to a gradient.
Needs: backprop by hand (lesson 1.4), what a variance is.
Time: about 5 s (--quick: 3 s).
You should see: the gradient at the first of 20 layers, over that at the last. Weights too small: a millionth (tanh),
    billionths (ReLU). Too large: 300, millions. Glorot's, with tanh: 0.2. He's, with ReLU: about 1, and it learns.
"""

# %% [markdown]
# Two dense layers, one after the other, are one: (x w1) w2 = x (w1 w2). To do more, something that is not a straight
# line has to stand between them, the *activation*. Here are six, each with its slope.
#
# | | y | slope | from |
# |---|---|---|---|
# | sigmoid | 1 / (1 + e⁻ˣ) | y (1 - y) | Rumelhart et al. 1986 |
# | tanh | (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ) | 1 - y² | LeCun et al. 1998 |
# | ReLU | x if x > 0, else 0 | 1, else 0 | Nair and Hinton 2010 |
# | leaky ReLU | x if x > 0, else s x | 1, else s | Maas et al. 2013 |
# | ELU | x if x > 0, else eˣ - 1 | 1, else eˣ | Clevert et al. 2016 |
# | maxout | the largest of a few w x + b, all learned | the w of the largest | Goodfellow et al. 2013 |

# %%
import itertools

import minigen as mg
from minigen import data, lesson, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

w = mg.asarray([[-1.0, 0.25, 1.0]], dtype="float64")  # (1, 3), maxout's three lines
b = mg.asarray([-1.5, 0.0, -0.9], dtype="float64")  # (3,)
activations = {
    "sigmoid": mg.sigmoid,
    "tanh": mg.tanh,
    "ReLU": mg.relu,
    "leaky ReLU, s = 0.1": lambda x: mg.leaky_relu(x, slope=0.1),
    "ELU": mg.elu,
    "maxout of three lines": lambda x: mg.maxout(mg.dense(x, w, b), pieces=3),
}
y = mg.sigmoid(xp.ones(1))  # (1,)
print(f"sigmoid(1) = {float(y[0]):.4f}, and its slope there {float(mg.sigmoid.d_x(1.0, y)[0]):.4f}")

# %% [markdown]
# **The slopes.** The engine's `backward` calls the `d_` lines of each operation. Handed a gradient of 1, they answer
# with the slope, at each x. As in lesson 1.4, measuring is the judge. (No x is 0: ReLU has no slope in its kink.)

# %%
points = xp.linspace(-4, 4, 400).reshape(-1, 1)  # (P, 1)
epsilon, worst = 1e-5, 0.0
figure, axes = plt.subplots(2, 3, figsize=(10, 5), sharex=True, sharey=True)
for ax, (name, activation) in zip(axes.ravel(), activations.items(), strict=True):
    x = mg.tensor(points, requires_grad=True)  # (P, 1)
    y = activation(x)  # (P, 1)
    y.backward(xp.ones_like(points))
    measured = (activation(points + epsilon) - activation(points - epsilon)) / (2 * epsilon)  # (P, 1)
    worst = max(worst, float(abs(x.grad - measured).max()))
    print(f"  {name:21}   slope at most {float(x.grad.max()):.3f}, at x = 4 {float(x.grad[-1, 0]):.4f}")
    ax.axhline(0, color="0.8", linewidth=0.8)
    ax.plot(mg.to_numpy(points), y.numpy(), label="y")
    ax.plot(mg.to_numpy(points), mg.to_numpy(x.grad), "--", label="slope")
    ax.set(title=name, ylim=(-1.5, 3), xlabel="x")
    ax.label_outer()
axes[0, 0].legend()
lesson.save(figure, "05_activations.png")
lesson.promise("the six slopes, from the measured ones", worst, high=1e-8)

# %% [markdown]
# **Twenty layers.** On its way back a gradient is multiplied, at each layer, by the slopes of the activation and by the
# weights. If that comes to 1/2, 20 layers leave a millionth; if to 2, they make a million. These are *vanishing* and
# *exploding* gradients (Hochreiter 1991; Bengio et al. 1994).
#
# How large should weights be? A sum of M products has M v times the mean square of what goes in, v being the variance
# of the weights. So v = 1 / M keeps the size, where M counts a layer's inputs on the way forward and its outputs on the
# way back. Glorot and Bengio (2010) meet in the middle: v = 2 / (inputs + outputs). That counts on a slope of 1,
# which tanh has near 0. ReLU makes 0 of half of its inputs: hence v = 2 / inputs (He et al. 2015).

# %%
N, M, L = 128, 128, 20  # samples, units in each layer, layers
initialisations = {  # the standard deviation of the weights: the root of v
    "too small": lambda inputs, outputs: 0.5 / inputs**0.5,
    "Glorot": lambda inputs, outputs: (2 / (inputs + outputs)) ** 0.5,
    "He": lambda inputs, outputs: (2 / inputs) ** 0.5,
    "too large": lambda inputs, outputs: 3 / inputs**0.5,
}
x = mg.random.normal((N, M), dtype="float64")  # (N, M), goes into the first layer
upstream = mg.random.normal((N, M), dtype="float64")  # (N, M), comes back to the last


def size(array):  # the root of the mean square
    return float((array**2).mean()) ** 0.5


def through(activation, deviation):
    weights = [mg.random.normal((M, M), dtype="float64") * deviation for _ in range(L)]  # (M, M) each
    outputs, gradients, h, dh = [], [], x, upstream
    for w in weights:
        h = activation(h @ w)  # (N, M)
        outputs.append(h)
    for w, h in zip(reversed(weights), reversed(outputs), strict=True):
        da = activation.d_x(dh, h)  # (N, M), the gradient at this layer; sigmoid, tanh and ReLU need only the output
        gradients.insert(0, da)
        dh = da @ w.T  # (N, M)
    return weights, outputs, gradients


# %%
figure, axes = plt.subplots(2, 3, figsize=(11, 6), sharex=True, sharey="row")
ratios = {}
for column, name in zip(axes.T, ("sigmoid", "tanh", "ReLU"), strict=True):
    for how, deviation in initialisations.items():
        weights, outputs, gradients = through(activations[name], deviation(M, M))
        ratios[name, how] = size(gradients[0]) / size(gradients[-1])
        if (name, how) == ("ReLU", "He"):
            he_weights = weights  # for the last cell
        column[0].semilogy(range(1, L + 1), [size(h) for h in outputs], label=how)
        column[1].semilogy(range(1, L + 1), [size(da) for da in gradients])
    column[0].set(title=name, xticks=range(1, L + 1, 3))
    column[1].set(xlabel="layer")
    print(f"  {name:8}" + "".join(f"{how}: {ratios[name, how]:.1e}   " for how in initialisations))
axes[0, 0].legend()
axes[0, 0].set(ylabel="size of the outputs"), axes[1, 0].set(ylabel="size of the gradient")
lesson.save(figure, "05_twenty_layers.png")

# %% [markdown]
# Read the lower row from right to left, as the gradient goes. The sigmoid makes it vanish with all four: its slope is
# at most 1/4. With large weights tanh is *saturated*, its outputs are close to -1 and 1: forward nothing seems wrong,
# and yet the gradient explodes.

# %%
bounds = {("sigmoid", "Glorot"): (1e-14, 1e-10), ("sigmoid", "too large"): (1e-7, 1e-4)}
bounds |= {("tanh", "too small"): (1e-7, 1e-5), ("tanh", "Glorot"): (0.1, 0.4)}
bounds |= {("tanh", "too large"): (100, 1e3), ("ReLU", "too small"): (1e-10, 1e-7), ("ReLU", "Glorot"): (1e-4, 0.01)}
bounds |= {("ReLU", "He"): (0.3, 3), ("ReLU", "too large"): (1e5, 1e8)}
for (name, how), (low, high) in bounds.items():
    lesson.promise(f"{name}, {how}: first layer / last", ratios[name, how], low=low, high=high)

# %% [markdown]
# **Does it learn?** Two half-moons of points, 20 layers of ReLU, the same descent from each of the four. The loss of
# answering 0 everywhere is 1. (The column of ones is for the bias.) In these few hundred steps only He's weights learn.

# %%
moons, labels = data.moons(200, seed=args.seed)  # (200, 2), (200,)
points = xp.concatenate([mg.asarray(moons), xp.ones((200, 1), "float32")], axis=1)  # (200, 3)
target = 2 * mg.asarray(labels[:, None], "float32") - 1  # (200, 1), -1 or 1
losses, shapes = {}, list(itertools.pairwise([3, *[32] * L, 1]))  # (3, 32), (32, 32), ..., (32, 1)
for how, deviation in initialisations.items():
    weights = [mg.tensor(mg.random.normal(shape) * deviation(*shape), requires_grad=True) for shape in shapes]
    for _ in lesson.progress(range(250 if args.quick else 500), how):
        h = points
        for w in weights[:-1]:
            h = mg.relu(h @ w)  # (200, 32)
        loss = mg.mse(h @ weights[-1], target)
        losses[how] = loss.item()
        if losses[how] > 1000:  # exploded
            break
        loss.backward()
        for w in weights:
            w.data, w.grad = w.data - 0.01 * w.grad, None
lesson.promise("loss from too small", losses["too small"], low=0.98, high=1.02)
lesson.promise("loss from Glorot", losses["Glorot"], low=0.98, high=1.02)
lesson.promise("loss from He", losses["He"], high=0.5)
lesson.promise("loss from too large", losses["too large"], low=1000)

# %% [markdown]
# **Break it.** Why random numbers? Start all weights of a layer at the same number. Then all of its units compute the
# same and have the same gradient, so that they stay the same: 32 units that are one.

# %%
w1 = mg.tensor(xp.full((3, 32), 0.3, "float32"), requires_grad=True)
w2 = mg.tensor(xp.full((32, 1), 0.3, "float32"), requires_grad=True)
for _ in range(100):
    mg.mse(mg.tanh(points @ w1) @ w2, target).backward()
    for w in (w1, w2):
        w.data, w.grad = w.data - 0.01 * w.grad, None
lesson.promise("equal weights: moved by", abs(w1.data - 0.3).max(), low=0.05)
lesson.promise("equal weights: apart by", (w1.data.max(axis=1) - w1.data.min(axis=1)).max(), high=1e-4)

# %% [markdown]
# **The exercises**: the gradients of four of them, `minigen learn run tanh`, `sigmoid`, `relu` and `leaky_relu`.
#
# **The same in Keras and in PyTorch**, with this lesson's `x`, `upstream` and `he_weights`: ReLU, first layer / last.
#
# ```python
# import torch
# sums, h = [], torch.tensor(x)
# for w in he_weights:  # torch.nn.init.kaiming_normal_ draws such weights, xavier_normal_ Glorot's
#     sums.append((h @ torch.tensor(w)).requires_grad_())
#     sums[-1].retain_grad()
#     h = torch.relu(sums[-1])
# h.backward(torch.tensor(upstream))
# print(sums[0].grad.norm() / sums[-1].grad.norm())
# ```
#
# ```python
# import keras
# import tensorflow as tf
# sums, h = [], tf.constant(x)
# with tf.GradientTape() as tape:
#     for w in he_weights:  # keras.initializers.HeNormal() draws such weights, GlorotNormal() Glorot's
#         sums.append(h @ tf.constant(w))
#         tape.watch(sums[-1])
#         h = keras.ops.relu(sums[-1])
# first, last = tape.gradient(h, [sums[0], sums[-1]], output_gradients=tf.constant(upstream))
# print(tf.norm(first) / tf.norm(last))
# ```

# %%
lesson.report(args)
