"""mg.draw: the layout, the folding, and what the figure says."""

import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigen as mg
from minigen import nn
from minigen.trace import Walk
from minigen.trace.boxes import MOST, boxes, brief
from minigen.trace.facts import NodeFacts, Value
from minigen.trace.layout import layout

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    sys.modules["matplotlib.pyplot"].close("all")


def array(values):
    return mg.asarray(np.array(values, dtype="float64"))


def wants(values, name=None):
    return mg.tensor(array(values), requires_grad=True, name=name)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def neuron():
    """tanh(a * b + c), watched."""
    a, b, c = wants(2.0, "a"), wants(-3.0, "b"), wants(7.0, "c")
    with mg.watch():
        u = a * b
        v = u + c
        return mg.tanh(v), (a, b, c)


def used_twice():
    x = wants(2.0, "x")
    with mg.watch():
        h = x * 3.0
        return h * h + h


def texts(figure):
    return [t.get_text() for t in figure.axes[0].texts]


# ------------------------------------------------------------------------------- the figure


def test_before_backward_every_gradient_is_not_yet():
    loss, leaves = neuron()
    said = texts(mg.draw(loss))
    assert said.count("grad not yet") == 6 and "grad" not in said
    for expected in ("a", "2", "b", "-3", "u", "= multiply", "-6", "v", "= add", "1", "loss", "= tanh"):
        assert expected in said
    assert all(leaf.grad is None for leaf in leaves)


def test_after_backward_the_gradients_are_those_of_the_leaves_and_of_the_walk():
    loss, (a, b, c) = neuron()
    loss.backward(retain_graph=True)
    said = texts(mg.draw(loss))
    slope = 1 - np.tanh(1.0) ** 2
    assert "grad not yet" not in said
    for expected in (slope * -3, slope * 2, slope, 1.0):
        assert f"{expected:.4g}" in said
    np.testing.assert_allclose([float(t.grad) for t in (a, b, c)], [slope * -3, slope * 2, slope])


def test_a_gradient_of_zero_is_a_number_and_not_not_yet():
    x = wants([-1.0, -2.0], "x")
    with mg.watch():
        loss = mg.relu(x).sum()
    loss.backward(retain_graph=True)
    said = texts(mg.draw(loss))
    assert "grad not yet" not in said and "0 0" in said


def test_after_some_steps_gradients_are_partial():
    loss = used_twice()
    steps = list(mg.backprop(loss))
    assert "1, 1 of 3 in" in texts(mg.draw(loss, after=1))
    assert texts(mg.draw(loss, after=steps[0])) == texts(mg.draw(loss, after=1))
    assert "1, 1 of 3 in" not in texts(mg.draw(loss, after=2)) and "13" in texts(mg.draw(loss, after=2))
    assert texts(mg.draw(loss, after=0)).count("grad not yet") == 4
    with pytest.raises(ValueError, match=r"from 0 to 3; got 9"):
        mg.draw(loss, after=9)


def test_an_unwatched_graph_is_drawn_with_what_there_is():
    w = wants(normal(3, 2), "w")
    said = texts(mg.draw(mg.tanh(array(normal(4, 3)) @ w).sum()))
    assert {"w", "matmul", "tanh", "sum"} <= set(said) and "not kept" in said


def test_more_than_one_number_and_several_outputs():
    x = wants(normal(2, 6), "x")
    with mg.watch():
        a, b = mg.split(x, sections=2, axis=1)
        y = a * b
    said = texts(mg.draw(y))
    assert "split" in said and "2 outputs" in said and "grad not yet" in said


def test_names_are_text_and_never_formulas():
    x = wants(2.0, r"$\undefined{ <b>")
    loss = mg.tanh(x)
    figure = mg.draw(loss)
    figure.canvas.draw()
    assert r"$\undefined{ <b>" in texts(figure)


