"""Activations: the laws, the formulas of the papers, and far out, where naive formulas overflow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import case, masks, normals, shapes, sizes

import minigen as mg


def logistic(x):
    return 1 / (1 + np.exp(-x))


def elementwise(op, reference, **settings):
    return normals(shapes(), scale=2.0).map(lambda x: case(op, [x], reference(x), **settings))


@st.composite
def slopes(draw):
    x, slope = draw(normals(shapes())), draw(st.sampled_from([0.01, 0.2]))
    return case(mg.leaky_relu, [x], np.where(x > 0, x, slope * x), slope=slope)


@st.composite
def elus(draw):
    x, alpha = draw(normals(shapes())), draw(st.sampled_from([1.0, 0.5]))
    return case(mg.elu, [x], np.where(x > 0, x, alpha * (np.exp(x) - 1)), alpha=alpha)


@st.composite
def maxouts(draw):
    lead, features, pieces = draw(shapes(0, 2)), draw(sizes(1, 3)), draw(sizes(1, 3))
    x = draw(normals((*lead, features * pieces)))
    return case(mg.maxout, [x], x.reshape(*lead, features, pieces).max(axis=-1), pieces=pieces)


@st.composite
def along_an_axis(draw, op, reference):
    x = draw(normals(shapes(1, 3), scale=2.0))
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    return case(op, [x], reference(x, axis), axis=axis)


def probabilities(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


@st.composite
def dropouts(draw):
    x, p = draw(normals(shapes())), draw(st.sampled_from([0.0, 0.3, 0.8]))
    mask = draw(masks(x.shape))
    return case(mg.dropout, [x, mask], x * mask / (1 - p), p=p)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


CASES = {
    "sigmoid": elementwise(mg.sigmoid, logistic),
    "tanh": elementwise(mg.tanh, np.tanh),
    "relu": elementwise(mg.relu, lambda x: x * (x > 0)),
    "leaky_relu": slopes(),
    "elu": elus(),
    "softplus": elementwise(mg.softplus, lambda x: np.log(1 + np.exp(x))),
    "silu": elementwise(mg.silu, lambda x: x * logistic(x)),
    "gelu": elementwise(mg.gelu, gelu),
    "maxout": maxouts(),
    "softmax": along_an_axis(mg.softmax, probabilities),
    "log_softmax": along_an_axis(mg.log_softmax, lambda x, axis: np.log(probabilities(x, axis))),
    "dropout": dropouts(),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)

FAR = np.array([-1e4, -710.0, -90.0, -40.0, -17.0, -1.0, 0.0, 1.0, 17.0, 40.0, 90.0, 710.0, 1e4])


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 2e-5)])
def test_sigmoid_is_exact_in_both_tails(dtype, tolerance):
    """Relative to the value itself: sigmoid(-17) is 4e-8, not 0, and its logarithm is -17."""
    x = np.linspace(-80, 80, 41)
    got = mg.to_numpy(mg.sigmoid(mg.asarray(x.astype(dtype))))
    assert np.all(np.abs(got / logistic(x) - 1) <= tolerance)
    far = mg.to_numpy(mg.sigmoid(mg.asarray(np.array([-1e4, 1e4], dtype=dtype))))
    assert 0 <= far[0] < 1e-37 and far[1] == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "silu", "gelu", "elu", "relu", "leaky_relu"])
def test_far_out_nothing_overflows(name, dtype):
    x = mg.tensor(FAR.astype(dtype), requires_grad=True)
    y = getattr(mg, name)(x)
    y.backward(mg.xp.ones_like(y.data))
    assert np.isfinite(mg.to_numpy(y)).all() and np.isfinite(mg.to_numpy(x.grad)).all()
    d = mg.to_numpy(x.grad)
    assert abs(d[0]) <= 0.011 and (abs(d[-1] - 1) < 1e-6 or name in ("sigmoid", "tanh"))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_huge_numbers(name):
    x = mg.tensor(np.array([[1e4, 0.0, -1e4], [1000.0, 1000.0, 1000.0]]), requires_grad=True)
    y = getattr(mg, name)(x)
    wanted = (
        np.array([[1.0, 0, 0], [1 / 3] * 3]) if name == "softmax" else np.array([[0, -1e4, -2e4], [-math.log(3)] * 3])
    )
    same(y, wanted)
    y.backward(mg.asarray(np.array([[1.0, 2, 3], [4, 5, 6]])))
    assert np.isfinite(mg.to_numpy(x.grad)).all()


@given(normals((4,)))
def test_softmax_jacobian_off_the_diagonal(x):
    """d y_i / d x_j = y_i ([i = j] - y_j): the whole matrix, a row at a time."""
    p = probabilities(x)
    for i in range(4):
        t = mg.tensor(x, requires_grad=True)
        mg.softmax(t).backward(mg.asarray(np.eye(4)[i]))
        same(t.grad, p[i] * (np.eye(4)[i] - p))


def test_of_equal_pieces_the_first_has_the_gradient():
    x = mg.tensor([[2.0, 2.0, 1.0]], requires_grad=True)
    mg.maxout(x, pieces=3).sum().backward()
    same(x.grad, np.array([[1.0, 0.0, 0.0]]))


def test_maxout_wants_whole_groups():
    with pytest.raises(ValueError, match=r"maxout: x has 5 features \(axis 1\), which is no multiple of pieces=2"):
        mg.maxout(mg.asarray(np.ones((3, 5))), pieces=2)


def test_dropout_keeps_the_mean():
    mask = mg.asarray(np.random.default_rng(0).random(100_000) >= 0.7)
    y = mg.dropout(mg.asarray(np.ones(100_000)), mask, p=0.7)
    assert abs(float(y.mean()) - 1) < 0.02
