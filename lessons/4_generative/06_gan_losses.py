"""Five losses for a GAN

Goal: put five losses into the same loop, and see on the same task, with the same budget, which of them work.
Needs: the GAN of lesson 4.5; gradients of gradients (lesson 1.7).
Time: about 1 min (--quick: 5 s; --only R1: 15 s; --data grid --steps 8000 --only R1: 2 min; --data stacked: 6 min)
You should see: modes caught, good points and KL for the five losses. R1 catches all 8 modes, evenly (KL below 0.02),
    with at least 90 % good points (grid, 8000 steps: all 25 modes, below 0.02, 88 %). On the ring, WGAN-GP does
    as well; LSGAN and the non-saturating loss lose modes or fill them unevenly, as the seed has it; WGAN fails.
"""

# %% [markdown]
# Much of the research on GANs looked for a loss that needs less luck. Here are five, in one loop, with the same
# networks, Adam, batches and steps. Data: a ring of 8 narrow clouds, a grid of 25 (Srivastava et al., 2017), pictures.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim

args = lesson.arguments(__doc__, data=("ring", "grid", "stacked"), steps=0, only="all")
plt = lesson.pyplot()
points, H = args.data != "stacked", 128  # stacked: pictures, see below; H hidden units
ring, grid = (data.ring, data.ring_centres(), 0.01, 1, 128), (data.grid, data.grid_centres(), 0.05, 10, 512)
draw, centres, sigma, area, N = grid if args.data == "grid" else ring  # centres (K, 2); area: R1's, see the loop
steps = (100 if points else 5) if args.quick else args.steps or (2000 if points else 1000)  # with N points in each

# %% [markdown]
# **The losses**, of D's answers `real` and `fake`, any numbers (N, 1). *Non-saturating* (Goodfellow 2014): softplus(a)
# is log(1 + e^a), so softplus(-a) is -log of the sigmoid of a, the cross-entropy for the label 1. *LSGAN* (Mao 2017):
# squares do not flatten where D is sure. *WGAN* (Arjovsky 2017): D, now called a *critic*, gives scores. If its slope
# is at most 1 everywhere, the largest difference of mean scores is the *Wasserstein distance*: how far the fakes would
# have to be carried to become the real points. It shrinks smoothly as G gets closer, even where the two do not overlap.
# Holding every weight of D in [-0.1, 0.1] bounds the slope, crudely. (The paper gives this D five steps for each of
# G's, and RMSProp; here all have one, and Adam.)
#
# Two add a penalty instead. *WGAN-GP* (Gulrajani 2017) asks WGAN's D for a slope of 1 on lines between real points and
# fakes, *R1* (Mescheder 2018) asks the non-saturating D for flatness at real points: there G can come to rest.

# %%
logistic = (  # non-saturating, R1
    lambda real, fake: mg.softplus(-real).mean() + mg.softplus(fake).mean(),  # what D minimises
    lambda fake: mg.softplus(-fake).mean(),  # what G minimises
)
squares = (  # LSGAN
    lambda real, fake: ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
    lambda fake: ((fake - 1) ** 2).mean() / 2,
)
scores = (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean())  # WGAN, WGAN-GP

# %% [markdown]
# **Penalties on the slope.** The slope at a point is the length of the gradient of D's answer with respect to it. To
# lower it, D's step needs the gradient of that gradient: `create_graph=True` records the backward pass, too. The sum of
# all answers gives each point its own gradient, for the others do not depend on it.


# %%
def r1(D, x, fake, weight):  # x, fake (N, 2): real points and fakes. Mescheder et al. 2018, eq. 9
    x = mg.tensor(x, requires_grad=True)
    slope = mg.grad(D(x).sum(), x, create_graph=True)  # (N, 2), or as x is
    return weight / 2 * (slope**2).sum() / len(x)


def gp(D, x, fake, weight):  # Gulrajani et al. 2017, eq. 3
    mix = mg.random.uniform((len(x), *[1] * (x.ndim - 1)))  # (N, 1), another place on each line
    between = mg.tensor(mix * x + (1 - mix) * fake, requires_grad=True)  # (N, 2)
    slope = mg.grad(D(between).sum(), between, create_graph=True)  # (N, 2)
    length = ((slope.reshape(len(x), -1) ** 2).sum(axis=1) + 1e-12) ** 0.5  # (N,); the root is not differentiable at 0
    return weight * ((length - 1) ** 2).mean()


plane = nn.Dense(2, 1)  # as D, 3 x + 4 y, it has the slope 5 everywhere
plane.w.data = mg.asarray([[3.0], [4.0]], "float32")
here, there = mg.random.normal((2, N, 2))  # (N, 2) each
assert abs(r1(plane, here, there, 2.0).item() - 25) < 1e-3 and abs(gp(plane, here, there, 1.0).item() - 16) < 1e-3

