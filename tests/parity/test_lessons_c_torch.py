"""The cells "the same in Keras and in PyTorch" of lessons 1.8 to 1.10: the PyTorch form gives the lesson's numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_gradient_checking(run, torch_cell):
    name = "1_foundations/08_gradient_checking.py"
    left = run(name)
    twin = {key: left[key] for key in ("y", "dy")}
    exec(torch_cell(name), twin)  # asserts PyTorch's own gradcheck, too
    right = left["backwards"]["right"](left["dy"])
    assert np.abs(right).max() > 1e-2  # there is something to compare
    np.testing.assert_allclose(twin["x"].grad.numpy(), right, rtol=1e-12, atol=1e-14)


def test_overfitting(run, torch_cell):
    name = "1_foundations/09_overfitting.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "y", "weights", "strength")}
    exec(torch_cell(name), twin)
    assert left["total"] > 0.5 and twin["penalty"].item() > 0.1  # both terms count
    np.testing.assert_allclose(twin["loss"].item(), left["total"], rtol=1e-5)


def test_why_does_it_not_learn(run, torch_cell):
    name = "1_foundations/10_why_does_it_not_learn.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "t", "Sound")}
    exec(torch_cell(name), twin)
    losses = left["Sound"]().train_on([(left["x"], left["t"])] * 200)
    assert losses[-1] < 0.1 < 2 < losses[0]
    np.testing.assert_allclose(twin["losses"], losses, rtol=1e-2)  # 200 steps in float32
