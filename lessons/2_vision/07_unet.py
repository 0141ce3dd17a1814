"""U-Net: what is where, to the pixel

Goal: train a U-Net that says of every pixel what it shows, and measure what its skip connections are worth.
Needs: convolution and pooling (lesson 2.2), batch norm (2.4), cross-entropy (1.6).
Time: about 6 minutes on one core, less on two, with a progress bar (--quick: 5 s)
You should see: a Dice of about 0.97 (1 is perfect) on noisy shapes that cover each other, and about 0.13 less
    by the same network without skip connections, whose mistakes lie along the borders.
"""

# %% [markdown]
# To say of a picture "there is a circle" is *classification*. *Segmentation* says it of every pixel: here 0 for the
# background, 1 for a circle, 2 a square, 3 a triangle. So doctors measure tumours, and cars see where the road ends.
#
# **The scenes** are drawn here: 64x64 pixels, three shapes of random kind, place, size (radius 4 to 9), turn and
# grey value, each over those before it, then noise of sigma 0.1. What is half hidden has to be told from the rest of
# its border. A square ends at the same distance in four directions, a triangle in three.

# %%
import numpy as np

import minigen as mg
from minigen import lesson, nn, optim, parallel, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()
S, shapes, steps, channels = (32, 1, 90, 8) if args.quick else (64, 3, 1500, 12)


def scenes(n):  # -> pictures (n, S, S, 1), classes (n, S, S)
    middles = xp.arange(S, dtype="float32") + 0.5  # of the pixels
    row, column = xp.meshgrid(middles, middles, indexing="ij")  # (S, S) each
    x, y = xp.zeros((n, S, S), dtype="float32"), xp.zeros((n, S, S), dtype="int64")
    for _ in range(shapes):
        draw = mg.random.uniform((6, n, 1, 1))  # six numbers a shape, between 0 and 1
        kind = (1 + 3 * draw[0]).astype("int64")  # 1, 2 or 3
        down, right = row - 4 - (S - 8) * draw[1], column - 4 - (S - 8) * draw[2]  # (n, S, S), from its centre
        r, turn, grey = 4 + 5 * draw[3], 2 * np.pi * draw[4], 0.5 + 0.5 * draw[5]  # (n, 1, 1)
        side = [right * xp.cos(turn + a) + down * xp.sin(turn + a) for a in np.radians([0, 90, 120, 240]).tolist()]
        square = xp.maximum(abs(side[0]), abs(side[1])) < 0.85 * r
        triangle = xp.maximum(xp.maximum(side[0], side[2]), side[3]) < 0.6 * r  # its corners at 1.2 r
        circle = right**2 + down**2 < r**2
        inside = xp.where(kind == 1, circle, xp.where(kind == 2, square, triangle))  # (n, S, S)
        x, y = xp.where(inside, grey, x), xp.where(inside, kind, y)
    return (x + 0.1 * mg.random.normal(x.shape))[..., None], y


x_test, y_test = scenes(20 if args.quick else 300)
print("share of the pixels, a shape:", *[f"{float((y_test == k).mean()):.1%}" for k in (1, 2, 3)])
assert x_test.dtype == "float32" and y_test.max() == 3

# %% [markdown]
# **The difficulty.** What a pixel belongs to is seen from afar: a piece of straight border may be a square's or a
# triangle's. So a network has to see much at once, and pools; but after four poolings one place stands for 16x16
# pixels, and *where* exactly the border ran is gone. The **U-Net** (Ronneberger, Fischer and Brox 2015) pools down,
# goes up again, and on the way up puts beside each map the one of the same size from the way down: the *skip
# connection*. From below comes what it is, from across where it is. Drawn with the low resolutions below, it is a U.
# Up goes a transposed convolution of stride 2: each pixel paints a block of 2x2, with weights that are learned.


