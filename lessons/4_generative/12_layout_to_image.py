"""From a layout to a picture: SPADE

Goal: turn a drawn map of sky, sea, mountain and tree into a landscape, and see what a normalisation forgets.
Needs: GANs (lesson 4.5), batch norm (2.4), maps of classes and how to judge them (2.7).
Time: about 30 s on one core (--quick: 4 s).
You should see: at least 92% of the painted pixels (95 to 99% as the seed has it) read as what the map asked for; a
    light that follows what was asked for, correlation over 0.98; and of maps with one kind everywhere at least 50% (69
    to 82%), without SPADE at most 40% (27 or 28%): little more than chance. `--draw map.png` paints your own map.
"""

# %% [markdown]
# Who draws a map, one colour for each kind of thing, wants a picture that shows these things in these places. Park et
# al. (2019, "GauGAN") train a GAN for that. This lesson writes such a map, 12_map.png. Change it in a paint program, in
# its four colours, save it under another name, and give it to `--draw`.

# %%
import numpy as np

import minigen as mg
from minigen import lesson, nn, optim, xp

args = lesson.arguments(__doc__, draw="")
plt, full = lesson.pyplot(), not args.quick
S, K = 32, 4  # pixels along a side; kinds of things: sky, sea, mountain, tree
palette = np.array([[86, 180, 233], [0, 90, 160], [150, 110, 70], [0, 140, 60]]) / 255  # (K, 3)


def read_map(path):  # -> (1, S, S), the kind of each cell: that of the nearest colour
    try:
        picture = plt.imread(path)  # (H, W, 3 or 4), or (H, W) if grey
    except FileNotFoundError:
        raise SystemExit(f"--draw: there is no file {path}; it wants a picture like 12_map.png") from None
    except (OSError, SyntaxError, ValueError):
        raise SystemExit(f"--draw: {path} is no picture that can be read; it wants a PNG like 12_map.png") from None
    picture = np.atleast_3d(picture)[..., :3] / (255 if picture.dtype.kind == "u" else 1)
    rows, columns = (((np.arange(S) + 0.5) * n / S).astype(int) for n in picture.shape[:2])  # the middles of the cells
    distance = abs(picture[rows][:, columns, None] - palette).max(axis=3)  # (S, S, K)
    if other := np.mean(distance.min(axis=2) > 0.1):
        print(f"note: {other:.1%} of {path} is in no colour of 12_map.png; there the nearest one counts")
    return mg.asarray(distance.argmin(axis=2)[None])


drawn = read_map(args.draw) if args.draw else None

# %% [markdown]
# **Scenes whose truth is known.** First a map, at random: a horizon, two mountains, two firs. Then its picture. Every
# kind has a colour at noon and one at dusk, and a texture: the sky pales downwards, the sea has waves, the mountains
# have layers, the trees are speckled. Where waves and layers begin is left to chance: no network can know it.

# %%
row, column = xp.meshgrid(*[(xp.arange(S, dtype="float32") + 0.5) / S] * 2, indexing="ij")  # (S, S) each, in [0, 1]
noon = mg.asarray([[0.45, 0.70, 0.95], [0.10, 0.40, 0.65], [0.48, 0.40, 0.32], [0.12, 0.42, 0.15]])  # (K, 3)
dusk = mg.asarray([[0.95, 0.55, 0.35], [0.35, 0.25, 0.40], [0.45, 0.27, 0.20], [0.16, 0.20, 0.12]])


def scenes(n):  # -> maps (n, S, S) of the kinds 0 to 3, and for each its light: 0 noon, 1 dusk
    horizon = mg.random.uniform((n, 1, 1), 0.4, 0.7)
    y = xp.where(row < horizon, 0, 1)
    for kind in (2, 2, 3, 3):
        size, place, down = mg.random.uniform((3, n, 1, 1))
        top = horizon - 0.15 - 0.25 * size if kind == 2 else 0.55 - 0.25 * size + 0.1 * down
        bottom, width = (horizon, 0.8 + 0.4 * down) if kind == 2 else (0.9 + 0.1 * down, 0.3)
        y = xp.where((row < bottom) & (abs(column + 0.2 - 1.4 * place) < width * (row - top)), kind, y)  # a triangle
    return y, mg.random.uniform((n, 1, 1, 1))


