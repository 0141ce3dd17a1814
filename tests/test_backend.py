"""The switch between NumPy and CuPy, the doors between host and device, and the strict stand-in for CuPy."""

import copy
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from minigen import backend

# ------------------------------------------------------------------------------------------------- the switch


@pytest.fixture(autouse=True)
def as_before():
    name = backend.current()
    yield
    backend.use(name)


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_use_refills_the_xp_that_everyone_has_imported(name):
    from minigen.backend import xp

    backend.use(name)
    assert backend.current() == name
    assert xp is backend.xp
    assert type(xp.zeros(2)) is xp.ndarray
    assert (xp.ndarray is np.ndarray) == (name == "numpy")


def test_using_restores_what_was_in_use_also_after_an_error():
    backend.use("numpy")
    with backend.using("strict"):
        assert backend.current() == "strict"
        with backend.using("numpy"):
            assert backend.xp.ndarray is np.ndarray
        assert backend.xp.ndarray is not np.ndarray
    with pytest.raises(ZeroDivisionError), backend.using("strict"):
        raise ZeroDivisionError
    assert backend.current() == "numpy"
    assert backend.xp.ndarray is np.ndarray


def test_nothing_of_the_backend_before_is_left_behind():
    backend.use("numpy")
    assert hasattr(backend.xp, "errstate")
    backend.use("strict")
    with pytest.raises(AttributeError, match="the strict backend has no function 'errstate'"):
        backend.xp.errstate  # noqa: B018


def test_an_unknown_name_is_a_sentence_and_changes_nothing():
    before = backend.current()
    with pytest.raises(ValueError, match="no backend 'torch'; choose one of numpy, cupy, strict"):
        backend.use("torch")
    with pytest.raises(ValueError, match="no backend 'torch'"), backend.using("torch"):
        pass
    assert backend.current() == before


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_minigen_backend_chooses_at_the_start(name):
    done = run("from minigen import backend; print(backend.current())", MINIGEN_BACKEND=name)
    assert done.stdout.strip() == name, done.stderr


def test_minigen_backend_that_does_not_exist_is_a_sentence():
    done = run("import minigen", MINIGEN_BACKEND="abacus")
    assert done.returncode != 0
    assert "no backend 'abacus'; choose one of numpy, cupy, strict" in done.stderr


def cupy_with(devices):
    """A CuPy that sees so many devices, or raises this error when asked."""

    def count():
        if isinstance(devices, Exception):
            raise devices
        return devices

    runtime = SimpleNamespace(getDeviceCount=count)
    return SimpleNamespace(
        __version__="14.2.0", cuda=SimpleNamespace(runtime=runtime), ndarray=np.ndarray, zeros=np.zeros
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (ImportError("No module named 'cupy'"), r"CuPy cannot be imported \(No module named 'cupy'\)"),
        (
            cupy_with(RuntimeError("cudaErrorInsufficientDriver")),
            "no GPU answers .cudaErrorInsufficientDriver",
        ),
        (cupy_with(0), "it sees no GPU"),
    ],
)
def test_cupy_without_cupy_or_a_gpu_says_what_is_missing_and_how_to_go_on(monkeypatch, found, says):
    def import_module(name):
        assert name == "cupy"
        if isinstance(found, Exception):
            raise found
        return found

    before, zeros = backend.current(), backend.xp.zeros
    with monkeypatch.context() as patch:
        patch.setattr(backend.importlib, "import_module", import_module)
        with pytest.raises(RuntimeError, match=says) as raised:
            backend.use("cupy")
        assert 'To go on with NumPy: mg.use("numpy")' in str(raised.value)
        if isinstance(found, Exception):
            assert "pip install" in str(raised.value)
    assert backend.current() == before
    assert backend.xp.zeros is zeros


