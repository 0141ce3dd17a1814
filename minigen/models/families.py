"""Five kinds of generative models of the 8x8 digits, small, and alike to use: so that they can be compared.

    model = VAE(steps=3000)
    for ...:
        model.step(x, y)             # one step of training on a batch: x (N, 64) grey values k / 16, y (N,) classes
    images = model.draw(y)           # (N, 64), one of each class asked for
    model.nats(x, y)                 # (N,), -ln p(x | y), or a bound on it; None where a model cannot say

Each is built line by line in a lesson of its own, named below. Arrays are those of the backend in use, float32 from 0
to 1, and labels whole numbers from 0 to 9.
"""

import math
from typing import Any

from minigen import graph, nn, ops, optim, random
from minigen.backend import asarray, xp
from minigen.models.diffusion import UNet, cosine_schedule, noised, sample
from minigen.tensor import Tensor, tensor

D, K, LEVELS = 64, 10, 17  # pixels, classes, grey levels


def one_hot(y: Any) -> Any:
    """(N,) -> (N, 10) float32"""
    return xp.eye(K, dtype="float32")[y]


class Gaussians:
    """A mean and a covariance for each class (lesson 4.1). One step on all images is the whole training.

    Each level is spread evenly over 1/17 of [0, 1], so that a density makes sense, and 1/17^2 is added to the
    variances, for pixels that are always empty. The density is then a bound: -ln p is at most `nats`, on average.
    """

    def __init__(self, steps: int = 1) -> None:
        self.means = xp.zeros((K, D))
        self.roots = xp.zeros((K, D, D))  # root @ root.T is the covariance

    def step(self, x: Any, y: Any) -> None:
        for k in range(K):
            v = self._spread(x[y == k])  # (n, D)
            self.means[k] = v.mean(axis=0)
            away = v - self.means[k]
            self.roots[k] = xp.linalg.cholesky(away.T @ away / (len(v) - 1) + xp.eye(D) / LEVELS**2)

    def draw(self, y: Any) -> Any:
        z = random.normal((len(y), D, 1), dtype="float64")
        v = self.means[y] + (self.roots[y] @ z)[:, :, 0]  # (N, D)
        return (xp.floor(v * LEVELS).clip(0, LEVELS - 1) / (LEVELS - 1)).astype("float32")

    def nats(self, x: Any, y: Any) -> Any:
        away = self._spread(x) - self.means[y]
        z = xp.linalg.solve(self.roots[y], away[:, :, None])[:, :, 0]  # (N, D), standard normal if the class is right
        width = xp.log(xp.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)[y]
        return (z**2).sum(axis=1) / 2 + width + D * (math.log(2 * math.pi) / 2 + math.log(LEVELS))

    @staticmethod
    def _spread(x: Any) -> Any:
        return ((LEVELS - 1) * x + random.uniform(x.shape, dtype="float64")) / LEVELS


