"""The cells "the same in Keras and in PyTorch" of the lessons on sequences: recurrent networks and memory."""

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
