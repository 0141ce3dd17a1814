"""Every loss against PyTorch's, with every reduction: values and gradients, also of certain predictions."""

import numpy as np
import pytest
import torch_twins as twins
from hypothesis import given
from hypothesis import strategies as st

import minigen as mg
from minigen.ops import losses

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
F = torch.nn.functional

REDUCTIONS = ("mean", "sum", "none")


def cross_entropy(logits, labels, reduction):
    return F.cross_entropy(logits.movedim(-1, 1), labels, reduction=reduction)  # the classes on axis 1


def kl_normal(mean, logvar, reduction):
    normal = torch.distributions.Normal
    unit = normal(torch.zeros_like(mean), torch.ones_like(mean))
    kl = torch.distributions.kl_divergence(normal(mean, (0.5 * logvar).exp()), unit)
    return {"mean": kl.mean, "sum": kl.sum, "none": lambda: kl}[reduction]()


def numbers(rng, shape):
    return rng.uniform(-2, 2, shape)


def shares(rng, shape):
    return rng.uniform(0.05, 0.95, shape)


def labels(rng, shape):
    return rng.integers(0, shape[-1], shape[:-1])


LOSSES = {
    "mse": (F.mse_loss, [numbers, numbers]),
    "l1": (F.l1_loss, [numbers, numbers]),
    "binary_cross_entropy": (F.binary_cross_entropy, [shares, shares]),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, [numbers, shares]),
    "cross_entropy": (cross_entropy, [numbers, labels]),
    "kl_normal": (kl_normal, [numbers, numbers]),
}  # name -> (PyTorch's, what draws each argument)


def test_no_loss_is_left_out():
    ops = {name for name, f in vars(losses).items() if getattr(f, "__module__", "") == losses.__name__}
    assert {name for name in ops if hasattr(getattr(losses, name), "forward")} == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(shape=st.lists(st.integers(2, 4), min_size=2, max_size=4), seed=st.integers(0, 2**20))
def test_loss(name, reduction, shape, seed):
    rng = np.random.default_rng(seed)
    inputs = [draw(rng, tuple(shape)) for draw in LOSSES[name][1]]
    for dtype in twins.TOLERANCE:
        compare(name, reduction, [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs], rng)


def compare(name, reduction, inputs, rng, tolerance=None):
    """The loss and the gradients of all inputs that have one, for a random upstream gradient."""
    loss, theirs = getattr(mg, name), LOSSES[name][0]
    learned = [getattr(loss, "d_" + i) is not None for i in loss.inputs]
    ours = [twins.mine(x, wants) for x, wants in zip(inputs, learned, strict=True)]
    references = [twins.theirs(x, wants) for x, wants in zip(inputs, learned, strict=True)]
    y, reference = loss(*ours, reduction=reduction), theirs(*references, reduction=reduction)
    dy = rng.standard_normal(y.shape).astype(inputs[0].dtype)
    y.backward(mg.asarray(dy))
    reference.backward(torch.tensor(dy))
    twins.agree(f"{name}, {reduction}", y, reference)
    for i, ours_i, reference_i, wants in zip(loss.inputs, ours, references, learned, strict=True):
        if wants:
            twins.agree(f"{name}, {reduction}: gradient of {i}", ours_i.grad, reference_i.grad, tolerance)


FAR = [-1e4, -100.0, -40.0, -1.0, 0.0, 1.0, 40.0, 100.0, 1e4]


@pytest.mark.parametrize("dtype", twins.TOLERANCE)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_from_far_logits(dtype, reduction):
    """At logits of +-40 and +-1e4 the loss is a finite number, and its gradient neither nan nor 0."""
    rng = np.random.default_rng(0)
    for target in (np.zeros(9), np.ones(9), np.full(9, 0.3)):
        inputs = [np.array(FAR, dtype=dtype), target.astype(dtype)]
        compare("binary_cross_entropy_with_logits", reduction, inputs, rng)
    logits = np.array([FAR, FAR[::-1], rng.permutation(FAR)], dtype=dtype)
    for label in range(9):
        compare("cross_entropy", reduction, [logits, np.array([label, 0, 8])], rng)


@pytest.mark.parametrize("dtype", twins.TOLERANCE)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy_of_certain_predictions(dtype, reduction):
    """Probabilities of exactly 0 and 1, right and wrong: the logarithm is held at -100, the slope at 1e12.

    PyTorch's 1e12 is a float32, 4e-9 off, in float64, too.
    """
    p, target = (
        np.array([[0, 1, 0.5], [0, 1, 0.5]], dtype=dtype),
        np.array([[0, 0, 0], [1, 1, 1]], dtype=dtype),
    )
    compare("binary_cross_entropy", reduction, [p, target], np.random.default_rng(0), tolerance=1e-8)


def test_losses_at_their_kinks():
    x = np.array([[0.0, 1.0], [2.0, -1.0]])
    compare("l1", "sum", [x, x.copy()], np.random.default_rng(0))
    compare("mse", "sum", [x, x.copy()], np.random.default_rng(0))