def test_cupy_with_a_gpu_is_what_xp_holds(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(backend.importlib, "import_module", lambda name: cupy_with(1))
        backend.use("cupy")
    assert backend.current() == "cupy"
    assert backend.xp.zeros is np.zeros
    assert not hasattr(backend.xp, "ones")


# ---------------------------------------------------------------------------------- the two doors: in and out


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_asarray_lists_and_numbers_become_float32_and_arrays_keep_their_dtype(name):
    backend.use(name)
    for data in ([1, 2], [[1.5]], 3, 2.5, (True, False), []):
        a = backend.asarray(data)
        assert type(a) is backend.xp.ndarray
        assert a.dtype == np.float32
        assert a.shape == np.shape(data)
    for dtype in (np.float64, np.float32, np.int64, np.uint8, bool):
        assert backend.asarray(np.zeros(2, dtype)).dtype == dtype
        assert backend.asarray(backend.xp.zeros(2, dtype)).dtype == dtype
    assert backend.asarray(np.float64(3)).dtype == np.float64
    assert backend.asarray([1, 2], dtype=np.int64).dtype == np.int64
    a = backend.xp.zeros(2)
    assert backend.asarray(a) is a
    assert backend.asarray(a, dtype=np.float64) is a
    assert backend.asarray(a, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_to_numpy_brings_arrays_tensors_and_numbers_to_the_host(name):
    backend.use(name)
    a = backend.asarray([[1.0, 2.0]])
    tensor = SimpleNamespace(data=a, requires_grad=False)
    for out in (backend.to_numpy(a), backend.to_numpy(tensor)):
        assert type(out) is np.ndarray
        assert out.tolist() == [[1.0, 2.0]]
        assert out.dtype == np.float32
    assert backend.to_numpy(3.0).shape == ()
    assert backend.to_numpy(a[0, 0]).shape == ()


def test_the_device_has_a_memory_of_its_own():
    backend.use("strict")
    host = np.zeros(3)
    for enter in (backend.asarray, backend.xp.asarray, backend.xp.array):
        a = enter(host)
        a[0] = 7
        assert host.tolist() == [0, 0, 0]
        out = a.get()
        out[1] = 7
        assert a.tolist() == [7, 0, 0]


# ---------------------------------------------------------------------------- strict: no mixing with the host


@pytest.fixture
def xp():
    backend.use("strict")
    return backend.xp


HOST = np.arange(3.0)


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda a: np.array([a, a]), memoryview])
def test_strict_is_not_converted_implicitly(xp, convert):
    with pytest.raises(TypeError, match=r"\.get\(\)|bytes-like"):
        convert(xp.arange(3.0))


@pytest.mark.parametrize(
    "mix",
    [
        lambda xp, a: a + HOST,
        lambda xp, a: HOST + a,
        lambda xp, a: HOST @ a,
        lambda xp, a: a @ HOST,
        lambda xp, a: a < HOST,
        lambda xp, a: HOST == a,  # noqa: SIM300
        lambda xp, a: xp.exp(HOST),
        lambda xp, a: xp.maximum(a, HOST),
        lambda xp, a: np.add(a, HOST),
        lambda xp, a: xp.exp(a, out=HOST),
        lambda xp, a: xp.sum(HOST),
        lambda xp, a: xp.sum(a, out=HOST),
        lambda xp, a: xp.where(a > 0, a, HOST),
        lambda xp, a: xp.concatenate([a, HOST]),
        lambda xp, a: xp.matmul(a, HOST),
        lambda xp, a: xp.copyto(a, HOST),
        lambda xp, a: xp.add.at(a, xp.asarray([0]), HOST[:1]),
        lambda xp, a: xp.zeros_like(HOST),
        lambda xp, a: a.dot(HOST),
        lambda xp, a: a[HOST.astype(int)],
        lambda xp, a: a[HOST > 0],
        lambda xp, a: a.__setitem__(slice(None), HOST),
        lambda xp, a: a.__iadd__(HOST),
        lambda xp, a: HOST.__iadd__(a),
        lambda xp, a: HOST.__setitem__(slice(None), a),
        lambda xp, a: np.sum(a),
        lambda xp, a: np.concatenate([a, a]),
    ],
)
def test_strict_refuses_to_mix_with_host_arrays(xp, mix):
    a = xp.arange(3.0)
    with pytest.raises(TypeError):
        mix(xp, a)
    assert a.tolist() == [0, 1, 2]
    assert HOST.tolist() == [0, 1, 2]


