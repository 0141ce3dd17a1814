"""The cells "the same in Keras and in PyTorch": the PyTorch form gives the lesson's own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_backprop_by_hand(run, torch_cell):
    name = "1_foundations/04_backprop_by_hand.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "t", "w1", "b1", "w2", "b2")}
    exec(torch_cell(name), twin)
    for parameter, by_hand in zip(("w1", "b1", "w2", "b2"), left["by_hand"], strict=True):
        gradient = twin[parameter].grad.numpy()
        assert np.abs(by_hand).max() > 1e-3  # there is something to compare
        np.testing.assert_allclose(gradient, by_hand, rtol=1e-12, atol=1e-14)
