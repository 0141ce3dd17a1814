"""A convolutional VAE: calculating with codes, the price of a code, and what drawn pictures are good for

Goal: clean and restyle letters with a VAE's codes, weigh rate against distortion, ask for a label, use what is drawn.
Needs: the VAE (lesson 4.2), convolution (2.2) and its transpose (2.7), denoising (2.6), classifiers (2.3).
Time: about a minute (--quick: 5 s; --data mnist: 3 min; --nll 500: 6 min, for MNIST's likelihood, all else quick)
You should see: letters under heavy noise, of which 30% can be read, made readable: 80%; upright letters slanted by
    an arrow in the space of codes; a KL term that falls with every beta; digits drawn as asked, 90%; and a classifier
    that gains nothing from digits drawn after its own 100 examples. With --nll 500: MNIST at less than 92 nats.
"""

# %% [markdown]
# Lesson 4.2's encoder took an image for a row of numbers. A *convolutional* VAE knows that pixels have neighbours: two
# convolutions of stride 2 halve the picture twice, a dense layer reads the code, and the decoder goes the same way
# back. `*y` is a label, if there is one: leave it out for now.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim, xp

args = lesson.arguments(__doc__, data=("digits", "mnist"), nll=0)
plt, quick, rng = lesson.pyplot(), args.quick or args.nll > 0, np.random.default_rng(args.seed)


