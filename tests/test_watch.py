"""Looking at backprop: what a Step tells, what mg.watch() keeps, and where mg.detect_anomaly() points."""

import inspect
import threading
import weakref
from contextlib import nullcontext

import numpy as np
import pytest

import minigen as mg
from minigen.graph.tape import mode

xp = mg.xp
nan, inf = float("nan"), float("inf")


def array(values, dtype="float64"):
    return mg.asarray(np.array(values, dtype=dtype))


def wants(values, dtype="float64", name=None):
    return mg.tensor(array(values, dtype), requires_grad=True, name=name)


def close(got, wanted):
    got = got.data if isinstance(got, mg.Tensor) else got
    np.testing.assert_allclose(mg.to_numpy(got), wanted, rtol=1e-9)


def here():
    """The line this is called from."""
    return inspect.currentframe().f_back.f_lineno


# ------------------------------------------------------------------------------- a Step


def network():
    x, w, b = wants([[1.0, 2.0]]), wants([[3.0], [4.0]]), wants([0.5])
    h = mg.tanh(mg.dense(x, w, b) * 0.1)
    return (x, w, b), (h * h + h).sum()


def test_steps_are_numbered_and_name_op_node_and_total():
    _, loss = network()
    steps = list(mg.backprop(loss))
    names = ["sum", "add", "multiply", "tanh", "multiply", "dense"]
    assert [s.op.__name__ for s in steps] == names
    assert [s.number for s in steps] == [1, 2, 3, 4, 5, 6] and {s.total for s in steps} == {6}
    assert [s.node.op for s in steps] == [s.op for s in steps] and steps[0].op is mg.sum
    for s, name in zip(steps, names, strict=True):
        assert f"step {s.number} of 6" in str(s) and name in str(s).splitlines()[0]
        assert repr(s) == f"<Step {s.number} of 6: {name} #{s.node.number}>"


def test_a_step_can_be_printed_with_everything_on_it():
    (x, w, b), loss = network()
    last = list(mg.backprop(loss))[-1]
    text = str(last)
    assert "step 6 of 6" in text and f"dense #{last.node.number}" in text
    assert "y = x @ w + b." in text  # the formula
    assert "def d_w(dy, x):       return x.T @ dy" in text  # the rule
    assert "def d_b(dy):          return dy.sum(axis=0)" in text
    dy = float(last.upstream[0, 0])
    assert f"dy = (1, 1) {dy:.4g}" in text
    assert f"d_w = (2, 1) {1 * dy:.4g} {2 * dy:.4g}" in text
    assert f"d_x = (1, 2) {3 * dy:.4g} {4 * dy:.4g}" in text
    assert "mg.watch()" in text  # how to see the rest
    assert last.rule("w") == "def d_w(dy, x):       return x.T @ dy"


def test_the_gradients_of_a_step_follow_from_its_rule_upstream_and_saved_values():
    _, loss = network()
    for step in mg.backprop(loss):
        for arrival in step.arrivals:
            line = getattr(step.op, "d_" + arrival.input)
            asked = list(inspect.signature(line).parameters)[1:]
            close(arrival.raw, mg.to_numpy(line(step.upstream, *[step.saved[name] for name in asked])))
        assert list(step.gradients) == [a.input for a in step.arrivals]


def test_what_has_not_arrived_is_none_and_never_zero():
    x = wants(3.0)
    y = x * x * x - x * 0.0
    befores = [(a.to is x, a.before) for s in mg.backprop(y) for a in s.arrivals]
    to_x = [before for is_x, before in befores if is_x]
    assert to_x[0] is None and all(before is not None for before in to_x[1:])
    close(to_x[1], 0)  # this zero did arrive, from x * 0


