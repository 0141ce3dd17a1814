"""The PyTorch cells of lessons 2.6 and 2.7: the denoising autoencoder and the U-Net."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


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
