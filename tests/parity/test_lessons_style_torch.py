"""The PyTorch cells of lessons 4.9 and 4.11: the fade-in of the GAN that grows, and a layer with a style."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_progressive_gan(run, torch_cell):
    name = "4_generative/09_progressive_gan.py"
    left = run(name)
    twin = {key: left[key] for key in ("h", "weights")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["mixed"]) > 0.1  # there is something to compare
    np.testing.assert_allclose(twin["mixed"].permute(0, 2, 3, 1).numpy(), left["mixed"], atol=1e-5)


def test_style_gan(run, torch_cell):
    name = "4_generative/11_style_gan.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "w", "noise", "weights")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["styled"]) > 0.1
    np.testing.assert_allclose(twin["styled"].permute(0, 2, 3, 1).numpy(), left["styled"], rtol=1e-4, atol=1e-4)
