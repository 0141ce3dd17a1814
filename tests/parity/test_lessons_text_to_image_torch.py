"""The cell "the same in Keras and in PyTorch" of lesson 4.17: what the LSTM makes of each caption."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_text_to_image(run, torch_cell):
    name = "4_generative/17_text_to_image.py"
    left = run(name)
    assert all((weight.grad != 0).any() for weight in left["painter"].lstm.parameters())  # it learned, too
    twin = {key: left[key] for key in ("weights", "table")}
    exec(torch_cell(name), twin)
    ours = left["painter"].read(left["table"]).numpy()
    assert np.ptp(ours, axis=0).max() > 0.01  # the captions differ: there is something to compare
    np.testing.assert_allclose(twin["last"][0].detach().numpy(), ours, atol=1e-5)
