"""Diffusion in the plane: from noise to shapes, step by step

Goal: train a diffusion model on points in the plane, where every step of it can be drawn.
Needs: dense layers, the training loop, the normal distribution.
Time: about 45 s (--quick: 4 s; --data rings or spiral).
You should see: points drawn by the model at most 1.5 times as far from real ones as other real ones are (sliced
    Wasserstein distance, 5,000 points); without noise on the way back, at least 10 times as far.
"""

# %% [markdown]
# A diffusion model (Sohl-Dickstein et al. 2015; Ho, Jain and Abbeel 2020) learns to undo the ruin of its data. The
# *forward process* adds a little noise to a point, T times, until nothing but noise is left. A network learns to tell
# the noise in a noisy point. The *reverse process* starts from pure noise and takes it out little by little.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__, data=("moons", "rings", "spiral"), steps=4000)
plt = lesson.pyplot()
draw = {"moons": data.moons, "rings": data.rings, "spiral": data.spiral}[args.data]
points = mg.asarray(draw(50_000, seed=args.seed)[0])  # (N, 2)
middle, scale = points.mean(axis=0), points.std()  # (2,), one number
x_train = (points - middle) / scale  # (N, 2), about as wide as the noise that will be added

# %% [markdown]
# **The forward process.** Step t = 0, 1, ..., T - 1 replaces the share beta[t] of the variance by noise:
# x_t = sqrt(1 - beta[t]) x_(t-1) + sqrt(beta[t]) noise. Variances of independent noises add up, so all the steps up to
# t can be taken in one stroke. With alpha_bar[t], the product of 1 - beta[s] for s = 0 ... t,
# x_t = sqrt(alpha_bar[t]) x_0 + sqrt(1 - alpha_bar[t]) noise.

# %%
T = 50 if args.quick else 200
beta = xp.linspace(0.1, 20, T, dtype="float32") / T  # (T,); as Ho et al. have it, for T = 1,000
alpha_bar = xp.cumprod(1 - beta)  # (T,)


def noised(x, t, noise):  # x (n, 2), t (n,) whole numbers, noise (n, 2) -> (n, 2)
    share = alpha_bar[t][:, None]  # (n, 1)
    return xp.sqrt(share) * x + xp.sqrt(1 - share) * noise


