"""Whether time and memory grow linearly, and how long a training step takes as its sizes grow.

    python benchmarks/scaling.py            writes benchmarks/SCALING.md and benchmarks/scaling.png

First the long graphs: a chain of ops, residual links (each value used twice), an LSTM over many steps. Then training
steps over batch, sequence length, depth and image size. A row's last column is the time for each unit: where it stays
the same, time is linear. CPU time on one thread; each row runs in a process of its own.
"""

import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

import minigen as mg
from minigen import nn, optim

HERE = Path(__file__).parent


def image(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def chain(n):
    """n ops, one after the other, on 1,000 numbers."""
    w = mg.tensor(image(1000), requires_grad=True)

    def step():
        h = w
        for _ in range(n):
            h = h + 0.001
        h.sum().backward()

    return step


def residual(n):
    """n links h = h + tanh(h), on 1,000 numbers: 2^n paths."""
    w = mg.tensor(image(1000) * 1e-3, requires_grad=True)

    def step():
        h = w
        for _ in range(n):
            h = h + mg.tanh(h) * 0.001
        h.sum().backward()

    return step


def trained(model, x, y):
    optimiser = optim.SGD(model.parameters(), lr=1e-5)

    def step():
        loss = mg.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def lstm(steps):
    """An LSTM of 64 over so many steps, batch 16. Its mean state is read: the last alone would send back denormals."""

    class Mean(nn.Module):
        def __init__(self):
            self.lstm, self.out = nn.LSTM(32, 64), nn.Dense(64, 10)

        def forward(self, x):
            return self.out(self.lstm(x)[0].mean(axis=1))

    return trained(Mean(), image(16, steps, 32), np.arange(16) % 10)


def batch(n):
    """A 784-256-10 network on a batch of n."""
    model = nn.Sequential(nn.Dense(784, 256), nn.ReLU(), nn.Dense(256, 10))
    return trained(model, image(n, 784), np.arange(n) % 10)


def depth(n):
    """n layers of 128 and ReLU, batch 64, started as He et al. do: otherwise the numbers become denormal."""
    layers = [layer for _ in range(n) for layer in (nn.Dense(128, 128, init=nn.init.he_normal), nn.ReLU())]
    return trained(nn.Sequential(*layers), image(64, 128), np.arange(64) % 10)


def pixels(n):
    """Two 3x3 convolutions of 16 and 32 channels, batch 16, on images of n pixels (n a square)."""
    side = int(n**0.5)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AvgPool2d(side), nn.Flatten(), nn.Dense(32, 10),
    )  # fmt: skip
    return trained(model, image(16, side, side, 3), np.arange(16) % 10)


CURVES = {
    "ops in a chain": (chain, [1_000, 10_000, 100_000]),
    "residual links": (residual, [100, 1_000, 10_000]),
    "LSTM steps": (lstm, [100, 300, 1_000, 3_000]),
    "batch": (batch, [64, 256, 1024, 4096]),
    "layers": (depth, [8, 32, 128, 512]),
    "pixels": (pixels, [16**2, 32**2, 64**2, 128**2]),
}


def measure(name: str, size: int) -> None:
    """Print [CPU seconds a step, the fastest of some, and the peak MB that a step allocates]."""
    step = CURVES[name][0](size)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 1.0 and len(times) < 50):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    tracemalloc.start()
    step()
    print(json.dumps([min(times), tracemalloc.get_traced_memory()[1] / 2**20]))


def main() -> None:
    if len(sys.argv) == 3:
        return measure(sys.argv[1], int(sys.argv[2]))
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    one_thread = {**os.environ, "MINIGEN_THREADS": "1"}
    lines = [
        "# How time and memory grow",
        "",
        f"{time.strftime('%Y-%m-%d')}, by `python benchmarks/scaling.py`. CPU time on one thread.",
        "",
    ]
    lines += [
        "![curves](scaling.png)",
        "",
        "| | size | ms a step | peak MB | us each | KB each |",
        "|---|---|---|---|---|---|",
    ]
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for ax, (name, (_, sizes)) in zip(axes.flat, CURVES.items(), strict=True):
        seconds = []
        for size in sizes:
            command = [sys.executable, __file__, name, str(size)]
            out = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=True).stdout
            took, peak = json.loads(out)
            seconds.append(took)
            each = f"{took / size * 1e6:.3f} | {peak / size * 1024:.3f}"
            lines.append(f"| {name} | {size:,} | {took * 1e3:.2f} | {peak:.1f} | {each} |")
            print(lines[-1], flush=True)
        ax.loglog(sizes, np.array(seconds) * 1e3, "o-", label="measured")
        ax.loglog(sizes, np.array(sizes) * seconds[-1] / sizes[-1] * 1e3, ":", color="grey", label="linear")
        ax.set(title=name, ylabel="CPU ms a step")
        ax.legend(frameon=False)
    figure.savefig(HERE / "scaling.png", dpi=110)
    (HERE / "SCALING.md").write_text("\n".join(lines) + "\n")
    return None


if __name__ == "__main__":
    main()