class VAE:
    """A conditional VAE (lessons 4.2 and 4.3). A grey level is a count of 16 dots: the binomial distribution.

    `nats` is importance-weighted over `draws` codes (Burda et al. 2015): on average a little too high.
    """

    def __init__(self, steps: int, *, hidden: int = 256, codes: int = 10, draws: int = 200) -> None:
        self.codes, self.draws = codes, draws
        self.encoder = nn.Sequential(nn.Dense(D + K, hidden), nn.ReLU(), nn.Dense(hidden, 2 * codes))
        self.decoder = nn.Sequential(nn.Dense(codes + K, hidden), nn.ReLU(), nn.Dense(hidden, D))
        self.adam = optim.Adam(self.encoder.parameters() + self.decoder.parameters(), lr=2e-3)
        self.schedule = optim.CosineLR(self.adam, steps=steps)
        dots = LEVELS - 1
        ways = [math.lgamma(dots + 1) - math.lgamma(k + 1) - math.lgamma(dots - k + 1) for k in range(LEVELS)]
        self.ways = asarray(ways)  # (17,), ln of how many ways there are to choose k of 16

    def step(self, x: Any, y: Any) -> None:
        loss = -self.log_weight(x, one_hot(y)).mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self.schedule.step()

    def log_weight(self, x: Any, c: Any) -> Tensor:
        """ln p(x | z, c) + ln p(z) - ln q(z | x, c), (N,), for one code z of each image: on average at most ln p."""
        mean, logvar = ops.split(self.encoder(ops.concatenate(x, c, axis=1)), sections=2, axis=1)  # (N, codes) each
        noise = random.normal(mean.shape)
        z = mean + ops.exp(0.5 * logvar) * noise
        prior, posterior = -0.5 * (z**2).sum(axis=1), -0.5 * (noise**2 + logvar).sum(axis=1)
        return self.log_p(self.decoder(ops.concatenate(z, c, axis=1)), x) + prior - posterior

    def log_p(self, logits: Any, x: Any) -> Any:
        """ln of the binomial probability of the pixels, (N,).   logits, x (N, 64)"""
        level = (LEVELS - 1) * x
        cost = (LEVELS - 1) * ops.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(axis=1)
        return self.ways[xp.rint(level).astype("int64")].sum(axis=1) - cost

    def draw(self, y: Any) -> Any:
        z = random.normal((len(y), self.codes))
        with graph.no_grad():
            return ops.sigmoid(self.decoder(ops.concatenate(z, one_hot(y), axis=1))).data

    def nats(self, x: Any, y: Any) -> Any:
        with graph.no_grad():
            weights = [self.log_weight(x, one_hot(y)).data for _ in range(self.draws)]
        total = weights[0]
        for weight in weights[1:]:
            total = xp.logaddexp(total, weight)
        return math.log(self.draws) - total


class GAN:
    """A conditional GAN with the logistic losses and R1 (lesson 4.6); draws with the mean of its weights."""

    def __init__(self, steps: int, *, hidden: int = 256, codes: int = 10, penalty: float = 0.5) -> None:
        self.codes, self.penalty = codes, penalty
        self.generator = nn.Sequential(
            nn.Dense(codes + K, hidden), nn.ReLU(), nn.Dense(hidden, hidden), nn.ReLU(), nn.Dense(hidden, D),
            nn.Sigmoid(),
        )  # fmt: skip
        self.critic = nn.Sequential(
            nn.Dense(D + K, hidden), nn.LeakyReLU(0.2), nn.Dense(hidden, hidden), nn.LeakyReLU(0.2), nn.Dense(hidden, 1)
        )
        self.g_adam, self.d_adam = (
            optim.Adam(net.parameters(), lr=1e-3, betas=(0.0, 0.99)) for net in (self.generator, self.critic)
        )
        self.schedules = [optim.CosineLR(adam, steps=steps) for adam in (self.g_adam, self.d_adam)]
        self.ema = optim.ExponentialMovingAverage(self.generator, decay=0.998, warm_up=True)

    def step(self, x: Any, y: Any) -> None:
        c = one_hot(y)
        fake = self._generate(c, 1.0)
        self._step_of_critic(tensor(x, requires_grad=True), fake.detach(), c)
        self.critic.requires_grad_(False)
        self.g_adam.zero_grad()
        ops.softplus(-self._judge(fake, c)).mean().backward()
        self.g_adam.step()
        self.critic.requires_grad_(True)
        for schedule in self.schedules:
            schedule.step()
        self.ema.update()

    def _step_of_critic(self, real: Tensor, fake: Tensor, c: Any) -> None:
        of_real = self._judge(real, c)  # (N, 1)
        slope = graph.grad(of_real.sum(), real, create_graph=True)  # (N, 64)
        loss = ops.softplus(-of_real).mean() + ops.softplus(self._judge(fake, c)).mean()
        self.d_adam.zero_grad()
        (loss + self.penalty / 2 * (slope**2).sum() / len(c)).backward()
        self.d_adam.step()

    def draw(self, y: Any, width: float = 1.0) -> Any:
        """width: the standard deviation of the code; below 1 the images are better, and more alike."""
        with graph.no_grad(), self.ema.applied():
            return self._generate(one_hot(y), width).data

    def nats(self, x: Any, y: Any) -> None:
        return None

    def _generate(self, c: Any, width: float) -> Tensor:
        return self.generator(ops.concatenate(width * random.normal((len(c), self.codes)), c, axis=1))

    def _judge(self, x: Any, c: Any) -> Tensor:
        return self.critic(ops.concatenate(x, c, axis=1))


