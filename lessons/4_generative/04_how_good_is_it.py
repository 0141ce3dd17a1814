"""How good is it? Measuring what a generator draws, and fooling each measure

Goal: learn what the usual numbers for generated images see, what each is blind to, and which to read together.
Needs: Gaussians, one for each class (lesson 4.1), classifiers (lesson 2.3), KL (lesson 4.2).
Time: about 6 s (--quick: 4 s).
You should see: class averages score higher than real digits in an inception-type score; a copied training set at the
    Frechet distance of real images, 1.0 floors; a cloud that is no ring at the ring's Frechet distance; 99% noise for
    4.6 nats; and a network that never saw a real digit read at least 90% of them.
"""

# %% [markdown]
# A classifier has an accuracy. A generator has none: no right answer stands beside what it draws. So one measures how
# alike two *sets* of images are, the drawn and the real, and every measure looks at some sides of them only.
# To learn which, we play the cheat: five "generators", of which only the first tries to be honest.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim

args = lesson.arguments(__doc__, data=("digits",))
plt = lesson.pyplot()
rng = np.random.default_rng(args.seed)

x_train, y_train, x_test, y_test = data.digits()  # (N, 8, 8, 1) in [0, 1], (N,); everything here stays on the host
N, D, levels = len(x_train), 64, 17  # images, pixels, grey levels

# %% [markdown]
# **The honest one** is a Gaussian for each class, as in lesson 4.1: the mean image, and the covariance of the pixels.
# A pixel has 17 levels; we spread each level over 1/17 of the interval [0, 1] (*dequantisation*), so that a density
# makes sense, and round back after drawing. A little is added to the variances, for pixels that are always empty.

# %%
spread = (16 * x_train.reshape(N, D) + rng.random((N, D))) / levels  # (N, D), in [0, 1]
means = np.stack([spread[y_train == c].mean(axis=0) for c in range(10)])  # (10, D)
covariances = np.stack([np.cov(spread[y_train == c], rowvar=False) for c in range(10)]) + np.eye(D) / levels**2
roots = np.linalg.cholesky(covariances)  # (10, D, D): root @ root.T is the covariance


def draw(classes):  # (n,) -> (n, 8, 8, 1), an image of each class asked for
    noise = rng.standard_normal((len(classes), D))
    v = means[classes] + np.einsum("nij,nj->ni", roots[classes], noise)  # (n, D)
    return (np.floor(v * levels).clip(0, 16) / 16).reshape(-1, 8, 8, 1).astype("float32")


# %% [markdown]
# **The cheats**: the average image of each class, again and again; the training set itself, plain and under noise; and
# digits from 0 to 4 only.

# %%
averages = np.stack([x_train[y_train == c].mean(axis=0) for c in range(10)])  # (10, 8, 8, 1)
generators = {
    "Gaussian per class": draw(y_train),
    "class averages": averages[y_train],
    "copied": x_train,
    "copied, with noise": (x_train + 0.15 * rng.standard_normal(x_train.shape)).clip(0, 1),
    "0 to 4 only": x_train[y_train < 5],
}  # each (n, 8, 8, 1)

# %% [markdown]
# **What a classifier says.** `metrics.classifier` is a small convolutional network that saw the training images. We
# ask: does it see the class that was asked for, and do all classes come equally often? The *entropy* of the labels
# is then ln 10 = 2.303. The *inception score* (Salimans et al. 2016) puts both into one number: exp of the mean
# KL(p(y | x), p(y)), high if it is sure of each image while the classes vary; at most 10 here.

# %%
judge = metrics.classifier("digits")
scores = {name: metrics.inception_score(judge.probabilities(x)) for name, x in generators.items()}
of_real = metrics.inception_score(judge.probabilities(x_test))
labels = judge.labels(generators["Gaussian per class"])  # (N,)
lesson.promise("Gaussian per class, label accuracy", metrics.label_accuracy(labels, y_train), low=0.94)
lesson.promise("Gaussian per class, label entropy", metrics.label_entropy(labels, 10), low=2.28)
lesson.promise("inception score, real test images", of_real)
lesson.promise("Gaussian's score over real images'", scores["Gaussian per class"] / of_real, low=0.93, high=1.05)
lesson.promise("class averages' score over real images'", scores["class averages"] / of_real, low=1.02)

# %% [markdown]
# The averages beat real digits: nothing is easier to classify. The score never looked at a real image.
#
# **The Frechet distance** does (Heusel et al. 2017). Take the *features*, here the 64 numbers before the classifier's
# last layer, of both sets; take each cloud for a Gaussian; and measure |m - m'|² + trace(C + C' - 2 (C C')^½). Chance
# alone makes it larger than 0: so it is read as a multiple of its *floor*, the distance of real training images to
# the same test images. First, two Gaussians on a line, where it is (m - m')² + (s - s')².

