"""The checker that says why: every planted mistake is rejected, nine in ten named, nothing right accused."""

import functools
import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import on_device
from wrong_backwards import HELD_OUT, RIGHT_PAIRS, WRONG, courses, dense, losses, norms
from wrong_backwards.form import RIGHT, normal, positive

import minigen as mg
from minigen import ops
from minigen.backend import current
from minigen.check import examine

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
on_numpy = pytest.mark.skipif(current() != "numpy", reason="the wrong backwards are written with NumPy's functions")


@functools.cache
def diagnosis_of(planted):
    pair_or_op = planted.op if isinstance(planted.op, tuple) else (planted.op,)
    return examine(*pair_or_op, *planted.inputs(), **planted.settings)


def names(corpus):
    return [f"{k} {planted.name}" for k, planted in enumerate(corpus)]


# ------------------------------------------------------------------------------------------------ what is wrong


def test_the_corpus_is_large():
    assert len(WRONG) >= 160 and len(HELD_OUT) >= 30


@on_numpy
@pytest.mark.parametrize("planted", WRONG + HELD_OUT, ids=names(WRONG + HELD_OUT))
def test_a_wrong_backward_is_rejected(planted):
    found = diagnosis_of(planted)
    assert not found.ok
    assert found.explanation and found.message.endswith((".", ".)"))


@on_numpy
@pytest.mark.parametrize("corpus", [WRONG, HELD_OUT], ids=["corpus", "held out"])
def test_nine_in_ten_are_explained_with_what_was_planted(corpus):
    unexplained = {p.name: diagnosis_of(p).message for p in corpus if p.missing(diagnosis_of(p).message)}
    assert len(unexplained) <= 0.1 * len(corpus), unexplained


# ------------------------------------------------------------------------------------------------ what is right

CASES = {}
for path in sorted(Path(__file__).parent.glob("test_ops_*.py")):
    CASES |= getattr(importlib.import_module(path.stem), "CASES", {})
CASES = {name: cases for name, cases in CASES.items() if hasattr(getattr(ops, name, None), "upstreams")}
NOTHING_TO_SAY = ("vacuous", "kinks")  # neither right nor wrong


def is_not_accused(case):
    inputs = [on_device(x) for x in case.inputs]
    if any(hasattr(x, "dtype") and x.dtype.kind == "f" and x.size for x in inputs):
        found = examine(case.op, *inputs, **{k: on_device(v) for k, v in case.settings.items()})
        assert found.ok or found.explanation in NOTHING_TO_SAY, f"{case}: {found}"


