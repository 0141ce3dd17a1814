"""Overfitting, and what helps against it

Goal: watch a network learn its examples by heart, mistakes included; then early stopping, weight decay and dropout.
Needs: losses and descent (lesson 1.6).
Time: about 8 s (--quick: 4 s).
You should see: a network that has learnt every wrong label, with 76 to 80 % of the test images right; with early
    stopping, weight decay or dropout 85 to 89 %, and half of the wrong labels or fewer; from more examples 88 to 93 %.
"""

# %% [markdown]
# 300 handwritten digits to learn from, and one label in five is wrong. (Real data have wrong ones, too, but fewer.) We
# learn from the *training* images, choose settings by the *validation* images, and judge by the *test* images.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, nn, optim

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

images, labels, x_test, y_test = data.digits()
images, x_test = images.reshape(-1, 64), x_test.reshape(-1, 64)  # (1438, 64) and (359, 64), grey values in [0, 1]
x_val, y_val = images[:400], labels[:400]  # (400, 64), (400,)
x_rest, true = images[400:], labels[400:]  # (1038, 64), (1038,)
rng = np.random.default_rng(args.seed)
is_wrong = rng.random(len(true)) < 0.2  # (1038,)
given = np.where(is_wrong, (true + rng.integers(1, 10, len(true))) % 10, true)  # (1038,), what we are told
x_test, x_val, x_rest = (mg.asarray(x) for x in (x_test, x_val, x_rest))
y_test, y_val, given = (mg.asarray(y) for y in (y_test, y_val, given))
N, H = 300, 256  # examples to learn from, hidden units
print(f"of {N} labels, {is_wrong[:N].sum()} are wrong")

# %% [markdown]
# **The network** has one hidden layer. Of the two settings, p and strength, more below: they are 0 for now.


# %%
class Network(nn.Module):
    def __init__(self, p):
        self.first, self.second, self.p = nn.Dense(64, H), nn.Dense(H, 10), p

    def forward(self, x):  # (n, 64)
        h = mg.relu(self.first(x))  # (n, H)
        if self.training and self.p > 0:  # dropout, see below
            mask = (mg.random.uniform(h.shape) >= self.p).astype("float32")  # (n, H): 1 keeps, 0 drops
            h = h * mask * (1 / (1 - self.p))
        return self.second(h)  # (n, 10)


def penalty(network, strength):  # weight decay, see below
    return ((network.first.w**2).sum() + (network.second.w**2).sum()) * (strength / 2)


def judged(network, x, y):  # the mean loss and the accuracy, without dropout
    network.eval()
    with mg.no_grad():
        scores = network(x)  # (n, 10)
    return mg.cross_entropy(scores, y).item(), float((scores.data.argmax(axis=1) == y).mean())


# %% [markdown]
# **Training**, in full. After each epoch the losses and the accuracies are noted, and the weights with the lowest
# validation loss are kept.


# %%
def train(seed, p=0.0, strength=0.0, n=N):
    mg.seed(seed)
    network = Network(p)
    sgd = optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    loader = data.batches(x_rest[:n], given[:n], batch_size=30, seed=seed)
    curve, best = [], {}
    for epoch in range(100):
        network.train()
        for x, y in loader:  # (30, 64), (30,)
            loss = mg.cross_entropy(network(x), y) + penalty(network, strength)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        curve.append((*judged(network, x_rest[:n], given[:n]), *judged(network, x_val, y_val)))
        if curve[-1][2] <= min(row[2] for row in curve):  # the lowest validation loss so far
            best = {"epoch": epoch, "state": network.state_dict()}
    return network, np.array(curve), best  # curve (epochs, 4): loss and accuracy in training, in validation


# %% [markdown]
# **By heart.** One run may be luck, so we train several networks that start differently, and take their mean. After 100
# epochs each agrees with *every* label it was given, also with the wrong ones, which follow no rule: it has learnt them
# one by one (Zhang et al. 2017 had a network learn random labels). The training loss goes to 0. On images that it has
# not seen, the loss falls first, and then rises: what is learnt from there on holds for the training images only.
# That is **overfitting**.

# %%
seeds = [10 * args.seed + k for k in range(1 if args.quick else 5)]


def trained(name, **settings):  # the networks, and what to draw
    return [train(seed, **settings) for seed in lesson.progress(seeds, name, stoppable=False)]


def promise(name, runs, low, high=None):  # the mean accuracy in the test, and whether the wrong labels are learnt
    accuracy[name] = np.mean([judged(network, x_test, y_test)[1] for network, *_ in runs])
    lesson.promise(f"{name}: right in the test", accuracy[name], low=low, high=high)
    believed = [judged(network, x_rest[:N][wrong], given[:N][wrong])[1] for network, *_ in runs]
    return lesson.promise(f"{name}: wrong labels learnt", np.mean(believed))


accuracy, wrong = {}, mg.asarray(is_wrong[:N])
plain = trained("no help")
assert promise("no help", plain, low=0.70, high=0.85) > 0.95
squares = penalty(plain[0][0], 2.0).item()  # the sum of the squared weights of one of them

# %% [markdown]
# **Early stopping** (Prechelt 1998): keep the weights of the epoch with the lowest validation loss. They exist
# already, `train` has kept a copy. `optim.EarlyStopping` does it, and ends the training where nothing better comes.

