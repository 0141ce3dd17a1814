"""The PyTorch cell of lesson 4.10: a translator with its trained weights."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_cyclegan(run, torch_cell):
    name = "4_generative/10_cyclegan.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "test_grey")}
    exec(torch_cell(name), twin)
    made = left["made_outlines"]
    assert abs(made - left["test_grey"]).mean() > 0.01  # it does translate
    np.testing.assert_allclose(twin["made"].numpy(), made, rtol=1e-4, atol=1e-5)
