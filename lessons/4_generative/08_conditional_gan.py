"""A conditional GAN: draw me a seven

Goal: ask a GAN for a class, check that it draws that class, and find out what its drawings are good for.
Needs: the DCGAN (lesson 4.7), the penalty R1 (4.6), the measures (4.4).
Time: about 45 s (--quick: 4 s; --data mnist: 4 min; --data glyphs, where 95 to 97 of 100 are right: 7 min)
You should see: the digit asked for in at least 95 of 100 drawings; a classifier that learned from drawings only, and
    reads at least 88 of 100 real digits; drawings that help where real ones are few, if their GAN had seen many. With
    the label kept from the discriminator, the digit asked for comes by chance, 1 in 10.
"""

# %% [markdown]
# The GAN of lesson 4.7 draws what it likes. To ask for something, hand the label to *both* networks (Mirza and Osindero
# 2014). G gets it beside z, as numbers of which one is 1. D gets it with each picture, real or drawn: else a fine 3
# would do where a 7 was asked for. Here D has an answer for each class, and the label picks the one that counts
# (a simple relative of the *projection* of Miyato and Koyama, 2018).

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim

args = lesson.arguments(__doc__, data=("digits", "glyphs", "mnist"), latent=64, steps=0)
plt = lesson.pyplot()
if args.data == "glyphs":
    (x_train, y_train, _), (x_test, y_test, _) = (data.glyphs(n, seed=args.seed + n) for n in (6000, 2000))
else:
    x_train, y_train, x_test, y_test = data.mnist() if args.data == "mnist" else data.digits()
K, whole, lr, beta1, r1 = {  # classes, steps, learning rate, Adam's beta1, weight of R1: found by trying
    "digits": (10, 2500, 5e-4, 0.5, 0.3),
    "glyphs": (28, 4000, 3e-3, 0, 0.1),
    "mnist": (10, 2500, 1e-3, 0.5, 0.1),
}[args.data]
steps = args.steps or (40 if args.quick else whole)
sure = args.data == "digits" and steps >= whole  # what is promised below is promised for digits
N, Z, side = 32, args.latent, x_train.shape[1]  # pictures in a batch, numbers in z, pixels in a row: 8 or 28
S, half, rows = side // 4, {"stride": 2, "padding": 1}, np.eye(K, dtype="float32")  # rows[y]: the label y as K numbers
print(f"{args.data}: {x_train.shape} pictures from 0 to 1, {K} classes; {steps} steps of {N}")  # (n, side, side, 1)

# %% [markdown]
# **The networks** are those of lesson 4.7 but for K more inputs in G and K answers in D. And D has R1 (lesson 4.6) in
# place of batch norm, with 8x8 pixels, too: R1 is about the slope at *each* real picture, and with batch norm the
# others in the batch would have a say in it.


# %%
def networks():
    # fmt: off
    G = nn.Sequential(
        nn.Dense(Z + K, S * S * 64, bias=False), lambda h: h.reshape(-1, S, S, 64), nn.BatchNorm(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, **half, bias=False), nn.BatchNorm(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, **half), nn.Tanh(),
    )  # (N, Z + K) -> (N, side, side, 1)
    D = nn.Sequential(
        nn.Conv2d(1, 32, 4, **half), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, **half), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Dense(S * S * 64, K),
    )  # (N, side, side, 1) -> (N, K), a logit for each class
    # fmt: on
    return G, D


def sample(G, label):  # (n, K) -> (n, side, side, 1), a picture of each class asked for, from -1 to 1
    return G(mg.concatenate([mg.random.normal((len(label), Z)), label], axis=1))


def answer(D, x, label):  # (n, side, side, 1), (n, K) -> (n,)
    return (D(x) * label).sum(axis=1)


G, D = networks()
x, label = mg.asarray(2 * x_train[:N] - 1), mg.asarray(rows[y_train[:N]])  # (N, side, side, 1), (N, K)
fake = sample(G, label)  # (N, side, side, 1)
first = [p.numpy().copy() for p in D.parameters()]  # 6 arrays
d_loss = mg.softplus(-answer(D, x, label)).mean() + mg.softplus(answer(D, fake.detach(), label)).mean()
d_loss.backward()
assert all(p.grad is None for p in G.parameters())  # D's step: the fakes are data
D.zero_grad()
mg.softplus(-answer(D.requires_grad_(False), fake, label)).mean().backward()
assert all(p.grad is None for p in D.parameters()) and all(p.grad is not None for p in G.parameters())
x, label, fake = (mg.to_numpy(a) for a in (x, label, fake.data))  # for the last cell

