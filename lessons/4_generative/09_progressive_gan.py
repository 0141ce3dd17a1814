"""Growing a GAN: small pictures first, then larger ones

Goal: train a GAN at 28x28, add layers for 56x56 and fade them in; and see what that saves against 56x56 at once.
Needs: a GAN for pictures (lesson 4.7), R1 and averaged weights (4.6), the Frechet distance (4.4).
Time: about 3 min (--quick: 7 s)
You should see: that with one doubling growing does not pay yet. For 0.93 of the multiplications, its distance from
    real letters is 0.99, 1.15 and 1.25 times that of the same network trained at 56x56 from the start (seeds 0, 1, 2),
    and its detail is coarser. And why Karras et al. did gain by it. In 09_progressive_gan.png the letters of both.
"""

# %% [markdown]
# What is hard about a large picture is not its detail. It is the shape of the whole, which a small picture shows as
# well. So Karras et al. (2018) let a GAN learn small pictures first, and then give both networks new layers that double
# the side. Most of the steps are then done where a step is cheap.

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
hold = steps >= 640  # fewer steps promise less
small_steps, large_steps, fade_steps = steps * 7 // 10, steps * 9 // 20, max(1, steps // 8)
n_train, n_test, n_drawn = (200, 200, 100) if args.quick else (4000, 2000, 500)
x_train = data.glyphs(n_train, size=56, seed=args.seed).images  # (n, 56, 56, 1) in [0, 1]: 28 letters, 16 fonts
x_test, y_test, _ = data.glyphs(n_test, size=56, seed=args.seed + 1000)
N, Z = 16, 64  # pictures in a batch, numbers in z
print(f"{n_train} letters; {steps} steps of {N} at 56x56, or {small_steps} at 28x28 and then {large_steps} at 56x56")

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
        to_14, to_28 = nn.ConvTranspose2d(64, 32, 4, **half, **he), nn.ConvTranspose2d(32, 16, 4, **half, **he)
        self.rest = nn.Sequential(pixel_norm, act, to_14, pixel_norm, act, to_28, pixel_norm, act)
        self.to_28 = nn.Conv2d(16, 1, 1)
        self.up = nn.ConvTranspose2d(16, 8, 4, **half, **he)
        self.to_56 = nn.Conv2d(8, 1, 1)

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
# standard deviation*: how much the pictures differ. If G draws always the same, D sees it there.


# %%
class Discriminator(nn.Module):
    def __init__(self):
        self.from_56 = nn.Conv2d(1, 8, 1, **he)
        self.down = nn.Conv2d(8, 16, 4, **half, **he)
        self.from_28 = nn.Conv2d(1, 16, 1, **he)
        to_14, to_7 = nn.Conv2d(16, 32, 4, **half, **he), nn.Conv2d(32, 64, 4, **half, **he)
        self.rest = nn.Sequential(to_14, act, to_7, act, nn.Flatten())
        self.last = nn.Sequential(nn.Dense(7 * 7 * 64 + 1, 64, **he), act, nn.Dense(64, 1))

    def forward(self, x, alpha):  # (N, size, size, 1) -> logits (N, 1)
        size = x.shape[1]
        if size == 56:
            new = act(self.down(act(self.from_56(x))))  # (N, 28, 28, 16)
        if size == 28 or alpha < 1:
            old = act(self.from_28(x if size == 28 else mg.avg_pool2d(x, kernel=2)))  # (N, 28, 28, 16)
        h = self.rest(old if size == 28 else new if alpha == 1 else new * alpha + old * (1 - alpha))  # (N, 7 7 64)
        spread = (((h - h.mean(axis=0)) ** 2).mean(axis=0) + 1e-8) ** 0.5  # (7 7 64,)
        column = mg.broadcast_to(spread.mean().reshape(1, 1), shape=(len(x), 1))  # (N, 1), the same in each row
        return self.last(mg.concatenate(h, column, axis=1))


mg.seed(args.seed)
G, D = Generator(), Discriminator()
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
def real(rng, size, alpha):  # -> (N, size, size, 1)
    x = mg.asarray(x_train[rng.integers(n_train, size=N)])  # (N, 56, 56, 1)
    if size == 56 and alpha == 1:
        return x
    small = mg.avg_pool2d(x, kernel=2)  # (N, 28, 28, 1)
    return small if size == 28 else x * alpha + mg.upsample2d(small) * (1 - alpha)


def d_step(D, adam, x, fake, alpha, with_r1):  # x, fake (N, size, size, 1)
    loss = mg.softplus(-D(x, alpha)).mean() + mg.softplus(D(fake.detach(), alpha)).mean()
    if with_r1:
        x = mg.tensor(x, requires_grad=True)
        slope = mg.grad(D(x, alpha).sum(), x, create_graph=True)  # (N, size, size, 1)
        loss = loss + 8 * 0.15 * (x.shape[1] / 28) ** 2 * (slope**2).sum() / N
    adam.zero_grad()
    loss.backward()
    adam.step()


