"""Tensor: every operator on either side, dtypes, indexing, and what a mistake is told."""

import copy
import math
import operator
import pickle

import numpy as np
import pytest

import minigen as mg
from minigen import backend

xp = mg.xp
A = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
B = np.array([[2.0, 0.5, 1.0], [3.0, -1.0, 2.5]])
on_the_host = pytest.mark.skipif(backend.current() != "numpy", reason="about NumPy arrays of the host")


def array(values, dtype="float32"):
    return mg.asarray(np.array(values, dtype=dtype))


def wants(values, dtype="float32", name=None):
    return mg.tensor(array(values, dtype), requires_grad=True, name=name)


def close(got, wanted, rtol=1e-6):
    got = got.data if isinstance(got, mg.Tensor) else got
    assert type(got) is xp.ndarray
    np.testing.assert_allclose(mg.to_numpy(got), wanted, rtol=rtol)


# ------------------------------------------------------------------------------- making one


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, "float32", ()),
        (1.5, "float32", ()),
        (True, "float32", ()),
        ([1, 2], "float32", (2,)),
        ([[1.0], [2.0]], "float32", (2, 1)),
        ((1, 2, 3), "float32", (3,)),
        ([], "float32", (0,)),
        (range(3), "float32", (3,)),
        ([np.float64(1), np.float64(2)], "float32", (2,)),
        (np.arange(3), "int64", (3,)),
        (np.ones(2), "float64", (2,)),
        (np.ones(2, "float16"), "float16", (2,)),
        (np.array([True, False]), "bool", (2,)),
        (np.array(2.0), "float64", ()),
    ],
    ids=str,
)
def test_lists_and_numbers_become_float32_and_arrays_keep_their_dtype(data, dtype, shape):
    t = mg.tensor(data)
    assert (t.dtype, t.shape, t.ndim, t.size) == (dtype, shape, len(shape), math.prod(shape))
    assert type(t.data) is xp.ndarray
    assert not t.requires_grad and t.grad is None and t.name is None and t.origin is None


def test_a_dtype_can_be_asked_for():
    assert mg.tensor([1, 2], dtype="int64").dtype == "int64"
    assert mg.tensor(array([1.0], "float64"), dtype="float32", requires_grad=True).dtype == "float32"


def test_tensor_copies():
    source = array([1.0, 2.0])
    t = mg.tensor(source)
    source[...] = 0.0
    close(t, [1, 2])
    again = mg.tensor(t)
    t.data -= 1.0
    close(again, [1, 2])


@pytest.mark.parametrize("data", [None, "a", ["a"], [[1.0], [1.0, 2.0]], {}, object()])
def test_what_holds_no_numbers_is_refused(data):
    with pytest.raises((TypeError, ValueError), match="tensor: wants numbers"):
        mg.tensor(data)


def test_integers_have_no_gradient():
    for make in (
        lambda: mg.tensor(array([1, 2], "int64"), requires_grad=True),
        lambda: mg.tensor(array([1, 2], "int64")).requires_grad_(),
    ):
        with pytest.raises(TypeError, match=r"gradients want floating-point numbers, got int64; .*astype"):
            make()
    assert mg.tensor([1, 2], requires_grad=True).dtype == "float32"


# ------------------------------------------------------------------------------- operators

BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
}
COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
OTHERS = {
    "int": (2, 2),
    "float": (2.5, 2.5),
    "bool": (True, 1),
    "NumPy float64": (np.float64(2.5), 2.5),
    "NumPy float32": (np.float32(2.5), 2.5),
    "NumPy int": (np.int64(2), 2),
    "list": ([1.0, 2.0, 3.0], np.array([1.0, 2.0, 3.0])),
    "list of ints": ([1, 2, 3], np.array([1.0, 2.0, 3.0])),
    "nested list": (B.tolist(), B),
    "tuple": ((1, 2, 3), np.array([1.0, 2.0, 3.0])),
    "array": (B, B),
    "row": (B[:1], B[:1]),
    "Tensor": (B, B),
    "0-d Tensor": (np.array(2.0), 2.0),
}


