"""The PyTorch cells of lessons 2.4 and 2.5: VGG-16 and batch norm, and the autoencoder."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


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
