"""Images and colour

Goal: see that a picture is an array of numbers, and change it by arithmetic: channels, grey, layers, hue.
Needs: NumPy arrays and their axes (lesson 1.3).
Time: about 2 s (--quick: the same; --picture PATH: with a picture of your own)
You should see: a picture taken apart into pixels and put together again without loss; the hue formula
    equal to matplotlib's to 1e-5; one wrong word, `reshape`, that leaves less than 1 number in 10 in place.
"""

# %% [markdown]
# A picture on a screen is a grid of points, the *pixels*. Each has a place, column x and row y, and a colour,
# three numbers r, g, b: how much red, green and blue light it sends. So a picture is a list of
# (x, y, r, g, b). We paint one, from formulas: all pixels whose (x, y) is inside a shape get its colour.

# %%
import matplotlib.colors
import numpy as np  # pictures are read and drawn on the host

import minigen as mg
from minigen import lesson

args = lesson.arguments(__doc__, picture="")
plt = lesson.pyplot()

H, W = 120, 180  # height and width, in pixels
y, x = np.mgrid[0:H, 0:W]  # (H, W) twice: the row and the column of every pixel
t = (y / H)[..., None]  # (H, W, 1), 0 at the top, 1 at the bottom
scene = (1 - t) * np.array([0.2, 0.45, 0.9]) + t * np.array([1.0, 0.8, 0.6])  # (H, W, 3), the sky
scene[(x - 130) ** 2 + (y - 32) ** 2 < 17**2] = [1.0, 0.85, 0.1]  # the sun, a disc
scene[y > 68 + 14 * np.sin(x / 28)] = [0.3, 0.55, 0.5]  # far hills
scene[y > 92 + 8 * np.sin(x / 20 + 2)] = [0.2, 0.5, 0.15]  # a meadow
scene[(abs(x - 50) < 14) & (abs(y - 88) < 12)] = [0.9, 0.85, 0.75]  # a house
scene[(abs(x - 50) < y - 58) & (y < 77)] = [0.75, 0.15, 0.1]  # its roof, a triangle
print(f"scene: {scene.shape}, numbers from {scene.min():.2f} to {scene.max():.2f}")

# %% [markdown]
# **A picture of your own.** `--picture PATH` reads a PNG or JPEG file in place of the scene. A file holds each
# number as a byte, 0 to 255; we divide, so that 1 is full light. A grey picture has one number for each pixel, a
# transparent one has four (see below); we make both three. Of a large picture we take every k-th pixel.

