"""A GAN on points in the plane

Goal: train a generative adversarial network, make it fail in the four usual ways, and cure each.
Needs: dense layers, backprop, binary cross-entropy, Adam; which modes were caught (lesson 4.4).
Time: about 20 s (--quick: 4 s)
You should see: 8 of 8 modes, over 60 % good points; a collapse to a few modes, KL over 0.25; G's gradient 1000 times
    shorter, and longer with another loss; two discriminators that say about one half, where a judge is right in
    under 70 % beside the one, in over 90 % beside the other.
"""

# %% [markdown]
# A VAE compares its drawings with given images. A GAN (Goodfellow et al., 2014) does not. Its *generator* G turns noise
# z into a sample; a second network, the *discriminator* D, says how probable it finds that a sample is real. D learns
# to tell real from fake, G learns to be taken for real. Here a sample is a point in the plane, where every failure can
# be seen. The real ones lie in 8 narrow clouds on a circle, the *modes* of their distribution. G never sees one.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()
rng = np.random.default_rng(args.seed)  # draws the real points
N, Z, H = 128, 2, 64  # points in a batch, numbers in z, hidden units
centres, sigma = data.ring_centres(), 0.01  # (8, 2), and how wide each cloud is


def mlp(inputs, outputs):
    layers = [layer for size in (inputs, H, H) for layer in (nn.Dense(size, H), nn.ReLU())]
    return nn.Sequential(*layers, nn.Dense(H, outputs))


def real(n):
    return mg.asarray(data.ring(n, seed=rng)[0])  # (n, 2)


def noise(n):
    return mg.random.uniform((n, Z), -10, 10)  # (n, Z); wide: lesson 4.6 says why


G, D = mlp(Z, 2), mlp(2, 1)  # z (N, Z) -> points (N, 2);   points (N, 2) -> logits (N, 1), without the sigmoid
x, z = real(N), noise(N)  # (N, 2), (N, Z)
print(f"an untrained D finds G's points real with a probability of about {mg.sigmoid(D(G(z))).data.mean():.2f}")

# %% [markdown]
# **The game.** Write s for the sigmoid of D's logit. Both play for one number V (Goodfellow et al., eq. 1):
#
#     min over G, max over D:   V = mean of log s(x) over real x  +  mean of log(1 - s(G(z))) over noise z
#
# -V is binary cross-entropy with the label 1 for real and 0 for fake: D's loss. G can change only the second term. To
# minimise that as it stands is the *minimax* loss, or *saturating*: where D sees through a fake, s is near 0, and
# log(1 - s) is flat: G learns least when it needs it most. The *non-saturating* loss -log s(G(z)), cross-entropy with
# the label 1, has the same aim and is steep there. Both are in the paper of 2014.

# %%
ones, zeros = xp.ones((N, 1), "float32"), xp.zeros((N, 1), "float32")  # labels: real, fake
bce = mg.binary_cross_entropy_with_logits  # its mean over the batch
saturating, non_saturating = (lambda logits: -bce(logits, zeros)), (lambda logits: bce(logits, ones))  # G's losses
sure = mg.tensor(xp.full((N, 1), -10, "float32"), requires_grad=True)  # (N, 1), logits of fakes seen through
flat, steep = (mg.grad(loss(sure), sure).sum().item() for loss in (saturating, non_saturating))
assert abs(flat) < 1e-4 and abs(steep + 1) < 1e-4  # flat, and steep

# %% [markdown]
# **One step of each.** They take turns, and leave each other alone. D's step takes G's points as data: `detach` cuts
# them from G. G's step needs the gradient *through* D, not *in* D, where it would teach D to be fooled: D is frozen.

# %%
g_adam, d_adam = (optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.9)) for net in (G, D))
parameters, fake = G.parameters() + D.parameters(), G(z)  # 8 of each; (N, 2)
before = [p.data.copy() for p in parameters]
d_loss = bce(D(x), ones) + bce(D(fake.detach()), zeros)
d_loss.backward()
d_adam.step()
assert [bool((p.data != w).any()) for p, w in zip(parameters, before, strict=True)] == [False] * 8 + [True] * 8
d_adam.zero_grad()
D.requires_grad_(False)
between = [p.data.copy() for p in parameters]
g_loss = non_saturating(D(fake))
g_loss.backward()
g_adam.step()
assert [bool((p.data != w).any()) for p, w in zip(parameters, between, strict=True)] == [True] * 8 + [False] * 8
assert all(p.grad is None for p in D.parameters())

