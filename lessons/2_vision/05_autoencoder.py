"""An autoencoder: pictures through a bottleneck

Goal: compress digits with a network, compare it with PCA, and use what it cannot compress: find what does not belong.
Needs: losses and descent (lesson 1.6); matrices and projections.
Time: about 25 s (--quick: 4 s).
You should see: a linear autoencoder that finds PCA's plane, within a degree; a nonlinear one with less than half of
    PCA's error, at least 4 times as much for digits that are shifted by a pixel, and at least 3 times for digits turned
    by 30 degrees; unknown digits found with a mean AUROC of at least 95 %.
"""

# %% [markdown]
# An *autoencoder* is trained to give back its input, through a *code* of few numbers: encoder x -> z, decoder z -> x.
# What fits through the bottleneck is what the pictures have in common. No labels are needed.
# The classic to compare with is **principal component analysis**, PCA (Pearson 1901): subtract the mean picture, and
# project on the K directions in which the pictures vary most. The singular value decomposition finds them, sorted.

# %%
import math

import minigen as mg
from minigen import data, lesson, nn, optim, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

x_train, y_train, x_test, y_test = (mg.asarray(part) for part in data.digits())
x_train, x_test = x_train.reshape(-1, 64), x_test.reshape(-1, 64)  # (N, D), grey values in [0, 1]


def pca(x):  # (N, D) -> mean (D,), and all directions (D, D), a row each, the most important first
    mean = x.mean(axis=0)
    return mean, xp.linalg.svd(x - mean, full_matrices=False)[2]


K = 8  # numbers in the code
mean, directions = pca(x_train)
rebuilt_by_pca = mean + (x_test - mean) @ directions[:K].T @ directions[:K]  # (N, D), by way of (N, K)
pca_error = float(((rebuilt_by_pca - x_test) ** 2).mean())
print(f"64 pixels in {K} numbers by PCA: test error {pca_error:.4f} per pixel")

# %% [markdown]
# **A linear autoencoder** is two matrices and nothing else. Baldi and Hornik (1989) proved that its loss has no bad
# minima: where descent ends, the rows of the decoder span the same K-dimensional plane as PCA's directions (though
# they are not these directions themselves). The *principal angles* between the two planes measure it: with orthonormal
# bases P and Q, what Q has outside P's plane is Q - P P^T Q; its singular values are their sines.


# %%
def train(net, x, epochs, lr=2e-3, noise=0.0):  # noise: its standard deviation in each pixel of the input, see below
    loader = data.batches(x, batch_size=64, seed=args.seed)
    adam = optim.Adam(net.parameters(), lr=lr)
    schedule = optim.CosineLR(adam, steps=epochs * len(loader))  # smaller and smaller steps, so that the end is quiet
    for _ in lesson.progress(range(epochs), "autoencoder"):
        for clean in loader:  # (n, D)
            seen = clean + noise * mg.random.normal(clean.shape) if noise else clean
            loss = mg.mse(net(seen), clean)
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()


def errors(net, x):  # (N, D) -> (N,), the mean squared error of each picture
    with mg.no_grad():
        return ((net(x).data - x) ** 2).mean(axis=1)


# %%
linear = nn.Sequential(nn.Dense(64, K, bias=False), nn.Dense(K, 64, bias=False))
train(linear, x_train - mean, 100, lr=0.02)
P = directions[:K].T  # (D, K), orthonormal columns
Q = xp.linalg.qr(linear[1].w.data.T)[0]  # (D, K), the same for the decoder's plane
sines = xp.linalg.svd(Q - P @ (P.T @ Q), compute_uv=False)  # (K,)
lesson.promise("largest angle to PCA's plane, degrees", math.degrees(math.asin(float(sines.max()))), high=1)
linear_error = float(errors(linear, x_test - mean).mean())
lesson.promise("the linear one: times PCA's error", linear_error / pca_error, low=0.99, high=1.01)

# %% [markdown]
# **A nonlinear one** can bend its plane into a curved surface that follows the digits. A hidden layer on each side is
# enough. A sigmoid at the end keeps the pixels in [0, 1]. The training is the same.


# %%
def autoencoder(size):  # size: how many numbers the code has
    encoder = nn.Sequential(nn.Dense(64, 512), nn.ReLU(), nn.Dense(512, size))
    return nn.Sequential(encoder, nn.Sequential(nn.Dense(size, 512), nn.ReLU(), nn.Dense(512, 64), nn.Sigmoid()))


net = autoencoder(K)
train(net, x_train, 20 if args.quick else 100)
error = float(errors(net, x_test).mean())
lesson.promise("the nonlinear one: times PCA's error", error / pca_error, high=0.75 if args.quick else 0.5)

