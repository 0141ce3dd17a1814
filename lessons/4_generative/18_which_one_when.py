"""Which one when? Five kinds of generative models, side by side

Goal: train a small model of each kind on the same digits, and read from one table what each is good at.
Needs: lessons 4.1 to 4.8 and 4.14 to 4.16, and the LSTM of lesson 3.3.
Time: about 3 minutes on one core, with a progress bar (--quick: 5 s)
You should see: Frechet distances of at most 2 floors by the GAN and diffusion, 2.5 by the LSTM, 4 by the VAE and the
    Gaussian; 1.8 bits a pixel by the LSTM, hardly more by the VAE, one more by the Gaussian; and 1,000 drawn digits
    that teach a reader nothing worth measuring beside 200 real ones.
"""

# %% [markdown]
# Five ways to draw a 7 that nobody has drawn:
#
# - **Gaussian** (lesson 4.1): fit a mean and a covariance to each class, and draw from them.
# - **VAE** (4.2, 4.3): learn a code, and a decoder that turns any code into an image.
# - **GAN** (4.5 to 4.8): learn to draw what a second network cannot tell from real.
# - **diffusion** (4.14 to 4.16): learn to see the noise in an image; draw by taking it away, step by step.
# - **LSTM** (3.3): learn what the next pixel is, given all before it; draw pixel by pixel.
#
# All are told the class. They are in `minigen/models/families.py`, each in some forty lines, and all with the same
# three methods. They are small, and none is at its best: what is compared is the kind.

# %%
import math
import time

import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim
from minigen.models import families

args = lesson.arguments(__doc__)
plt = lesson.pyplot()
full, D, K = not args.quick, 64, 10  # pixels, classes
x_train, y_train, x_test, y_test = data.digits()  # (N, 8, 8, 1) in [0, 1], (N,); these stay on the host
kinds = {  # the class; how many steps of training, on how many images each
    "Gaussian": (families.Gaussians, 1, len(x_train)),
    "VAE": (families.VAE, 8000, 64),
    "GAN": (families.GAN, 5000, 64),
    "diffusion": (families.Diffusion, 1500, 64),
    "LSTM": (families.LSTM, 1000, 32),
}


def on_device(x):  # (n, 8, 8, 1) -> (n, D)
    return mg.asarray(x.reshape(-1, D), "float32")


def train(name, x, y):  # -> the model
    mg.seed(args.seed)
    kind, steps, size = kinds[name]
    steps, size = (steps if full else math.ceil(steps / 50)), min(size, len(x))
    model, rng = kind(steps), np.random.default_rng(args.seed)
    for _ in lesson.progress(range(steps), name):
        chosen = rng.permutation(len(x))[:size]
        model.step(on_device(x[chosen]), mg.asarray(y[chosen]))
    return model


def draw(model, y, **dial):  # -> (n, 8, 8, 1)
    return mg.to_numpy(model.draw(mg.asarray(y), **dial)).reshape(-1, 8, 8, 1)


# %% [markdown]
# **Training.** The seconds are of this machine's processor. What does not depend on it is how often a network is called
# for one drawing: once by the VAE and the GAN, 50 times by diffusion, 64 times, for each pixel once, by the LSTM.

# %%
models, drawn, seconds, asked = {}, {}, {}, y_train if full else y_train[:100]
for name in kinds:
    times = [time.process_time()]
    models[name] = train(name, x_train, y_train)
    times.append(time.process_time())
    drawn[name] = draw(models[name], asked)  # (N, 8, 8, 1), as many of each class as there are real ones
    times.append(time.process_time())
    seconds[name] = np.diff(times)
    print(f"{name:10} training {seconds[name][0]:6.1f} s, drawing {len(asked)} digits {seconds[name][1]:5.2f} s")

# %% [markdown]
# **The table.** Lesson 4.4 says what the numbers mean, and what fools each. *Nearest*: the distance to the nearest
# training image, over that of real test images; copies have 0. *Bits*: what a pixel of a test image costs. The LSTM
# gives every image a probability; of the Gaussian's and the VAE's we know a bound, so they cost at most that much. A
# GAN only draws. For diffusion there is a bound, too, with a term for each of its 200 steps; we leave it out.