# %%
def block(inputs, outputs):  # (N, H, W, inputs) -> (N, H, W, outputs)
    layers = []
    for c in (inputs, outputs):
        conv = nn.Conv2d(c, outputs, 3, padding=1, bias=False, init=nn.init.he_normal)
        layers += [conv, nn.BatchNorm(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self, skips):
        C = [channels * 2**k for k in range(5)]  # at 64x64, 32x32, 16x16, 8x8, 4x4
        self.down = [block(inputs, outputs) for inputs, outputs in zip([1, *C], C, strict=False)]
        self.up = [nn.ConvTranspose2d(C[k + 1], C[k], 2, stride=2) for k in range(4)]
        self.merge = [block(2 * C[k] if skips else C[k], C[k]) for k in range(4)]
        self.scores = nn.Conv2d(channels, 4, 1)  # 1x1: a dense layer at each pixel
        self.skips = skips

    def forward(self, x, silent=None):  # (N, H, W, 1) -> (N, H, W, 4), logits; silent: see the end
        x = self.down[0](x)
        across = []
        for below in self.down[1:]:
            across.append(x)  # (N, H, W, C[0]), then half the size and twice the channels, and so on
            x = below(mg.max_pool2d(x, kernel=2))
        for k in (3, 2, 1, 0):
            x = self.up[k](x)  # (N, H, W, C[k])
            if self.skips:
                x = mg.concatenate([0 * across[k] if k == silent else across[k], x], axis=3)  # (N, H, W, 2 C[k])
            x = self.merge[k](x)
        return self.scores(x)


# %% [markdown]
# **Training.** The loss is the cross-entropy, a mean over pixels. Every step draws new scenes: nothing is learned by
# heart. `parallel.Team` lets each core work on a part of the batch: `team.backward(x, y)` gives the gradients of
# `loss.backward()`, in less time. Both networks get equally many steps; the second has a tenth fewer weights.

# %%
nets = {"with skips": UNet(True), "without": UNet(False)}
for name, net in nets.items():
    adam = optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.01)
    schedule = optim.CosineLR(adam, steps=steps)
    losses = []
    with parallel.Team(lambda x, y, net=net: mg.cross_entropy(net(x), y), adam) as team:
        for _ in lesson.progress(range(steps), f"U-Net {name}"):
            x, y = scenes(8)  # (8, S, S, 1), (8, S, S)
            adam.zero_grad()
            losses.append(team.backward(x, y))
            adam.step()
            schedule.step()
    net.eval()  # batch norm's running averages from here on
    lesson.promise(f"loss of the last steps, {name}", np.mean(losses[-20:]), high=0.9 if args.quick else 0.15)

# %% [markdown]
# **The measure.** Most pixels are background, so the share of right ones says little. *Dice* (1945) is, for one class,
# twice the pixels that answer and truth have in common, over the pixels of both together: 1 if they agree, 0 if they
# share none. We take the mean over the three shapes, each over all test scenes, and leave the easy background out.


# %%
def answers(net, silent=None):  # -> (N, S, S), the likeliest class of each pixel
    with mg.no_grad():
        return xp.concatenate([net(x_test[i : i + 20], silent).data.argmax(axis=3) for i in range(0, len(x_test), 20)])


def dice(found):  # (N, S, S) -> three numbers
    pairs = [(found == k, y_test == k) for k in (1, 2, 3)]
    return [float(2 * (mine & true).sum() / (mine.sum() + true.sum())) for mine, true in pairs]


y, window = y_test[..., None].astype("float32"), {"kernel": 3, "stride": 1, "padding": 1}
border = (mg.max_pool2d(y, **window) != mg.min_pool2d(y, **window))[..., 0]  # (N, S, S), other class beside it
found = {name: answers(net) for name, net in nets.items()}
mean_dice = {name: float(np.mean(dice(classes))) for name, classes in found.items()}
for name, classes in found.items():
    wrong = classes != y_test
    at, away = float(wrong[border].mean()), float(wrong[~border].mean())
    print(f"{name}: {np.round(dice(classes), 3)}; wrong at borders {at:.1%}, elsewhere {away:.2%}")
assert args.quick or at > 10 * away  # of the last one, without skips
gain = mean_dice["with skips"] - mean_dice["without"]
lesson.promise("Dice, U-Net", mean_dice["with skips"], low=0.05 if args.quick else 0.97)
lesson.promise("Dice, without skips", mean_dice["without"])
lesson.promise("Dice, gained by the skips", gain, low=-0.2 if args.quick else 0.1)

