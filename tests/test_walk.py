"""The walk: right gradients on every graph, and nothing left behind, shared, doubled or silently stale."""

import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigen as mg
from minigen import ops
from minigen.graph import tape

xp = mg.xp


def array(values, dtype="float64"):
    return mg.asarray(np.array(values, dtype=dtype))


def wants(values, dtype="float64", name=None):
    """A leaf Tensor that wants a gradient."""
    return mg.tensor(array(values, dtype), requires_grad=True, name=name)


def close(got, wanted, rtol=1e-9):
    got = got.data if isinstance(got, mg.Tensor) else got
    assert type(got) is xp.ndarray
    np.testing.assert_allclose(mg.to_numpy(got), wanted, rtol=rtol, atol=1e-12)


def shared(*arrays):
    """The pairs of places whose arrays share memory."""
    return [(i, j) for i in range(len(arrays)) for j in range(i) if bool(xp.shares_memory(arrays[i], arrays[j]))]


# ------------------------------------------------------------------------------- operands and graphs


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x - x, 0),
        (lambda x: x / x, 0),
        (lambda x: x + x, 2),
        (lambda x: x * x, 6),
        (lambda x: x * x * x, 27),
        (lambda x: x**x, 27 * (1 + np.log(3))),
        (lambda x: x + x * x - x / x, 7),
        (lambda x: mg.maximum(x, x), 1),
        (lambda x: mg.where(x > 2, x, x * 0.0), 1),
        (lambda x: mg.stack([x, x, x]).sum(), 3),
    ],
)
def test_operands_that_are_one_tensor(f, slope):
    x = wants(3.0)
    f(x).backward()
    close(x.grad, slope)


def test_a_matrix_times_itself():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    x, dy = wants(a), np.array([[1.0, 0.5], [0.0, 2.0]])
    (x @ x).backward(array(dy))
    close(x.grad, dy @ a.T + a.T @ dy)
    x = wants(a)
    (x @ x.T).backward(array(dy))
    close(x.grad, dy @ a + dy.T @ a)


def test_a_diamond_with_paths_of_different_length():
    x = wants(2.0)
    a = x * x  # 4
    b = mg.exp(mg.log(a) * 0.5) * a  # a^1.5, three ops away
    y = a * b + a  # a^2.5 + a = x^5 + x^2
    y.backward()
    close(x.grad, 5 * 2**4 + 2 * 2)


def test_the_order_of_the_walk_is_by_number_descending():
    x = wants(2.0)
    a = x * 2.0
    b = x * 3.0
    c = b + a
    numbers = [step.node.number for step in mg.backprop(a * c)]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 4


@pytest.mark.parametrize("links", [16, 200])
def test_residual_links_are_visited_once_each(links):
    visits = []

    @mg.op
    class counted:
        def forward(x):
            return x * 0.5

        def d_x(dy):
            visits.append(1)
            return dy * 0.5

    x = wants(1.0)
    h = x
    for _ in range(links):
        h = h + counted(h)
    h.backward()
    assert len(visits) == links
    close(x.grad, 1.5**links)
    h = x * 1.0
    for _ in range(links):
        h = (h + h) * 0.5
    assert sum(1 for _ in mg.backprop(h)) == 2 * links + 1


def test_a_chain_of_ten_thousand_ops():
    x = wants(1.0)
    h = x
    for _ in range(10_000):
        h = h + 1.0
    h.backward(retain_graph=True)
    close(x.grad, 1)
    close(mg.grad(h, x), 1)
    assert sum(1 for _ in mg.backprop(h)) == 10_000
    last = h.origin[0]
    assert h.item() == 10_001 and last.parents
    h.backward()
    assert last.parents == []


def test_dropping_a_chain_of_a_hundred_thousand_ops_does_not_recurse():
    x = wants(1.0)
    h = x
    for _ in range(100_000):
        h = h * 1.0
    gone = weakref.ref(h)
    del h
    assert gone() is None


def test_a_long_chain_differentiated_twice():
    x = wants(1.0)
    h = x * x
    for _ in range(2_000):
        h = h + 0.0
    first = mg.grad(h, x, create_graph=True)
    close(mg.grad(first, x), 2)


# ------------------------------------------------------------------------------- random graphs


UNARY = {  # name: (the op, its value, its slope at v along t)
    "tanh": (mg.tanh, np.tanh, lambda v, t: (1 - np.tanh(v) ** 2) * t),
    "negative": (lambda x: -x, np.negative, lambda v, t: -t),
    "square": (lambda x: x * x, lambda v: v * v, lambda v, t: 2 * v * t),
    "transpose": (lambda x: x.T, np.transpose, lambda v, t: t.T),
    "flip": (lambda x: x[::-1], lambda v: v[::-1], lambda v, t: t[::-1]),
    "repeat": (lambda x: x[[0, 0, 1]], lambda v: v[[0, 0, 1]], lambda v, t: t[[0, 0, 1]]),
    "reshaped": (lambda x: x.reshape(-1).reshape(3, 3), lambda v: v, lambda v, t: t),
    "rows": (
        lambda x: x.mean(axis=0) + x * 0.0,
        lambda v: v.mean(axis=0) + v * 0,
        lambda v, t: t.mean(axis=0) + t * 0,
    ),
    "split": (
        lambda x: mg.concatenate(mg.split(x, sections=[1])[::-1]),
        lambda v: np.concatenate([v[1:], v[:1]]),
        lambda v, t: np.concatenate([t[1:], t[:1]]),
    ),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: a + b, lambda a, b, s, t: s + t),
    "subtract": (lambda a, b: a - b, lambda a, b: a - b, lambda a, b, s, t: s - t),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b, lambda a, b, s, t: s * b + a * t),
    "matmul": (lambda a, b: a @ b * 0.3, lambda a, b: a @ b * 0.3, lambda a, b, s, t: (s @ b + a @ t) * 0.3),
    "by_row": (lambda a, b: a + b[0], lambda a, b: a + b[0], lambda a, b, s, t: s + t[0]),
    "stack": (
        lambda a, b: mg.stack([a, b, a]).sum(axis=0),
        lambda a, b: 2 * a + b,
        lambda a, b, s, t: 2 * s + t,
    ),
}
LEAVES = 3
PROGRAMS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 99)),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
    ),
    min_size=1,
    max_size=12,
)


