"""Guidance: ask for a digit, and get it

Goal: a diffusion model that draws what it is asked for, and one number that trades variety for certainty.
Needs: DDPM (lesson 4.15), whose U-Net, schedule and sampler are imported here; what Bayes' rule says.
Time: about 3 min on two cores (--quick: 5 s; --data mnist: 28x28, 13 min, or 30 s with --quick).
You should see: of 8x8 digits, the one that was asked for in at least 97 of 100 drawings. With more guidance it is in
    nearly all of them, and they become more and more alike: accuracy rises, recall falls.
"""

# %% [markdown]
# The model of lesson 4.15 draws some digit. To ask for one, tell the network which: the **condition** is a vector with
# a 1 at the digit's place (*one-hot*), and a matrix turns it into 128 numbers that are added to the time's. They go on
# into every block. A vector of zeros adds nothing, so it can stand for "any digit".

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, optim, parallel, xp  # xp is NumPy, or CuPy with --backend cupy
from minigen.models import diffusion

args = lesson.arguments(__doc__, data=("digits", "mnist"), steps=1500)
plt = lesson.pyplot()
x_train, y_train, x_test, y_test = data.mnist() if args.data == "mnist" else data.digits()
most, side = 2000 if args.quick else None, x_train.shape[1]  # pixels along a side; MNIST has 60,000 images
x_train, y_train, x_test, y_test = x_train[:most], y_train[:most], x_test[:500], y_test[:500]
T, steps, batch_size, n = (20, 15, 16, 40) if args.quick else (200, args.steps, 64, 500 if side == 8 else 200)
x, labels = mg.asarray(2 * x_train - 1), mg.asarray(data.one_hot(y_train, 10))  # (N, side, side, 1), (N, 10)
alpha_bar = diffusion.cosine_schedule(T)  # (T,)
net = diffusion.UNet(T=T, condition=10, widths=(32, 64) if side == 8 else (32, 64, 64))  # 28x28 halves twice
print(f"{net.parameter_count():,} parameters, of which {net.asked.parameter_count():,} read the condition")

# %% [markdown]
# **Training** is that of lesson 4.15, but for one line: in one case of ten the label is left out. So the network learns
# two things at once, to guess the noise in a known digit and in any digit (Ho and Salimans 2022).

# %%
adam = optim.Adam(net.parameters(), lr=2e-3)
schedule = optim.WarmUp(adam, steps=50, then=optim.CosineLR(adam, steps=steps))
ema = optim.ExponentialMovingAverage(net, decay=0.995, warm_up=True)
rng = mg.random.generator()


def loss_of(x_0, t, noise, asked):  # (n, side, side, 1), (n,), (n, side, side, 1), (n, 10)
    return mg.mse(net(diffusion.noised(x_0, t, noise, alpha_bar), t, asked), noise)


with parallel.Team(loss_of, adam) as team:
    for _ in lesson.progress(range(steps), "training"):
        chosen, t = rng.integers(len(x), size=batch_size), rng.integers(T, size=batch_size)  # (n,), (n,)
        asked = labels[chosen] * mg.random.keep_mask((batch_size, 1), 0.1)  # (n, 10), some rows all zeros
        adam.zero_grad()
        team.backward(x[chosen], t, mg.random.normal((batch_size, side, side, 1)), asked)
        adam.step()
        schedule.step()
        ema.update()
for parameter, average in zip(net.parameters(), ema.averages, strict=True):
    parameter.data = average  # from here on the network is the averaged one

# %% [markdown]
# **What is a label worth?** The loss on noisy test digits, with the label over without. With little noise the image
# shows what it is. With much noise the label tells what the image no longer shows.

