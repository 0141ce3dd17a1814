"""Losses: the laws for every reduction; logits far out; targets of other types; mistakes as sentences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import case, dtypes, integers, normals, reductions, shapes, sizes, uniforms

import minigen as mg

REDUCE = {"mean": np.mean, "sum": np.sum, "none": lambda values: values}


@st.composite
def losses(draw, op, reference, first, second):
    """op(a, b, reduction) of two arrays of one shape, drawn by `first` and `second`."""
    shape, how = draw(shapes()), draw(reductions)
    a, b = draw(first(shape)), draw(second(shape, turn=1))
    return case(op, [a, b], REDUCE[how](reference(a, b)), reduction=how)


def probabilities(shape, turn=0):
    return uniforms(shape, 0.05, 0.95, turn=turn)


def entropy(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


@st.composite
def classifications(draw):
    lead, C, how = draw(shapes(0, 2)), draw(sizes(2, 4)), draw(reductions)
    logits, labels = draw(normals((*lead, C))), draw(integers(lead, C))
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    picked = np.take_along_axis(p, labels[..., None], axis=-1)[..., 0]
    return case(mg.cross_entropy, [logits, labels], REDUCE[how](-np.log(picked)), reduction=how)


CASES = {
    "mse": losses(mg.mse, lambda x, t: (x - t) ** 2, normals, normals),
    "l1": losses(mg.l1, lambda x, t: np.abs(x - t), normals, normals),
    "binary_cross_entropy": losses(mg.binary_cross_entropy, entropy, probabilities, probabilities),
    "binary_cross_entropy_with_logits": losses(
        mg.binary_cross_entropy_with_logits,
        lambda x, t: entropy(1 / (1 + np.exp(-x)), t),
        normals,
        probabilities,
    ),
    "cross_entropy": classifications(),
    "kl_normal": losses(mg.kl_normal, lambda m, v: (m * m + np.exp(v) - 1 - v) / 2, normals, normals),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


# ------------------------------------------------------------------------------------------- far out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("far", [40.0, 1e4])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_binary_cross_entropy_far_out(far, target, dtype):
    """The loss of a logit on the wrong side is its size, and the gradient 1: neither inf, nor nan, nor 0."""
    x = mg.tensor(np.array([far, -far], dtype=dtype), requires_grad=True)
    t = mg.asarray(np.full(2, target, dtype=dtype))
    y = mg.binary_cross_entropy_with_logits(x, t, reduction="none")
    same(y, np.array([0.0, far] if target else [far, 0.0]), 1e-6)
    y.sum().backward()
    same(x.grad, np.array([0.0, -1.0] if target else [1.0, 0.0]), 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("far", [40.0, 1e4])
def test_cross_entropy_far_out(far, dtype):
    x = mg.tensor(np.array([[far, 0, -far]] * 3, dtype=dtype), requires_grad=True)
    y = mg.cross_entropy(x, mg.asarray(np.array([0, 1, 2])), reduction="none")
    same(y, np.array([0.0, far, 2 * far]), 1e-6)
    y.sum().backward()
    same(x.grad, np.array([[0.0, 0, 0], [1, -1, 0], [1, 0, -1]]), 1e-6)


def test_probabilities_of_exactly_zero_and_one():
    """The logarithm is held at -100, as in PyTorch: a finite loss, and a gradient that points back."""
    p = mg.tensor(np.array([0.0, 1.0, 0.0, 1.0]), requires_grad=True)
    y = mg.binary_cross_entropy(p, mg.asarray(np.array([0.0, 1.0, 1.0, 0.0])), reduction="none")
    same(y, np.array([0.0, 0, 100, 100]))
    y.sum().backward()
    d = mg.to_numpy(p.grad)
    assert np.isfinite(d).all() and d[2] < 0 < d[3] and d[0] == d[1] == 0


def test_sigmoid_then_cross_entropy_learns_from_a_logit_of_minus_20():
    """In float32 the two steps together still have a gradient where the one-step form has -1."""
    x = mg.tensor([-20.0], requires_grad=True)
    mg.binary_cross_entropy(mg.sigmoid(x), mg.asarray([1.0])).backward()
    same(x.grad, np.array([-1.0]), 1e-3)


# --------------------------------------------------------------------------------------------- dtypes


@given(
    st.sampled_from(["mse", "l1", "binary_cross_entropy", "binary_cross_entropy_with_logits"]),
    reductions,
    dtypes,
)
def test_the_target_takes_the_type_of_the_predictions(name, how, dtype):
    """Labels of any type, as data sets have them: the gradient keeps the predictions' type."""
    numbers = np.array([[0.2, 0.7], [0.4, 0.6]], dtype=dtype)
    for target in (
        np.array([[0, 1], [1, 0]]),
        np.array([[0, 1], [1, 0]], dtype=bool),
        np.eye(2),
        np.eye(2, dtype="f4"),
    ):
        x = mg.tensor(numbers, requires_grad=True)
        y = getattr(mg, name)(x * 1, mg.asarray(target), reduction=how)
        assert y.dtype == dtype
        for step in mg.backprop(y.sum()):
            for arrival in step.arrivals:
                assert arrival.raw.dtype == dtype, f"{step.op.__name__}.d_{arrival.input} became {arrival.raw.dtype}"
        wanted = mg.tensor(numbers, requires_grad=True)
        getattr(mg, name)(wanted, mg.asarray(target.astype(dtype)), reduction=how).sum().backward()
        same(x.grad, wanted.grad, 1e-6)