def run(program, leaves):
    """A random graph over 3x3 matrices: each op takes any values from before it."""
    values = list(leaves)
    for name, *places in program:
        f = (UNARY | BINARY)[name][0]
        values.append(f(*[values[p % len(values)] for p in places]))
    return values


def slope_forwards(program, leaves, directions):
    """The same program in NumPy, and its directional derivative carried forwards: an independent reference."""
    values, slopes = list(leaves), list(directions)
    for name, *places in program:
        _, f, d = (UNARY | BINARY)[name]
        places = [p % len(values) for p in places]
        slopes.append(d(*[values[p] for p in places], *[slopes[p] for p in places]))
        values.append(f(*[values[p] for p in places]))
    return values[-1], slopes[-1]


@given(PROGRAMS, st.integers(0, 2**16))
def test_random_graphs(program, seed):
    rng = np.random.default_rng(seed)
    leaves = [rng.standard_normal((3, 3)) * 0.5 for _ in range(LEAVES)]
    directions = [rng.standard_normal((3, 3)) for _ in range(LEAVES)]
    upstream = rng.standard_normal((3, 3))
    y, slope = slope_forwards(program, leaves, directions)

    tensors = [wants(leaf) for leaf in leaves]
    dy = array(upstream)
    values = run(program, tensors)
    out = values[-1]
    close(out, y)
    out.backward(dy, retain_graph=True)
    reached = [t for t in tensors if t.grad is not None]
    got = [(t.grad, d) for t, d in zip(tensors, directions, strict=True) if t.grad is not None]
    backwards = sum(float((mg.to_numpy(g) * d).sum()) for g, d in got)
    np.testing.assert_allclose(backwards, (slope * upstream).sum(), rtol=1e-8, atol=1e-9)

    # The user's upstream gradient is untouched and shared with nobody, and no two gradients share memory.
    np.testing.assert_array_equal(mg.to_numpy(dy), upstream)
    assert shared(dy, *[t.grad for t in reached], *[t.data for t in tensors]) == []

    # backward again, backprop, grad and grad with a graph agree with the first.
    first = [mg.to_numpy(t.grad).copy() for t in reached]
    out.backward(dy, retain_graph=True)
    for t, g in zip(reached, first, strict=True):
        close(t.grad, 2 * g)
        t.grad = None
    list(mg.backprop(out, dy))
    for t, g in zip(reached, first, strict=True):
        close(t.grad, g)
    if reached:
        for create_graph in (False, True):
            for d, g in zip(mg.grad(out, reached, dy, create_graph=create_graph), first, strict=True):
                close(d, g)
                assert mg.to_numpy(d.data).dtype == g.dtype
        for t, g in zip(reached, first, strict=True):
            close(t.grad, g)  # untouched by mg.grad
    np.testing.assert_array_equal(mg.to_numpy(dy), upstream)


@given(PROGRAMS, st.integers(0, 2**16))
def test_random_graphs_gradients_of_intermediate_results(program, seed):
    """The gradient of any value equals that of a leaf put in its place."""
    rng = np.random.default_rng(seed)
    tensors = [wants(rng.standard_normal((3, 3)) * 0.5) for _ in range(LEAVES)]
    values = run(program, tensors)
    loss = values[-1].sum() * 2.0
    place = int(rng.integers(LEAVES, len(values)))
    leaf = wants(mg.to_numpy(values[place].data))
    again = list(values[: place + 1])
    again[place] = leaf
    for name, *places in program[place + 1 - LEAVES :]:
        again.append((UNARY | BINARY)[name][0](*[again[p % len(again)] for p in places]))
    (again[-1].sum() * 2.0).backward(retain_graph=True)
    if leaf.grad is None:
        with pytest.raises(ValueError, match="grad: input 0 takes no part"):
            mg.grad(loss, values[place])
    else:
        close(mg.grad(loss, values[place]), mg.to_numpy(leaf.grad))


# ------------------------------------------------------------------------------- who owns what


OWNERSHIP = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "alias": lambda a, b: a * 1.0 + b.reshape(2, 2).reshape(2, 2),
    "views": lambda a, b: a.T.T + b[:].reshape(4).reshape(2, 2),
    "reshape": lambda a, b: a.reshape(4).reshape(2, 2) + b.transpose(0, 1),
    "stack": lambda a, b: mg.stack([a, b]).sum(axis=0),
    "concatenate": lambda a, b: mg.concatenate([a, b])[:2] + mg.concatenate([a, b])[2:],
    "split": lambda a, b: sum(mg.split(mg.concatenate([a, b]), sections=2)),
    "broadcast": lambda a, b: a.sum(axis=0) + b.sum(axis=0, keepdims=True) + a * 0.0,
    "expand": lambda a, b: mg.broadcast_to(a[0], shape=(2, 2)) + mg.broadcast_to(b, shape=(2, 2)),
    "twice": lambda a, b: a + a + b + b + a,
    "where": lambda a, b: mg.where(array([[True, False], [False, True]], "bool"), a, b),
    "astype": lambda a, b: a.astype("float64") + b.astype("float32").astype("float64"),
    "squeeze": lambda a, b: mg.expand_dims(a, axis=0).squeeze(0) + b,
}


