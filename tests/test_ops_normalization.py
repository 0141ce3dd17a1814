"""Normalisation: the laws, which axes are averaged over, and the statistics in the second derivative."""

import numpy as np
import pytest
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import case, normals, shapes, sizes

import minigen as mg

EPS = st.sampled_from([1e-5, 0.1])


def normalised(x, axes, eps):
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)


@st.composite
def layers(draw, op, least_axes, reference):
    """reference(x, eps) -> x_hat, and what else the op returns."""
    lead, features = draw(shapes(least_axes, 3)), draw(sizes(1, 4))
    x = draw(normals((*lead, features), scale=2.0)) + 1
    gamma, beta, eps = draw(normals((features,))) + 2, draw(normals((features,))), draw(EPS)
    x_hat, *more = reference(x, eps)
    return case(op, [x, gamma, beta], (x_hat * gamma + beta, *more), eps=eps)


def over_the_batch(x, eps):
    axes = tuple(range(x.ndim - 1))
    return normalised(x, axes, eps), x.mean(axis=axes), x.var(axis=axes)


def over_the_features(x, eps):
    return (normalised(x, -1, eps),)


def over_the_pixels(x, eps):
    return (normalised(x, tuple(range(1, x.ndim - 1)), eps),)


@st.composite
def groups(draw):
    n, pixels, count, each = draw(sizes(1, 2)), draw(shapes(0, 2)), draw(sizes(1, 3)), draw(sizes(1, 3))
    x = draw(normals((n, *pixels, count * each), scale=2.0)) + 1
    gamma, beta, eps = draw(normals(x.shape[-1:])) + 2, draw(normals(x.shape[-1:])), draw(EPS)
    x_hat = normalised(x.reshape(n, -1, count, each), (1, 3), eps).reshape(x.shape)
    return case(mg.group_norm, [x, gamma, beta], x_hat * gamma + beta, groups=count, eps=eps)


CASES = {
    "batch_norm": layers(mg.batch_norm, 1, over_the_batch),
    "layer_norm": layers(mg.layer_norm, 0, over_the_features),
    "instance_norm": layers(mg.instance_norm, 2, over_the_pixels),
    "group_norm": groups(),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


def test_layer_norm_looks_at_one_sample_at_a_time():
    x = np.random.default_rng(0).standard_normal((5, 7))
    one, zero = mg.asarray(np.ones(7)), mg.asarray(np.zeros(7))
    whole = mg.layer_norm(mg.asarray(x), one, zero)
    same(whole[2:3], mg.layer_norm(mg.asarray(x[2:3]), one, zero))
    same(whole.mean(axis=-1), np.zeros(5))


def test_batch_norm_gives_the_biased_variance_and_the_gradient_through_the_statistics():
    """mean and var are outputs with gradients of their own."""
    x = np.random.default_rng(0).standard_normal((6, 3))
    one, zero = mg.asarray(np.ones(3)), mg.asarray(np.zeros(3))
    same(mg.batch_norm(mg.asarray(x), one, zero)[2], x.var(axis=0, ddof=0))
    for part in (0, 1, 2):
        mg.gradcheck(lambda x, g, b, part=part: mg.batch_norm(x, g, b)[part], mg.asarray(x), one, zero + 1, order=2)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_a_gradient_penalty_through_a_norm(name):
    """(|d critic / d x| - 1)^2: with x_hat taken for a constant, this is 60 % wrong without an error."""
    rng = np.random.default_rng(0)
    x, w1, w2 = rng.standard_normal((6, 3)), rng.standard_normal((3, 5)), rng.standard_normal((5, 1))

    def penalty(x, w1, gamma, beta, w2):
        norm = getattr(mg, name)(x @ w1, gamma, beta)
        score = mg.leaky_relu(norm[0] if name == "batch_norm" else norm, slope=0.2) @ w2
        d = mg.grad(score.sum(), x, create_graph=True)
        return ((((d * d).sum(axis=1) + 1e-12) ** 0.5 - 1) ** 2).mean()

    inputs = [mg.asarray(a) for a in (x, w1, np.full(5, 1.5), np.full(5, 0.3), w2)]
    report = mg.gradcheck(penalty, *inputs)
    assert report.entries == sum(a.size for a in inputs)


@pytest.mark.parametrize("op", [mg.batch_norm, mg.layer_norm, lambda *a: mg.group_norm(*a, groups=2)])
def test_constant_features_stay_finite(op):
    x = mg.tensor(np.full((4, 6), 3.0), requires_grad=True)
    y = op(x, mg.asarray(np.ones(6)), mg.asarray(np.zeros(6)))
    y = y[0] if isinstance(y, tuple) else y
    same(y, np.zeros((4, 6)))
    y.backward(mg.asarray(np.ones((4, 6))))
    assert np.isfinite(mg.to_numpy(x.grad)).all()


def test_mistakes_are_sentences():
    x, one = mg.asarray(np.ones((4, 6))), mg.asarray(np.ones(6))
    with pytest.raises(ValueError, match=r"batch_norm: x \(4, 6\) has 6 features \(last axis\); gamma is \(4,\)"):
        mg.batch_norm(x, mg.asarray(np.ones(4)), one)
    with pytest.raises(ValueError, match=r"group_norm: 6 channels \(last axis\) cannot be shared among groups=4"):
        mg.group_norm(x, one, one, groups=4)
    with pytest.raises(ValueError, match=r"batch_norm: x \(0, 6\) is an empty batch"):
        mg.batch_norm(mg.asarray(np.ones((0, 6))), one, one)
