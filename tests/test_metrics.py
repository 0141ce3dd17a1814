"""The metrics: each against a case whose answer is known, and what each must refuse."""

import hashlib
import math

import numpy as np
import pytest

import minigen as mg
from minigen import data, metrics
from minigen.metrics import classifiers, distances


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ------------------------------------------------------------------------------------------- Frechet distance


def test_frechet_of_gaussians_on_the_axes():
    """With diagonal covariances it is |m1 - m2|^2 + the sum of (s1 - s2)^2."""
    found = metrics.frechet_gaussians([0, 0, 1], np.diag([1.0, 4, 9]), [3, 4, 1], np.diag([4.0, 4, 1]))
    assert found == pytest.approx(25 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)


def test_frechet_of_turned_gaussians(rng):
    """Turning both Gaussians changes nothing; turning one of them by a right angle swaps its widths."""
    q, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    a, b = np.diag([1.0, 2, 3, 4]), np.diag([4.0, 1, 2, 2])
    m = rng.standard_normal(4)
    plain = metrics.frechet_gaussians(m, a, 0 * m, b)
    assert metrics.frechet_gaussians(q @ m, q @ a @ q.T, 0 * m, q @ b @ q.T) == pytest.approx(plain)
    quarter = np.array([[0.0, -1], [1, 0]])
    wide = np.diag([9.0, 1])
    assert metrics.frechet_gaussians([0, 0], wide, [0, 0], quarter @ wide @ quarter.T) == pytest.approx(8)


def test_frechet_where_the_covariances_do_not_commute():
    """2 x 2: trace (AB)^1/2 = (trace AB + 2 (det AB)^1/2)^1/2, the eigenvalues' own identity."""
    A, B = np.array([[2.0, 1], [1, 2]]), np.array([[3.0, -1], [-1, 1]])
    root = math.sqrt(np.trace(A @ B) + 2 * math.sqrt(np.linalg.det(A) * np.linalg.det(B)))
    assert metrics.frechet_gaussians([0, 0], A, [0, 0], B) == pytest.approx(np.trace(A) + np.trace(B) - 2 * root)


def test_frechet_distance_of_sets(rng):
    x = rng.standard_normal((500, 6))
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(x, x + 2) == pytest.approx(4 * 6)
    assert metrics.frechet_distance(x, 3 * x) == pytest.approx(
        4 * ((x.mean(0) ** 2).sum() + np.trace(np.cov(x, rowvar=False)))
    )
    far = x + 1e3  # flat: fewer samples than features
    assert metrics.frechet_distance(far[:4], far[:4]) == pytest.approx(0, abs=1e-6)


def test_frechet_ratio(rng):
    train, test, good, bad = (rng.standard_normal((n, 5)) for n in (800, 300, 800, 800))
    found = metrics.frechet_ratio(good, test, train)
    assert found.floor == metrics.frechet_distance(train, test)
    assert found.ratio == found.distance / found.floor and 0.5 < found.ratio < 2
    assert metrics.frechet_ratio(bad + 1, test, train).ratio > 20
    assert metrics.frechet_ratio(train, test, train).ratio == 1  # learned by heart: as good as real


def test_frechet_ratio_measures_both_with_as_many_samples(rng):
    train, test = rng.standard_normal((1000, 8)), rng.standard_normal((1000, 8))
    few = metrics.frechet_ratio(rng.standard_normal((50, 8)), test, train)
    assert few.floor > 5 * metrics.frechet_distance(train, test)  # chance adds to 50 as to 50
    assert 0.4 < few.ratio < 2.5
    ordered = np.repeat(np.eye(4), 100, axis=0)  # sorted by class: the thinned one keeps the mix
    thinned = metrics.frechet_ratio(ordered, ordered + 1, ordered[::10])
    assert thinned.ratio == pytest.approx(1)


def test_frechet_ratio_needs_a_test_set_of_its_own(rng):
    x = np.ones((5, 2))
    with pytest.raises(ValueError, match=r"the floor is 0: train and test are the same"):
        metrics.frechet_ratio(x, x, x)