# %%
on_a_line = metrics.frechet_gaussians([0.0], [[1.0]], [3.0], [[4.0]])  # standard deviations 1 and 2
assert abs(on_a_line - (3**2 + 1**2)) < 1e-12
train, test = judge.features(x_train), judge.features(x_test)  # (N, 64), (359, 64)
features = {name: judge.features(x) for name, x in generators.items()}
frechet = {name: metrics.frechet_ratio(f, test, train) for name, f in features.items()}
for name, (distance, _, ratio) in frechet.items():
    print(f"  {name:18} {distance:7.2f} = {ratio:5.2f} floors")
lesson.promise("Gaussian per class, floors", frechet["Gaussian per class"].ratio, low=1.5, high=6)
lesson.promise("copied, floors", frechet["copied"].ratio, low=0.999, high=1.001)

# %% [markdown]
# The averages are found out, and the Gaussian is no longer as good as real. But who copies is perfect.
#
# **Learned by heart?** The distance of each drawn image to the *nearest* training image, over the same for real test
# images: about 1 for new images, 0 for copies. Noise fools it: what is noisy enough is as far from its original as a
# new image would be. So look at the pictures, too.

# %%
near = {name: metrics.memorising(x, x_test, x_train) for name, x in generators.items()}
lesson.promise("nearest neighbour, copied", near["copied"], high=1e-6)
lesson.promise("nearest neighbour, copied, with noise", near["copied, with noise"], low=0.8)

# %% [markdown]
# **Good, and varied?** One number cannot tell an ugly image from a missing one. *Density* and *coverage* can (Naeem
# et al. 2020). Around each real image is a ball that reaches to its 5th nearest real one. Density: how many balls a
# drawn image is in, over 5; about 1 where real images are. Coverage: the share of balls that hold a drawn image.
# Dropping half of the classes costs no density; piling up at the averages even raises it. Coverage tells.

# %%
cover = {name: metrics.density_coverage(train, f) for name, f in features.items()}
lesson.promise("0 to 4 only, density", cover["0 to 4 only"].density, low=0.9)
lesson.promise("0 to 4 only, coverage", cover["0 to 4 only"].coverage, high=0.55)
lesson.promise("class averages, density", cover["class averages"].density, low=1.5)
lesson.promise("class averages, coverage", cover["class averages"].coverage, high=0.15)

# %% [markdown]
# **All in one picture**: below each cheat, some number that gives it away. Only noisy copies pass for honest work.

# %%
figure, axes = plt.subplots(1, 5, figsize=(13, 3.7))
for ax, (name, x) in zip(axes, generators.items(), strict=True):
    lesson.show(ax, x[:36], name, columns=6)
    lines = f"score {scores[name]:.1f}\nFrechet {frechet[name].ratio:.1f} floors\nnearest {near[name]:.2f}"
    ax.set_xlabel(f"{lines}\ndensity {cover[name].density:.2f}, coverage {cover[name].coverage:.2f}")
lesson.save(figure, "04_how_good_is_it.png")

# %% [markdown]
# **Moments are not shapes.** The Frechet distance sees means and covariances, the *kernel distance* (KID, Binkowski et
# al. 2018) with its cubic kernel the first three moments. In the plane: a ring of eight modes, and one broad cloud
# with the same moments. Both say: alike. The *sliced Wasserstein* distance, which sorts the points along many lines,
# and the count of *modes* (a point is good within 3 sigma of a mode; PacGAN, Lin et al. 2018) see the difference.

# %%
ring, another = data.ring(4000, seed=rng)[0], data.ring(4000, seed=rng)[0]  # (4000, 2) each
cloud = rng.standard_normal((4000, 2)) * np.sqrt(0.5)  # a coordinate of a ring of radius 1 has the variance 1/2
for name, points in (("ring", another), ("cloud", cloud)):
    a, b, c = (m(points, ring) for m in (metrics.frechet_distance, metrics.kernel_distance, metrics.sliced_wasserstein))
    found = metrics.modes(points, data.ring_centres(), sigma=0.01)
    print(f"{name:6} Frechet {a:.4f}, kernel {b:.3f}, sliced Wasserstein {c:.3f}; {found}")
lesson.promise("cloud, Frechet distance", a, high=0.01)
lesson.promise("cloud, sliced Wasserstein", c, low=0.2)
lesson.promise("cloud, share of good points", found.good, high=0.05)