def test_before_plus_gradient_is_after():
    (x, w, b), loss = network()
    x.grad = array([[100.0, 100.0]])  # what is already on a leaf is no part of this walk
    added = 0
    for step in mg.backprop(loss + (x * x).sum() + b.sum()):
        for a in step.arrivals:
            if a.before is None:
                close(a.after, mg.to_numpy(a.gradient))
            else:
                added += 1
                close(a.after, mg.to_numpy(a.before + a.gradient))
                text = str(step)
                if a.after.size == 1:
                    assert f"{float(a.before.sum()):.4g}" in text and f"{float(a.after.sum()):.4g}" in text
    assert added == 5  # twice h, x three times, b twice


def test_the_same_input_twice_arrives_twice():
    x = wants([1.0, 2.0])
    (step,) = mg.backprop(x * x, array([1.0, 10.0]))
    first, second = step.arrivals
    assert (first.input, second.input) == ("a", "b") and first.to is second.to is x
    assert first.before is None
    close(second.before, [1, 20])
    close(second.after, [2, 40])


def test_a_broadcast_input_shows_what_the_line_returned_and_what_it_was_summed_to():
    b = wants([1.0, 1.0, 1.0])
    (step,) = mg.backprop(array(np.ones((4, 3))) + b, array(np.ones((4, 3))))
    (arrival,) = step.arrivals
    assert arrival.raw.shape == (4, 3) and arrival.gradient.shape == (3,)
    assert "summed over the broadcast axes: (4, 3) -> (3,)" in str(step)


def test_several_outputs_show_which_upstream_has_no_consumer():
    x = wants([1.0, 2.0, 3.0])
    _, middle, last = mg.split(x, sections=3)
    step = list(mg.backprop((middle * 5.0 + last * 7.0).sum()))[-1]
    assert step.upstream[0] is None
    close(step.upstream[1], [5])
    close(step.gradients["x"], [0, 5, 7])
    text = str(step)
    assert "no consumer" in text and "(1,) 5" in text and "(1,) 7" in text


def test_inputs_of_a_variadic_op_are_numbered():
    a, b = wants([1.0]), wants([2.0])
    (step,) = mg.backprop(mg.concatenate([a, array([5.0]), b]), array([1.0, 2.0, 3.0]))
    assert [x.input for x in step.arrivals] == ["xs[0]", "xs[2]"]
    close(step.gradients["xs[2]"], [3])
    assert "d_xs[2]" in str(step) and "def backward(dy, xs_shape, axis)" in str(step)


def test_an_arrival_names_the_leaf_or_node_it_goes_to():
    (x, w, b), loss = network()
    steps = list(mg.backprop(loss))
    assert all(a.to is t for a, t in zip(steps[-1].arrivals, (x, w, b), strict=True))
    nodes = {s.node for s in steps}
    for step in steps[:-1]:
        assert all(a.to in nodes for a in step.arrivals)


def test_backprop_writes_what_backward_writes():
    by_steps, loss = network()
    for _ in mg.backprop(loss):
        pass
    by_backward, loss = network()
    loss.backward()
    for a, b in zip(by_steps, by_backward, strict=True):
        np.testing.assert_array_equal(mg.to_numpy(a.grad), mg.to_numpy(b.grad))
    loss = network()[1]
    for _ in mg.backprop(loss):
        pass
    loss.backward()  # the graph was kept


def test_a_large_array_is_shown_by_shape_and_range():
    x = wants(np.arange(12.0))
    (step,) = mg.backprop(x * 2.0, array(np.arange(12.0)))
    assert "(12,) min 0, mean 11, max 22" in str(step)


def test_an_op_without_docstring_or_source_can_be_printed():
    space = {"mg": mg}
    source = "@mg.op\nclass f:\n    def forward(x): return x * 2\n    def d_x(dy): return dy * 2\n"
    exec(source, space)
    (step,) = mg.backprop(space["f"](wants(1.0)))
    assert "f #" in str(step) and "d_x(dy)" in str(step)


def test_steps_of_an_empty_batch_can_be_printed():
    x = wants(np.zeros((0, 3)))
    for step in mg.backprop((x * 2.0).sum()):
        assert "step" in str(step)
    assert x.grad.shape == (0, 3)


# ------------------------------------------------------------------------------- watch


