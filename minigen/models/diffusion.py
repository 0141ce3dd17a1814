"""Diffusion models of images: the cosine schedule, the small U-Net that guesses the noise, and the sampler.

    alpha_bar = cosine_schedule(200)
    net = UNet(T=200, condition=10)
    guess = net(noised(x, t, noise, alpha_bar), t, labels)      # train: mg.mse(guess, noise)
    images = sample(net, alpha_bar, (64, 8, 8, 1), condition=wanted, guidance=2.0, steps=20, eta=0.0, seed=0)

Lessons 4.14 and 4.15 build all of this line by line; it stands here for those that go on from there. Images are
N, H, W, C, with grey values or colours from -1 to 1. t counts the steps of the noising, 0 to T - 1, and alpha_bar[t] is
the data's share of the variance after step t.
"""

import itertools
import math
from numbers import Integral
from typing import Any

from minigen import graph, nn, ops
from minigen.backend import xp

EMBEDDING, CLOCK = 64, 128  # numbers that tell t; numbers that the blocks hear of it


def cosine_schedule(T: int) -> Any:
    """alpha_bar (T,) float32 along a squared cosine: less of the way is almost pure noise. No beta is above 0.999.

    Raises ValueError where T is no whole number of at least 1.

    Source: Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", 2021, eq. 17.
    """
    _whole("cosine_schedule", "T", T, low=1)
    fall = xp.cos((xp.arange(T + 1) / T + 0.008) / 1.008 * math.pi / 2) ** 2  # (T + 1,)
    return xp.cumprod(xp.maximum(fall[1:] / fall[:-1], 0.001)).astype("float32")


def noised(x: Any, t: Any, noise: Any, alpha_bar: Any) -> Any:
    """sqrt(alpha_bar[t]) x + sqrt(1 - alpha_bar[t]) noise.   x, noise (N, ...), t (N,) -> (N, ...)"""
    share = alpha_bar[t].reshape(-1, *[1] * (x.ndim - 1))
    return xp.sqrt(share) * x + xp.sqrt(1 - share) * noise


