"""What the parity tests of the lessons share."""

import re
import runpy
import sys
from pathlib import Path

import pytest

import minigen as mg

LESSONS = Path(__file__).parents[2] / "lessons"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(name) -> the variables that a lesson leaves behind."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    plt = pytest.importorskip("matplotlib.pyplot", reason="the lessons draw with matplotlib")
    if mg.backend.current() != "numpy":
        pytest.skip("the PyTorch cells take NumPy arrays")
    monkeypatch.setenv("MINIGEN_OUTPUT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["lesson.py", "--quick"])
    yield lambda name: runpy.run_path(str(LESSONS / name), run_name="__main__")
    plt.close("all")  # a lesson leaves its figures open, for a notebook; here they would pile up


@pytest.fixture
def torch_cell():
    """torch_cell(name) -> the code block of a lesson that imports torch, out of its comment."""

    def find(name):
        source = (LESSONS / name).read_text(encoding="utf-8")
        blocks = re.findall(r"^# ```python\n(.*?)^# ```$", source, re.MULTILINE | re.DOTALL)
        (block,) = [block for block in blocks if "import torch" in block]
        return re.sub("^# ?", "", block, flags=re.MULTILINE)

    return find
