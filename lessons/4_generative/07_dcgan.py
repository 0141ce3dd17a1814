"""DCGAN: a GAN that draws pictures

Goal: carry the GAN over to pictures, and tell by measures, not by its losses, whether it gets better.
Needs: GANs (lesson 4.5), averaged weights (4.6), convolutions (2.2), batch norm (2.4), the measures (4.4).
Time: about 40 s (--quick: 4 s; --data glyphs or mnist: 3 min)
You should see: new digits of all ten classes (label entropy at least 2.25), no copies, and at most 3 times as far from
    test digits as real ones are (Frechet distance over its floor); while they get better, G's loss rises. MNIST is
    harder (entropy 2.26, 4.5 times as far), and so are 28 letters (3.2 of at most 3.33, 7 to 9).
"""

# %% [markdown]
# The GAN of lesson 4.5 made points. With pictures, training went astray, until Radford, Metz and Chintala (2015) found
# networks with which it does not: the *DCGAN*, for deep convolutional. Their rules: no pooling, but convolutions with
# stride 2 in D, *transposed* convolutions in G; batch norm in both, except where a picture goes in or out; ReLU in G
# and tanh at its end, leaky ReLU in D; Adam with beta1 = 0.5.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim

args = lesson.arguments(__doc__, data=("digits", "glyphs", "mnist"), latent=64, steps=0)
plt = lesson.pyplot()
rng = np.random.default_rng(args.seed)  # chooses the real pictures
if args.data == "glyphs":
    x_train, x_test = (data.glyphs(n, seed=args.seed + n).images for n in (6000, 2000))
else:
    x_train, _, x_test, _ = data.mnist() if args.data == "mnist" else data.digits()  # (n, side, side, 1) in [0, 1]
N, Z, side = 32, args.latent, x_train.shape[1]  # pictures in a batch, numbers in z, pixels in a row: 8 or 28
S, tiny = side // 4, side == 8  # where G begins: 2 or 7
classes, steps = (28 if args.data == "glyphs" else 10), args.steps or (100 if args.quick else 4000 if tiny else 2500)
full = steps >= (4000 if tiny else 2500)  # fewer steps promise less
sure = full and tiny  # most of what is promised below is promised for digits

# %% [markdown]
# **The transposed convolution.** A convolution with stride 2 halves a picture. It is linear, so it is a matrix A; the
# transpose of A doubles a picture. Each small pixel stamps the kernel, times its value, into the large picture, two
# pixels from its neighbour's stamp, and the stamps add up. The check: A x · y = x · Aᵀ y, as for any A.
# With a kernel of 4, each pixel gets 4 stamps. With 3 it would be 1, 2 or 4: a checkerboard that G would have to
# unlearn (Odena et al. 2016). Instead one may repeat each pixel (`nn.Upsample`), and then convolve.

# %%
kernel = mg.random.normal((4, 4, 1, 3))  # (KH, KW, channels of the large one, channels of the small one)
large, small = mg.random.normal((1, 8, 8, 1)), mg.random.normal((1, 4, 4, 3))  # (N, H, W, C)
down = mg.conv2d(large, kernel, stride=2, padding=1)  # A x   (1, 4, 4, 3)
up = mg.conv_transpose2d(small, kernel, stride=2, padding=1)  # Aᵀ y   (1, 8, 8, 1)
assert abs(float((down * small).sum() - (large * up).sum())) < 1e-3

# %% [markdown]
# **The networks.** G: z, then S x S x 64, 2S x 2S x 32, and the picture, from -1 (paper) to 1 (ink). D goes the way
# back, and ends in a logit. There is no bias before a batch norm, which would subtract it again.
#
# On MNIST's 28x28 pixels this learned slowly, and some digits stayed rare (label entropy 2.16, 7.6 floors after 4000
# steps). There, R1 (lesson 4.6) takes the place of D's batch norm, the rates are six times as high and fall to 0, and
# beta1 is 0. And D is told how much the pictures of its batch differ: a G that repeats itself gives itself away.