def time_embedding(t: Any, T: int) -> Any:
    """sin and cos of t / T times 32 frequencies from 1 to 1,000.   t (N,) whole numbers -> (N, 64) float32

    Source: the position encoding of Vaswani et al., "Attention is all you need", 2017, as Ho et al. 2020 use it.
    """
    angle = t[:, None] / T * xp.logspace(0, 3, EMBEDDING // 2)  # (N, 32)
    return xp.concatenate([xp.sin(angle), xp.cos(angle)], axis=1).astype("float32")


class Block(nn.Module):
    """Two convolutions around which the input goes unchanged; the clock is added in between.

    x (N, H, W, inputs), clock (N, 128) -> (N, H, W, outputs)
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.clock = nn.Dense(CLOCK, outputs)
        self.past = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Any, clock: Any) -> Any:
        h = self.conv1(ops.silu(self.norm1(x))) + self.clock(clock).reshape(len(x), 1, 1, -1)
        return self.conv2(ops.silu(self.norm2(h))) + (self.past(x) if self.past else x)


class UNet(nn.Module):
    """Guesses the noise in noisy images.   x (N, H, W, channels), t (N,) -> (N, H, W, channels)

    T: the steps it is to learn. widths: channels at full size, at half of it, and so on; multiples of 8. H and W have
    to halve evenly len(widths) - 1 times. condition: the length of a vector that says what to draw, such as a one-hot
    label or the code of a text; 0 for a network that is told nothing. The vector is added to the clock through a matrix
    without a bias, so all zeros mean: nothing asked for, and without a condition that is what it hears.

    Raises ValueError for settings and images that do not fit. Source: Ronneberger, Fischer and Brox, "U-Net", 2015, in
    the form of Ho et al. 2020, without attention. With the defaults and channels=1, 258,433 parameters.
    """

    def __init__(self, *, T: int, channels: int = 1, widths: tuple[int, ...] = (32, 64), condition: int = 0) -> None:
        _whole("UNet", "T", T, low=1)
        _whole("UNet", "channels", channels, low=1)
        _whole("UNet", "condition", condition, low=0)
        if len(widths) < 2 or any(not isinstance(w, Integral) or w < 8 or w % 8 for w in widths):
            raise ValueError(f"UNet: widths is {widths!r}; it wants two or more multiples of 8, such as (32, 64)")
        self.T, self.channels, self.condition = T, channels, condition
        self.clock = nn.Sequential(nn.Dense(EMBEDDING, CLOCK), nn.SiLU(), nn.Dense(CLOCK, CLOCK), nn.SiLU())
        self.asked: Any = nn.Dense(condition, CLOCK, bias=False) if condition else None
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.halve, self.double, self.up = [], [], [], []
        for large, small in zip((widths[0], *widths), widths, strict=False):
            self.down.append(Block(large, small))
        for large, small in itertools.pairwise(widths):
            self.halve.append(nn.Conv2d(large, large, 3, stride=2, padding=1))
            self.double.append(nn.Sequential(nn.Upsample(2), nn.Conv2d(small, large, 3, padding=1)))
            self.up.append(Block(2 * large, large))
        self.bottom = Block(widths[-1], widths[-1])
        self.last = nn.Sequential(nn.GroupNorm(8, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, x: Any, t: Any, condition: Any = None) -> Any:
        self._check(x, condition)
        clock = self.clock(time_embedding(t, self.T))  # (N, 128)
        if condition is not None:
            clock = clock + self.asked(condition)
        h, across = self.down[0](self.first(x), clock), []
        for halve, block in zip(self.halve, self.down[1:], strict=True):
            across.append(h)
            h = block(halve(h), clock)
        h = self.bottom(h, clock)
        for double, block in zip(reversed(self.double), reversed(self.up), strict=True):
            h = block(ops.concatenate(double(h), across.pop(), axis=3), clock)
        return self.last(h)

    def _check(self, x: Any, condition: Any) -> None:
        by = 2 ** len(self.halve)
        if x.ndim != 4 or x.shape[1] % by or x.shape[2] % by or x.shape[3] != self.channels:
            raise ValueError(
                f"UNet: x has shape {x.shape}; it wants (N, H, W, {self.channels}), H and W multiples of {by}"
            )
        if condition is not None and not self.condition:
            raise ValueError("UNet: got a condition, but this network is told nothing; it wants UNet(..., condition=K)")
        if condition is not None and condition.shape != (len(x), self.condition):
            raise ValueError(
                f"UNet: condition has shape {condition.shape}; it wants one vector an image: "
                f"({len(x)}, {self.condition})"
            )


def guided(net: UNet, x: Any, t: Any, condition: Any, guidance: float) -> Any:
    """The guess with the condition, away from the one without: without + guidance (with - without).

    x (N, H, W, C), t (N,), condition (N, K) -> Tensor (N, H, W, C). guidance 0 is to ask for nothing, 1 the plain
    conditional guess; above 1 it exaggerates what the condition changes. The network has to have been trained with the
    condition left out (zeros) now and then.

    Source: Ho and Salimans, "Classifier-free diffusion guidance", 2022, whose w is guidance - 1.
    """
    if guidance == 1:
        return net(x, t, condition)
    without = net(x, t)
    return without if guidance == 0 else without + (net(x, t, condition) - without) * guidance


def sample(
    net: UNet,
    alpha_bar: Any,
    shape: tuple[int, int, int, int],
    *,
    condition: Any = None,
    guidance: float = 1.0,
    steps: int | None = None,
    eta: float = 1.0,
    seed: int = 0,
) -> Any:
    """New images from pure noise.   -> an array of `shape`, (N, H, W, C), from -1 to 1

    steps: of the T that the network has learned, evenly spaced; all of them by default. eta: the share of new noise; 1
    is DDPM's, 0 none, which is DDIM. condition (N, K), guidance: see `guided`. The seed decides all there is to decide.
    In each step the guess gives an x_0, which is clipped to [-1, 1]; the last step goes there without noise.

    Raises ValueError for settings that the network or the schedule cannot serve.

    Source: Song, Meng and Ermon, "Denoising diffusion implicit models", 2021, eq. 12.
    """
    T = len(alpha_bar)
    if T != net.T:
        raise ValueError(f"sample: alpha_bar has {T} steps, the network has learned {net.T}; they have to be the same")
    steps = T if steps is None else steps
    if not isinstance(steps, Integral) or not 1 <= steps <= T:
        raise ValueError(f"sample: steps is {steps!r}; the network has learned {T} steps, so it wants 1 to {T}")
    if not 0 <= eta <= 1:
        raise ValueError(f"sample: eta is {eta}; it wants a share of noise, from 0 (DDIM) to 1 (DDPM)")
    if not 0 <= guidance < math.inf:
        raise ValueError(f"sample: guidance is {guidance}; it wants a number of at least 0")
    if condition is None and guidance != 1:
        why = "no condition was given" if net.condition else "the network is unconditional, and has nothing to guide it"
        raise ValueError(f"sample: guidance is {guidance}, but {why}; it wants a condition, or guidance=1")
    rng = xp.random.default_rng(seed)
    x = rng.standard_normal(shape, dtype="float32")
    times = [k * T // steps for k in reversed(range(steps))]
    for t, after in zip(times, [*times[1:], None], strict=True):
        now, then = float(alpha_bar[t]), 1.0 if after is None else float(alpha_bar[after])
        with graph.no_grad():
            guess = guided(net, x, xp.full(len(x), t), condition, guidance).data
        x_0 = ((x - (1 - now) ** 0.5 * guess) / now**0.5).clip(-1, 1)
        guess = (x - now**0.5 * x_0) / (1 - now) ** 0.5  # the noise that goes with the clipped x_0
        sigma = eta * ((1 - then) / (1 - now) * (1 - now / then)) ** 0.5
        x = then**0.5 * x_0 + max(1 - then - sigma**2, 0) ** 0.5 * guess
        if sigma > 0:
            x = x + sigma * rng.standard_normal(shape, dtype="float32")
    return x


def _whole(where: str, name: str, value: Any, *, low: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
        raise ValueError(f"{where}: {name} is {value!r}; it wants a whole number of at least {low}")
