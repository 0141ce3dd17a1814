"""The seven workloads in minigen, through its public layers: what a lesson would write.

Each function builds a model and returns `step`, one training step: forward, backward, update. The twins in
workloads_torch.py and the others do the same with the same sizes. Where a step is worth two processes (from about two
milliseconds on), a parallel.Team takes the batch apart; with one thread it is loss.backward().
"""

import numpy as np
from choices import CHOICES

import minigen as mg
from minigen import nn, optim, parallel

rng = np.random.default_rng(0)


def uniform(*shape):
    return rng.random(shape, dtype=np.float32)


def trainer(loss_of, optimiser, *batch):
    def step():
        loss = loss_of(*batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def team_trainer(loss_of, optimiser, *batch, reduction="mean"):
    team = parallel.Team(loss_of, optimiser, reduction=reduction)

    return lambda: team.step(*batch)


def mlp():
    """W1: 784-256-128-10, batch 64, SGD with momentum."""
    model = nn.Sequential(
        nn.Dense(784, 256), nn.ReLU(), nn.Dense(256, 128), nn.ReLU(), nn.Dense(128, 10)
    )  # fmt: skip
    x, y = uniform(64, 784), rng.integers(0, 10, 64)
    sgd = optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
    return trainer(lambda x, y: mg.cross_entropy(model(x), y), sgd, x, y)


def lenet():
    """W2: LeNet-5, batch 64, Adam."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dense(400, 120), nn.ReLU(), nn.Dense(120, 84), nn.ReLU(), nn.Dense(84, 10),
    )  # fmt: skip
    x, y = uniform(64, 28, 28, 1), rng.integers(0, 10, 64)
    return team_trainer(lambda x, y: mg.cross_entropy(model(x), y), optim.Adam(model.parameters(), lr=1e-3), x, y)


def char_lstm(hidden, batch=32, steps=64, vocabulary=64):
    class Model(nn.Module):
        def __init__(self):
            self.embedding = nn.Embedding(vocabulary, 64)
            self.lstm = nn.LSTM(64, hidden)
            self.out = nn.Dense(hidden, vocabulary)

        def forward(self, ids):  # (N, T) -> (N, T, vocabulary)
            hs, _ = self.lstm(self.embedding(ids))
            return self.out(hs)

    model = Model()
    x, y = rng.integers(0, vocabulary, (batch, steps)), rng.integers(0, vocabulary, (batch, steps))
    return team_trainer(lambda x, y: mg.cross_entropy(model(x), y), optim.Adam(model.parameters(), lr=1e-3), x, y)


def lstm128():
    """W3a: character LSTM, vocabulary 64, hidden 128, 64 steps, batch 32, Adam."""
    return char_lstm(128)


def lstm256():
    """W3b: the same with hidden 256."""
    return char_lstm(256)


def vae():
    """W4: VAE 784-400-20, batch 128, Adam."""

    class VAE(nn.Module):
        def __init__(self):
            self.hidden, self.mean, self.logvar = nn.Dense(784, 400), nn.Dense(400, 20), nn.Dense(400, 20)
            self.decoder = nn.Sequential(nn.Dense(20, 400), nn.ReLU(), nn.Dense(400, 784))

    model, x = VAE(), uniform(128, 784)

    def loss(x):
        h = mg.relu(model.hidden(x))
        mean, logvar = model.mean(h), model.logvar(h)
        z = mean + mg.exp(logvar * 0.5) * mg.random.normal(mean.shape)
        reconstruction = mg.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
        return reconstruction + mg.kl_normal(mean, logvar, reduction="sum")

    return team_trainer(loss, optim.Adam(model.parameters(), lr=1e-3), x, reduction="sum")


def dcgan():
    """W5: DCGAN 28x28, batch 64, one step of the discriminator and one of the generator, Adam."""

    class Generator(nn.Module):
        def __init__(self):
            self.start = nn.Dense(64, 128 * 49)
            self.grow = nn.Sequential(
                nn.BatchNorm(128), nn.ReLU(), nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1),
                nn.BatchNorm(64), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1), nn.Tanh(),
            )  # fmt: skip

        def forward(self, z):
            return self.grow(self.start(z).reshape(-1, 7, 7, 128))

    generator = Generator()
    critic = nn.Sequential(
        nn.Conv2d(1, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Dense(128 * 49, 1),
    )  # fmt: skip
    for_generator = optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for_critic = optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    x, loss = uniform(64, 28, 28, 1), mg.binary_cross_entropy_with_logits

    def losses(x, z):
        fake = generator(z)
        yield loss(critic(x), 1.0) + loss(critic(fake.detach()), 0.0)
        yield loss(critic(fake), 1.0)

    team = parallel.Team(losses, for_critic, for_generator)
    return lambda: team.step(x, mg.random.normal((64, 64)))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, time=128):
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Dense(time, outputs)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else lambda x: x

    def forward(self, x, t):  # x (N, H, W, C), t (N, time)
        h = self.conv1(mg.silu(self.norm1(x))) + self.time(mg.silu(t)).reshape(len(t), 1, 1, -1)
        return self.conv2(mg.silu(self.norm2(h))) + self.skip(x)


class UNet(nn.Module):
    def __init__(self):
        self.time1, self.time2 = nn.Dense(64, 128), nn.Dense(128, 128)
        self.start, self.block0 = nn.Conv2d(1, 32, 3, padding=1), ResidualBlock(32, 32)
        self.down0, self.block1 = nn.Conv2d(32, 32, 3, stride=2, padding=1), ResidualBlock(32, 64)
        self.down1, self.block2 = nn.Conv2d(64, 64, 3, stride=2, padding=1), ResidualBlock(64, 64)
        self.middle, self.up = ResidualBlock(64, 64), nn.Upsample(2)
        self.up1, self.block3 = nn.Conv2d(64, 64, 3, padding=1), ResidualBlock(128, 64)
        self.up0, self.block4 = nn.Conv2d(64, 32, 3, padding=1), ResidualBlock(64, 32)
        self.norm, self.out = nn.GroupNorm(8, 32), nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x, t):  # x (N, 28, 28, 1), t (N, 64)
        t = self.time2(mg.silu(self.time1(t)))
        a = self.block0(self.start(x), t)  # (N, 28, 28, 32)
        b = self.block1(self.down0(a), t)  # (N, 14, 14, 64)
        c = self.middle(self.block2(self.down1(b), t), t)  # (N, 7, 7, 64)
        h = self.block3(mg.concatenate(self.up1(self.up(c)), b, axis=3), t)
        h = self.block4(mg.concatenate(self.up0(self.up(h)), a, axis=3), t)
        return self.out(mg.silu(self.norm(h)))


def unet():
    """W6: DDPM U-Net 28x28, 32-64-64 channels, batch 32, Adam."""
    model = UNet()
    x, t = uniform(32, 28, 28, 1), uniform(32, 64)

    def loss(x, t):
        noise = mg.random.normal(x.shape)
        return mg.mse(model(0.7 * x + 0.7 * noise, t), noise)

    return team_trainer(loss, optim.Adam(model.parameters(), lr=1e-3), x, t)


def tiny():
    """W7: 2-16-16-1, batch 32, SGD with momentum: overhead alone."""
    model = nn.Sequential(nn.Dense(2, 16), nn.ReLU(), nn.Dense(16, 16), nn.ReLU(), nn.Dense(16, 1))
    x, y = uniform(32, 2), rng.integers(0, 2, (32, 1)).astype(np.float32)
    sgd = optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
    return trainer(lambda x, y: mg.binary_cross_entropy_with_logits(model(x), y), sgd, x, y)


WORKLOADS = {
    "W1": mlp, "W2": lenet, "W3a": lstm128, "W3b": lstm256, "W4": vae, "W5": dcgan, "W6": unet, "W7": tiny,
}  # fmt: skip
VARIANTS = {name: switch_off for name, (switch_off, _, _) in CHOICES.items()}  # minigen without one of its choices