# --------------------------------------------------------------------------------------------- neighbourhoods


def test_distances_are_those_of_the_definition(rng):
    a, b = rng.standard_normal((700, 3)) + 50, rng.standard_normal((90, 3)) + 50  # more rows than a block
    expected = np.sqrt(((a[:, None] - b) ** 2).sum(axis=2))
    np.testing.assert_allclose(distances.to_nearest(a, b), expected.min(axis=1), atol=1e-9)
    np.testing.assert_allclose(distances.to_nearest(a, b, k=4), np.sort(expected, axis=1)[:, 3], atol=1e-9)


def test_density_and_coverage_counted_by_hand():
    """Real 0, 1, 3, 7 on a line and k = 1: radii 1, 1, 2, 4. Samples 0.5, 2.5 and 100."""
    found = metrics.density_coverage(np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [2.5], [100]]), k=1)
    assert found.density == 3 / 3  # 0.5 is in (0 +- 1) and (1 +- 1); 2.5 in (3 +- 2)
    assert found.coverage == 3 / 4


def test_density_and_coverage_of_the_same_distribution():
    """Naeem et al. 2020, lemmas 1 and 2: density 1, coverage 1 - (N-1)...(N-k) / ((M+N-1)...(M+N-k))."""
    N, M, k = 200, 120, 5
    rng = np.random.default_rng(1)
    found = [metrics.density_coverage(rng.random((N, 2)), rng.random((M, 2)), k=k) for _ in range(40)]
    expected = 1 - math.prod((N - i) / (M + N - i) for i in range(1, k + 1))
    assert np.mean([f.density for f in found]) == pytest.approx(1, abs=0.03)
    assert np.mean([f.coverage for f in found]) == pytest.approx(expected, abs=0.01)


def test_a_copy_is_dense_and_covers_all(rng):
    x = rng.standard_normal((1100, 4))
    assert metrics.density_coverage(x, x.copy()) == (1, 1)
    assert metrics.precision_recall(x, x.copy()) == (1, 1)


def test_a_dropped_mode_shows_in_coverage_and_recall_alone(rng):
    x, y = (np.concatenate([rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 50]) for _ in "ab")
    found = metrics.density_coverage(x, y[:300])
    assert found.density > 0.9 and found.coverage < 0.51
    both = metrics.precision_recall(x, y[:300])
    assert both.precision > 0.9 and both.recall < 0.51
    swapped = metrics.precision_recall(x[:300], y)
    assert swapped.precision < 0.51 and swapped.recall > 0.9


def test_memorising(rng):
    train, test, new = (rng.random((400, 4, 4, 1)) for _ in range(3))
    assert metrics.memorising(train, test, train) < 1e-6
    assert metrics.memorising(new, test, train) == pytest.approx(1, abs=0.05)
    assert metrics.memorising(train[:50] + 0.01, test, train) == pytest.approx(
        0.01 * 4 / metrics.nearest_distance(test, train)
    )
    with pytest.raises(ValueError, match="every test sample is in train"):
        metrics.memorising(new, np.zeros((3, 2)), np.zeros((5, 2)))


@pytest.mark.parametrize("k", [0, 4])
def test_k_is_less_than_the_number_of_samples(k):
    with pytest.raises(ValueError, match=rf"density_coverage: k is {k}; among 4 samples it wants 1 to 3"):
        metrics.density_coverage(np.eye(4), np.eye(4), k=k)


# -------------------------------------------------------------------------------------------- kernel distance


def test_kernel_distance_is_the_moments_it_sees():
    """One feature: k = (xy + 1)^3 = 1 + 3xy + 3x^2y^2 + x^3y^3, so MMD^2 = 3 dm1^2 + 3 dm2^2 + dm3^2.

    N(0, 1) has moments 0, 1, 0 and N(1, 1) has 1, 2, 4: 3 + 3 + 16 = 22.
    """
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4_000, 1)), 1 + rng.standard_normal((4_000, 1))
    assert metrics.kernel_distance(x, y) == pytest.approx(22, rel=0.15)


