"""minigen.models.families: each kind held to a case whose answer is known, and to what a step may change."""

import math

import numpy as np
import pytest

import minigen as mg
from minigen import data, xp
from minigen.models import families

KINDS = [families.Gaussians, families.VAE, families.GAN, families.Diffusion, families.LSTM]
SMALL = {"hidden": 16}


@pytest.fixture(scope="module")
def digits():
    """Images (N, 64) and labels (N,) of the training set, on the device."""
    x, y, _, _ = data.digits()
    return mg.asarray(x.reshape(-1, 64)), mg.asarray(y)


@pytest.fixture(autouse=True)
def seed():
    mg.seed(0)


def numbers(network):
    return [mg.to_numpy(p.data).copy() for p in network.parameters()]


def moved(before, network):
    return [not np.array_equal(a, mg.to_numpy(p.data)) for a, p in zip(before, network.parameters(), strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_each_class_asked_for_is_drawn_and_the_seed_decides_it(kind, digits):
    x, y = digits
    model = kind(2)
    model.step(x, y) if kind is families.Gaussians else model.step(x[:32], y[:32])
    drawn = []
    for _ in range(2):
        mg.seed(5)
        drawn.append(mg.to_numpy(model.draw(y[:7])))
    assert drawn[0].shape == (7, 64) and drawn[0].dtype == np.float32
    assert drawn[0].min() >= 0 and drawn[0].max() <= 1
    np.testing.assert_array_equal(*drawn)


def test_gaussians_draw_what_they_were_fitted_to(digits):
    x, y = digits
    model = families.Gaussians()
    model.step(x, y)
    threes = mg.to_numpy(model.draw(xp.full(4000, 3)))  # rounded, and cut to [0, 1]
    of_real = mg.to_numpy(x)[mg.to_numpy(y) == 3]
    assert abs(threes.mean(axis=0) - of_real.mean(axis=0)).max() < 0.05
    inner = of_real.std(axis=0) > 0.25  # pixels that are not always empty
    np.testing.assert_allclose(threes.std(axis=0)[inner], of_real.std(axis=0)[inner], rtol=0.2)


def test_the_gaussian_density_of_white_noise_is_that_of_the_formula(digits):
    x, y = digits[0][:5], xp.zeros(5, dtype="int64")
    model = families.Gaussians()
    model.means[:], model.roots[:] = 0.5, 0.3 * xp.eye(64)
    v = (16 * mg.to_numpy(x) + 0.5) / 17  # the middle of each level; the draw is within half a level of it
    per_pixel = ((v - 0.5) / 0.3) ** 2 / 2 + math.log(0.3) + math.log(2 * math.pi) / 2 + math.log(17)
    np.testing.assert_allclose(mg.to_numpy(model.nats(x, y)), per_pixel.sum(axis=1), atol=2)


def test_a_pixel_of_the_vae_is_a_binomial_count(digits):
    x = digits[0][:4]
    model = families.VAE(1, **SMALL)
    logits = mg.random.normal(x.shape)
    p, k = 1 / (1 + np.exp(-mg.to_numpy(logits).astype("float64"))), np.rint(16 * mg.to_numpy(x)).astype(int)
    ways = np.array([math.comb(16, int(n)) for n in k.ravel()]).reshape(k.shape)
    exact = np.log(ways * p**k * (1 - p) ** (16 - k)).sum(axis=1)
    np.testing.assert_allclose(mg.to_numpy(model.log_p(logits, x)), exact, rtol=1e-4)


def test_a_vae_that_uses_no_code_is_measured_exactly(digits):
    x, y = digits[0][:4], digits[1][:4]
    model = families.VAE(1, draws=3, **SMALL)
    for network in (model.encoder, model.decoder):  # mean and logvar 0: the posterior is the prior
        for p in network.parameters():
            p.data[...] = 0
    exact = -mg.to_numpy(model.log_p(xp.zeros((4, 64), dtype="float32"), x))
    np.testing.assert_allclose(mg.to_numpy(model.nats(x, y)), exact, rtol=1e-5)


def test_an_untrained_lstm_that_knows_nothing_pays_ln_17_a_pixel(digits):
    x, y = digits[0][:4], digits[1][:4]
    model = families.LSTM(1, **SMALL)
    for p in model.net.readout.parameters():
        p.data[...] = 0
    np.testing.assert_allclose(mg.to_numpy(model.nats(x, y)), 64 * math.log(17), rtol=1e-5)


def test_the_lstm_does_not_see_the_pixel_it_is_to_guess(digits):
    x, y = digits[0][:1], digits[1][:1]
    model = families.LSTM(1, **SMALL)
    levels = xp.rint(16 * x).astype("int64")
    other = levels.copy()
    other[0, 40] = 16 - other[0, 40] + (other[0, 40] == 8)
    scores = [mg.to_numpy(model.net(a, xp.arange(64), y)[0].data) for a in (levels, other)]
    np.testing.assert_array_equal(scores[0][0, :40], scores[1][0, :40])
    assert (scores[0][0, 40] != scores[1][0, 40]).any()


@pytest.mark.parametrize(("kind", "steps"), [(families.VAE, 60), (families.LSTM, 25)])
def test_training_lowers_what_an_unseen_digit_costs(kind, steps, digits):
    x, y = digits
    model = kind(steps, **SMALL)
    before = float(model.nats(x[-50:], y[-50:]).mean())
    for i in range(steps):
        model.step(x[32 * i % 1200 :][:32], y[32 * i % 1200 :][:32])
    assert float(model.nats(x[-50:], y[-50:]).mean()) < 0.85 * before


def test_each_step_of_the_gan_moves_its_own_network_only(digits):
    x, y = digits[0][:16], digits[1][:16]
    model = families.GAN(10, **SMALL)
    generator, critic = numbers(model.generator), numbers(model.critic)
    model._step_of_critic(
        mg.tensor(x, requires_grad=True), model._generate(families.one_hot(y), 1.0).detach(), families.one_hot(y)
    )
    assert all(moved(critic, model.critic)) and not any(moved(generator, model.generator))


def test_a_whole_step_of_the_gan_moves_both_and_leaves_the_critic_trainable(digits):
    x, y = digits[0][:16], digits[1][:16]
    model = families.GAN(10, **SMALL)
    generator, critic = numbers(model.generator), numbers(model.critic)
    model.step(x, y)
    assert all(moved(critic, model.critic)) and all(moved(generator, model.generator))
    assert all(p.requires_grad for p in model.critic.parameters())


def test_diffusion_learns_to_see_the_noise(digits):
    x, y = digits
    model = families.Diffusion(30, widths=(8, 16), T=50, draws=5)
    t, noise = xp.full(64, 25), mg.random.normal((64, 8, 8, 1))
    seen = mg.asarray(mg.to_numpy(2 * x[:64] - 1).reshape(64, 8, 8, 1))

    def error():
        with mg.no_grad():
            guess = model.net(families.noised(seen, t, noise, model.alpha_bar), t, families.one_hot(y[:64]))
        return float(((guess.data - noise) ** 2).mean())

    before = error()
    for _ in range(30):
        model.step(x[:64], y[:64])
    assert error() < 0.7 * before