@pytest.mark.parametrize("name", OWNERSHIP)
@pytest.mark.parametrize("walk", ["backward", "backprop"])
def test_gradients_are_nobody_elses_arrays(name, walk):
    a, b = wants(np.ones((2, 2))), wants(np.full((2, 2), 3.0))
    y = OWNERSHIP[name](a, b)
    dy = array([[1.0, 2.0], [3.0, 4.0]])
    for _ in range(2):
        if walk == "backward":
            y.backward(dy, retain_graph=True)
        else:
            list(mg.backprop(y, dy))
    arrays = [dy, a.grad, b.grad, a.data, b.data, y.data]
    assert [pair for pair in shared(*arrays) if 1 in pair or 2 in pair] == []
    before = mg.to_numpy(a.grad).copy(), mg.to_numpy(b.grad).copy()
    dy[...] = -100.0
    a.grad[...] = -7.0
    np.testing.assert_array_equal(mg.to_numpy(b.grad), before[1])
    b.grad[...] = -8.0
    np.testing.assert_array_equal(mg.to_numpy(a.grad), np.full((2, 2), -7.0))


@pytest.mark.parametrize("name", OWNERSHIP)
def test_what_the_steps_show_never_changes_afterwards(name):
    a, b = wants(np.ones((2, 2))), wants(np.full((2, 2), 3.0))
    y = OWNERSHIP[name](a, b)
    noted = []
    for _ in range(2):
        for step in mg.backprop(y, array([[1.0, 2.0], [3.0, 4.0]])):
            upstreams = step.upstream if isinstance(step.upstream, tuple) else (step.upstream,)
            shown = [u for u in upstreams if u is not None]
            for arrival in step.arrivals:
                shown += [arrival.raw, arrival.gradient, arrival.after]
                shown += [arrival.before] if arrival.before is not None else []
            noted += [(v, mg.to_numpy(v).copy()) for v in shown]
    y.backward(array([[1.0, 2.0], [3.0, 4.0]]))
    a.grad *= 0.0
    for now, then in noted:
        np.testing.assert_array_equal(mg.to_numpy(now), then)


def test_grad_hands_out_arrays_of_its_own():
    a, b = wants([1.0]), wants([2.0])
    dy = array([5.0])
    y = a + b
    da, db, dy_again = mg.grad(y, [a, b, y], dy)
    assert shared(da.data, db.data, dy_again.data, dy) == []
    da.data -= 1.0
    close(db, [5])
    close(dy, [5])
    assert a.grad is None and b.grad is None


def test_an_op_whose_line_returns_what_it_was_handed():
    handed = {}

    @mg.op
    class lazy:
        def forward(x, w):
            return x + w * 0

        def d_x(dy):
            return dy

        def d_w(dy, w):
            return w  # wrong as a gradient, but the parameter itself must not become its own .grad

    x, w = wants([1.0]), wants([2.0])
    y = lazy(x, w)
    for step in mg.backprop(y):
        handed["dy"] = step.upstream
    y.backward()
    assert shared(x.grad, w.grad, w.data, handed["dy"]) == []


def test_upstream_is_never_added_into():
    x = wants([1.0, 2.0])
    h = x * 1.0
    y = h + h  # both arrivals are the upstream itself
    dy = array([1.0, 1.0])
    y.backward(dy)
    close(dy, [1, 1])
    close(x.grad, [2, 2])
    leaf = wants([1.0, 2.0])
    leaf.backward(dy)
    leaf.backward(dy)
    close(leaf.grad, [2, 2])
    close(dy, [1, 1])


# ------------------------------------------------------------------------------- twice, released, failed


def test_backward_twice_on_a_kept_graph_adds_the_same_twice():
    rng = np.random.default_rng(0)
    w1, w2, b = (wants(rng.standard_normal(s), "float32") for s in [(3, 4), (4, 2), (4,)])
    x = mg.tensor(rng.standard_normal((5, 3)).astype("float32"))
    h = mg.relu(mg.dense(x, w1, b))
    loss = mg.cross_entropy(h @ w2 + (h * h).mean(), array([0, 1, 0, 1, 1], "int64"))
    loss.backward(retain_graph=True)
    once = [mg.to_numpy(p.grad).copy() for p in (w1, w2, b)]
    for times in (2, 3):
        loss.backward(retain_graph=True)
        for p, g in zip((w1, w2, b), once, strict=True):
            np.testing.assert_allclose(mg.to_numpy(p.grad), times * g, rtol=1e-5)


@pytest.mark.parametrize(
    "again",
    [
        lambda y, x: y.backward(),
        lambda y, x: list(mg.backprop(y)),
        lambda y, x: mg.grad(y, x),
        lambda y, x: (y * 2.0).backward(),
    ],
)
def test_walking_a_released_graph_is_a_sentence(again):
    x = wants(2.0)
    y = mg.exp(x * x)
    y.backward()
    before = x.grad.copy()
    with pytest.raises(RuntimeError, match=r"the graph at exp was released .*retain_graph=True"):
        again(y, x)
    close(x.grad, mg.to_numpy(before))


