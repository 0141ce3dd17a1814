"""The PyTorch cell of lesson 4.4: the Frechet distance of the drawn digits."""

import pytest

pytestmark = pytest.mark.torch


def test_how_good_is_it(run, torch_cell):
    name = "4_generative/04_how_good_is_it.py"
    left = run(name)
    twin = {key: left[key] for key in ("drawn", "test")}
    exec(torch_cell(name), twin)
    assert 0 < twin["distance"].item() == pytest.approx(left["frechet_of_drawn"])
