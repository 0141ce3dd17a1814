"""The lessons' cells "the same in Keras and in PyTorch", vision: PyTorch gives the lessons' own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_images_and_colour(run, torch_cell):
    name = "2_vision/01_images_and_colour.py"
    left = run(name)
    twin = {key: left[key] for key in ("scene", "weights")}
    exec(torch_cell(name), twin)
    np.testing.assert_allclose(twin["grey"][0].numpy(), left["grey"], rtol=1e-12)


def test_convolution_and_pooling(run, torch_cell):
    name = "2_vision/02_convolution_and_pooling.py"
    left = run(name)
    twin = {key: left[key] for key in ("image", "kernel")}
    exec(torch_cell(name), twin)
    y = left["correlate"](left["image"], left["kernel"], stride=2, padding=1)
    assert y.shape == (4, 4) and y.max() > 1  # there is something to compare
    np.testing.assert_allclose(twin["y"][0, 0].numpy(), y, rtol=1e-12)
    np.testing.assert_allclose(twin["pooled"][0, 0].numpy(), left["pool"](left["image"], 2, np.max))


def test_lenet(run, torch_cell):
    name = "2_vision/03_lenet.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "images", "truth", "C1", "C2")}
    exec(torch_cell(name), twin)
    ours, theirs = left["chances"], twin["logits"].softmax(dim=1).detach().numpy()  # (N, 10) each
    assert ours.max(axis=1).mean() > 0.5  # they say something
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_vgg(run, torch_cell):
    name = "2_vision/04_vgg.py"
    left = run(name)
    twin = {key: left[key] for key in ("plan", "x")}
    exec(torch_cell(name), twin)
    assert twin["count"] == left["count"] == 138_357_544
    assert np.abs(left["by_hand"]).max() > 1  # there is something to compare
    np.testing.assert_allclose(twin["y"].detach().numpy(), left["by_hand"], atol=1e-5)


def test_autoencoder(run, torch_cell):
    name = "2_vision/05_autoencoder.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "x_test")}
    exec(torch_cell(name), twin)
    assert 0 < twin["error"] == pytest.approx(left["error"], rel=1e-5)


def test_denoising(run, torch_cell):
    name = "2_vision/06_denoising_and_super_resolution.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "noisy", "x_test")}
    exec(torch_cell(name), twin)
    assert -10 * np.log10(twin["error"]) == pytest.approx(left["found"], abs=1e-3)


def test_unet(run, torch_cell):
    name = "2_vision/07_unet.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "x_test")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["logits"]) > 1  # there is something to compare
    np.testing.assert_allclose(twin["y"].detach().numpy(), left["logits"], rtol=1e-4, atol=1e-4)