def test_every_text_stays_in_its_box():
    model = nn.Sequential(nn.Dense(2, 3), nn.Tanh(), nn.Dense(3, 1))
    x = array([[0, 0], [0, 1], [1, 0], [1, 1]]).astype("float32")
    with mg.watch():
        loss = mg.mse(model(x), x[:, :1])
    loss.backward(retain_graph=True)
    figure = mg.draw(loss)
    renderer = figure.canvas.get_renderer()
    frames = [p.get_window_extent(renderer) for p in figure.axes[0].patches if type(p).__name__ == "FancyBboxPatch"]
    legend = {"operation", "gets a gradient", "data"}
    said = [t for t in figure.axes[0].texts if t.get_text() not in legend | {""}]
    assert len(said) > 20
    for text in said:
        around = text.get_window_extent(renderer)
        inside = [
            f for f in frames if f.x0 <= around.x0 and around.x1 <= f.x1 and f.y0 <= around.y0 <= around.y1 <= f.y1
        ]
        assert inside, text.get_text()


def test_without_matplotlib_a_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="draw: wants matplotlib, which is not installed: pip install"):
        mg.draw(neuron()[0])
    monkeypatch.undo()


def test_what_cannot_be_drawn_gets_a_sentence():
    loss, _ = neuron()
    loss.backward()
    with pytest.raises(RuntimeError, match="was released by an earlier backward"):
        mg.draw(loss)
    with pytest.raises(RuntimeError, match="is a leaf, no op made it"):
        mg.draw(wants(1.0))
    with pytest.raises(TypeError, match="wants a Tensor to start from, got float"):
        mg.draw(3.0)


@pytest.mark.parametrize("shape, text", [((), "0.5"), ((2,), "(2,) 1 -0.25"), ((2, 4), "(2,4) -1 .. 2.5")])
def test_a_value_in_a_word_or_two(shape, text):
    values = {(): 0.5, (2,): [1.0, -0.25], (2, 4): None}[shape]
    told = Value("0.5", "known", shape, "float64", values, -1.0, 0.0, 2.5)
    assert brief(told) == text and brief(told, shape=False) == text.partition(") ")[2 if shape else 0]


# ------------------------------------------------------------------------------- the folding


def deep(blocks=12):
    class Block(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Dense(4, 4), nn.Dense(4, 4)

        def forward(self, x):
            return x + self.second(mg.tanh(self.first(x)))

    model = nn.Sequential(*[Block() for _ in range(blocks)])
    x = mg.asarray(normal(2, 4).astype("float32"))
    with mg.watch():
        return mg.mse(model(x), x)


def recurrent(steps=60):
    w, u, h = wants(normal(3, 3), "w"), wants(normal(2, 3), "u"), array(np.zeros((1, 3)))
    with mg.watch():
        for _ in range(steps):
            h = mg.tanh(array(normal(1, 2)) @ u + h @ w)
        return (h * h).sum()


def test_a_large_model_is_folded_by_its_modules():
    made = boxes(Walk(deep(), name="loss").nodes())
    folds = [box for box in made if box.kind == "fold"]
    assert [box.name for box in folds] == [f"model.{k}" for k in range(12)]
    assert all(box.says == "4 ops" for box in folds) and len(made) <= MOST
    assert {node.kind for node in folds[0].nodes} >= {"op", "leaf"}  # its parameters are folded with it


def test_an_unrolled_loop_is_folded_but_for_its_first_and_last_turn():
    made = boxes(Walk(recurrent(), name="loss").nodes())
    (fold,) = [box for box in made if box.kind == "fold"]
    assert (fold.name, fold.says) == ("matmul ... tanh", "x 58")
    assert [box.name for box in made if box.kind == "op"].count("matmul") == 4  # two in each of the turns that are left
    assert {"w", "u"} <= set(fold.sources)


def test_a_small_graph_is_not_folded():
    walk = Walk(neuron()[0])
    assert {box.id for box in boxes(walk.nodes())} == {node.id for node in walk.nodes()}


@st.composite
def graphs(draw):
    """Ops that take what was computed before them, or leaves, in all kinds of modules."""
    labels = draw(st.lists(st.sampled_from(["add", "tanh", "matmul", "sum"]), min_size=1, max_size=160))
    modules = draw(st.lists(st.sampled_from(["", "m", "m.0", "m.0.a", "m.1"]), min_size=1, max_size=5))
    found, used = [], set()
    for i, label in enumerate(labels):
        earlier = [f"#{k}" for k in range(i)] + ["w", "b"]
        inputs = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=2))
        used |= set(inputs)
        edges = tuple((p, id, 0) for p, id in zip("ab", inputs, strict=False))
        module = modules[i * len(modules) // len(labels)]
        found.append(NodeFacts(f"#{i}", "op", label, "", module, i + 1, (Value("1"),), edges, 1))
    leaves = [NodeFacts(id, "leaf", id, id, "", None, (Value("1"),), (), 1) for id in ("w", "b") if id in used]
    return found[::-1] + leaves


@given(graphs())
def test_folding_keeps_every_node_once_and_makes_no_circle(nodes):
    made = boxes(nodes, most=12)
    assert len(made) <= 12
    assert sorted(n.id for box in made for n in box.nodes) == sorted(n.id for n in nodes)
    ids = [box.id for box in made]
    assert len(set(ids)) == len(ids) and all(set(box.sources) <= set(ids) - {box.id} for box in made)
    ready: set[str] = set()
    while len(ready) < len(made):
        fresh = {box.id for box in made if set(box.sources) <= ready} - ready
        assert fresh, "a circle"
        ready |= fresh


def test_thousands_of_ops_are_folded_in_time():
    y = wants(1.0, "x")
    for k in np.random.default_rng(0).integers(0, 3, 3000):
        y = [mg.tanh, mg.sigmoid, lambda v: v + 1.0][k](y)
    assert len(boxes(Walk(y).nodes())) <= MOST


# ------------------------------------------------------------------------------- the layout


@st.composite
def drawn(draw):
    n = draw(st.integers(1, 25))
    sizes = {f"n{i}": (float(draw(st.integers(30, 200))), float(draw(st.integers(20, 70)))) for i in range(n)}
    pairs = [(f"n{i}", f"n{j}") for j in range(n) for i in range(j)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=40)) if pairs else []
    return sizes, edges


