"""Denoising and super-resolution: the picture behind the picture

Goal: remove noise from digits, and double the resolution of letters, with networks that learn what pictures are like.
Needs: convolution (lesson 2.2), batch norm (2.4), the denoising autoencoder of lesson 2.5; covariance matrices.
Time: about 70 s (--quick: 12 s)
You should see: digits in noise of sigma 0.3 restored to about 18 dB, at least 1 dB better than by the Wiener filter;
    letters enlarged from 14x14 to 28x28 5 dB better than by bilinear interpolation, a third of its error.
"""

# %% [markdown]
# A photograph taken in the dark, a picture enlarged: what is lost is lost, but who knows what pictures look like can
# guess it. Training data cost nothing: spoil good pictures, and let a network bring them back. First, **noise**: to
# every pixel a normal number of sigma 0.3 is added. The measure is the *peak signal-to-noise ratio*, in decibels (dB):
# PSNR = 10 log10(peak² / mean squared error). Our peak is 1. 10 dB more are a tenth of the error, 3 dB half of it.

# %%
import math

import minigen as mg
from minigen import data, lesson, nn, optim, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

x_train, _, x_test, _ = data.digits()
x_train, x_test = mg.asarray(x_train), mg.asarray(x_test)  # (N, 8, 8, 1), in [0, 1]
sigma = 0.3
noisy = x_test + sigma * mg.random.normal(x_test.shape)  # (N, 8, 8, 1)


def psnr(found, truth):  # two arrays of one shape -> dB; what lies outside [0, 1] is no grey value, and is cut off
    return -10 * math.log10(float(((found.clip(0, 1) - truth) ** 2).mean()))


# %%
def show(rows, columns, name):  # rows: a label and pictures (N, H, W, 1) for each
    figure, axes = plt.subplots(len(rows), 1, figsize=(10, 10.5 * len(rows) / columns))
    for ax, (label, pictures) in zip(axes, rows.items(), strict=True):
        lesson.show(ax, pictures[:columns], columns=columns)
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    lesson.save(figure, name)


# %% [markdown]
# **The Wiener filter** (Wiener 1949) is the best that is linear: among all estimates A y + b of the clean x from the
# noisy y, it has the least mean squared error. Least squares says A = cov(x, y) cov(y)⁻¹. The noise has nothing to do
# with x, so cov(x, y) is C, the covariance of clean pictures, and cov(y) is C + sigma² I. With their mean m:
#
#     x̂ = m + C (C + sigma² I)⁻¹ (y - m)
#
# Along each of PCA's directions (lesson 2.5), keep the share that is signal, variance / (variance + sigma²).

# %%
flat = x_train.reshape(-1, 64)  # (N, D)
m = flat.mean(axis=0)  # (D,)
C = (flat - m).T @ (flat - m) / len(flat)  # (D, D)
A = C @ xp.linalg.inv(C + sigma**2 * xp.eye(64, dtype="float32"))  # (D, D)
by_wiener = (m + (noisy.reshape(-1, 64) - m) @ A.T).reshape(x_test.shape)  # (N, 8, 8, 1)
wiener = lesson.promise("Wiener filter, dB", psnr(by_wiener, x_test), low=16.3, high=17.1)

# %% [markdown]
# **A convolutional autoencoder.** The encoder halves the picture twice, by convolutions of stride 2: from 8x8 to 2x2
# places with 128 numbers each, which see 9x9 pixels (as lesson 2.4 counts). The decoder doubles it twice: each pixel
# becomes a block, then convolutions smooth (Odena et al. 2016). 512 numbers for 64 pixels are no narrow code: what
# keeps the network from mere copying is the noise in its input.


# %%
def convolution(inputs, outputs, stride=1):  # without a bias: batch norm would subtract it again
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False, init=nn.init.he_normal)
    return [conv, nn.BatchNorm(outputs), nn.ReLU()]


def autoencoder():
    encoder = [*convolution(1, 32), *convolution(32, 64, 2), *convolution(64, 128, 2)]  # 8x8x32, 4x4x64, 2x2x128
    decoder = [nn.Upsample(2), *convolution(128, 64), nn.Upsample(2), *convolution(64, 32)]  # 4x4x64, 8x8x32
    return nn.Sequential(*encoder, *decoder, nn.Conv2d(32, 1, 3, padding=1))  # takes and makes (N, 8, 8, 1)


