"""minigen.models.diffusion: schedules, the U-Net, the guidance, and a sampler held to cases whose answer is known."""

import numpy as np
import pytest

import minigen as mg
from minigen import optim, xp
from minigen.models.diffusion import (
    UNet,
    cosine_schedule,
    guided,
    noised,
    sample,
    time_embedding,
)

T = 30


class OneImage:
    """The exact guess where the data are one image, each pixel of it `level`; with a condition, its first entry."""

    condition, T = 1, T

    def __init__(self, alpha_bar, level):
        self.alpha_bar, self.level, self.calls = alpha_bar, level, 0

    def __call__(self, x, t, condition=None):
        self.calls += 1
        level = self.level if condition is None else condition[:, :1].reshape(-1, 1, 1, 1)
        now = self.alpha_bar[t].reshape(-1, 1, 1, 1)
        return mg.tensor((x - xp.sqrt(now) * level) / xp.sqrt(1 - now))


class Normal:
    """The exact guess where the data are normal, with mean 0 and standard deviation `spread`."""

    condition = 0

    def __init__(self, alpha_bar, spread):
        self.alpha_bar, self.spread, self.T = alpha_bar, spread, len(alpha_bar)

    def __call__(self, x, t, condition=None):
        now = self.alpha_bar[t].reshape(-1, 1, 1, 1)
        return mg.tensor(x * xp.sqrt(1 - now) / (now * self.spread**2 + 1 - now))


def small_net(condition=0):
    return UNet(T=T, widths=(8, 16), condition=condition)


# ----------------------------------------------------------------------------------------- the way to noise


def test_the_schedule_falls_from_all_data_to_all_noise():
    alpha_bar = mg.to_numpy(cosine_schedule(200))
    assert alpha_bar.shape == (200,) and alpha_bar.dtype == np.float32
    assert (np.diff(alpha_bar) < 0).all() and alpha_bar[0] > 0.999 and 0 < alpha_bar[-1] < 1e-4


def test_the_schedule_is_the_paper_s():
    k = np.arange(200) + 1  # Nichol and Dhariwal, before the last beta is cut down
    cosine = np.cos((k / 200 + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(mg.to_numpy(cosine_schedule(200))[:-1], cosine[:-1], rtol=1e-4)


def test_noised_has_the_shares_that_the_schedule_says():
    alpha_bar = cosine_schedule(T)
    x, t = xp.ones((T, 40, 40, 1), dtype="float32"), xp.arange(T)
    y = mg.to_numpy(noised(x, t, mg.random.normal(x.shape), alpha_bar)).reshape(T, -1)
    share = mg.to_numpy(alpha_bar)
    np.testing.assert_allclose(y.mean(axis=1), np.sqrt(share), atol=0.1)
    np.testing.assert_allclose(y.var(axis=1), 1 - share, atol=0.15)


def test_every_time_has_an_embedding_of_its_own():
    rows = mg.to_numpy(time_embedding(xp.arange(200), 200))
    assert rows.shape == (200, 64) and rows.dtype == np.float32
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2) + 10 * np.eye(200)
    assert apart.min() > 0.1


# ----------------------------------------------------------------------------------------- the network


def test_the_default_network_is_the_one_of_the_lesson():
    assert UNet(T=200).parameter_count() == 258_433


@pytest.mark.parametrize(("widths", "size", "channels"), [((8, 16), 8, 1), ((8, 16, 24), 12, 3)])
def test_the_guess_has_the_shape_of_the_images_and_every_parameter_takes_part(widths, size, channels):
    net = UNet(T=T, channels=channels, widths=widths, condition=5)
    x = mg.random.normal((4, size, size, channels))
    guess = net(x, xp.asarray([0, 3, 7, T - 1]), mg.random.normal((4, 5)))
    assert guess.shape == x.shape
    mg.mse(guess, mg.random.normal(x.shape)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and float(abs(parameter.grad).max()) > 0, name


def test_the_time_and_the_condition_change_the_guess_and_zeros_do_not():
    net, x, t = small_net(condition=3), mg.random.normal((2, 8, 8, 1)), xp.asarray([4, 4])
    plain = mg.to_numpy(net(x, t))
    assert abs(mg.to_numpy(net(x, t + 9)) - plain).max() > 1e-4
    assert abs(mg.to_numpy(net(x, t, mg.random.normal((2, 3)))) - plain).max() > 1e-4
    np.testing.assert_allclose(mg.to_numpy(net(x, t, xp.zeros((2, 3), dtype="float32"))), plain, atol=1e-6)


def test_it_learns_to_guess():
    mg.seed(0)
    net, alpha_bar = small_net(), cosine_schedule(T)
    adam, rng = optim.Adam(net.parameters(), lr=3e-3), mg.random.generator()
    x = xp.ones((32, 8, 8, 1), dtype="float32") * 0.5
    losses = []
    for _ in range(60):
        t, noise = rng.integers(T, size=32), mg.random.normal(x.shape)
        loss = mg.mse(net(noised(x, t, noise, alpha_bar), t), noise)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[0] > 0.8 and np.mean(losses[-10:]) < 0.35


# ----------------------------------------------------------------------------------------- the sampler


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 7, T])
def test_where_there_is_one_image_every_way_ends_at_it(eta, steps):
    alpha_bar = cosine_schedule(T)
    images = sample(OneImage(alpha_bar, 0.25), alpha_bar, (3, 2, 2, 1), steps=steps, eta=eta)
    np.testing.assert_allclose(mg.to_numpy(images), 0.25, atol=1e-3)  # no noise is left, and none is added at the end


