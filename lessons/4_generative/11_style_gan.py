"""A generator with styles, and which layer controls what

Goal: build StyleGAN's generator at a small size (mapping, styles, noise, mixing, truncation); measure who does what.
Needs: a GAN for pictures (lesson 4.7), R1 and averaged weights (4.6), the measures (4.4), batch norm (2.4).
Time: about 80 s (--quick: 5 s)
You should see: the letter comes from the coarse layers (the 28x28 style changes at most half of the letters, the 7x7
    styles at least 80 %), the amount of ink from the fine ones. The slant does not come from the fine layers, but from
    the coarse ones. Truncation makes the letters fewer, and a little of it makes them better.
"""

# %% [markdown]
# In the GANs so far z enters at the beginning, and all that follows has to carry it on. Karras, Laine and Aila (2019)
# turned this around: G begins with the same learned picture for every z, and z comes in anew at every layer, as its
# *style*. So one can give one layer another style than the rest, and see what it is in charge of.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim

args = lesson.arguments(__doc__, data=("glyphs",), steps=1200)
plt = lesson.pyplot()
steps = 4 if args.quick else args.steps
n_train, n_test, n_drawn = (300, 300, 100) if args.quick else (6000, 2000, 600)
x_train = data.glyphs(n_train, seed=args.seed).images  # (n, 28, 28, 1) in [0, 1]: 28 letters, 16 fonts
x_test = data.glyphs(n_test, seed=args.seed + 1000).images
N, Z = 16, 64  # pictures in a batch; numbers in z, and in w
print(f"{n_train} letters; {steps} steps of {N}")

# %% [markdown]
# **Styles.** A layer's style is a linear function of w (N, Z): a scale and a shift for each channel. First each channel
# is normalised over its own picture, which takes away whatever scale and shift the layers before gave it (*AdaIN*,
# adaptive instance norm, Huang and Belongie 2017). Before that comes *noise*, one random number for each pixel, with a
# learned strength for each channel, at first 0: for what is random in a picture and needs no w.

# %%
half, he, act = {"stride": 2, "padding": 1}, {"init": nn.init.he_normal}, nn.LeakyReLU(0.2)


class Style(nn.Module):
    def __init__(self, channels):
        self.affine = nn.Dense(Z, 2 * channels)
        self.strength = mg.tensor(mg.xp.zeros(channels, "float32"), requires_grad=True)

    def forward(self, x, w, noise):  # x (N, H, W, C), w (N, Z), noise (N, H, W, 1)
        one, zero = mg.xp.ones(x.shape[-1], "float32"), mg.xp.zeros(x.shape[-1], "float32")
        x = mg.instance_norm(act(x + self.strength * noise), one, zero)
        scale, shift = mg.split(self.affine(w).reshape(len(w), 1, 1, -1), sections=2, axis=3)  # (N, 1, 1, C)
        return x * (1 + scale) + shift


# %% [markdown]
# **G.** Four layers with a style each: two at 7x7, one at 14x14, one at 28x28; `ws` holds a w for each. And a small
# network, the *mapping*, makes w of z: z must be a round cloud, but w may take the shape that suits the letters.


# %%
def pixel_norm(x):  # (..., C): to a mean square of 1 over the channels
    return x * ((x * x).mean(axis=-1, keepdims=True) + 1e-8) ** -0.5


def draw_noises(n):
    return [mg.random.normal((n, side, side, 1)) for side in (7, 7, 14, 28)]


class Generator(nn.Module):
    def __init__(self):
        self.mapping = nn.Sequential(pixel_norm, nn.Dense(Z, Z, **he), act, nn.Dense(Z, Z, **he), act)
        self.constant = mg.tensor(mg.random.normal((1, 7, 7, 64)), requires_grad=True)
        same = nn.Conv2d(64, 64, 3, padding=1, **he)
        to_14, to_28 = nn.ConvTranspose2d(64, 32, 4, **half, **he), nn.ConvTranspose2d(32, 16, 4, **half, **he)
        self.layers = [lambda x: x, same, to_14, to_28]
        self.styles = [Style(channels) for channels in (64, 64, 32, 16)]
        self.to_picture = nn.Conv2d(16, 1, 1)

    def forward(self, ws, noises):  # 4 of (N, Z), 4 of (N, H, W, 1) -> (N, 28, 28, 1)
        x = mg.broadcast_to(self.constant, shape=(len(ws[0]), 7, 7, 64))
        for layer, style, w, noise in zip(self.layers, self.styles, ws, noises, strict=True):
            x = style(layer(x), w, noise)
        return mg.sigmoid(self.to_picture(x))