# %% [markdown]
# **The training loop**: the same two steps again and again, with learning rates that go down to 0; then 2000 points.


# %%
def train(name, steps, *, g_lr=2e-3, d_lr=2e-3, beta1=0.5):
    mg.seed(args.seed)
    G, D = mlp(Z, 2), mlp(2, 1)
    g_adam, d_adam = (optim.Adam(net.parameters(), betas=(beta1, 0.9)) for net in (G, D))
    for step in lesson.progress(range(steps), name):
        left = (1 + np.cos(np.pi * step / steps)) / 2  # half a cosine, from 1 to 0
        g_adam.lr, d_adam.lr = g_lr * left, d_lr * left
        fake = G(noise(N))  # (N, 2)
        d_adam.zero_grad()
        (bce(D(real(N)), ones) + bce(D(fake.detach()), zeros)).backward()
        d_adam.step()
        D.requires_grad_(False)
        g_adam.zero_grad()
        non_saturating(D(fake)).backward()
        g_adam.step()
        D.requires_grad_(True)
    with mg.no_grad():
        return G, D, G(noise(2000)).data  # (2000, 2)


# %% [markdown]
# **Mode collapse.** G is paid for points that D takes for real, not for variety. With ten times the learning rates it
# jumps to a few modes and never finds the others. Its points can all be *good* even so, within 3 sigma of a centre:
# only the count of modes, and the KL over them (lesson 4.4), tell. The cure is what we did first: smaller steps.
#
# **Sensitivity.** With a tenth of the rates G is still on its way. With Adam's usual beta1 = 0.9 both follow the mean
# of some ten gradients, and the opponent has moved since: they do not meet. The cure: 0.5 (Radford et al., 2015).

# %%
steps, full = (150, None) if args.quick else (1500, True)  # `full and 60`: a bound of 60 that --quick is not held to
changes = {"as above": {}, "rates x 10": {"g_lr": 0.02, "d_lr": 0.02}, "rates / 10": {"g_lr": 2e-4, "d_lr": 2e-4}}
changes |= {"beta1 = 0.9": {"beta1": 0.9}, "D slow": {"d_lr": 3e-5}}
runs = {name: train(name, steps, **change) for name, change in changes.items()}  # each (G, D, points (2000, 2))
found = {name: metrics.modes(mg.to_numpy(points), centres, sigma=sigma) for name, (_, _, points) in runs.items()}
lesson.promise("modes caught, of 8", found["as above"].caught, low=full and 8)
lesson.promise("KL", found["as above"].kl, high=full and 0.1)  # 0: the modes are filled alike
lesson.promise("KL, rates x 10", found["rates x 10"].kl, low=full and 0.25)  # ln 8 = 2.08: all in one
for name, low, high in (("as above", 60, 100), ("rates x 10", 20, 100), ("rates / 10", 0, 50), ("beta1 = 0.9", 0, 40)):
    lesson.promise(f"good points, {name}, %", 100 * found[name].good, low=full and low, high=full and high)

# %% [markdown]
# **The vanishing gradient** (Arjovsky and Bottou, 2017). We let D get far ahead of an untrained G, and measure G's
# gradient under both losses. The cure is the other loss, or a D whose slopes are held up: lesson 4.6.


# %%
def teach(D, G, steps):  # D's steps alone: what G draws has no way back to it
    d_adam = optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.9))
    for _ in range(steps):
        with mg.no_grad():
            fake = G(noise(N))  # (N, 2)
        d_adam.zero_grad()
        (bce(D(real(N)), ones) + bce(D(fake), zeros)).backward()
        d_adam.step()