# %%
def spread(h):  # (N, S, S, 64) -> (N, S, S, 65): the minibatch standard deviation (Karras et al. 2018)
    deviation = (((h - h.mean(axis=0)) ** 2).mean(axis=0) + 1e-8) ** 0.5  # (S, S, 64)
    channel = mg.broadcast_to(deviation.mean().reshape(1, 1, 1, 1), shape=(len(h), S, S, 1))
    return mg.concatenate([h, channel], axis=3)


lr, beta1, r1 = (5e-4, 0.5, 0) if tiny else (3e-3, 0, 0.1)
half = {"stride": 2, "padding": 1}
# fmt: off
G = nn.Sequential(
    nn.Dense(Z, S * S * 64, bias=False), lambda h: h.reshape(-1, S, S, 64), nn.BatchNorm(64), nn.ReLU(),
    nn.ConvTranspose2d(64, 32, 4, **half, bias=False), nn.BatchNorm(32), nn.ReLU(),
    nn.ConvTranspose2d(32, 1, 4, **half), nn.Tanh(),
)
D = nn.Sequential(
    nn.Conv2d(1, 32, 4, **half), nn.LeakyReLU(0.2),
    nn.Conv2d(32, 64, 4, **half, bias=not tiny), *([nn.BatchNorm(64)] if tiny else []), nn.LeakyReLU(0.2),
    *([] if tiny else [spread]), nn.Flatten(), nn.Dense(S * S * (64 if tiny else 65), 1),
)
# fmt: on
g_adam, d_adam = (optim.Adam(net.parameters(), lr=lr, betas=(beta1, 0.99)) for net in (G, D))
print(f"{x_train.shape} pictures; G has {G.parameter_count():,} parameters, D {D.parameter_count():,}")

# %% [markdown]
# **One step of each**, as in lessons 4.5 and 4.6. Batch norm adds two ways to go wrong (in D, with 8x8 pixels). Real
# and fake go through D apart, each normalised by the mean and variance of its own batch. And both networks stay in
# training mode in both steps: in `eval`, D would be another function than the one just trained. So in G's step D's
# running statistics move; D's parameters take no gradient, and stay.


# %%
def d_step(x, fake, r1=0):  # (N, side, side, 1) each
    loss = mg.softplus(-D(x)).mean() + mg.softplus(D(fake.detach())).mean()
    d_adam.zero_grad()
    loss.backward()
    if r1:
        x = mg.tensor(x, requires_grad=True)
        slope = mg.grad(D(x).sum(), x, create_graph=True)  # (N, side, side, 1)
        (r1 / 2 * (slope**2).sum() / N).backward()  # adds to D's gradients
    d_adam.step()
    return loss.item()


def g_step(fake):  # (N, side, side, 1), with the graph that leads back to G
    D.requires_grad_(False)
    loss = mg.softplus(-D(fake)).mean()
    g_adam.zero_grad()
    loss.backward()
    g_adam.step()
    D.requires_grad_(True)
    return loss.item()


before = [p.numpy().copy() for p in G.parameters()]  # 8 arrays
z_first = mg.to_numpy(mg.random.normal((N, Z)))
first = G(mg.asarray(z_first))  # (N, side, side, 1)
d_step(mg.asarray(2 * x_train[:N] - 1), first)
assert all(p.grad is None for p in G.parameters())  # D's step leaves G alone
d_adam.zero_grad()
g_step(first)
assert all(p.grad is None for p in D.parameters())  # and G's step leaves D alone

# %% [markdown]
# **Drawing** uses averaged weights (lesson 4.6) in `eval`, where a picture depends on its own z alone. The running
# statistics are those of other weights; so the averaged ones first see some batches in training mode.