# %% [markdown]
# **D** is a plain one. At its end it also gets the *minibatch standard deviation* (Karras et al. 2018), one number that
# tells how much the pictures of the batch differ: G cannot get away with drawing always the same.


# %%
class Discriminator(nn.Module):
    def __init__(self):
        to_14, to_7 = nn.Conv2d(16, 32, 4, **half, **he), nn.Conv2d(32, 64, 4, **half, **he)
        self.rest = nn.Sequential(nn.Conv2d(1, 16, 1, **he), act, to_14, act, to_7, act, nn.Flatten())
        self.last = nn.Sequential(nn.Dense(7 * 7 * 64 + 1, 64, **he), act, nn.Dense(64, 1))

    def forward(self, x):  # (N, 28, 28, 1) -> logits (N, 1)
        h = self.rest(x)  # (N, 7 7 64)
        spread = (((h - h.mean(axis=0)) ** 2).mean(axis=0) + 1e-8) ** 0.5  # (7 7 64,)
        column = mg.broadcast_to(spread.mean().reshape(1, 1), shape=(len(x), 1))  # (N, 1), the same in each row
        return self.last(mg.concatenate(h, column, axis=1))


# %% [markdown]
# **A step of each**, as in lesson 4.6: non-saturating losses, and R1 at every 8th step with 8 times the weight.
# *Mixing*: in every other step the layers up to a random one get one w and the rest another, so that no layer learns to
# rely on the others having the same w. D's step moves nothing of G; G's step everything of G and nothing of D.


# %%
def fakes(mixing):  # -> (N, 28, 28, 1), with the graph that leads back to G
    w, other = (G.mapping(mg.random.normal((N, Z))) for _ in range(2))  # (N, Z) each
    k = int(rng.integers(1, 4)) if mixing else 4
    return G([w] * k + [other] * (4 - k), draw_noises(N))


def d_step(fake, with_r1):
    x = mg.tensor(mg.asarray(x_train[rng.integers(n_train, size=N)]), requires_grad=with_r1)  # (N, 28, 28, 1)
    answers = D(x)
    loss = mg.softplus(-answers).mean() + mg.softplus(D(fake.detach())).mean()
    if with_r1:
        slope = mg.grad(answers.sum(), x, create_graph=True)  # (N, 28, 28, 1)
        loss = loss + 8 * 0.15 * (slope**2).sum() / N
    d_adam.zero_grad()
    loss.backward()
    d_adam.step()


def g_step(fake):
    D.requires_grad_(False)
    g_adam.zero_grad()
    mg.softplus(-D(fake)).mean().backward()
    g_adam.step()
    D.requires_grad_(True)


def moved(net, before):  # -> for each array of `net`, whether it is no longer what it was
    return [bool((p != before[path]).any()) for path, p in net.state_dict().items()]


mg.seed(args.seed)
rng = np.random.default_rng(args.seed)  # chooses the real pictures, and where to mix
G, D = Generator(), Discriminator()
d_adam, g_adam = (optim.Adam(net.parameters(), lr=2.5e-3, betas=(0, 0.99)) for net in (D, G))
g_before, d_before, fake = G.state_dict(), D.state_dict(), fakes(mixing=False)
d_step(fake, with_r1=True)
assert not any(moved(G, g_before)) and all(moved(D, d_before))
d_before = D.state_dict()
g_step(fake)
assert all(moved(G, g_before)) and not any(moved(D, d_before))

# %%
ema = optim.ExponentialMovingAverage(G, decay=0.99, warm_up=True)
for step in lesson.progress(range(steps), "training"):
    fake = fakes(mixing=step % 2 == 1)
    d_step(fake, with_r1=step % 8 == 0)
    g_step(fake)
    ema.update()

# %% [markdown]
# **Drawing**, with averaged weights. First: are these letters? The Frechet distance, in floors (lesson 4.4).

# %%
judge = metrics.classifier("glyphs")
train_features, test_features = judge.features(x_train[:n_drawn]), judge.features(x_test)  # (n, 64)


def w_of(z):  # (n, Z) -> (n, Z)
    with mg.no_grad(), ema.applied():
        return G.mapping(z).data


def draw(ws, noises):  # 4 of (n, Z), 4 of (n, H, W, 1) -> (n, 28, 28, 1) on the host
    parts = [slice(i, i + 50) for i in range(0, len(ws[0]), 50)]
    with mg.no_grad(), ema.applied():
        return np.concatenate([G([w[i] for w in ws], [noise[i] for noise in noises]).numpy() for i in parts])