@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=10)
@given(data=st.data())
def test_a_right_op_is_not_accused(name, data):
    is_not_accused(data.draw(CASES[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=200)
@given(data=st.data())
def test_a_right_op_is_not_accused_in_two_hundred_configurations(name, data):
    is_not_accused(data.draw(CASES[name]))


@on_numpy
@pytest.mark.parametrize("op, inputs, settings", RIGHT, ids=[op.__name__ for op, _, _ in RIGHT])
def test_what_the_mistakes_were_planted_in_is_right(op, inputs, settings):
    found = examine(op, *inputs(), **settings)
    assert found.ok or found.explanation in NOTHING_TO_SAY, found


@on_numpy
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize(
    "op", [dense.dense, losses.mse, norms.layer_norm, dense.two_layers], ids=lambda op: op.__name__
)
def test_a_right_op_is_not_accused_at_any_scale(op, scale):
    inputs = next(inputs for right, inputs, _ in RIGHT if right is op)()
    found = examine(op, *[scale * x for x in inputs])
    assert found.ok or found.explanation in NOTHING_TO_SAY, found


@on_numpy
@pytest.mark.parametrize("forward, backward, inputs", RIGHT_PAIRS, ids=[f.__name__ for f, _, _ in RIGHT_PAIRS])
def test_right_functions_of_a_course_are_not_accused(forward, backward, inputs):
    found = examine(forward, backward, *inputs())
    assert found.ok, found


# ----------------------------------------------------------------------------------------------- what it returns


class halved:
    """y = x @ w.   x (N, D), w (D, M) -> (N, M)"""

    def forward(x, w):
        return x @ w

    def d_x(dy, w):
        return dy @ w.T

    def d_w(dy, x):
        return x.T @ dy / 2


def x_and_w():
    return on_device(normal(7, 5)), on_device(normal(5, 3))


def test_the_diagnosis_names_the_input_and_shows_the_numbers():
    found = examine(halved, *x_and_w())
    assert (found.ok, found.op, found.input, found.explanation) == (False, "halved", "w", "constant ratio")
    assert "2 times too small" in found.message and "Consistent with" in found.message
    assert found.errors["x"] < 1e-7 < 0.4 < found.errors["w"]
    assert len(found.numbers) == 5
    assert all(e.ratio == pytest.approx(0.5, rel=1e-6) for e in found.numbers)
    text = str(found)
    assert text.startswith("halved: wrong") and "analytic" in text and "ratio" in text
    assert max(map(len, text.splitlines())) <= 100


def test_inputs_come_back_bit_for_bit_and_random_numbers_are_not_used_up():
    x, w = x_and_w()
    before = x.copy(), w.copy()
    mg.seed(3)
    expected = mg.to_numpy(mg.random.normal((3,)))
    mg.seed(3)
    examine(halved, x, w)
    assert all((now == was).all() for now, was in zip((x, w), before, strict=True))
    np.testing.assert_array_equal(mg.to_numpy(mg.random.normal((3,))), expected)


def test_tensors_lists_and_float32_are_taken():
    x, w = x_and_w()
    for given_ in ((mg.tensor(x), mg.tensor(w)), (x.astype("float32"), w.astype("float32")), (x.tolist(), w.tolist())):
        assert examine(halved, *given_).explanation == "constant ratio"
    assert examine(mg.op(halved), x, w).explanation == "constant ratio"


def test_both_the_lines_and_the_kernel_beside_them_are_examined():
    def backward(dy, x, w):
        return dy @ w.T, x.T @ dy

    right = type("both", (), {**vars(halved), "d_w": lambda dy, x: x.T @ dy, "backward": backward})
    wrong = type("both", (), {**vars(right), "backward": lambda dy, x, w: (dy @ w.T, -x.T @ dy)})
    assert examine(right, *x_and_w()).ok
    assert "wrong sign" in examine(wrong, *x_and_w()).message


def test_a_factor_is_named_where_sizes_coincide():
    """Each length is changed by itself, and the factor has to follow."""
    found = examine(
        dense_with_mean_bias, on_device(normal(3, 3)), on_device(normal(3, 3, seed=1)), on_device(normal(3))
    )
    assert found.input == "b" and "batch" in found.message


class dense_with_mean_bias:
    def forward(x, w, b):
        return x @ w + b

    def d_x(dy, w):
        return dy @ w.T

    def d_w(dy, x):
        return x.T @ dy

    def d_b(dy):
        return dy.mean(axis=0)


def test_a_large_op_is_sampled_and_explained_at_a_smaller_size():
    found = examine(dense_with_mean_bias, on_device(normal(64, 100)), on_device(normal(100, 50)), on_device(normal(50)))
    assert "64 times too small" in found.message
    flipped = type("conv", (), {"forward": ops.conv2d.forward, "d_w": ops.conv2d.d_w, "d_b": ops.conv2d.d_b,
                                "d_x": lambda dy, w, x_shape, stride, padding: ops.conv2d.d_x(
                                    dy, w[::-1, ::-1], x_shape, stride, padding)})  # fmt: skip
    inputs = map(on_device, (normal(4, 12, 12, 3), normal(3, 3, 3, 8), normal(8)))
    found = examine(flipped, *inputs, padding=1)
    assert "smaller size" in found.message and "flip" in found.message


@on_numpy
def test_a_known_wrong_answer_gets_its_hint():
    def returns_the_sum(dout, cache):
        dx, dw, db = courses.affine_backward(dout, cache)
        return dx, dw, db / len(dout)

    inputs = normal(5, 2, 3), normal(6, 4), normal(4)
    known = [("The bias is added to every sample.", returns_the_sum), ("Another.", courses.affine_backward)]
    found = examine(courses.affine_forward, returns_the_sum, *inputs, known=known)
    assert (found.explanation, found.input, found.message) == ("known", "b", "The bias is added to every sample.")
    assert examine(courses.affine_forward, courses.affine_backward, *inputs, known=known).ok


def test_a_known_wrong_answer_of_an_op_holds_only_what_differs():
    class forgets_the_half:
        def d_w(dy, x):
            return x.T @ dy / 2

    found = examine(halved, *x_and_w(), known=[("Why a half?", forgets_the_half)])
    assert (found.explanation, found.message) == ("known", "Why a half?")
    assert (
        examine(halved, *x_and_w(), known=[("Something else.", dense_with_mean_bias)]).explanation == "constant ratio"
    )


def test_nothing_checked_is_not_ok():
    assert examine(mg.sign, on_device(normal(4, 3))).explanation == "vacuous"
    assert examine(mg.relu, on_device(np.zeros((4, 3)))).explanation == "kinks"


def test_a_gradient_that_is_nearly_right_is_rejected():
    class nearly:
        def forward(x):
            return x * x

        def d_x(dy, x):
            return dy * x * 2 * (1 + 3e-6 * x)

    assert examine(nearly, on_device(positive(4, 3))).explanation == "suspicious"


@on_numpy
@pytest.mark.parametrize("form", ["tuple", "list", "dict", "named d_", "arrays only"])
def test_gradients_come_in_the_forms_that_courses_use(form):
    def backward(dout, cache):
        dx, dw, db = courses.affine_backward(dout, cache)
        return {
            "tuple": (dx, dw, db),
            "list": [dx, dw, db],
            "dict": {"x": dx, "w": dw, "b": db},
            "named d_": {"d_b": db, "dx": dx, "grad_w": dw},
            "arrays only": (dx, dw),
        }[form]

    found = examine(courses.affine_forward, backward, normal(5, 2, 3), normal(6, 4), normal(4))
    assert found.ok
    assert ("No gradient was returned for b" in found.message) == (form == "arrays only")


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    "arguments, error, says",
    [
        (lambda: (halved,), ValueError, "examine: halved was given no inputs"),
        (lambda: (halved, on_device(np.arange(3))), ValueError, "no floating-point numbers"),
        (lambda: (len, on_device(normal(3))), TypeError, "examine: wants an op"),
        (lambda: (lambda x: x, lambda d, c: d, on_device(normal(3))), TypeError, "wants to be called as out, cache"),
        (lambda: (mg.log, on_device(-positive(3))), ValueError, "log gives NaN or Inf at these inputs"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input_gets_a_sentence(arguments, error, says):
    with pytest.raises(error, match=says):
        examine(*arguments())


def test_a_missing_line_and_an_error_in_backward_are_told():
    missing = type("missing", (), {"forward": lambda x, w: x @ w, "d_x": lambda dy, w: dy @ w.T})
    assert "input w has no d_w" in examine(missing, *x_and_w()).message
    raising = type("raising", (), {**vars(halved), "d_x": lambda dy, w: dy @ w})
    found = examine(raising, *x_and_w())
    assert found.explanation == "raises" and "dy (7, 3)" in found.message