def test_watch_keeps_inputs_outputs_names_and_source_line():
    images, w = mg.tensor(array([[1.0, 2.0]]), name="images"), wants([[3.0], [4.0]])
    bias = wants([0.5])
    with mg.watch():
        h = mg.dense(images, w, b=bias)
        line = here() - 1
        y = h * 2.0
    step_of_y, step_of_h = mg.backprop(y)
    seen = step_of_h.seen
    assert list(seen.inputs) == ["x", "w", "b"]
    assert all(type(v) is xp.ndarray for v in seen.inputs.values())
    close(seen.inputs["b"], [0.5])
    close(seen.outputs[0], [[11.5]])
    assert dict(seen.names) == {"x": "images", "w": "w", "b": "bias"}
    assert (seen.file, seen.line) == (__file__, line)
    assert seen.function == "test_watch_keeps_inputs_outputs_names_and_source_line"
    assert step_of_y.seen.names["a"] == "h" and step_of_y.seen.inputs["b"] == 2.0
    assert f"{seen.line}" in str(step_of_h).splitlines()[0]
    assert "mg.watch()" not in str(step_of_h)


def test_watch_finds_the_line_of_whoever_called_through_minigens_own_code():
    layer = mg.nn.Dense(2, 3)
    with mg.watch():
        y = layer(array([[1.0, 2.0]], "float32")).mean(axis=0).std()
        line = here() - 1
    for step in mg.backprop(y):
        assert (step.seen.file, step.seen.line) == (__file__, line)


def test_watch_gives_parameters_their_module_path():
    net = mg.nn.Sequential(mg.nn.Dense(2, 3), mg.nn.Dense(3, 1))
    with mg.watch():
        y = net(array([[1.0, 2.0]], "float32"))
    names = {name for step in mg.backprop(y) for name in step.seen.names.values()}
    assert {"0.w", "0.b", "1.w", "1.b"} <= names


def test_watch_sees_several_inputs_and_outputs():
    a, b = wants([1.0]), wants([2.0])
    with mg.watch():
        first, second = mg.split(mg.concatenate([a, b]), sections=2)
    _, split, joined = mg.backprop(first + second)
    assert len(split.seen.outputs) == 2 and list(joined.seen.inputs) == ["xs[0]", "xs[1]"]
    assert dict(joined.seen.names) == {"xs[0]": "a", "xs[1]": "b"}


def test_nothing_is_kept_without_watch_or_after_it():
    x = wants(1.0)
    with mg.watch():
        inside = x * x
    outside = x * x
    assert inside.origin[0].seen is not None and outside.origin[0].seen is None
    assert mode.observers == ()
    with pytest.raises(KeyError), mg.watch():
        raise KeyError
    assert mode.observers == ()


def test_watch_keeps_alive_what_the_contract_throws_away_and_only_while_the_graph_lives():
    def graph(watched):
        x = wants([1.0])
        with mg.watch() if watched else nullcontext():
            h = x + 1.0
            y = h + 1.0
        return y, weakref.ref(h.data)

    y, h = graph(False)
    assert h() is None
    y, h = graph(True)
    assert h() is not None
    del y
    assert h() is None


def test_watch_notes_nothing_of_what_is_not_recorded():
    with mg.watch(), mg.no_grad():
        y = wants(1.0) * 2.0
    assert y.origin is None


def test_watch_is_of_one_thread():
    x, seen = wants(1.0), []
    with mg.watch():
        thread = threading.Thread(target=lambda: seen.append((x * x).origin[0].seen))
        thread.start()
        thread.join()
    assert seen == [None]


def test_watching_changes_no_number():
    plain = network()
    with mg.watch(), mg.detect_anomaly():
        watched = network()
    for _, loss in (plain, watched):
        loss.backward()
    for a, b in zip(plain[0], watched[0], strict=True):
        np.testing.assert_array_equal(mg.to_numpy(a.grad), mg.to_numpy(b.grad))


# ------------------------------------------------------------------------------- anomalies