def test_strict_says_which_type_it_refuses(xp):
    with pytest.raises(TypeError, match=r"Unsupported type <class 'numpy\.ndarray'>"):
        xp.arange(3.0) + HOST
    with pytest.raises(TypeError, match=r"Implicit conversion .* use `\.get\(\)`"):
        np.asarray(xp.arange(3.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, a: a * [1, 2, 3],
        lambda xp, a: xp.add(a, [1, 2, 3]),
        lambda xp, a: xp.sum([1, 2]),
        lambda xp, a: xp.where([True, False, True], a, a),
        lambda xp, a: xp.where(a > 0, a, [1, 2, 3]),
        lambda xp, a: xp.concatenate([[1.0], [2.0]]),
        lambda xp, a: xp.matmul(a, [1, 2, 3]),
        lambda xp, a: xp.mean(3.0),
        lambda xp, a: xp.add(a, None),
    ],
)
def test_strict_takes_no_lists_where_cupy_wants_arrays(xp, call):
    with pytest.raises(TypeError):
        call(xp, xp.arange(3.0))


# ---------------------------------------------------------------------- strict: arrays to the end, and dtypes


def test_strict_results_are_arrays_also_0d_ones(xp):
    a = xp.arange(6.0).reshape(2, 3)
    results = [
        a.sum(),
        a.mean(),
        a.max(),
        a.argmax(),
        a.any(),
        a.std(),
        xp.sum(a),
        xp.min(a),
        xp.argmin(a),
        a[0, 0],
        a[0, 0] + 1,
        xp.exp(1.0),
        xp.add(1, 2),
        xp.linalg.norm(a),
        xp.allclose(a, a),
        xp.array_equal(a, a),
        xp.count_nonzero(a),
        xp.vdot(a, a),
        xp.einsum("ij->", a),
        a.ravel() @ a.ravel(),
        np.float32(2) * a[0, 0],
        xp.asarray(3.0),
        next(iter(a.ravel())),
        xp.random.default_rng(0).random(),
        xp.random.default_rng(0).integers(5),
        xp.random.default_rng(0).uniform(0, 1),
        xp.isfinite(2.0),
    ]
    for r in results:
        assert type(r) is xp.ndarray
        assert r.shape == ()
    assert [type(r) for r in a] == [xp.ndarray] * 2
    assert all(type(part) is xp.ndarray for part in (*xp.split(a, 3, axis=1), *a.nonzero(), *xp.divmod(a, 2)))


def test_strict_scalars_are_weak_and_numpys_scalars_as_in_numpy(xp):
    a = xp.ones(2, np.float32)
    for b in (
        a * 2,
        2.5 + a,
        a**2,
        a / 3,
        1 - a,
        True * a,
        np.float32(2) * a,
        a * np.float32(2),
        xp.maximum(a, 0.0),
    ):
        assert type(b) is xp.ndarray
        assert b.dtype == np.float32
    assert (a * np.float64(2)).dtype == np.float64
    assert (np.float64(2) * a).dtype == np.float64
    assert (a * xp.asarray(2.0, np.float64)).dtype == np.float64
    assert (xp.arange(3) / 2).dtype == np.float64
    assert xp.arange(3).dtype == np.int64


def test_strict_knows_cupys_dtypes_only(xp):
    with pytest.raises(ValueError, match="Unsupported dtype"):
        xp.asarray(["a"])
    with pytest.raises(ValueError, match="Unsupported dtype"):
        xp.asarray([None, 1])
    for dtype in (np.float16, np.complex64, np.uint8, bool):
        assert xp.zeros(2, dtype).dtype == dtype


def test_strict_gives_numbers_when_asked(xp):
    a = xp.asarray([2.5])
    assert (float(a[0]), int(a[0]), bool(a[0]), a.item(), a.tolist()) == (2.5, 2, True, 2.5, [2.5])
    assert [type(v) for v in (float(a[0]), a.item())] == [float, float]
    assert f"{a[0]:.2f}" == "2.50"
    assert repr(a) == repr(np.asarray([2.5]))
    assert type(a.get()) is np.ndarray
    with pytest.raises(ValueError, match="ambiguous"):
        bool(xp.zeros(2))
    with pytest.raises(TypeError):
        range(xp.asarray(3))
    with pytest.raises(TypeError):
        [1, 2, 3][xp.asarray(1)]
    for make in (
        xp.zeros,
        lambda n: xp.ones((2, n)),
        xp.zeros(4).reshape,
        lambda n: xp.zeros(4).reshape(2, n),
    ):
        with pytest.raises(TypeError, match="interpreted as an integer"):
            make(xp.asarray(2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)
    with pytest.raises(TypeError, match="0-d"):
        iter(a[0])


def test_strict_can_be_copied_and_pickled(xp):
    a = xp.arange(3.0)
    for b in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a)), a.copy()):
        assert type(b) is xp.ndarray
        b[0] = 9
        assert b.tolist() == [9, 1, 2]
        assert a.tolist() == [0, 1, 2]


