"""What holds for every op, whatever it computes. Each law takes a Case, and fails with a sentence."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import on_device

import minigen as mg
from minigen.graph.contract import line_of

EXACT, SINGLE = 1e-10, 1e-3  # of the largest entry: for float64, for float32


def same(got, wanted, tolerance=EXACT, what="result"):
    """Equal shapes, and equal numbers up to `tolerance` of the largest one."""
    got, wanted = mg.to_numpy(got), mg.to_numpy(wanted)
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wants {wanted.shape}"
    off = np.abs(got - wanted).max(initial=0.0)
    largest = max(np.abs(wanted).max(initial=0.0), tolerance)
    assert off <= tolerance * max(1.0, largest), f"{what}: off by {off:.3g}, of {largest:.3g}\n{got}\nwants\n{wanted}"


def outputs_of(result):
    return result if isinstance(result, tuple) else (result,)


def wants_gradient(case, k):
    """Whether input k is an array of floats that has a gradient by nature."""
    x, op = case.inputs[k], case.op
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        return False
    named = getattr(op, "inputs", ())
    by_nature = k < len(named) and "d_" + named[k] in vars(op) and line_of(op, k) is None
    return not by_nature


def as_tensors(case, dtype="float64", layout=None, only=None):
    """The inputs on the device: Tensors where they have a gradient (or only input `only`), else arrays."""
    inputs = []
    for k, x in enumerate(case.inputs):
        floats = isinstance(x, np.ndarray) and x.dtype.kind == "f"
        x = on_device(x.astype(dtype) if floats else x)
        if floats and layout:
            x = layout(x)
        if wants_gradient(case, k) and only in (None, k):
            x = mg.Tensor(x, requires_grad=True)
        inputs.append(x)
    return inputs


def upstream_of(results, seed=1):
    """A random-normal upstream gradient for each floating-point output, of its type."""
    rng = np.random.default_rng(seed)
    return [mg.asarray(np.asarray(rng.standard_normal(y.shape), dtype=str(y.dtype))) for y in results]


def run(op, inputs, settings):
    return outputs_of(op(*inputs, **{name: on_device(value) for name, value in settings.items()}))


def gradients(op, inputs, settings, create_graph=False):
    """[gradient array, or None for no Tensor] of <outputs, random upstream>."""
    results = run(op, inputs, settings)
    tensors = [t for t in inputs if isinstance(t, mg.Tensor)]
    product = sum((0.0 * t.sum() for t in tensors), 0.0)  # so that every input takes part
    for y, dy in zip(results, upstream_of(results), strict=True):
        product = product + (y * dy).sum()
    found = iter(mg.grad(product, tensors, create_graph=create_graph))
    return [next(found).data if isinstance(t, mg.Tensor) else None for t in inputs]


# ------------------------------------------------------------------------------------------------ the laws


def gives_the_values_of_plain_numpy(case):
    """On arrays and on Tensors alike. Arrays come back as arrays, also 0-d ones; inputs stay unchanged."""
    arrays = [on_device(x.copy() if isinstance(x, np.ndarray) else x) for x in case.inputs]
    on_arrays, on_tensors = run(case.op, arrays, case.settings), run(case.op, as_tensors(case), case.settings)
    assert len(on_arrays) == len(on_tensors) == len(case.expected)
    for y, t, wanted in zip(on_arrays, on_tensors, case.expected, strict=True):
        assert type(y) is mg.xp.ndarray and type(t) is mg.Tensor and type(t.data) is mg.xp.ndarray
        same(y, wanted)
        same(t, wanted)
    for array, x in zip(arrays, case.inputs, strict=True):
        if isinstance(x, np.ndarray):
            assert np.array_equal(mg.to_numpy(array), x), "the op changed its input"


def _as_function(case):
    """The case as a function of the inputs that have gradients, for gradcheck."""
    where = [k for k in range(len(case.inputs)) if wants_gradient(case, k)]
    fixed = [on_device(x) for x in case.inputs]
    settings = {name: on_device(value) for name, value in case.settings.items()}

    def function(*xs):
        inputs = list(fixed)
        for k, x in zip(where, xs, strict=True):
            inputs[k] = x
        return case.op(*inputs, **settings)

    function.__name__ = case.op.__name__
    return function, [fixed[k] for k in where]


def has_the_slope_that_is_measured(case):
    """First order, against five points in float64, with a random upstream gradient."""
    function, inputs = _as_function(case)
    _checked(function, *inputs, most=24)


def is_differentiable_twice(case):
    """The gradient of the gradient, in inputs and upstream gradient; or a sentence that it has none."""
    function, inputs = _as_function(case)
    op = case.op
    if getattr(op, "joint", None) and not (op.variadic or op.plain or has_lines(op)):
        with pytest.raises(RuntimeError, match=f"{op.__name__} is differentiable once"):
            mg.gradcheck(function, *inputs, order=2, most=6)
    else:
        _checked(function, *inputs, order=2, most=6)


def _checked(function, *inputs, **settings):
    """gradcheck, drawing again where all slopes are 0, as of a softmax over one number: nothing to see."""
    try:
        mg.gradcheck(function, *inputs, **settings)
    except AssertionError as error:
        hypothesis.assume("nothing was checked" not in str(error))
        raise


def agrees_with_itself(case):
    """The kernel, the lines on Tensors, the plain formula, and each gradient computed alone: all the same."""
    op, settings, inputs = case.op, case.settings, as_tensors(case)
    fast = gradients(op, inputs, settings)
    ways = {"recorded gradient": gradients(op, as_tensors(case), settings, create_graph=True)}
    plain = getattr(op, "plain", None)
    if plain:
        ways["plain"] = gradients(plain, as_tensors(case), settings)
        for y, wanted in zip(run(op, inputs, settings), run(plain, as_tensors(case), settings), strict=True):
            same(y, wanted, what="plain")
    if getattr(op, "joint", None) and has_lines(op):
        ways["lines"] = _by_the_lines(op, case)
    for what, found in ways.items():
        for k, (d, wanted) in enumerate(zip(found, fast, strict=True)):
            if wanted is not None:
                same(d, wanted, what=f"{what} of input {k}")
    for k, wanted in enumerate(fast):
        if wanted is not None:
            same(
                gradients(op, as_tensors(case, only=k), settings)[k],
                wanted,
                what=f"gradient of input {k} alone",
            )


def has_lines(op):
    """Whether every input has a gradient line (or None by nature), and the joint backward is but a kernel."""
    return not op.variadic and all("d_" + name in vars(op) for name in op.inputs)


def _by_the_lines(op, case):
    """The gradients with the kernel put aside, so that the walk uses the lines also on arrays."""
    joint, plans, op.joint, op.plans = op.joint, op.plans, None, {}
    try:
        return gradients(op, as_tensors(case), case.settings)
    finally:
        op.joint, op.plans = joint, plans


def keeps_float32(case):
    """float32 in, float32 out, also every gradient on its way, each an array; the numbers as in float64."""
    double = gradients(case.op, as_tensors(case), case.settings)
    inputs = as_tensors(case, "float32")
    results = run(case.op, inputs, case.settings)
    for y, wanted in zip(results, case.expected, strict=True):
        assert y.dtype == "float32", f"float32 became {y.dtype}"
        same(y, wanted, SINGLE)
    for y, dy in zip(results, upstream_of(results), strict=True):
        for step in mg.backprop(y, dy):
            for arrival in step.arrivals:
                what = f"{step.op.__name__}.d_{arrival.input}"
                assert type(arrival.raw) is type(arrival.gradient) is mg.xp.ndarray, f"{what} is no array"
                assert arrival.raw.dtype == "float32", f"{what} turned float32 into {arrival.raw.dtype}"
    for t, wanted in zip(inputs, double, strict=True):
        if isinstance(t, mg.Tensor) and t.grad is not None:
            assert type(t.grad) is mg.xp.ndarray and t.grad.dtype == "float32"
            same(t.grad, wanted, SINGLE, "float32 gradient")


def takes_any_memory_layout(case):
    """Every second number of a larger array, and axes stored in reverse: the same results and gradients.

    What comes in is left as it was, inputs and upstream gradients alike.
    """
    wanted = gradients(case.op, as_tensors(case), case.settings)
    for layout in (every_second, reversed_axes):
        inputs = as_tensors(case, layout=layout)
        results = run(case.op, inputs, case.settings)
        for y, expected in zip(results, case.expected, strict=True):
            same(y, expected, what=f"result, {layout.__name__}")
        before = [t.data.copy() for t in inputs if isinstance(t, mg.Tensor)]
        for y, dy in zip(results, upstream_of(results), strict=True):
            dy = layout(dy)
            was = dy.copy()
            if y.requires_grad:
                y.backward(dy, retain_graph=True)
            assert bool((dy == was).all()), "backward changed its upstream gradient"
        after = [t for t in inputs if isinstance(t, mg.Tensor)]
        assert all(bool((t.data == was).all()) for t, was in zip(after, before, strict=True)), "an input was changed"
        for t, d in zip(inputs, wanted, strict=True):
            if isinstance(t, mg.Tensor):
                same(
                    mg.xp.zeros_like(t.data) if t.grad is None else t.grad,
                    d,
                    what=f"gradient, {layout.__name__}",
                )


def every_second(x):
    """The same numbers, in every second place of a larger array."""
    if x.ndim == 0:
        return x
    larger = mg.xp.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype)
    larger[..., ::2] = x
    return larger[..., ::2]


def reversed_axes(x):
    """The same numbers, stored with the axes in reverse order."""
    return mg.xp.ascontiguousarray(x.transpose()).transpose() if x.ndim else x


LAWS = [
    gives_the_values_of_plain_numpy,
    has_the_slope_that_is_measured,
    agrees_with_itself,
    keeps_float32,
    takes_any_memory_layout,
]


def laws_for(cases):
    """The tests of a family of ops, from {name: strategy for its Cases}: every law for each."""

    @pytest.mark.parametrize("name", cases)
    @pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
    @given(data=st.data())
    def test(law, name, data):
        law(data.draw(cases[name]))

    return test


def second_order_laws_for(cases):
    """The same for the gradient of the gradient, on fewer examples: each is dear."""

    @pytest.mark.parametrize("name", cases)
    @hypothesis.settings(max_examples=max(4, hypothesis.settings.default.max_examples // 5))
    @given(data=st.data())
    def test(name, data):
        is_differentiable_twice(data.draw(cases[name]))

    return test