def picture_of(y, light):  # (n, S, S), (n, 1, 1, 1) -> (n, S, S, 3) in [0, 1]
    a, b = mg.random.uniform((2, len(y), 1, 1))
    waves = 0.1 * xp.sin(2 * np.pi * (8 * row + a + 0.1 * xp.sin(6 * np.pi * (column + b))))  # (n, S, S)
    layers = 0.09 * xp.sin(2 * np.pi * (6.4 * (row - column) + b))
    grain = xp.stack([0.25 * (row - 0.4) + 0 * a, waves, layers, 0.08 * mg.random.normal(y.shape)], axis=3)
    colour = noon[y] * (1 - light) + dusk[y] * light + xp.take_along_axis(grain, y[..., None], axis=3)
    return xp.clip(colour, 0, 1)


y_test, light_test = scenes(200 if full else 40)
x_test = picture_of(y_test, light_test)  # (n, S, S, 3)

# %% [markdown]
# **The judge** reads a picture back into a map: each pixel is of the kind whose colour, in some light, is nearest.
# Two scores: *pixel accuracy*, the share of right pixels; and *IoU*, intersection over union: for one kind, the pixels
# that answer and map share, over those that one of them has. *mIoU* is the mean over the kinds.

# %%
colours = xp.stack([noon * (1 - t) + dusk * t for t in (0, 0.2, 0.4, 0.6, 0.8, 1)], axis=1)  # (K, 6, 3)


def read(x, y):  # pictures, the maps asked for -> pixel accuracy, mIoU
    found = xp.stack([((x[..., None, :] - colours[k]) ** 2).sum(axis=4).min(axis=3) for k in range(K)]).argmin(axis=0)
    iou = [float(((found == k) & (y == k)).sum() / ((found == k) | (y == k)).sum()) for k in range(K)]
    return float((found == y).mean()), float(np.mean(iou))


lesson.promise("pixel accuracy, real scenes", read(x_test, y_test)[0], low=0.98)

# %% [markdown]
# **What a normalisation forgets.** The painter starts small, and each layer normalises (*instance norm*: batch norm's
# formula, for each picture and channel by itself). The map could be put beside the features, before a convolution.
# But where it says the same everywhere, the convolution's answer is a constant; less its mean, that is 0, be it sky
# or sea. And what holds for the whole picture, such as the light, goes the same way. **SPADE** (spatially-adaptive
# denormalisation) normalises first, without a learned scale and shift. Then it scales and shifts each *pixel*, by
# numbers that two small convolutions read off the map. What is said after the normalisation, it cannot take away.


# %%
class SPADE(nn.Module):
    def __init__(self, C):
        self.look, self.scale_shift = nn.Conv2d(K + 2, 16, 3, padding=1), nn.Conv2d(16, 2 * C, 3, padding=1)
        self.ones, self.zeros = xp.ones(C, "float32"), xp.zeros(C, "float32")

    def forward(self, x, told):  # x (N, h, w, C), told (N, h, w, K + 2): what the painter is told of each pixel
        gamma, beta = mg.split(self.scale_shift(mg.relu(self.look(told))), sections=2, axis=3)  # (N, h, w, C) each
        return mg.instance_norm(x, self.ones, self.zeros) * (1 + gamma) + beta


class Beside(nn.Module):  # the rival: about as many numbers to learn, what is told beside the features
    def __init__(self, C):
        self.mix, self.norm = nn.Conv2d(C + K + 2, C, 3, padding=1), nn.InstanceNorm(C)

    def forward(self, x, told):  # as above
        return self.norm(self.mix(mg.concatenate([x, told], axis=3)))


everywhere = xp.eye(K, dtype="float32")[:, None, None] * xp.ones((S, S, 1), "float32")  # (K, S, S, K), one kind a map
normalised = nn.InstanceNorm(8)(nn.Conv2d(K, 8, 1)(everywhere)).data  # (K, S, S, 8)
lesson.promise("left of one kind everywhere, convolved and normalised", abs(normalised).max(), high=0.01)

# %% [markdown]
# **The players.** The *generator* G grows from 8x8 to 32x32. Of each pixel it is told the kind, the light, and a random
# number, raw material for speckle. The *discriminator* D sees a picture with its map, and judges 64 patches, which
# overlap, one by one: it is there for the textures.