def floors(x):
    return metrics.frechet_ratio(judge.features(x), test_features, train_features).ratio


z = mg.random.normal((n_drawn, Z))
w_a, w_b, noises = w_of(z), w_of(mg.random.normal((n_drawn, Z))), draw_noises(n_drawn)
a, b = draw([w_a] * 4, noises), draw([w_b] * 4, noises)  # (n_drawn, 28, 28, 1)
lesson.promise("distance, floors", floors(a), high=None if args.quick else 25)

# %% [markdown]
# **Who controls what?** Draw a from w_a, and b from w_b. Then draw a again, with the style of some layers taken from
# w_b. What has changed? We ask the classifier for the letter, for bold and for slanted, of pairs where a and b differ:
# the share in which a's letter is lost, in which b's has come over, and in which b's answer for bold and slanted has.
# The ink can be measured: the mean square of its change, over that between a and b.


# %%
def read(x):  # (n, 28, 28, 1) -> {what: (n,)}
    return {of: judge.labels(x, of) for of in ("label", "bold", "slanted")} | {"ink": x.sum(axis=(1, 2, 3))}


of_a, of_b = read(a), read(b)


def come_over(x):  # (n, 28, 28, 1), between a and b -> {what: share}
    now = read(x)

    def share(of, hit):  # of the pairs that differ
        differ = of_a[of] != of_b[of]  # (n,)
        return float((hit & differ).sum() / max(1, differ.sum()))

    shares = {"letter lost": share("label", now["label"] != of_a["label"])}
    shares |= {"b's letter": share("label", now["label"] == of_b["label"])}
    shares |= {of: share(of, now[of] == of_b[of]) for of in ("bold", "slanted")}
    ink = ((now["ink"] - of_a["ink"]) ** 2).mean() / ((of_b["ink"] - of_a["ink"]) ** 2).mean()
    return shares | {"ink": float(ink)}


LAYERS = {"7x7, first": {0}, "7x7, second": {1}, "14x14": {2}, "28x28": {3}, "both 7x7": {0, 1}, "14x14, 28x28": {2, 3}}
table = {}
for name, chosen in LAYERS.items():
    table[name] = come_over(draw([w_b if i in chosen else w_a for i in range(4)], noises))
    print(f"{name:12}", {of: round(share, 2) for of, share in table[name].items()})

# %% [markdown]
# **The letter** is decided at 7x7 and 14x14, by these layers together: b's letter seldom comes over, but with the
# coarse styles it does, with the fine ones hardly more often than by chance (1 in 27). **The ink** comes from the fine
# layers: a stroke becomes thicker where it is. (What the classifier calls *bold* follows it with most seeds, not with
# all: bold letters have another shape, too.) **The slant** one might expect from them, too, as a matter of
# style. But it moves the top of a letter against its foot, and a pixel at 28x28 is made of 2 x 2 pixels of the layer
# before. At this size slant is a matter of the coarse layers.

# %%
coarse, fine, finest = (table[name] for name in ("both 7x7", "14x14, 28x28", "28x28"))
bounds = {"coarse": {"letter lost": 0.8, "slanted": 0.45}, "finest": {"letter lost": 0.5, "slanted": 0.3}}
for what in coarse:
    low, high = (None, None) if args.quick else (bounds["coarse"].get(what), bounds["finest"].get(what))
    lesson.promise(f"{what}, from both 7x7", coarse[what], low=low)
    lesson.promise(f"{what}, from 14x14 and 28x28", fine[what])
    lesson.promise(f"{what}, from 28x28 alone", finest[what], high=high)
at_least = None if args.quick else 0
lesson.promise("b's letter, coarse over fine", coarse["b's letter"] - fine["b's letter"], low=at_least)
lesson.promise("bold, fine over coarse", fine["bold"] - coarse["bold"])
lesson.promise("ink, fine over coarse", fine["ink"] - coarse["ink"], low=at_least)

# %% [markdown]
# **Noise and truncation.** The same w with other noise: how much changes? And *truncation*: in the middle of all w are
# the usual letters, far out the rare ones, which G has seldom practised. Pull w inwards, to middle + psi (w - middle):
# with a smaller psi the letters are fewer (coverage, lesson 4.4), and at first better (density).

