"""The workloads in tinygrad, with TinyJit, as its own examples train. It compiles kernels: it needs clang.

W3, W5 and W6 are left out: a step of W5 takes seconds, compiling the others' kernels minutes.
"""

import os

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad import Context, Tensor, TinyJit, nn

rng = np.random.default_rng(0)
Tensor.manual_seed(0)


def uniform(*shape):
    return Tensor(rng.random(shape, dtype=np.float32))


def labels(classes, *shape):
    return Tensor(rng.integers(0, classes, shape).astype(np.int32))


def trainer(loss_of, optimiser):
    @TinyJit
    def train():
        optimiser.zero_grad()
        loss = loss_of().backward()
        return loss.realize(*optimiser.schedule_step())

    def step():
        with Context(TRAINING=1):
            train().item()  # waits for the kernels

    return step


def parameters(*models):
    return [p for model in models for p in nn.state.get_parameters(model)]


def mlp():
    layers = [nn.Linear(784, 256), Tensor.relu, nn.Linear(256, 128), Tensor.relu, nn.Linear(128, 10)]
    x, y = uniform(64, 784), labels(10, 64)
    optimiser = nn.optim.SGD(parameters(layers), lr=1e-5, momentum=0.9)
    return trainer(lambda: x.sequential(layers).sparse_categorical_crossentropy(y), optimiser)


def lenet():
    layers = [
        nn.Conv2d(1, 6, 5, padding=2), Tensor.relu, Tensor.max_pool2d,
        nn.Conv2d(6, 16, 5), Tensor.relu, Tensor.max_pool2d, lambda x: x.flatten(1),
        nn.Linear(400, 120), Tensor.relu, nn.Linear(120, 84), Tensor.relu, nn.Linear(84, 10),
    ]  # fmt: skip
    x, y = uniform(64, 1, 28, 28), labels(10, 64)
    optimiser = nn.optim.Adam(parameters(layers), lr=1e-3)
    return trainer(lambda: x.sequential(layers).sparse_categorical_crossentropy(y), optimiser)


def vae():
    hidden, to_mean, to_logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
    decoder = [nn.Linear(20, 400), Tensor.relu, nn.Linear(400, 784)]
    x = uniform(128, 784)

    def loss():
        h = hidden(x).relu()
        mean, logvar = to_mean(h), to_logvar(h)
        z = mean + (logvar * 0.5).exp() * Tensor.randn(128, 20)
        reconstruction = z.sequential(decoder).binary_crossentropy_logits(x, reduction="sum")
        return reconstruction - 0.5 * (1 + logvar - mean * mean - logvar.exp()).sum()

    return trainer(loss, nn.optim.Adam(parameters(hidden, to_mean, to_logvar, decoder), lr=1e-3))


def tiny():
    layers = [nn.Linear(2, 16), Tensor.relu, nn.Linear(16, 16), Tensor.relu, nn.Linear(16, 1)]
    x, y = uniform(32, 2), Tensor(rng.integers(0, 2, (32, 1)).astype(np.float32))
    optimiser = nn.optim.SGD(parameters(layers), lr=1e-5, momentum=0.9)
    return trainer(lambda: x.sequential(layers).binary_crossentropy_logits(y), optimiser)


WORKLOADS = {"W1": mlp, "W2": lenet, "W4": vae, "W7": tiny}