# %% [markdown]
# **Training.** The noise is drawn anew in every epoch, so that it can never be learned by heart. The loss is the mean
# squared error: the smaller it is, the higher the PSNR. What makes it smallest is the mean of all digits that fit what
# the network sees, each as likely as it is. Where two digits fit, that is a blur of both.


# %%
def output(net, x):  # in use, not in training: batch norm's running averages, no gradients, 100 pictures at a time
    net.eval()
    with mg.no_grad():
        return xp.concatenate([net(x[i : i + 100]).data for i in range(0, len(x), 100)])


def train(net, pictures, spoil, epochs, text):  # spoil: what should come out (n, H, W, 1) -> what goes in
    net.train()
    loader = data.batches(pictures, batch_size=64, seed=args.seed)
    adam = optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.01)
    schedule = optim.CosineLR(adam, steps=epochs * len(loader))
    for _ in lesson.progress(range(epochs), text):
        for x in loader:
            loss = mg.mse(net(spoil(x)), x)
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()


# %%
net = autoencoder()
train(net, x_train, lambda clean: clean + sigma * mg.random.normal(clean.shape), 12 if args.quick else 60, "denoising")
denoised = output(net, noisy)
found = lesson.promise("denoising autoencoder, dB", psnr(denoised, x_test), low=15 if args.quick else 17.4)
lesson.promise("more than the Wiener filter, dB", found - wiener, low=-1 if args.quick else 1)
labels = f"noisy\n{psnr(noisy, x_test):.1f} dB", f"Wiener\n{wiener:.1f} dB", f"network\n{found:.1f} dB", "truth"
show(dict(zip(labels, (noisy, by_wiener, denoised, x_test), strict=True)), 10, "06_denoising.png")

# %% [markdown]
# **Super-resolution**: from 14x14 pixels to 28x28. The low resolution is the mean of each block of 2x2, as a coarser
# camera would see it. The classic way back is **bilinear interpolation**: each new pixel lies a quarter of a pixel
# beside an old one, and takes 3/4 of that and 1/4 of the next, first along the rows, then along the columns.

# %%
sharp_train = mg.asarray(data.glyphs(448 if args.quick else 2240, seed=2 * args.seed).images)  # (N, 28, 28, 1)
sharp_test = mg.asarray(data.glyphs(560, seed=2 * args.seed + 1).images)  # other sizes, places, slants


def twice_as_high(x):  # (N, H, W, 1) -> (N, 2H, W, 1), by linear interpolation
    above = xp.concatenate([x[:, :1], x[:, :-1]], axis=1)  # (N, H, W, 1), each row's upper neighbour; the first: itself
    below = xp.concatenate([x[:, 1:], x[:, -1:]], axis=1)
    pairs = 0.75 * x[:, :, None] + 0.25 * xp.stack([above, below], axis=2)  # (N, H, 2, W, 1)
    return pairs.reshape(len(x), -1, *x.shape[2:])


def bilinear(x):  # (N, H, W, 1) -> (N, 2H, 2W, 1)
    return twice_as_high(twice_as_high(x).swapaxes(1, 2)).swapaxes(1, 2)


low = mg.avg_pool2d(sharp_test, kernel=2)  # (N, 14, 14, 1)
assert twice_as_high(xp.arange(4.0).reshape(1, 4, 1, 1)).ravel().tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]

# %% [markdown]
# **The network** works at the low resolution, where convolutions cost a quarter, and gives four numbers for each pixel:
# the four pixels that it becomes (*sub-pixel convolution*, Shi et al. 2016). A reshape puts them in place. And it need
# not learn what is known: bilinear interpolation is added to its output, so it learns the difference, which is 0
# nearly everywhere but at edges (Kim et al. 2016). Each output sees 9x9 low pixels: parts of letters, no whole ones.