def g_step(D, adam, fake, alpha):  # fake: with the graph that leads back to G
    D.requires_grad_(False)
    adam.zero_grad()
    mg.softplus(-D(fake, alpha)).mean().backward()
    adam.step()
    D.requires_grad_(True)


# %% [markdown]
# **Who moves?** D's step moves nothing of G, and G's step nothing of D. At 28x28 the new layers rest. During the
# fade-in all layers learn, the old ones, too. After it, the old entrance and the old exit are out of use.


# %%
def start():
    mg.seed(args.seed)
    G, D = Generator(), Discriminator()
    d_adam, g_adam = (optim.Adam(net.parameters(), lr=2.5e-3, betas=(0, 0.99)) for net in (D, G))
    return G, D, d_adam, g_adam, np.random.default_rng(args.seed)  # the last one chooses the real pictures


def moved(net, before):  # -> the parts of `net` of which a number is no longer what it was
    return {path.split(".")[0] for path, p in net.state_dict().items() if (p != before[path]).any()}


new, old = {"up", "to_56", "from_56", "down"}, {"to_28", "from_28"}
for size, alpha, at_rest in ((28, 1, new), (56, 0.5, set()), (56, 1, old)):
    G, D, d_adam, g_adam, rng = start()
    g_before, d_before, fake = G.state_dict(), D.state_dict(), G(z, size, alpha)
    d_step(D, d_adam, real(rng, size, alpha), fake, alpha, with_r1=True)
    assert not moved(G, g_before) and moved(D, d_before) == {part for part, _ in D.children()} - at_rest
    d_before = D.state_dict()
    g_step(D, g_adam, fake, alpha)
    assert not moved(D, d_before) and moved(G, g_before) == {part for part, _ in G.children()} - at_rest

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


train_features, test_features = judge.features(pooled(x_train[:n_drawn])), judge.features(pooled(x_test))  # (n, 64)
test_patches = patches(x_test)
no_detail = metrics.frechet_distance(np.zeros_like(test_patches), test_patches)
right = metrics.label_accuracy(judge.labels(pooled(x_test)), y_test)
lesson.promise("pooled test letters that are read right, %", 100 * right, low=99)

# %% [markdown]
# **Training**, twice: growing, and at 56x56 from the start. A step at 28x28 is cheaper, so the network that grows may
# take more of them, 1.15 times as many in all, and still multiply less. We draw with averaged weights; the average
# begins anew at 56x56, or the new layers' first, random weights would stay in it for long. We measure now and then, and
# stop the clock (CPU seconds) meanwhile.