# %% [markdown]
# **The training loop.** R1 costs a gradient of a gradient; every fourth step, with four times the weight, is enough
# (Karras et al. 2020 do it every sixteenth). `told` is for the end of the lesson. G is returned in `eval`, with its
# averaged weights and the running statistics that belong to them.


# %%
def train(x_real, y_real, steps, told=True):
    mg.seed(args.seed)
    rng = np.random.default_rng(args.seed)  # chooses the real pictures, and what is asked for
    G, D = networks()
    g_adam, d_adam = (optim.Adam(net.parameters(), lr=lr, betas=(beta1, 0.99)) for net in (G, D))
    ema = optim.ExponentialMovingAverage(G, decay=0.995, warm_up=True)
    seen = rows if told else np.full_like(rows, 1 / K)  # how D sees a label
    for step in lesson.progress(range(steps), "training"):
        if args.data == "glyphs":
            g_adam.lr = d_adam.lr = lr / 2 * (1 + np.cos(np.pi * step / steps))  # 28 letters: fast, then with care
        chosen, classes = rng.integers(len(x_real), size=N), rng.integers(K, size=N)
        x, label = mg.asarray(2 * x_real[chosen] - 1), mg.asarray(seen[y_real[chosen]])  # (N, side, side, 1), (N, K)
        fake, asked = sample(G, mg.asarray(rows[classes])), mg.asarray(seen[classes])  # (N, side, side, 1), (N, K)
        loss = mg.softplus(-answer(D, x, label)).mean() + mg.softplus(answer(D, fake.detach(), asked)).mean()
        if step % 4 == 0:
            x = mg.tensor(x, requires_grad=True)
            slope = mg.grad(answer(D, x, label).sum(), x, create_graph=True)  # (N, side, side, 1)
            loss = loss + 4 * r1 / 2 * (slope**2).sum() / N
        d_adam.zero_grad()
        loss.backward()
        d_adam.step()

        D.requires_grad_(False)
        g_adam.zero_grad()
        mg.softplus(-answer(D, fake, asked)).mean().backward()
        g_adam.step()
        D.requires_grad_(True)
        ema.update()
    with mg.no_grad(), ema.applied():
        for _ in range(20):
            sample(G, mg.asarray(rows[rng.integers(K, size=100)]))
        averaged = G.state_dict()
    G.load_state_dict(averaged)
    return G.eval(), D


def draw(G, classes):  # (n,) -> (n, side, side, 1) in [0, 1], on the host
    with mg.no_grad():
        return (sample(G, mg.asarray(rows[classes])).numpy() + 1) / 2


G, D = train(x_train, y_train, steps)

# %% [markdown]
# **Does it draw what was asked for?** The classifier of lesson 4.4 reads the drawings.

# %%
judge = metrics.classifier(args.data)
real, test = judge.features(x_train[:2000]), judge.features(x_test)  # (m, 64)
y_drawn = np.arange(1400) % K
drawn = draw(G, y_drawn)  # (1400, side, side, 1)
labels, features = judge.labels(drawn), judge.features(drawn)
lesson.promise("asked-for class, %", 100 * metrics.label_accuracy(labels, y_drawn), low=95 if sure else None)
lesson.promise("label entropy", metrics.label_entropy(labels, K), low=2.25 if sure else None)
lesson.promise("floors", metrics.frechet_ratio(features, test, real).ratio, high=4 if sure else None)
density, coverage = metrics.density_coverage(real, features)
lesson.promise("density", density, low=0.5 if sure else None)
lesson.promise("coverage", coverage, low=0.7 if sure else None)
lesson.promise("nearest neighbour", metrics.memorising(drawn, x_test[:1000], x_train), low=0.8 if sure else None)

# %% [markdown]
# **What are drawings good for?** They come with labels, so a classifier can learn from them. The same small network
# learns from different pictures, for equally many steps, and is marked on real ones that are new. Say there are only 10
# labelled pictures of each class. The drawings of our GAN help, but it saw *all* the pictures: what they add is
# borrowed. The honest question is whether a GAN that saw only the few, too, has anything to add. Next to nothing: it
# knows no more of digits than they show, and begins to learn them by heart (its drawings are nearer to them than new
# digits are). With 359 test digits, 1 or 2 % more or less are chance.


# %%
def right(x, y):  # % of the test pictures that a network reads right after learning from x (n, side, side, 1), y (n,)
    mg.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    net = nn.Sequential(nn.Flatten(), nn.Dense(side * side, 128), nn.ReLU(), nn.Dense(128, K))
    adam = optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(30 if args.quick else 800):
        chosen = rng.integers(len(x), size=64)
        loss = mg.cross_entropy(net(mg.asarray(x[chosen])), mg.asarray(y[chosen]))
        adam.zero_grad()
        loss.backward()
        adam.step()
    return 100 * metrics.label_accuracy(net(mg.asarray(x_test)).numpy().argmax(axis=1), y_test)


