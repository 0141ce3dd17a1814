"""The stepper: what a step has to show, how it says it, and the dialogue in a terminal."""

import ast
import io
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import minigen as mg
from minigen import nn
from minigen.graph import Step
from minigen.trace import Walk, predict, terminal, text
from minigen.trace.expression import ExpressionError, number
from minigen.trace.inside import compared, step_into
from minigen.trace.jacobian import jacobian
from minigen.trace.probe import probe
from minigen.trace.recorded import MISSING
from minigen.trace.substitution import work_out

nan, inf = float("nan"), float("inf")


def array(values, dtype="float64"):
    return mg.asarray(np.array(values, dtype=dtype))


def wants(values, name=None, dtype="float64"):
    return mg.tensor(array(values, dtype), requires_grad=True, name=name)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def xor():
    """The smallest network, watched: its loss and its parameters."""
    x, t = array([[0, 0], [0, 1], [1, 0], [1, 1]]), array([[0], [1], [1], [0]])
    w1, b1, w2 = wants(normal(2, 3), "w1"), wants([0.1, 0.2, 0.3], "b1"), wants(normal(3, 1, seed=1), "w2")
    with mg.watch():
        h = mg.tanh(x @ w1 + b1)
        y = h @ w2
        loss = mg.mse(y, t)
    return loss, (w1, b1, w2)


def used_twice():
    """loss = h * h + h, h = 3 x: the gradient of h is added up from three."""
    x = wants(2.0, "x")
    with mg.watch():
        h = x * 3.0
        loss = h * h + h
    return loss, x


# ------------------------------------------------------------------------------- the facts


def test_a_step_tells_everything():
    loss, _ = xor()
    walk = Walk(loss, name="loss")
    f = walk.step(3, jacobians=True)
    assert (f.number, f.total, f.op, f.name, f.title) == (
        3,
        5,
        "tanh",
        "h",
        f"h = tanh(add #{walk.steps[3].node.number})",
    )
    assert f.source == "h = mg.tanh(x @ w1 + b1)" and f.where.endswith(f"test_trace_text.py:{f.where.split(':')[-1]}")
    assert f.formula == "y = tanh(x)" and [o.parameter for o in (*f.inputs, *f.outputs)] == ["x", "y"]
    (up,), (going,) = f.upstreams, f.outgoing
    assert up.text.startswith("complete: 1 of 1 consumer has arrived (matmul #") and up.meaning == "d loss / d h"
    assert going.rule == "dy * (1 - y * y)" and going.source.startswith("def d_x(dy, y)")
    assert going.jacobian.structure == "diagonal" and (going.jacobian.rows, going.jacobian.columns) == (12, 12)
    assert going.gradient.shape == (4, 3) and list(f.saved) == ["y"]
    np.testing.assert_allclose(going.gradient.values, mg.to_numpy(walk.steps[2].gradients["x"]))


def test_facts_are_json_whatever_numbers_they_hold():
    x = wants([1.0, nan, inf, -inf, 0.0, 1e300, -1e300], "x")
    with mg.watch():
        loss = (x * 2.0)[1:].sum()
    told = json.loads(json.dumps(Walk(loss).as_json(), allow_nan=False))
    assert told["steps"][-1]["inputs"][0]["value"]["values"][:4] == [1.0, "nan", "inf", "-inf"]
    assert {n["kind"] for n in told["nodes"]} == {"op", "leaf"} and told["total"] == 3 and told["failure"] == ""


def test_the_numbers_put_in_are_those_of_the_step():
    x = wants([0.5, -2.0], "x")
    (_, step) = Walk(mg.tanh(x).sum()).steps
    y = math.tanh(0.5)
    worked = work_out(step, step.arrivals[0])
    assert worked.numbers == (f"d_x[0] = 1 * (1 - {y:.4g} * {y:.4g}) = {1 - y * y:.4g}",) and worked.entry == "[0]"
    other = work_out(step, step.arrivals[0], (1,))
    y = math.tanh(-2.0)
    assert other.numbers == (f"d_x[1] = 1 * (1 - ({y:.4g}) * ({y:.4g})) = {1 - y * y:.4g}",)