# %%
def train(name, stages, fade):  # stages: (size, steps); fade: how many steps at 56x56 until alpha is 1
    G, D, d_adam, g_adam, rng = start()
    watch, seconds, course, results = mg.random.normal((n_drawn // 50, 50, Z)), 0.0, [], []

    def measure():  # -> pictures (n_drawn, size, size, 1) on the host
        with mg.no_grad(), ema.applied():
            drawn = np.concatenate([G(z, size, alpha).numpy() for z in watch])
        floors = metrics.frechet_ratio(judge.features(pooled(drawn)), test_features, train_features).ratio
        course.append((seconds, floors))
        return drawn

    for size, count in stages:
        ema = optim.ExponentialMovingAverage(G, decay=0.99, warm_up=True)
        for step in lesson.progress(range(count), f"{name}, {size}x{size}"):
            begin = time.process_time()
            alpha = min(1, step / fade) if fade and size == 56 else 1
            fake = G(mg.random.normal((N, Z)), size, alpha)  # (N, size, size, 1)
            d_step(D, d_adam, real(rng, size, alpha), fake, alpha, with_r1=step % 8 == 0)
            g_step(D, g_adam, fake, alpha)
            ema.update()
            seconds += time.process_time() - begin
            if (step + 1) % max(1, steps // 8) == 0:
                measure()
        with ema.applied():
            results.append((measure(), G.state_dict(), seconds))
    return np.array(course), results  # (measurements, 2): CPU seconds, floors


stages = (28, small_steps), (56, large_steps)
grown, ((small, g_small, switch), (large, g_large, _)) = train("growing", stages, fade_steps)
direct, ((at_once, *_),) = train("at once", [(56, steps)], 0)

# %% [markdown]
# **What it costs.** A 4x4 layer multiplies each of its weights once at each place of the smaller picture. In our
# networks the channels are halved whenever the side doubles: so all these layers cost the same, and the third one adds
# half. A step is 3 passes through G (forward, backward to inputs and to weights) and, without R1, 8 through D. And a
# CPU minds not only multiplications, but also how many numbers go through memory: at 56x56 there are twice as many.

# %%
layer = 7 * 7 * 4 * 4 * 64 * 32  # places x kernel x channels in and out
assert layer == 14 * 14 * 4 * 4 * 32 * 16 == 28 * 28 * 4 * 4 * 16 * 8
dense = 7 * 7 * 64 * Z  # at G's beginning and, with 64 hidden units, at D's end
cost = {28: 2 * layer + dense + 28 * 28 * 16, 56: 3 * layer + dense + 56 * 56 * 8}  # of G, and D, for one picture
products = [11 * N * (a * cost[28] + b * cost[56]) for a, b in ((small_steps, large_steps), (0, steps))]
print(f"{products[0]:.3g} multiplications when growing, {products[1]:.3g} at once")
for name, course, x in (("grown", grown, large), ("at once", direct, at_once)):
    lesson.promise(f"CPU seconds, {name}", course[-1, 0])
    lesson.promise(f"distance at 56x56, {name}, floors", course[-1, 1])
    lesson.promise(f"detail, {name}", metrics.frechet_distance(patches(x), test_patches) / no_detail)
    lesson.promise(f"largest rise of the distance, {name}, floors", np.diff(course[:, 1]).max(initial=0))
lesson.promise("multiplications, grown over at once", products[0] / products[1], high=0.95)
lesson.promise("CPU seconds, grown over at once", grown[-1, 0] / direct[-1, 0])
lesson.promise("distance, grown over at once", grown[-1, 1] / direct[-1, 1], high=1.4 if hold else None)

# %%
figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), width_ratios=[1, 1, 1, 1.2])
titles = "Growing: 28x28", "Growing: then 56x56", "56x56 from the start"
for ax, x, title in zip(axes[:3], (small, large, at_once), titles, strict=True):
    tiles = x[:36, ..., 0].reshape(6, 6, x.shape[1], -1).transpose(0, 2, 1, 3)  # (6, side, 6, side)
    ax.imshow(tiles.reshape(6 * x.shape[1], -1), cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
axes[3].semilogy(*grown.T, ".-", label="growing")
axes[3].semilogy(*direct.T, ".-", label="56x56 at once")
axes[3].axvline(switch, color="gray", linestyle=":", label="here it grows")
axes[3].set(title="Frechet distance, in floors", xlabel="CPU seconds of training")
axes[3].legend()
lesson.save(figure, "09_progressive_gan.png")

# %% [markdown]
# **So?** Here growing does not pay. With seeds 0, 1 and 2 the grown network is 0.99, 1.15 and 1.25 times as far from
# real letters as the other. Step by step a GAN of 28x28 learns about as fast as one of 56x56, a step of it costs two
# thirds, and growing itself throws the letters back, as the curve shows. Karras et al. doubled eight times, and each
# time a step became several times dearer: there most steps were far cheaper ones, and growing was 2 to 6 times as fast.
#
# **Break it.** Leave the fade-in out. The old layers are as they were, yet at alpha = 1 the first large pictures come
# out of layers that have learned nothing. (How the training would go on from there is not measured here.)
# The exercise: `minigen learn run average_pooling_backward`, the way back through D's old entrance.

# %%
G, floors = Generator(), {}
G.load_state_dict(g_small)
z = mg.random.normal((n_drawn, Z))
for alpha in (0, 1):
    with mg.no_grad():
        x = G(z, 56, alpha).numpy()  # (n_drawn, 56, 56, 1)
    floors[alpha] = metrics.frechet_ratio(judge.features(pooled(x)), test_features, train_features).ratio
lesson.promise("distance after growing, alpha = 0, floors", floors[0])
lesson.promise("distance after growing, alpha = 1, times as far", floors[1] / floors[0], low=2 if hold else None)

# %% [markdown]
# **The same in Keras and in PyTorch**: the fade-in, from the 16 channels `h` of 28x28 and the weights of the grown G.

# %%
G.load_state_dict(g_large)
with mg.no_grad():
    h = G.rest(G.first(z[:8]).reshape(-1, 7, 7, 64)).numpy()  # (8, 28, 28, 16)
    mixed = G(z[:8], 56, 0.3).numpy()  # (8, 56, 56, 1)
weights = {path: mg.to_numpy(p) for path, p in G.state_dict().items()}

# %% [markdown]
# ```python
# import torch
# from torch.nn import functional as F
# x = torch.tensor(h).permute(0, 3, 1, 2)  # N, C, H, W
# w = {path: torch.tensor(p) for path, p in weights.items()}
# w = {path: p.permute(3, 2, 0, 1) if p.ndim == 4 else p for path, p in w.items()}
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