few = np.concatenate([np.flatnonzero(y_train == c)[:10] for c in range(K)])  # (10 K,)
again = np.tile(few, len(y_drawn) // len(few))  # (1400,), to give the few as much weight as the drawings
x_few, y_few = x_train[few], y_train[few]
drawn_from_few = draw(train(x_few, y_few, steps // 2)[0], y_drawn)  # (1400, side, side, 1)
y_more = np.concatenate([y_train[again], y_drawn])  # (2800,)
found = {
    "all real ones": right(x_train, y_train),
    "drawings only": right(drawn, y_drawn),
    "few real ones": right(x_few, y_few),
    "few, and drawings": right(np.concatenate([x_train[again], drawn]), y_more),
    "few, and drawings of\na GAN of the few": right(np.concatenate([x_train[again], drawn_from_few]), y_more),
}
for name, value in found.items():
    least = 88 if name == "drawings only" and sure else None
    lesson.promise(f"right, {' '.join(name.split())}, %", value, low=least)
gained, no_more = (found[name] - found["few real ones"] for name in list(found)[3:])
lesson.promise("gained by drawings of a GAN of all, %", gained, low=0.5 if sure else None)
lesson.promise("gained by drawings of a GAN of the few, %", no_more, high=2.5 if sure else None)
by_heart = metrics.memorising(drawn_from_few, x_test[:1000], x_few)
lesson.promise("nearest neighbour, GAN of the few", by_heart, high=1 if sure else None)

# %% [markdown]
# **In a picture**: each column is one z, each row a class. What z says, such as a slant, may go with any class.

# %%
z = mg.to_numpy(mg.random.normal((12, Z)))
inputs = np.stack([np.concatenate([v, row]) for row in rows[:10] for v in z])  # (120, Z + K), 10 classes x 12
with mg.no_grad():
    grid = (G(mg.asarray(inputs)).numpy() + 1) / 2  # (120, side, side, 1)
figure, axes = plt.subplots(1, 2, figsize=(12, 4.4), width_ratios=[1.2, 1])
lesson.show(axes[0], grid, "Rows: the class asked for; columns: z", columns=12)
bars = axes[1].barh(list(found), list(found.values()))
axes[1].bar_label(bars, fmt="%.1f", padding=3)
axes[1].invert_yaxis()
axes[1].set(title="A classifier learns from ...", xlabel="real test pictures read right, %", xlim=(0, 109))
lesson.save(figure, "08_conditional_gan.png")

# %% [markdown]
# **Break it.** Tell G the label, but not D: it sees each label as 1 / K of every class, and asks for good pictures
# only. G has no reason to heed its label. It draws digits, and those asked for by chance, 1 in K.
# **Exercise**: `minigen learn run gan_losses`.

# %%
untold, _ = train(x_train, y_train, steps // 4, told=False)
by_chance = 100 * metrics.label_accuracy(judge.labels(draw(untold, y_drawn)), y_drawn)
lesson.promise("asked-for class, D not told, %", by_chance, high=25 if sure else None)

# %% [markdown]
# **The same in Keras and in PyTorch**: D's first loss, from its arrays `first`, all NumPy's; G's first layers.
# ```python
# import torch
# from torch.nn import functional as F
# w1, b1, w2, b2, w3, b3 = (torch.tensor(w) for w in first)
# def answer(x, label):
#     x = torch.tensor(x).permute(0, 3, 1, 2)  # the pictures of PyTorch are N, C, H, W
#     h = F.leaky_relu(F.conv2d(x, w1.permute(3, 2, 0, 1), b1, **half), 0.2)
#     h = F.leaky_relu(F.conv2d(h, w2.permute(3, 2, 0, 1), b2, **half), 0.2)
#     return ((h.permute(0, 2, 3, 1).flatten(1) @ w3 + b3) * torch.tensor(label)).sum(dim=1)
# d_loss = F.softplus(-answer(x, label)).mean() + F.softplus(answer(fake, label)).mean()
# ```
# ```python
# import keras
# from keras import layers
# z, y = keras.Input((Z,)), keras.Input((), dtype="int32")
# h = layers.Concatenate()([z, layers.CategoryEncoding(K, output_mode="one_hot")(y)])
# h = layers.Reshape((S, S, 64))(layers.Dense(S * S * 64, use_bias=False)(h))  # and on as in lesson 4.7
# ```

# %%
lesson.report(args)