# %%
judge = metrics.classifier("digits")
real, test = judge.features(x_train), judge.features(x_test)  # (N, 64), (359, 64)
rows = {}
print("           Frechet/floor  density  coverage  right class, %  nearest  bits a pixel")
for name, model in models.items():
    features, labels = judge.features(drawn[name]), judge.labels(drawn[name])  # (N, 64), (N,)
    nats = model.nats(on_device(x_test), mg.asarray(y_test))  # (359,), or None
    rows[name] = row = {
        "frechet": metrics.frechet_ratio(features, test, real).ratio,
        **metrics.density_coverage(real, features)._asdict(),
        "right": 100 * metrics.label_accuracy(labels, asked),
        "nearest": metrics.memorising(drawn[name], x_test, x_train),
        "bits": math.nan if nats is None else metrics.bits_per_dimension(float(nats.mean()), D),
    }
    print("{:10} {:13.2f} {:8.2f} {:9.2f} {:15.1f} {:8.2f} {:13.2f}".format(name, *row.values()))

# %% [markdown]
# **How to read it.** The GAN and diffusion draw best: density, coverage and classes say so. The GAN then draws at once,
# diffusion in 50 calls; but the GAN needs its tricks (R1, lesson 4.6), and cannot say what an image is worth. The LSTM
# says it best, and comes near them in Frechet distance; but after a wrong pixel it has to go on from there, and 5 or 6
# in 100 of its digits are not what was asked for. The VAE is the cheapest network that draws and measures, and its
# drawings are blurred. The Gaussian takes no training at all, and comes near the VAE in Frechet distance: that compares
# means and covariances, of features where the Gaussian has those of pixels.

# %%
limits = {"Gaussian": (4, 94), "VAE": (4, 90), "GAN": (2, 96), "diffusion": (2, 96), "LSTM": (2.5, 91)}
for name, (most, least) in limits.items():
    lesson.promise(f"{name}: Frechet distance, floors", rows[name]["frechet"], high=most if full else None)
    lesson.promise(f"{name}: the class asked for, %", rows[name]["right"], low=least if full else None)
    lesson.promise(f"{name}: nearest", rows[name]["nearest"], low=0.85 if full else None)
for what in ("density", "coverage"):
    best, rest = ([rows[name][what] for name in names] for names in (("GAN", "diffusion"), ("Gaussian", "VAE", "LSTM")))
    lesson.promise(f"{what}, GAN and diffusion over the rest", min(best) - max(rest), low=0 if full else None)
gaussian, vae, lstm = (rows[name]["bits"] for name in ("Gaussian", "VAE", "LSTM"))
lesson.promise("LSTM: bits a pixel", lstm, high=1.9 if full else math.log2(17))
lesson.promise("VAE: bits more than the LSTM's", vae - lstm, low=0 if full else None, high=0.3 if full else None)
lesson.promise("Gaussian: bits more than the VAE's", gaussian - vae, low=0.5 if full else None)

# %%
figure, axes = plt.subplots(6, 1, figsize=(9, 8))
four = np.stack([np.flatnonzero(y_train == c)[:4] for c in range(K)])  # (K, 4), four of each class
shown = four.reshape(20, 2).T.ravel()  # (40,): two rows of 20, in which each class is a square of four
for ax, (name, x) in zip(axes, {"real": x_train, **drawn}.items(), strict=True):
    lesson.show(ax, x[shown % len(x)], columns=20)
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
    if name != "real":
        frechet, _, coverage, _, _, bits = rows[name].values()
        cost = "" if math.isnan(bits) else f", {bits:.2f} bits a pixel"
        ax.set_title(f"{frechet:.1f} floors, coverage {coverage:.2f}{cost}", fontsize=9)
lesson.save(figure, "18_which_one_when.png")

