"""W7 in micrograd, a number at a time. It has no logarithm: the loss is the margin loss of its own demo."""

import random

from micrograd.engine import Value
from micrograd.nn import MLP

random.seed(0)


def tiny():
    model = MLP(2, [16, 16, 1])
    x = [[Value(random.random()), Value(random.random())] for _ in range(32)]
    y = [random.choice((-1, 1)) for _ in range(32)]
    params = model.parameters()
    velocities = [0.0] * len(params)

    def step():
        loss = sum((1 + -label * model(row)).relu() for row, label in zip(x, y, strict=True)) * (1 / 32)
        model.zero_grad()
        loss.backward()
        for k, p in enumerate(params):
            velocities[k] = 0.9 * velocities[k] + p.grad
            p.data -= 1e-5 * velocities[k]

    return step


WORKLOADS = {"W7": tiny}
