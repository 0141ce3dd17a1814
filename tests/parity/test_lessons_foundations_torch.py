"""The lessons' cells "the same in Keras and in PyTorch", foundations: PyTorch gives the lessons' own numbers."""

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


def test_backprop_by_hand(run, torch_cell):
    name = "1_foundations/04_backprop_by_hand.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "t", "w1", "b1", "w2", "b2")}
    exec(torch_cell(name), twin)
    for parameter, by_hand in zip(("w1", "b1", "w2", "b2"), left["by_hand"], strict=True):
        gradient = twin[parameter].grad.numpy()
        assert np.abs(by_hand).max() > 1e-3  # there is something to compare
        np.testing.assert_allclose(gradient, by_hand, rtol=1e-12, atol=1e-14)


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
