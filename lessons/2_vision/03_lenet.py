"""LeNet: a convolutional network reads digits

Goal: train LeNet-5 from scratch, beat a dense network with it, and look inside: kernels, feature maps, mistakes.
Needs: convolution and pooling (lesson 2.2), cross-entropy and descent (lesson 1.6), overfitting (lesson 1.9).
Time: about 12 s (--quick: 5 s; --data mnist: 2 min, fashion_mnist: 5 min, with a progress bar)
You should see: test accuracies of at least 98 % on digits, where the dense network has some 97 %; MNIST 99 % against
    98 %, Fashion-MNIST 90 %; and a LeNet that learns worse when the pixels are shuffled.
"""

# %% [markdown]
# LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) read the amounts on bank cheques. Two convolutions, each followed
# by pooling, turn a 28x28 picture into 16 small maps of 5x5; three dense layers turn these into ten scores. It is our
# first network made for pictures. Beside it we train a plain dense network, to see what the convolutions are worth.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, nn, optim, xp

args = lesson.arguments(__doc__, data=("digits", "mnist", "fashion_mnist"))
plt = lesson.pyplot()

x_train, y_train, x_test, y_test = map(mg.asarray, getattr(data, args.data)())  # x (N, H, W, 1), y (N,)
names = data.FASHION_NAMES if args.data == "fashion_mnist" else [str(digit) for digit in range(10)]
epochs, batch_size = (30, 32) if args.data == "digits" else (10, 128)
if args.quick:
    epochs = 8 if args.data == "digits" else 1

# %% [markdown]
# **One size.** LeNet-5 wants 28x28 pixels, as MNIST and Fashion-MNIST (clothes) have. Of the 8x8 of `digits` we make
# each pixel a block of 3x3, and leave a margin of 2. That adds no information, but now the network fits as it is.

# %%
if args.data == "digits":
    margin = ((0, 0), (2, 2), (2, 2), (0, 0))
    x_train, x_test = (xp.pad(mg.upsample2d(x, scale=3), margin) for x in (x_train, x_test))
print(f"{args.data}: {x_train.shape} to learn from, {x_test.shape} to test on")  # (N, 28, 28, 1) both

# %% [markdown]
# **The network.** With 6 and 16 kernels, as in 1998. Four things are done differently today, and here: ReLU for tanh,
# max for average pooling, softmax with cross-entropy at the end; and each kernel of the second convolution sees all 6
# maps (in 1998, some of them). Clothes have finer patterns than digits: Fashion-MNIST gets 16 and 32 kernels.

# %%
C1, C2 = (16, 32) if args.data == "fashion_mnist" else (6, 16)
he = nn.init.he_uniform  # how weights before a ReLU start (He et al. 2015)


def new_lenet():  # takes (N, 28, 28, 1), makes (N, 10), the logits; on the way:
    first = [nn.Conv2d(1, C1, 5, padding=2, init=he), nn.ReLU(), nn.MaxPool2d(2)]  # (N, 28, 28, C1), (N, 14, 14, C1)
    second = [nn.Conv2d(C1, C2, 5, init=he), nn.ReLU(), nn.MaxPool2d(2)]  # (N, 10, 10, C2), (N, 5, 5, C2)
    dense = [nn.Dense(25 * C2, 120, init=he), nn.ReLU(), nn.Dense(120, 84, init=he), nn.ReLU(), nn.Dense(84, 10)]
    return nn.Sequential(*first, *second, nn.Flatten(), *dense)  # (N, 25 C2), (N, 120), (N, 84), (N, 10)


mg.random.seed(args.seed)
lenet = new_lenet()
mlp = nn.Sequential(nn.Flatten(), nn.Dense(784, 256, init=he), nn.ReLU(), nn.Dense(256, 10))  # the dense network
print(f"{lenet}\nweights: LeNet {lenet.parameter_count():,}, dense network {mlp.parameter_count():,}")

# %% [markdown]
# **Training.** Adam with a little weight decay (AdamW), and a learning rate that falls to 0 along half a cosine. A
# digit that is a pixel further left is the same digit: so each batch is shifted by up to two pixels, at random
# (*augmentation*). The networks seldom see exactly the same picture twice, so they learn less by heart. The test
# pictures only measure: nothing is chosen by them.


