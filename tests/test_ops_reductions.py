"""Reductions: the laws over any axes, ties, empty batches, and sums that overflow."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import axes, case, normals, shapes

import minigen as mg


@st.composite
def reductions(draw, op, reference):
    x = draw(normals(shapes()))
    how = {"axis": draw(axes(x.ndim)), "keepdims": draw(st.booleans())}
    return case(op, [x], reference(x, **how), **how)


@st.composite
def variances(draw):
    x = draw(normals(shapes(1, 3)))
    axis, keepdims = draw(axes(x.ndim)), draw(st.booleans())
    n = x.size // x.sum(axis=axis).size
    ddof = draw(st.integers(0, min(1, n - 1)))
    wanted = x.var(axis=axis, ddof=ddof, keepdims=keepdims)
    return case(mg.var, [x], wanted, axis=axis, ddof=ddof, keepdims=keepdims)


def logsumexp(x, axis, keepdims):
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


CASES = {
    "sum": reductions(mg.sum, np.sum),
    "mean": reductions(mg.mean, np.mean),
    "var": variances(),
    "max": reductions(mg.max, np.max),
    "min": reductions(mg.min, np.min),
    "logsumexp": reductions(mg.logsumexp, logsumexp),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


@pytest.mark.parametrize("op", [mg.max, mg.min], ids=["max", "min"])
def test_tied_extremes_share_one_gradient(op):
    x = mg.tensor([[1.0, 1.0, 1.0], [2.0, 0.0, 2.0]], requires_grad=True)
    op(x, axis=1).backward(mg.asarray([3.0, 4.0]))
    wanted = [[1, 1, 1], [2, 0, 2]] if op is mg.max else [[1, 1, 1], [0, 4, 0]]
    same(x.grad, np.array(wanted, dtype=float), 1e-6)


@pytest.mark.parametrize("op", [mg.mean, mg.max, mg.min, mg.logsumexp, mg.var])
def test_nothing_to_reduce_is_a_sentence(op):
    with pytest.raises(ValueError, match=f"{op.__name__}: x \\(0, 3\\)"):
        op(mg.asarray(np.zeros((0, 3))), axis=0)


def test_an_unbiased_variance_wants_two():
    with pytest.raises(ValueError, match=r"var: x .* has 1 entries along axis 0, wants more than 1"):
        mg.var(mg.asarray(np.zeros((1, 3))), axis=0, ddof=1)


def test_logsumexp_overflows_nowhere():
    x = mg.tensor(np.array([[1e4, 1e4], [-1e4, -1e4]]), requires_grad=True)
    y = mg.logsumexp(x, axis=1)
    same(y, np.array([1e4 + math.log(2), -1e4 + math.log(2)]))
    y.sum().backward()
    same(x.grad, np.full((2, 2), 0.5))


def test_logsumexp_of_nothing_possible():
    same(
        mg.exp(mg.logsumexp(mg.asarray(np.array([[-np.inf, -np.inf], [0.0, -np.inf]])), axis=1)),
        np.array([0.0, 1.0]),
    )


def test_the_mean_of_many_float32_is_not_float64():
    x = mg.tensor(np.full((100, 100), 0.1, dtype=np.float32), requires_grad=True)
    y = x.mean()
    assert y.dtype == "float32" and abs(y.item() - 0.1) < 1e-6
    y.backward()
    assert x.grad.dtype == "float32"
    same(x.grad, np.full((100, 100), 1e-4), 1e-6)