def test_a_product_of_matrices_is_written_as_the_sum_it_is():
    x, w = wants([[1.0, 2.0], [3.0, 4.0]]), wants([[5.0], [6.0]])
    step = Walk((x @ w * array([[1.0], [-10.0]])).sum()).steps[-1]
    d_x, d_w = (work_out(step, a).numbers for a in step.arrivals)
    assert d_x == ("d_a[0, 0] = 1 * 5 = 5",) and d_w == ("d_b[0, 0] = 1 * 1 + 3 * (-10) = -29",)


def test_a_sum_over_broadcast_axes_is_told_and_written_out():
    b = wants([1.0, 2.0, 3.0], "b")
    (_, step) = Walk((array(normal(5, 3)) + b).sum()).steps
    going = Walk((array(normal(5, 3)) + b).sum()).step(2).outgoing[0]
    assert going.reduction == "summed over axis 0: (5, 3) -> (3,)"
    assert work_out(step, step.arrivals[0]).numbers[-1] == "and summed: 1 + 1 + 1 + 1 + ... (5 terms) = 5"


CALLS = {
    "add": lambda x, z: x + z,
    "divide": lambda x, z: x / z,
    "power": lambda x, z: (x * x + 1.0) ** z,
    "gelu": lambda x, z: mg.gelu(x),
    "silu": lambda x, z: mg.silu(x * z),
    "softmax": lambda x, z: mg.softmax(x, axis=-1),
    "log_softmax": lambda x, z: mg.log_softmax(x * z),
    "clip": lambda x, z: x.clip(-0.5, 0.5) * z,
    "elu": lambda x, z: mg.elu(x) + mg.softplus(z) + mg.leaky_relu(x),
    "matmul": lambda x, z: x @ z.T,
    "stacks": lambda x, z: x.reshape(2, 1, 3) @ z.reshape(2, 3, 1),
    "vector": lambda x, z: x @ z[0],
    "reductions": lambda x, z: x.sum(axis=0) * x.mean(axis=0) + x.var(axis=0) + x.max(axis=0) + z.min(axis=0),
    "shapes": lambda x, z: mg.stack([x, z]).transpose(2, 0, 1)[1:, :, [0, 0, 1]],
    "losses": lambda x, z: mg.cross_entropy(x, [0, 2]) + mg.mse(x, z) + mg.l1(x, z),
    "dense": lambda x, z: mg.dense(x, z.T, z[:, 0]),
    "norm": lambda x, z: mg.layer_norm(x, z[0], z[1]),
    "conv": lambda x, z: mg.conv2d(x.reshape(1, 2, 3, 1), z.reshape(2, 3, 1, 1)),
    "where": lambda x, z: mg.where(x.data > 0, x, z) * mg.maximum(x, z) + mg.sqrt(mg.exp(x)) * mg.log(z * z),
}


@pytest.mark.parametrize("name", CALLS)
def test_putting_numbers_in_gives_the_gradient_of_that_entry(name):
    x, z = wants(normal(2, 3), "x"), wants(normal(2, 3, seed=1) + 2.5, "z")
    with mg.watch():
        y = CALLS[name](x, z)
    compared_lines = 0
    for step in Walk(y, array(np.ones(y.shape) * 0.7)).steps:
        for arrival in step.arrivals:
            for line in work_out(step, arrival).numbers:
                assert "cannot" not in line and "by now" not in line, f"{step.op.__name__}: {line}"
                left, equals, right = line.rpartition(" = ")
                arithmetic = left.rpartition(" = ")[2].removeprefix("and summed: ")
                if equals and "..." not in left and "d_" not in arithmetic and _is_arithmetic(arithmetic):
                    assert math.isclose(number(arithmetic), float(right), rel_tol=0.02, abs_tol=2e-3), line
                    compared_lines += 1
    assert compared_lines or name in ("add", "shapes", "conv", "norm", "stacks")


def _is_arithmetic(line):
    try:
        number(line)
    except ExpressionError:
        return False
    return True


