"""gradcheck and the numerical gradient: right ops pass at every scale, planted mistakes do not."""

import numpy as np
import pytest
from hypothesis import given
from strategies import normals, shapes

import minigen as mg
from minigen import nn
from minigen.check import numerical_gradient


def op_with(d_x, forward=mg.tanh.forward):
    """An op of one input with this gradient."""
    members = {"forward": lambda x: forward(x), "d_x": d_x, "__doc__": "planted"}
    return mg.op(type("planted", (), members))


def numbers(*shape, scale=1.0, seed=0):
    return mg.asarray(np.random.default_rng(seed).standard_normal(shape) * scale)


# ------------------------------------------------------------------------------------ what is right passes


SMOOTH = {
    "exp(x / s)": lambda x, s: mg.exp(x / s),
    "log": lambda x, s: mg.log(mg.abs(x)),
    "sqrt": lambda x, s: mg.sqrt(mg.abs(x)),
    "1 / x": lambda x, s: 1 / x,
    "x ** 3": lambda x, s: x**3,
    "abs": lambda x, s: mg.abs(x),
    "relu": lambda x, s: mg.relu(x),
    "1 + x": lambda x, s: 1 + x,
    "1e6 + x": lambda x, s: 1e6 + x,
    "norm": lambda x, s: mg.sqrt((x * x).sum()),
    "var": lambda x, s: x.var(),
    "softmax(x / s)": lambda x, s: mg.softmax(x / s),
    "layer_norm": lambda x, s: mg.layer_norm(x, mg.asarray(np.ones(6)), mg.asarray(np.zeros(6)), eps=1e-5 * s * s),
    "far from 0": lambda x, s: mg.layer_norm(x + 100 * s, mg.asarray(np.ones(6)), mg.asarray(np.zeros(6)), eps=0.0),
    "matmul": lambda x, s: x.reshape(2, 3) @ x.reshape(3, 2),
}


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("name", SMOOTH)
def test_no_false_alarm_at_any_scale(name, scale):
    for seed in range(3):
        x = numbers(6, scale=scale, seed=seed)
        report = mg.gradcheck(lambda x: SMOOTH[name](x, scale), x)
        assert report.kinks == 0 and report.error <= 1e-7, report


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_numbers_are_good_to_many_digits(scale):
    x = numbers(20, scale=scale)
    slopes = numerical_gradient(lambda: mg.xp.sin(x / scale), x)
    wanted = np.cos(mg.to_numpy(x) / scale) / scale
    assert np.abs(mg.to_numpy(slopes.gradient) - wanted).max() < 1e-11 / scale
    assert np.all(mg.to_numpy(slopes.uncertainty) < 1e-8 / scale)


@given(normals(shapes()))
def test_inputs_are_restored_bit_for_bit(x):
    x = mg.asarray(np.where(np.abs(x) < 0.3, -0.0, x))
    before = mg.to_numpy(x).tobytes()
    numerical_gradient(lambda: mg.xp.tanh(x).ravel(), x)
    assert mg.to_numpy(x).tobytes() == before
    with pytest.raises(RuntimeError):
        numerical_gradient(failing_after(5, lambda: mg.xp.tanh(x).ravel()), x)
    assert mg.to_numpy(x).tobytes() == before


def failing_after(calls, function):
    left = iter(range(calls))

    def call():
        if next(left, None) is None:
            raise RuntimeError
        return function()

    return call


def test_the_callers_tensors_are_left_alone():
    model = nn.Sequential(nn.Dense(3, 4), nn.BatchNorm(4), nn.Dropout(0.5))
    x, state = mg.tensor(numbers(5, 3), requires_grad=True), model.state_dict()
    mg.gradcheck(model, x)
    after = model.state_dict()
    assert x.grad is None and all(p.grad is None and p.dtype == "float32" for p in model.parameters())
    assert all(bool((state[k] == after[k]).all()) for k in state)


def test_random_numbers_go_on_where_they_were():
    mg.seed(3)
    mg.random.uniform(2)
    wanted = mg.to_numpy(mg.random.uniform(4))
    mg.seed(3)
    mg.random.uniform(2)
    mg.gradcheck(nn.Dropout(0.5), numbers(4, 5))
    assert np.array_equal(mg.to_numpy(mg.random.uniform(4)), wanted)


def test_a_module_with_its_parameters_and_nested_outputs():
    report = mg.gradcheck(nn.LSTM(3, 2), numbers(2, 4, 3), order=2, most=6)
    names = {c.name for c in report.inputs}
    assert {"x", "cells.0.w_h"} <= names and {c.order for c in report.inputs} == {1, 2}
    assert report.entries > 50 and report.error < 1e-7 and "off by" in str(report)


def test_more_entries_than_asked_for_are_sampled():
    (checked,) = mg.gradcheck(mg.tanh, numbers(30, 20), most=50).inputs
    assert (checked.entries, checked.size) == (50, 600)


def test_one_honest_zero_is_fine():
    """The slope of a normalised x in its own bias is 0; that of the others is not."""
    mg.gradcheck(
        lambda x, b: mg.layer_norm(x + b.sum(), mg.asarray(np.ones(4)), mg.asarray(np.zeros(4))),
        numbers(3, 4),
        numbers(2),
    )


# ------------------------------------------------------------------------------------- what is wrong does not