def test_a_graph_that_shares_a_released_part_is_refused_before_anything_is_written():
    x, z = wants(2.0), wants(3.0)
    h = x * x
    first, second = h * 2.0, h * z
    first.backward()
    with pytest.raises(RuntimeError, match="the graph at multiply was released"):
        second.backward()
    assert z.grad is None


class Broken:
    """An op whose gradient raises while `on`."""

    def __init__(self):
        self.on = True
        switch = self

        @mg.op
        class broken:
            def forward(x):
                return x * 2.0

            def d_x(dy):
                if switch.on:
                    raise ZeroDivisionError("on purpose")
                return dy * 2.0

        self.op = broken


@pytest.mark.parametrize("walk", ["backward", "retained", "backprop", "grad"])
def test_a_failed_backward_leaves_nothing_behind(walk):
    broken = Broken()
    w, v = wants(1.0), wants(1.0)
    v.grad = array(10.0)
    h = broken.op(w)
    loss = h * v + v  # v's own gradients come before the failure
    walks = {
        "backward": lambda: loss.backward(),
        "retained": lambda: loss.backward(retain_graph=True),
        "backprop": lambda: list(mg.backprop(loss)),
        "grad": lambda: mg.grad(loss, w, create_graph=True),
    }
    with pytest.raises(ZeroDivisionError):
        walks[walk]()
    assert w.grad is None
    close(v.grad, 10)
    assert tape.mode.recording
    broken.on = False
    if walk != "backward":
        loss.backward()
        close(w.grad, 2)
        close(v.grad, 13)
    w.grad = v.grad = None
    (broken.op(w) * v + v).backward()  # a new graph over the same leaves
    close(w.grad, 2)
    close(v.grad, 3)


@pytest.mark.parametrize("grad", [array([0.0, 0.0]), array([[0.0]]), 0.0])
def test_a_grad_of_another_shape_is_named_before_any_is_written(grad):
    a, b = wants([1.0]), wants([2.0], name="beta")
    b.grad = grad
    with pytest.raises(ValueError, match=r"backward: .grad of beta was set to .*wants an array of shape \(1,\)"):
        (a * b).backward()
    assert a.grad is None


@pytest.mark.parametrize("norm", [mg.layer_norm, mg.layer_norm.plain], ids=["kernel", "plain"])
def test_a_leaf_frozen_after_the_forward_still_gets_what_was_recorded(norm):
    x, gamma, beta = wants([[1.0, 2.0, 4.0]]), wants([1.0, 2.0, 3.0]), wants([0.0, 0.0, 0.0])
    y = norm(x, gamma, beta)
    gamma.requires_grad_(False)
    _, dgamma = mg.grad((y * y).sum(), [x, gamma], create_graph=True)
    np.testing.assert_allclose(mg.to_numpy(dgamma.data), mg.to_numpy(mg.grad((y * y).sum(), gamma).data))


# ------------------------------------------------------------------------------- where a walk may start


@pytest.mark.parametrize("walk", ["backward", "backprop", "grad"])
def test_what_a_walk_cannot_start_from_is_a_sentence(walk):
    walks = {
        "backward": lambda y, dy=None: y.backward(dy),
        "backprop": lambda y, dy=None: mg.backprop(y, dy),  # raises at once, not at the first step
        "grad": lambda y, dy=None: mg.grad(y, wants(1.0), dy),
    }
    go = walks[walk]
    with pytest.raises(RuntimeError, match=rf"{walk}: this Tensor requires no gradient"):
        go(mg.tensor(1.0))
    with pytest.raises(RuntimeError, match=rf"{walk}: this Tensor requires no gradient.*detached"):
        go((wants(1.0) * 2.0).detach())
    with mg.no_grad():
        y = wants(1.0) * 2.0
    with pytest.raises(RuntimeError, match=rf"{walk}: this Tensor requires no gradient.*no_grad"):
        go(y)
    with pytest.raises(RuntimeError, match=rf"{walk}: .* one number, and this Tensor has shape \(2,\); reduce"):
        go(wants([1.0, 2.0]) * 2.0)
    for dy in (array([1.0]), array([1.0, 2.0, 3.0]), 1.0, array([[1.0, 2.0]])):
        with pytest.raises(ValueError, match=rf"{walk}: the upstream gradient has the shape .*\(2,\); got"):
            go(wants([1.0, 2.0]) * 2.0, dy)


def test_what_is_no_tensor_is_named():
    for walk in (mg.backprop, lambda y: mg.grad(y, wants(1.0))):
        with pytest.raises(TypeError, match="wants a Tensor to start from, got ndarray"):
            walk(np.ones(1))
    x = wants(1.0)
    for inputs in (array([1.0]), [x, array([1.0])], [x, None]):
        with pytest.raises((TypeError, ValueError), match=r"grad: input . is a .*wants a Tensor"):
            mg.grad(x * 2.0, inputs)


def test_backward_on_a_leaf_gives_it_the_upstream_gradient():
    x = wants(3.0)
    x.backward()
    close(x.grad, 1)
    assert list(mg.backprop(x)) == []
    close(x.grad, 2)
    x = wants([3.0, 4.0])
    x.backward([1, 2])
    close(x.grad, [1, 2])


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_of_any_shape_needs_no_upstream(shape):
    x = wants(np.full(shape, 3.0))
    (x * x).backward()
    close(x.grad, np.full(shape, 6.0))


