"""The PyTorch cells of lessons 4.12 and 4.13, pictures from a layout and from a pose; and what --draw accepts."""

import sys

import numpy as np
import pytest

pytestmark = pytest.mark.torch


def test_layout_to_image(run, torch_cell, tmp_path, capsys):
    name = "4_generative/12_layout_to_image.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "told")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["painted"]) > 0.2  # there is something to compare
    np.testing.assert_allclose(twin["pictures"].numpy(), left["painted"], rtol=1e-4, atol=1e-4)

    read_map, plt = left["read_map"], left["plt"]  # --draw: the map that the lesson writes, and a learner's
    np.testing.assert_array_equal(read_map(tmp_path / "12_map.png"), left["y"][:1])
    assert "note" not in capsys.readouterr().out
    kinds = np.random.default_rng(0).integers(0, 4, size=(32, 32))
    picture = left["palette"][kinds].repeat(5, axis=0).repeat(3, axis=1)  # (160, 96, 3): it need not be square
    picture[:80] = np.clip(picture[:80] + 0.05, 0, 1)  # hardly another colour
    picture[:5, :3] = [1, 0, 1]  # one cell in none of the four
    plt.imsave(tmp_path / "mine.png", picture)
    assert (read_map(tmp_path / "mine.png")[0] != kinds).sum() <= 1
    assert "note: 0.1% of" in capsys.readouterr().out
    plt.imsave(tmp_path / "grey.png", np.zeros((7, 5)), cmap="gray")  # smaller than 32 x 32
    assert read_map(tmp_path / "grey.png").shape == (1, 32, 32)


def test_pose_to_image(run, torch_cell):
    name = "4_generative/13_pose_to_image.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "start", "wanted")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["mended"]) > 0.2
    np.testing.assert_allclose(twin["pictures"].numpy(), left["mended"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.write_text("sky above, sea below"), "no picture that can be read"),
        (lambda path: path.mkdir(), "no picture that can be read"),
    ],
    ids=["missing", "text", "folder"],
)
def test_a_map_that_cannot_be_read_is_a_sentence(run, monkeypatch, tmp_path, make, says):
    path = tmp_path / "map.png"
    make(path)
    monkeypatch.setattr(sys, "argv", ["lesson.py", "--quick", "--draw", str(path)])
    with pytest.raises(SystemExit, match=says):
        run("4_generative/12_layout_to_image.py")