# %%
class Generator(nn.Module):
    def __init__(self, norm):
        self.start = nn.Conv2d(K + 2, 32, 3, padding=1)
        self.norms = [norm(C) for C in (32, 32, 16)]
        self.convs = [nn.Conv2d(C, F, 3, padding=1) for C, F in ((32, 32), (32, 16), (16, 16))]
        self.rgb = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, told):  # (N, S, S, K + 2) -> (N, S, S, 3)
        x = self.start(told[:, ::4, ::4])  # (N, 8, 8, 32)
        for k, step in enumerate((4, 2, 1)):
            x = self.norms[k](mg.upsample2d(x, scale=2) if k else x, told[:, ::step, ::step])
            x = self.convs[k](mg.leaky_relu(x, slope=0.2))
        return mg.sigmoid(self.rgb(mg.leaky_relu(x, slope=0.2)))


def tell(y, light):  # (n, S, S), (n, 1, 1, 1) -> (n, S, S, K + 2)
    planes = [light * xp.ones((S, S, 1), "float32"), mg.random.normal((*y.shape, 1))]
    return xp.concatenate([xp.eye(K, dtype="float32")[y], *planes], axis=3)


def paint(G, y, light):  # -> (n, S, S, 3)
    with mg.no_grad():
        return G(tell(y, light)).data


# %% [markdown]
# **Training.** D's loss is GauGAN's, the *hinge*: it wants an answer above 1 for a true patch and below -1 for a
# painted one, and does not care how far. G wants D's answers to be high, and the picture near the true one: L1, the
# mean |difference|, keeps the colours. D's turn takes G's pictures as data, cut off by `detach`. In G's turn D is
# frozen: the gradient goes through it, not into it. The learning rates go down to 0 in the second half.

# %%
nets, steps = {}, 200 if full else 12
for norm in (SPADE, Beside):
    mg.random.seed(args.seed)
    first, second = nn.Conv2d(3 + K, 16, 4, stride=2, padding=1), nn.Conv2d(16, 32, 4, stride=2, padding=1)
    D = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Conv2d(32, 1, 3, padding=1))
    G = nets[norm] = Generator(norm)
    g_adam, d_adam = (optim.Adam(net.parameters(), betas=(0.5, 0.99)) for net in (G, D))
    for step in lesson.progress(range(steps), norm.__name__):
        g_adam.lr = d_adam.lr = 2e-3 * min(1, 2 - 2 * step / steps)
        y, light = scenes(16)
        x, maps = picture_of(y, light), xp.eye(K, dtype="float32")[y]  # (16, S, S, 3), (16, S, S, K)
        painted = G(tell(y, light))  # (16, S, S, 3)
        true, false = (D(mg.concatenate([picture, maps], axis=3)) for picture in (x, painted.detach()))
        (mg.relu(1 - true).mean() + mg.relu(1 + false).mean()).backward()  # of (16, 8, 8, 1) each
        assert all(p.grad is None for p in G.parameters())  # D's turn is D's alone
        d_adam.step()
        d_adam.zero_grad()
        D.requires_grad_(False)
        (5 * mg.l1(painted, x) - D(mg.concatenate([painted, maps], axis=3)).mean()).backward()
        assert all(p.grad is None for p in D.parameters())  # and G's turn G's
        g_adam.step()
        g_adam.zero_grad()
        D.requires_grad_(True)

# %% [markdown]
# **Is the map respected?** The judge reads the painted test maps. **Are there textures?** *Roughness*: the mean
# |difference| of a pixel and the next one down, both of one kind, the sky left out, as a multiple of real scenes'.
# **Does the light follow?** The painted sky's red less blue should go with the light that was asked for. And maps with
# *one kind everywhere*, which nobody trained on: does the judge find it?
#
# **Break it**: without SPADE, by the rival. On whole scenes it is as good: where kinds meet, their difference comes
# through. Even the light does, by the one way left: at the borders, where the convolutions see the zeros of the
# padding. But one kind everywhere is what the normalisation forgets: the rival paints the same muddle for all four.
#
# **Exercises**: `minigen learn run batch_norm_scale` and `batch_norm_input`, a normalisation's gradients, and
# `gan_losses`, those of the game with the sigmoid in place of the hinge.

