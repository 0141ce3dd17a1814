"""The PyTorch cells of the lessons 1.1 to 1.3: they give the lessons' own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_threshold_neuron(run, torch_cell):
    name = "1_foundations/01_threshold_neuron.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "w_both", "b_and")}
    exec(torch_cell(name), twin)
    assert left["y_and"].tolist() == [False, False, False, True]
    np.testing.assert_array_equal(twin["y"].numpy().ravel(), left["y_and"])


def test_perceptron(run, torch_cell):
    name = "1_foundations/02_perceptron.py"
    left = run(name)
    twin = {key: left[key] for key in ("np", "x", "t", "orders", "mistakes")}
    exec(torch_cell(name), twin)
    w, b = left["after"][-1]
    assert np.abs(w).min() > 0.1  # there is something to compare
    np.testing.assert_allclose(twin["neuron"].weight.detach().numpy().ravel(), w, rtol=1e-12)
    np.testing.assert_allclose(twin["neuron"].bias.item(), b, rtol=1e-12)


def test_layers_as_matrices(run, torch_cell):
    name = "1_foundations/03_layers_as_matrices.py"
    left = run(name)
    twin = {key: left[key] for key in ("corners", "v1", "c1", "v2", "c2")}
    exec(torch_cell(name), twin)
    slopes = left["slopes"].ravel()
    assert np.abs(slopes).min() > 1e-3  # there is something to compare
    np.testing.assert_allclose(twin["x"].grad.numpy(), slopes, rtol=1e-12)