# %%
def right(model, x, y):  # x (N, 28, 28, 1), y (N,) -> the share of right answers
    with mg.no_grad():
        hits = [(model(x[i : i + 500]).data.argmax(axis=1) == y[i : i + 500]).sum() for i in range(0, len(x), 500)]
    return sum(int(hit) for hit in hits) / len(x)


def shifted(x, by):  # x (N, 28, 28, 1), moved by as much as `by` pixels, the gap filled with 0
    i, j = (int(n) for n in mg.random.uniform(2, 0, 2 * by + 1))  # 0 to 2 by
    return xp.pad(x, ((0, 0), (by, by), (by, by), (0, 0)))[:, i : i + 28, j : j + 28]


def train(model, x, x_test, epochs, by, text):  # -> test accuracies, one an epoch, in percent
    loader = data.batches(x, y_train, batch_size=batch_size, seed=args.seed)
    adam = optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = optim.CosineLR(adam, steps=epochs * len(loader))
    accuracies = []
    for _ in lesson.progress(range(epochs), text):
        for xb, yb in loader:
            loss = mg.cross_entropy(model(shifted(xb, by)), yb)
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
        accuracies.append(100 * right(model, x_test, y_test))
    return accuracies


# %%
by = 2 if args.data == "digits" else 1  # 2 is less than one of the 8x8 pixels
of_mlp = train(mlp, x_train, x_test, epochs, by, "dense network")
of_lenet = train(lenet, x_train, x_test, epochs, by, "LeNet")
bounds = {"digits": (95.5, 98.0), "mnist": (98.0, 99.0), "fashion_mnist": (87.0, 90.0)}[args.data]
if args.quick:
    bounds = {"digits": (92.0, 93.0), "mnist": (94.0, 97.0), "fashion_mnist": (82.0, 82.0)}[args.data]
lesson.promise("dense network, % right", of_mlp[-1], low=bounds[0])
lesson.promise("LeNet, % right", of_lenet[-1], low=bounds[1])

# %% [markdown]
# **What is taken for what.** The *confusion matrix* counts, in row a and column b, how many pictures of a got the
# answer b: off the diagonal are the mistakes. The second figure has the twelve pictures whose true class the network
# thought least likely: mistakes in red, the rest only just right. Judge for yourself which mistakes are excusable.

# %%
with mg.no_grad():
    logits = mg.concatenate([lenet(x_test[i : i + 500]) for i in range(0, len(x_test), 500)])  # (N, 10)
    losses = mg.to_numpy(mg.cross_entropy(logits, y_test, reduction="none"))  # (N,), how surprised by the truth
    chances = mg.to_numpy(mg.softmax(logits))  # (N, 10), what it believes
truth, answers = mg.to_numpy(y_test), chances.argmax(axis=1)  # (N,) each
confusion = np.zeros((10, 10), dtype=int)
np.add.at(confusion, (truth, answers), 1)  # adds 1 for every picture; += would count each pair once
assert confusion.trace() == round(of_lenet[-1] / 100 * len(truth))

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1, 1.15])
axes[0].plot(range(1, len(of_lenet) + 1), of_lenet, label=f"LeNet, {of_lenet[-1]:.1f} %")
axes[0].plot(range(1, len(of_mlp) + 1), of_mlp, label=f"dense network, {of_mlp[-1]:.1f} %")
axes[0].set(title="Right on the test pictures", xlabel="epoch", ylabel="%", ylim=(of_mlp[-1] - 8, 100))
axes[0].legend(loc="lower right")
axes[1].imshow(np.log1p(confusion), cmap="Blues")  # the logarithm shows the few beside the many
for a, b in np.argwhere(confusion):
    axes[1].text(b, a, confusion[a, b], ha="center", va="center", fontsize=8, color="white" if a == b else "black")
axes[1].set(title="LeNet's confusion matrix", xlabel="answer", ylabel="truth", yticks=range(10), yticklabels=names)
axes[1].set_xticks(range(10), names, rotation=0 if len(names[0]) == 1 else 60)
lesson.save(figure, "03_lenet_accuracy.png")

# %%
worst = losses.argsort()[::-1][:12]  # (12,)
figure, axes = plt.subplots(2, 6, figsize=(10, 4.2))
for ax, n in zip(axes.ravel(), worst, strict=True):
    ax.imshow(mg.to_numpy(x_test[int(n)])[..., 0], cmap="gray_r", vmin=0, vmax=1)
    said = f"says {names[answers[n]]} ({chances[n].max():.0%})"
    ax.set_title(f"{names[truth[n]]},\n{said}", fontsize=9, color="black" if answers[n] == truth[n] else "#B00000")
    ax.axis("off")