def test_an_op_with_a_kernel_alone_says_why_there_are_no_numbers():
    step = Walk(nn_lstm()[0].sum()).steps[-1]
    assert "step into its plain form" in work_out(step, step.arrivals[0]).numbers[0]


def test_a_line_that_cannot_be_taken_apart_says_so():
    @mg.op
    class twice:
        """y = 2 x"""

        def forward(x):
            return x * 2

        def d_x(dy):
            total = dy * 0
            for _ in range(2):
                total = total + dy
            return total

    (step,) = Walk(twice(wants(1.0))).steps
    worked = work_out(step, step.arrivals[0])
    assert worked.numbers == ("its gradient takes several statements; read its source",) and "for _" in worked.symbols


def test_an_op_without_source_has_facts():
    space = {"mg": mg}
    exec("@mg.op\nclass f:\n    def forward(x): return x * 2\n    def d_x(dy): return dy * 2\n", space)
    walk = Walk(space["f"](wants(1.0)))
    assert "d_x(dy)" in walk.step(1, jacobians=True).outgoing[0].rule
    assert "source is not at hand" in text.page(walk.step(1), text.Paint(False))


def test_lambdas_as_lines_are_read():
    @mg.op
    class triple:
        """y = 3 x"""

        forward = lambda x: x * 3  # noqa: E731
        d_x = lambda dy: dy * 3  # noqa: E731

    going = Walk(triple(wants(1.0))).step(1).outgoing[0]
    assert going.rule == "dy * 3" and going.numbers == ("d_x = 1 * 3 = 3",)


# ------------------------------------------------------------------------------- arrival, completeness, "not yet"


def test_accumulation_is_before_plus_incoming_equals_after():
    loss, _ = used_twice()
    walk = Walk(loss, name="loss")
    to_h = [g for i in range(1, 4) for g in walk.step(i).outgoing if g.to_name == "h"]
    assert [(g.came, g.consumers) for g in to_h] == [(1, 3), (2, 3), (3, 3)]
    assert to_h[0].before.status == "not yet" and "0" not in to_h[0].before.text
    assert [g.before.values for g in to_h[1:]] == [1.0, 7.0] and [g.after.values for g in to_h] == [1.0, 7.0, 13.0]
    assert "not complete yet" in to_h[1].text and to_h[2].text.endswith("its gradient is complete")
    assert walk.step(3).upstreams[0].text.startswith("complete: 3 of 3 consumers have arrived (")


def test_what_has_not_arrived_never_looks_like_zero():
    loss, (w1, *_) = xor()
    walk = Walk(loss, name="loss")
    for done in range(1, 5):
        for s in walk.standings(done):
            assert (s.gradient.status == "not yet") == (s.came == 0 and s.id != walk.step(1).id)
            assert s.gradient.status == "known" or (s.gradient.text == "not yet" and s.gradient.values is None)
    assert {s.name: s.gradient.status for s in walk.standings(4)}["w1"] == "not yet"
    assert all(s.gradient.status == "known" for s in walk.standings(5))
    listed = text.listing(walk.standings(1), {}, 1, text.Paint(False)).splitlines()
    assert "not yet" in next(line for line in listed if "w1" in line)


def test_a_zero_that_did_arrive_is_a_zero():
    x = wants(2.0, "x")
    with mg.watch():
        loss = x * 0.0
    assert Walk(loss).standings(1)[-1].gradient.text == "0"


def test_an_unused_output_says_so():
    x = wants([1.0, 2.0, 3.0, 4.0], "x")
    with mg.watch():
        first, _ = mg.split(x, sections=2)
        loss = first.sum()
    up = Walk(loss).step(2).upstreams
    assert [u.value.status for u in up] == ["known", "unused"] and "nothing used this output" in up[1].text


def test_looking_changes_nothing():
    loss, leaves = xor()
    Walk(loss).as_json()
    assert all(w.grad is None for w in leaves)
    loss.backward()
    kept = [mg.to_numpy(w.grad).copy() for w in leaves]
    again, leaves = xor()
    walk = Walk(again)
    walk.as_json()
    again.backward()
    for w, before in zip(leaves, kept, strict=True):
        np.testing.assert_array_equal(mg.to_numpy(w.grad), before)


