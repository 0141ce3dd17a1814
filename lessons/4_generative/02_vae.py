"""A variational autoencoder that draws handwritten digits

Goal: train a VAE from scratch, and see why a plain autoencoder cannot draw and a VAE can.
Needs: dense layers, backprop, and what a normal distribution is.
Time: about 20 s (--quick: 3 s; --data mnist: 2 min)
You should see: a test loss of about 78 nats per digit, 10 of them KL (MNIST: 106 and 25); in 02_vae_samples.png new
    digits, and beside them what a plain autoencoder draws, much of which is no digit.
"""

# %% [markdown]
# A VAE (Kingma and Welling, 2014) is two networks. The *encoder* reads an image x and says where in a small space of
# codes z it belongs: not a point, but a normal distribution with a mean and a variance for each coordinate. The
# *decoder* turns any z back into an image. To draw something new, take a random z and decode it.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, nn, optim

args = lesson.arguments(__doc__, data=("digits", "mnist"))
plt = lesson.pyplot()

x_train, y_train, x_test, y_test = data.mnist() if args.data == "mnist" else data.digits()
side = x_train.shape[1]  # 8, or 28 for MNIST
x_train = mg.asarray(x_train.reshape(-1, side * side))  # (N, D), grey values in [0, 1]
x_test = mg.asarray(x_test.reshape(-1, side * side))
D, hidden, Z, tosses = (784, 400, 20, 1) if args.data == "mnist" else (64, 256, 10, 4)
print(f"{args.data}: {len(x_train)} images to learn from, {len(x_test)} to test on, {D} pixels each")

# %% [markdown]
# The encoder's last layer gives 2 Z numbers: Z means and Z logarithms of variances. A logarithm may be any number, so
# no layer has to force a variance to be positive.


# %%
class VAE(nn.Module):
    def __init__(self):
        self.encoder = nn.Sequential(nn.Dense(D, hidden), nn.ReLU(), nn.Dense(hidden, 2 * Z))
        self.decoder = nn.Sequential(nn.Dense(Z, hidden), nn.ReLU(), nn.Dense(hidden, D))

    def encode(self, x):  # (N, D)
        return mg.split(self.encoder(x), sections=2, axis=1)  # mean (N, Z), logvar (N, Z)

    def decode(self, z):  # (N, Z)
        return mg.sigmoid(self.decoder(z))  # (N, D), each a probability of ink


mg.random.seed(args.seed)
vae = VAE()
print(vae)

# %% [markdown]
# **The loss** is what it costs to describe x, in nats (Kingma and Welling's bound, eq. 7): the *reconstruction* term,
# how surprised the decoder is by the true pixels, plus the *KL* term, how far the code's distribution strays from
# N(0, 1). The KL term is what fills the space of codes without holes, so that a random z means something.
#
# A pixel is taken as a coin that shows ink with the decoder's probability. MNIST's usual figure counts one toss a
# pixel. A pixel of `digits` is a count, 0 to 16 dots of a finer scan that mostly go together: we count it as 4 tosses.
#
# **The trick** (reparameterisation): z is random, and randomness has no gradient. But z = mean + sigma * noise has
# one, for mean and sigma: the noise comes in from outside, like data. And sigma = exp(logvar / 2): logvar is the
# logarithm of the *variance*.


# %%
def vae_loss(x, noise):  # x (N, D), noise (N, Z)
    mean, logvar = vae.encode(x)
    z = mean + mg.exp(logvar * 0.5) * noise  # (N, Z)
    logits = vae.decoder(z)  # (N, D)
    reconstruction = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum") * (tosses / len(x))
    kl = mg.kl_normal(mean, logvar, reduction="sum") / len(x)
    return reconstruction, kl  # nats per image


reconstruction, kl = vae_loss(x_train[:100], mg.random.normal((100, Z)))
print(f"before training: reconstruction {reconstruction.item():.1f} + KL {kl.item():.2f} nats")
assert abs(reconstruction.item() / (D * tosses) - np.log(2)) < 0.05  # it knows nothing yet: ln 2 for each toss

# %% [markdown]
# **Training.** Each step: forward, loss, `zero_grad`, `backward`, `step`. On the test images we only look.

# %%
epochs = {("digits", False): 150, ("digits", True): 15, ("mnist", False): 10, ("mnist", True): 1}[args.data, args.quick]
batch_size = 128 if args.data == "mnist" else 32
loader = data.batches(x_train, batch_size=batch_size, seed=args.seed)
adam = optim.Adam(vae.parameters(), lr=1e-3)


def test_loss():
    with mg.no_grad():
        parts = [vae_loss(x, mg.random.normal((len(x), Z))) for x in mg.xp.array_split(x_test, 5)]
    return np.mean([[part.item() for part in pair] for pair in parts], axis=0)  # (reconstruction, KL)


history = []  # (train, test reconstruction, test KL) after each epoch
bar = lesson.progress(range(epochs), "VAE")
for _ in bar:
    losses = []
    for x in loader:  # (batch_size, D)
        reconstruction, kl = vae_loss(x, mg.random.normal((len(x), Z)))
        loss = reconstruction + kl
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    history.append((np.mean(losses), *test_loss()))
print(f"test: reconstruction {history[-1][1]:.2f} + KL {history[-1][2]:.2f} nats per image")

# %% [markdown]
# **The plain autoencoder**, for comparison: the same networks, the code a point, no noise and no KL.


