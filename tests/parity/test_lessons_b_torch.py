"""The cells "the same in Keras and in PyTorch" of lessons 1.5 to 1.7: PyTorch gives the lesson's own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_activations(run, torch_cell):
    name = "1_foundations/05_activations.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "upstream", "he_weights")}
    exec(torch_cell(name), twin)
    ratio = float(twin["sums"][0].grad.norm() / twin["sums"][-1].grad.norm())
    np.testing.assert_allclose(ratio, left["ratios"]["ReLU", "He"], rtol=1e-10)


def test_losses_and_descent(run, torch_cell):
    name = "1_foundations/06_losses_and_descent.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "t", "start")}
    exec(torch_cell(name), twin)
    path = left["paths"]["Adam"]
    assert np.abs(path[20] - path[0]).max() > 1  # it has moved
    np.testing.assert_allclose(twin["p"].detach().numpy(), path[20], rtol=1e-9)


def test_your_own_autograd(run, torch_cell):
    name = "1_foundations/07_your_own_autograd.py"
    left = run(name)
    twin = {key: left[key] for key in ("expression", "values")}
    exec(torch_cell(name), twin)
    for parameter, ours in zip("xwb", left["ours"], strict=True):
        assert abs(ours.grad) > 1
        np.testing.assert_allclose(float(twin[parameter].grad), ours.grad, rtol=1e-12)