def test_a_gradient_from_an_earlier_backward_is_noted():
    loss, x = used_twice()
    x.grad = array(5.0)
    notes = [g.note for i in range(1, 4) for g in Walk(loss).step(i).outgoing]
    assert notes[-1] == "x.grad already holds 5; backward() would add to it" and not any(notes[:-1])


def test_a_line_that_raises_ends_the_walk_and_is_told():
    @mg.op
    class broken:
        """y = x"""

        def forward(x):
            return x * 1

        def d_x(dy):
            return dy.reshape(17)

    with mg.watch():
        loss = (broken(wants([1.0, 2.0])) * 3.0).sum()
    walk = Walk(loss)
    assert len(walk.steps) == 2 and walk.total == 3 and walk.failure.startswith("ValueError")
    lines = []
    terminal.print_all(walk, lines.append)
    assert "the next step raised ValueError" in lines[-1].replace("The next", "the next")


def test_what_cannot_be_walked_raises_as_backward_does():
    with pytest.raises(RuntimeError, match="requires no gradient"):
        Walk(mg.tensor([1.0]).sum())
    with pytest.raises(TypeError, match="wants a Tensor"):
        mg.step_through(3.0)
    loss, _ = xor()
    loss.backward()
    with pytest.raises(RuntimeError, match="released"):
        Walk(loss)


# ------------------------------------------------------------------------------- names, and what is still known


def test_names_come_from_tensors_locals_and_modules():
    class Net(nn.Module):
        def __init__(self):
            self.layers = nn.Sequential(nn.Dense(3, 2), nn.ReLU())

        def forward(self, x):
            hidden = self.layers(x)
            return hidden * 2.0

    model = Net()
    with mg.watch():
        total = model(array(normal(4, 3), "float32")).sum()
    walk = Walk(total, name="total")
    assert [walk.step(i).module for i in range(1, 5)] == ["", "model", "model.layers.1", "model.layers.0"]
    assert walk.step(2).title.endswith("= multiply(hidden, 2)")
    assert [o.name for o in walk.step(4).inputs][1:] == ["layers.0.w", "layers.0.b"]


def test_two_leaves_of_one_name_are_told_apart():
    a, b = wants(1.0, "w"), wants(2.0, "w")
    ids = [n.id for n in Walk(a * b).nodes() if n.kind == "leaf"]
    assert len(set(ids)) == 2 and all(i.startswith("w") for i in ids)


def test_an_unwatched_graph_shows_what_it_kept_and_says_how_to_see_the_rest():
    x, w = wants(normal(2, 3), "x"), wants(normal(3, 1), "w")
    loss = mg.tanh(x @ w).sum()
    walk = Walk(loss)
    tanh, product = walk.step(2), walk.step(3)
    assert tanh.outputs[0].value.status == "known" and tanh.inputs[0].value.status == "not kept"
    assert "mg.watch()" in tanh.inputs[0].value.text and tanh.inputs[0].value.values is None
    assert [o.value.status for o in product.inputs] == ["known", "known"]
    page = text.page(tanh, text.Paint(False))
    assert "run the forward inside mg.watch()" in page


def test_a_leaf_changed_since_is_not_taken_for_the_input():
    x = wants([1.0, 2.0], "x")
    loss = (x + 1.0).sum()
    x.data = array([9.0, 9.0])
    walk = Walk(loss)
    assert walk.recorded.inputs(walk.steps[-1].node)["a"] is MISSING


def test_the_graph_has_a_node_for_each_op_leaf_and_constant():
    loss, _ = xor()
    nodes = {n.id: n for n in Walk(loss, name="loss").nodes()}
    assert [n.label for n in nodes.values() if n.kind == "op"] == ["mse", "matmul", "tanh", "add", "matmul"]
    assert [n.label for n in nodes.values() if n.kind == "leaf"] == ["w2", "b1", "w1"]
    assert [n.label for n in nodes.values() if n.kind == "constant"] == ["t", "x"]
    assert all(source in nodes for n in nodes.values() for _, source, _ in n.inputs)


