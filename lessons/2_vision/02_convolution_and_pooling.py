"""Convolution and pooling

Goal: slide a kernel over a picture, by hand and with the engine; blur, sharpen, find edges; make pictures smaller.
Needs: images as arrays (lesson 2.1), backprop by hand (lesson 1.4).
Time: about 3 s (--quick: the same).
You should see: a 7x7 example by hand; loops and engine equal to 1e-12, forward and backward; noise that blurring
    makes less than half as strong and sharpening at least 1.5 times; 95 numbers spoilt by a border of zeros.
"""

# %% [markdown]
# A dense layer has a weight for every pixel, and does not know that pixels have neighbours. Yet a corner looks the
# same wherever it is. So use a small table of weights, the *kernel*, and slide it over the picture. Wherever it lies,
# it makes one number: the sum of its products with the pixels under it, its *window*.

# %%
import numpy as np

import minigen as mg
from minigen import lesson, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

rows = ["0111000", "0011100", "0001110", "0001100", "0011000", "0110000", "1100000"]
image = np.array([list(row) for row in rows], dtype="float64")  # (H, W) = (7, 7)
kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype="float64")  # (KH, KW) = (3, 3)
window = image[0:3, 1:4]  # (3, 3), where the kernel lies for row 0, column 1 of the answer
print(f"image\n{image.astype(int)}\nwindow\n{window}\n· kernel\n{window * kernel}\nsum {(window * kernel).sum():.0f}")

# %% [markdown]
# **All windows.** The *stride* s is how far the kernel moves from one window to the next. *Padding* p puts p rows and
# columns of zeros around the picture first, so that the kernel also gets to its border. Then it fits
# (H + 2p - KH) // s + 1 times from top to bottom.


# %%
def correlate(x, w, stride=1, padding=0):  # x (H, W), w (KH, KW) -> (OH, OW)
    x = np.pad(x, padding)
    KH, KW = w.shape
    y = np.zeros(((x.shape[0] - KH) // stride + 1, (x.shape[1] - KW) // stride + 1))
    for i, j in np.ndindex(y.shape):
        window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]  # (KH, KW)
        y[i, j] = (window * w).sum()
    return y


by_hand = np.array([[1, 4, 3, 4, 1], [1, 2, 4, 3, 3], [1, 2, 3, 4, 1], [1, 3, 3, 1, 1], [3, 3, 1, 1, 0]])
print(correlate(image, kernel).astype(int))
lesson.promise("7x7 example: loops and by hand", np.abs(correlate(image, kernel) - by_hand).max(), high=0)

# %% [markdown]
# **The engine's** `mg.conv2d` takes many pictures, many channels and many kernels at once: x (N, H, W, C) and w (KH,
# KW, C, F) give y (N, OH, OW, F). A kernel covers all C channels and adds them up; there are F of them, and each
# makes one channel of the answer. It computes the same numbers as our loops, by faster means.

# %%
worst = 0.0
for stride, padding in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 2)]:
    x, w = mg.asarray(image.reshape(1, 7, 7, 1)), mg.asarray(kernel.reshape(3, 3, 1, 1))
    y = mg.conv2d(x, w, stride=stride, padding=padding)  # (1, OH, OW, 1)
    ours = correlate(image, kernel, stride, padding)  # (OH, OW)
    worst = max(worst, np.abs(mg.to_numpy(y)[0, :, :, 0] - ours).max())
    print(f"stride {stride}, padding {padding}: 7x7 -> {y.shape[1]}x{y.shape[2]}")
    assert ours.shape == ((7 + 2 * padding - 3) // stride + 1,) * 2
lesson.promise("loops and engine", worst, high=1e-12)

# %% [markdown]
# **Two words.** A mathematician's *convolution* turns the kernel round first, top to bottom and left to right. What
# we do here is called *correlation*. Deep learning says convolution to both: a kernel that is learned is learned the
# right way round. The difference shows with a single bright pixel: convolution answers with the kernel, correlation
# with the kernel turned round.

# %%
dot, arrow = np.zeros((5, 5)), np.arange(9.0).reshape(3, 3)  # (5, 5), (3, 3)
dot[2, 2] = 1
print(f"correlation\n{correlate(dot, arrow)}\nconvolution\n{correlate(dot, arrow[::-1, ::-1])}")
assert (correlate(dot, arrow) == arrow[::-1, ::-1]).all()  # each number meets the dot when the dot is *its* pixel
line, three = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 0, -1])  # in one dimension:
assert (np.convolve(line, three, "valid") == correlate(line[None], three[None, ::-1])[0]).all()  # NumPy turns it round