class VAE(nn.Module):
    def __init__(self, side, Z, width, labels=0):
        self.shape = (side // 4, side // 4, 2 * width)  # of the small picture in the middle
        size, ways = side * side * width // 8, {"stride": 2, "padding": 1}
        down = [nn.Conv2d(1, width, 4, **ways), nn.ReLU(), nn.Conv2d(width, 2 * width, 4, **ways), nn.ReLU()]
        self.encoder = nn.Sequential(*down, nn.Flatten())
        self.to_code, self.from_code = nn.Dense(size + labels, 2 * Z), nn.Dense(Z + labels, size)
        up = [nn.ConvTranspose2d(2 * width, width, 4, **ways), nn.ReLU(), nn.ConvTranspose2d(width, 1, 4, **ways)]
        self.decoder = nn.Sequential(nn.ReLU(), *up)

    def encode(self, x, *y):  # (N, side, side, 1), (N, labels) -> mean (N, Z), logvar (N, Z)
        return mg.split(self.to_code(mg.concatenate([self.encoder(x), *y], axis=1)), sections=2, axis=1)

    def decode(self, z, *y):  # (N, Z), (N, labels) -> logits (N, side, side, 1)
        small = self.from_code(mg.concatenate([z, *y], axis=1))  # (N, size)
        return self.decoder(small.reshape(len(z), *self.shape))

    def pictures(self, z, *y):  # -> grey values (N, side, side, 1)
        with mg.no_grad():
            return mg.sigmoid(self.decode(z, *y)).data


# %% [markdown]
# **Loss and training** are those of 4.2, with settings for later: `beta` weighs the KL term, and `sigma` is noise in
# the picture that the encoder sees, while the clean one is asked for. `tosses` counts a pixel as so many coins; `toss`
# does toss it, to black or white.


# %%
def nats(vae, seen, clean, *y, tosses=1):  # -> reconstruction, KL: nats per image
    mean, logvar = vae.encode(seen, *y)
    z = mean + mg.exp(logvar * 0.5) * mg.random.normal(mean.shape)  # (N, Z)
    surprise = mg.binary_cross_entropy_with_logits(vae.decode(z, *y), clean, reduction="sum") * (tosses / len(clean))
    return surprise, mg.kl_normal(mean, logvar, reduction="sum") / len(clean)


def train(vae, x, *y, steps, batch=64, beta=1.0, sigma=0.0, tosses=1, toss=False, lr=3e-3, text="VAE"):
    adam = optim.Adam(vae.parameters(), lr=lr)
    schedule = optim.CosineLR(adam, steps=steps)
    for _ in lesson.progress(range(steps), text):
        chosen = rng.integers(len(x), size=batch).tolist()
        clean, *of = (array[chosen] for array in (x, *y))  # (batch, side, side, 1), (batch, labels)
        clean = (mg.random.uniform(clean.shape) < clean).astype("float32") if toss else clean
        reconstruction, kl = nats(vae, clean + sigma * mg.random.normal(clean.shape), clean, *of, tosses=tosses)
        loss = reconstruction + beta * kl
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()


# %% [markdown]
# **Letters**: 28 forms from 16 fonts, each bold or regular, slanted or upright, each a little moved (`data.glyphs`).

# %%
known = data.glyphs(448 if quick else 2240, seed=2 * args.seed, jitter=0.3)
new = data.glyphs(560, seed=2 * args.seed + 1, jitter=0.3)
x_train, x_test = mg.asarray(known.images), mg.asarray(new.images)  # (N, 28, 28, 1)
read = metrics.classifier("glyphs").labels  # reads letters; asked for it, also "bold" and "slanted"
mg.random.seed(args.seed)
vae, Z = VAE(28, 32, 24), 32
train(vae, x_train, steps=20 if quick else 600, text="letters")
with mg.no_grad():
    lesson.promise("letters, test nats", sum(nats(vae, x_test, x_test)).item(), high=300 if quick else 120)
    codes, of_known = vae.encode(x_test)[0].data, vae.encode(x_train)[0].data  # (N, Z), the means

# %% [markdown]
# **A denoiser.** Under noise of sigma 0.5 our classifier reads few letters. Through the VAE they become letters again,
# since letters are all that the decoder knows: the nearest that it finds, and now and then a wrong one, as clear as a
# right one. The encoder has never seen noise. So a copy of the VAE is trained on for a little, with noise.

# %%
noisy = x_test + 0.5 * mg.random.normal(x_test.shape)
denoiser = VAE(28, Z, 24)
denoiser.load_state_dict(vae.state_dict())
train(denoiser, x_train, steps=10 if quick else 200, sigma=0.5, lr=1e-3, text="denoiser")
with mg.no_grad():
    cleaned = [noisy.clip(0, 1), *(net.pictures(net.encode(noisy)[0]) for net in (vae, denoiser))]
for name, images, low, high in zip(("noisy", "VAE", "denoiser"), cleaned, (0, 0.4, 0.8), (0.4, 1, 1), strict=True):
    lesson.promise(f"{name}: read right", (read(images) == new.labels).mean(), low=0 if quick else low, high=high)

# %% [markdown]
# **Arithmetic with codes** (Radford et al. 2016; White 2016): the mean code of slanted letters less that of upright
# ones is an arrow from upright to slanted. For every letter? Take the arrow from A to N only, and add it to upright
# O to Z, ! and ?. It points the right way, but falls short. Two arrows do it.

# %%
slanted, early = known.styles.slanted, known.labels < 14  # (N,) each, True or False
chosen = [np.flatnonzero(early & style).tolist() for style in (slanted, ~slanted)]  # the places of A to N
arrow = of_known[chosen[0]].mean(axis=0) - of_known[chosen[1]].mean(axis=0)  # (Z,)
others = np.flatnonzero(~new.styles.slanted & (new.labels >= 14)).tolist()  # n places
turned = [vae.pictures(codes[others] + k * arrow) for k in (0, 1, 2)]  # (n, 28, 28, 1) each
for k, images in enumerate(turned):
    share = read(images, "slanted").mean()
    lesson.promise(f"arrows added: {k}, pass for slanted", share, low=0.5 if k == 2 and not quick else 0)
kept = (read(turned[2]) == new.labels[others]).mean()
lesson.promise("slanted, still the same letter", kept, low=0 if quick else 0.65)

# %% [markdown]
# **From one draw to another.** In many dimensions all draws are about sqrt(Z) long: they lie on a shell. The straight
# line between two of them cuts through the inside, which the decoder hardly knows: half-way it is 0.71 as long. The arc
# cos(a) z1 + sin(a) z2, a from 0 to 90 degrees, stays on the shell (*spherical interpolation*, White 2016).

# %%
one, other = mg.random.normal((2, 500, Z))  # (500, Z) each
length, half = (float(xp.linalg.norm(z, axis=1).mean()) for z in (one, (one + other) / 2))
lesson.promise("half-way on the line, times as long", half / length, low=0.68, high=0.74)
angles = np.linspace(0, np.pi / 2, 9).tolist()
arcs = xp.stack([float(np.cos(a)) * one[:8] + float(np.sin(a)) * other[:8] for a in angles], axis=1)  # (8, 9, Z)
figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), width_ratios=[4, 3, 9])
rows = xp.stack([x_test[:8], *(images[:8] for images in cleaned)], axis=1)  # (8, 4, 28, 28, 1)
lesson.show(axes[0], rows.reshape(-1, 28, 28, 1), "truth, noisy,\nVAE, denoiser", columns=4)
rows = xp.stack([images[:8] for images in turned], axis=1)  # (8, 3, 28, 28, 1)
lesson.show(axes[1], rows.reshape(-1, 28, 28, 1), "0, 1, 2 arrows\nto slanted", columns=3)
lesson.show(axes[2], vae.pictures(arcs.reshape(-1, Z)), "arcs, from one draw to another", columns=9)
lesson.save(figure, "03_letters.png")

# %% [markdown]
# **What a nat buys.** The KL term is the *rate*: nats spent on telling the code. The reconstruction is the
# *distortion*: nats that are still missing. `beta` is the price of rate (Higgins et al. 2017): a low one buys pictures
# near the original, a high one a code of few numbers. They are points on one curve (Alemi et al. 2018). The sum of
# both, which bounds -ln p(x), is what beta = 1 makes small.

