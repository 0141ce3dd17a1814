"""A generator with styles, and which layer controls what

Goal: build StyleGAN's generator at a small size (mapping, styles, noise, mixing, truncation); measure who does what.
Needs: a GAN for pictures (lesson 4.7), R1 and averaged weights (4.6), the measures (4.4), batch norm (2.4).
Time: about 100 s (--quick: 5 s)
You should see: a child with a's styles at 7x7 and b's from 14x14 on takes its letter after a, the coarse parent (a
    fifth have a's letter, 0.06 b's), and the thickness of its strokes after b (correlation 0.5 or more; with a 0.1 to
    0.3). Its slant is a's, too. Truncation makes the letters fewer (coverage 0.55 to 0.33), and those it keeps better.
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
hold = steps >= 1200  # fewer steps promise less
n_train, n_test, n_drawn = (300, 300, 100) if args.quick else (6000, 2000, 600)
x_train = data.glyphs(n_train, seed=args.seed).images  # (n, 28, 28, 1) in [0, 1]: 28 letters, 16 fonts
x_test, _, fonts = data.glyphs(n_test, seed=args.seed + 1000)
N, Z, RATE = 16, 64, 2.5e-3  # pictures in a batch; numbers in z, and in w; learning rate at first

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
class Generator(nn.Module):
    def __init__(self):
        self.to_w = nn.Sequential(nn.Dense(Z, Z, **he), act, nn.Dense(Z, Z, **he), act)
        self.constant = mg.tensor(mg.random.normal((1, 7, 7, 64)), requires_grad=True)
        same = nn.Conv2d(64, 64, 3, padding=1, **he)
        up_14, up_28 = nn.ConvTranspose2d(64, 32, 4, **half, **he), nn.ConvTranspose2d(32, 16, 4, **half, **he)
        self.layers = [lambda x: x, same, up_14, up_28]
        self.styles = [Style(channels) for channels in (64, 64, 32, 16)]
        self.to_picture = nn.Conv2d(16, 1, 1)

    def mapping(self, z):  # (N, Z) -> w (N, Z); each z at a mean square of 1: pixel norm
        return self.to_w(z * ((z * z).mean(axis=-1, keepdims=True) + 1e-8) ** -0.5)

    def noises(self, n):  # -> 4 of (n, H, W, 1)
        return [mg.random.normal((n, side, side, 1)) for side in (7, 7, 14, 28)]

    def forward(self, ws, noises):  # 4 of (N, Z), 4 of (N, H, W, 1) -> (N, 28, 28, 1)
        x = mg.broadcast_to(self.constant, shape=(len(ws[0]), 7, 7, 64))
        for layer, style, w, noise in zip(self.layers, self.styles, ws, noises, strict=True):
            x = style(layer(x), w, noise)
        return mg.sigmoid(self.to_picture(x))


# %%
class Discriminator(nn.Module):  # a plain one, with the minibatch standard deviation of lesson 4.9
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
# rely on the others having the same w. D's step moves nothing of G; G's step everything of G and nothing of D. In the
# last 40 % of the steps the learning rate falls to 0.

# %%
mg.seed(args.seed)
rng = np.random.default_rng(args.seed)  # chooses the real pictures, and where to mix
G, D = Generator(), Discriminator()
d_adam, g_adam = (optim.Adam(net.parameters(), lr=RATE, betas=(0, 0.99)) for net in (D, G))


def fakes(mixing):  # -> (N, 28, 28, 1), with the graph that leads back to G
    w, other = (G.mapping(mg.random.normal((N, Z))) for _ in range(2))  # (N, Z) each
    k = int(rng.integers(1, 4)) if mixing else 4
    return G([w] * k + [other] * (4 - k), G.noises(N))


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


# %%
g_before, d_before, fake = G.state_dict(), D.state_dict(), fakes(mixing=False)
d_step(fake, with_r1=True)
assert not any(moved(G, g_before)) and all(moved(D, d_before))
d_before = D.state_dict()
g_step(fake)
assert all(moved(G, g_before)) and not any(moved(D, d_before))

ema = optim.ExponentialMovingAverage(G, decay=0.99, warm_up=True)
for step in lesson.progress(range(steps), "training"):
    d_adam.lr = g_adam.lr = RATE * min(1, (steps - step) / (0.4 * steps))
    fake = fakes(mixing=step % 2 == 1)
    d_step(fake, with_r1=step % 8 == 0)
    g_step(fake)
    ema.update()
for p, average in zip(G.parameters(), ema.averages, strict=True):
    p.data = average  # from here on G draws with averaged weights

# %%
judge = metrics.classifier("glyphs")
train_features, test_features = judge.features(x_train[:n_drawn]), judge.features(x_test)  # (n, 64)


def draw(ws, noises):  # 4 of (n, Z), 4 of (n, H, W, 1) -> (n, 28, 28, 1) on the host
    parts = [slice(i, i + 50) for i in range(0, len(ws[0]), 50)]
    with mg.no_grad():
        return np.concatenate([G([w[i] for w in ws], [noise[i] for noise in noises]).numpy() for i in parts])


z = mg.random.normal((n_drawn, Z))
w_a, w_b = G.mapping(z).data, G.mapping(mg.random.normal((n_drawn, Z))).data  # (n_drawn, Z) each
noises = G.noises(n_drawn)
a, b = draw([w_a] * 4, noises), draw([w_b] * 4, noises)  # (n_drawn, 28, 28, 1)
floors = metrics.frechet_ratio(judge.features(a), test_features, train_features).ratio  # are these letters? (4.4)
lesson.promise("distance, floors", floors, high=16 if hold else None)

# %% [markdown]
# **Three readings** of a picture. Our classifier reads the letter. The *thickness* of the strokes is the ink over the
# length of the edges. And the *slant* is how much, at upright edges, the grey changes downwards for each change to the
# right. Do these two tell what they should? Of two real letters, one bold and one not, how often is the bold one
# "thicker"? Of two of which one is from a slanted font, how often does that one have the larger slant?


# %%
def read(x):  # (n, 28, 28, 1) -> {what: (n,)}
    down, right = np.gradient(x[..., 0], axis=(1, 2))  # (n, 28, 28) each: how grey changes
    upright = np.abs(right) > np.abs(down)
    thickness = x.sum(axis=(1, 2, 3)) / np.hypot(down, right).sum(axis=(1, 2))
    slant = (right * down * upright).sum(axis=(1, 2)) / (right**2 * upright).sum(axis=(1, 2))
    return {"letter": judge.labels(x), "thickness": thickness, "slant": slant}


for what, flag, low in (("thickness", fonts.bold, 0.95), ("slant", fonts.slanted, 0.75)):
    values = read(x_test)[what]  # (n_test,)
    larger = (values[flag][:, None] > values[~flag]).mean()  # of all pairs
    lesson.promise(f"real letters: how often {what} is right", larger, low=low)

# %% [markdown]
# **Which parent does it take after?** Draw a from w_a, and b from w_b. Then a child of the two: the styles of its first
# layers, the coarse ones, are a's, the others b's. How often has it the letter of its coarse parent a, how often that
# of its fine parent b (by chance: 1 in 28)? For thickness and slant we take the correlation of child and parent over
# all pairs: 1 if it has all of it from this parent, 0 if nothing.

# %%
of_a, of_b = read(a), read(b)
differ = of_a["letter"] != of_b["letter"]  # (n_drawn,)


def alike(child, parent, what):  # {what: (n_drawn,)} each
    if what == "letter":
        return float((child["letter"] == parent["letter"])[differ].mean())
    return float(np.corrcoef(child[what], parent[what])[0, 1])


table = {}
for name, k in {"7x7 | 7x7": 1, "7x7 | 14x14": 2, "14x14 | 28x28": 3}.items():
    child = read(draw([w_a] * k + [w_b] * (4 - k), noises))
    table[name] = {what: (alike(child, of_a, what), alike(child, of_b, what)) for what in child}
    print(f"{name:13}", {what: f"coarse {coarse:.2f}, fine {fine:.2f}" for what, (coarse, fine) in table[name].items()})
for name, letter, thicker in (("7x7 | 14x14", 0.03, 0.05), ("14x14 | 28x28", 0.3, None)):
    row = {what: coarse - fine for what, (coarse, fine) in table[name].items()}
    lesson.promise(f"letter, coarse over fine, {name}", row["letter"], low=letter if hold else None)
    lesson.promise(f"thickness, fine over coarse, {name}", -row["thickness"], low=thicker if hold else None)
    lesson.promise(f"slant, fine over coarse, {name}", -row["slant"], high=0 if hold else None)

# %% [markdown]
# **The letter** is made at 7x7 and 14x14 together: with both of them from a, most children have a's letter, and b's no
# more often than by chance; cut between the two, a's coarse part still counts for more. **The thickness** comes from
# the fine side of that cut. A style does the same everywhere in the picture: it can make all strokes thicker where they
# are. (Even an untrained G does so, as --quick shows: it lies in how G is built.) **The slant** one might expect to be
# a fine thing, too, but it is a coarse one. To lean, the top of a letter has to move to the right and its foot to the
# left. That takes layers whose channels draw top and foot apart, and these are the coarse ones. Karras et al. found the
# same of the pose of a head.
#
# **Noise and truncation.** The same w with other noise: how much changes? And *truncation*: in the middle of all w are
# the usual letters, far out the rare ones, which G has seldom practised. Pull w inwards, to middle + psi (w - middle):
# with a smaller psi the letters are fewer (coverage, lesson 4.4), and at first better (density).

# %%
x = draw([w_a] * 4, G.noises(n_drawn))
lesson.promise("change by other noise, over that between a and b", np.abs(x - a).mean() / np.abs(b - a).mean())
lesson.promise("letters that stay under other noise, %", 100 * np.mean(judge.labels(x) == of_a["letter"]))
middle, found = G.mapping(mg.random.normal((2000, Z))).data.mean(axis=0), {}  # (Z,)
for psi in (1.0, 0.7, 0.4):
    truncated = draw([middle + psi * (w_a - middle)] * 4, noises)  # (n_drawn, 28, 28, 1)
    found[psi] = metrics.density_coverage(train_features, judge.features(truncated))
    lesson.promise(f"density, psi = {psi}", found[psi].density)
    lesson.promise(f"coverage, psi = {psi}", found[psi].coverage)
lesson.promise("density, won by psi = 0.7", found[0.7].density - found[1].density, low=0 if hold else None)
lesson.promise("coverage, lost by psi = 0.4", found[1].coverage - found[0.4].coverage, low=0 if hold else None)

# %%
i = mg.xp.arange(36)
row_w, column_w = w_a[i // 6], w_b[i % 6]  # (36, Z) each: the same in a row of the grid, the same in a column
children = draw([row_w, row_w, column_w, column_w], [noise[:36] for noise in noises])  # (36, 28, 28, 1)
figure, axes = plt.subplots(1, 4, figsize=(16.5, 4), width_ratios=[1, 1, 1, 1.8])
lesson.show(axes[0], a[:36], "Drawn", columns=6)
lesson.show(axes[1], truncated[:36], "The same, psi = 0.4", columns=6)  # the last of the three
lesson.show(axes[2], children, "Children, cut at 7x7 | 14x14", columns=6)
axes[2].set(ylabel="one coarse style a row", xlabel="one fine style a column")
shares = np.array([np.ravel(list(row.values())) for row in table.values()])  # (3 cuts, 6)
axes[3].imshow(shares, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
for (i, j), share in np.ndenumerate(shares):
    axes[3].text(j, i, f"{share:.2f}", ha="center", va="center")
names = [f"{what},\n{parent}" for what in of_a for parent in ("coarse", "fine")]
axes[3].set(xticks=range(6), xticklabels=names, yticks=range(3), yticklabels=list(table))
axes[3].set(title="Which parent the child takes after", ylabel="coarse | fine")
lesson.save(figure, "11_style_gan.png")

# %% [markdown]
# **Break it.** Skip the mapping. z has as many numbers as w, so nothing complains; but the layers have learned to read
# another cloud. The exercise: `minigen learn run batch_norm`, the normalisation over a batch that AdaIN does for each
# picture alone.

# %%
straight = judge.features(draw([z] * 4, noises))  # (n_drawn, 64)
worse = metrics.frechet_ratio(straight, test_features, train_features).ratio / floors
lesson.promise("distance with z for w, times as far", worse, low=2 if hold else None)

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