# %% [markdown]
# **Kernels that do something.** Weights that add up to 1 keep the mean brightness: *blur* takes the mean of nine
# pixels; *sharpen* is the picture plus what blur takes away. Weights that add up to 0 answer 0 wherever all is equal,
# so they see only change. Sobel's two kernels (1968) measure slopes, right minus left and bottom minus top, each
# smoothed across. Together they give the strength of an edge in any direction: the length of the slope.

# %%
H = W = 96
i, j = np.mgrid[0:H, 0:W]  # (H, W), rows and columns
picture = 0.25 + 0.25 * j / W  # (H, W), grey, growing brighter to the right
picture[(i - 32) ** 2 + (j - 30) ** 2 < 18**2] = 0.9  # a disc
picture[(abs(i - 68) < 16) & (abs(j - 64) < 22)] = 0.1  # a box
picture[(abs(i - j + 44) < 4) & (i < 44)] = 1.0  # a slanting line
picture += 0.03 * np.random.default_rng(args.seed).standard_normal((H, W))  # a camera's noise

# %%
blur, sobel = np.full((3, 3), 1 / 9), np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8  # (3, 3)
identity = np.pad([[1.0]], 1)  # (3, 3), 1 in the middle
kernels = {"Blur": blur, "Sharpen": 2 * identity - blur, "Sobel: left to right": sobel, "Sobel: top to bottom": sobel.T}
w = mg.asarray(np.stack(list(kernels.values()), axis=-1)[:, :, None])  # (3, 3, 1, 4): F = 4 kernels
x = mg.asarray(picture[None, :, :, None])  # (1, H, W, 1)
y = mg.to_numpy(mg.conv2d(x, w))[0]  # (94, 94, 4)
strength = np.hypot(y[..., 2], y[..., 3])  # (94, 94)
noise = picture[56:80, 46:82].std()  # inside the box, where all would be equal
lesson.promise("noise after blur, as a share", y[55:79, 45:81, 0].std() / noise, high=0.45)
lesson.promise("noise after sharpening, as a share", y[55:79, 45:81, 1].std() / noise, low=1.5)

# %%
figure, axes = plt.subplots(1, 6, figsize=(14.5, 2.8))
panels = [("The picture", picture), *zip(kernels, np.moveaxis(y, -1, 0), strict=True), ("Strength of edges", strength)]
for ax, (title, panel) in zip(axes, panels, strict=True):
    slope = title.startswith("Sobel")  # below 0 blue, above 0 red
    style = {"cmap": "RdBu_r", "vmin": -0.4, "vmax": 0.4} if slope else {"cmap": "gray", "vmin": 0, "vmax": 1}
    ax.imshow(panel, **(style if title != "Strength of edges" else {"cmap": "gray_r", "vmin": 0, "vmax": 0.4}))
    ax.set(title=title, xticks=[], yticks=[])
lesson.save(figure, "02_kernels.png")

# %% [markdown]
# **Few weights, and the same everywhere.** A convolution with 8 kernels of 3x3 on a grey picture has 3·3·1·8 weights
# and 8 biases, whatever the picture's size. A dense layer from 96x96 pixels to its 94x94x8 numbers would have 651
# million. And when the picture moves, the answer moves along, which no dense layer promises.

# %%
layer = mg.nn.Conv2d(1, 8, 3)
moved = mg.conv2d(xp.roll(x, (5, 9), axis=(1, 2)), w)  # (1, 94, 94, 4), the picture 5 down, 9 to the right
along = mg.to_numpy(moved)[0, 5:, 9:] - y[:-5, :-9]  # (89, 85, 4)
lesson.promise("weights of the convolution", layer.parameter_count(), low=80, high=80)
lesson.promise("moved, then convolved, less convolved, then moved", np.abs(along).max(), high=1e-12)

# %% [markdown]
# **Pooling** makes a picture smaller: of each window of K x K, in each channel by itself, keep the largest (max
# pooling), the smallest (min) or the mean (average). The windows usually do not overlap: stride K. There is nothing
# to learn. Max pooling does not change where a bright pixel moves inside its window: so a network that pools depends
# less on small shifts.