# %%
pair = (y_test[:, 1:] == y_test[:, :-1]) & (y_test[:, 1:] > 0)  # (n, S - 1, S), which pixels the roughness counts
sky, one = (y_test == 0)[..., None], xp.concatenate([everywhere.argmax(axis=3)] * 10)  # (n, S, S, 1), (40, S, S)
names = "pixel accuracy", "mIoU", "roughness", "correlation with the light", "pixel accuracy, one kind everywhere"
lows = {"SPADE": (0.92, 0.75, 0.25, 0.98, 0.5), "without": (0.92, 0.75, 0.25, 0.98, 0)}  # 0: there it is at most 0.4
for (kind, limits), G in zip(lows.items(), nets.values(), strict=True):
    x = paint(G, y_test, light_test)  # (n, S, S, 3)
    red = ((x[..., :1] - x[..., 2:]) * sky).sum(axis=(1, 2, 3)) / sky.sum(axis=(1, 2, 3))  # (n,)
    rough, real = (float(abs(z[:, 1:] - z[:, :-1]).mean(axis=3)[pair].mean()) for z in (x, x_test))
    correlation = np.corrcoef(mg.to_numpy(red), mg.to_numpy(light_test.ravel()))[0, 1]
    found = *read(x, y_test), rough / real, correlation, read(paint(G, one, light_test[:40]), one)[0]
    for name, value, low in zip(names, found, limits, strict=True):
        lesson.promise(f"{name}, {kind}", value, low=low if full else None, high=0.4 if full and low == 0 else None)
G, rival = nets.values()

# %%
y = xp.concatenate([scenes(1)[0] if drawn is None else drawn, y_test[:5], everywhere.argmax(axis=3)])
light = xp.ones((len(y), 1, 1, 1), "float32")
told = tell(y, light)  # (10, S, S, K + 2)
painted = mg.to_numpy(G(told))  # (10, S, S, 3)
rows = {"map": palette[mg.to_numpy(y)], "true, at dusk": picture_of(y, light), "SPADE, noon": paint(G, y, 0 * light)}
rows |= {"between": paint(G, y, light / 2), "dusk": painted, "without SPADE, dusk": paint(rival, y, light)}
figure, ax = plt.subplots(figsize=(12, 7.4))
pictures = np.concatenate([mg.to_numpy(row) for row in rows.values()])  # (6 * 10, S, S, 3)
title = f"Columns: {'yours' if args.draw else '12_map.png'}, five others, one kind everywhere"
lesson.show(ax, pictures, title, columns=len(y))
ax.set_yticks([(S + 1) * k + S / 2 for k in range(len(rows))], list(rows))  # the names of the rows
path = lesson.save(figure, "12_layout_to_image.png")
if not args.draw:
    plt.imsave(path.with_name("12_map.png"), rows["map"][0].repeat(12, axis=0).repeat(12, axis=1))
weights, told = {name: mg.to_numpy(w) for name, w in G.state_dict().items()}, mg.to_numpy(told)  # for the last cell

# %% [markdown]
# **The same in Keras and in PyTorch**: in PyTorch the trained generator, which gives `painted`; in Keras SPADE.
#
# ```python
# import torch
# from torch.nn import functional as F
# w = {name: torch.tensor(array) for name, array in weights.items()}
# def conv(name, x):
#     return F.conv2d(x, w[name + ".w"].permute(3, 2, 0, 1), w[name + ".b"], padding=1)
# about = torch.tensor(told).permute(0, 3, 1, 2)
# x = conv("start", about[..., ::4, ::4])
# for k, step in enumerate((4, 2, 1)):
#     x = F.interpolate(x, scale_factor=2) if k else x
#     looked = F.relu(conv(f"norms.{k}.look", about[..., ::step, ::step]))
#     gamma, beta = conv(f"norms.{k}.scale_shift", looked).chunk(2, dim=1)
#     x = conv(f"convs.{k}", F.leaky_relu(F.instance_norm(x) * (1 + gamma) + beta, 0.2))
# pictures = torch.sigmoid(conv("rgb", F.leaky_relu(x, 0.2))).permute(0, 2, 3, 1)  # equals painted
# ```
#
# ```python
# import keras
# from keras.layers import Conv2D, GroupNormalization
# def spade(x, told):
#     looked = Conv2D(16, 3, padding="same", activation="relu")(told)
#     gamma, beta = keras.ops.split(Conv2D(2 * x.shape[-1], 3, padding="same")(looked), 2, axis=-1)
#     normalised = GroupNormalization(-1, epsilon=1e-5, scale=False, center=False)(x)  # -1: instance norm
#     return normalised * (1 + gamma) + beta
# ```

# %%
lesson.report(args)
