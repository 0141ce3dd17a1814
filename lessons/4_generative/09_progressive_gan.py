"""Growing a GAN: small pictures first, then larger ones

Goal: train a GAN at 28x28, add layers for 56x56 and fade them in; and see what that saves against 56x56 at once.
Needs: a GAN for pictures (lesson 4.7), R1 and averaged weights (4.6), the Frechet distance (4.4).
Time: about 3 min (--quick: 7 s)
You should see: that with one doubling growing does not pay yet. For 0.93 of the multiplications (0.81 to 0.86 of the
    time), its distance from real letters is 0.89, 1.13 and 1.47 times that of the same network trained at 56x56 from
    the start (seeds 0, 1, 2; a run that rounds differently goes another way: once it was 0.99, 1.15 and 1.25), and its
    detail is coarser. And why Karras et al. did gain by it. In 09_progressive_gan.png the letters of both.
"""

# %% [markdown]
# What is hard about a large picture is not its detail. It is the shape of the whole, which a small picture shows as
# well. So Karras et al. (2018) let a GAN learn small pictures first, where a step is cheap, and then give both networks
# new layers that double the side.

# %%
import time

import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim

args = lesson.arguments(__doc__, data=("glyphs",), steps=640)
plt = lesson.pyplot()
if args.steps < 3:
    raise SystemExit(f"--steps: got {args.steps}; wants at least 3, the steps of the training at 56x56 alone")
steps = 6 if args.quick else args.steps
small_steps, large_steps, fade_steps = steps * 7 // 10, steps * 9 // 20, max(1, steps // 8)  # of the GAN that grows
hold = steps >= 640  # fewer steps promise less
n_train, n_test, n_drawn = (200, 200, 100) if args.quick else (4000, 2000, 500)
x_train = data.glyphs(n_train, size=56, seed=args.seed).images  # (n, 56, 56, 1) in [0, 1]: 28 letters, 16 fonts
x_test, y_test, _ = data.glyphs(n_test, size=56, seed=args.seed + 1000)
N, Z = 16, 64  # pictures in a batch, numbers in z

# %% [markdown]
# **G.** From z to 7x7, 14x14, and 28x28 with 16 channels; `to_28` turns these into a grey picture. For 56x56 there are
# two more layers, `up` and `to_56`. New as they are, they would spoil what G can do. So the picture is a mixture: alpha
# of the new one, and 1 - alpha of the old one, enlarged; alpha goes from 0 to 1. *Pixel norm* (same paper) scales the
# channels of each pixel to a mean square of 1: so G's numbers cannot grow without end, and no batch is needed.

# %%
half, he, act = {"stride": 2, "padding": 1}, {"init": nn.init.he_normal}, nn.LeakyReLU(0.2)


def pixel_norm(x):  # (N, H, W, C)
    return x * ((x * x).mean(axis=-1, keepdims=True) + 1e-8) ** -0.5


class Generator(nn.Module):
    def __init__(self):
        self.first = nn.Dense(Z, 7 * 7 * 64, **he)
        up_14, up_28 = nn.ConvTranspose2d(64, 32, 4, **half, **he), nn.ConvTranspose2d(32, 16, 4, **half, **he)
        self.rest = nn.Sequential(pixel_norm, act, up_14, pixel_norm, act, up_28, pixel_norm, act)
        self.to_28 = nn.Conv2d(16, 1, 1)
        self.up, self.to_56 = nn.ConvTranspose2d(16, 8, 4, **half, **he), nn.Conv2d(8, 1, 1)

    def forward(self, z, size, alpha):  # (N, Z) -> (N, size, size, 1)
        x = self.rest(self.first(z).reshape(-1, 7, 7, 64))  # (N, 28, 28, 16)
        if size == 28:
            return mg.sigmoid(self.to_28(x))
        new = mg.sigmoid(self.to_56(act(self.up(x))))  # (N, 56, 56, 1)
        if alpha == 1:
            return new
        return new * alpha + mg.upsample2d(mg.sigmoid(self.to_28(x))) * (1 - alpha)


# %% [markdown]
# **D** is the mirror image. A picture of 56x56 goes through the new layers and, pooled to 28x28, through the old
# entrance; what comes out of both is mixed. At its end D also gets one number on the whole batch, the *minibatch
# standard deviation*: how much the pictures differ. If G always draws the same, D sees it there.