@pytest.mark.parametrize("name", ["mse", "l1", "binary_cross_entropy_with_logits"])
def test_one_number_as_the_target(name):
    """The real-or-fake labels of a GAN: a plain 1.0."""
    x = np.array([[0.5], [-1.5]])
    for target in (1.0, 1):
        t = mg.tensor(x, requires_grad=True)
        loss = getattr(mg, name)(t, target)
        loss.backward()
        full = mg.tensor(x, requires_grad=True)
        wanted = getattr(mg, name)(full, mg.asarray(np.full((2, 1), float(target))))
        wanted.backward()
        same(loss, wanted)
        same(t.grad, full.grad)


def test_labels_of_any_integer_type_and_lists():
    logits = np.array([[1.0, 2.0, 0.5], [0.1, -1.0, 0.0]])
    wanted = mg.cross_entropy(mg.asarray(logits), mg.asarray(np.array([2, 0])))
    for labels in ([2, 0], np.array([2, 0], dtype=np.uint8), np.array([2, 0], dtype=np.int32)):
        same(
            mg.cross_entropy(mg.asarray(logits), mg.asarray(labels) if not isinstance(labels, list) else labels),
            wanted,
        )


# ------------------------------------------------------------------------------------------- formulas


def test_cross_entropy_of_a_uniform_guess_is_ln_c():
    same(mg.cross_entropy(mg.asarray(np.zeros((4, 10))), mg.asarray(np.arange(4))), np.array(math.log(10)))


def test_cross_entropy_gradient_is_probability_minus_one_hot():
    logits = mg.tensor(np.array([[1.0, 2.0, 3.0]]), requires_grad=True)
    mg.cross_entropy(logits, [2]).backward()
    p = np.exp([1.0, 2, 3]) / np.exp([1.0, 2, 3]).sum()
    same(logits.grad, (p - [0, 0, 1])[None])


def test_kl_of_a_standard_normal_is_zero_and_flat():
    mean, logvar = (mg.tensor(np.zeros((3, 2)), requires_grad=True) for _ in range(2))
    y = mg.kl_normal(mean, logvar, reduction="sum")
    same(y, np.array(0.0))
    y.backward()
    same(mean.grad, np.zeros((3, 2)))
    same(logvar.grad, np.zeros((3, 2)))


def test_kl_reads_logvar_as_the_logarithm_of_the_variance():
    """KL(N(1, 4) || N(0, 1)) = (1 + 4 - 1 - ln 4) / 2, and by integration."""
    y = mg.kl_normal(mg.asarray(np.array([1.0])), mg.asarray(np.array([math.log(4.0)])), reduction="sum")
    same(y, np.array((1 + 4 - 1 - math.log(4)) / 2))
    z = np.linspace(-25, 25, 200_001)
    q = np.exp(-((z - 1) ** 2) / 8) / math.sqrt(8 * math.pi)
    log_ratio = -((z - 1) ** 2) / 8 - math.log(2) + z * z / 2
    same(y, np.array((q * log_ratio).sum() * (z[1] - z[0])), 1e-8)


# -------------------------------------------------------------------------------------------- mistakes

COLUMN, ROW = np.zeros((4, 1)), np.zeros(4)
MISTAKES = [
    (lambda: mg.mse(mg.asarray(COLUMN), mg.asarray(ROW)), ValueError,
     r"mse: the predictions have shape \(4, 1\), the target \(4,\); wants equal shapes"),
    (lambda: mg.binary_cross_entropy_with_logits(mg.asarray(COLUMN), mg.asarray(ROW)), ValueError,
     r"binary_cross_entropy_with_logits: the predictions have shape \(4, 1\), the target \(4,\)"),
    (lambda: mg.binary_cross_entropy(mg.asarray(ROW - 2), mg.asarray(ROW)), ValueError,
     "probabilities run from -2 to -2, wants 0 to 1; for logits use binary_cross_entropy_with_logits"),
    (lambda: mg.cross_entropy(mg.asarray(COLUMN), mg.asarray(ROW)), TypeError, "labels are float64"),
    (lambda: mg.cross_entropy(mg.asarray(COLUMN), [0, 1]), ValueError, r"labels of shape \(4,\)"),
    (lambda: mg.cross_entropy(mg.asarray(np.zeros((2, 3))), [0, 3]), ValueError, "labels run from 0 to 3"),
    (lambda: mg.mse(mg.asarray(ROW[:0]), mg.asarray(ROW[:0])), ValueError, "an empty batch has no loss"),
    (lambda: mg.l1(mg.asarray(ROW), 0.0, reduction="avg"), ValueError, 'reduction is \'avg\', wants "mean"'),
]  # fmt: skip


@pytest.mark.parametrize("call, kind, sentence", MISTAKES, ids=[m[2][:35] for m in MISTAKES])
def test_mistakes_are_sentences(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_labels_that_want_a_gradient_are_refused():
    x, t = mg.tensor([0.5], requires_grad=True), mg.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="target has no gradient by nature"):
        mg.binary_cross_entropy_with_logits(x, t)