# ------------------------------------------------------------------------------- the Jacobian


def structure(fn, *shape):
    x = wants(normal(*shape), "x")
    with mg.watch():
        y = fn(x)
    step = list(mg.backprop(y, array(np.ones(y.shape))))[-1]
    return jacobian(step, step.arrivals[0].input)


def test_a_small_jacobian_is_whole_and_right():
    found = structure(lambda x: mg.softmax(x), 3)
    p = np.exp(normal(3)) / np.exp(normal(3)).sum()
    np.testing.assert_allclose(found.matrix, np.diag(p) - np.outer(p, p), atol=1e-12)
    w = normal(2, 3, seed=5)
    found = structure(lambda x: mg.dense(x, array(w).T), 2, 3)
    np.testing.assert_allclose(found.matrix, np.kron(np.eye(2), w), atol=1e-12)
    assert structure(mg.exp, 9).matrix is None


@pytest.mark.parametrize(
    "fn, shape, expected",
    [
        (mg.tanh, (10,), "diagonal"),
        (mg.tanh, (30, 40), "diagonal"),
        (lambda x: x * -2.0, (3, 4), "identity"),
        (lambda x: x * -2.0, (300, 40), "diagonal"),
        (lambda x: x.reshape(4, 3), (3, 4), "identity"),
        (lambda x: x.T, (3, 4), "permutation"),
        (lambda x: x.T, (90, 80), "permutation"),
        (lambda x: x[1:], (3, 4), "selection"),
        (lambda x: x[[0, 0]], (3, 4), "copies"),
        (lambda x: x.sum(), (3, 4), "dense"),
        (mg.softmax, (3, 4), "blocks"),
        (lambda x: array(normal(5, 3)) @ x, (3, 4), "blocks"),
        (mg.sign, (3, 4), "zero"),
        (mg.tanh, (), "number"),
        (lambda x: mg.softmax(x), (7,), "dense"),
    ],
)  # fmt: skip
def test_the_structure_of_a_jacobian(fn, shape, expected):
    found = structure(fn, *shape)
    assert found.structure == expected, found.text
    assert found.columns == math.prod(shape) and f"({found.rows}, {found.columns})" in found.text


def test_a_broadcast_input_has_a_jacobian_in_its_own_entries():
    b = wants([1.0, 2.0], "b")
    (step,) = Walk(array(normal(3, 2)) + b, array(np.ones((3, 2)))).steps
    np.testing.assert_array_equal(jacobian(step, "b").matrix, np.tile(np.eye(2), (3, 1)))


def test_the_jacobian_of_several_outputs_has_their_rows_one_after_the_other():
    hs, _, x = nn_lstm()
    step = Walk(hs.sum()).steps[-1]
    assert jacobian(step, "x").rows == 12 + 6 and jacobian(step, "x").columns == x.size


# ------------------------------------------------------------------------------- probing, stepping into


def nn_lstm():
    x = wants(normal(2, 2, 2), "x")
    shapes = (2, 3), (2, 3), (2, 12), (3, 12), (12,)
    h0, c0, w_x, w_h, b = (wants(normal(*s, seed=i)) for i, s in enumerate(shapes))
    with mg.watch():
        hs, c = mg.lstm(x, h0, c0, w_x, w_h, b)
        return hs, c, x


def test_a_probe_agrees_with_a_right_line_and_not_with_a_wrong_one():
    loss, _ = xor()
    walk = Walk(loss)
    for step in walk.steps:
        for arrival in step.arrivals:
            found = probe(step, arrival.input, walk.recorded)
            assert found.agrees and "agrees" in found.text, f"{step!r} {arrival.input}: {found}"

    @mg.op
    class square:
        """y = x^2"""

        def forward(x):
            return x * x

        def d_x(dy, x):
            return dy * x

    with mg.watch():
        loss = square(wants([1.0, -2.0, 0.5])).sum()
    walk = Walk(loss)
    found = probe(walk.steps[-1], "x", walk.recorded)
    assert not found.agrees and "WRONG" in found.text
    np.testing.assert_allclose([row[1:] for row in found.rows], [[1, 2], [-2, -4], [0.5, 1]], rtol=1e-7)