def test_strict_arithmetic_does_not_warn(xp, recwarn):
    zero = xp.zeros(2)
    assert xp.isnan(zero / zero).all()
    assert xp.isinf(1 / zero).all()
    assert xp.isinf(xp.log(zero)).all()
    assert xp.isinf(xp.exp(zero + 1000)).all()
    assert not recwarn.list


# ---------------------------------------------------------------- strict: operators, and whose turn it is


class Tensorlike:
    """Like minigen's Tensor: operators of its own, and a None that asks arrays to leave them the turn."""

    __array_ufunc__ = None

    def answer(self, other):
        return "mine"

    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = __rmatmul__ = __rfloordiv__ = __rmod__ = answer
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __ne__ = answer
    __hash__ = None


@pytest.mark.parametrize("shape", [(3,), ()])
def test_strict_leaves_a_tensor_the_turn(xp, shape):
    a, t = xp.ones(shape), Tensorlike()
    answers = [a + t, a - t, a * t, a / t, a**t, a // t, a % t, a == t, a != t, a < t, a <= t, a > t, a >= t]
    answers += [a @ t] if shape else []
    assert answers == ["mine"] * len(answers)
    with pytest.raises(TypeError, match="Unsupported type"):
        a += t
    with pytest.raises(TypeError, match="Unsupported type"):
        xp.add(a, t)
    with pytest.raises(TypeError, match="Unsupported type"):
        xp.sum(a, out=t)


def test_strict_operators_compute_what_numpy_computes(xp):
    x, y = np.array([[1.0, -2.0, 3.0]]), np.array([[0.5], [2.0]])
    a, b = xp.asarray(x), xp.asarray(y)
    operations = [
        lambda p, q: p + q,
        lambda p, q: p - q,
        lambda p, q: p * q,
        lambda p, q: p / q,
        lambda p, q: p // q,
        lambda p, q: p % q,
        lambda p, q: q**p,
        lambda p, q: p < q,
        lambda p, q: p >= q,
        lambda p, q: p == q,
        lambda p, q: p != q,
        lambda p, q: q @ p,
        lambda p, q: -p,
        lambda p, q: abs(p),
        lambda p, q: +p,
        lambda p, q: 2 - p,
        lambda p, q: 2**p,
        lambda p, q: 2 / p,
        lambda p, q: ~(p > 0),
        lambda p, q: divmod(p, q)[1],
        lambda p, q: (p > 0) & (q > 1),
        lambda p, q: (p > 0) | (q > 1),
        lambda p, q: (p > 0) ^ (q > 1),
        lambda p, q: 7 // p,
        lambda p, q: p.astype(int) << 1,
        lambda p, q: 5 % p,
        lambda p, q: p.T.real,
    ]
    for operate in operations:
        mine = operate(a, b)
        assert type(mine) is xp.ndarray
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(mine.get(), operate(x, y))
    assert (a == None).tolist() == [[False] * 3]  # noqa: E711
    assert (a != object()).tolist() == [[True] * 3]


def test_strict_in_place_operators_write_where_they_stand(xp):
    a = xp.ones((2, 2), np.float32)
    view, same = a[0], a
    a += 1
    a *= np.float32(2)
    a -= xp.ones(2)
    a /= 2
    assert a is same
    assert view.tolist() == [1.5, 1.5]
    assert a.dtype == np.float32
    a @= xp.ones((2, 2), np.float32)  # a new array: CuPy has no __imatmul__
    assert a is not same
    with pytest.raises(TypeError):
        xp.arange(3).__iadd__(0.5)  # int += float


def test_strict_out_comes_back_as_the_same_array(xp):
    a, out = xp.arange(3.0), xp.empty(3)
    assert xp.multiply(a, 2, out=out) is out
    assert xp.exp(a, out) is out
    assert a.sum(out=(total := xp.empty(()))) is total
    assert xp.matmul(xp.ones((3, 3)), a, out=out) is out
    assert out.tolist() == [3, 3, 3]
    assert np.add(a, 1, out=out) is out
    assert a.astype(np.float64, copy=False) is a
    assert xp.asarray(a) is a
    assert xp.ascontiguousarray(a) is a
    assert xp.asarray(a, np.float32) is not a


def test_numpys_ufuncs_give_strict_arrays_as_in_cupy(xp):
    a = xp.arange(3.0)
    for b in (np.exp(a), np.add(a, a), np.multiply(2, a), np.add.reduce(a)):
        assert type(b) is xp.ndarray


# ------------------------------------------------------------------------------------------- strict: indexing


def test_strict_indexing_gives_what_numpy_gives(xp):
    x = np.arange(24.0).reshape(2, 3, 4)
    a = xp.asarray(x)
    picks = [
        0,
        -1,
        (0, 1),
        (0, 1, 2),
        slice(None, None, -1),
        (..., 1),
        (None, 0),
        (slice(1), ..., None),
        (),
        ...,
        [1, 0],
        ([0, 1], [2, 0]),
        (slice(None), [2, 0, 2]),
        ([0, 1], slice(None), [1, 1]),
        np.int64(1),
        [],
        True,
        [True, False],
    ]
    for pick in picks:
        np.testing.assert_array_equal(a[pick].get(), x[pick])
    for index in ([1, 0, 1], [[0, 1], [1, 1]], 1):
        i = np.asarray(index)
        np.testing.assert_array_equal(a[xp.asarray(i)].get(), x[i])
        np.testing.assert_array_equal(a[:, xp.asarray(i), 1:3].get(), x[:, i, 1:3])
        np.testing.assert_array_equal(a[xp.asarray(i), 0, xp.asarray(i)].get(), x[i, 0, i])
    for mask in (x > 5, x[0, :, 0] > 3, x[:, 0, 0] > 3):
        m = xp.asarray(mask)
        if mask.shape != (3,):
            np.testing.assert_array_equal(a[m].get(), x[mask])
        else:
            np.testing.assert_array_equal(a[:, m].get(), x[:, mask])
    with pytest.raises(IndexError):
        a[5]
    with pytest.raises(IndexError):
        a[0, 0, 0, 0]
    with pytest.raises(IndexError, match="integer or boolean"):
        a[xp.asarray([0.0])]


def test_strict_element_is_a_view_and_an_index_array_copies(xp):
    a = xp.zeros(3)
    element = a[0]
    element += 1
    assert a.tolist() == [1, 0, 0]
    for copied in (a[xp.asarray(0)], a[xp.asarray([0])], a[[0]], a[a > 0]):
        copied += 1
    assert a.tolist() == [1, 0, 0]


def test_strict_index_arrays_wrap_around_where_numpy_raises(xp):
    a = xp.arange(4.0)
    far = xp.asarray([4, -5, 9])
    assert a[far].tolist() == [0, 3, 1]
    assert a[[4]].tolist() == [0]
    assert a.take(far).tolist() == [0, 3, 1]
    assert xp.take(a.reshape(2, 2), xp.asarray([3]), axis=1).tolist() == [[1], [3]]
    assert xp.take_along_axis(a, far, 0).tolist() == [0, 3, 1]
    assert a.reshape(2, 2)[xp.asarray([2]), xp.asarray([-3])].tolist() == [1]
    xp.add.at(a, far, 10.0)
    assert a.tolist() == [10, 11, 2, 13]
    a[far] = 0
    assert a.tolist() == [0, 0, 2, 0]
    assert xp.arange(300.0)[xp.asarray([255], np.uint8)].tolist() == [255]


def test_strict_item_assignment(xp):
    a = xp.zeros((2, 3))
    a[0] = 1
    a[1, 1:] = xp.asarray([5.0, 6.0])
    a[a == 0] = -1
    a[xp.asarray([0, 0]), xp.asarray([0, 2])] = xp.asarray([7, 8])
    assert a.tolist() == [[7, 1, 8], [-1, 5, 6]]
    a[...] = xp.asarray(2)
    assert a.tolist() == [[2] * 3] * 2
    with pytest.raises(ValueError, match="fill"):
        a[0] = [1, 2, 3]
    with pytest.raises(TypeError, match="Unsupported"):
        a[0] = Tensorlike()


# ---------------------------------------------------------------- strict: functions, methods and attributes


@pytest.mark.parametrize("name", ["errstate", "einsum_path", "vecdot", "insert", "frompyfunc", "matrix", "nope"])
def test_strict_lacks_the_functions_that_cupy_lacks(xp, name):
    assert not hasattr(xp, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, a: xp.take(a, xp.asarray([0]), mode="clip"),
        lambda xp, a: a.take(xp.asarray([0]), mode="clip"),
        lambda xp, a: xp.add(a, a, where=a > 0),
        lambda xp, a: xp.sum(a, where=a > 0),
        lambda xp, a: a.max(initial=0),
        lambda xp, a: xp.add.reduce(a, initial=0),
        lambda xp, a: xp.einsum("i->", a, out=a),
        lambda xp, a: xp.lib.stride_tricks.as_strided(a, (2,), (8,), writeable=False),
        lambda xp, a: xp.zeros_like(a, device="cpu"),
        lambda xp, a: xp.clip(a, min=0, max=1),
        lambda xp, a: xp.var(a, correction=1),
        lambda xp, a: xp.argsort(a, stable=True),
    ],
)
def test_strict_lacks_the_keywords_that_cupy_lacks(xp, call):
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        call(xp, xp.arange(3.0))