@pytest.mark.parametrize(("eta", "low"), [(0.0, 0.97), (1.0, 0.95)])  # steps of a finite size take a little of it
def test_the_spread_of_the_data_comes_back(eta, low):
    alpha_bar = cosine_schedule(400)
    images = mg.to_numpy(sample(Normal(alpha_bar, 0.2), alpha_bar, (400, 4, 4, 1), eta=eta))
    assert low < images.std() / 0.2 < 1.03 and abs(images.mean()) < 0.02


def test_nothing_but_the_seed_decides():
    net, alpha_bar = small_net(), cosine_schedule(T)

    def drawn(seed, eta):
        mg.random.normal((7,))  # what else is drawn in the meantime
        return mg.to_numpy(sample(net, alpha_bar, (2, 8, 8, 1), seed=seed, eta=eta))

    for eta in (0.0, 1.0):
        assert (drawn(3, eta) == drawn(3, eta)).all()
        assert abs(drawn(3, eta) - drawn(4, eta)).max() > 0.01
    assert abs(drawn(3, 0.0) - drawn(3, 1.0)).max() > 0.01


def test_guidance_goes_from_the_one_guess_through_the_other():
    net, x, t = small_net(condition=3), mg.random.normal((2, 8, 8, 1)), xp.asarray([4, 9])
    condition = mg.random.normal((2, 3))
    without, asked = mg.to_numpy(net(x, t)), mg.to_numpy(net(x, t, condition))
    for guidance in (0, 1, 2.5):
        found = mg.to_numpy(guided(net, x, t, condition, guidance))
        np.testing.assert_allclose(found, without + guidance * (asked - without), atol=1e-5)


def test_guidance_exaggerates_the_condition_and_costs_a_second_guess():
    alpha_bar = cosine_schedule(T)
    asked = xp.asarray([[0.2], [-0.3]], dtype="float32")
    for guidance, calls in ((0.0, T), (1.0, T), (2.0, 2 * T)):
        net = OneImage(alpha_bar, 0.0)  # asked for nothing, it draws grey
        images = mg.to_numpy(sample(net, alpha_bar, (2, 2, 2, 1), condition=asked, guidance=guidance))
        np.testing.assert_allclose(images[:, 0, 0, 0], guidance * np.array([0.2, -0.3]), atol=2e-3)
        assert net.calls == calls


# ----------------------------------------------------------------------------------------- what is refused


def try_sample(net, **settings):
    return sample(net, cosine_schedule(settings.pop("length", T)), (2, 8, 8, 1), **settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "steps is 0; the network has learned 30 steps, so it wants 1 to 30"),
        ({"steps": T + 1}, "steps is 31; .* wants 1 to 30"),
        ({"steps": 2.5}, "steps is 2.5; .* wants 1 to 30"),
        ({"eta": 1.5}, "eta is 1.5; it wants a share of noise"),
        ({"guidance": 3.0}, "guidance is 3.0, but the network is unconditional"),
        ({"guidance": -1.0}, "guidance is -1.0; it wants a number of at least 0"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"length": 40}, "alpha_bar has 40 steps, the network has learned 30"),
    ],
)
def test_the_sampler_refuses(settings, sentence):
    with pytest.raises(ValueError, match=f"sample: {sentence}"):
        try_sample(small_net(), **settings)


def test_guidance_without_a_condition_is_refused_though_the_network_could():
    with pytest.raises(ValueError, match=r"guidance is 2\.0, but no condition was given"):
        try_sample(small_net(condition=3), guidance=2.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: UNet(T=0), "UNet: T is 0"),
        (lambda: UNet(T=T, channels=0), "UNet: channels is 0"),
        (lambda: UNet(T=T, condition=-1), "UNet: condition is -1"),
        (lambda: UNet(T=T, widths=(32,)), "UNet: widths is"),
        (lambda: UNet(T=T, widths=(32, 60)), "UNet: widths is .*multiples of 8"),
        (lambda: cosine_schedule(2.5), "cosine_schedule: T is 2.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("condition", "shape", "asked", "sentence"),
    [
        (0, (2, 8, 8, 1), (2, 3), "this network is told nothing"),
        (3, (2, 8, 8, 1), (2, 4), r"condition has shape \(2, 4\); it wants one vector an image: \(2, 3\)"),
        (3, (2, 8, 8, 1), (1, 3), r"condition has shape \(1, 3\)"),
        (0, (2, 7, 8, 1), None, r"x has shape \(2, 7, 8, 1\); it wants \(N, H, W, 1\), H and W multiples of 2"),
        (0, (2, 1, 8, 8), None, r"x has shape \(2, 1, 8, 8\)"),
    ],
)
def test_images_and_conditions_that_do_not_fit_are_refused(condition, shape, asked, sentence):
    asked = None if asked is None else xp.zeros(asked, dtype="float32")
    with pytest.raises(ValueError, match=f"UNet: .*{sentence}"):
        small_net(condition)(xp.zeros(shape, dtype="float32"), xp.zeros(2, dtype="int64"), asked)