# %%
x = draw([w_a] * 4, draw_noises(n_drawn))
lesson.promise("change by other noise, over that between a and b", np.abs(x - a).mean() / np.abs(b - a).mean())
lesson.promise("letters that stay under other noise, %", 100 * np.mean(judge.labels(x) == of_a["label"]))
middle = w_of(mg.random.normal((2000, Z))).mean(axis=0)  # (Z,)
truncated = {psi: draw([middle + psi * (w_a - middle)] * 4, noises) for psi in (1.0, 0.7, 0.4)}
found = [metrics.density_coverage(train_features, judge.features(x)) for x in truncated.values()]
for psi, (density, coverage) in zip(truncated, found, strict=True):
    lesson.promise(f"density, psi = {psi}", density)
    lesson.promise(f"coverage, psi = {psi}", coverage)
lesson.promise("density, won by psi = 0.4", found[-1].density - found[0].density)
lesson.promise("coverage, lost by it", found[0].coverage - found[-1].coverage, low=at_least)

# %%
with mg.no_grad():
    coarse_w = mg.xp.stack([w_a[i] for i in range(6) for _ in range(6)])  # (36, Z): a row of the grid has the same one
    fine_w = mg.xp.stack([w_b[j] for _ in range(6) for j in range(6)])  # (36, Z): a column has the same one
mixed = draw([coarse_w, coarse_w, fine_w, fine_w], [noise[:36] for noise in noises])  # (36, 28, 28, 1)


def show(ax, x, title):  # x (36, 28, 28, 1)
    ax.imshow(x.reshape(6, 6, 28, 28).transpose(0, 2, 1, 3).reshape(168, 168), cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


figure, axes = plt.subplots(1, 4, figsize=(15, 4), width_ratios=[1, 1, 1, 1.2])
show(axes[0], a[:36], "Drawn")
show(axes[1], truncated[0.4][:36], "The same, psi = 0.4")
show(axes[2], mixed, "Mixed")
axes[2].set(ylabel="one coarse style a row", xlabel="one fine style a column")
shares = np.array([list(row.values()) for row in table.values()])  # (6, 5)
axes[3].imshow(shares, cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
for (i, j), share in np.ndenumerate(shares):
    axes[3].text(j, i, f"{share:.2f}", ha="center", va="center")
axes[3].set(
    xticks=range(5),
    xticklabels=["letter lost", "b's letter", "bold", "slanted", "ink"],
    yticks=range(6),
    yticklabels=list(table),
)
axes[3].set(title="What comes over with a layer's style")
lesson.save(figure, "11_style_gan.png")

# %% [markdown]
# **Break it.** Skip the mapping. z has as many numbers as w, so nothing complains; but the layers have learned to read
# another cloud. The exercise: `minigen learn run batch_norm`, the normalisation over a batch that AdaIN does for each
# picture alone.

# %%
least = None if args.quick else 2
lesson.promise("distance with z for w, times as far", floors(draw([z] * 4, noises)) / floors(a), low=least)

# %% [markdown]
# **The same in Keras and in PyTorch**: the last style, of 16 channels `x`, with its `weights`.

# %%
style = G.styles[3]
x, w, noise = (mg.to_numpy(v) for v in (mg.random.normal((8, 28, 28, 16)), w_a[:8], noises[3][:8]))
with mg.no_grad():
    styled = style(mg.asarray(x), mg.asarray(w), mg.asarray(noise)).numpy()  # (8, 28, 28, 16)
weights = {path: mg.to_numpy(p) for path, p in style.state_dict().items()}

# %% [markdown]
# ```python
# import torch
# from torch.nn import functional as F
# x, noise = (torch.tensor(v).permute(0, 3, 1, 2) for v in (x, noise))  # N, C, H, W
# p = {path: torch.tensor(v) for path, v in weights.items()}
# h = F.instance_norm(F.leaky_relu(x + p["strength"].reshape(1, -1, 1, 1) * noise, 0.2))
# scale, shift = (torch.tensor(w) @ p["affine.w"] + p["affine.b"])[:, :, None, None].chunk(2, dim=1)
# styled = h * (1 + scale) + shift
# ```
# ```python
# import keras
# h = keras.ops.leaky_relu(x + weights["strength"] * noise, 0.2)
# mean, variance = keras.ops.moments(h, axes=(1, 2), keepdims=True)
# h = (h - mean) / keras.ops.sqrt(variance + 1e-5)
# scale, shift = keras.ops.split((w @ weights["affine.w"] + weights["affine.b"])[:, None, None], 2, axis=3)
# styled = h * (1 + scale) + shift
# ```

# %%
lesson.report(args)