@pytest.mark.parametrize(
    "upstream",
    [[1, 2], (1.0, 2.0), np.array([1, 2]), np.array([1.0, 2.0]), np.array([1.0, 2.0], "float32")],
    ids=["list", "tuple", "int64", "float64", "float32"],
)
def test_an_upstream_gradient_of_another_type_takes_the_outputs(upstream):
    upstream = mg.asarray(upstream) if isinstance(upstream, np.ndarray) else upstream
    for given_as in (upstream, mg.tensor(upstream)):
        x = wants([1.0, 1.0], "float32")
        y = x * 3.0
        for step in mg.backprop(y, given_as):
            assert step.upstream.dtype == "float32"
        assert x.grad.dtype == "float32"
        close(x.grad, [3, 6])
        close(mg.grad(y, x, given_as, create_graph=True), [3, 6])


def test_an_upstream_gradient_of_float64_goes_through_a_float32_convolution():
    x, w = wants(np.ones((1, 4, 4, 1)), "float32"), wants(np.ones((3, 3, 1, 1)), "float32")
    mg.conv2d(x, w).backward(array(np.ones((1, 2, 2, 1))))
    assert x.grad.dtype == w.grad.dtype == "float32"


@pytest.mark.parametrize("outputs", [1, 2])
def test_where_float32_meets_float64_each_side_gets_its_own_type(outputs):
    x, w = wants(np.ones((1, 4, 4, 1)), "float32"), wants(np.ones((3, 3, 1, 1)), "float32")
    c = wants(2.0, "float64")
    y = mg.conv2d(x, w)
    a, b = mg.split(y, sections=2, axis=1) if outputs == 2 else (y[:, :1], y[:, 1:])
    loss = (a * c + b * array(3.0)).sum() + (y * array(1.0)).sum()
    assert loss.dtype == "float64"
    loss.backward(retain_graph=True)
    assert [t.grad.dtype for t in (x, w, c)] == ["float32", "float32", "float64"]
    close(w.grad[..., 0, 0], np.full((3, 3), 14.0))
    for create_graph in (False, True):
        for g, t in zip(mg.grad(loss, [x, w, c], create_graph=create_graph), (x, w, c), strict=True):
            assert g.dtype == t.dtype
            close(g, mg.to_numpy(t.grad))


def test_a_kernel_is_handed_its_own_dtype_for_each_output():
    handed = []

    @mg.op
    class halves:
        outputs = "a", "b"

        def forward(x):
            return x[:1] * 1, x[1:] * 1

        def backward(d_a, d_b):
            handed.append((str(d_a.dtype), str(d_b.dtype)))
            return xp.concatenate([d_a, d_b])

    a, _ = halves(wants([1.0, 2.0], "float32"))
    (a * array([2.0], "float64")).backward()
    assert handed == [("float32", "float32")]


def test_gradients_of_one_number_are_arrays():
    x, b = wants(3.0, "float32"), wants(0.0, "float32")
    y = x * x * x + b + b
    for step in mg.backprop(y):
        for arrival in step.arrivals:
            shown = [step.upstream, arrival.raw, arrival.gradient, arrival.after]
            assert all(type(v) is xp.ndarray for v in shown)
    y.backward()
    for value in (x.grad, b.grad, mg.grad(x * x, x).data, mg.grad(x * x, x, create_graph=True).data):
        assert type(value) is xp.ndarray and value.dtype == "float32" and value.shape == ()


# ------------------------------------------------------------------------------- changed in between


def change(t, how):
    if how == "set":
        t.data = t.data * 2.0
    elif how == "in place":
        t.data -= 1.0
    else:
        t.data += 0.0


WALKS = pytest.mark.parametrize(
    "walk",
    [lambda y, w: y.backward(), lambda y, w: list(mg.backprop(y)), mg.grad],
    ids=["backward", "backprop", "grad"],
)
STALE = {
    "leaf": (lambda w, c: (w * w, w), "weight"),
    "constant": (lambda w, c: (w * c, c), "constant"),
    "one of two": (lambda w, c: ((w * c) * 3.0 + w * w, w), "weight"),
    "intermediate": (lambda w, c: (lambda h: (h * h, h))(w + 0.0), "an input of multiply"),
    "output": (lambda w, c: (lambda h: (h + 1.0, h))(mg.exp(w)), "the output of exp"),
    "joint": (
        lambda w, c: (mg.layer_norm(c.reshape(1, 2), w, mg.tensor(array([0.0, 0.0]))), w),
        "weight",
    ),
}
STALE_VIEWS = {
    "transpose": lambda w: w.reshape(2, 1).T * w.reshape(1, 2),
    "slices": lambda w: mg.exp(w[:1] * w[1:]),
    "column": lambda w: (w + 1.0).reshape(1, 2) @ w.reshape(2, 1),
    "split": lambda w: mg.exp(mg.split(w, sections=2)[0] * mg.split(w, sections=2)[1]),
    "broadcast": lambda w: mg.broadcast_to(w, shape=(3, 2)) ** 2,
}


@WALKS
@pytest.mark.parametrize("how", ["set", "in place"])
@pytest.mark.parametrize("name", STALE)
def test_what_was_changed_after_it_was_saved_is_named(name, how, walk):
    w, c = wants([1.0, 2.0], name="weight"), mg.tensor(array([3.0, 4.0]), name="constant")
    build, what = STALE[name]
    y, changed = build(w, c)
    y = y.sum()
    change(changed, how)
    with pytest.raises(RuntimeError, match=rf"{what},? was changed .* after \w+ had saved it.*forward again"):
        walk(y, w)
    assert w.grad is None