def test_strict_ufuncs_have_the_methods_that_cupys_have(xp):
    a = xp.zeros(3, np.float32)
    xp.add.at(a, xp.asarray([0, 0, 2]), xp.asarray([1.0, 2.0, 3.0], np.float32))
    assert a.tolist() == [3, 0, 3]
    xp.maximum.at(a, xp.asarray([1, 1]), 5.0)
    assert a.tolist() == [3, 5, 3]
    assert xp.add.reduce(a).item() == 11
    assert xp.multiply.reduce(a, axis=0, keepdims=True).tolist() == [45]
    assert xp.multiply.outer(a, a).shape == (3, 3)
    for lacking in (xp.maximum.reduce, xp.minimum.reduce, xp.logical_and.reduce):
        with pytest.raises(NotImplementedError, match="reduce` is not supported"):
            lacking(a)
    with pytest.raises(NotImplementedError, match="at` is not supported"):
        xp.multiply.at(a, xp.asarray([0]), 2.0)
    with pytest.raises(TypeError, match="bool"):
        xp.add.at(a > 0, xp.asarray([0]), True)
    with pytest.raises(TypeError, match="float32"):
        xp.subtract.at(a, xp.asarray([0]), 2.0)


def test_strict_functions_compute_what_numpy_computes(xp):
    x = np.arange(12.0).reshape(3, 4) - 5
    a = xp.asarray(x)
    calls = [
        lambda m, p: m.einsum("ij,kj->ik", p, p),
        lambda m, p: m.pad(p, ((1, 0), (0, 2))),
        lambda m, p: m.stack([p, p]),
        lambda m, p: m.concatenate([p, p], axis=1),
        lambda m, p: m.where(p > 0, p, 0.0),
        lambda m, p: m.logaddexp(p, 0),
        lambda m, p: m.lib.stride_tricks.as_strided(p, (3, 3, 2), (32, 8, 8)),
        lambda m, p: m.expand_dims(p, (0, 2)),
        lambda m, p: m.lib.stride_tricks.sliding_window_view(p, (2, 2)),
        lambda m, p: m.tensordot(p, p, axes=([0], [0])),
        lambda m, p: m.clip(p, -1, 1),
        lambda m, p: m.flip(p, 0),
        lambda m, p: m.moveaxis(p, 0, 1),
        lambda m, p: m.tril(p),
        lambda m, p: m.argsort(p, axis=1),
        lambda m, p: m.cumsum(p, axis=0),
        lambda m, p: m.broadcast_to(p, (2, 3, 4)),
        lambda m, p: m.linalg.qr(p)[0],
        lambda m, p: m.linalg.svd(p)[1],
        lambda m, p: m.split(p, [1], axis=0)[1],
        lambda m, p: m.full_like(p, 3),
        lambda m, p: m.arange(2, 9, 3),
        lambda m, p: m.linspace(0, 1, 5),
        lambda m, p: m.eye(3),
        lambda m, p: m.take_along_axis(p, m.argmax(p, axis=1, keepdims=True), axis=1),
        lambda m, p: m.repeat(p, 2, axis=1),
        lambda m, p: p.reshape(4, 3).transpose(1, 0),
        lambda m, p: p.mean(axis=(0, 1), keepdims=True),
        lambda m, p: p.argmax(1),
        lambda m, p: p.astype(np.int64).sum(axis=0),
        lambda m, p: p.var(axis=0, ddof=1),
        lambda m, p: p.clip(min=0),
        lambda m, p: p.swapaxes(0, 1).ravel(),
        lambda m, p: p.take(m.asarray([0, 2]), axis=1),
        lambda m, p: p[None].squeeze(),
        lambda m, p: p.round(0),
        lambda m, p: p.view(np.int64),
        lambda m, p: p.flatten(),
        lambda m, p: p.repeat(2),
        lambda m, p: m.meshgrid(m.arange(2), m.arange(3), indexing="ij")[1],
        lambda m, p: m.bincount(m.asarray([1, 1, 3])),
    ]
    for call in calls:
        mine = call(xp, a)
        assert type(mine) is xp.ndarray
        np.testing.assert_allclose(mine.get(), call(np, x), rtol=1e-12)