# %% [markdown]
# **What are drawn digits good for?** Twice, a small network learns to read. First from drawn digits alone. Then what
# people hope for: there are 200 real digits, 20 of each class; a generator learns from these 200, and draws 1,000 more
# (*data augmentation*). It cannot know more about digits than the 200 show. What it adds, if anything, is what its kind
# takes for granted: that what lies between two sevens is a seven. (One test digit of 359 is 0.28%.)


# %%
def reads(x, y):  # -> % of the real test digits that a small network reads right, trained on these
    mg.seed(args.seed)
    net = nn.Sequential(nn.Dense(D, 128), nn.ReLU(), nn.Dense(128, K))
    adam = optim.Adam(net.parameters(), lr=2e-3)
    loader = data.batches(on_device(x), mg.asarray(y), batch_size=64, seed=args.seed)
    for _ in lesson.progress(range(60 if full else 5), "reader"):
        for x_now, labels in loader:
            loss = mg.cross_entropy(net(x_now), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()
    return 100 * metrics.label_accuracy(net(on_device(x_test)).numpy().argmax(axis=1), y_test)


of_real = lesson.promise("read right, trained on real digits, %", reads(x_train, y_train), low=95 if full else None)
for name, x in drawn.items():
    lesson.promise(f"... on drawn ones, {name}, %", reads(x, asked), low=88 if full else None, high=of_real + 1.5)

# %%
few = np.concatenate([np.flatnonzero(y_train == c)[:20] for c in range(K)])  # (200,)
x_few, y_few = np.tile(x_train[few], (5, 1, 1, 1)), np.tile(y_train[few], 5)  # (1000, 8, 8, 1), (1000,)
more = np.arange(1000 if full else 50) % K  # the classes to draw
alone = lesson.promise("... on 200 real ones, %", reads(x_few, y_few), low=85 if full else None)
for name in ("VAE", "GAN", "diffusion"):
    generator = train(name, x_train[few], y_train[few])
    both = reads(np.concatenate([x_few, draw(generator, more)]), np.concatenate([y_few, more]))
    low, high = (-3, 3) if full else (None, None)
    lesson.promise(f"... with 1,000 drawn ones, {name}: gained, %", both - alone, low=low, high=high)

# %% [markdown]
# **Break it.** Every kind has a dial between *good* and *varied*: temperature, guidance, or, here, the width of z.
# **Exercises**: `minigen learn run gan_losses`, `diffusion_loss`, `kl_term`, `lstm_step`: what these models minimise.

# %%
narrow = judge.features(draw(models["GAN"], asked, width=0.4))  # (N, 64)
density, coverage = metrics.density_coverage(real, narrow)
lesson.promise("GAN, narrow z: density gained", density - rows["GAN"]["density"], low=0.1 if full else None)
lesson.promise("GAN, narrow z: coverage lost", rows["GAN"]["coverage"] - coverage, low=0.05 if full else None)
pixels, logits = x_test[:5].reshape(5, D), np.linspace(-4, 4, 5 * D, dtype="float32").reshape(5, D)  # for the last cell
log_p = mg.to_numpy(models["VAE"].log_p(mg.asarray(logits), on_device(pixels)))  # (5,)

# %% [markdown]
# **The same in Keras and in PyTorch**: ln p(x | z) of the VAE, a binomial distribution for each pixel.
#
# ```python
# import torch
# dots = torch.distributions.Binomial(16, logits=torch.tensor(logits))
# log_p = dots.log_prob((16 * torch.tensor(pixels)).round()).sum(1)  # (5,)
# ```
#
# ```python
# import keras
# from keras import ops
# k, p = ops.round(16 * ops.convert_to_tensor(pixels)), ops.sigmoid(logits)  # (5, D) each
# ways = ops.log([float(math.comb(16, n)) for n in range(17)])  # (17,)
# nats = ops.take(ways, ops.cast(k, "int32")) + k * ops.log(p) + (16 - k) * ops.log(1 - p)  # (5, D)
# log_p = ops.sum(nats, axis=1)  # (5,)
# ```

# %%
lesson.report(args)