x = x_train
for b in beta.tolist()[: T // 4]:
    x = (1 - b) ** 0.5 * x + b**0.5 * mg.random.normal(x.shape)
left = (x * x_train).mean() / (x_train**2).mean()  # the slope of x over x_train: what is left of it
lesson.promise("left after T / 4 steps, over one stroke's", left / xp.sqrt(alpha_bar[T // 4 - 1]), low=0.97, high=1.03)

# %% [markdown]
# **The network** gets a noisy point and its t, and guesses the noise. A number t is hard for a dense layer to use: the
# guess has to change much with some t and little with others. So t is given as sines and cosines of different
# frequencies, as a clock has hands of different speeds (the *time embedding*, after Vaswani et al. 2017).


# %%
class NoiseGuess(nn.Module):
    def __init__(self, H=96):
        self.point, self.time = nn.Dense(2, H), nn.Dense(16, H)
        self.rest = nn.Sequential(nn.SiLU(), nn.Dense(H, H), nn.SiLU(), nn.Dense(H, H), nn.SiLU(), nn.Dense(H, 2))

    def forward(self, x, t):  # x (n, 2), t (n,) -> (n, 2)
        return self.rest(self.point(x) + self.time(clock(t)))


def clock(t):  # (n,) whole numbers -> (n, 16)
    angle = t[:, None] / T * xp.logspace(0, 1.5, 8)  # (n, 8)
    return xp.concatenate([xp.sin(angle), xp.cos(angle)], axis=1).astype("float32")


net = NoiseGuess()

# %% [markdown]
# **The loss** is the mean of (guess - noise)^2, at a random t for each point (Ho et al., eq. 14). It comes from the
# same bound as the VAE's loss, with the weights of the steps left out. It never comes near 0: at small t the noise
# hides in the width of the shape, and nobody could tell it. So the drawings tell more than the loss. What draws in the
# end is not the network itself but a moving average of its weights, `ema`, which is less noisy.

# %%
steps, batch_size = (800, 256) if args.quick else (args.steps, 1024)
most = 6 if args.quick else 1.5 if steps >= 4000 else None  # promised below; with fewer steps nothing is
adam = optim.Adam(net.parameters(), lr=6e-3)
schedule = optim.CosineLR(adam, steps=steps)  # lr falls to 0, so that the end is quiet
ema = optim.ExponentialMovingAverage(net, decay=0.998, warm_up=True)
rng, losses = mg.random.generator(), []
for _ in lesson.progress(range(steps), "training"):
    x_0, t = x_train[rng.integers(len(x_train), size=batch_size)], rng.integers(T, size=batch_size)  # (n, 2), (n,)
    noise = mg.random.normal(x_0.shape)  # (n, 2)
    loss = mg.mse(net(noised(x_0, t, noise), t), noise)
    adam.zero_grad()
    loss.backward()
    adam.step()
    schedule.step()
    ema.update()
    losses.append(loss.item())
lesson.promise("loss at the end", np.mean(losses[-200:]), high=most and 0.5)  # for a guess of 0 it is 1

# %% [markdown]
# **The reverse process** (Ho et al., algorithm 2). If x_0 were known, Bayes' rule would give the mean of x_(t-1): a mix
# of x_t and x_0. With the network's guess for the noise it is the first x below. The spread comes from new noise, of
# the variance beta[t] that the forward step had; only the last step adds none.


# %%
def sample(n, seed, noise_share=1.0):  # -> (T + 1, n, 2): all the points on their way, the new points last
    rng = xp.random.default_rng(seed)  # its own: nothing but the seed decides
    path = [rng.standard_normal((n, 2), dtype="float32")]
    with mg.no_grad(), ema.applied():
        for t in range(T - 1, -1, -1):
            guess = net(path[-1], xp.full(n, t)).data  # (n, 2)
            x = (path[-1] - beta[t] / xp.sqrt(1 - alpha_bar[t]) * guess) / xp.sqrt(1 - beta[t])
            if t > 0:
                x = x + noise_share * xp.sqrt(beta[t]) * rng.standard_normal((n, 2), dtype="float32")
            path.append(x)
    return xp.stack(path)


back = mg.to_numpy(sample(2000, seed=args.seed))  # (T + 1, n, 2)
assert bool((sample(20, seed=1) == sample(20, seed=1)).all())
figure, axes = plt.subplots(2, 5, figsize=(11, 4.8), sharex=True, sharey=True)
for (above, below), t in zip(axes.T, (-1, T // 20, T // 6, T // 3, T - 1), strict=True):
    x = x_train[:2000] if t < 0 else noised(x_train[:2000], xp.full(2000, t), mg.random.normal((2000, 2)))
    above.scatter(*mg.to_numpy(x).T, s=1, color="C0")
    below.scatter(*back[T - 1 - t].T, s=1, color="C1")
    for ax, clean in ((above, "data"), (below, "drawn")):
        ax.set(title=f"t = {t}" if t >= 0 else clean, aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
axes[0, 0].set_ylabel("forward: to the right")
axes[1, 0].set_ylabel("reverse: to the left")
lesson.save(figure, "14_diffusion_2d.png")

# %% [markdown]
# Column by column, the two clouds should look the same. **How good are they?** Project both on a line, sort, and
# compare point with point: the Wasserstein-2 distance in one dimension. Its root mean square over lines of all
# directions is the *sliced* one (Rabin et al. 2011). By chance it is not 0 for two clouds of the same shape. So we take
# the distance of drawn clouds to real ones over that of real ones to each other, the *floor*; both over all pairs.

# %%
clouds, directions = (2, 16) if args.quick else (8, 32)
real = [draw(5000, seed=1000 + 100 * args.seed + k)[0] for k in range(clouds)]  # (5000, 2) each


def mean_distance(a, b):  # two lists of clouds
    return np.mean([metrics.sliced_wasserstein(p, q, directions=directions) for p in a for q in b if p is not q])


floor = mean_distance(real, real)
lesson.promise("floor: sliced W2 of real and real", floor)
drawn = [sample(5000, 100 * args.seed + k)[-1] * scale + middle for k in range(clouds)]  # (5000, 2) each
lesson.promise("drawn and real, times the floor", mean_distance(drawn, real) / floor, high=most)

# %% [markdown]
# **Where the guess points.** Left, the second half of the ways of four points. Right, the guess at t = T / 6, turned
# round: from everywhere it points to where the data lie. (But for a factor this is the *score*, see the next lesson.)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), sharex=True, sharey=True)
for ax in (left, right):
    ax.scatter(*mg.to_numpy(x_train[:5000]).T, s=1, color="lightgray", zorder=0)
for k in range(4):
    left.plot(*back[T // 2 :, k].T, color=f"C{k}", linewidth=0.8)
    left.plot(*back[T // 2, k], "o", *back[-1, k], "*", color=f"C{k}", markersize=9, markeredgecolor="black")
left.set(title="Four ways back from t = T / 2: circle to star", aspect="equal")
ticks = xp.linspace(-2.4, 2.4, 21, dtype="float32")
grid = xp.stack(xp.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)  # (441, 2)
with mg.no_grad(), ema.applied():
    arrows = -net(grid, xp.full(len(grid), T // 6)).data  # (441, 2)
right.quiver(*mg.to_numpy(grid).T, *mg.to_numpy(arrows).T, color="C1", width=0.003)
right.set(title="The guess at t = T / 6, turned round", aspect="equal")
lesson.save(figure, "14_diffusion_ways.png")

# %% [markdown]
# **Break it.** Take the noise out of the reverse process: each step goes to the mean of where the point may come from.
# Means lie inside, and the cloud shrinks. (The next lesson has a sampler without noise that is right.) **Exercises**:
# `minigen learn run diffusion_noising`, the one stroke, and `minigen learn run diffusion_loss`.

# %%
shrunk = sample(5000, 100 * args.seed, noise_share=0.0)[-1] * scale + middle  # (5000, 2)
lesson.promise("without noise on the way back, times the floor", mean_distance([shrunk], real) / floor, low=most and 10)
lesson.promise("..., width over the data's", (shrunk.std(axis=0) / points.std(axis=0)).mean(), high=most and 0.8)
t, noise = rng.integers(T, size=512), mg.random.normal((512, 2))  # for the cell below: a batch, and the weights
x_t = noised(x_train[:512], t, noise)  # (512, 2)
batch_loss = mg.mse(net(x_t, t), noise).item()
hands, x_t, noise = (mg.to_numpy(array) for array in (clock(t), x_t, noise))  # (512, 16), (512, 2), (512, 2)
weights = [mg.to_numpy(parameter.data) for parameter in net.parameters()]

# %% [markdown]
# **The same in Keras and in PyTorch**: the loss of one noisy batch `x_t`, with its time embedding `hands`.
# ```python
# import torch
# w_x, b_x, w_t, b_t, w1, b1, w2, b2, w3, b3 = map(torch.tensor, weights)
# h = torch.tensor(x_t) @ w_x + b_x + torch.tensor(hands) @ w_t + b_t
# for w, b in ((w1, b1), (w2, b2), (w3, b3)):
#     h = torch.nn.functional.silu(h) @ w + b
# batch_loss = torch.nn.functional.mse_loss(h, torch.tensor(noise)).item()
# ```
# ```python
# import keras
# x, t = keras.Input((2,)), keras.Input((16,))
# h = keras.layers.Dense(96)(x) + keras.layers.Dense(96)(t)
# for size in (96, 96, 2):
#     h = keras.layers.Dense(size)(keras.activations.silu(h))
# model = keras.Model([x, t], h)
# model.set_weights(weights)
# batch_loss = keras.ops.mean(keras.ops.subtract(model([x_t, hands]), noise) ** 2)
# ```

# %%
lesson.report(args)