def test_a_probe_leaves_inputs_alone_and_skips_kinks():
    x = wants([0.0, 1.0, -1.0], "x")
    with mg.watch():
        loss = mg.relu(x).sum()
    walk = Walk(loss)
    found = probe(walk.steps[-1], "x", walk.recorded)
    assert found.agrees and "1 at a kink" in found.text and mg.to_numpy(x.data).tolist() == [0.0, 1.0, -1.0]


def test_a_probe_of_what_was_not_kept_says_what_to_do():
    walk = Walk(mg.tanh(wants([1.0]) * 2.0).sum())
    with pytest.raises(LookupError, match=r"mg\.watch"):
        probe(walk.steps[1], "x", walk.recorded)


INNER = {
    "lstm": lambda: nn_lstm()[0],
    "both outputs": lambda: nn_lstm()[0].sum() + nn_lstm_c(),
    "layer_norm": lambda: mg.layer_norm(wants(normal(2, 3)), wants(normal(3)), wants(normal(3, seed=2))),
    "batch_norm": lambda: mg.batch_norm(wants(normal(4, 3)), wants(normal(3)), wants(normal(3, seed=2)))[0],
    "conv2d": lambda: mg.conv2d(wants(normal(1, 3, 3, 1)), wants(normal(2, 2, 1, 2))),
    "rnn": lambda: mg.rnn(wants(normal(1, 3, 2)), *[array(normal(*s)) for s in [(1, 2), (2, 2), (2, 2), (2,)]]),
}


def nn_lstm_c():
    return nn_lstm()[1].sum() * 2.0


@pytest.mark.parametrize("name", INNER)
def test_a_fused_op_is_stepped_into_through_its_plain_form(name):
    y = INNER[name]()  # unwatched, where it may be: what an op with a plain form keeps is enough
    walk = Walk(y, array(normal(*y.shape, seed=9)))
    step = walk.steps[-1]
    inner = step_into(step, walk.recorded)
    lines = compared(step, inner)
    assert inner.total > 1 and len(lines) == len(step.arrivals)
    assert all("equal" in line for line in lines), lines
    assert inner.step(inner.total).source and "plain" not in inner.step(inner.total).source


def test_a_wrong_kernel_differs_from_its_plain_form():
    @mg.op
    class halved:
        """y = tanh(x)"""

        def forward(x):
            return mg.tanh(x)

        def backward(dy, x, y):
            return (dy * (1 - y * y) / 2,)

        def plain(x):
            return mg.tanh(x)

    walk = Walk(halved(wants([0.3, 0.4])), array([1.0, 1.0]))
    (line,) = compared(walk.steps[0], step_into(walk.steps[0], walk.recorded))
    assert "DIFFERENT (5e-01 of the largest)" in line or "DIFFERENT (1e+00 of the largest)" in line


def test_an_op_without_a_plain_form_cannot_be_stepped_into():
    walk = Walk(mg.tanh(wants([1.0])).sum())
    with pytest.raises(LookupError, match="tanh has no plain form"):
        step_into(walk.steps[1], walk.recorded)


# ------------------------------------------------------------------------------- the text, the dialogue


def dialogue(walk, *typed, predicting=False, colour=False):
    """What is written when these lines are typed; the input ends after them."""
    lines, typed = [], iter(typed)

    def ask(prompt):
        said = next(typed, None)
        lines.append(prompt + (said or ""))
        if said is None:
            raise EOFError
        return said

    session = terminal.Session(walk, predicting=predicting, ask=ask, write=lines.append, colour=colour)
    session.run()
    return "\n".join(lines), session