# %% [markdown]
# **Two numbers** can be drawn as a point. Do digits of one kind lie together? Give each test digit the label of the
# training digit whose code is nearest, and count how many are right. (No label was used in training.)

# %%
flat = autoencoder(2)
train(flat, x_train, 20 if args.quick else 100)
with mg.no_grad():
    maps = {"autoencoder": (flat[0](x_train).data, flat[0](x_test).data)}  # codes (N, 2)
maps["PCA"] = ((x_train - mean) @ directions[:2].T, (x_test - mean) @ directions[:2].T)
for name, (known, new) in maps.items():
    nearest = ((new[:, None] - known) ** 2).sum(axis=2).argmin(axis=1)  # (N test, N train, 2) -> (N test,)
    right = 100 * float((y_train[nearest] == y_test).mean())
    low, high = (None, 65) if name == "PCA" else (50 if args.quick else 75, None)
    lesson.promise(f"right by the neighbour, {name}, %", right, low=low, high=high)

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 4), width_ratios=[1.1, 1, 1])
with mg.no_grad():
    rows = xp.stack([x_test[:8], rebuilt_by_pca[:8], net(x_test[:8]).data])  # (3, 8, D)
lesson.show(axes[0], rows.reshape(-1, 8, 8), f"Test digits, through {K} numbers", columns=8)
axes[0].set_yticks([4, 13, 22], ["as they are", "PCA", "autoencoder"])
for ax, (name, (_, new)) in zip(axes[1:], maps.items(), strict=True):
    points = ax.scatter(*mg.to_numpy(new).T, c=mg.to_numpy(y_test), cmap="tab10", vmin=-0.5, vmax=9.5, s=12)
    ax.set(title=f"Codes of two numbers: {name}", xlabel="first number", ylabel="second number")
figure.colorbar(points, ax=axes[2], ticks=range(10), label="digit")
lesson.save(figure, "05_autoencoder_codes.png")

# %% [markdown]
# **It has learned where strokes are, not what a digit is.** A digit that is shifted or turned a little is the same
# digit to us. But the autoencoder reconstructs it badly: it was trained on no such pictures. To move a picture, ask
# for each pixel where it comes from, and mix the four pixels around that place (*bilinear* interpolation).


# %%
def moved(x, right=0.0, degrees=0.0):  # (N, D) -> (N, D), the background is 0
    padded = xp.pad(x.reshape(-1, 8, 8), ((0, 0), (8, 8), (8, 8)))  # (N, 24, 24)
    row, column = xp.meshgrid(xp.arange(8) - 3.5, xp.arange(8) - 3.5 - right, indexing="ij")  # (8, 8), 0 is the middle
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    row, column = c * row + s * column + 11.5, c * column - s * row + 11.5  # (8, 8), places in `padded`
    i, j = row.astype(int), column.astype(int)
    down, across = row - i, column - j  # between 0 and 1
    upper = padded[:, i, j] * (1 - across) + padded[:, i, j + 1] * across  # (N, 8, 8)
    lower = padded[:, i + 1, j] * (1 - across) + padded[:, i + 1, j + 1] * across
    return (upper * (1 - down) + lower * down).reshape(-1, 64).astype("float32")


# %%
shifts, turns = [k / 2 for k in range(-4, 5)], list(range(-60, 61, 15))
by_shift = [float(errors(net, moved(x_test, right=shift)).mean()) for shift in shifts]
by_turn = [float(errors(net, moved(x_test, degrees=turn)).mean()) for turn in turns]
assert abs(by_shift[4] / error - 1) < 1e-3 and abs(by_turn[4] / error - 1) < 1e-3  # not moved at all
bounds = (2, 2) if args.quick else (4, 3)
lesson.promise("error after a shift of 1 pixel, times", min(by_shift[2], by_shift[6]) / error, low=bounds[0])
lesson.promise("error after a turn of 30 degrees, times", min(by_turn[2], by_turn[6]) / error, low=bounds[1])

# %% [markdown]
# **What cannot be compressed does not belong.** That weakness is of use: train on nine kinds of digits, and the tenth,
# never seen, should come out badly. So the reconstruction error is a score for *anomalies*. To prevent mere copying,
# noise is added to the input in training, and the clean picture is the target: a *denoising* autoencoder (Vincent et
# al. 2008) has to pull a picture back to those it knows.
#
# How good is a score? The **AUROC** (area under the receiver operating characteristic; Hanley and McNeil 1982) is the
# chance that a random anomaly scores higher than a random normal picture: 50 % is guessing, 100 % perfect.


