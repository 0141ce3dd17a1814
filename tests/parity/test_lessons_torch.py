"""The cells "the same in Keras and in PyTorch": the PyTorch form gives the lesson's own numbers."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import minigen as mg

LESSONS = Path(__file__).parents[2] / "lessons"
pytestmark = pytest.mark.torch


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(name) -> the variables that a lesson leaves behind."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("matplotlib", reason="the lessons draw with matplotlib")
    if mg.backend.current() != "numpy":
        pytest.skip("the PyTorch cells take NumPy arrays")
    monkeypatch.setenv("MINIGEN_OUTPUT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["lesson.py", "--quick"])
    return lambda name: runpy.run_path(str(LESSONS / name), run_name="__main__")


def torch_cell(name):
    """The code block of a lesson that imports torch, out of its comment."""
    source = (LESSONS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^# ```python\n(.*?)^# ```$", source, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if "import torch" in block]
    return re.sub("^# ?", "", block, flags=re.MULTILINE)


def test_backprop_by_hand(run):
    name = "1_foundations/04_backprop_by_hand.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "t", "w1", "b1", "w2", "b2")}
    exec(torch_cell(name), twin)
    for parameter, by_hand in zip(("w1", "b1", "w2", "b2"), left["by_hand"], strict=True):
        gradient = twin[parameter].grad.numpy()
        assert np.abs(by_hand).max() > 1e-3  # there is something to compare
        np.testing.assert_allclose(gradient, by_hand, rtol=1e-12, atol=1e-14)