@given(drawn())
def test_boxes_do_not_overlap_and_arrows_point_down_and_around_them(graph):
    sizes, edges = graph
    at = layout(sizes, edges)
    frames = {i: (x - sizes[i][0] / 2, y - sizes[i][1] / 2, x + sizes[i][0] / 2, y + sizes[i][1] / 2)
              for i, (x, y) in at.places.items()}  # fmt: skip
    assert frames.keys() == sizes.keys() and at.routes.keys() == set(edges)
    for i, (left, top, right, bottom) in frames.items():
        assert left >= -0.01 and top >= -0.01 and right <= at.width + 0.01 and bottom <= at.height + 0.01
        for j, other in frames.items():
            apart = right < other[0] or other[2] < left or bottom < other[1] or other[3] < top
            assert i == j or apart, (i, j)
    for (start, end), route in at.routes.items():
        assert route[0] == pytest.approx((at.places[start][0], frames[start][3]))
        assert route[-1][1] == pytest.approx(frames[end][1]) and frames[end][0] <= route[-1][0] <= frames[end][2]
        heights = [y for _, y in route]
        assert heights == sorted(heights) and heights[0] < heights[-1]
        for left, top, right, bottom in frames.values():  # what passes a layer passes beside its boxes
            assert not any(left < x < right and top < y < bottom for x, y in route[1:-1])
            assert not any(left < x < right and {y, z} >= {top, bottom} and x == w
                           for (x, y), (w, z) in zip(route[1:-1:2], route[2:-1:2], strict=False))  # fmt: skip


def test_a_chain_is_drawn_as_a_straight_line():
    sizes = {name: (80.0, 40.0) for name in "abcd"}
    at = layout(sizes, [("a", "b"), ("b", "c"), ("c", "d")])
    assert len({round(x, 3) for x, _ in at.places.values()}) == 1


def test_a_crossing_that_can_be_avoided_is_avoided():
    sizes = {name: (50.0, 30.0) for name in "abxy"}
    at = layout(sizes, [("a", "y"), ("b", "x")])
    assert (at.places["a"][0] < at.places["b"][0]) == (at.places["y"][0] < at.places["x"][0])


def test_leaves_stand_right_above_what_uses_them():
    sizes = {name: (50.0, 30.0) for name in ("x", "h", "y", "w")}
    at = layout(sizes, [("x", "h"), ("h", "y"), ("w", "y")])
    assert at.places["w"][1] == at.places["h"][1]