# %%
class Enlarger(nn.Module):
    def __init__(self):
        self.body = nn.Sequential(*convolution(1, 32), *convolution(32, 32), *convolution(32, 32))
        self.last = nn.Conv2d(32, 4, 3, padding=1)

    def forward(self, x):  # an array (N, H, W, 1)
        N, H, W, _ = x.shape
        four = self.last(self.body(x)).reshape(N, H, W, 2, 2)
        return bilinear(x) + four.transpose(0, 1, 3, 2, 4).reshape(N, 2 * H, 2 * W, 1)  # by way of (N, H, 2, W, 2)


# %%
enlarger = Enlarger()
train(enlarger, sharp_train, lambda sharp: mg.avg_pool2d(sharp, kernel=2), 3 if args.quick else 12, "super-resolution")
enlarged, interpolated = output(enlarger, low), bilinear(low)  # (N, 28, 28, 1) both
plain = lesson.promise("bilinear interpolation, dB", psnr(interpolated, sharp_test))
sharper = lesson.promise("super-resolution, dB", psnr(enlarged, sharp_test), low=17 if args.quick else 22)
lesson.promise("more than bilinear, dB", sharper - plain, low=0.3 if args.quick else 5)
labels = "14x14", f"bilinear\n{plain:.1f} dB", f"network\n{sharper:.1f} dB", "truth"
show(dict(zip(labels, (low, interpolated, enlarged, sharp_test), strict=True)), 8, "06_super_resolution.png")

# %% [markdown]
# A warning: what is plausible is not thereby true. On an X-ray, an invented stroke looks as sharp as a real one.
#
# **Break it.** Give the denoiser the noisy picture as its target, too: a plain autoencoder, with room enough to copy.
# The loss falls as it should, nothing raises, and what comes out is the noise. (With *other* noise in the target it
# would learn to denoise without ever seeing a clean picture: Noise2Noise, Lehtinen et al. 2018. Try it.)
#
# **Exercises**: `minigen learn run mean_squared_error`, the loss of both networks, and `conv2d_input`.

# %%
copier = autoencoder()
spoilt = x_train + sigma * mg.random.normal(x_train.shape)  # (N, 8, 8, 1)
train(copier, spoilt, lambda target: target, 12 if args.quick else 30, "copying")
lesson.promise("noise in the target, too: worse by, dB", found - psnr(output(copier, noisy), x_test), low=2)
weights = [mg.to_numpy(w) for w in net.state_dict().values()]  # for the last cell

# %% [markdown]
# **The same in Keras and in PyTorch**: the denoiser with its trained `weights`, and its `error` on `noisy`.
#
# ```python
# import torch
# from torch import nn
# def conv(i, o, stride=1):
#     return [nn.Conv2d(i, o, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
# up = nn.Upsample(scale_factor=2)
# layers = [*conv(1, 32), *conv(32, 64, 2), *conv(64, 128, 2), up, *conv(128, 64), up, *conv(64, 32)]
# twin = nn.Sequential(*layers, nn.Conv2d(32, 1, 3, padding=1)).eval()
# state = [entry for name, entry in twin.state_dict().items() if "num_batches" not in name]
# for entry, w in zip(state, map(torch.tensor, weights)):
#     entry.copy_(w.permute(3, 2, 0, 1) if w.ndim == 4 else w)
# x, truth = (torch.tensor(pictures).permute(0, 3, 1, 2) for pictures in (noisy, x_test))
# error = nn.functional.mse_loss(twin(x).clamp(0, 1), truth).item()
# ```
#
# ```python
# import keras
# from keras.layers import BatchNormalization, Conv2D, ReLU, UpSampling2D, ZeroPadding2D
# def conv(outputs, stride=1):  # padding="same" would place a stride of 2 otherwise
#     conv, norm = Conv2D(outputs, 3, strides=stride, use_bias=False), BatchNormalization(epsilon=1e-5)
#     return [ZeroPadding2D(), conv, norm, ReLU()]
# layers = [*conv(32), *conv(64, 2), *conv(128, 2), UpSampling2D(), *conv(64), UpSampling2D(), *conv(32)]
# twin = keras.Sequential([keras.Input((8, 8, 1)), *layers, Conv2D(1, 3, padding="same")])
# twin.set_weights(weights)
# error = keras.ops.mean((keras.ops.clip(twin.predict(noisy), 0, 1) - x_test) ** 2)
# ```

# %%
lesson.report(args)
