"""The option --draw of lesson 4.12: the maps that it reads, and what it says of the others."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import minigen as mg

LESSON = Path(__file__).parents[1] / "lessons" / "4_generative" / "12_layout_to_image.py"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(*options) -> the variables that the lesson leaves behind."""
    plt = pytest.importorskip("matplotlib.pyplot", reason="the lessons draw with matplotlib")
    monkeypatch.setenv("MINIGEN_OUTPUT", str(tmp_path))

    def run_lesson(*options):
        monkeypatch.setattr(sys, "argv", ["lesson.py", "--quick", *options])
        return runpy.run_path(str(LESSON), run_name="__main__")

    yield run_lesson
    plt.close("all")


def test_maps_are_read_whatever_their_size(run, tmp_path, capsys):
    left = run()
    read_map, plt = left["read_map"], left["plt"]
    np.testing.assert_array_equal(mg.to_numpy(read_map(tmp_path / "12_map.png")), mg.to_numpy(left["y"][:1]))
    assert "note" not in capsys.readouterr().out
    kinds = np.random.default_rng(0).integers(0, 4, size=(32, 32))
    picture = left["palette"][kinds].repeat(5, axis=0).repeat(3, axis=1)  # (160, 96, 3): it need not be square
    picture[:80] = np.clip(picture[:80] + 0.05, 0, 1)  # hardly another colour
    picture[:5, :3] = [1, 0, 1]  # one cell in none of the four
    plt.imsave(tmp_path / "mine.png", picture)
    assert (mg.to_numpy(read_map(tmp_path / "mine.png"))[0] != kinds).sum() <= 1
    assert "note: 0.1% of" in capsys.readouterr().out
    plt.imsave(tmp_path / "grey.png", np.zeros((7, 5)), cmap="gray")  # smaller than 32 x 32
    assert read_map(tmp_path / "grey.png").shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.write_text("sky above, sea below"), "no picture that can be read"),
        (lambda path: path.mkdir(), "no picture that can be read"),
    ],
    ids=["missing", "text", "folder"],
)
def test_a_map_that_cannot_be_read_is_a_sentence(run, tmp_path, make, says):
    path = tmp_path / "map.png"
    make(path)
    with pytest.raises(SystemExit, match=says):
        run("--draw", str(path))