G, D, ahead, lengths = mlp(Z, 2), mlp(2, 1), [0, 25, 50, 100, 200][: 3 if args.quick else 5], []
for more in np.diff(ahead, prepend=0):
    teach(D, G, more)
    both = [mg.grad(loss(D(G(z))), G.parameters()) for loss in (saturating, non_saturating)]
    lengths.append([sum((g.data**2).sum().item() for g in gradients) ** 0.5 for gradients in both])  # (5, 2) in the end
lesson.promise("saturating gradient, times shorter", lengths[0][0] / lengths[-1][0], low=full and 1000)
lesson.promise("non-saturating gradient, times longer", lengths[-1][1] / lengths[0][1], low=full and 1)

# %% [markdown]
# **Break it: imbalance, and when to stop.** D too far ahead was the cell above. "D slow" is the other side, 1.5 % of
# G's rate: all of G crowds where an ignorant D happens to point. The cure is equal rates. Would D's answers show it?
# At the optimum D says one half everywhere (Goodfellow et al., theorem 1). The reverse proves nothing: a D that knows
# nothing says so, too. Ask a *judge*: a new discriminator, trained against the finished G, marked on new points
# (Lopez-Paz and Oquab, 2017). It is right half the time only where there is no difference. Stop by that, or by the
# measures of lesson 4.4, never by the losses. **Exercise**: `minigen learn run gan_losses`, their gradients.

# %%
for name, low, high in (("as above", 40, 70), ("D slow", 90, 100)):
    (G, D, points), judge = runs[name], mlp(2, 1)
    teach(judge, G, 60 if args.quick else 500)
    right = 50 * ((judge(real(2000)).data > 0).mean() + (judge(points).data < 0).mean())
    half = mg.sigmoid(D(points)).mean()
    lesson.promise(f"{name}: D's mean probability for fakes", half, low=full and 0.3, high=full and 0.7)
    lesson.promise(f"{name}: the judge is right, %", right, low=full and low, high=full and high)

figure, axes = plt.subplots(1, 6, figsize=(15, 2.9))
for ax, (name, (_, _, points)) in zip(axes, runs.items(), strict=False):
    ax.scatter(*mg.to_numpy(points).T, s=1, alpha=0.3, rasterized=True)
    ax.plot(*centres.T, "o", color="C1", markersize=9, markerfacecolor="none")
    ax.set(title=f"{name}\n{found[name].caught} modes, {found[name].good:.0%} good", aspect="equal")
    ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=[], yticks=[])
axes[5].semilogy(ahead, lengths, marker="o", label=["saturating", "non-saturating"])
axes[5].set(title="Length of G's gradient", xlabel="steps that D is ahead")
axes[5].legend()
lesson.save(figure, "05_gan_2d.png")

# %% [markdown]
# **The same in Keras and in PyTorch**: the first step of each, from `before`, the weights of G and D; Keras: D's.
# ```python
# import torch
# x, z = torch.tensor(x), torch.tensor(z)
# G, D = ([torch.tensor(w, requires_grad=True) for w in arrays] for arrays in (before[:8], before[8:]))
# ones, bce = torch.ones(len(x), 1), torch.nn.BCEWithLogitsLoss()
# def net(h, w1, b1, w2, b2, w3, b3, w4, b4):
#     for w, b in ((w1, b1), (w2, b2), (w3, b3)):
#         h = torch.relu(h @ w + b)
#     return h @ w4 + b4
# fake, d_adam = net(z, *G), torch.optim.Adam(D, lr=2e-3, betas=(0.5, 0.9))
# d_loss = bce(net(x, *D), ones) + bce(net(fake.detach(), *D), 1 - ones)
# d_loss.backward()
# d_adam.step()
# g_loss = bce(net(fake, *D), ones)
# ```
# ```python
# import keras
# D = keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(H, "relu") for _ in range(3)), keras.layers.Dense(1)])
# D.set_weights(before[8:])
# D.compile(keras.optimizers.Adam(2e-3, 0.5, 0.9), keras.losses.BinaryCrossentropy(from_logits=True))
# points, labels = np.concatenate([x, fake.numpy()]), np.repeat([1, 0], N)[:, None]  # (2N, 2), (2N, 1): real, fake
# d_loss = 2 * D.train_on_batch(points, labels)  # its mean is over both; D has moved about as in `between[8:]`
# ```

# %%
lesson.report(args)