def test_kernel_distance_is_unbiased():
    """Over all pairs of draws without repetition from two small populations it is right on average, exactly."""
    population_a, population_b = np.array([0.0, 1, 2]), np.array([1.0, 3])

    def k(x, y):
        return (np.multiply.outer(x, y) + 1) ** 3

    exact = k(population_a, population_a).mean() + k(population_b, population_b).mean()
    exact -= 2 * k(population_a, population_b).mean()
    draws_a = np.stack(np.meshgrid(*[population_a] * 3), axis=-1).reshape(-1, 3, 1)  # with repetition
    draws_b = np.stack(np.meshgrid(*[population_b] * 2), axis=-1).reshape(-1, 2, 1)
    found = [metrics.kernel_distance(a, b) for a in draws_a for b in draws_b]
    assert np.mean(found) == pytest.approx(exact)
    assert min(found) < 0  # an unbiased estimate of something near 0 has to be


def test_kernel_distance_block_by_block(rng):
    a, b = rng.standard_normal((700, 3)), rng.standard_normal((600, 3)) + 0.3
    kaa, kbb, kab = ((x @ y.T / 3 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    np.fill_diagonal(kaa, 0)
    np.fill_diagonal(kbb, 0)
    expected = kaa.sum() / (700 * 699) + kbb.sum() / (600 * 599) - 2 * kab.mean()
    assert metrics.kernel_distance(a, b) == pytest.approx(expected)


# ----------------------------------------------------------------------------------------------------- labels


def test_label_accuracy():
    assert metrics.label_accuracy([1, 2, 3, 3], np.array([1, 2, 3, 4])) == 0.75
    with pytest.raises(ValueError, match="3 labels, 2 asked for"):
        metrics.label_accuracy([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=r"asked has shape .* float.*it wants whole numbers"):
        metrics.label_accuracy([1, 2], [0.5, 1])


def test_label_entropy():
    assert metrics.label_entropy(np.arange(200) % 10, 10) == pytest.approx(math.log(10))
    assert metrics.label_entropy([7, 7, 7], 10) == 0
    assert metrics.label_entropy([0, 0, 0, 1], 2) == pytest.approx(2 * math.log(2) - 0.75 * math.log(3))
    with pytest.raises(ValueError, match=r"labels go from 0 to 10; classes=10 wants 0 to 9"):
        metrics.label_entropy([0, 10], 10)


def test_inception_score():
    assert metrics.inception_score(np.eye(10)) == pytest.approx(10)  # sure, and of all classes
    assert metrics.inception_score(np.full((5, 10), 0.1)) == pytest.approx(1)  # never sure
    assert metrics.inception_score(np.eye(10)[[3, 3, 3]]) == pytest.approx(1)  # always the same
    half = [[1, 0], [0.5, 0.5]]  # p(y) = (3/4, 1/4)
    kl = math.log(4 / 3), 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert metrics.inception_score(np.array(half)) == pytest.approx(math.exp(sum(kl) / 2))
    with pytest.raises(ValueError, match="does not sum to 1"):
        metrics.inception_score(np.ones((2, 2)))


# ------------------------------------------------------------------------------------------------ in the plane


@pytest.mark.parametrize(
    ("points", "centres", "sigma"),
    [(data.ring, data.ring_centres(), 0.01), (data.grid, data.grid_centres(), 0.05)],
)
def test_modes_of_the_true_mixture(points, centres, sigma):
    found = metrics.modes(points(20_000)[0], centres, sigma=sigma)
    assert found.caught == len(centres)
    assert found.good == pytest.approx(1 - math.exp(-4.5), abs=0.003)  # a Gaussian in the plane within 3 sigma
    assert 0 < found.kl < 0.003


def test_modes_by_hand():
    centres = data.ring_centres()
    assert metrics.modes(centres[:2], centres, sigma=0.01) == (2, 1, pytest.approx(math.log(8 / 2)))
    assert metrics.modes(centres, centres, sigma=0.01) == (8, 1, pytest.approx(0))
    near = centres[[0, 0, 0, 4]] + np.array([[0, 0.029], [0, 0.031], [0, 0], [0.5, 0]])  # 3 sigma is 0.03
    found = metrics.modes(near, centres, sigma=0.01)
    assert (found.caught, found.good) == (1, 0.5)
    assert found.kl == pytest.approx(math.log(8) - (0.25 * math.log(4) + 0.75 * math.log(4 / 3)))
    with pytest.raises(ValueError, match="sigma is 0"):
        metrics.modes(centres, centres, sigma=0)


def test_sliced_wasserstein(rng):
    x = rng.standard_normal((400, 2))
    assert metrics.sliced_wasserstein(x, x[::-1]) == pytest.approx(0, abs=1e-12)
    assert metrics.sliced_wasserstein(x, x + np.array([3, 4])) == pytest.approx(5 / math.sqrt(2))
    assert metrics.sliced_wasserstein(x, 3 * x) == pytest.approx(2 * math.sqrt((x**2).sum(axis=1).mean() / 2))
    turned = x @ np.linalg.qr(rng.standard_normal((2, 2)))[0]
    assert metrics.sliced_wasserstein(x, turned) < 0.3


def test_sliced_wasserstein_of_sets_that_differ_in_size(rng):
    x = rng.standard_normal((60, 2))
    assert metrics.sliced_wasserstein(x, np.repeat(x, 3, axis=0)) == pytest.approx(0, abs=1e-12)
    y = rng.standard_normal((35, 2))
    expected = metrics.sliced_wasserstein(np.repeat(x, 7, axis=0), np.repeat(y, 12, axis=0))  # 420 each
    assert metrics.sliced_wasserstein(x, y) == pytest.approx(expected)
    point = metrics.sliced_wasserstein(np.array([[0.0, 0], [2, 0]]), np.array([[1.0, 0]]))
    assert point == pytest.approx(1 / math.sqrt(2))
    with pytest.raises(ValueError, match="the points have 3 coordinates; it wants 2"):
        metrics.sliced_wasserstein(np.eye(3), np.eye(3))


# ------------------------------------------------------------------------------------------------- likelihood


class LinearGaussian:
    """z ~ N(0, 1), x | z ~ N(a z + b, s^2 I): so x ~ N(b, a a^T + s^2 I), and the posterior is Gaussian, too."""

    a, b, s = np.array([1.0, -2, 0.5]), np.array([0.5, 0, 1]), 0.7

    def __init__(self, spread=1.0):
        self.spread = spread  # of the proposal, in units of the posterior's
        self.precision = 1 + self.a @ self.a / self.s**2

    def exact_nll(self, x):
        covariance = np.outer(self.a, self.a) + self.s**2 * np.eye(3)
        d = x - self.b
        square = (d @ np.linalg.inv(covariance) * d).sum(axis=1)
        return 0.5 * (square + np.linalg.slogdet(covariance)[1] + 3 * math.log(2 * math.pi))

    def propose(self, x):
        mean = (x - self.b) @ self.a / self.s**2 / self.precision  # (N,)
        sigma = self.spread / math.sqrt(self.precision)
        noise = mg.random.normal(len(x), dtype="float64")
        log_q = -0.5 * noise**2 - 0.5 * math.log(2 * math.pi) - math.log(sigma)
        return mg.tensor(mean + sigma * noise, dtype="float64"), log_q

    def log_joint(self, x, z):
        d = x - (z.reshape(-1, 1) * mg.asarray(self.a) + mg.asarray(self.b))
        log_p_x = (d * d).sum(axis=1) * (-0.5 / self.s**2) - 3 * math.log(self.s) - 1.5 * math.log(2 * math.pi)
        return log_p_x + z * z * -0.5 - 0.5 * math.log(2 * math.pi)


@pytest.fixture
def host_only():
    if mg.backend.current() != "numpy":
        pytest.skip("the model of this test is written with NumPy")


@pytest.mark.usefixtures("host_only")
def test_with_the_true_posterior_one_draw_is_exact(rng):
    model, x = LinearGaussian(), rng.standard_normal((20, 3))
    exact = model.exact_nll(x)
    np.testing.assert_allclose(-metrics.elbo(x, model.propose, model.log_joint), exact)
    np.testing.assert_allclose(metrics.importance_weighted_nll(x, model.propose, model.log_joint, draws=3), exact)


@pytest.mark.usefixtures("host_only")
def test_importance_weights_close_the_gap_of_a_poor_posterior(rng):
    model, x = LinearGaussian(spread=2.0), rng.standard_normal((200, 3))
    exact = model.exact_nll(x)
    gap = 0.5 * (4 - 1) - math.log(2)  # KL(N(m, 4 v), N(m, v)) = the gap of the bound
    bound = metrics.elbo(x, model.propose, model.log_joint, draws=100)
    assert bound.mean() == pytest.approx(-exact.mean() - gap, abs=0.05)
    better = [
        (metrics.importance_weighted_nll(x, model.propose, model.log_joint, draws=K) - exact).mean()
        for K in (1, 10, 1000)
    ]
    assert better[0] > 0.5 and 0.02 < better[1] < 0.3 and abs(better[2]) < 0.01


def test_the_weights_are_summed_as_logarithms():
    """Weights e^-1000 and e^-1001, whose plain sum would be 0."""
    values = iter([-1000.0, -1001.0])
    found = metrics.importance_weighted_nll(
        np.zeros((1, 2)), lambda x: (None, np.zeros(1)), lambda x, z: np.full(1, next(values)), draws=2
    )
    assert found == pytest.approx([1000 - math.log((1 + math.exp(-1)) / 2)])


def test_likelihood_functions_are_told_what_they_got_wrong():
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match=r"elbo: log_joint has shape \(4, 2\); it wants a number a sample: \(4,\)"):
        metrics.elbo(x, lambda x: (x, np.zeros(4)), lambda x, z: x)
    with pytest.raises(ValueError, match=r"elbo: propose's log_q has shape \(\)"):
        metrics.elbo(x, lambda x: (x, np.zeros(())), lambda x, z: np.zeros(4))
    with pytest.raises(ValueError, match="draws is 0"):
        metrics.importance_weighted_nll(x, lambda x: (x, np.zeros(4)), lambda x, z: np.zeros(4), draws=0)


def test_bits_per_dimension():
    assert metrics.bits_per_dimension(784 * math.log(256), 784) == pytest.approx(8)  # uniform over 256 values
    assert metrics.bits_per_dimension(0.0, 784, levels=256) == pytest.approx(8)  # the uniform density on [0, 1]
    assert metrics.bits_per_dimension(np.array([math.log(2)]), 1) == pytest.approx([1])
    with pytest.raises(ValueError, match="dimensions=0"):
        metrics.bits_per_dimension(1.0, 0)


# ------------------------------------------------------------------------------------------------ classifiers


@pytest.mark.parametrize("name", ["digits", "glyphs", "mnist"])
def test_a_classifier_as_shipped(name):
    before = mg.random.normal(3)
    mg.seed(0)
    judge = metrics.classifier(name)
    assert (mg.to_numpy(mg.random.normal(3)) == mg.to_numpy(before)).all()  # loading it draws nothing
    side = judge.plan.side
    images = np.random.default_rng(0).random((7, side, side, 1), dtype=np.float32)
    features, beliefs = judge.features(images), judge.probabilities(mg.tensor(images))
    assert features.shape == (7, 64) and beliefs.shape == (7, judge.classes)
    np.testing.assert_allclose(beliefs.sum(axis=1), 1, atol=1e-5)
    assert (judge.labels(images) == beliefs.argmax(axis=1)).all()
    assert not any(p.requires_grad for p in judge.network.parameters())
    assert (classifiers.FOLDER / f"{name}.npz").stat().st_size <= 150_000


def test_the_classifier_of_digits_reads_digits():
    x_train, y_train, x_test, y_test = data.digits()
    judge = metrics.classifier("digits")
    assert metrics.label_accuracy(judge.labels(x_test), y_test) >= 0.98
    assert judge.features(x_test).std() > 0.1
    train, test = judge.features(x_train), judge.features(x_test)
    noisy = judge.features(np.clip(x_test + 0.2 * np.random.default_rng(0).standard_normal(x_test.shape), 0, 1))
    assert metrics.frechet_ratio(noisy, test, train).ratio > 2
    assert metrics.density_coverage(train, test).density > 0.8


def test_the_classifier_of_glyphs_reads_letters_and_their_style():
    pytest.importorskip("matplotlib", reason="it draws the glyphs")
    drawn = data.glyphs(560, seed=5)
    judge = metrics.classifier("glyphs")
    assert metrics.label_accuracy(judge.labels(drawn.images), drawn.labels) >= 0.98
    for style, least in (("family", 0.9), ("bold", 0.9), ("slanted", 0.85)):
        truth = getattr(drawn.styles, style).astype(int)
        assert metrics.label_accuracy(judge.labels(drawn.images, style), truth) >= least


def test_a_classifier_refuses_what_it_was_not_trained_for():
    with pytest.raises(ValueError, match="there is none for 'letters'; choose one of digits, glyphs, mnist"):
        metrics.classifier("letters")
    judge = metrics.classifier("digits")
    with pytest.raises(ValueError, match=r"images have shape \(2, 64\); it wants \(N, 8, 8, 1\)"):
        judge.features(np.zeros((2, 64)))
    with pytest.raises(ValueError, match=r"images go from -1 to 1; it wants grey values in \[0, 1\]"):
        judge.labels(np.linspace(-1, 1, 64).reshape(1, 8, 8, 1))
    with pytest.raises(ValueError, match="images go from nan to nan"):
        judge.labels(np.full((1, 8, 8, 1), np.nan))
    with pytest.raises(ValueError, match=r"cannot tell 'bold'; it was trained for label"):
        judge.labels(np.zeros((1, 8, 8, 1)), "bold")


def test_changed_weights_are_noticed(tmp_path):
    path = tmp_path / "digits.npz"
    path.write_bytes((classifiers.FOLDER / "digits.npz").read_bytes())
    classifiers.verify(path, classifiers.SHA256["digits"])
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=f"is not the file that was shipped: its sha256 is {found}, wants"):
        classifiers.verify(path, classifiers.SHA256["digits"])
    with pytest.raises(ValueError, match=r"nothing.npz cannot be read .* install minigen again"):
        classifiers.verify(tmp_path / "nothing.npz", "")


def test_training_makes_what_can_be_shipped(tmp_path, monkeypatch, capsys):
    from minigen.metrics import train

    monkeypatch.setattr("sys.argv", ["train", "digits", str(tmp_path / "new.npz"), "--epochs", "2"])
    train.main()
    printed = capsys.readouterr().out
    assert hashlib.sha256((tmp_path / "new.npz").read_bytes()).hexdigest() in printed
    judge = classifiers.Classifier("digits", tmp_path / "new.npz")
    *_, x_test, y_test = data.digits()
    assert 0.6 < metrics.label_accuracy(judge.labels(x_test), y_test) < 0.97


# ------------------------------------------------------------------------------------------- what they all take


def test_samples_of_any_kind():
    x = np.random.default_rng(0).random((10, 3), dtype=np.float32)
    expected = metrics.frechet_distance(x, x + 1)
    assert metrics.frechet_distance(mg.tensor(x), mg.asarray(x) + 1) == pytest.approx(expected)
    assert metrics.frechet_distance(x.reshape(10, 3, 1, 1), x + 1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (np.ones(5), np.ones((5, 1)), r"a has shape \(5,\) and type float64; it wants numbers, a sample a row"),
        (np.ones((5, 2)), np.ones((5, 3)), "a has 2 features, b 3; it wants equally many"),
        (np.ones((1, 2)), np.ones((5, 2)), "a has 1 samples; it wants at least 2"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), "3 of the 3 samples of b hold NaN or Inf"),
        (np.array([["x"]]), np.ones((5, 2)), "a has shape .* it wants numbers"),
    ],
)
def test_samples_that_are_none(a, b, sentence):
    for metric in (metrics.frechet_distance, metrics.kernel_distance):
        with pytest.raises(ValueError, match=f"{metric.__name__}: {sentence}"):
            metric(a, b)
