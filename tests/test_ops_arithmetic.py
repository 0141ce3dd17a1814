"""Elementwise arithmetic: the laws, broadcasting, dtypes, and what happens at 0 and at ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import axes, broadcastable, case, masks, normals, shapes, uniforms

import minigen as mg


@st.composite
def binary(draw, op, reference, positive=()):
    """Two operands of shapes that broadcast; those in `positive` are kept between 0.5 and 2."""
    pair = draw(broadcastable())
    a, b = (draw(uniforms(s, 0.5, 2, turn=k) if k in positive else normals(s, turn=k)) for k, s in enumerate(pair))
    return case(op, [a, b], reference(a, b))


def unary(op, reference, numbers=normals):
    return numbers(shapes()).map(lambda x: case(op, [x], reference(x)))


def positive(shape):
    return uniforms(shape, 0.5, 2)


@st.composite
def integer_power(draw):
    x, p = draw(normals(shapes())), draw(st.sampled_from([1, 2, 3, 2.0]))
    return case(mg.power, [x, p], x**p)


@st.composite
def clips(draw):
    x, low, high = draw(normals(shapes())), *draw(st.sampled_from([(-0.5, 0.7), (None, 0.3), (-1.0, None)]))
    return case(mg.clip, [x], np.clip(x, low, high), min=low, max=high)


@st.composite
def choices(draw):
    shapes_ = draw(broadcastable(3))
    condition = draw(masks(shapes_[0]))
    a, b = draw(normals(shapes_[1])), draw(normals(shapes_[2], turn=1))
    return case(mg.where, [condition, a, b], np.where(condition, a, b))


CASES = {
    "add": binary(mg.add, np.add),
    "subtract": binary(mg.subtract, np.subtract),
    "multiply": binary(mg.multiply, np.multiply),
    "divide": binary(mg.divide, np.divide, positive=(1,)),
    "maximum": binary(mg.maximum, np.maximum),
    "minimum": binary(mg.minimum, np.minimum),
    "power": binary(mg.power, np.power, positive=(0,)) | integer_power(),
    "where": choices(),
    "clip": clips(),
    "negative": unary(mg.negative, np.negative),
    "exp": unary(mg.exp, np.exp),
    "log": unary(mg.log, np.log, positive),
    "sqrt": unary(mg.sqrt, np.sqrt, positive),
    "abs": unary(mg.abs, np.abs),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


@given(normals(shapes()))
def test_sign_is_flat(x):
    t = mg.tensor(x, requires_grad=True)
    y = mg.sign(t)
    same(y, np.sign(x))
    y.backward(mg.xp.ones_like(y.data))
    same(t.grad, np.zeros_like(x))
    with pytest.raises(AssertionError, match="nothing was checked"):
        mg.gradcheck(mg.sign, mg.asarray(x))


@given(normals(shapes()))
def test_astype_returns_the_gradient_in_the_type_it_came_from(x):
    for came, goes in (("float32", "float64"), ("float64", "float32")):
        t = mg.tensor(x.astype(came), requires_grad=True)
        y = t.astype(goes)
        assert y.dtype == goes
        (step,) = mg.backprop(y, mg.asarray(x.astype(goes)))
        assert step.gradients["x"].dtype == came == t.grad.dtype
        same(t.grad, x, 1e-6)
    mg.gradcheck(lambda t: t.astype("float64") * t, mg.asarray(x + 3), order=2)


def test_astype_refuses_integers():
    with pytest.raises(TypeError, match="astype: a Tensor stays a floating-point one"):
        mg.tensor([1.5], requires_grad=True).astype("int64")


# ------------------------------------------------------------------------------------ operators and dtypes

SCALARS = [0.5, 2, np.float64(0.5), np.float32(0.5), np.int64(2)]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda s: f"{type(s).__name__}")
@pytest.mark.parametrize(
    "write",
    [
        lambda x, s: x * s, lambda x, s: s * x, lambda x, s: x + s, lambda x, s: s + x, lambda x, s: x - s,
        lambda x, s: s - x, lambda x, s: x / s, lambda x, s: s / x, lambda x, s: x**s, lambda x, s: s**x,
    ],
    ids=["x*s", "s*x", "x+s", "s+x", "x-s", "s-x", "x/s", "s/x", "x**s", "s**x"],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_scalars_never_promote(write, scalar, shape):
    numbers = np.full(shape, 1.5, dtype=np.float32)
    x = mg.tensor(numbers, requires_grad=True)
    y = write(x, scalar)
    assert y.dtype == "float32"
    y.sum().backward()
    assert type(x.grad) is mg.xp.ndarray and x.grad.dtype == "float32" and x.grad.shape == shape
    same(y, write(numbers.astype(float), float(scalar)), 1e-6)


def test_a_float32_chain_stays_float32():
    x = mg.tensor(np.linspace(-1, 1, 6).reshape(2, 3).astype(np.float32), requires_grad=True)
    y = mg.sigmoid(x * 0.5 + 1).mean() * np.float64(3.0) + mg.cross_entropy(x, [0, 2]) + (x.var() + 1e-5) ** 0.5
    assert y.dtype == "float32" and type(y.data) is mg.xp.ndarray
    for step in mg.backprop(y):
        for arrival in step.arrivals:
            assert arrival.raw.dtype == arrival.after.dtype == "float32", f"{step.op.__name__}.d_{arrival.input}"
            assert type(arrival.after) is mg.xp.ndarray
    assert x.grad.dtype == "float32"


def test_every_operand_order_of_the_same_tensor():
    x = np.array([[1.5, -0.5], [0.25, 2.0]])
    for write in (
        lambda t: t - t * t,
        lambda t: t / (t * t),
        lambda t: t @ t,
        lambda t: t * t * t,
        lambda t: t**t,
    ):
        mg.gradcheck(write, mg.asarray(np.abs(x)), order=2)


def test_a_bias_is_summed_over_the_batch():
    b = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (mg.asarray(np.ones((5, 3), dtype=np.float32)) + b).sum().backward()
    same(b.grad, np.array([5.0, 5.0, 5.0]))


def test_an_op_that_does_not_broadcast_gets_no_silent_sum():
    @mg.op
    class plus:
        def forward(x, b): return x + b  # fmt: skip

        def d_x(dy): return dy  # fmt: skip

        def d_b(dy): return dy  # fmt: skip

    b = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"plus.d_b: the gradient of b has the shape of b, \(2,\).*\(3, 2\)"):
        plus(mg.asarray(np.ones((3, 2), dtype=np.float32)), b).sum().backward()


# --------------------------------------------------------------------------------------- at 0, and at ties


@pytest.mark.parametrize("p, slope", [(1, 1.0), (2, 0.0), (3, 0.0), (0, 0.0), (2.0, 0.0)])
def test_powers_at_zero(p, slope):
    x = mg.tensor([0.0], requires_grad=True)
    mg.power(x, p).backward(mg.asarray([1.0]))
    same(x.grad, np.array([slope]))


def test_second_derivative_of_a_square_at_zero():
    x = mg.tensor(np.array([0.0]), requires_grad=True)
    d = mg.grad((x**2).sum(), x, create_graph=True)
    same(mg.grad(d.sum(), x), np.array([2.0]))


def test_zero_to_a_learned_power():
    p = mg.tensor([2.0], requires_grad=True)
    mg.power(mg.asarray([0.0]), p).backward(mg.asarray([1.0]))
    same(p.grad, np.array([0.0]))


def test_ties_share_the_gradient():
    for op in (mg.maximum, mg.minimum):
        a, b = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([1.0, 3.0], requires_grad=True)
        op(a, b).backward(mg.asarray([1.0, 1.0]))
        same(a.grad + b.grad, np.ones(2))
        same(a.grad[:1], np.array([0.5]))


def test_abs_is_flat_at_zero():
    x = mg.tensor([0.0, -2.0], requires_grad=True)
    mg.abs(x).sum().backward()
    same(x.grad, np.array([0.0, -1.0]))


@given(st.data())
def test_tensor_methods_are_the_ops(data):
    x = data.draw(normals(shapes(1, 3)))
    axis = data.draw(axes(x.ndim))
    t = mg.tensor(x)
    same(t.sum(axis=axis), x.sum(axis=axis))
    same(t.mean(axis=axis, keepdims=True), x.mean(axis=axis, keepdims=True))
    same(t.std(axis=axis), x.std(axis=axis), 1e-8)
    same(t.max(axis=axis), x.max(axis=axis))
    same(t.T, x.T)
    same(t.swapaxes(0, -1), x.swapaxes(0, -1))
    same(abs(-t), np.abs(x))