@pytest.fixture(autouse=True)
def no_numpy_warnings():
    with np.errstate(all="ignore"):
        yield


def test_detect_anomaly_names_the_op_where_nan_first_appears_forward():
    x = wants([1.0, -1.0])
    with mg.detect_anomaly():
        y = x * 2.0
        with pytest.raises(FloatingPointError, match=r"^log: NaN or Inf first appeared in its output"):
            mg.log(y)
        with pytest.raises(FloatingPointError, match=r"^divide: NaN or Inf first appeared in its output"):
            1.0 / mg.relu(x)
        with pytest.raises(FloatingPointError, match=r"^exp: .*first appeared in its output"):
            mg.exp(x * 1e4)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_detect_anomaly_says_when_an_input_was_already_bad(bad):
    x, w = wants([1.0, 2.0]), array([1.0, bad])
    with mg.detect_anomaly():
        with pytest.raises(FloatingPointError, match=r"^multiply: its input b already holds NaN or Inf"):
            x * w
        with pytest.raises(FloatingPointError, match=r"^concatenate: its input xs already holds NaN"):
            mg.concatenate([x, w])
        with pytest.raises(FloatingPointError, match=r"^tanh: its input x already holds"):
            mg.tanh(mg.tensor(array([nan])))


# The lines of a second graph are ops themselves: sqrt's d_x divides by y, and there the division is named.
NAN_IN_SQRT = "^sqrt: NaN or Inf first appeared in its gradient d_x|^divide: NaN or Inf first appeared in its output"


@pytest.mark.parametrize(
    "walk",
    [
        lambda y, x: y.backward(),
        lambda y, x: y.backward(retain_graph=True),
        lambda y, x: list(mg.backprop(y)),
        mg.grad,
        lambda y, x: mg.grad(y, x, create_graph=True),
    ],
    ids=["backward", "retained", "backprop", "grad", "create_graph"],
)
def test_detect_anomaly_names_the_op_where_nan_first_appears_backward(walk):
    x = wants([0.0, 4.0])
    with mg.detect_anomaly():
        y = (mg.sqrt(x * 1.0) * 3.0).sum()
        with pytest.raises(FloatingPointError, match=NAN_IN_SQRT):
            walk(y, x)
    assert x.grad is None


def test_detect_anomaly_says_when_the_upstream_gradient_was_already_bad():
    x = wants([1.0, 2.0])
    y = x * 2.0
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match="multiply: its upstream gradient already"):
        y.backward(array([1.0, nan]))
    assert x.grad is None


def test_detect_anomaly_gives_no_false_alarm():
    x = wants([0.0, -1.0, 1e3])
    ids = array([0, 2], "int64")
    with mg.detect_anomaly():
        y = mg.sigmoid(x) + mg.softplus(x) + mg.relu(x) + mg.where(x > 0, x, -1.0)
        loss = (y[ids] * mg.tensor(ids)).sum() + mg.cross_entropy(x.reshape(1, 3), array([2], "int64"))
        low, high = mg.split(x, sections=[1])
        (loss + low.sum() + high.sum() * 0.0).backward()
    assert x.grad.shape == (3,)


def test_detect_anomaly_looks_at_every_output():
    x = wants([[1.0, 1.0], [3.0, 3.0]])
    with mg.detect_anomaly():
        y, mean, var = mg.batch_norm(x, wants([1.0, 1.0]), wants([0.0, 0.0]))
        with pytest.raises(FloatingPointError, match="split: its input x already holds"):
            mg.split(mg.Tensor(array([nan, 1.0]), requires_grad=True), sections=2)
        (y.sum() + mean.sum() + var.sum()).backward()


def test_detect_anomaly_ends_also_with_an_error_and_nests_with_watch():
    x = wants([-1.0])
    with pytest.raises(FloatingPointError), mg.detect_anomaly(), mg.watch():
        mg.log(x)
    assert mode.observers == () and mode.step_observers == ()
    assert bool(xp.isnan(mg.log(x).data).all())