class Diffusion:
    """DDPM with a class (lessons 4.15 and 4.16), half the width of theirs; draws in `draws` of its T steps."""

    def __init__(self, steps: int, *, T: int = 200, draws: int = 50, widths: tuple[int, ...] = (16, 32)) -> None:
        self.T, self.draws, self.alpha_bar = T, draws, cosine_schedule(T)
        self.net = UNet(T=T, widths=widths, condition=K)
        self.adam = optim.Adam(self.net.parameters(), lr=4e-3)
        self.schedule = optim.CosineLR(self.adam, steps=steps)
        self.ema = optim.ExponentialMovingAverage(self.net, decay=0.995, warm_up=True)

    def step(self, x: Any, y: Any) -> None:
        x = (2 * x - 1).reshape(-1, 8, 8, 1)
        t, noise = random.generator().integers(self.T, size=len(x)), random.normal(x.shape)
        loss = ops.mse(self.net(noised(x, t, noise, self.alpha_bar), t, one_hot(y)), noise)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self.schedule.step()
        self.ema.update()

    def draw(self, y: Any) -> Any:
        seed = int(random.generator().integers(2**31))
        with self.ema.applied():
            x = sample(self.net, self.alpha_bar, (len(y), 8, 8, 1), condition=one_hot(y), steps=self.draws, seed=seed)
        return (x.reshape(-1, D) + 1) / 2

    def nats(self, x: Any, y: Any) -> None:
        return None  # there is a bound (Ho et al. 2020, eq. 5), T + 1 terms long


class LSTM:
    """Reads an image line by line, and guesses the next of its 64 grey levels (lessons 3.2 and 3.3): exact `nats`."""

    def __init__(self, steps: int, *, hidden: int = 128) -> None:
        self.net = _NextLevel(hidden)
        self.adam = optim.Adam(self.net.parameters(), lr=4e-3)
        self.schedule = optim.CosineLR(self.adam, steps=steps)

    def step(self, x: Any, y: Any) -> None:
        loss = self._nats(x, y).mean() / D
        self.adam.zero_grad()
        loss.backward()
        optim.clip_grad_norm(self.net.parameters(), 1.0)
        self.adam.step()
        self.schedule.step()

    def draw(self, y: Any) -> Any:
        level, state, drawn = xp.full((len(y), 1), LEVELS), None, []
        with graph.no_grad():
            for place in range(D):
                scores, state = self.net(level, xp.asarray([place]), y, state)  # (N, 1, 17)
                ends = ops.softmax(scores.data[:, 0]).cumsum(axis=1)  # (N, 17)
                dart = random.uniform((len(y), 1)) * ends[:, -1:]
                level = (ends > dart).argmax(axis=1)[:, None]  # (N, 1): the first that ends beyond the dart
                drawn.append(level)
        return xp.concatenate(drawn, axis=1).astype("float32") / (LEVELS - 1)

    def nats(self, x: Any, y: Any) -> Any:
        with graph.no_grad():
            return self._nats(x, y).data

    def _nats(self, x: Any, y: Any) -> Tensor:
        levels = xp.rint((LEVELS - 1) * x).astype("int64")  # (N, 64)
        before = xp.concatenate([xp.full((len(x), 1), LEVELS), levels[:, :-1]], axis=1)  # (N, 64), what is read
        scores, _ = self.net(before, xp.arange(D), y)
        return ops.cross_entropy(scores, levels, reduction="none").sum(axis=1)


class _NextLevel(nn.Module):
    def __init__(self, hidden: int) -> None:
        self.level, self.place, self.kind = nn.Embedding(LEVELS + 1, 32), nn.Embedding(D, 32), nn.Embedding(K, 32)
        self.lstm, self.readout = nn.LSTM(32, hidden), nn.Dense(hidden, LEVELS)

    def forward(self, before: Any, places: Any, y: Any, state: Any = None) -> Any:  # (N, n), (n,), (N,)
        x = self.level(before) + self.place(places) + self.kind(y)[:, None]  # (N, n, 32)
        hs, state = self.lstm(x, state)
        return self.readout(hs), state  # (N, n, 17)