# %%
a_train, y_train, a_test, y_test = data.mnist() if args.data == "mnist" else data.digits()
side, tosses, width, steps, part = (28, 1, 16, 1500, 5) if args.data == "mnist" else (8, 4, 32, 900, 1)
a_train, a_test, y_test = mg.asarray(a_train), mg.asarray(a_test[::part]), y_test[::part]  # (N, side, side, 1), (N,)
steps, K, curve, drawn = 50 if quick else steps, 10, {}, []
loose = quick or args.data == "mnist"  # MNIST is seen not even twice: no bounds on what is drawn
fixed = mg.random.normal((8, K))  # 8 codes, of 10 numbers here
for beta in (0.25, 0.5, 1, 2, 4, tosses * side * side):  # the last one: see "Break it"
    mg.random.seed(args.seed)
    net = VAE(side, 10, width)
    train(net, a_train, steps=steps, beta=beta, tosses=tosses, text=f"beta {beta}")
    with mg.no_grad():
        distortion, rate = (part.item() for part in nats(net, a_test, a_test, tosses=tosses))
        used = (mg.kl_normal(*net.encode(a_test), reduction="none").data.mean(axis=0) > 0.1).sum()
    curve[beta] = rate, distortion
    drawn.append(net.pictures(fixed))
    for name, found in (("rate, nats", rate), ("distortion, nats", distortion), ("numbers in use, of 10", int(used))):
        lesson.promise(f"beta {beta:g}, {name}", found)
rates, distortions = np.array(list(curve.values()))[:5].T  # (5,) each
lesson.promise("KL falls with every beta", bool((np.diff(rates) < 0).all()), low=1)
lesson.promise("distortion rises with every beta", bool((np.diff(distortions) > 0).all()), low=0 if quick else 1)

# %% [markdown]
# **The label goes in** (*conditional* VAE; Sohn et al. 2015): encoder and decoder are told which digit it is. The code
# need not say it any more, and tells the rest: the handwriting. To draw, choose the label, and a random code. One
# code with all ten labels gives ten digits by one hand.