def test_pages_are_ascii_and_without_colour_unless_asked():
    loss, _ = xor()
    walk = Walk(loss, name="loss")
    plain = "\n".join(text.page(walk.step(i, jacobians=True), text.Paint(False)) for i in range(1, 6))
    assert plain.isascii() and "\x1b" not in plain
    assert "\x1b[" in text.page(walk.step(1), text.Paint(True))
    folded = text.page(walk.step(2, jacobians=True), text.Paint(False), 60)
    assert max(map(len, folded.splitlines())) <= 60


@pytest.mark.parametrize(
    "setting, terminal_there, expected", [("", True, True), ("1", True, False), ("", False, False)]
)
def test_no_color_is_respected(monkeypatch, setting, terminal_there, expected):
    monkeypatch.setenv("NO_COLOR", setting)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal_there, raising=False)
    assert text.wants_colour() == expected


def test_next_back_jump_and_the_end():
    loss, _ = xor()
    said, session = dialogue(Walk(loss, name="loss"), "", "n", "back", "j w1", "n", "1", "b", "h", "jump tanh", "j")
    prompts = [line.split(" > ")[0] for line in said.splitlines() if " > " in line and line.startswith("step")]
    at = [int(p.split()[1]) for p in prompts]
    assert at == [1, 2, 3, 2, 5, 5, 1, 1, 3, 3, 3]
    assert "The walk is over" in said and "this is the first step" in said and "jump where?" in said


def test_continue_goes_to_the_next_accumulation():
    loss, _ = used_twice()
    said, session = dialogue(Walk(loss, name="loss"), "c", "c")
    assert session.at == 2 and "no more accumulation" in said
    assert "1  +  6  =  7" in said and "7  +  6  =  13" in said


def test_every_command_answers():
    loss, _ = xor()
    said, _ = dialogue(
        Walk(loss, name="loss"), "3", "l", "v", "J", "J x", "p x", "p nonsense", "s", "i", "o", "?", "zzz"
    )
    for expected in (
        "not yet", "d output / d x: (12, 12), diagonal", "agrees with the measured slope",
        "no gradient goes out to 'nonsense'",
        "def d_x(dy, y): return dy * (1 - y * y)", "tanh has no plain form", "not inside an op", "next step",
        "'zzz' is no command",
    ):  # fmt: skip
        assert expected in said, expected


def test_a_jump_by_an_op_that_comes_twice_goes_on_to_the_next():
    loss, _ = xor()
    _, session = dialogue(Walk(loss, name="loss"), "j matmul", "j matmul")
    assert session.at == 5
    _, session = dialogue(Walk(loss, name="loss"), "j matmul", "j matmul", "j matmul")
    assert session.at == 2


def test_into_and_out_of_a_fused_op():
    hs, _, _ = nn_lstm()
    said, session = dialogue(Walk(hs.sum(), name="loss"), "n", "i", "n", "n", "o")
    assert "lstm > step 3 of" in said and session.at == 2 and not session.outer
    assert said.count("equal") >= 6 and "d_c_n = zero: nothing used this output" in said


@pytest.mark.parametrize("words", [("q",), ("quit",), ("exit",), ()])
def test_quit_and_the_end_of_input(words):
    loss, leaves = xor()
    said, session = dialogue(Walk(loss), *words, "n" if words else "q")
    assert session.at == 1 and all(w.grad is None for w in leaves)


def test_ctrl_c_leaves():
    def ask(_):
        raise KeyboardInterrupt

    terminal.Session(Walk(xor()[0]), ask=ask, write=lambda _: None, colour=False).run()


def test_where_there_is_no_terminal_all_steps_are_printed(capsys):
    loss, leaves = xor()
    mg.step_through(loss)
    out = capsys.readouterr().out
    assert all(f"-- step {i} of 5 -" in out for i in range(1, 6)) and "= mse(y, t)" in out
    assert "The walk is over" in out and "\x1b" not in out and all(w.grad is None for w in leaves)
    assert "loss = mse(y, t)" in out  # the name it has here


def test_a_leaf_has_nothing_to_step_through(capsys):
    mg.step_through(wants(1.0))
    assert "no op made it" in capsys.readouterr().out


