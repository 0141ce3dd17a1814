"""The lessons' cells "the same in Keras and in PyTorch": the first step of a GAN (4.5), and the penalty R1 (4.6)."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_gan_2d(run, torch_cell):
    name = "4_generative/05_gan_2d.py"
    left = run(name)
    twin = {key: left[key] for key in ("before", "x", "z")}
    exec(torch_cell(name), twin)
    for loss in ("d_loss", "g_loss"):
        assert twin[loss].item() == pytest.approx(left[loss].item(), rel=1e-4)
    for theirs, ours, old in zip(twin["D"], left["between"][8:], left["before"][8:], strict=True):
        assert np.abs(ours - old).max() > 5e-4  # D's step moved it: there is something to compare
        np.testing.assert_allclose(theirs.detach().numpy(), ours, atol=5e-5)


def test_gan_losses(run, torch_cell):
    name = "4_generative/06_gan_losses.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "x")}
    exec(torch_cell(name), twin)
    assert left["penalty"].item() > 1e-6  # there is something to compare
    assert twin["penalty"].item() == pytest.approx(left["penalty"].item(), rel=1e-4)
    gradient = twin["w1"].grad.numpy()
    np.testing.assert_allclose(gradient, left["d_first"], rtol=1e-3, atol=1e-5 * np.abs(gradient).max())