# %% [markdown]
# **Likelihood.** Some models say how probable a real image is: our Gaussian exactly, a VAE by its bound. The usual
# unit is *bits per dimension*. But likelihood and looks are two things (Theis et al. 2016). Let a model draw from the
# Gaussian in 1 of 100 cases, pure noise otherwise. It finds a real image at most ln 100 = 4.6 nats less probable: here
# 0.1 bits per dimension, which looks like a small difference between two good models.

# %%
v = (16 * x_test.reshape(-1, D) + rng.random((len(x_test), D))) / levels  # (359, D)
log_p = np.full(len(v), -np.inf)  # (359,), ln p(v), each class with probability 1/10
for mean, root in zip(means, roots, strict=True):
    z = np.linalg.solve(root, (v - mean).T)  # (D, 359), standard normal if the class is right
    of_class = -0.5 * (z * z).sum(axis=0) - np.log(np.diag(root)).sum() - D / 2 * np.log(2 * np.pi)
    log_p = np.logaddexp(log_p, of_class - np.log(10))
mixed = np.logaddexp(np.log(0.01) + log_p, np.log(0.99))  # noise: the uniform density, 1 everywhere
bits, of_mixed = (metrics.bits_per_dimension(-p.mean(), D, levels=levels) for p in (log_p, mixed))
lesson.promise("bits per dimension", bits, high=np.log2(levels))  # fewer than if all levels were alike
lesson.promise("bits per dimension, 99% noise", of_mixed)
lesson.promise("its price in nats", log_p.mean() - mixed.mean(), high=np.log(100))

# %% [markdown]
# **What is it good for?** The last question is about use: train a small network on drawn images only, and test it
# on real ones. Beside it, the same network trained on the real ones.


# %%
def trained_on(images):  # (N, 8, 8, 1), labelled y_train -> the share of real test images it reads right
    mg.random.seed(args.seed)
    net = nn.Sequential(nn.Flatten(), nn.Dense(D, 128), nn.ReLU(), nn.Dense(128, 10))
    adam = optim.Adam(net.parameters(), lr=2e-3)
    loader = data.batches(mg.asarray(images), mg.asarray(y_train), batch_size=32, seed=args.seed)
    for _ in lesson.progress(range(6 if args.quick else 30), "small network"):
        for x, y in loader:
            loss = mg.cross_entropy(net(x), y)
            adam.zero_grad()
            loss.backward()
            adam.step()
    return metrics.label_accuracy(net(mg.asarray(x_test)).numpy().argmax(axis=1), y_test)


least = (0.88, 0.85) if args.quick else (0.93, 0.9)
lesson.promise("trained on real digits, right", trained_on(x_train), low=least[0])
lesson.promise("trained on drawn digits, right", trained_on(generators["Gaussian per class"]), low=least[1])

# %% [markdown]
# **Break it.** Measure with few images, and leave out the floor. Fifty real images get a distance worse than the
# fourteen hundred drawn ones. Divided by the floor for fifty, they are what they are. The exercise: `minigen learn run
# kl_term`, the KL that is in the inception score as in the VAE's loss.

# %%
drawn, frechet_of_drawn = features["Gaussian per class"], frechet["Gaussian per class"].distance
fifty = metrics.frechet_ratio(train[50:100], test, train[:50])
lesson.promise("50 real images over 1,438 drawn ones", fifty.distance / frechet_of_drawn, low=1)
lesson.promise("50 real images, floors", fifty.ratio, low=0.5, high=2)

# %% [markdown]
# **The same in Keras and in PyTorch**: the Frechet distance, with the features `drawn` and `test` as NumPy arrays.
#
# ```python
# import torch
# a, b = torch.tensor(drawn).double(), torch.tensor(test).double()
# A, B = a.T.cov(), b.T.cov()
# values, vectors = torch.linalg.eigh(A)
# root = vectors * values.clamp(min=0).sqrt() @ vectors.T
# overlap = torch.linalg.eigvalsh(root @ B @ root).clamp(min=0).sqrt().sum()
# distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + A.trace() + B.trace() - 2 * overlap
# ```
#
# ```python
# import keras
# from keras import ops
# a, b = ops.cast(drawn, "float64"), ops.cast(test, "float64")
# m, n = ops.mean(a, axis=0), ops.mean(b, axis=0)
# A, B = (ops.transpose(d) @ d / (len(d) - 1) for d in (a - m, b - n))
# values, vectors = ops.eigh(A)
# root = vectors * ops.sqrt(ops.maximum(values, 0)) @ ops.transpose(vectors)
# overlap = ops.sum(ops.sqrt(ops.maximum(ops.eigh(root @ B @ root)[0], 0)))
# distance = ops.sum((m - n) ** 2) + ops.trace(A) + ops.trace(B) - 2 * overlap
# ```

# %%
lesson.report(args)