def other_of(kind):
    given, value = OTHERS[kind]
    if isinstance(given, np.ndarray):
        given = array(given)
    return mg.tensor(given) if "Tensor" in kind else given, value


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("symbol", [s for s in BINARY if s != "@"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_arithmetic_with_whatever_is_on_the_other_side(symbol, kind, side):
    f = BINARY[symbol]
    a = np.abs(A) if symbol == "**" else A
    other, value = other_of(kind)
    if symbol == "**":
        value = np.abs(value)
        other = mg.tensor(abs(other.data)) if isinstance(other, mg.Tensor) else other
        other = abs(other) if isinstance(other, xp.ndarray) else other
        if kind == "nested list":
            other = value.tolist()
    x = wants(a)
    y = f(x, other) if side == "left" else f(other, x)
    assert isinstance(y, mg.Tensor) and y.dtype == "float32"
    close(y, f(a, value) if side == "left" else f(np.asarray(value), a), rtol=1e-5)
    y.sum().backward()
    assert x.grad.shape == x.shape and x.grad.dtype == "float32"


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["array", "Tensor", "list", "tuple"])
def test_the_matrix_product_with_whatever_is_on_the_other_side(kind, side):
    x = wants(A)
    value = np.arange(6.0).reshape((3, 2))
    other = {"array": array, "Tensor": wants, "list": np.ndarray.tolist, "tuple": lambda v: tuple(map(tuple, v))}
    other = other[kind](value)
    y = x @ other if side == "left" else other @ x
    assert isinstance(y, mg.Tensor) and y.dtype == "float32"
    close(y, A @ value if side == "left" else value @ A)
    close(x @ [1, 2, 3], A @ [1, 2, 3])
    close([1, 2] @ x, [1, 2] @ A)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("symbol", COMPARISONS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_comparisons_give_arrays_of_booleans(symbol, kind, side):
    f = COMPARISONS[symbol]
    other, value = other_of(kind)
    x = wants(A)
    y = f(x, other) if side == "left" else f(other, x)
    assert type(y) is xp.ndarray and y.dtype == "bool"
    np.testing.assert_array_equal(mg.to_numpy(y), f(A, value) if side == "left" else f(np.asarray(value), A))


def test_comparisons_of_one_number_are_arrays_too():
    for y in (mg.tensor(1.0) > 0, mg.tensor(1.0) == mg.tensor(1.0), mg.tensor(1.0) != 2):
        assert type(y) is xp.ndarray and y.shape == () and bool(y)


def test_unary_operators():
    x = wants(A)
    close(-x, -A)
    close(abs(x), np.abs(A))
    assert +x is x
    (abs(x) - -x).sum().backward()
    close(x.grad, np.sign(A) + 1)


def test_augmented_assignment_makes_a_new_tensor():
    x = wants([1.0, 2.0])
    y = x
    y += 1.0
    y *= x
    close(x, [1, 2])
    y.sum().backward()
    close(x.grad, [3, 5])


@pytest.mark.parametrize("f", [lambda x: x // 2, lambda x: x % 2, lambda x: x & x, lambda x: x << 1, lambda x: ~x])
def test_operators_without_a_gradient_are_not_there(f):
    with pytest.raises(TypeError, match=r"unsupported|bad operand"):
        f(wants([1.0]))


@pytest.mark.parametrize("other", ["a", None, {}, object()])
@pytest.mark.parametrize("f", [operator.add, lambda a, b: operator.mul(b, a)])
def test_what_is_no_number_is_a_sentence(f, other):
    with pytest.raises(TypeError, match=r"^(add|multiply): |can't multiply"):
        f(wants([1.0, 2.0]), other)


@on_the_host
def test_a_numpy_array_on_the_left_hands_over_to_the_tensor():
    """array.__add__ would see a sequence of Tensors, and build an array of objects."""
    x = wants([1.0, 2.0])
    for y in (
        np.array([1.0, 2.0]) + x,
        np.float64(2.0) * x,
        np.array(2.0) - x,
        np.matmul(np.ones((2, 2)), x.astype("float64")),
    ):
        assert isinstance(y, mg.Tensor) and y.requires_grad
    assert (np.float64(2.0) * x).dtype == "float32"
    assert (np.array([1.0, 2.0]) + x).dtype == "float64"  # an array keeps its dtype


# ------------------------------------------------------------------------------- dtypes


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_dtype_survives_operators_reductions_and_gradients(dtype):
    x = wants(np.abs(A), dtype)
    y = ((x + 1) * 2.5 - np.float64(0.1)) / 3 ** (x / 4) + 1 / (x + 1)
    y = (y - y.mean(axis=0)) / (y.std() + 1e-3) + y.max(axis=1, keepdims=True) - y.min() + y.var()
    y = y.clip(-2, 2).T.reshape(-1)[::2].sum() * 0.5
    assert y.dtype == dtype and y.shape == () and type(y.data) is xp.ndarray
    y.backward()
    assert x.grad.dtype == dtype


def test_0d_results_are_arrays():
    x = wants(A)
    for y in (x.sum(), x.mean(), x.max(), x.var(), x[0, 0], x.sum() + 1, x.sum() * x.sum(), -x.sum(), x.sum() ** 2):
        assert type(y.data) is xp.ndarray and y.shape == () and y.dtype == "float32"
    assert type(mg.tanh(array(1.0))) is xp.ndarray


def test_astype():
    x = wants([1.0, 2.0])
    y = x.astype("float64") * 3.0
    assert y.dtype == "float64"
    y.sum().backward()
    assert x.grad.dtype == "float32"
    with pytest.raises(TypeError, match=r"astype: a Tensor stays a floating-point one, got"):
        x.astype("int64")
    assert mg.tensor(array([1, 2], "int64")).astype("float32").dtype == "float32"


# ------------------------------------------------------------------------------- indexing

INDICES = {
    "int": 1,
    "negative": -1,
    "NumPy int": np.int64(1),
    "slice": slice(0, 1),
    "step": slice(None, None, -1),
    "empty slice": slice(1, 1),
    "row and column": (1, 2),
    "column": (slice(None), 1),
    "ellipsis": (..., 0),
    "only ellipsis": ...,
    "new axis": (None, slice(None), None),
    "list": [0, 0, 1],
    "negative list": [-1, 0, -1],
    "empty list": [],
    "list in a tuple": ([0, 1, 1], [2, 0, 0]),
    "list and slice": (slice(None), [0, 0, 2]),
    "nested list": [[0, 1], [1, 1]],
    "mask list": [True, False],
    "array": np.array([0, 0, 1]),
    "2-D array": np.array([[0], [1]]),
    "grid": (np.array([[0], [1]]), np.array([0, 2])),
    "mask": A > 0,
    "row mask": np.array([False, True]),
    "mask of nothing": A > 100,
}


@pytest.mark.parametrize("name", INDICES)
def test_indexing_as_numpy_does_and_back(name):
    index = INDICES[name]

    def on_device(part):
        return mg.asarray(part) if isinstance(part, np.ndarray) else part

    given = tuple(map(on_device, index)) if isinstance(index, tuple) else on_device(index)
    x = wants(A, "float64")
    y = x[given]
    close(y, A[index])
    dy = np.random.default_rng(0).standard_normal(A[index].shape)
    y.backward(array(dy, "float64"))
    wanted = np.zeros_like(A)
    np.add.at(wanted, index, dy)
    close(x.grad, wanted)


def test_indexing_by_tensors():
    x = wants(A)
    ids = mg.tensor(array([1, 0, 0], "int64"))
    close(x[ids], A[[1, 0, 0]])
    close(x[ids, 0], A[[1, 0, 0], 0])
    close(x[x > 0], A[A > 0])


def test_iteration_unpacking_and_len():
    x = wants(A)
    first, second = x
    assert len(x) == 2 and [t.shape for t in x] == [(3,), (3,)]
    (first * 2.0 + second).sum().backward()
    close(x.grad, [[2, 2, 2], [1, 1, 1]])
    assert [float(v) for v in mg.tensor([1.0, 2.0])] == [1.0, 2.0]
    close(sum(x), A.sum(axis=0))
    assert [t.item() for t in reversed(mg.tensor([1.0, 2.0]))] == [2.0, 1.0]
    assert 2.0 in mg.tensor([1.0, 2.0]) and 3.0 not in mg.tensor([1.0, 2.0])


def test_mistakes_in_indexing_are_sentences():
    x = wants(A)
    with pytest.raises(IndexError, match=r"getitem: got x \(2, 3\) float32, index=2; "):
        x[2]
    with pytest.raises(IndexError, match=r"getitem: got x \(2, 3\) float32, index=\(0, 0, 0\); too many indices"):
        x[0, 0, 0]
    with pytest.raises(IndexError, match=r"getitem: .*index=1.5; "):
        x[1.5]
    with pytest.raises(IndexError, match=r"getitem: .*; arrays used as indices must be"):
        x[wants([1.0])]
    with pytest.raises(TypeError, match=r"cannot be assigned to in place.*mg.where or mg.concatenate"):
        x[0] = 1.0
    with pytest.raises(TypeError, match=r"one number cannot be iterated over; .item"):
        list(mg.tensor(1.0))
    with pytest.raises(TypeError, match=r"unsized|one number"):
        len(mg.tensor(1.0))


# ------------------------------------------------------------------------------- methods


@pytest.mark.parametrize(
    ("f", "wanted"),
    [
        (lambda x: x.sum(), A.sum()),
        (lambda x: x.sum(axis=0), A.sum(0)),
        (lambda x: x.sum(axis=(0, 1), keepdims=True), A.sum(keepdims=True)),
        (lambda x: x.mean(axis=-1), A.mean(-1)),
        (lambda x: x.var(axis=1, ddof=1), A.var(1, ddof=1)),
        (lambda x: x.std(axis=0, keepdims=True), A.std(0, keepdims=True)),
        (lambda x: x.max(axis=1), A.max(1)),
        (lambda x: x.min(), A.min()),
        (lambda x: x.clip(0, 2), A.clip(0, 2)),
        (lambda x: x.clip(min=0), A.clip(0, None)),
        (lambda x: x.clip(max=0), A.clip(None, 0)),
        (lambda x: x.reshape(3, 2), A.reshape(3, 2)),
        (lambda x: x.reshape((3, 2)), A.reshape(3, 2)),
        (lambda x: x.reshape([3, 2]), A.reshape(3, 2)),
        (lambda x: x.reshape(-1), A.reshape(-1)),
        (lambda x: x.ravel(), A.ravel()),
        (lambda x: x.flatten(), A.ravel()),
        (lambda x: x.T, A.T),
        (lambda x: x.transpose(), A.T),
        (lambda x: x.transpose(1, 0), A.T),
        (lambda x: x.transpose((1, 0)), A.T),
        (lambda x: x.swapaxes(0, -1), A.T),
        (lambda x: x[None].squeeze(), A),
        (lambda x: x[None].squeeze(0), A),
        (lambda x: x[None, :, None].squeeze(axis=(0, 2)), A),
    ],
)
def test_methods_as_arrays_have_them(f, wanted):
    x = wants(A, "float64")
    y = f(x)
    close(y, wanted)
    y.sum().backward()
    assert x.grad.shape == x.shape
    close(mg.asarray(f(x.data)), wanted)  # so that a gradient line works on arrays and Tensors alike


def test_argmax_and_argmin_give_integers():
    x = wants(A)
    assert mg.to_numpy(x.argmax(axis=1)).tolist() == [2, 1] and int(x.argmin()) == 1


def test_item_float_int_bool_format_and_tolist():
    x = wants([[1.5]])
    assert (x.item(), float(x), int(x), bool(x), x.tolist()) == (1.5, 1.5, 1, True, [[1.5]])
    assert type(x.item()) is float and type(mg.tensor(array(3, "int64")).item()) is int
    loss = wants(0.123456)
    assert f"{loss:.3f} {loss:6.1e}" == "0.123 1.2e-01" and f"{loss}" == str(loss)
    assert not mg.tensor(0.0)
    for f in (lambda x: x.item(), float, int, lambda x: f"{x:.3f}"):
        with pytest.raises(ValueError, match=r"item: wants a Tensor of one number, this one has shape \(2, 3\)"):
            f(wants(A))


@pytest.mark.parametrize("data", [A, [], [0.0, 0.0]])
def test_the_truth_of_many_numbers_is_ambiguous(data):
    for f in (bool, lambda x: x and 1, lambda x: not x):
        with pytest.raises(ValueError, match=r"the truth of a Tensor of shape .* is ambiguous; use .any\(\)"):
            f(mg.tensor(data))


def test_numpy_and_detach():
    x = wants(A, name="x")
    assert type(x.numpy()) is np.ndarray
    d = x.detach()
    assert not d.requires_grad and d.origin is None and d.name == "x"
    assert (x * 2.0).detach().origin is None


def test_requires_grad_():
    x = mg.tensor([1.0])
    assert x.requires_grad_() is x and x.requires_grad
    assert not x.requires_grad_(False).requires_grad
    x.requires_grad_()
    y = x * 2.0
    with pytest.raises(RuntimeError, match=r"computed by multiply; .detach\(\)"):
        y.requires_grad_(False)


# ------------------------------------------------------------------------------- data and grad


def test_setting_data():
    x = wants([1.0, 2.0])
    x.data = array([3.0, 4.0])
    x.data -= 1.0
    x.data *= 2
    close(x, [4, 6])
    x.data = [7, 8]
    assert x.dtype == "float32"
    double = wants([1.0, 2.0], "float64")
    double.data = [0.1, 0.2]
    assert double.dtype == "float64" and double.data[0] == 0.1
    number = wants(3.0)
    number.data = number.data - 0.5 * number.data
    number.data -= 0.5
    assert type(number.data) is xp.ndarray and number.item() == 1.0


@pytest.mark.parametrize("shape", [(3,), (1, 2), (), (2, 1)])
def test_data_of_another_shape_is_a_sentence(shape):
    x = wants([1.0, 2.0])
    with pytest.raises(ValueError, match=r"data: this Tensor has shape \(2,\); it cannot take .* shape \("):
        x.data = array(np.ones(shape))
    close(x, [1, 2])


def test_data_of_integers_is_refused_where_a_gradient_is_wanted():
    x, ids = wants([1.0, 2.0]), mg.tensor(array([1, 2], "int64"))
    with pytest.raises(TypeError, match=r"gradients want floating-point numbers, got int64"):
        x.data = array([1, 2], "int64")
    with pytest.raises(TypeError, match=r"not silently turned into an array: use x.data"):
        x.data = ids
    close(x, [1, 2])
    ids.data = array([3, 4], "int64")
    assert ids.dtype == "int64"


# ------------------------------------------------------------------------------- NumPy by mistake


@pytest.mark.parametrize(
    ("f", "instead"),
    [
        (lambda x: np.exp(x), r"np.exp .*use mg.exp\(x\), or x.data"),
        (lambda x: np.tanh(x), r"np.tanh .*use mg.tanh\(x\)"),
        (lambda x: np.sqrt(x), r"np.sqrt .*use mg.sqrt\(x\)"),
        (lambda x: np.maximum(x, 0), r"np.maximum .*use mg.maximum"),
        (lambda x: np.maximum(np.zeros(2), x), r"np.maximum .*use mg.maximum"),
        (lambda x: np.sin(x), r"np.sin .*use the ops in minigen.ops, or x.data"),
        (lambda x: np.sum(x), r"np.sum .*use mg.sum\(x\)"),
        (lambda x: np.mean(x, axis=0), r"np.mean .*use mg.mean\(x\)"),
        (lambda x: np.add.reduce(x), r"np.add.reduce .*use the ops in minigen.ops"),
        (lambda x: np.add(x, x, out=np.zeros(2)), r"np.add .*use mg.add"),
        (lambda x: np.concatenate([x, x]), r"np.concatenate .*use mg.concatenate"),
        (lambda x: np.stack([np.ones(2), x]), r"np.stack .*use mg.stack"),
        (lambda x: np.where(np.ones(2) > 0, x, x), r"np.where .*use mg.where"),
        (lambda x: np.dot(x, x), r"np.dot .*use the ops"),
        (lambda x: np.linalg.norm(x), r"norm .*use the ops"),
        (lambda x: np.asarray(x), r"not silently turned into an array: use x.data, or x.numpy\(\)"),
        (lambda x: np.array(x), r"not silently turned into an array"),
        (lambda x: np.array([x, x]), r"not silently turned into an array"),
        (lambda x: np.array([x.sum(), x.sum()]), r"not silently turned into an array"),
        (lambda x: np.ones(2).__iadd__(x), r"np.add .*use mg.add"),
    ],
)
def test_numpys_functions_answer_with_what_to_use_instead(f, instead):
    with pytest.raises(TypeError, match=instead):
        f(wants([1.0, 2.0]))


def test_a_list_of_tensors_is_refused():
    x = wants([1.0, 2.0])
    with pytest.raises((TypeError, ValueError), match=r"tensor: .*Tensor|not silently turned"):
        mg.tensor([x, x])


# ------------------------------------------------------------------------------- shapes that do not fit


@pytest.mark.parametrize(
    ("f", "sentence"),
    [
        (lambda a, b: a + b, r"add: .*\(2, 3\).*\(4,\)"),
        (lambda a, b: b * a, r"multiply: .*\(4,\).*\(2, 3\)"),
        (lambda a, b: a @ b, r"matmul: .*\(2, 3\).*\(4,\)"),
        (lambda a, b: a @ a, r"matmul: .*\(2, 3\).*\(2, 3\)"),
        (lambda a, b: a.reshape(4), r"reshape: .*\(2, 3\).*shape=\(4,\)"),
        (lambda a, b: a.sum(axis=2), r"sum: .*\(2, 3\).*axis=2"),
        (lambda a, b: a.transpose(0, 0), r"transpose: .*\(2, 3\).*axes=\(0, 0\)"),
        (lambda a, b: a.squeeze(0), r"squeeze: .*\(2, 3\).*axis=0"),
    ],
)
def test_a_mismatch_names_the_op_and_both_shapes(f, sentence):
    with pytest.raises((ValueError, IndexError), match="^" + sentence):
        f(wants(A), wants(np.ones(4)))


# ------------------------------------------------------------------------------- identity, copies, pickles


def test_tensors_are_keys_by_identity():
    a, b = wants([1.0, 2.0]), wants([1.0, 2.0])
    table = {a: "a", b: "b"}
    assert (table[a], table[b], len({a, b, a})) == ("a", "b", 2)
    assert hash(a) == hash(a) and a not in {b}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copied_or_pickled_leaf_is_independent(copied):
    w = wants([1.0, 2.0], name="w")
    (w * w).sum().backward()
    twin = copied(w)
    close(twin, [1, 2])
    close(twin.grad, [2, 4])
    assert (twin.requires_grad, twin.name, twin.dtype, twin.origin) == (True, "w", "float32", None)
    twin.data -= 1.0
    twin.grad *= 0.0
    (twin * 3.0).sum().backward()
    close(w, [1, 2])
    close(w.grad, [2, 4])
    close(twin.grad, [3, 3])
    plain = copied(mg.tensor([1.0]))
    assert plain.grad is None and not plain.requires_grad


def test_a_copied_model_keeps_its_tied_weights_tied():
    w = wants([1.0])
    a, b = copy.deepcopy([w, w])
    assert a is b and a is not w


def test_a_computed_tensor_is_neither_copied_nor_pickled():
    y = wants([1.0]) * 2.0
    for f in (copy.deepcopy, copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match=r"only leaves .* computed by multiply; take its .detach\(\)"):
            f(y)
    close(copy.deepcopy(y.detach()), [2])


# ------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: mg.tensor(0.1), "tensor(0.1)"),
        (lambda: mg.tensor(3), "tensor(3.0)"),
        (lambda: mg.tensor(array(0.1, "float64")), "tensor(0.1, dtype=float64)"),
        (lambda: mg.tensor(array(5, "int64")), "tensor(5, dtype=int64)"),
        (lambda: mg.tensor(array(True, "bool")), "tensor(True, dtype=bool)"),
        (lambda: mg.tensor([1, 2]), "tensor([1., 2.], shape=(2,))"),
        (lambda: mg.tensor([]), "tensor([], shape=(0,))"),
        (lambda: mg.tensor(array(np.zeros((0, 3)))), "tensor([], shape=(0, 3))"),
        (lambda: mg.tensor([[1.5]]), "tensor([[1.5]])"),
        (lambda: wants([1.0, 2.0]), "tensor([1., 2.], shape=(2,), requires_grad=True)"),
        (lambda: wants([1.0, 2.0], name="w"), "tensor([1., 2.], shape=(2,), name='w', requires_grad=True)"),
        (lambda: wants([1.0, 2.0]) * 2.0, "tensor([2., 4.], shape=(2,), from multiply)"),
        (lambda: mg.tanh(wants(0.0)), "tensor(0.0, from tanh)"),
        (lambda: mg.tensor(array([1, 2], "int64")), "tensor([1, 2], shape=(2,), dtype=int64)"),
        (lambda: mg.tensor([np.nan, np.inf]), "tensor([nan, inf], shape=(2,))"),
        (lambda: mg.tensor([[1, 2], [3, 4]]), "tensor([[1., 2.],\n        [3., 4.]], shape=(2, 2))"),
    ],
)
def test_repr(make, shown):
    assert repr(make()) == str(make()) == shown


def test_the_repr_of_many_numbers_is_short():
    for shape in [(5000,), (200, 300), (20, 30, 40)]:
        text = repr(wants(np.random.default_rng(0).standard_normal(shape)))
        assert "..." in text and len(text) < 5000 and f"shape={shape}, requires_grad=True)" in text