# %% [markdown]
# **Pictures** (`--data stacked`: come back after lesson 4.7, whose networks these are). *Stacked* letters (after
# Metz et al., 2017): three letters, any of A to J, are the red, the green and the blue of one picture. That makes 1000
# modes. A classifier reads each colour. A picture is *good* if in each it gives more than one half to one letter.
# 10,000 real ones catch all modes, and have, by chance, a KL of 0.05. Drawings (1000 steps, three seeds): R1 catches
# 772 to 823 at a KL of 0.17 to 0.21, the non-saturating loss 773 to 795 at 0.20 to 0.25, WGAN-GP 709 to 760 at 0.22 to
# 0.27; 18 to 24 % are good. LSGAN catches 329 to 778, as the seed has it, WGAN 30 to 100.


# %%
def stacked(n, seed):  # -> pictures (n, 28, 28, 3) from -1 to 1, and their modes (n,), from 0 to 999
    chosen = np.random.default_rng(seed).choice(a_to_j, size=(n, 3))
    return 2 * np.moveaxis(letters.images[chosen, ..., 0], 1, 3) - 1, letters.labels[chosen] @ (100, 10, 1)


def count(x):  # (n, 28, 28, 3) -> modes caught, share of good ones, KL to all modes alike
    read, colours = metrics.classifier("glyphs").probabilities, np.split((x + 1) / 2, 3, axis=3)  # (n, 28, 28, 1) each
    beliefs = np.stack([read(colour)[:, :10] for colour in colours])  # (3, n, 10)
    mode, good = (100, 10, 1) @ beliefs.argmax(axis=2), (beliefs.max(axis=2) > 0.5).all(axis=0)  # (n,), (n,)
    return metrics.Modes(len(set(mode[good])), good.mean(), np.log(1000) - metrics.label_entropy(mode, 1000))


# how many numbers in z, from -width to width; Adam's; the last weight of R1; that of GP
Z, width, lr, betas, last, gp_weight = 2, 10, 4e-3, (0.5, 0.9), 1 / 300, 0.1
if not points:
    letters = data.glyphs(14_000)
    a_to_j = np.flatnonzero(letters.labels < 10)  # (5000,)
    draw, N, area, Z, width, lr, betas, last, gp_weight = stacked, 32, 0.1, 64, 2, 3e-3, (0, 0.99), 0.1, 10
    real, modes = stacked(2000, seed=1)
    assert count(real).caught == len(set(modes)) and count(real).good > 0.99

# %% [markdown]
# **The loop.** Both rates go down to 0. G's weights are averaged over the steps (EMA): G circles around its aim, and
# the mean of a circle is its middle. R1's weight falls to 1/300: flat surroundings guide G from afar, but blur narrow
# clouds. It is an area (a slope is one over a length): the grid is wider, so it starts there at 10. z comes from a wide
# square: G is continuous, and draws something between any two clouds; the steeper it starts, the less.

# %%
losses = {  # name: D's loss, G's loss, penalty and its weight at the beginning and at the end, clipping
    "non-saturating": (*logistic, None, 0, 0, None),
    "LSGAN": (*squares, None, 0, 0, None),
    "WGAN": (*scores, None, 0, 0, 0.1),
    "WGAN-GP": (*scores, gp, gp_weight, gp_weight, None),
    "R1": (*logistic, r1, area, last, None),
}
chosen = [name for name in losses if args.only in ("all", name)]
if not chosen:
    raise SystemExit(f"--only: got {args.only!r}; wants all, or one of {', '.join(losses)}")


def mlp(inputs, outputs):
    layers = [nn.Dense(inputs, H), nn.ReLU(), nn.Dense(H, H), nn.ReLU(), nn.Dense(H, H), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dense(H, outputs))


def networks():
    if points:
        return mlp(Z, 2), mlp(2, 1)
    up, half, leak = nn.ConvTranspose2d, {"stride": 2, "padding": 1}, nn.LeakyReLU(0.2)
    G = [nn.Dense(Z, 7 * 7 * 64), lambda h: h.reshape(-1, 7, 7, 64), nn.BatchNorm(64), nn.ReLU()]
    G += [up(64, 32, 4, **half), nn.BatchNorm(32), nn.ReLU(), up(32, 3, 4, **half), nn.Tanh()]
    D = [nn.Conv2d(3, 32, 4, **half), leak, nn.Conv2d(32, 64, 4, **half), leak, nn.Flatten(), nn.Dense(7 * 7 * 64, 1)]
    return nn.Sequential(*G), nn.Sequential(*D)


