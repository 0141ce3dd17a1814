"""The workloads that DeZero has the layers for: all but the U-Net, which needs group norm and upsampling.

DeZero 0.0.13 was written for NumPy 1. Its user has to give `np.int` back before the import, and gets float64 almost
everywhere, because `float32 * np.sqrt(...)` and `float32 * np.array(1.0)` are float64 since NumPy 2: that is the
contestant "dezero". "dezero-float32" is what a careful user can do about it without changing DeZero: weights made
float32, losses put together from functions whose gradients stay float32. It is twice as fast, and measured where no
tanh, sigmoid or batch norm makes float64 again.
"""

import numpy as np

np.int = int  # DeZero's transforms name it
import dezero  # noqa: E402
import dezero.functions as F  # noqa: E402
import dezero.layers as L  # noqa: E402
from dezero import Model, optimizers  # noqa: E402
from dezero.models import MLP  # noqa: E402

rng = np.random.default_rng(0)
half, one = np.float32(0.5), np.float32(1)
careful = False  # whether to keep everything float32


def uniform(*shape):
    return rng.random(shape, dtype=np.float32)


def noise(*shape):
    return rng.standard_normal(shape, dtype=np.float32)


def made(model, x):
    """The model with its weights, which DeZero makes in a first forward pass."""
    with dezero.no_grad():
        model(x)
    if careful:
        for p in model.params():
            p.data = p.data.astype(np.float32)
    return model


def cross_entropy(x, y):
    if not careful:
        return F.softmax_cross_entropy(x, y)
    return -F.sum(F.log_softmax(x)[np.arange(len(y)), y]) / np.float32(len(y))


def binary_cross_entropy(x, y):
    """From logits, the mean over the batch. Careful: max(x, 0) - x y + log(1 + exp(-|x|))."""
    if not careful:
        return F.sigmoid_cross_entropy(x, y)
    size = F.relu(x) + F.relu(-x)
    return F.sum(F.relu(x) - x * y + F.log(one + F.exp(-size))) / np.float32(len(x))


def trainer(model, loss_of, optimiser):
    optimiser.setup(model)

    def step():
        loss = loss_of()
        model.cleargrads()
        loss.backward()
        optimiser.update()

    return step


def mlp():
    x, y = uniform(64, 784), rng.integers(0, 10, 64)
    model = made(MLP((256, 128, 10), activation=F.relu), x[:1])
    return trainer(model, lambda: cross_entropy(model(x), y), optimizers.MomentumSGD(1e-5, 0.9))


def lenet():
    class LeNet(Model):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = L.Conv2d(6, 5, pad=2), L.Conv2d(16, 5)
            self.dense1, self.dense2, self.dense3 = L.Linear(120), L.Linear(84), L.Linear(10)

        def forward(self, x):
            h = F.pooling(F.relu(self.conv1(x)), 2, 2)
            h = F.flatten(F.pooling(F.relu(self.conv2(h)), 2, 2))
            return self.dense3(F.relu(self.dense2(F.relu(self.dense1(h)))))

    x, y = uniform(64, 1, 28, 28), rng.integers(0, 10, 64)
    model = made(LeNet(), x[:1])
    return trainer(model, lambda: cross_entropy(model(x), y), optimizers.Adam(1e-3))


def char_lstm(hidden, batch=32, steps=64, vocabulary=64):
    class Reader(Model):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm, self.out = L.EmbedID(vocabulary, 64), L.LSTM(hidden), L.Linear(vocabulary)

        def forward(self, ids):
            return self.out(self.lstm(self.embedding(ids)))

    x, y = rng.integers(0, vocabulary, (steps, batch)), rng.integers(0, vocabulary, (steps, batch))
    model = made(Reader(), x[0])

    def loss():
        model.lstm.reset_state()
        total = cross_entropy(model(x[0]), y[0])
        for t in range(1, steps):
            total = total + cross_entropy(model(x[t]), y[t])
        return total / np.float32(steps)

    return trainer(model, loss, optimizers.Adam(1e-3))


def lstm128():
    return char_lstm(128)


def lstm256():
    return char_lstm(256)


def vae():
    class VAE(Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean, self.logvar = L.Linear(400), L.Linear(20), L.Linear(20)
            self.decoder1, self.decoder2 = L.Linear(400), L.Linear(784)

        def forward(self, x):
            h = F.relu(self.hidden(x))
            mean, logvar = self.mean(h), self.logvar(h)
            z = mean + F.exp(logvar * half) * noise(len(x), 20)
            return self.decoder2(F.relu(self.decoder1(z))), mean, logvar

    x = uniform(128, 784)
    model = made(VAE(), x[:1])

    def loss():
        logits, mean, logvar = model(x)
        reconstruction = binary_cross_entropy(logits, x) * np.float32(128)
        return reconstruction - half * F.sum(one + logvar - mean * mean - F.exp(logvar))

    return trainer(model, loss, optimizers.Adam(1e-3))


def dcgan():
    class Generator(Model):
        def __init__(self):
            super().__init__()
            self.start, self.norm1, self.norm2 = L.Linear(128 * 49), L.BatchNorm(), L.BatchNorm()
            self.grow1, self.grow2 = L.Deconv2d(64, 4, 2, 1), L.Deconv2d(1, 4, 2, 1)

        def forward(self, z):
            h = F.relu(self.norm1(F.reshape(self.start(z), (len(z), 128, 7, 7))))
            return F.tanh(self.grow2(F.relu(self.norm2(self.grow1(h)))))

    class Critic(Model):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2, self.out = L.Conv2d(64, 4, 2, 1), L.Conv2d(128, 4, 2, 1), L.Linear(1)

        def forward(self, x):
            return self.out(F.flatten(F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(x))))))

    x, ones, zeros = uniform(64, 1, 28, 28), np.ones((64, 1), np.float32), np.zeros((64, 1), np.float32)
    generator, critic = made(Generator(), noise(2, 64)), made(Critic(), x[:1])
    for_generator, for_critic = optimizers.Adam(2e-4, 0.5).setup(generator), optimizers.Adam(2e-4, 0.5).setup(critic)

    def step():
        fake = generator(noise(64, 64))
        critic.cleargrads()
        (binary_cross_entropy(critic(x), ones) + binary_cross_entropy(critic(fake.data), zeros)).backward()
        for_critic.update()
        generator.cleargrads()
        binary_cross_entropy(critic(fake), ones).backward()
        for_generator.update()

    return step


def tiny():
    x, y = uniform(32, 2), rng.integers(0, 2, (32, 1)).astype(np.float32)
    model = made(MLP((16, 16, 1), activation=F.relu), x[:1])
    return trainer(model, lambda: binary_cross_entropy(model(x), y), optimizers.MomentumSGD(1e-5, 0.9))


def float32():
    global careful
    careful = True
    return {"W1": mlp, "W2": lenet, "W4": vae, "W7": tiny}


WORKLOADS = {"W1": mlp, "W2": lenet, "W3a": lstm128, "W3b": lstm256, "W4": vae, "W5": dcgan, "W7": tiny}
VARIANTS = {"float32": float32}