# %%
def auroc(scores, anomaly):  # (N,), (N,) bool -> in %
    return 100 * float((scores[anomaly][:, None] > scores[~anomaly]).mean())  # (anomalies, normal ones): all pairs


kinds, sizes = [0, 5] if args.quick else list(range(10)), [1, 2, 4, 6, 8, 10, 12, 16, 24, 32, 48]
by_network, by_pca = [], {size: [] for size in sizes}
for digit in kinds:
    normal, anomaly = x_train[y_train != digit], y_test == digit  # (N, D), (N test,) bool
    detector = autoencoder(16)
    train(detector, normal, 20 if args.quick else 80, noise=0.5)
    scores = errors(detector, x_test)  # (N test,)
    by_network.append(auroc(scores, anomaly))
    middle, lines = pca(normal)
    for size in sizes:
        rebuilt = middle + (x_test - middle) @ lines[:size].T @ lines[:size]  # (N test, D)
        by_pca[size].append(auroc(((rebuilt - x_test) ** 2).mean(axis=1), anomaly))
    print(f"without {digit}: AUROC {by_network[-1]:.1f} %, PCA-8 {by_pca[8][-1]:.1f} %, PCA-16 {by_pca[16][-1]:.1f} %")

# %%
average = {size: sum(found) / len(kinds) for size, found in by_pca.items()}
lesson.promise("mean AUROC, autoencoder, %", sum(by_network) / len(kinds), low=80 if args.quick else 95)
lesson.promise("mean AUROC, PCA-8, %", average[8])
lesson.promise("mean AUROC, PCA-16, %", average[16])

figure, axes = plt.subplots(1, 3, figsize=(12, 3.5))
axes[0].plot(shifts, by_shift, marker="o", label="shift, in pixels")
axes[0].plot([turn / 30 for turn in turns], by_turn, marker="s", label="turn, in 30 degrees")
axes[0].set(title="Moved digits", xlabel="moved by", ylabel="test error per pixel", ylim=(0, None))
for offset, name, found in ((-0.2, "autoencoder", by_network), (0.2, "PCA-8", by_pca[8])):
    axes[1].bar([digit + offset for digit in kinds], found, width=0.4, label=name)
axes[1].set(title="Unknown digits", xlabel="digit left out", ylabel="AUROC, %", xticks=kinds, ylim=(50, 112))
axes[2].axhline(sum(by_network) / len(kinds), label="autoencoder, with 16 numbers")
axes[2].plot(sizes, average.values(), color="C1", marker="o", label="PCA")
axes[2].set(title="Mean over the digits", xlabel="numbers in the code", ylabel="AUROC, %")
for ax, columns in zip(axes, (1, 2, 1), strict=True):
    ax.legend(loc="lower left" if ax is axes[2] else "upper center", ncols=columns)
lesson.save(figure, "05_autoencoder_anomalies.png")

# %% [markdown]
# **Break it.** Forget to leave the digit out: nothing complains, but the network now knows the anomaly, and its score
# is no better than a guess. Such a detector fails where nobody has cleaned its training data.
#
# **Exercise**: `minigen learn run mean_squared_error`, the loss of this lesson and its gradient.

# %%
detector = autoencoder(16)
train(detector, x_train, 20 if args.quick else 80, noise=0.5)
leaked = auroc(errors(detector, x_test), y_test == kinds[0])
lesson.promise("AUROC when it was trained on, %", leaked, high=by_network[0] - 20)
weights = [mg.to_numpy(parameter.data) for parameter in net.parameters()]  # for the cell below

# %% [markdown]
# **The same in Keras and in PyTorch**: the test error of the nonlinear autoencoder, with its trained `weights`.
#
# ```python
# import torch
# w1, b1, w2, b2, w3, b3, w4, b4 = map(torch.tensor, weights)
# x = torch.tensor(x_test)
# code = torch.relu(x @ w1 + b1) @ w2 + b2
# rebuilt = torch.sigmoid(torch.relu(code @ w3 + b3) @ w4 + b4)
# error = torch.nn.functional.mse_loss(rebuilt, x).item()
# ```
#
# ```python
# import keras
# sizes = (512, "relu"), (8, None), (512, "relu"), (64, "sigmoid")
# layers = [keras.layers.Dense(size, activation=activation) for size, activation in sizes]
# model = keras.Sequential([keras.Input((64,)), *layers])
# model.set_weights(weights)
# error = ((model.predict(x_test) - x_test) ** 2).mean()
# ```

# %%
lesson.report(args)
