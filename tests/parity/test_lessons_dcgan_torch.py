"""The PyTorch cells of lessons 4.7 and 4.8: a generator's first drawings, a labelled discriminator's first loss."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_dcgan(run, torch_cell):
    name = "4_generative/07_dcgan.py"
    left = run(name)
    twin = {key: left[key] for key in ("before", "z_first", "S")}
    exec(torch_cell(name), twin)
    ours = left["first"].numpy()  # before any step
    assert ours.std() > 0.1  # there is something to compare
    np.testing.assert_allclose(twin["fake"].numpy(), ours, atol=1e-5)


def test_conditional_gan(run, torch_cell):
    name = "4_generative/08_conditional_gan.py"
    left = run(name)
    twin = {key: left[key] for key in ("first", "x", "label", "half")} | {"fake": left["fake"].numpy()}
    exec(torch_cell(name), twin)
    assert twin["d_loss"].item() == pytest.approx(left["d_loss"].item(), rel=1e-4)