# %%
low = 0.9 if steps >= 1500 and args.data == "digits" else None  # fewer steps promise less
x_0, asked_test = mg.asarray(2 * x_test - 1), mg.asarray(data.one_hot(y_test, 10))  # (M, side, side, 1), (M, 10)
for t in (T // 8, T // 2, T * 3 // 4):
    times, noise = xp.full(len(x_0), t), mg.random.normal(x_0.shape)
    x_t = diffusion.noised(x_0, times, noise, alpha_bar)  # (M, side, side, 1)
    with mg.no_grad():
        without, told = net(x_t, times).data, net(x_t, times, asked_test).data  # (M, side, side, 1) each
    worth = ((told - noise) ** 2).mean() / ((without - noise) ** 2).mean()
    lesson.promise(f"loss with the label over without, t = {t}", worth, high=low if t >= T / 2 else None)

# %% [markdown]
# **Guidance.** The guess is, but for its sign and a factor, the score, the gradient of log p(x_t). By Bayes' rule
#
#     log p(x | digit) = log p(x) + log p(digit | x) + something that does not depend on x
#
# so the difference of the two guesses, with the label and without, is, but for these, the gradient of log p(digit | x):
# it points to where a classifier would be surer. No classifier is needed (hence *classifier-free*). And one can go
# further than that, `guidance` times as far:
#
#     guess = without + guidance * (with - without)
#
# 0 asks for nothing, 1 is what was learned; above 1 the digit becomes clearer than in the data.

# %%
guidance = 3.0
guess = without + guidance * (told - without)  # (M, side, side, 1)
with mg.no_grad():
    again = diffusion.guided(net, x_t, times, asked_test, guidance).data
assert float(abs(again - guess).max()) < 1e-4  # what the sampler does in each of its steps

# %% [markdown]
# **How good is it?** First all steps of DDPM, with the guidance 1.5, in the measures of lesson 4.15. Now that a
# digit was asked for, one can also count how often the classifier sees that digit. (Of real 8x8 digits it sees
# 98.6 % right.)

# %%
judge = metrics.classifier(args.data)
real_train, real_test = judge.features(x_train), judge.features(x_test)  # (N, 64), (M, 64)
wanted = np.arange(n) % 10  # (n,)


def draw(**settings):  # -> (n, side, side, 1), grey values in [0, 1]
    condition = mg.asarray(data.one_hot(wanted, 10))  # (n, 10)
    drawn = diffusion.sample(net, alpha_bar, (n, side, side, 1), condition=condition, seed=args.seed, **settings)
    return (mg.to_numpy(drawn) + 1) / 2


images = draw(guidance=1.5)
features = judge.features(images)  # (n, 64)
ratio = metrics.frechet_ratio(features, real_test, real_train).ratio
coverage = metrics.density_coverage(real_test, features).coverage
accuracy = metrics.label_accuracy(judge.labels(images), wanted)
lesson.promise("DDPM: asked-for digit seen", accuracy, low=low and 0.97)
lesson.promise("DDPM: Frechet distance, times the floor", ratio, high=low and 2)
lesson.promise("DDPM: coverage", coverage, low=low)
lesson.promise("DDPM: to the nearest, times real", metrics.memorising(images, x_test, x_train), low=low)

# %% [markdown]
# **Certainty against variety**, by DDIM in a tenth of the steps. *Recall* is the share of real digits that lie among
# the drawn ones (Kynkaanniemi et al. 2019). Each column asks for one digit, 0 to 9, always from the same noise: see how
# the ways of writing it become one.

# %%
figure, axes = plt.subplots(2, 2, figsize=(9, 4.6))
rows = {}
for ax, guidance in zip(axes.flat, (0.0, 1.0, 2.0, 5.0), strict=True):
    images = draw(guidance=guidance, steps=T // 10, eta=0.0)
    seen = metrics.label_accuracy(judge.labels(images), wanted)
    recall = metrics.precision_recall(real_test, judge.features(images)).recall
    rows[guidance] = seen, recall
    lesson.promise(f"guidance {guidance:g}: asked-for digit seen", seen)
    lesson.promise(f"guidance {guidance:g}: recall", recall)
    lesson.show(ax, images[:40], f"guidance {guidance:g}: {seen:.0%} as asked, recall {recall:.2f}")
lesson.save(figure, "16_guidance.png")
lesson.promise("seen more often with guidance 2 than with 1", rows[2.0][0] - rows[1.0][0], low=low and 0.02)
lesson.promise("recall lost from guidance 1 to 5", rows[1.0][1] - rows[5.0][1], low=low and 0.2)

# %% [markdown]
# **Break it.** Ask with a guidance of 20. The guess then lies far outside of what the network ever saw, x_0 is clipped,
# and in what comes out the classifier may still see its digit. Accuracy alone would not notice; the distance does.
#
# **Exercise**: `minigen learn run diffusion_loss`, whose `denoised` is the x_0 that is clipped here.

# %%
images = draw(guidance=20.0, steps=T // 10, eta=0.0)
broken = metrics.frechet_ratio(judge.features(images), real_test, real_train).ratio
lesson.promise("guidance 20: Frechet distance, times the floor", broken, low=low and 4)
lesson.promise("guidance 20: asked-for digit seen", metrics.label_accuracy(judge.labels(images), wanted))
guidance = 3.0  # for the cell below
without, told, guess = (mg.to_numpy(array) for array in (without, told, guess))  # (M, side, side, 1) each

# %% [markdown]
# **The same in Keras and in PyTorch**: the guided guess, out of the guesses `without` and with the label (`told`).
#
# ```python
# import torch
# guess = torch.lerp(torch.tensor(without), torch.tensor(told), guidance)
# ```
#
# ```python
# import keras
# guess = keras.ops.add(without, guidance * keras.ops.subtract(told, without))
# ```

# %%
lesson.report(args)
