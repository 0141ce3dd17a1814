"""The lessons' cells "the same in Keras and in PyTorch", sequences: PyTorch gives the lessons' own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_rnn_by_hand(run, torch_cell):
    name = "3_sequences/01_rnn_by_hand.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "target", "w_x", "w_h", "b", "w_y", "b_y")}
    exec(torch_cell(name), twin)
    assert np.abs(left["dw_h"]).max() > 1e-3  # there is something to compare
    np.testing.assert_allclose(twin["rnn"].weight_hh_l0.grad.numpy().T, left["dw_h"], rtol=1e-10, atol=1e-13)


def test_lstm_memory(run, torch_cell):
    name = "3_sequences/02_lstm_memory.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "w_x", "w_h", "b")}
    exec(torch_cell(name), twin)
    assert left["c"].std() > 1e-2  # the memories differ: there is something to compare
    np.testing.assert_allclose(twin["c_n"][0].detach().numpy(), left["c"], rtol=1e-4, atol=1e-5)


def test_text(run, torch_cell):
    name = "3_sequences/03_text.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "read", "H")}
    exec(torch_cell(name), twin)
    assert left["expected"].std() > 1  # there is something to compare
    np.testing.assert_allclose(twin["scores"].detach().numpy(), left["expected"], atol=2e-4)


def test_spelled_numbers(run, torch_cell):
    name = "3_sequences/04_spelled_numbers.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "held_ids", "held_mask")}
    exec(torch_cell(name), twin)
    assert 0.2 < left["unseen"] < 1  # the Spanish model's: it was the last
    np.testing.assert_allclose(twin["held_out_nats"].item(), left["unseen"], rtol=1e-4)


def test_names(run, torch_cell):
    name = "3_sequences/05_names.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "held_ids")}
    exec(torch_cell(name), twin)
    assert left["expected"].std() > 1  # there is something to compare
    np.testing.assert_allclose(twin["scores"].detach().numpy(), left["expected"], atol=2e-4)