# %%
def pool(x, K, of):  # x (H, W) -> (H // K, W // K)
    y = np.zeros((x.shape[0] // K, x.shape[1] // K))
    for i, j in np.ndindex(y.shape):
        y[i, j] = of(x[i * K : i * K + K, j * K : j * K + K])
    return y


K = 8
pooled = {"Max": mg.max_pool2d(x, kernel=K), "Min": mg.min_pool2d(x, kernel=K), "Mean": mg.avg_pool2d(x, kernel=K)}
assert (pooled["Min"] == -mg.max_pool2d(-x, kernel=K)).all()  # the smallest is the largest of the negatives
pooled = {name: mg.to_numpy(array)[0, :, :, 0] for name, array in pooled.items()}  # (12, 12) each
loops = zip(pooled.values(), (np.max, np.min, np.mean), strict=True)
lesson.promise("pooling: loops and engine", max(np.abs(p - pool(picture, K, of)).max() for p, of in loops), high=1e-12)

# %%
figure, axes = plt.subplots(1, 4, figsize=(9.5, 2.8))
for ax, (title, panel) in zip(axes, [("The picture, 96x96", picture), *pooled.items()], strict=True):
    ax.imshow(panel, cmap="gray", vmin=0, vmax=1)
    ax.set(title=title if panel is picture else f"{title} pooling, {K}x{K}: 12x12", xticks=[], yticks=[])
lesson.save(figure, "02_pooling.png")

# %% [markdown]
# **The way back.** y[i, j] took window · w, in every window with the same w. So each kernel entry collects dy times
# the pixel it saw, over all windows; and each pixel collects dy times the weight that lay on it. In max pooling the
# largest pixel of a window gets all of dy, the others nothing; in average pooling each gets dy / K².

# %%
dy = np.random.default_rng(1).standard_normal((5, 5))  # (OH, OW), some gradient of the 7x7 example's answer
dw, dx = np.zeros((3, 3)), np.zeros((7, 7))  # as kernel and image
for i, j in np.ndindex(dy.shape):
    dw += dy[i, j] * image[i : i + 3, j : j + 3]
    dx[i : i + 3, j : j + 3] += dy[i, j] * kernel
tx, tw = (mg.tensor(mg.asarray(a), requires_grad=True) for a in (image.reshape(1, 7, 7, 1), kernel.reshape(3, 3, 1, 1)))
mg.conv2d(tx, tw).backward(mg.asarray(dy.reshape(1, 5, 5, 1)))
worst = max(np.abs(mg.to_numpy(t.grad).reshape(d.shape) - d).max() for t, d in ((tx, dx), (tw, dw)))
lesson.promise("gradients: loops and engine", worst, high=1e-12)

# %% [markdown]
# **Break it.** A convolution pads with 0. Max pooling must not: where all pixels of a window are negative, the 0 wins,
# a pixel that does not exist. The engine pads with minus infinity. Below is the picture minus 2, all negative.
#
# Exercises: `minigen learn run convolution_1d`, `convolution_2d`, `conv2d_weights`, `conv2d_input`, `max_pooling`,
# `max_pooling_backward`, `average_pooling_backward`.

# %%
right = mg.max_pool2d(x - 2, kernel=3, stride=2, padding=1)  # (1, 48, 48, 1)
wrong = mg.max_pool2d(xp.pad(x - 2, ((0, 0), (1, 1), (1, 1), (0, 0))), kernel=3, stride=2)  # padded with 0
print(
    f"largest: right {float(right.max()):.2f}, wrong {float(wrong.max()):.2f}, of the picture {float(x.max()) - 2:.2f}"
)
lesson.promise("answers that zeros have spoilt", (right != wrong).sum(), low=95, high=95)  # a row and a column of 48

# %% [markdown]
# **The same in Keras and in PyTorch**, with this lesson's `image` and `kernel`: the 7x7 example with padding and
# stride.
#
# ```python
# import torch
# x, w = torch.tensor(image)[None, None], torch.tensor(kernel)[None, None]  # (N, C, H, W), (F, C, KH, KW)
# y = torch.nn.functional.conv2d(x, w, stride=2, padding=1)
# pooled = torch.nn.functional.max_pool2d(x, 2)
# print(y, pooled)
# ```
#
# ```python
# import keras
# x, w = image[None, :, :, None], kernel[:, :, None, None]  # (N, H, W, C), (KH, KW, C, F)
# y = keras.ops.conv(keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), w, strides=2)  # "same" pads otherwise
# print(y, keras.ops.max_pool(x, 2))
# ```

# %%
lesson.report(args)