def train(name):
    d_loss, g_loss, penalty, weight, last_weight, limit = losses[name]
    mg.seed(args.seed)
    rng = np.random.default_rng(args.seed)  # draws the real points
    G, D = networks()
    g_adam, d_adam = (optim.Adam(net.parameters(), lr=lr, betas=betas) for net in (G, D))
    ema = optim.ExponentialMovingAverage(G, decay=0.999, warm_up=True)
    for step in lesson.progress(range(steps), name):
        g_adam.lr = d_adam.lr = lr / 2 * (1 + np.cos(np.pi * step / steps))  # half a cosine, down to 0
        x = mg.asarray(draw(N, seed=rng)[0])  # (N, 2), or (N, 28, 28, 3)
        fake = G(mg.random.uniform((N, Z), -width, width))  # as x
        loss = d_loss(D(x), D(fake.detach()))
        if penalty:
            loss = loss + penalty(D, x, fake.data, weight * (last_weight / weight) ** (step / steps))
        loss.backward()
        assert all(p.grad is None for p in G.parameters())  # D's step is D's alone
        d_adam.step()
        d_adam.zero_grad()
        if limit:
            optim.clip_weights(D.parameters(), limit)
        D.requires_grad_(False)
        g_loss(D(fake)).backward()
        assert all(p.grad is None for p in D.parameters())  # and G's step G's
        g_adam.step()
        g_adam.zero_grad()
        D.requires_grad_(True)
        ema.update()
    with mg.no_grad(), ema.applied():
        fakes = [G(mg.random.uniform((500, Z), -width, width)).numpy() for _ in range(20)]
    return D, np.concatenate(fakes)  # (10000, 2), or (10000, 28, 28, 3)


# %% [markdown]
# **The measures.** *Caught*: modes with a good point; *good*: points within 3 sigma of a centre (98.9 % of the real
# ones); KL: how unevenly the modes are filled (Lin et al., "PacGAN", 2018). Each of them alone can be had for nothing:
# one point makes a mode caught, one mode well hit makes all points good, a wide blur has a KL of 0. Bounds: for R1
# alone.

# %%
drawn, found = {}, {}
for name in chosen:
    critic, drawn[name] = train(name)
    found[name] = metrics.modes(drawn[name], centres, sigma=sigma) if points else count(drawn[name])
    enough, low, high = {"ring": (2000, 90, 0.02), "grid": (8000, 88, 0.02), "stacked": (1000, 10, 0.4)}[args.data]
    sure, least = name == "R1" and steps >= enough, len(centres) if points else 600
    lesson.promise(f"modes caught, {name}", found[name].caught, low=least if sure else None)
    lesson.promise(f"good, {name}, %", 100 * found[name].good, low=low if sure else None)
    lesson.promise(f"KL, {name}", found[name].kl, high=high if sure else None)

figure, axes = plt.subplots(1, len(chosen), figsize=(3 * len(chosen), 3.2), squeeze=False, subplot_kw={"aspect": 1})
for ax, name in zip(axes[0], chosen, strict=True):
    title = f"{name}\n{found[name].caught} caught, {found[name].good:.0%} good"
    if points:
        ax.scatter(*drawn[name][:3000].T, s=1, alpha=0.3, rasterized=True)
        ax.plot(*centres.T, "o", color="C1", markersize=9, markerfacecolor="none")
        ax.axis(1.5 * centres.max() * np.array([-1, 1, -1, 1]))
        ax.set(title=title, xticks=[], yticks=[])
    else:
        lesson.show(ax, (drawn[name][:36] + 1) / 2, title, columns=6)
lesson.save(figure, "06_gan_losses.png")

# %% [markdown]
# **Break it.** Forget `create_graph=True`: the slope is then a mere number, its penalty a constant, and "R1" becomes
# "non-saturating". Nothing complains. **Exercise**: `minigen learn run gradient_penalty`, GP's gradient by hand.

# %%
x = mg.asarray(draw(N, seed=9)[0])  # (N, 2)
at = mg.tensor(x, requires_grad=True)
assert not mg.grad(critic(at).sum(), at).requires_grad  # no graph leads back from the slope to D's weights
penalty = r1(critic, x, None, 2.0)
d_first = mg.grad(penalty, critic[0].w).numpy()  # (2, H): what is lost
low = 1e-4 if name == "R1" and points else None
lesson.promise("gradient of R1 in D's first weights", np.abs(d_first).max(), low=low)
weights = [mg.to_numpy(p.data) for p in critic.parameters()]  # for the cell below

# %% [markdown]
# **The same in Keras (on TensorFlow) and in PyTorch**: R1 of the last D at the points `x`, from its `weights`.
# ```python
# import torch
# w1, b1, w2, b2, w3, b3, w4, b4 = (torch.tensor(w, requires_grad=True) for w in weights)
# x = h = torch.tensor(x, requires_grad=True)
# for w, b in ((w1, b1), (w2, b2), (w3, b3)):
#     h = torch.relu(h @ w + b)
# (slope,) = torch.autograd.grad((h @ w4 + b4).sum(), x, create_graph=True)
# penalty = (slope**2).sum() / len(x)
# penalty.backward()
# ```
# ```python
# import keras
# import tensorflow as tf
# layers = [keras.layers.Dense(128, activation="relu") for _ in range(3)]
# model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1)])
# model.set_weights(weights)
# with tf.GradientTape() as outer:
#     with tf.GradientTape() as inner:
#         inner.watch(x := tf.constant(x))
#         answers = model(x)
#     penalty = tf.reduce_sum(inner.gradient(answers, x) ** 2) / len(x)
# gradients = outer.gradient(penalty, model.trainable_variables)
# ```

# %%
lesson.report(args)
