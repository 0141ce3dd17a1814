"""The lessons' cells "the same in Keras and in PyTorch", generative: PyTorch gives the lessons' own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_generative_or_discriminative(run, torch_cell):
    name = "4_generative/01_generative_or_discriminative.py"
    left = run(name)
    twin = {key: left[key] for key in ("means", "covariances", "log_prior", "x_test")}
    exec(torch_cell(name), twin)
    np.testing.assert_allclose(twin["log_p"].numpy(), left["log_p"]["real"], rtol=1e-9, atol=1e-9)
    assert (twin["answers"].numpy() == left["joint"].argmax(axis=1)).all()


def test_how_good_is_it(run, torch_cell):
    name = "4_generative/04_how_good_is_it.py"
    left = run(name)
    twin = {key: left[key] for key in ("drawn", "test")}
    exec(torch_cell(name), twin)
    assert 0 < twin["distance"].item() == pytest.approx(left["frechet_of_drawn"])


def test_which_one_when(run, torch_cell):
    name = "4_generative/18_which_one_when.py"
    left = run(name)
    twin = {key: left[key] for key in ("logits", "pixels")}
    exec(torch_cell(name), twin)
    np.testing.assert_allclose(twin["log_p"].numpy(), left["log_p"], rtol=1e-4)
    assert left["log_p"].max() < -1  # there is something to compare
