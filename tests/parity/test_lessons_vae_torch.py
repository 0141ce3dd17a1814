"""The PyTorch cell of lesson 4.3: the decoder of the convolutional VAE."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_conv_vae(run, torch_cell):
    name = "4_generative/03_conv_vae_and_latents.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "z")}
    exec(torch_cell(name), twin)
    expected = left["vae"].pictures(left["z"])
    assert expected.std() > 0.01  # something is drawn
    np.testing.assert_allclose(twin["letters"].numpy(), expected, rtol=1e-4, atol=1e-5)