# %%
class Discriminator(nn.Module):
    def __init__(self):
        self.from_56, self.down = nn.Conv2d(1, 8, 1, **he), nn.Conv2d(8, 16, 4, **half, **he)
        self.from_28 = nn.Conv2d(1, 16, 1, **he)
        to_14, to_7 = nn.Conv2d(16, 32, 4, **half, **he), nn.Conv2d(32, 64, 4, **half, **he)
        self.rest = nn.Sequential(to_14, act, to_7, act, nn.Flatten())
        self.last = nn.Sequential(nn.Dense(7 * 7 * 64 + 1, 64, **he), act, nn.Dense(64, 1))

    def forward(self, x, alpha):  # (N, size, size, 1) -> logits (N, 1)
        if x.shape[1] == 28:
            h = act(self.from_28(x))  # (N, 28, 28, 16)
        else:
            h = act(self.down(act(self.from_56(x))))  # (N, 28, 28, 16)
            if alpha < 1:
                h = h * alpha + act(self.from_28(mg.avg_pool2d(x, kernel=2))) * (1 - alpha)
        h = self.rest(h)  # (N, 7 7 64)
        spread = (((h - h.mean(axis=0)) ** 2).mean(axis=0) + 1e-8) ** 0.5  # (7 7 64,)
        column = mg.broadcast_to(spread.mean().reshape(1, 1), shape=(len(x), 1))  # (N, 1), the same in each row
        return self.last(mg.concatenate(h, column, axis=1))


def start():
    mg.seed(args.seed)
    G, D = Generator(), Discriminator()
    d_adam, g_adam = (optim.Adam(net.parameters(), lr=2.5e-3, betas=(0, 0.99)) for net in (D, G))
    return G, D, d_adam, g_adam, np.random.default_rng(args.seed)  # the last one chooses the real pictures


G, D, d_adam, g_adam, rng = start()
z = mg.random.normal((N, Z))
with mg.no_grad():
    small, enlarged = G(z, 28, 1).data, G(z, 56, 0).data  # (N, 28, 28, 1), (N, 56, 56, 1)
assert (mg.upsample2d(small) == enlarged).all()  # at alpha = 0 nothing has changed, for G and for D:
assert mg.xp.allclose(D(enlarged, 0).data, D(small, 1).data, atol=1e-4)

# %% [markdown]
# **A step of each.** The losses are those of lesson 4.6: non-saturating, with R1. R1 needs a second backward pass
# through D, so it is paid only at every 8th step, with 8 times the weight. At 56x56 a letter covers 4 times as many
# pixels, and D's slope in each of them is smaller: R1 gets 4 times the weight there. The real pictures are faded in,
# too: or D would know them by their sharpness.


# %%
def real(size, alpha):  # -> (N, size, size, 1)
    x = mg.asarray(x_train[rng.integers(n_train, size=N)])  # (N, 56, 56, 1)
    if size == 56 and alpha == 1:
        return x
    small = mg.avg_pool2d(x, kernel=2)  # (N, 28, 28, 1)
    return small if size == 28 else x * alpha + mg.upsample2d(small) * (1 - alpha)


def d_step(x, fake, alpha, with_r1):  # x, fake (N, size, size, 1)
    loss = mg.softplus(-D(x, alpha)).mean() + mg.softplus(D(fake.detach(), alpha)).mean()
    if with_r1:
        x = mg.tensor(x, requires_grad=True)
        slope = mg.grad(D(x, alpha).sum(), x, create_graph=True)  # (N, size, size, 1)
        loss = loss + 8 * 0.15 * (x.shape[1] / 28) ** 2 * (slope**2).sum() / N
    loss.backward()
    assert all(p.grad is None for p in G.parameters())  # D's step is D's alone
    d_adam.step()
    d_adam.zero_grad()


def g_step(fake, alpha):  # fake: with the graph that leads back to G
    D.requires_grad_(False)
    mg.softplus(-D(fake, alpha)).mean().backward()
    assert all(p.grad is None for p in D.parameters())  # and G's step G's
    g_adam.step()
    g_adam.zero_grad()
    D.requires_grad_(True)