# %%
figure, axes = plt.subplots(4, 5, figsize=(10, 8.4))
colours = plt.matplotlib.colors.ListedColormap(["white", "C0", "C1", "C2"])
for n, line in enumerate(axes):
    line[0].imshow(mg.to_numpy(x_test[n, :, :, 0]), cmap="gray", vmin=-0.2, vmax=1.2)
    for ax, classes in zip(line[1:4], (y_test, *found.values()), strict=True):
        ax.imshow(mg.to_numpy(classes[n]), cmap=colours, vmin=0, vmax=3, interpolation="nearest")
    line[4].imshow(mg.to_numpy(found["without"][n] != y_test[n]), cmap="gray_r", interpolation="nearest")
    for ax, title in zip(line, ("picture", "truth", "with skips", "without", "wrong without"), strict=True):
        ax.set(xticks=[], yticks=[], title=title if n == 0 else "")
names = ("circle", "square", "triangle")
handles = [plt.Rectangle((0, 0), 1, 1, color=f"C{k}", label=name) for k, name in enumerate(names)]
figure.legend(handles=handles, loc="outside lower center", ncols=3)
lesson.save(figure, "07_unet.png")

# %% [markdown]
# **Break it.** Put zeros in the place of one skip connection of the trained network. Which could it do without?
#
# **Exercises**: `minigen learn run conv2d_input`: the gradient that you write there is the transposed convolution of
# the way up. And `max_pooling_backward`, the way back through the poolings.

# %%
for k in (0, 1, 2, 3):
    cut = float(np.mean(dice(answers(nets["with skips"], silent=k))))
    lesson.promise(f"Dice, skip at {S >> k}x{S >> k} silenced", cut, high=None if args.quick or k else 0.5)
weights = {name: mg.to_numpy(w) for name, w in nets["with skips"].state_dict().items()}  # for the last cell
logits = mg.to_numpy(nets["with skips"](x_test[:2]).data)  # (2, S, S, 4)

# %% [markdown]
# **The same in Keras and in PyTorch**: in PyTorch's functions the trained U-Net and its `logits`; in Keras the network.
#
# ```python
# import torch
# from torch.nn import functional as F
# w = {name: torch.tensor(array) for name, array in weights.items()}
# def block(name, x):
#     for k in (0, 3):
#         norm = [w[f"{name}.{k + 1}.{part}"] for part in ("running_mean", "running_var", "gamma", "beta")]
#         x = F.relu(F.batch_norm(F.conv2d(x, w[f"{name}.{k}.w"].permute(3, 2, 0, 1), padding=1), *norm))
#     return x
# maps = [block("down.0", torch.tensor(x_test[:2]).permute(0, 3, 1, 2))]
# for k in (1, 2, 3, 4):
#     maps.append(block(f"down.{k}", F.max_pool2d(maps[-1], 2)))
# y = maps[4]
# for k in (3, 2, 1, 0):
#     y = F.conv_transpose2d(y, w[f"up.{k}.w"].permute(3, 2, 0, 1), w[f"up.{k}.b"], stride=2)
#     y = block(f"merge.{k}", torch.cat([maps[k], y], dim=1))
# y = F.conv2d(y, w["scores.w"].permute(3, 2, 0, 1), w["scores.b"]).permute(0, 2, 3, 1)  # equals logits
# ```
#
# ```python
# import keras
# from keras.layers import BatchNormalization, Concatenate, Conv2D, Conv2DTranspose, MaxPooling2D, ReLU
# def block(outputs, x):
#     for _ in range(2):
#         x = ReLU()(BatchNormalization()(Conv2D(outputs, 3, padding="same", use_bias=False)(x)))
#     return x
# maps = [block(channels, x := keras.Input((S, S, 1)))]
# for k in (1, 2, 3, 4):
#     maps.append(block(channels << k, MaxPooling2D()(maps[-1])))
# y = maps[4]
# for k in (3, 2, 1, 0):
#     y = block(channels << k, Concatenate()([maps[k], Conv2DTranspose(channels << k, 2, strides=2)(y)]))
# net = keras.Model(x, Conv2D(4, 1)(y))
# ```

# %%
lesson.report(args)