@WALKS
@pytest.mark.parametrize("name", STALE_VIEWS)
def test_a_parameter_changed_under_a_saved_view_of_it_is_named(name, walk):
    w = wants([1.0, 2.0], name="weight")
    y = STALE_VIEWS[name](w).sum()
    w.data -= 1.0
    with pytest.raises(RuntimeError, match=r"weight was changed .* after \w+ had saved it"):
        walk(y, w)
    w = wants([1.0, 2.0], name="weight")
    y = STALE_VIEWS[name](w).sum()
    right = mg.to_numpy(mg.grad(y, w).data)
    w.data = w.data - 1.0  # another array: the view still shows the numbers of the forward
    close(mg.grad(y, w), right)


@pytest.mark.parametrize("how", ["set", "in place"])
@pytest.mark.parametrize(
    ("build", "slope"),
    [
        (lambda w, c: (w + c, w), [1, 1]),  # addition saves nothing
        (lambda w, c: (w + c, c), [1, 1]),
        (lambda w, c: (w * 3.0, w), [3, 3]),  # d_w names only the number
        (lambda w, c: (w * c, w), [3, 4]),  # only c is saved, as c wants no gradient
        (lambda w, c: (mg.exp(w) * 1.0, w), [np.e, np.e**2]),  # exp saves its output
        (lambda w, c: (lambda h: (h + 1.0, h))(w * 3.0), [3, 3]),
        (lambda w, c: (w.reshape(2, 1) * c.reshape(2, 1), w), [3, 4]),
    ],
)
def test_what_was_changed_but_not_saved_is_fine(how, build, slope):
    w, c = wants([1.0, 2.0]), mg.tensor(array([3.0, 4.0]))
    y, changed = build(w, c)
    change(changed, how)
    y.sum().backward()
    close(w.grad, slope)


def test_what_was_changed_before_it_was_saved_is_fine():
    w = wants([1.0, 2.0])
    change(w, "in place")
    h = w + 1.0
    change(h, "set")
    (h * h + w * w).sum().backward()
    close(w.grad, [2 * 2 + 0, 2 * 4 + 2])


def test_a_change_elsewhere_is_fine():
    w, other = wants([1.0, 2.0]), wants([1.0, 2.0])
    y = (w * w).sum()
    change(other, "set")
    y.backward()
    close(w.grad, [2, 4])


def test_a_change_to_one_of_two_slices_of_one_buffer_is_fine():
    buffer = array([1.0, 2.0, 3.0, 4.0])
    a, b = mg.Tensor(buffer[:2], requires_grad=True), mg.Tensor(buffer[2:], requires_grad=True)
    y = (a.reshape(1, 2) * a.reshape(1, 2)).sum() + b.sum()
    change(b, "in place")
    y.backward()
    close(a.grad, [2, 4])


def test_an_optimiser_step_between_forward_and_backward_is_named():
    w = wants([1.0, 2.0], name="w")
    optimiser = mg.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimiser.step()
    with pytest.raises(RuntimeError, match=r"w was changed \(its .data was set, or an optimiser stepped\)"):
        loss.backward()


# ------------------------------------------------------------------------------- pausing


def test_a_walk_can_pause_anywhere_and_writes_at_the_end():
    x = wants(2.0)
    y = mg.exp(x * x) + x
    steps = mg.backprop(y)
    for _ in range(3):
        next(steps)
        assert x.grad is None
    with pytest.raises(StopIteration):
        next(steps)
    close(x.grad, 2 * 2 * np.exp(4) + 1)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_walk_left_early_writes_nothing(after):
    x = wants(2.0)
    y = mg.exp(x * x) + x
    steps = mg.backprop(y)
    for _ in range(after):
        next(steps)
    steps.close()
    assert x.grad is None
    y.backward()
    close(x.grad, 4 * np.exp(4) + 1)


def test_a_paused_walk_holds_no_flag():
    x = wants(2.0)
    steps = mg.backprop(x * x)
    next(steps)
    z = x * 5.0
    assert z.requires_grad and tape.mode.recording
    z.backward()
    close(x.grad, 5)
    list(steps)
    close(x.grad, 9)


def test_two_walks_interleaved():
    x = wants(2.0)
    h = x * x
    a, b = mg.exp(h), h * h * h
    one, other = mg.backprop(a), mg.backprop(b)
    alive = [one, other]
    while alive:
        alive = [walk for walk in alive if next(walk, None)]
    close(x.grad, 4 * np.exp(4) + 6 * 2**5)


def test_a_walk_over_the_same_graph_inside_a_step():
    x = wants(3.0)
    y = x * x * x
    for _ in mg.backprop(y):
        close(mg.grad(y, x), 27)
    close(x.grad, 27)


def test_a_graph_released_during_a_pause_is_a_sentence():
    x = wants(2.0)
    y = mg.tanh(x * x)
    steps = mg.backprop(y)
    next(steps)
    y.backward()
    before = x.grad.copy()
    with pytest.raises(RuntimeError, match="released by an earlier backward"):
        next(steps)
    close(x.grad, mg.to_numpy(before))


def test_a_value_changed_during_a_pause_is_named():
    x = wants(2.0, name="x")
    y = mg.tanh(x * x)
    steps = mg.backprop(y)
    next(steps)
    x.data = x.data * 2.0
    with pytest.raises(RuntimeError, match="x was changed"):
        next(steps)
    assert x.grad is None


def test_what_the_walk_has_passed_may_be_changed_in_a_pause():
    x, w = wants(2.0), wants(3.0)
    steps = mg.backprop(mg.exp(x) * w)
    next(steps)  # the product, the only one that saved w
    w.data = w.data * 100.0
    list(steps)
    close(x.grad, 3 * np.exp(2))


# ------------------------------------------------------------------------------- threads