# %%
asked = np.arange(1000) % K  # (1000,): 0 to 9, again and again
labels, asked_labels = (mg.asarray(data.one_hot(y, K)) for y in (y_train, asked))  # (N, K), (1000, K)
mg.random.seed(args.seed)
cvae = VAE(side, 10, width, labels=K)
train(cvae, a_train, labels, steps=steps * 3 // 2, tosses=tosses, text="conditional VAE")
answers = metrics.classifier(args.data).labels(cvae.pictures(mg.random.normal((1000, K)), asked_labels))
lesson.promise("drawn as asked", metrics.label_accuracy(answers, asked), low=0 if loose else 0.9)

figure, axes = plt.subplots(1, 3, figsize=(13, 4), width_ratios=[5, 3, 5])
axes[0].plot(rates, distortions, marker="o")
for beta, point in list(curve.items())[:5]:
    axes[0].annotate(f"beta {beta}", point, xytext=(6, 6), textcoords="offset points")
axes[0].set(title="Test images, nats", xlabel="rate: KL", ylabel="distortion: reconstruction", xlim=(0, rates[0] + 4))
rows = xp.stack(drawn, axis=1).reshape(-1, side, side, 1)  # (8 * 6, side, side, 1)
lesson.show(axes[1], rows, "Drawn, beta " + ", ".join(f"{beta:g}" for beta in curve), columns=len(drawn))
hands = cvae.pictures(xp.repeat(fixed, K, axis=0), asked_labels[: 8 * K])  # (8 K, side, side, 1)
lesson.show(axes[2], hands, "Conditional VAE: in each row one code")
lesson.save(figure, "03_rate_distortion.png")

# %% [markdown]
# **Are drawn digits good for learning?** Only 10 real examples of each digit are known, and beside them as many drawn
# ones as we like (*data augmentation*). A new digit is read by the known one that is nearest to it. Honest is only a
# cVAE that has itself seen no more than these 100. It cannot add what they did not hold: nothing is gained. One that
# has seen all the others does add something: theirs.


# %%
def right(x, y):  # known images (n, side, side, 1), classes (n,) -> share of the real test images read right, in %
    x, test = x.reshape(len(x), -1), a_test.reshape(len(a_test), -1)  # (n, D), (N, D)
    nearest = ((x**2).sum(axis=1) - 2 * test @ x.T).argmin(axis=1)  # (N,): |test - x|^2 less |test|^2
    return 100 * metrics.label_accuracy(y[mg.to_numpy(nearest)], y_test)


few = np.concatenate([rng.choice(np.flatnonzero(y_train == c), 10, replace=False) for c in range(K)]).tolist()
small, real, y = VAE(side, 10, width, labels=K), a_train[few], y_train[few]  # real (100, side, side, 1)
train(small, real, labels[few], steps=steps // 3, tosses=tosses, text="100 digits")
alone = lesson.promise("100 real digits, % right", right(real, y))
for name, net, low, high in (("these 100", small, -20, 1), ("all", cvae, -20 if loose else 1, 20)):
    both = xp.concatenate([real, net.pictures(mg.random.normal((1000, K)), asked_labels)])  # (1100, side, side, 1)
    gained = right(both, np.concatenate([y, asked])) - alone
    lesson.promise(f"gained by 1000 of a cVAE that saw {name}, points", gained, low=low, high=20 if loose else high)

# %% [markdown]
# **How probable are real digits?** The usual number is -ln p(x) on MNIST, each pixel tossed to black or white: in the
# test images once, in the training images anew whenever one is seen. The loss is a bound on it. The mean of
# p(x, z) / q(z | x) over draws z of the encoder is p(x) itself (Burda et al. 2016): `--nll 500` takes 500 draws, as
# `metrics.importance_weighted_nll` would. That is dear: 1,000 images tell how far off the bound is, all 10,000 have it.

# %%
if args.nll:
    x_train, _, x_test, _ = (mg.asarray(array) for array in data.mnist())
    mg.random.seed(args.seed)
    net, rng = VAE(28, 32, 16), np.random.default_rng(args.seed)
    train(net, x_train, steps=60 if args.quick else 24000, batch=32, toss=True, text="tossed MNIST")
    test, log_ratios = (mg.random.uniform(x_test.shape) < x_test).astype("float32"), []  # (10000, 28, 28, 1)
    few = test[::10]  # (1000, 28, 28, 1)
    with mg.no_grad():
        bound = np.mean([sum(nats(net, x, x)).item() for x in xp.array_split(test, 20)])
        mean, logvar = net.encode(few)  # (1000, Z) each
        for _ in lesson.progress(range(args.nll), "draws"):
            noise = mg.random.normal(mean.shape)
            z = mean + mg.exp(logvar * 0.5) * noise  # (1000, Z); below, ln p(x, z) / q(z | x)
            surprise = mg.binary_cross_entropy_with_logits(net.decode(z), few, reduction="none").sum(axis=(1, 2, 3))
            log_ratios.append(0.5 * (logvar + noise**2 - z**2).sum(axis=1) - surprise)  # (1000,)
        log_ratios = mg.stack(log_ratios)  # (draws, 1000)
        off = mg.logsumexp(log_ratios, axis=0) - np.log(len(log_ratios)).item() - log_ratios.mean(axis=0)  # (1000,)
    lesson.promise("tossed MNIST, the bound, nats", bound)
    lesson.promise("importance-weighted NLL, nats", bound - off.numpy().mean(), high=250 if args.quick else 92)

# %% [markdown]
# **Break it.** Take the *mean* over the pixels for the reconstruction, but the sum for the KL term. Both look natural,
# and together they are beta = the number of tosses in an image, the last one above. The code is empty (*posterior
# collapse*), and all draws are one grey mean. **Exercises**: `minigen learn run kl_term` and `reparameterisation`.

# %%
lesson.promise("KL with a mean over the pixels, nats", curve[tosses * side * side][0], high=0.3 if quick else 0.05)
weights, z = {name: mg.to_numpy(w) for name, w in vae.state_dict().items()}, one[:8]  # for the last cell

# %% [markdown]
# **The same in Keras and in PyTorch**: the decoder with this lesson's `weights`, and the `letters` of 8 codes z.
#
# ```python
# import torch
# from torch.nn import functional as F
# w = {name: torch.tensor(array) for name, array in weights.items()}
# h = F.linear(torch.tensor(z), w["from_code.w"].T, w["from_code.b"]).reshape(-1, 7, 7, 48).permute(0, 3, 1, 2)
# for k in ("decoder.1", "decoder.3"):
#     h = F.conv_transpose2d(F.relu(h), w[f"{k}.w"].permute(3, 2, 0, 1), w[f"{k}.b"], stride=2, padding=1)
# letters = torch.sigmoid(h).permute(0, 2, 3, 1)
# ```
#
# ```python
# import keras
# from keras.layers import Conv2DTranspose, Dense, Reshape
# up = [Conv2DTranspose(w, 4, 2, "same", activation=f) for w, f in ((24, "relu"), (1, "sigmoid"))]
# twin = keras.Sequential([keras.Input((32,)), Dense(7 * 7 * 48, activation="relu"), Reshape((7, 7, 48)), *up])
# twin.set_weights([weights[f"{k}.{part}"] for k in ("from_code", "decoder.1", "decoder.3") for part in "wb"])
# letters = twin.predict(z)
# ```

# %%
lesson.report(args)