# %% [markdown]
# **Two distances.** Our classifier of letters takes 28x28. So for the Frechet distance, pictures of 56x56 are pooled by
# 2: that sees the letter, and not what 56x56 adds to it. For this we take the *detail*, what pooling by 2 and enlarging
# loses, cut into patches of 7x7 as Karras et al. do, and the Frechet distance of the patches. We divide by that of
# pictures without detail: 1 is no better than an enlarged picture, 0 is as real.

# %%
judge = metrics.classifier("glyphs")


def pooled(x):  # (n, size, size, 1) -> (n, 28, 28, 1), on the host
    return x if x.shape[1] == 28 else x.reshape(-1, 28, 2, 28, 2, 1).mean(axis=(2, 4))


def patches(x):  # (n, 56, 56, 1) -> (64 n, 49): the detail in 8 x 8 patches
    detail = x - pooled(x).repeat(2, axis=1).repeat(2, axis=2)
    return detail.reshape(-1, 8, 7, 8, 7).transpose(0, 1, 3, 2, 4).reshape(-1, 49)


def draw(z, size, alpha):  # (n / 50, 50, Z) -> (n, size, size, 1) on the host, and their distance in floors
    with mg.no_grad():
        x = np.concatenate([G(part, size, alpha).numpy() for part in z])
    return x, metrics.frechet_ratio(judge.features(pooled(x)), test_features, train_features).ratio


train_features, test_features = judge.features(pooled(x_train[:n_drawn])), judge.features(pooled(x_test))  # (n, 64)
test_patches = patches(x_test)
no_detail = metrics.frechet_distance(np.zeros_like(test_patches), test_patches)
right = metrics.label_accuracy(judge.labels(pooled(x_test)), y_test)
lesson.promise("pooled test letters that are read right, %", 100 * right, low=99)

# %% [markdown]
# **Training**, twice: growing, and at 56x56 from the start. What does a step cost? A 4x4 layer multiplies each of its
# weights once at each place of the smaller picture. Here the channels are halved whenever the side doubles, so all
# these layers cost the same, and the third one adds half: a step at 28x28 costs two thirds. So the network that grows
# takes 1.15 times as many steps, and still multiplies less. (In time it saves a little more: at 56x56 twice as many
# numbers go through memory.)
#
# We draw with averaged weights; the average begins anew at 56x56, or the new layers' first, random weights would stay
# in it for long.

