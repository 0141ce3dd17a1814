"""The seven workloads in PyTorch, eager, on the CPU: the twins of workloads_minigen.py, same sizes, same work."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


def trainer(loss_of, optimiser):
    def step():
        optimiser.zero_grad()
        loss_of().backward()
        optimiser.step()

    return step


def mlp():
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )  # fmt: skip
    x, y = torch.rand(64, 784), torch.randint(0, 10, (64,))
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
    return trainer(lambda: F.cross_entropy(model(x), y), optimiser)


def lenet():
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    x, y = torch.rand(64, 1, 28, 28), torch.randint(0, 10, (64,))
    return trainer(lambda: F.cross_entropy(model(x), y), torch.optim.Adam(model.parameters(), lr=1e-3))


def char_lstm(hidden, batch=32, steps=64, vocabulary=64):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, 64)
            self.lstm = nn.LSTM(64, hidden)  # time first: PyTorch's own, faster order
            self.out = nn.Linear(hidden, vocabulary)

        def forward(self, ids):
            return self.out(self.lstm(self.embedding(ids))[0])

    model = Model()
    x, y = torch.randint(0, vocabulary, (steps, batch)), torch.randint(0, vocabulary, (steps * batch,))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    return trainer(lambda: F.cross_entropy(model(x).view(-1, vocabulary), y), optimiser)


def lstm128():
    return char_lstm(128)


def lstm256():
    return char_lstm(256)


def vae():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean, self.logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
            self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    model, x = VAE(), torch.rand(128, 784)

    def loss():
        h = F.relu(model.hidden(x))
        mean, logvar = model.mean(h), model.logvar(h)
        z = mean + torch.exp(logvar * 0.5) * torch.randn_like(mean)
        reconstruction = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
        return reconstruction - 0.5 * torch.sum(1 + logvar - mean * mean - logvar.exp())

    return trainer(loss, torch.optim.Adam(model.parameters(), lr=1e-3))


def dcgan():
    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.start = nn.Linear(64, 128 * 49)
            self.grow = nn.Sequential(
                nn.BatchNorm2d(128), nn.ReLU(), nn.ConvTranspose2d(128, 64, 4, 2, 1),
                nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh(),
            )  # fmt: skip

        def forward(self, z):
            return self.grow(self.start(z).view(-1, 128, 7, 7))

    generator = Generator()
    critic = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(128 * 49, 1),
    )  # fmt: skip
    for_generator = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for_critic = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    x, loss = torch.rand(64, 1, 28, 28), F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)

    def step():
        fake = generator(torch.randn(64, 64))
        for_critic.zero_grad()
        (loss(critic(x), ones) + loss(critic(fake.detach()), zeros)).backward()
        for_critic.step()
        for_generator.zero_grad()
        critic.requires_grad_(False)
        loss(critic(fake), ones).backward()
        critic.requires_grad_(True)
        for_generator.step()

    return step


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, time=128):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Linear(time, outputs)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, t):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(t))[:, :, None, None]
        return self.conv2(F.silu(self.norm2(h))) + self.skip(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.time1, self.time2 = nn.Linear(64, 128), nn.Linear(128, 128)
        self.start, self.block0 = nn.Conv2d(1, 32, 3, padding=1), ResidualBlock(32, 32)
        self.down0, self.block1 = nn.Conv2d(32, 32, 3, 2, 1), ResidualBlock(32, 64)
        self.down1, self.block2 = nn.Conv2d(64, 64, 3, 2, 1), ResidualBlock(64, 64)
        self.middle, self.up = ResidualBlock(64, 64), nn.Upsample(scale_factor=2)
        self.up1, self.block3 = nn.Conv2d(64, 64, 3, padding=1), ResidualBlock(128, 64)
        self.up0, self.block4 = nn.Conv2d(64, 32, 3, padding=1), ResidualBlock(64, 32)
        self.norm, self.out = nn.GroupNorm(8, 32), nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x, t):
        t = self.time2(F.silu(self.time1(t)))
        a = self.block0(self.start(x), t)
        b = self.block1(self.down0(a), t)
        c = self.middle(self.block2(self.down1(b), t), t)
        h = self.block3(torch.cat([self.up1(self.up(c)), b], 1), t)
        h = self.block4(torch.cat([self.up0(self.up(h)), a], 1), t)
        return self.out(F.silu(self.norm(h)))


def unet():
    model = UNet()
    x, t = torch.rand(32, 1, 28, 28), torch.rand(32, 64)

    def loss():
        noise = torch.randn(32, 1, 28, 28)
        return F.mse_loss(model(0.7 * x + 0.7 * noise, t), noise)

    return trainer(loss, torch.optim.Adam(model.parameters(), lr=1e-3))


def tiny():
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
    x, y = torch.rand(32, 2), torch.randint(0, 2, (32, 1)).float()
    return trainer(
        lambda: F.binary_cross_entropy_with_logits(model(x), y),
        torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9),
    )


WORKLOADS = {
    "W1": mlp, "W2": lenet, "W3a": lstm128, "W3b": lstm256, "W4": vae, "W5": dcgan, "W6": unet, "W7": tiny,
}  # fmt: skip