# %%
mg.random.seed(args.seed)
encoder = nn.Sequential(nn.Dense(D, hidden), nn.ReLU(), nn.Dense(hidden, Z))
decoder = nn.Sequential(nn.Dense(Z, hidden), nn.ReLU(), nn.Dense(hidden, D))
adam = optim.Adam(encoder.parameters() + decoder.parameters(), lr=1e-3)
for _ in lesson.progress(range(epochs), "autoencoder"):
    for x in loader:
        loss = mg.binary_cross_entropy_with_logits(decoder(encoder(x)), x, reduction="sum") / len(x)
        adam.zero_grad()
        loss.backward()
        adam.step()
print(f"autoencoder: reconstruction {tosses * loss.item():.2f} nats on its last batch; it reconstructs better ...")

# %% [markdown]
# **Drawing.** For the VAE, a random z is a draw from N(0, 1). For the autoencoder nobody knows where the codes lie;
# the fairest guess is a normal distribution with the mean and spread of its codes. As a measure of how much the
# drawings look like digits: the distance of each to the nearest real one.

# %%
with mg.no_grad():
    drawn = vae.decode(mg.random.normal((100, Z))).numpy()  # (100, D)
    codes = encoder(x_train).data  # (N, Z)
    guess = codes.mean(axis=0) + codes.std(axis=0) * mg.random.normal((100, Z))
    drawn_by_autoencoder = mg.sigmoid(decoder(guess)).numpy()  # (100, D)


def to_nearest(images):  # (n, D) -> mean distance to the nearest training image
    real = mg.to_numpy(x_train)
    return np.mean([np.sqrt(((real - image) ** 2).sum(axis=1).min()) for image in images])


near, far = to_nearest(drawn), to_nearest(drawn_by_autoencoder)
print(f"... and draws worse: distance to the nearest real digit {far:.2f}, the VAE's {near:.2f}")

# %% [markdown]
# **A walk.** Encode two real digits, go from one code to the other in a straight line, and decode on the way: every
# point in between is an image, too.

# %%
CHOSEN = [(0, 6), (1, 4), (3, 8), (7, 9), (2, 5), (6, 3)]
pairs = [(np.flatnonzero(y_test == a)[0], np.flatnonzero(y_test == b)[0]) for a, b in CHOSEN]
steps = np.linspace(0, 1, 10, dtype=np.float32)
with mg.no_grad():
    means = vae.encode(x_test)[0]  # (N, Z)
    rows = [mg.stack([means[a] * (1 - t) + means[b] * t for t in steps.tolist()]) for a, b in pairs]
    walks = vae.decode(mg.concatenate(rows)).numpy()  # (6 x 10, D)
    rebuilt = vae.decode(means[:30]).numpy()  # (30, D)

figure, axes = plt.subplots(1, 2, figsize=(9, 4.8))
lesson.show(axes[0], drawn.reshape(-1, side, side), "Drawn by the VAE")
lesson.show(axes[1], drawn_by_autoencoder.reshape(-1, side, side), "Drawn by a plain autoencoder")
lesson.save(figure, "02_vae_samples.png")

figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), width_ratios=[1, 1, 1.2])
both = np.stack([part.reshape(3, 10, D) for part in (mg.to_numpy(x_test[:30]), rebuilt)], axis=1)  # (3, 2, 10, D)
lesson.show(axes[0], both.reshape(-1, side, side), "Test digits, each above its reconstruction")
lesson.show(axes[1], walks.reshape(-1, side, side), "Walks from one digit to another")
train, test_reconstruction, test_kl = np.array(history).T
axes[2].plot(train, label="training loss")
axes[2].plot(test_reconstruction + test_kl, label="test loss")
axes[2].plot(test_kl, label="of which KL")
axes[2].set(title="Nats per image", xlabel="epoch", ylim=(0, None))
axes[2].legend()
lesson.save(figure, "02_vae_walk.png")

# %% [markdown]
# **What was promised.**

# %%
bounds = {("digits", False): 81.0, ("digits", True): 87.0, ("mnist", False): 107.0, ("mnist", True): 150.0}
lesson.promise("test loss, nats per image", test_reconstruction[-1] + test_kl[-1], high=bounds[args.data, args.quick])
if epochs >= 7:
    lesson.promise("test loss after 7 epochs", test_reconstruction[6] + test_kl[6])
lesson.promise("reconstruction, nats per image", test_reconstruction[-1])
lesson.promise("KL, nats per image", test_kl[-1], low=5.0)
lesson.promise("distance to the nearest real image, VAE", near)
lesson.promise("the autoencoder's, times as far", far / near, low=1.05)

# %% [markdown]
# **Break it.** Take `mg.exp(logvar)` for sigma, as if the encoder gave the logarithm of the standard deviation: the
# formula of the KL term no longer belongs to the noise that is used. The test loss still falls, and nothing raises;
# only the number tells. Or multiply the KL term by 0: the VAE turns into the plain autoencoder, and so do
# its drawings.
#
# **The same in Keras and in PyTorch.** The loss of one batch, PyTorch:
#
#     mean, logvar = encoder(x).chunk(2, dim=1)
#     z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
#     reconstruction = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum") / len(x)
#     kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum() / len(x)
#     (reconstruction + kl).backward()
#
# Keras 3:
#
#     mean, logvar = keras.ops.split(encoder(x), 2, axis=1)
#     z = mean + keras.ops.exp(0.5 * logvar) * keras.random.normal(keras.ops.shape(mean))
#     bce = keras.losses.binary_crossentropy(x, decoder(z), from_logits=True)  # the mean over a row's D pixels
#     reconstruction = keras.ops.mean(bce) * D
#     kl = 0.5 * keras.ops.mean(keras.ops.sum(mean**2 + keras.ops.exp(logvar) - 1 - logvar, axis=1))

# %%
lesson.report(args)