# %%
if args.picture:
    try:
        pixels = plt.imread(args.picture)  # (H, W), (H, W, 3) or (H, W, 4); floats, or whole numbers
    except (OSError, ValueError, SyntaxError) as error:
        raise SystemExit(f"--picture: {args.picture} is no picture that can be read ({error})") from None
    if pixels.dtype.kind == "u":
        pixels = pixels / np.iinfo(pixels.dtype).max  # 255 for bytes
    pixels = np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels[..., :3]  # (H, W, 3)
    k = -(-max(pixels.shape) // 400)  # rounded up
    scene = pixels[::k, ::k].astype("float64")
    H, W = scene.shape[:2]
    y, x = np.mgrid[0:H, 0:W]

# %% [markdown]
# **List and array.** The list (x, y, r, g, b) and the array hold the same: in the array, place is where a colour
# stands. Mind the order. An array is indexed row first, so the pixel at (x, y) is `scene[y, x]`; and y grows
# *downwards*, as lines on a page do.

# %%
listed = np.column_stack([x.ravel(), y.ravel(), scene.reshape(-1, 3)])  # (H W, 5): x, y, r, g, b
for row in listed[[0, W - 1, H * W // 2 + W // 3]]:
    print("x {:3.0f}  y {:3.0f}   r {:.2f}  g {:.2f}  b {:.2f}".format(*row))

shuffled = np.random.default_rng(args.seed).permutation(listed)  # a list may come in any order
rebuilt = np.zeros_like(scene)
columns, rows = shuffled[:, 0].astype(int), shuffled[:, 1].astype(int)  # (H W,) each
rebuilt[rows, columns] = shuffled[:, 2:]
lesson.promise("lost by listing and rebuilding", np.abs(rebuilt - scene).max(), high=0)
as_bytes = np.round(scene * 255).astype("uint8")  # (H, W, 3), as in a file: rounded
lesson.promise("lost by storing bytes", np.abs(as_bytes / 255 - scene).max(), high=0.5 / 255 + 1e-9)

# %% [markdown]
# **Channels.** `scene[..., 0]` is the red of every pixel: one *channel*, itself a grey picture.
#
# **Grey.** How bright is a colour? Not the mean of r, g and b: green light looks far brighter to us than blue
# light. Television's weights for it, 0.299, 0.587 and 0.114 (ITU-R BT.601, 1982), make the *luma*. They add up
# to 1, so white stays white. In array terms it is a matrix product: (H, W, 3) @ (3,) gives (H, W).

# %%
weights = np.array([0.299, 0.587, 0.114])  # (3,)
grey = scene @ weights  # (H, W)
for name, colour in {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1], "white": [1, 1, 1]}.items():
    print(f"{name:6} mean {np.mean(colour):.2f}   luma {np.array(colour) @ weights:.2f}")

figure, axes = plt.subplots(1, 5, figsize=(13, 2.3))
shown = [scene, scene[..., 0], scene[..., 1], scene[..., 2], grey]
titles = ["The picture", "Red channel", "Green channel", "Blue channel", "Grey: the luma"]
for ax, image, title in zip(axes, shown, titles, strict=True):
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)  # cmap is for (H, W) alone; (H, W, 3) has its colours
    ax.set(title=title, xticks=[], yticks=[])
axes[0].set(xlabel=f"x, 0 to {W - 1}", ylabel=f"y, 0 to {H - 1}")
lesson.save(figure, "01_channels.png")

# %% [markdown]
# **RGBA.** A fourth channel, *alpha*, says how much a pixel covers what is behind it: 1 hides it, 0 shows it, and
# values between let some of it through. To lay a layer *over* a picture, mix, pixel by pixel (Porter and Duff 1984):
#
# out = alpha · layer + (1 - alpha) · behind
#
# Below are two layers: a violet balloon, whose alpha falls from 1 to 0 over its last pixels, which makes the edge
# smooth; and a fog, whose alpha grows downwards.


# %%
def over(layer, behind):  # layer (H, W, 4), behind (H, W, 3) -> (H, W, 3)
    alpha = layer[..., 3:]  # (H, W, 1), so that it meets all three colours
    return alpha * layer[..., :3] + (1 - alpha) * behind


distance = np.hypot(x - 0.5 * W, y - 0.3 * H)  # (H, W), from the balloon's centre
ones = np.ones((H, W, 1))
balloon = np.dstack([ones * [0.55, 0.1, 0.6], np.clip(0.16 * H - distance, 0, 4) / 4])  # (H, W, 4)
fog = np.dstack([ones * 0.95, ones * 0.95, ones * 0.95, 0.9 * y / H])  # (H, W, 4)
composed = over(fog, over(balloon, scene))  # (H, W, 3)

clear, solid = balloon[..., 3] == 0, balloon[..., 3] == 1  # (H, W) each
assert (over(balloon, scene)[clear] == scene[clear]).all()
assert (over(balloon, scene)[solid] == [0.55, 0.1, 0.6]).all()
order = np.abs(composed - over(balloon, over(fog, scene))).max()
lesson.promise("the order of the layers matters, by up to", order, low=None if args.picture else 0.1)

# %% [markdown]
# **HSV** (Smith 1978) names a colour as a painter does. The *value* is the largest of r, g, b. The
# *saturation*, how far from grey, is (largest - smallest) / largest. The *hue* is an angle on the colour wheel,
# here 0 to 1: red 0, green 1/3, blue 2/3, and back to red. Where g is the largest, the hue is 1/3, and b pulls it
# on, r back, by (b - r) / (largest - smallest), in sixths; likewise around r and b. Grey has no hue: we say 0.


# %%
def rgb_to_hsv(rgb):  # (..., 3) -> (..., 3)
    r, g, b = np.moveaxis(rgb, -1, 0)  # three times (...)
    largest, spread = rgb.max(axis=-1), rgb.max(axis=-1) - rgb.min(axis=-1)
    per = 1 / np.where(spread == 0, 1, spread)  # grey is not divided by 0
    sixths = np.where(largest == r, (g - b) * per, np.where(largest == g, 2 + (b - r) * per, 4 + (r - g) * per))
    saturation = spread / np.where(largest == 0, 1, largest)
    return np.stack([sixths / 6 % 1, saturation, largest], axis=-1)  # % 1: the angle begins anew at red


def hsv_to_rgb(hsv):  # (..., 3) -> (..., 3)
    hue, saturation, value = (channel[..., None] for channel in np.moveaxis(hsv, -1, 0))  # (..., 1) each
    away = (np.array([5, 3, 1]) + 6 * hue) % 6  # (..., 3), for r, g, b: where on the wheel, in sixths
    return value * (1 - saturation * np.clip(np.minimum(away, 4 - away), 0, 1))


hsv = rgb_to_hsv(scene)  # (H, W, 3)
lesson.promise("HSV: ours and matplotlib's", np.abs(hsv - matplotlib.colors.rgb_to_hsv(scene)).max(), high=1e-5)
lesson.promise("HSV: there and back", np.abs(hsv_to_rgb(hsv) - scene).max(), high=1e-5)

# %% [markdown]
# What is hard in RGB is now one sum: turn all colours by a third of the wheel. Or one product: make them paler.

# %%
turned = hsv_to_rgb(hsv + np.array([1 / 3, 0, 0]))  # (H, W, 3); red becomes green, green blue, blue red
pale = hsv_to_rgb(hsv * [1, 0.4, 1])  # (H, W, 3)
by_transpose, by_reshape = scene.transpose(2, 0, 1), scene.reshape(3, H, W)  # (3, H, W) both: see "Break it"

figure, axes = plt.subplots(2, 4, figsize=(13, 4.9))
shown = [hsv[..., 0], hsv[..., 1], hsv[..., 2], composed, turned, pale, by_transpose[0], by_reshape[0]]
titles = ["Hue: black and white are both red", "Saturation", "Value", "Balloon and fog over the picture"]
titles += ["Hue + 1/3", "Saturation · 0.4", "Red, by transpose", "Broken: by reshape"]
for ax, image, title in zip(axes.ravel(), shown, titles, strict=True):
    ax.imshow(np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
lesson.save(figure, "01_colours.png")

# %% [markdown]
# **Many pictures** of one size make an array N, H, W, C: picture, row, column, channel. This is the order in all
# lessons, for every layer of a network; a grey picture has C = 1. PyTorch's order is N, C, H, W.
#
# Statistics go over axes: the mean colour of each picture over H and W, the mean colour of all over N too.

# %%
batch = mg.asarray(np.stack([scene, composed, turned, pale]).astype("float32"))  # (4, H, W, 3)
greys = (batch @ mg.asarray(weights.astype("float32")))[..., None]  # (4, H, W, 1)
print(f"batch {batch.shape}, grey {greys.shape}; mean colours (4, 3):\n{batch.mean(axis=(1, 2)).round(2)}")
lesson.promise("mean grey of the picture", greys[0].mean())
assert abs(float(greys[0].mean()) - grey.mean()) < 1e-5  # the first of the four is the scene

# %% [markdown]
# **Break it.** `transpose(2, 0, 1)` leads from H, W, C to C, H, W: it moves the axes. `reshape(3, H, W)` gives the
# same shape and no error. But it leaves the numbers in their old order and only cuts the line anew, so that each
# "channel" is a third of the picture, its r, g and b side by side. See the last two pictures above.
#
# The exercises on pictures begin with the next lesson: `minigen learn run convolution_1d`.

# %%
share = (by_transpose == by_reshape).mean()
lesson.promise("in place after reshape, as a share", share, high=None if args.picture else 0.1)

# %% [markdown]
# **The same in Keras and in PyTorch**, with this lesson's `scene` and `weights`: the mean grey.
#
# ```python
# import torch
# images = torch.tensor(scene).permute(2, 0, 1)[None]  # (1, 3, H, W)
# grey = torch.einsum("nchw,c->nhw", images, torch.tensor(weights))
# print(grey.mean())
# ```
#
# ```python
# import keras
# images = keras.ops.convert_to_tensor(scene[None], "float32")  # (1, H, W, 3)
# grey = keras.ops.image.rgb_to_grayscale(images)  # (1, H, W, 1)
# print(keras.ops.mean(grey), keras.ops.image.rgb_to_hsv(images)[0, 0, 0])
# ```

# %%
lesson.report(args)
