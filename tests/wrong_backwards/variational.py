"""Reparameterisation, the KL term, and other formulas of generative models."""

import numpy as np

from wrong_backwards.form import Family, Planted, normal, positive

WRONG: list[Planted] = []


class reparameterise:
    """z = mu + e^(logvar / 2) eps"""

    def forward(mu, logvar, eps):
        return mu + np.exp(0.5 * logvar) * eps

    def d_mu(dy):
        return dy

    def d_logvar(dy, logvar, eps):
        return dy * 0.5 * np.exp(0.5 * logvar) * eps

    d_eps = None


f = Family(reparameterise, lambda: (normal(5, 3), normal(5, 3, seed=1), normal(5, 3, seed=2)), WRONG)
f("1/2 left out", "1/2|2", d_logvar=lambda dy, logvar, eps: dy * np.exp(0.5 * logvar) * eps)
f("eps left out", "eps", d_logvar=lambda dy, logvar: dy * 0.5 * np.exp(0.5 * logvar))
f("sigma left out", "exp|derivative", d_logvar=lambda dy, logvar, eps: dy * 0.5 * eps)
f("sigma squared", "exp|twice|too many|logvar", d_logvar=lambda dy, logvar, eps: dy * 0.5 * np.exp(logvar) * eps)
f(
    "noise redrawn",
    "redrawn|random",
    d_logvar=lambda dy, logvar: dy * 0.5 * np.exp(0.5 * logvar) * np.random.standard_normal(dy.shape),
)
f("d_mu times sigma", "exp|logvar", d_mu=lambda dy, logvar: dy * np.exp(0.5 * logvar))
f("d_mu times eps", "eps", d_mu=lambda dy, eps: dy * eps)
f("detached", "0, detached|never", d_logvar=lambda dy: dy * 0)


class kl:
    """loss = mean over the batch of sum (mu^2 + e^logvar - 1 - logvar) / 2.   mu (N, Z), logvar (N, Z)"""

    def forward(mu, logvar):
        return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum() / len(mu)

    def d_mu(dy, mu):
        return dy * mu / len(mu)

    def d_logvar(dy, logvar):
        return dy * 0.5 * (np.exp(logvar) - 1) / len(logvar)


f = Family(kl, lambda: (normal(7, 3), normal(7, 3, seed=1)), WRONG)
f("not averaged over the batch", "batch", d_mu=lambda dy, mu: dy * mu)
f(
    "- 1 missing in d_logvar",
    "logvar|constant|same|1, left out|missing|path",
    d_logvar=lambda dy, logvar: dy * 0.5 * np.exp(logvar) / len(logvar),
)
f("logvar read as log sigma", "2 logvar|exp", d_logvar=lambda dy, logvar: dy * (np.exp(2 * logvar) - 1) / len(logvar))
f("sign", "sign", d_mu=lambda dy, mu: -dy * mu / len(mu))
f("1/2 left out of d_logvar", "2", d_logvar=lambda dy, logvar: dy * (np.exp(logvar) - 1) / len(logvar))
f("divided by N Z", "3|Z", d_mu=lambda dy, mu: dy * mu / mu.size)
f("d_logvar: the exp term lost", "exp", d_logvar=lambda dy, logvar: -dy * 0.5 / len(logvar) * np.ones_like(logvar))


class gaussian_nll:
    """loss = mean of (x - mu)^2 / (2 var) + ln(var) / 2"""

    def forward(mu, var, x):
        return ((x - mu) ** 2 / (2 * var) + 0.5 * np.log(var)).mean()

    def d_mu(dy, mu, var, x):
        return dy * (mu - x) / var / mu.size

    def d_var(dy, mu, var, x):
        return dy * (0.5 / var - (x - mu) ** 2 / (2 * var**2)) / mu.size

    d_x = None


f = Family(gaussian_nll, lambda: (normal(5, 3), positive(5, 3), normal(5, 3, seed=1)), WRONG)
f("log term lost", "log|path", d_var=lambda dy, mu, var, x: -dy * (x - mu) ** 2 / (2 * var**2) / mu.size)
f("var left out of d_mu", "var", d_mu=lambda dy, mu, var, x: dy * (mu - x) / mu.size)
f("d_mu of the wrong sign", "sign", d_mu=lambda dy, mu, var, x: dy * (x - mu) / var / mu.size)
f("2 not in d_mu's chain", "2", d_mu=lambda dy, mu, var, x: dy * (mu - x) / (2 * var) / mu.size)


class wasserstein:
    """loss = mean of fake - mean of real.   real (N,), fake (M,)"""

    def forward(real, fake):
        return fake.mean() - real.mean()

    def d_real(dy, real):
        return -dy / real.size * np.ones_like(real)

    def d_fake(dy, fake):
        return dy / fake.size * np.ones_like(fake)


f = Family(wasserstein, lambda: (normal(7), normal(5)), WRONG)
f("signs flipped", "sign", d_real=lambda dy, real: dy / real.size * np.ones_like(real))
f("not averaged", "5, divis|mean", d_fake=lambda dy, fake: dy * np.ones_like(fake))


class diffuse:
    """x_t = sqrt(abar) x + sqrt(1 - abar) noise.   x (N, D), noise (N, D), abar (N, 1)"""

    def forward(x, noise, abar):
        return np.sqrt(abar) * x + np.sqrt(1 - abar) * noise

    def d_x(dy, abar):
        return dy * np.sqrt(abar)

    def d_noise(dy, abar):
        return dy * np.sqrt(1 - abar)

    d_abar = None


f = Family(diffuse, lambda: (normal(5, 3), normal(5, 3, seed=1), np.linspace(0.15, 0.85, 5)[:, None]), WRONG)
f("no root", "sqrt", d_x=lambda dy, abar: dy * abar)
f("roots exchanged", "swapped|1 - abar", d_x=lambda dy, abar: dy * np.sqrt(1 - abar))
f("noise scale left out", "abar, left out", d_noise=lambda dy: dy.copy())