# %%
layer, dense = 7 * 7 * 4 * 4 * 64 * 32, 7 * 7 * 64 * Z  # places x kernel x channels in and out; in G as in D
# multiplications of a picture's way through G, or D (without R1 and the fade-in's second path: the ratio counts)
cost = {28: 2 * layer + dense + 28 * 28 * 16, 56: 3 * layer + dense + 56 * 56 * 8}
courses, results = {}, {}
for name, stages in (("grown", [(28, small_steps), (56, large_steps)]), ("at once", [(56, steps)])):
    G, D, d_adam, g_adam, rng = start()
    z = mg.random.normal((n_drawn // 50, 50, Z))  # of the pictures that we look at
    spent, seconds, course = 0, 0.0, []  # multiplications and CPU time until now
    for size, count in stages:
        ema = optim.ExponentialMovingAverage(G, decay=0.99, warm_up=True)
        for step in lesson.progress(range(count), f"{name}, {size}x{size}"):
            begin = time.process_time()
            alpha = min(1, step / fade_steps) if name == "grown" and size == 56 else 1
            fake = G(mg.random.normal((N, Z)), size, alpha)  # (N, size, size, 1)
            d_step(real(size, alpha), fake, alpha, with_r1=step % 8 == 0)
            g_step(fake, alpha)
            ema.update()
            spent, seconds = spent + cost[size], seconds + time.process_time() - begin
            if (step + 1) % max(1, steps // 8) == 0:
                with ema.applied():
                    course.append((spent, seconds, draw(z, size, alpha)[1]))
        with ema.applied():
            x, distance = draw(z, size, alpha)  # (n_drawn, size, size, 1), a number
            results[name, size] = x, G.state_dict()
        course.append((spent, seconds, distance))
    courses[name] = np.array(course)  # (measurements, 3)

# %%
products, seconds, distance = courses["grown"][-1] / courses["at once"][-1]
lesson.promise("multiplications, grown over at once", products, high=0.95)
lesson.promise("CPU seconds, grown over at once", seconds)
lesson.promise("distance, grown over at once", distance, high=2 if hold else None)
figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), width_ratios=[1, 1, 1, 1.2])
for ax, ((name, size), (x, _)) in zip(axes[:3], results.items(), strict=True):
    lesson.show(ax, x[:36], f"{name}, {size}x{size}", columns=6)
for name, course in courses.items():
    lesson.promise(f"distance at 56x56, {name}, floors", course[-1, 2])
    lesson.promise(f"largest rise of the distance, {name}, floors", np.diff(course[:, 2]).max(initial=0))
    detail = metrics.frechet_distance(patches(results[name, 56][0]), test_patches)
    lesson.promise(f"detail, {name}", detail / no_detail)
    axes[3].semilogy(course[:, 0] / cost[56], course[:, 2], ".-", label=name)
axes[3].axvline(small_steps * cost[28] / cost[56], color="gray", linestyle=":", label="here it grows")
axes[3].set(title="Frechet distance, in floors", xlabel="multiplications, in steps at 56x56")
axes[3].legend()
lesson.save(figure, "09_progressive_gan.png")

# %% [markdown]
# **So?** Here growing does not pay. Step by step a GAN of 28x28 learns about as fast as one of 56x56, a step of it
# costs two thirds, and growing itself throws the letters back (by 1.2 floors with seeds 1 and 2). Karras et al.
# doubled eight times, and each time a step became several times dearer: there most steps were far cheaper ones, and
# growing was 2 to 6 times as fast.
#
# **Break it.** Leave the fade-in out. The old layers are as they were, yet at alpha = 1 the first large pictures come
# out of layers that have learned nothing. (How the training would go on from there is not measured here.)
# The exercise: `minigen learn run average_pooling_backward`, the way back through D's old entrance.

# %%
G, z = Generator(), mg.random.normal((n_drawn // 50, 50, Z))
G.load_state_dict(results["grown", 28][1])
faded, sudden = (draw(z, 56, alpha)[1] for alpha in (0, 1))
lesson.promise("distance after growing, alpha = 0, floors", faded)
lesson.promise("distance after growing, alpha = 1, times as far", sudden / faded, low=2 if hold else None)

# %% [markdown]
# **The same in Keras and in PyTorch**: the fade-in, from the 16 channels `h` of 28x28 and the weights of the grown G.

# %%
G.load_state_dict(results["grown", 56][1])
with mg.no_grad():
    h = G.rest(G.first(z[0, :8]).reshape(-1, 7, 7, 64)).numpy()  # (8, 28, 28, 16)
    mixed = G(z[0, :8], 56, 0.3).numpy()  # (8, 56, 56, 1)
weights = {path: mg.to_numpy(p) for path, p in G.state_dict().items()}

# %% [markdown]
# ```python
# import torch
# from torch.nn import functional as F
# x = torch.tensor(h).permute(0, 3, 1, 2)  # N, C, H, W
# w = {path: torch.tensor(p.transpose(3, 2, 0, 1) if p.ndim == 4 else p) for path, p in weights.items()}
# large = F.leaky_relu(F.conv_transpose2d(x, w["up.w"], w["up.b"], stride=2, padding=1), 0.2)
# new = torch.sigmoid(F.conv2d(large, w["to_56.w"], w["to_56.b"]))
# old = torch.sigmoid(F.conv2d(x, w["to_28.w"], w["to_28.b"]))
# mixed = 0.3 * new + 0.7 * F.interpolate(old, scale_factor=2)  # (N, 1, 56, 56)
# ```
# ```python
# import keras
# up = keras.layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation=keras.layers.LeakyReLU(0.2))
# to_56, to_28 = (keras.layers.Conv2D(1, 1, activation="sigmoid") for _ in range(2))
# for layer, name in ((up, "up"), (to_56, "to_56"), (to_28, "to_28")):
#     layer.build((8, 56, 56, 8) if name == "to_56" else h.shape)
#     layer.set_weights([weights[name + ".w"], weights[name + ".b"]])
# mixed = 0.3 * to_56(up(h)) + 0.7 * keras.layers.UpSampling2D()(to_28(h))
# ```

# %%
lesson.report(args)
