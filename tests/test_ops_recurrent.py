"""Recurrent layers: the laws against one step at a time; gate order; what is carried from step to step."""

import numpy as np
import pytest
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import case, normals, sizes

import minigen as mg
from minigen.ops import recurrent
from minigen.threads import set_threads, threads


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + h @ w_h + b)


def gru_step(x, h, w_x, w_h, b, b_n):
    H = h.shape[1]
    a, u = x @ w_x + b, h @ w_h
    r, z = sigmoid(a[:, :H] + u[:, :H]), sigmoid(a[:, H : 2 * H] + u[:, H : 2 * H])
    n = np.tanh(a[:, 2 * H :] + r * (u[:, 2 * H :] + b_n))
    return (1 - z) * n + z * h


def lstm_step(x, h, c, w_x, w_h, b):
    """Gates in the order i, f, g, o."""
    i, f, g, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@st.composite
def layers(draw, op, gates, step):
    """One step and several, one sample and several; the input's size and the state's differ."""
    N, T, D = draw(sizes(1, 2)), draw(sizes(1, 4)), draw(sizes(1, 3))
    H = draw(sizes(1, 3).filter(lambda H: H != D))
    x, w_x, w_h = draw(normals((N, T, D))), draw(normals((D, gates * H))), draw(normals((H, gates * H)))
    states = [draw(normals((N, H))) for _ in range(2 if op is mg.lstm else 1)]
    biases = [draw(normals((gates * H,))), *([draw(normals((H,)))] if op is mg.gru else [])]
    now, hs = tuple(states), []
    for t in range(T):
        now = step(x[:, t], *now, w_x, w_h, *biases)
        now = now if isinstance(now, tuple) else (now,)
        hs.append(now[0])
    return case(op, [x, *states, w_x, w_h, *biases], (np.stack(hs, axis=1), *now[1:]))


