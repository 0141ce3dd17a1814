"""DDPM: a diffusion model that draws digits

Goal: diffusion on images: a small U-Net, two noise schedules, and a sampler that needs a tenth of the calls.
Needs: diffusion in the plane (lesson 4.14), convolutions, group norm.
Time: about 4 min on two cores (--quick: 5 s; --steps 2000: half of that; --schedule linear: the other schedule;
    --data mnist: 28x28, 15 min, or 30 s with --quick; nothing is promised of it).
You should see: new digits at most twice as far from test digits as training digits are (Frechet distance), all ten
    digits among them, none copied; and in 20 steps instead of 200, digits at most 1.5 times as far.
"""

# %% [markdown]
# Lesson 4.14 in short: noise is added to the data in T steps; after step t the share alpha_bar[t] of the variance is
# the data's. A network learns to guess the noise, and drawing goes back from pure noise. With images, the **schedule**
# of alpha_bar matters. Ho et al. (2020) let beta grow evenly (*linear*). Nichol and Dhariwal (2021) saw that small
# images are then almost pure noise for much of the way, and let alpha_bar fall along a squared *cosine*.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim, parallel, xp  # xp is NumPy, or CuPy with --backend cupy
from minigen.models import diffusion

args = lesson.arguments(__doc__, data=("digits", "mnist"), steps=0, schedule="cosine")
plt = lesson.pyplot()
x_train, _, x_test, _ = data.mnist() if args.data == "mnist" else data.digits()
x_train, x_test = mg.asarray(x_train[: 2000 if args.quick else None]), mg.asarray(x_test[:1000])  # MNIST has more
x, side = 2 * x_train - 1, x_train.shape[1]  # (N, side, side, 1), paper -1, ink 1: its mean is nearer to the noise's
tiny, T, batch_size = side == 8, 40 if args.quick else 200, 16 if args.quick else 64
steps, n = args.steps or (20 if args.quick else 4000 if tiny else 2000), 40 if args.quick else 1000 if tiny else 500
sure = tiny and steps >= 2000 and args.schedule == "cosine"  # what is promised below is promised for these
fall = xp.cos((xp.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2  # (T + 1,)
betas = {"cosine": xp.minimum(1 - fall[1:] / fall[:-1], 0.999), "linear": xp.linspace(0.1, 20, T) / T}  # (T,) each
if args.schedule not in betas:
    raise SystemExit(f"--schedule: got {args.schedule!r}; wants one of {', '.join(betas)}")
alpha_bars = {name: xp.cumprod(1 - beta).astype("float32") for name, beta in betas.items()}  # (T,) each
alpha_bar = alpha_bars[args.schedule]


# %%
def noised(x, t, noise, alpha_bar):  # (n, side, side, 1), (n,), (n, side, side, 1), (T,) -> (n, side, side, 1)
    share = alpha_bar[t].reshape(-1, 1, 1, 1)
    return xp.sqrt(share) * x + xp.sqrt(1 - share) * noise


figure, axes = plt.subplots(2, 1, figsize=(8, 1.6))
t, noise = xp.arange(0, T, T // 20), mg.random.normal((1, side, side, 1))  # (20,), the same noise for all
for ax, (name, share) in zip(axes, alpha_bars.items(), strict=True):
    images = (noised(x[3:4], t, noise, share) + 1) / 2  # (20, side, side, 1)
    lesson.show(ax, images, f"{name}, t = 0, {T // 20}, ... {T - T // 20}", columns=20)
    least, most = {"cosine": (None, 0.1), "linear": (0.3, 0.4)}[name]
    lesson.promise(f"{name}: steps with under 1 % of the digit", (share < 0.01).mean(), low=least, high=most)
lesson.save(figure, "15_ddpm_schedules.png")

# %% [markdown]
# **The U-Net** (Ronneberger et al. 2015, as Ho et al. have it), of 258,433 numbers for 8x8 pixels. Half the size shows
# a digit as a whole, the full size its strokes: so go down, come up, and put beside what comes up what was there
# before. Each block adds to its input (*residual*), and numbers added to its channels tell it the time.


# %%
class Block(nn.Module):
    def __init__(self, inputs, outputs):
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.time, self.past = nn.Dense(128, outputs), nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x, time):  # x (n, H, W, inputs), time (n, 128) -> (n, H, W, outputs)
        h = self.conv1(mg.silu(self.norm1(x))) + self.time(time).reshape(len(x), 1, 1, -1)
        return self.conv2(mg.silu(self.norm2(h))) + (self.past(x) if self.past else x)


class UNet(nn.Module):
    def __init__(self):
        self.clock = nn.Sequential(nn.Dense(64, 128), nn.SiLU(), nn.Dense(128, 128), nn.SiLU())
        self.first, self.large1 = nn.Conv2d(1, 32, 3, padding=1), Block(32, 32)
        self.down, self.small1, self.small2 = nn.Conv2d(32, 32, 3, stride=2, padding=1), Block(32, 64), Block(64, 64)
        self.up, self.large2 = nn.Sequential(nn.Upsample(2), nn.Conv2d(64, 32, 3, padding=1)), Block(64, 32)
        self.last = nn.Sequential(nn.GroupNorm(8, 32), nn.SiLU(), nn.Conv2d(32, 1, 3, padding=1))

    def forward(self, x, t):  # x (n, side, side, 1), t (n,) -> (n, side, side, 1)
        angle = t[:, None] / T * xp.logspace(0, 3, 32)  # (n, 32)
        time = self.clock(xp.concatenate([xp.sin(angle), xp.cos(angle)], axis=1).astype("float32"))  # (n, 128)
        across = self.large1(self.first(x), time)  # (n, side, side, 32)
        h = self.small2(self.small1(self.down(across), time), time)  # (n, side/2, side/2, 64)
        return self.last(self.large2(mg.concatenate(self.up(h), across, axis=3), time))


# %% [markdown]
# **The sampler.** The loss asks only for x_t given x_0, not for the way from one step to the next. So a step may go
# from t to any earlier s (*DDIM*: Song, Meng and Ermon 2021, eq. 12): the guess tells x_0, and x_s is made of that, of
# sigma of new noise, and of the guess. With eta = 0, sigma is 0: DDIM. With eta = 1 and every step it is DDPM, with a
# little less noise than in lesson 4.14. The last step goes to x_0 itself. x_0 is clipped to [-1, 1].


# %%
def step(x_t, guess, now, then, sigma, noise):  # images; now, then: alpha_bar[t] and alpha_bar[s]
    x_0 = ((x_t - (1 - now) ** 0.5 * guess) / now**0.5).clip(-1, 1)
    guess = (x_t - now**0.5 * x_0) / (1 - now) ** 0.5
    return then**0.5 * x_0 + max(1 - then - sigma**2, 0) ** 0.5 * guess + sigma * noise


def sample(net, alpha_bar, n, steps=T, eta=1.0, seed=args.seed):  # -> (n, side, side, 1), grey values in [0, 1]
    if not 1 <= steps <= T:
        raise ValueError(f"sample: steps is {steps}; the network has learned {T} steps, so it wants 1 to {T}")
    rng = xp.random.default_rng(seed)  # its own: nothing but the seed decides
    x_t = rng.standard_normal((n, side, side, 1), dtype="float32")
    times = [k * T // steps for k in range(steps)][::-1]  # evenly spaced, down to 0
    for t, s in zip(times, [*times[1:], None], strict=True):
        now, then = float(alpha_bar[t]), 1.0 if s is None else float(alpha_bar[s])
        sigma = eta * ((1 - then) / (1 - now) * (1 - now / then)) ** 0.5
        with mg.no_grad():
            guess = net(x_t, xp.full(n, t)).data
        x_t = step(x_t, guess, now, then, sigma, rng.standard_normal(x_t.shape, dtype="float32"))
    return (x_t + 1) / 2


# %% [markdown]
# **Training**, as in lesson 4.14. `team.backward` is `loss.backward`, with a part of the batch on each core. On the way
# we draw a few digits, always from the same noise, in 20 steps: look at 15_ddpm_training.png while it runs.

# %%
# For 28x28 the library's U-Net, the same with one more halving, so that the strokes of a whole digit can agree.
net = UNet() if tiny else diffusion.UNet(T=T, widths=(32, 64, 64))
assert not tiny or net.parameter_count() == 258_433
rng = mg.random.generator()
adam = optim.Adam(net.parameters(), lr=2e-3)
schedule = optim.WarmUp(adam, steps=50, then=optim.CosineLR(adam, steps=steps))
ema = optim.ExponentialMovingAverage(net, decay=0.995, warm_up=True)
figure, axes = plt.subplots(1, 4, figsize=(11, 1))
looks = dict(zip((steps // 20, steps // 8, steps // 2, steps), axes, strict=True))  # at which steps, and where
with parallel.Team(lambda x, t, e: mg.mse(net(noised(x, t, e, alpha_bar), t), e), adam) as team:
    for k in lesson.progress(range(1, steps + 1), "training"):
        x_0, t = x[rng.integers(len(x), size=batch_size)], rng.integers(T, size=batch_size)
        adam.zero_grad()
        team.backward(x_0, t, mg.random.normal(x_0.shape))
        adam.step()
        schedule.step()
        ema.update()
        if k in looks:
            with ema.applied():
                lesson.show(looks[k], sample(net, alpha_bar, 20, steps=20, eta=0.0), f"step {k:,}")
            lesson.save(figure, "15_ddpm_training.png")
for parameter, average in zip(net.parameters(), ema.averages, strict=True):
    parameter.data = average  # from here on the network is the averaged one

# %% [markdown]
# **How good are they?** The measures of lesson 4.4: the *Frechet distance* to the test digits, over its floor, that of
# training digits; *coverage*, the share of test digits with a drawn one near; *label entropy*, ln 10 = 2.303 if all ten
# come equally often; the distance to the nearest training digit, near 0 for copies. Of 1,000 digits: fewer vary more.
# After 2,000 training steps (seed 0), 20 steps of DDIM gave 1.9 floors with the linear schedule, 1.4 with the cosine.

# %%
judge = metrics.classifier(args.data)
of_train, of_test = judge.features(x_train), judge.features(x_test)  # (N, 64), (M, 64)
low, ratios = 0.93 if sure else None, []
figure, axes = plt.subplots(1, 3, figsize=(9, 1.7))
lesson.show(axes[0], x_test[:40], "test digits")
for ax, count, eta in zip(axes[1:], (T, 20), (1.0, 0.0), strict=True):
    title = f"{count} steps of {'DDPM' if eta else 'DDIM'}"
    images = sample(net, alpha_bar, n, count, eta)  # (n, side, side, 1)
    features, labels = judge.features(images), judge.labels(images)  # (n, 64), (n,)
    ratio = metrics.frechet_ratio(features, of_test, of_train).ratio
    ratios.append(lesson.promise(f"{title}: Frechet distance, times the floor", ratio, high=low and 2))
    lesson.promise(f"{title}: coverage", metrics.density_coverage(of_test, features).coverage, low=low)
    lesson.promise(f"{title}: label entropy", metrics.label_entropy(labels, 10), low=low and 2.25)
    nearest = metrics.memorising(images, x_test, x_train)
    lesson.promise(f"{title}: to the nearest, times real", nearest, low=low and 0.95)
    lesson.show(ax, images[:40], title)
lesson.save(figure, "15_ddpm.png")
lesson.promise("DDIM in 20 steps, times the distance of all steps", ratios[1] / ratios[0], high=low and 1.5)

# %% [markdown]
# **The score**, the gradient of the logarithm of a density, is the direction in which data become more likely; Song
# and Ermon (2019) learn it. For data with noise of size sigma = sqrt(1 - alpha_bar[t]) it is -guess / sigma: the
# network has it, too. Check: noisy training digits are a mixture of normals, whose score is known. With much noise they
# agree. With little, the exact one points to the nearest *training* digit: who follows it can only copy.

# %%
for t in (T * 3 // 4, T // 2, T // 8):
    now, then = float(alpha_bar[t]), float(alpha_bar[0])
    x_t = noised(2 * x_test[:100] - 1, xp.full(100, t), mg.random.normal((100, side, side, 1)), alpha_bar)
    with mg.no_grad():
        guess = net(x_t, xp.full(100, t)).data  # (100, side, side, 1)
    means, points = now**0.5 * x.reshape(len(x), -1), x_t.reshape(100, -1)  # (N, D), (100, D): D pixels
    away = (means**2).sum(axis=1) - 2 * points @ means.T  # (100, N): |point - mean|^2, less what is the same for all
    share = mg.softmax(-away / (2 * (1 - now)))  # (100, N): of which digit? by Bayes' rule
    exact = (share @ means - points) / (1 - now)  # (100, D)
    ours = -guess.reshape(100, -1) / (1 - now) ** 0.5  # (100, D)
    cosine = (ours * exact).sum(axis=1) / xp.linalg.norm(ours, axis=1) / xp.linalg.norm(exact, axis=1)  # (100,)
    least, most = (0.9, None) if t >= T / 2 else (None, 0.9)
    lesson.promise(f"cosine of the scores, t = {t}", cosine.mean(), low=low and least, high=low and most)

# %% [markdown]
# **Break it.** An error of one place, in DDIM: tell the network the time of the step before. Nothing raises; the number
# tells. **Exercise**: `minigen learn run diffusion_loss`.

# %%
late = sample(lambda x_t, t: net(x_t, xp.minimum(t + T // 20, T - 1)), alpha_bar, n, 20, 0.0)  # (n, side, side, 1)
wrong = metrics.frechet_ratio(judge.features(late), of_test, of_train).ratio
lesson.promise("told the time of the step before, times the distance", wrong / ratios[1], low=low and 1.2)
x_t, guess, x_s = (mg.to_numpy(a) for a in (x_t, guess, step(x_t, guess, now, then, 0.0, 0.0)))  # for the cell below

# %% [markdown]
# **The same in Keras and in PyTorch**: a step of DDIM, from `x_t` with the network's `guess` straight to t = 0.
# ```python
# import torch
# x, e = torch.tensor(x_t), torch.tensor(guess)
# x_0 = ((x - (1 - now) ** 0.5 * e) / now**0.5).clip(-1, 1)
# x_s = then**0.5 * x_0 + (1 - then) ** 0.5 * (x - now**0.5 * x_0) / (1 - now) ** 0.5
# ```
# ```python
# import keras
# x, e = keras.ops.convert_to_tensor(x_t), keras.ops.convert_to_tensor(guess)
# x_0 = keras.ops.clip((x - (1 - now) ** 0.5 * e) / now**0.5, -1, 1)
# x_s = then**0.5 * x_0 + (1 - then) ** 0.5 * (x - now**0.5 * x_0) / (1 - now) ** 0.5
# ```

# %%
lesson.report(args)
