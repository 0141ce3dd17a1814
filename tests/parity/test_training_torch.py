"""Ten training steps in both libraries, from the same weights, on the same data: the same losses and weights.

The loops are written once: minigen and PyTorch share the words. The models are written twice, each as its
library's users would write them.
"""

import inspect

import numpy as np
import pytest
import torch_twins as twins

import minigen as mg
from minigen import nn, optim

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
tnn, F = torch.nn, torch.nn.functional

STEPS, SAME = 10, 1e-6

OPTIMISERS = {
    "SGD": (optim.SGD, torch.optim.SGD, {"lr": 0.1}),
    "momentum": (optim.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "Nesterov": (
        optim.SGD,
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02},
    ),
    "RMSProp": (optim.RMSProp, torch.optim.RMSprop, {"lr": 0.002}),
    "RMSProp, momentum": (optim.RMSProp, torch.optim.RMSprop, {"lr": 0.001, "alpha": 0.9, "momentum": 0.8}),
    "Adam": (optim.Adam, torch.optim.Adam, {"lr": 0.01}),
    "Adam, betas": (optim.Adam, torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.02}),
    "AdamW": (optim.AdamW, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
}
MAIN = ["momentum", "RMSProp", "Adam"]


def test_no_optimiser_is_left_out():
    kinds = {c for _, c in inspect.getmembers(optim, inspect.isclass) if issubclass(c, optim.Optimiser)}
    assert kinds - {optim.Optimiser} == {ours for ours, _, _ in OPTIMISERS.values()}


def optimisers(name, model, twin):
    """The same optimiser in both libraries, on their parameters."""
    ours, theirs, settings = OPTIMISERS[name]
    learned = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    return ours(model.parameters(), **settings), theirs(learned, **settings)


def ten_losses(optimiser, loss, batches):
    """Train a step on each batch, in either library."""
    losses = []
    for batch in batches:
        value = loss(*batch)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return losses


def in_both(batches):
    """Batches of arrays as minigen's Tensors, and as PyTorch's tensors, images with the channels first."""
    ours = [[twins.mine(a) for a in batch] for batch in batches]
    theirs = [[twins.theirs(np.moveaxis(a, -1, 1) if a.ndim == 4 else a) for a in batch] for batch in batches]
    return ours, theirs


def same(losses, references):
    losses, references = np.array(losses), np.array(references)
    assert losses.shape == references.shape and len(losses) == STEPS
    assert (abs(losses - references) <= SAME * abs(references)).all(), f"losses {losses}, PyTorch's {references}"
    assert (np.diff(losses, axis=0) != 0).all(), "a step changed nothing"


def same_weights(model, twin):
    for layer, module in twins.pairs(twin, model):
        state = module.state_dict()
        for name, reference in twins.torch_weights(layer, twins.leaves(layer)).items():
            twins.agree(
                f"{type(layer).__name__}: {name} after training",
                reference.detach().numpy(),
                state[name],
                SAME,
            )


# ------------------------------------------------------------------------------------------------ MLP


@pytest.mark.parametrize("name", OPTIMISERS)
def test_mlp(name):
    rng = np.random.default_rng(0)
    mg.seed(0)
    model = nn.Sequential(nn.Dense(6, 16), nn.ReLU(), nn.Dense(16, 16), nn.Tanh(), nn.Dense(16, 3)).astype("float64")
    twin = tnn.Sequential(tnn.Linear(6, 16), tnn.ReLU(), tnn.Linear(16, 16), tnn.Tanh(), tnn.Linear(16, 3)).double()
    twins.load(twin, model)
    ours, theirs = in_both([(rng.standard_normal((20, 6)), rng.integers(0, 3, 20)) for _ in range(STEPS)])
    our_optimiser, their_optimiser = optimisers(name, model, twin)
    losses = ten_losses(our_optimiser, lambda x, t: mg.cross_entropy(model(x), t), ours)
    same(losses, ten_losses(their_optimiser, lambda x, t: F.cross_entropy(twin(x), t), theirs))
    same_weights(model, twin)


# ---------------------------------------------------------------------------------------------- LeNet