def test_strict_functions_that_write_into_their_argument(xp):
    a = xp.zeros((2, 2))
    xp.copyto(a, xp.asarray([1.0, 2.0]))
    xp.put_along_axis(a, xp.asarray([[1], [0]]), 9.0, axis=1)
    assert a.tolist() == [[1, 9], [9, 2]]
    a.fill(3)
    a.reshape(4)[0] = 4
    a.T[0, 1] = 5
    assert a.tolist() == [[4, 3], [5, 3]]
    a.sort(axis=1)
    assert a.tolist() == [[3, 4], [3, 5]]
    with pytest.raises(ValueError, match="stable"):
        a.sort(kind="quicksort")


def test_strict_attributes(xp):
    a = xp.zeros((2, 3), np.float32)
    assert (a.shape, a.ndim, a.size, a.dtype, a.itemsize, a.nbytes) == ((2, 3), 2, 6, np.float32, 4, 24)
    assert a.strides == (12, 4)
    assert a.base is None
    assert a[0].base is not None
    assert a.T.shape == (3, 2)
    assert a.flags.c_contiguous
    assert not a.T.flags.c_contiguous
    assert a.data.ptr == a[0].data.ptr
    assert len(a) == 2
    assert xp.ndarray((2, 2), np.float32).shape == (2, 2)
    assert not hasattr(a, "__index__")
    assert not hasattr(a, "ctypes")
    assert not hasattr(xp.random.default_rng(0), "permutation")
    assert (xp.pi, xp.newaxis, xp.inf) == (np.pi, None, np.inf)
    assert xp.float32 is np.float32
    assert xp.finfo(a.dtype).eps == np.finfo(np.float32).eps


def test_strict_random_numbers_are_numpys_for_the_same_seed(xp):
    mine, theirs = xp.random.default_rng(5), np.random.default_rng(5)
    for draw in (
        lambda g: g.standard_normal((2, 3), dtype=np.float32),
        lambda g: g.random(4, dtype="float32"),
        lambda g: g.integers(0, 10, size=5),
        lambda g: g.uniform(-1, 1, size=3),
    ):
        a, b = draw(mine), draw(theirs)
        assert type(a) is xp.ndarray
        assert a.dtype == b.dtype
        assert a.tolist() == b.tolist()
    assert mine.standard_normal(3, dtype=np.float32).dtype == np.float32
    assert mine.uniform(size=3, dtype=np.float32).dtype == np.float32
    assert sorted(xp.random.permutation(4).tolist()) == [0, 1, 2, 3]
    assert xp.random.default_rng(mine) is mine