# %%
for network, _, best in plain:
    network.load_state_dict(best["state"])
assert promise("early stopping", plain, low=0.81) < 0.6

# %% [markdown]
# **Weight decay.** To learn exceptions by heart takes large weights: small ones can only draw smooth borders. So add
# half of strength times the sum of all squared weights to the loss (Krogh and Hertz 1992). Its gradient is
# strength * w: each step shrinks every weight a little, and only what many examples ask for holds against it.

# %%
strength = 0.01
decayed = trained("weight decay", strength=strength)
assert promise("weight decay", decayed, low=0.83) < 0.3
lesson.promise("squared weights, share of those without help", penalty(decayed[0][0], 2.0).item() / squares, high=0.3)

# %% [markdown]
# **Dropout** (Srivastava et al. 2014): in each training step, set a random share p of the hidden units to 0, so that
# none can rely on another one being there, and divide the others by 1 - p, so that the sum stays what it was on
# average. In use, nothing is dropped: all units answer together, like many networks that vote.

# %%
dropped = trained("dropout", p=0.7)
assert promise("dropout", dropped, low=0.83) < 0.7

# %% [markdown]
# **More examples** help as well. One in five labels is wrong among them, too, but wrong ones contradict each other, and
# right ones agree. Where there are none to be had, make some: shift, turn or stretch the images (*augmentation*).

# %%
more = [train(seeds[0], strength=strength, n=len(given))]
promise("weight decay, 1038 examples", more, low=0.86)
gain = min(accuracy[name] for name in accuracy if name != "no help") - accuracy["no help"]
lesson.promise("right in the test: the least of these gains", gain, low=0.03)

# %%
figure, axes = plt.subplots(1, 4, figsize=(14, 3.4), width_ratios=[1, 1, 1, 1.2])
for ax, name, runs in zip(axes, ("no help", "weight decay", "dropout"), (plain, decayed, dropped), strict=False):
    ax.plot(runs[0][1][:, 0], label="training")
    ax.plot(runs[0][1][:, 2], label="validation")
    ax.set(title=f"Loss, {name}", xlabel="epoch", ylim=(0, 2))
axes[0].axvline(plain[0][2]["epoch"], color="grey", linestyle=":", label="early stopping")
axes[0].legend()
bars = axes[3].barh([name.replace(", ", ",\n") for name in accuracy], list(accuracy.values()), color="C2")
axes[3].bar_label(bars, fmt="%.2f", padding=3)
axes[3].set(title="Accuracy in the test", xlim=(0.5, 1))
axes[3].invert_yaxis()
lesson.save(figure, "09_overfitting.png")

# %% [markdown]
# With weight decay the training loss ends *above* the validation loss: the validation labels are all right, but no rule
# foretells the wrong fifth of the training labels, and who does not learn them by heart pays for them.
#
# **Break it.** Too much of it. With a strength of 0.1 the weights cannot grow as large as the digits need, and the
# training suffers as much as the test: **underfitting**. Between too little and too much, the validation images choose.

# %%
for s in (0.1,) if args.quick else (0.001, 0.003, 0.01, 0.03, 0.1):
    _, curve, _ = train(seeds[0], strength=s)
    print(f"  strength {s:<5}: right in training {curve[-1, 1]:.2f}, in validation {curve[-1, 3]:.2f}")
lesson.promise("strength 0.1: right in training", curve[-1, 1], high=0.75)

x, y = mg.to_numpy(x_rest[:N]), mg.to_numpy(given[:N])  # (N, 64), (N,), for the last cell
weights = [parameter.numpy() for parameter in decayed[0][0].parameters()]  # (64, H), (H,), (H, 10), (10,)
total = decayed[0][1][-1, 0] + penalty(decayed[0][0], strength).item()
print(f"strength {strength}: training loss, penalty included: {total:.4f}")

# %% [markdown]
# **The exercises**: `minigen learn run l2_penalty` and `dropout`, the gradients of both.
#
# **The same in Keras and in PyTorch**: the training loss of the network with weight decay, penalty included. (In
# PyTorch's and in minigen's SGD `weight_decay=strength` adds the penalty's gradient, also for the biases.)
#
# ```python
# import torch
# first, second = torch.nn.Linear(64, 256), torch.nn.Linear(256, 10)
# network = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Dropout(0.7), second)
# states = [torch.tensor(w.T) for w in weights]  # PyTorch's weights are (outputs, inputs)
# network.load_state_dict(dict(zip(network.state_dict(), states)))
# network.eval()  # no dropout
# penalty = strength / 2 * ((first.weight**2).sum() + (second.weight**2).sum())
# loss = torch.nn.functional.cross_entropy(network(torch.tensor(x)), torch.tensor(y)) + penalty  # the total
# ```
#
# ```python
# import keras
# decay = keras.regularizers.L2(strength / 2)
# first = keras.layers.Dense(256, activation="relu", kernel_regularizer=decay)
# second = keras.layers.Dense(10, kernel_regularizer=decay)
# network = keras.Sequential([keras.Input((64,)), first, keras.layers.Dropout(0.7), second])
# network.set_weights(weights)
# network.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
# print(network.evaluate(x, y))  # total
# ```

# %%
lesson.report(args)