def in_thread(function):
    """What a function returns, or raises, in a thread of its own."""
    result = []

    def target():
        try:
            result.append(function())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def test_recording_is_per_thread():
    x = wants(2.0)
    with mg.no_grad():
        assert not (x * x).requires_grad
        assert in_thread(lambda: (x * x).requires_grad)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with mg.no_grad():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    try:
        assert (x * x).requires_grad
        with mg.detect_anomaly(), mg.watch():
            assert in_thread(lambda: (x * x).origin[0].seen) is None
    finally:
        leave.set()
        thread.join()


def test_a_generator_of_steps_may_move_to_another_thread():
    x = wants(2.0)
    steps = mg.backprop(mg.exp(x * x))
    next(steps)
    in_thread(lambda: list(steps))
    close(x.grad, 4 * np.exp(4))


def test_threads_build_and_walk_graphs_at_once():
    start = threading.Barrier(4)

    def work(seed):
        rng = np.random.default_rng(seed)
        start.wait(10)
        for _ in range(30):
            a = rng.standard_normal((3, 3))
            x = wants(a)
            h = x
            for _ in range(20):
                h = mg.tanh(h @ x) + h
            seen = mg.grad(h.sum(), x)
            h.sum().backward()
            np.testing.assert_array_equal(mg.to_numpy(seen.data), mg.to_numpy(x.grad))
        return True

    results = [None] * 4

    def target(k):
        results[k] = work(k)

    threads = [threading.Thread(target=target, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [True] * 4


# ------------------------------------------------------------------------------- not recording


def test_no_grad_nests_and_ends_with_an_error():
    x = wants(2.0)
    with mg.no_grad():
        with mg.no_grad():
            pass
        assert not (x * x).requires_grad
    assert (x * x).requires_grad
    with pytest.raises(KeyError), mg.no_grad():
        raise KeyError
    assert (x * x).requires_grad

    @mg.no_grad()
    def evaluate():
        return x * x

    assert not evaluate().requires_grad and (x * x).requires_grad


def test_backward_works_under_no_grad_and_create_graph_records_there():
    x = wants(2.0)
    y = x * x * x
    with mg.no_grad():
        first = mg.grad(y, x, create_graph=True)
        y.backward(retain_graph=True)
    close(x.grad, 12)
    close(mg.grad(first, x), 12)


def test_detach_cuts():
    x = wants(2.0)
    y = x * (x * x).detach()
    y.backward()
    close(x.grad, 4)
    assert not x.detach().requires_grad and bool(xp.shares_memory(x.detach().data, x.data))


# ------------------------------------------------------------------------------- mg.grad


def test_grad_of_leaves_and_intermediate_results_at_once():
    x, w = wants(2.0), wants(3.0)
    h = x * w
    y = h * h + x
    dx, dw, dh = mg.grad(y, [x, w, h])
    close(dx, 2 * 6 * 3 + 1)
    close(dw, 2 * 6 * 2)
    close(dh, 12)
    assert isinstance(mg.grad(y, (x,)), list) and isinstance(mg.grad(y, x), mg.Tensor)
    assert x.grad is None and w.grad is None
    assert mg.grad(y, []) == []


def test_grad_of_an_intermediate_result_and_what_it_came_from():
    x = wants(2.0)
    h = x * x
    for order in ([x, h], [h, x], [x, h, x]):
        for create_graph in (False, True):
            found = mg.grad(mg.exp(h), order, create_graph=create_graph)
            for t, g in zip(order, found, strict=True):
                close(g, np.exp(4) * (4 if t is x else 1))


def test_grad_of_the_output_itself():
    x = wants([2.0, 3.0])
    y = x * x
    close(mg.grad(y, y, [5, 7]), [5, 7])
    close(mg.grad(x, x, [5, 7]), [5, 7])
    dy, dx = mg.grad(y, [y, x], [5, 7])
    close(dy, [5, 7])
    close(dx, [20, 42])


def test_grad_through_and_of_several_outputs():
    x = wants([1.0, 2.0, 3.0])
    a, b, c = mg.split(x * x, sections=3)
    y = (a * b).sum()
    da, db, dx = mg.grad(y, [a, b, x])
    close(da, [4])
    close(db, [1])
    close(dx, [8, 4, 0])
    with pytest.raises(ValueError, match="grad: input 1 takes no part in this output"):
        mg.grad(y, [a, c])


def test_grad_refuses_what_takes_no_part_by_place_and_name():
    x, other = wants(2.0), wants(3.0, name="gamma")
    frozen = mg.tensor(1.0)
    y = x * x * frozen
    with pytest.raises(ValueError, match=r"grad: input 1 \(gamma\) takes no part in this output"):
        mg.grad(y, [x, other])
    with pytest.raises(ValueError, match="grad: input 0 takes no part in this output, or requires no grad"):
        mg.grad(y, frozen)
    later = y * 2.0
    with pytest.raises(ValueError, match="takes no part"):
        mg.grad(y, later)


def test_grad_keeps_the_graph_and_backward_still_works():
    x = wants(2.0)
    y = x * x
    close(mg.grad(y, x), 4)
    close(mg.grad(y, x), 4)
    y.backward()
    close(x.grad, 4)


# ------------------------------------------------------------------------------- twice and more


@pytest.mark.parametrize(
    ("f", "derivatives"),
    [
        (lambda x: x**4, [4 * 0.7**3, 12 * 0.7**2, 24 * 0.7, 24]),
        (lambda x: x * x * x * x, [4 * 0.7**3, 12 * 0.7**2, 24 * 0.7, 24]),
        (lambda x: mg.exp(x * 2.0), [2**k * np.exp(1.4) for k in (1, 2, 3, 4)]),
        (lambda x: 1 / x, [-(0.7**-2), 2 * 0.7**-3, -6 * 0.7**-4, 24 * 0.7**-5]),
        (lambda x: mg.log(x), [1 / 0.7, -(0.7**-2), 2 * 0.7**-3, -6 * 0.7**-4]),
        (lambda x: mg.sqrt(x), [0.5 * 0.7**-0.5, -0.25 * 0.7**-1.5, 0.375 * 0.7**-2.5]),
        (lambda x: mg.stack([x, x * x]).sum(), [2.4, 2]),
        (lambda x: mg.sum(mg.concatenate(mg.split(mg.stack([x, x]), sections=2)) ** 3), [6 * 0.49, 8.4, 12]),
        (lambda x: ops.abs(-x) * x, [1.4, 2]),
    ],
)
@pytest.mark.parametrize("walk", ["grad", "backward"])
def test_higher_derivatives_against_closed_forms(f, derivatives, walk):
    x = wants(0.7)
    y = f(x)
    for wanted in derivatives[:-1]:
        y = mg.grad(y, x, create_graph=True)
        close(y, wanted)
    if walk == "grad":
        close(mg.grad(y, x), derivatives[-1])
    elif y.requires_grad:
        y.backward()
        close(x.grad, derivatives[-1])


def test_tanh_three_times():
    for at in (-1.3, 0.0, 0.4):
        x = wants(at)
        t = np.tanh(at)
        first = mg.grad(mg.tanh(x), x, create_graph=True)
        second = mg.grad(first, x, create_graph=True)
        close(first, 1 - t * t)
        close(second, -2 * t * (1 - t * t))
        close(mg.grad(second, x), (1 - t * t) * (6 * t * t - 2))


def mlp(x, w1, b1, w2):
    h = mg.tanh(mg.dense(x, w1, b1))
    return mg.softplus(mg.dense(h, w2)).sum()


def test_a_small_network_differentiated_twice_against_finite_differences():
    rng = np.random.default_rng(3)
    shapes = [(4, 3), (3, 5), (5,), (5, 2)]
    values = [rng.standard_normal(s) for s in shapes]
    directions = [rng.standard_normal(s) for s in shapes]

    def first(values):
        leaves = [wants(v) for v in values]
        return leaves, mg.grad(mlp(*leaves), leaves, create_graph=True)

    leaves, grads = first(values)
    along = sum((g * array(d)).sum() for g, d in zip(grads, directions, strict=True))
    along.backward()
    h = 1e-5
    _, up = first([v + h * d for v, d in zip(values, directions, strict=True)])
    _, down = first([v - h * d for v, d in zip(values, directions, strict=True)])
    for leaf, a, b in zip(leaves, up, down, strict=True):
        slope = (mg.to_numpy(a.data) - mg.to_numpy(b.data)) / (2 * h)
        np.testing.assert_allclose(mg.to_numpy(leaf.grad), slope, rtol=1e-6, atol=1e-8)


def test_a_gradient_penalty_reaches_the_weights():
    """The gradient of |dD/dx|^2, as in WGAN-GP, for D(x) = tanh(x w): (1 - t^2)^2 w^2."""
    x, w = wants(0.3), wants(1.7)
    slope = mg.grad(mg.tanh(x * w), x, create_graph=True)
    (slope * slope).backward()
    t = np.tanh(0.51)
    s = 1 - t * t
    close(w.grad, 2 * s * 1.7 * (s + 1.7 * -2 * t * s * 0.3))


def test_the_upstream_gradient_can_be_differentiated_too():
    x, v = wants([2.0, 3.0]), wants([1.0, -1.0])
    g = mg.grad(x * x, x, v, create_graph=True)
    (g * array([10.0, 100.0])).sum().backward()
    close(v.grad, [40, 600])
    close(x.grad, [20, -200])


def test_twice_with_respect_to_an_intermediate_result():
    x = wants(2.0)
    h = x * x
    y = h * h * h
    first = mg.grad(y, h, create_graph=True)
    close(first, 3 * 4**2)
    close(mg.grad(first, h), 6 * 4)
    close(mg.grad(first, x), 6 * 4 * 4)


def test_twice_through_plain_with_other_paths_beside_it():
    rng = np.random.default_rng(1)
    a, g, b = rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal(3)

    def penalty(norm):
        x, gamma, beta = wants(a), wants(g), wants(b)
        h = x * x
        y = mg.tanh(norm(h, gamma, beta) + h)
        dx = mg.grad(y.sum(), x, create_graph=True)
        ((dx * dx).sum() + y.sum()).backward()
        return [mg.to_numpy(t.grad) for t in (x, gamma, beta)]

    for fast, plain in zip(penalty(mg.layer_norm), penalty(mg.layer_norm.plain), strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-9, atol=1e-11)


def test_constants_are_arrays_to_the_lines_of_a_second_graph():
    w = wants([[1.0], [2.0]])
    y = mg.embedding(mg.tensor(array([0, 0, 1], "int64")), w)
    first = mg.grad((y * y).sum(), w, create_graph=True)
    close(first, [[4], [4]])
    close(mg.grad(first.sum(), w), [[4], [2]])


def test_the_graph_of_a_gradient_is_not_recorded_unless_asked_for():
    x = wants(2.0)
    before = tape.next_number()
    y = x * x
    g = mg.grad(y, x)
    assert not g.requires_grad and tape.next_number() == before + 2