@pytest.mark.parametrize("name", MAIN)
def test_lenet(name):
    rng = np.random.default_rng(1)
    mg.seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dense(2 * 2 * 16, 20), nn.Tanh(), nn.Dense(20, 10),
    ).astype("float64")  # fmt: skip
    twin = tnn.Sequential(
        tnn.Conv2d(1, 6, 5, padding=2), tnn.Tanh(), tnn.AvgPool2d(2),
        tnn.Conv2d(6, 16, 5), tnn.ReLU(), tnn.MaxPool2d(2),
        tnn.Flatten(), tnn.Linear(16 * 2 * 2, 20), tnn.Tanh(), tnn.Linear(20, 10),
    ).double()  # fmt: skip
    twins.load(twin, model)
    first_dense = twins.theirs(model[7].w.data)  # PyTorch flattens channels first
    twin[7].weight.data = twins.after_flatten(first_dense, (2, 2, 16)).T.contiguous()
    ours, theirs = in_both([(rng.standard_normal((8, 16, 16, 1)), rng.integers(0, 10, 8)) for _ in range(STEPS)])
    our_optimiser, their_optimiser = optimisers(name, model, twin)
    losses = ten_losses(our_optimiser, lambda x, t: mg.cross_entropy(model(x), t), ours)
    same(losses, ten_losses(their_optimiser, lambda x, t: F.cross_entropy(twin(x), t), theirs))


# ----------------------------------------------------------------------------------------------- LSTM


class Writer(nn.Module):
    """The next letter, after each letter of a text. ids (N, T) -> logits (N, T, 11)"""

    def __init__(self):
        self.embedding = nn.Embedding(11, 6)
        self.lstm = nn.LSTM(6, 8, layers=2)
        self.dense = nn.Dense(8, 11)

    def forward(self, ids, state):
        hs, state = self.lstm(self.embedding(ids), state)
        return self.dense(hs), state


class TorchWriter(tnn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = tnn.Embedding(11, 6)
        self.lstm = tnn.LSTM(6, 8, num_layers=2, batch_first=True)
        self.dense = tnn.Linear(8, 11)

    def forward(self, ids, state):
        hs, state = self.lstm(self.embedding(ids), state)
        return self.dense(hs), state


@pytest.mark.parametrize("name", MAIN)
def test_lstm(name):
    """A text read in pieces: the state after one is the first of the next, cut off from its graph."""
    rng = np.random.default_rng(2)
    mg.seed(2)
    model, twin = Writer().astype("float64"), TorchWriter().double()
    twins.load(twin, model)
    text = rng.integers(0, 11, (5, STEPS * 7 + 1))
    ours, theirs = in_both([(text[:, i : i + 7], text[:, i + 1 : i + 8]) for i in range(0, STEPS * 7, 7)])

    def loss_of(writer, cross_entropy):
        state = None

        def loss(ids, targets):
            nonlocal state
            logits, (h, c) = writer(ids, state)
            state = h.detach(), c.detach()
            return cross_entropy(logits.reshape(-1, 11), targets.reshape(-1))

        return loss

    our_optimiser, their_optimiser = optimisers(name, model, twin)
    losses = ten_losses(our_optimiser, loss_of(model, mg.cross_entropy), ours)
    same(losses, ten_losses(their_optimiser, loss_of(twin, F.cross_entropy), theirs))
    same_weights(model, twin)


# ------------------------------------------------------------------------------------------------ VAE


class VAE(nn.Module):
    """x (N, 12) -> logits (N, 12), mean (N, 3), logvar (N, 3). The noise is an input."""

    def __init__(self):
        self.encoder = nn.Sequential(nn.Dense(12, 16), nn.ReLU())
        self.mean, self.logvar = nn.Dense(16, 3), nn.Dense(16, 3)
        self.decoder = nn.Sequential(nn.Dense(3, 16), nn.ReLU(), nn.Dense(16, 12))

    def forward(self, x, noise):
        h = self.encoder(x)
        mean, logvar = self.mean(h), self.logvar(h)
        return self.decoder(mean + mg.exp(logvar * 0.5) * noise), mean, logvar


class TorchVAE(tnn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = tnn.Sequential(tnn.Linear(12, 16), tnn.ReLU())
        self.mean, self.logvar = tnn.Linear(16, 3), tnn.Linear(16, 3)
        self.decoder = tnn.Sequential(tnn.Linear(3, 16), tnn.ReLU(), tnn.Linear(16, 12))

    def forward(self, x, noise):
        h = self.encoder(x)
        mean, logvar = self.mean(h), self.logvar(h)
        return self.decoder(mean + torch.exp(logvar * 0.5) * noise), mean, logvar


@pytest.mark.parametrize("name", MAIN)
def test_vae(name):
    rng = np.random.default_rng(3)
    mg.seed(3)
    model, twin = VAE().astype("float64"), TorchVAE().double()
    twins.load(twin, model)
    draws = [(rng.uniform(size=(10, 12)), rng.standard_normal((10, 3))) for _ in range(STEPS)]
    ours, theirs = in_both(draws)

    def our_loss(x, noise):
        logits, mean, logvar = model(x, noise)
        error = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return (error + mg.kl_normal(mean, logvar, reduction="sum")) / 10

    def their_loss(x, noise):
        logits, mean, logvar = twin(x, noise)
        error = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return (error - 0.5 * (1 + logvar - mean**2 - logvar.exp()).sum()) / 10  # as PyTorch's own example has it

    our_optimiser, their_optimiser = optimisers(name, model, twin)
    losses = ten_losses(our_optimiser, our_loss, ours)
    same(losses, ten_losses(their_optimiser, their_loss, theirs))
    same_weights(model, twin)


# ------------------------------------------------------------------------------------------------ GAN


def generator():
    return nn.Sequential(
        nn.ConvTranspose2d(4, 8, 3, bias=False), nn.BatchNorm(8), nn.ReLU(),  # 1x1 -> 3x3
        nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, bias=False), nn.BatchNorm(6), nn.ReLU(),  # -> 6x6
        nn.ConvTranspose2d(6, 1, 3, stride=2, padding=1, output_padding=1), nn.Tanh(),  # -> 12x12
    )  # fmt: skip


def torch_generator():
    return tnn.Sequential(
        tnn.ConvTranspose2d(4, 8, 3, bias=False), tnn.BatchNorm2d(8), tnn.ReLU(),
        tnn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, bias=False), tnn.BatchNorm2d(6), tnn.ReLU(),
        tnn.ConvTranspose2d(6, 1, 3, stride=2, padding=1, output_padding=1), tnn.Tanh(),
    )  # fmt: skip


def discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 6, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(6, 8, 4, stride=2, padding=1, bias=False), nn.BatchNorm(8), nn.LeakyReLU(0.2),
        nn.Conv2d(8, 1, 3),
    )  # fmt: skip


def torch_discriminator():
    return tnn.Sequential(
        tnn.Conv2d(1, 6, 4, stride=2, padding=1), tnn.LeakyReLU(0.2),
        tnn.Conv2d(6, 8, 4, stride=2, padding=1, bias=False), tnn.BatchNorm2d(8), tnn.LeakyReLU(0.2),
        tnn.Conv2d(8, 1, 3),
    )  # fmt: skip


def gan_losses(g, d, g_optimiser, d_optimiser, judged, batches):
    """A step of the discriminator and one of the generator for each batch, in either library."""
    losses = []
    for real, z in batches:
        fake = g(z)
        d.requires_grad_(True)
        d_loss = judged(d(real), 1.0) + judged(d(fake.detach()), 0.0)
        d_optimiser.zero_grad()
        d_loss.backward()
        d_optimiser.step()
        d.requires_grad_(False)
        g_loss = judged(d(fake), 1.0)
        g_optimiser.zero_grad()
        g_loss.backward()
        g_optimiser.step()
        losses.append([d_loss.item(), g_loss.item()])
    return losses


@pytest.mark.parametrize("name", ["momentum", "RMSProp", "Adam, betas"])
def test_conv_gan(name):
    rng = np.random.default_rng(4)
    mg.seed(4)
    g, d = generator().astype("float64"), discriminator().astype("float64")
    their_g, their_d = torch_generator().double(), torch_discriminator().double()
    twins.load(their_g, g)
    twins.load(their_d, d)
    draws = [(rng.uniform(-1, 1, (6, 12, 12, 1)), rng.standard_normal((6, 1, 1, 4))) for _ in range(STEPS)]
    ours, theirs = in_both(draws)
    g_optimisers, d_optimisers = optimisers(name, g, their_g), optimisers(name, d, their_d)

    def their_judged(logits, target):
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    losses = gan_losses(g, d, g_optimisers[0], d_optimisers[0], mg.binary_cross_entropy_with_logits, ours)
    same(losses, gan_losses(their_g, their_d, g_optimisers[1], d_optimisers[1], their_judged, theirs))
    same_weights(g, their_g)
    same_weights(d, their_d)