CASES = {
    "rnn": layers(mg.rnn, 1, rnn_step),
    "gru": layers(mg.gru, 3, gru_step),
    "lstm": layers(mg.lstm, 4, lstm_step),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


def lstm_inputs(T=5, D=3, H=2, N=4):
    shapes = [(N, T, D), (N, H), (N, H), (D, 4 * H), (H, 4 * H), (4 * H,)]
    rng = np.random.default_rng(0)
    return [mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]


def test_the_initial_states_are_not_swapped():
    """With the forget gate shut and the input gate shut, c0 has no say; with it open, c0 is all there is."""
    x, h0, c0, w_x, w_h, _ = lstm_inputs(T=1)
    closed = mg.asarray(np.repeat([-50.0, -50.0, 0.0, 0.0], 2))
    other = mg.tensor(mg.to_numpy(c0) + 1.0)
    same(mg.lstm(x, h0, c0, w_x, w_h, closed)[1], np.zeros((4, 2)))
    same(mg.lstm(x, h0, other, w_x, w_h, closed)[0], mg.lstm(x, h0, c0, w_x, w_h, closed)[0])
    opened = mg.asarray(np.repeat([-50.0, 50.0, 0.0, 0.0], 2))
    same(mg.lstm(x, h0, c0, w_x, w_h, opened)[1], c0)


def test_the_carry_through_c_reaches_the_first_step():
    """Forget gate open, no recurrent weights: the last c depends on c0 with slope 1, over all five steps."""
    x, h0, c0, w_x, w_h, _ = lstm_inputs(T=5)
    still = mg.tensor(np.zeros((2, 8)))
    opened = mg.asarray(np.repeat([-50.0, 50.0, 0.0, 0.0], 2))
    c_n = mg.lstm(x, h0, c0, w_x, still, opened)[1]
    same(mg.grad(c_n.sum(), c0), np.ones((4, 2)))
    del w_h


@pytest.mark.parametrize("output", [0, 1], ids=["hs", "c_n"])
def test_one_output_alone(output):
    """The other output's upstream gradient is zeros, not missing."""
    inputs = [t.data for t in lstm_inputs(T=3)]
    mg.gradcheck(lambda *inputs: mg.lstm(*inputs)[output], *inputs, most=8)


def test_a_long_sequence_in_pieces_is_the_whole():
    x, h0, c0, w_x, w_h, b = lstm_inputs(T=6)
    whole, c_n = mg.lstm(x, h0, c0, w_x, w_h, b)
    first, c = mg.lstm(x[:, :2], h0, c0, w_x, w_h, b)
    second, c = mg.lstm(x[:, 2:], first[:, -1], c, w_x, w_h, b)
    same(mg.concatenate(first, second, axis=1), whole)
    same(c, c_n)
    for d, wanted in zip(
        mg.grad(second.sum() + c.sum(), [h0, c0, w_h]),
        mg.grad(whole[:, 2:].sum() + c_n.sum(), [h0, c0, w_h]),
        strict=True,
    ):
        same(d, wanted)


def test_only_the_last_state_used():
    """The upstream gradient is 0 at all steps but the last; what comes from the future is kept."""
    N, T, D, H = 2, 4, 3, 2
    rng = np.random.default_rng(0)
    inputs = [mg.asarray(rng.standard_normal(s)) for s in [(N, T, D), (N, H), (D, H), (H, H), (H,)]]
    mg.gradcheck(lambda *inputs: mg.rnn(*inputs)[:, -1], *inputs)


def test_far_out_the_gates_saturate_without_overflow():
    x, h0, c0, w_x, w_h, b = lstm_inputs(T=3)
    hs, c_n = mg.lstm(x * 1e4, h0, c0, w_x, w_h, b)
    (hs.sum() + c_n.sum()).backward()
    assert np.isfinite(mg.to_numpy(hs)).all() and np.isfinite(mg.to_numpy(w_x.grad)).all()


def test_mistakes_are_sentences():
    x, h0, c0, w_x, w_h, b = lstm_inputs()
    with pytest.raises(ValueError, match=r"lstm: h0 has shape \(4, 3\), wants \(4, 2\)"):
        mg.lstm(x, mg.tensor(np.zeros((4, 3))), c0, w_x, w_h, b)
    with pytest.raises(ValueError, match=r"lstm: w_x has shape \(3, 4\), wants \(3, 8\)"):
        mg.lstm(x, h0, c0, mg.tensor(np.zeros((3, 4))), w_h, b)
    with pytest.raises(
        ValueError, match=r"lstm: x has shape \(4, 0, 3\), wants \(N, T, D\) with at least one time step"
    ):
        mg.lstm(mg.tensor(np.zeros((4, 0, 3))), h0, c0, w_x, w_h, b)


# ------------------------------------------------------------------ the kernels, in blocks, in pieces, in two threads

SIZES = [(1, 1, 1, 1), (1, 3, 2, 65), (5, 4, 66, 64), (3, 2, 1, 100), (34, 40, 3, 256), (130, 3, 2, 256)]  # N, T, D, H


@pytest.fixture(params=[True, False], ids=["small products", "whole products"])
def products(request, monkeypatch):
    """As on cores with OpenBLAS's kernel for small products, and as on others."""
    monkeypatch.setattr(recurrent, "small_products", lambda: request.param)
    return request.param


@pytest.fixture
def two_threads():
    before = threads()
    set_threads(2)
    yield
    set_threads(before)


def drawn(op, N, T, D, H, dtype):
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[op]
    states = [(N, H)] * (2 if op == "lstm" else 1)
    shapes = [(N, T, D), *states, (D, gates * H), (H, gates * H), (gates * H,), *([(H,)] if op == "gru" else [])]
    rng = np.random.default_rng(0)
    scale = H**-0.5
    return [mg.tensor((scale * rng.standard_normal(shape)).astype(dtype), requires_grad=True) for shape in shapes]


def outputs_and_gradients(formula, inputs):
    ys = formula(*inputs)
    ys = ys if isinstance(ys, tuple) else (ys,)
    rng = np.random.default_rng(1)
    loss = sum((y * mg.tensor(rng.standard_normal(y.shape).astype(str(y.dtype)))).sum() for y in ys)
    return [mg.to_numpy(v) for v in (*ys, *mg.grad(loss, inputs))]


@pytest.mark.parametrize("op", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_is_the_plain_formula(op, size, dtype, products, two_threads):
    op, inputs = getattr(mg, op), drawn(op, *size, dtype)
    kernel, plain = outputs_and_gradients(op, inputs), outputs_and_gradients(op.plain, inputs)
    for got, wanted in zip(kernel, plain, strict=True):
        assert got.dtype == wanted.dtype == dtype
        np.testing.assert_allclose(
            got, wanted, rtol=0, atol=(3e-6 if dtype == "float32" else 1e-13) * abs(wanted).max()
        )


@pytest.mark.parametrize("op", ["rnn", "gru", "lstm"])
def test_two_threads_give_the_same_bits_every_time(op, two_threads):
    inputs = drawn(op, 34, 10, 3, 256, "float32")
    first, second = (outputs_and_gradients(getattr(mg, op), inputs) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("op", ["rnn", "gru", "lstm"])
def test_backward_leaves_what_forward_kept_as_it_was(op):
    inputs = drawn(op, 2, 3, 2, 4, "float64")
    ys = getattr(mg, op)(*inputs)
    loss = (ys[0] if isinstance(ys, tuple) else ys).sum()
    first = mg.grad(loss, inputs)
    for a, b in zip(first, mg.grad(loss, inputs), strict=True):
        np.testing.assert_array_equal(mg.to_numpy(a), mg.to_numpy(b))


@pytest.mark.parametrize("N, K, H", [(16, 321, 256), (32, 1024, 256), (7, 30, 100), (1, 5, 53), (400, 300, 128)])
def test_blocks_are_small_enough_and_make_up_the_whole(N, K, H, products):
    rng = np.random.default_rng(0)
    a, w = mg.asarray(rng.standard_normal((N, K))), mg.asarray(rng.standard_normal((K, 2 * H)))
    blocks, y = recurrent.in_blocks(w, 2, N), mg.asarray(np.empty((2, N, H)))
    recurrent.multiply(a, blocks, out=y)
    np.testing.assert_allclose(np.concatenate(list(mg.to_numpy(y)), axis=1), mg.to_numpy(a @ w), atol=1e-4)
    count, width = blocks.shape[1], blocks.shape[3]
    assert count == 1 or (products and 16 <= width <= 64 and N * K * width <= 1_000_000)


def test_an_empty_batch():
    inputs = drawn("lstm", 0, 3, 2, 4, "float32")
    hs, c_n = mg.lstm(*inputs)
    assert hs.shape == (0, 3, 4) and c_n.shape == (0, 4)
    assert not mg.to_numpy(mg.grad(hs.sum() + c_n.sum(), inputs)[4]).any()