lesson.save(figure, "03_lenet_mistakes.png")

# %% [markdown]
# **Inside.** The kernels of the first convolution are small pictures; red is above 0, blue below. They are less tidy
# than those of lesson 2.2, for much of their random start is left. Under each is its *feature map*, its answer to one
# picture: whole strokes, or their edges on one side. Below are six maps of the second layer: each of their numbers
# depends on 14x14 pixels.

# %%
with mg.no_grad():
    first = mg.to_numpy(lenet[:2](x_test[:1]))[0]  # (28, 28, C1), after the first ReLU
    second = mg.to_numpy(lenet[:5](x_test[:1]))[0]  # (10, 10, C2), after the second
kernels = mg.to_numpy(lenet[0].w)[:, :, 0]  # (5, 5, C1)
figure, axes = plt.subplots(3, 7, figsize=(10, 4.6))
for row, maps in enumerate((kernels, first, second)):
    limit = np.abs(maps).max()
    style = {"cmap": "gray_r", "vmin": 0, "vmax": limit} if row else {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    for k in range(6):
        axes[row, k + 1].imshow(maps[..., k], **style)
axes[1, 0].imshow(mg.to_numpy(x_test[0])[..., 0], cmap="gray_r")
titles = ["the picture", "5x5 kernels", "their maps, 28x28", "second layer's, 10x10"]
for ax, title in zip([axes[1, 0], *axes[:, 1]], titles, strict=True):
    ax.set_title(title, loc="left", fontsize=9)
for ax in axes.ravel():
    ax.axis("off")
lesson.save(figure, "03_lenet_inside.png")

# %% [markdown]
# **Break it.** Shuffle the pixels, in all pictures the same way. A dense layer knows no neighbours and would learn as
# well as before; but LeNet's windows now hold pixels from all over the picture. Two epochs each, without shifts.
#
# The exercises behind this network: `minigen learn run conv2d_input`, `max_pooling_backward`, `softmax_cross_entropy`.

# %%
order = np.random.default_rng(0).permutation(784).tolist()
shuffled = [x.reshape(-1, 784)[:, order].reshape(-1, 28, 28, 1) for x in (x_train, x_test)]
in_place = train(new_lenet(), x_train, x_test, 2, 0, "pixels in place")[-1]
mixed = train(new_lenet(), *shuffled, 2, 0, "pixels shuffled")[-1]
print(f"after two epochs: {in_place:.1f} % in place, {mixed:.1f} % shuffled")
lesson.promise("lost by shuffling the pixels, in points", in_place - mixed, low=0.5)
weights, images = [mg.to_numpy(w) for w in lenet.parameters()], mg.to_numpy(x_test)  # for the last cell

# %% [markdown]
# **The same in Keras and in PyTorch**, with the trained `weights`, `images` and `truth` as NumPy arrays.
#
# ```python
# import torch
# from torch import nn
# net = nn.Sequential(
#     nn.Conv2d(1, C1, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(C1, C2, 5), nn.ReLU(), nn.MaxPool2d(2),
#     nn.Flatten(), nn.Linear(25 * C2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
# for parameter, w in zip(net.parameters(), map(torch.tensor, weights)):
#     if w.shape == (25 * C2, 120):  # PyTorch flattens (C, H, W), we (H, W, C)
#         w = w.reshape(5, 5, C2, 120).permute(2, 0, 1, 3).reshape(25 * C2, 120)
#     parameter.data = w.permute(3, 2, 0, 1) if w.ndim == 4 else w.t()
# logits = net(torch.tensor(images).permute(0, 3, 1, 2))
# print((logits.argmax(dim=1) == torch.tensor(truth)).double().mean())
# ```
#
# ```python
# import keras
# from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
# net = keras.Sequential([
#     keras.Input((28, 28, 1)), Conv2D(C1, 5, padding="same", activation="relu"), MaxPooling2D(),
#     Conv2D(C2, 5, activation="relu"), MaxPooling2D(),
#     Flatten(), Dense(120, activation="relu"), Dense(84, activation="relu"), Dense(10)])
# net.set_weights(weights)  # Keras's order is ours
# print((net.predict(images).argmax(axis=1) == truth).mean())
# ```

# %%
lesson.report(args)