# %%
ema = optim.ExponentialMovingAverage(G, decay=0.995, warm_up=True)
judge = metrics.classifier(args.data)
real, test = judge.features(x_train[:2000]), judge.features(x_test)  # (n, 64), (m, 64)


def draw(z):  # (n, Z) -> (n, side, side, 1) in [0, 1], on the host
    with mg.no_grad(), ema.applied():
        for _ in range(20):
            G(mg.random.normal((100, Z)))
        G.eval()
        pictures = G(z).numpy()
        G.train()
    return (pictures + 1) / 2


watched, moments, losses = mg.random.normal((8, Z)), {}, []  # moments: {step: (pictures of `watched`, floors)}
for step in lesson.progress(range(steps + 1), "training"):
    if step in (0, steps // 32, steps // 16, steps // 8, steps // 4, steps // 2, steps):
        drawn = draw(mg.random.normal((1000, Z)))  # (1000, side, side, 1)
        moments[step] = draw(watched), metrics.frechet_ratio(judge.features(drawn), test, real).ratio
    x = mg.asarray(2 * x_train[rng.integers(len(x_train), size=N)] - 1)  # (N, side, side, 1)
    fake = G(mg.random.normal((N, Z)))  # (N, side, side, 1)
    if not tiny:
        g_adam.lr = d_adam.lr = lr / 2 * (1 + np.cos(np.pi * step / steps))
    losses.append((d_step(x, fake, 4 * r1 if step % 4 == 0 else 0), g_step(fake)))  # four times R1, every fourth time
    ema.update()

# %% [markdown]
# **What the losses tell.** D's is 2 ln 2 = 1.39 if it cannot tell real from fake, and G's then 0.69. Here both move
# away from that: G's rises while its drawings get better (on MNIST it falls while they get better). Each is
# measured against an opponent that changes all the time; it says who is ahead, not how good they are. So watch the
# same z, and a distance (lesson 4.4).

# %%
smooth = np.array([np.mean(part, axis=0) for part in np.array_split(losses, min(40, len(losses)))])  # (40, 2)
drawn = draw(mg.random.normal((1000, Z)))  # (1000, side, side, 1)
features, labels = judge.features(drawn), judge.labels(drawn)  # (1000, 64), (1000,)
density, coverage = metrics.density_coverage(real, features)
lesson.promise("G's loss, last over early", smooth[-1, 1] / smooth[len(smooth) // 8, 1], low=1 if sure else None)
lesson.promise("D's loss, last over 2 ln 2", smooth[-1, 0] / (2 * np.log(2)), high=1 if sure else None)
lesson.promise("floors, last over early", moments[steps][1] / moments[steps // 8][1], high=0.8 if sure else None)
most, least = {"digits": (3, 2.25), "glyphs": (10, 3.1), "mnist": (6, 2.25)}[args.data] if full else (None, None)
lesson.promise("floors", metrics.frechet_ratio(features, test, real).ratio, high=most)
# label entropy: at most ln 10 = 2.303; density: do drawings lie where real ones do? coverage: are all kinds drawn?
lesson.promise("classes drawn", len(np.unique(labels)), low=classes if full else None)
lesson.promise("label entropy", metrics.label_entropy(labels, classes), low=least)
lesson.promise("density", density, low=0.3 if sure else None)
lesson.promise("coverage", coverage, low=0.4 if sure else None)
lesson.promise("nearest neighbour", metrics.memorising(drawn, x_test[:1000], x_train), low=0.9 if sure else None)

# %% [markdown]
# **A walk** in a straight line from one z to another. A G that had learned pictures by heart would jump from one to the
# next; here even the largest of 19 steps is a small part of the way.

# %%
ends, t = mg.to_numpy(mg.random.normal((2, 10, 1, Z))), np.linspace(0, 1, 20, dtype="float32")[:, None]  # (20, 1)
walks = draw(mg.asarray(((1 - t) * ends[0] + t * ends[1]).reshape(-1, Z))).reshape(10, 20, -1)  # (10, 20, pixels)
jumps, whole = np.linalg.norm(np.diff(walks, axis=1), axis=2), np.linalg.norm(walks[:, -1] - walks[:, 0], axis=1)
lesson.promise("largest step, of the way", (jumps.max(axis=1) / whole).mean(), high=0.4 if sure else None)

figure, axes = plt.subplot_mosaic([["same z", "losses", "floors"], ["drawn", "drawn", "walks"]], figsize=(12, 7.6))
same_z = np.stack([pictures for pictures, _ in moments.values()], axis=1).reshape(-1, side, side)  # a row for each z
lesson.show(axes["same z"], same_z, f"Eight z, after 0 to {steps} steps", columns=len(moments))
lesson.show(axes["drawn"], drawn[:200], "New drawings", columns=20)
lesson.show(axes["walks"], walks[:, ::2].reshape(-1, side, side), "Walks from one z to another")
axes["losses"].plot(np.linspace(0, len(losses), len(smooth)), smooth, label=["D", "G"])
axes["losses"].set(title="Losses", xlabel="step", ylim=(0, None))
axes["losses"].legend()
axes["floors"].semilogy(list(moments), [ratio for _, ratio in moments.values()], marker="o")
axes["floors"].set(title="Frechet distance / floor", xlabel="step")
axes["floors"].set_yticks([1, 3, 10, 30, 100], [1, 3, 10, 30, 100])
axes["floors"].minorticks_off()
lesson.save(figure, "07_dcgan.png")

# %% [markdown]
# **Break it.** Forget `eval` when drawing. A picture is then normalised with its company: alone, a z gives another
# picture than among 99 others. **Exercises**: `minigen learn run gan_losses` and `batch_norm`; and `conv2d_input`,
# which is the transposed convolution.

# %%
z = mg.random.normal((100, Z))
for mode, low, high in (("eval", None, 1e-4), ("training", 0.01, None)):
    with mg.no_grad():
        G.train(mode == "training")
        alone, together = [G(z[i : i + 1]).numpy()[0] for i in range(20)], G(z).numpy()[:20]  # (20, side, side, 1)
    lesson.promise(f"alone or in company, {mode}", np.abs(alone - together).mean() / 2, low=low, high=high)

# %% [markdown]
# **The same in Keras and in PyTorch**: G. In PyTorch, its first drawings, from `before` and `z_first`.
# ```python
# import torch
# from torch.nn import functional as F
# w1, c1, s1, w2, c2, s2, w3, b3 = (torch.tensor(w) for w in before)  # c, s: scale and shift of a batch norm
# h = (torch.tensor(z_first) @ w1).reshape(-1, S, S, 64).permute(0, 3, 1, 2)  # PyTorch's pictures are N, C, H, W
# h = F.batch_norm(h, None, None, c1, s1, training=True).relu()
# h = F.conv_transpose2d(h, w2.permute(3, 2, 0, 1), stride=2, padding=1)
# h = F.batch_norm(h, None, None, c2, s2, training=True).relu()
# fake = F.conv_transpose2d(h, w3.permute(3, 2, 0, 1), b3, stride=2, padding=1).tanh().permute(0, 2, 3, 1)
# ```
# ```python
# import keras
# from keras import layers
# double = {"strides": 2, "padding": "same"}
# G = [keras.Input((Z,)), layers.Dense(S * S * 64, use_bias=False), layers.Reshape((S, S, 64))]
# norms = [layers.BatchNormalization(epsilon=1e-5) for _ in range(2)]
# G += [norms[0], layers.ReLU(), layers.Conv2DTranspose(32, 4, use_bias=False, **double)]
# G += [norms[1], layers.ReLU(), layers.Conv2DTranspose(1, 4, activation="tanh", **double)]
# G = keras.Sequential(G)
# ```

# %%
lesson.report(args)