def test_it_works_inside_pdb(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import minigen as mg\na = mg.tensor(0.5, requires_grad=True)\n"
        "with mg.watch():\n    loss = mg.tanh(a * 2.0)\nbreakpoint()\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)], input="mg.step_through(loss)\nq\n", capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONBREAKPOINT": "pdb.set_trace", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert "-- step 2 of 2 -" in ran.stdout and "loss = tanh(" in ran.stdout


# ------------------------------------------------------------------------------- predict first


def asked(fn, n=1):
    walk = Walk(fn, name="loss")
    return predict.question(walk.step(n))


def test_a_single_number_is_asked_for_and_judged():
    a, b = wants(2.0, "a"), wants(-3.0, "b")
    with mg.watch():
        product = a * b
        loss = mg.tanh(product * 0.1) * 5.0
    walk = Walk(loss, name="loss")
    question = predict.question(walk.step(2))
    dy, slope = 5.0, 1 - math.tanh(-0.6) ** 2
    assert question.value == pytest.approx(dy * slope) and "what number" in question.text
    judged = {
        f"5 * {slope}": (True, "right"),
        f"{dy * slope:.2g}": (True, "right"),
        "5": (False, "dy, what came in"),
        f"{slope}": (False, "local slope"),
        f"{-dy * slope}": (False, "wrong sign"),
        f"{math.tanh(-0.6)}": (False, "is the value of"),
        "77": (False, "no: d_x = 5 * (1 - (-0.537) * (-0.537)) = 3.558"),
    }
    for said, (right, why) in judged.items():
        got = predict.answer(question, said)
        assert got[0] == right and why in got[1], (said, got)


def test_a_shape_is_asked_for_and_judged():
    loss, _ = xor()
    question = asked(loss, 5)
    assert question.value is None and "what shape has d_b" in question.text
    judged = {
        "(2, 3)": (True, "one slope for each"),
        "2x3": (True, "right"),
        "4 3": (False, "the shape of dy"),
        "(4,2)": (False, "(4, 2) is the shape of x"),
        "(3, 2)": (False, "transposed"),
        "()": (False, "no: "),
    }
    for said, (right, why) in judged.items():
        got = predict.answer(question, said)
        assert got[0] == right and why in got[1], (said, got)
    with pytest.raises(ValueError, match="a shape is written"):
        predict.answer(question, "two by three")


def test_the_dialogue_keeps_a_score_and_hides_the_answer_until_then():
    loss, _ = xor()
    said, session = dialogue(Walk(loss, name="loss"), "what?", "(4, 1)", "n", "", "q", predicting=True)
    assert str(session.score) == "1 of 1 right" and "Your predictions: 1 of 1 right." in said
    before, answered = said.split("(4, 1)\n", 1)[0], said.split("right: d_x", 1)[1]
    assert "goes out" not in before and "goes out d_x" in answered and "a shape is written" in before
    assert said.count("-- step 1 of 5") == 1


def test_a_step_is_asked_for_once():
    loss, _ = xor()
    said, _ = dialogue(Walk(loss, name="loss"), "", "n", "", "b", predicting=True)
    assert said.count("predict") == 2


# ------------------------------------------------------------------------------- print(step)


def test_print_step_has_all_of_it_in_brief():
    loss, _ = used_twice()
    steps = list(mg.backprop(loss))
    printed = str(steps[-1])
    for expected in (
        "step 3 of 3",
        "h = x * 3.0",
        "had  a (x) = 2",
        "had  y = 6",
        "complete: 3 of 3",
        "d_a = 39",
        "kept b",
    ):
        assert expected in printed, (expected, printed)
    assert "not complete there yet: 1 of 3" in str(steps[0]) and isinstance(steps[0], Step)
    assert all(a.came <= a.consumers for s in steps for a in s.arrivals)


def test_a_number_is_parsed_never_evaluated():
    assert number("1 - 2 * 3") == -5 and number("2 ** -1") == 0.5
    for text_ in ("__import__('os')", "(1).__class__", "[1]", "a", "", "'1'", "True", "1 if 2 else 3"):
        with pytest.raises(ExpressionError):
            number(text_)
    ast.parse("0")
