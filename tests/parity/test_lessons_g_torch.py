"""The PyTorch cells of the lessons on text, numbers in words and names: they give the lessons' own numbers."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_text(run, torch_cell):
    name = "3_sequences/03_text.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "read", "H")}
    exec(torch_cell(name), twin)
    assert left["expected"].std() > 1  # there is something to compare
    np.testing.assert_allclose(twin["scores"].detach().numpy(), left["expected"], atol=2e-4)


def test_spelled_numbers(run, torch_cell):
    name = "3_sequences/04_spelled_numbers.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "held_ids", "held_mask")}
    exec(torch_cell(name), twin)
    assert 0.2 < left["unseen"] < 1  # the Spanish model's: it was the last
    np.testing.assert_allclose(twin["held_out_nats"].item(), left["unseen"], rtol=1e-4)


def test_names(run, torch_cell):
    name = "3_sequences/05_names.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "held_ids")}
    exec(torch_cell(name), twin)
    assert left["expected"].std() > 1  # there is something to compare
    np.testing.assert_allclose(twin["scores"].detach().numpy(), left["expected"], atol=2e-4)