WRONG = {
    "a constant factor": lambda dy, y: dy * (1 - y * y) * 1.00001,
    "12345 times": lambda dy, y: dy * (1 - y * y) * 12345,
    "zeros": lambda dy, y: dy * 0,
    "the sign": lambda dy, y: -dy * (1 - y * y),
    "the upstream ignored": lambda dy, y: 1 - y * y,
    "the derivative forgotten": lambda dy, y: dy,
    "1 - y": lambda dy, y: dy * (1 - y),
    "entries moved": lambda dy, y: (dy * (1 - y * y))[::-1],
    "the mean upstream": lambda dy, y: dy.mean() * (1 - y * y),
    "one entry": lambda dy, y: dy * (1 - y * y) * (1 + 1e-6 * (y == y.max())),
    "not a number": lambda dy, y: dy * (1 - y * y) * mg.xp.nan,
}


@pytest.mark.parametrize("name", WRONG)
def test_planted_mistakes_are_found(name):
    with pytest.raises(AssertionError, match=r"planted: d_x\[\d, \d\] is .* by backward, and .* measured"):
        mg.gradcheck(op_with(WRONG[name]), numbers(4, 3))


def test_a_softmax_that_returns_zeros():
    """An all-ones upstream would accept it: the true gradient is then 0."""
    wrong = op_with(lambda dy: dy * 0, forward=mg.softmax.forward)
    with pytest.raises(AssertionError, match="planted: d_x"):
        mg.gradcheck(wrong, numbers(4, 3))


def test_the_message_names_input_entry_and_both_numbers():
    @mg.op
    class scaled:
        def forward(x, w): return x * w  # fmt: skip

        def d_x(dy, w): return dy * w  # fmt: skip

        def d_w(dy, x): return dy * x * (x < 2)  # fmt: skip

    with pytest.raises(
        AssertionError, match=r"scaled: d_w\[2\] is 0 by backward, and -?\d\S* measured; 1 of 3 entries"
    ):
        mg.gradcheck(scaled, mg.asarray(np.array([1.0, 1.5, 3.0])), mg.asarray(np.array([1.0, 2.0, 3.0])))


def test_second_order_finds_a_constant_that_is_none():
    hidden = op_with(lambda dy, x: dy * (1 - mg.xp.tanh(x.data if isinstance(x, mg.Tensor) else x) ** 2))
    mg.gradcheck(hidden, numbers(3))
    with pytest.raises(AssertionError, match=r"the second derivative in x\[\d\] is 0 by backward"):
        mg.gradcheck(hidden, numbers(3), order=2)


# ----------------------------------------------------------------------------------- excuses, and misuse


def test_kinks_are_left_out_and_counted():
    x = mg.asarray(np.array([0.0, 1.0, -2.0, 3.0, -1.0, 0.5, 1e-5, -1e-4]))
    report = mg.gradcheck(mg.relu, x)
    assert report.kinks == 1 and report.entries == 7
    assert "1 kinks left out" in str(report)


def test_kinks_in_the_middle_of_smooth_terms():
    """A kink far smaller than the slope around it is still one."""
    report = mg.gradcheck(lambda x: mg.exp(x) + 1e-3 * mg.abs(x), mg.asarray(np.array([0.0, 1.0, 2.0, -1.0, 0.3, 0.7])))
    assert report.kinks == 1


def test_too_many_kinks_are_a_failure():
    with pytest.raises(AssertionError, match="3 of 4 entries of x lie at kinks of relu"):
        mg.gradcheck(mg.relu, mg.asarray(np.array([0.0, 0.0, 0.0, 1.0])))


@pytest.mark.parametrize("flat", [mg.sign, lambda x: mg.softmax(x).sum(), lambda x: mg.relu(x - 100)])
def test_nothing_checked_is_not_right(flat):
    with pytest.raises(AssertionError, match="nothing was checked"):
        mg.gradcheck(flat, numbers(5))


MISUSE = [
    (lambda x: x.detach() * 2, "requires no gradient: a step in it leaves the graph"),
    (lambda x: x.astype("float32") * 2, "turns float64 into float32"),
    (lambda x: mg.log(x * 0 - 1 + 1), "gives NaN or Inf at these inputs"),
    (lambda x: x * mg.tensor(np.random.default_rng().standard_normal(3)), "gives other numbers each time"),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("function, sentence", MISUSE, ids=[m[1][:20] for m in MISUSE])
def test_misuse_is_a_sentence(function, sentence):
    with pytest.raises(AssertionError, match=sentence):
        mg.gradcheck(function, numbers(3))


def test_an_input_changed_in_place():
    @mg.op
    class spoils:
        def forward(x):
            x *= 1.5
            return x * 1.0

        def d_x(dy):
            return dy

    with pytest.raises(AssertionError, match="spoils changes its input x in place"):
        mg.gradcheck(spoils, numbers(3))


def test_what_cannot_be_checked():
    with pytest.raises(ValueError, match="there is nothing to check"):
        mg.gradcheck(lambda n: n, mg.asarray(np.arange(3)))
    with pytest.raises(ValueError, match="order is 3, wants 1 or 2"):
        mg.gradcheck(mg.tanh, numbers(3), order=3)
    with pytest.raises(TypeError, match=r"fn takes 1 inputs \(x\), got 2"):
        mg.gradcheck(mg.tanh, numbers(3), numbers(3))
    with pytest.raises(TypeError, match="x is float32, wants a contiguous float64 array"):
        x = numbers(3).astype("float32")
        numerical_gradient(lambda: x, x)
