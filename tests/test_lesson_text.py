"""The options of lesson 3.3: --text with good and bad files, --sample with and without a trained model."""

import os
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import checkpoint, nn
from minigen.cli import main

SPANISH = "El ingenioso hidalgo don Quijote de la Mancha, ¿quién lo leyó con atención? ¡Nadie aún, señor!\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the lessons draw with matplotlib")
    monkeypatch.setenv("MINIGEN_OUTPUT", str(tmp_path / "output"))
    monkeypatch.delenv("MINIGEN_DATA", raising=False)
    return tmp_path


def run(*options):
    return main(["run", "text", "--backend", mg.backend.current(), *options])


def keep_model(folder, name, characters="To be", **weights):
    """A model as the lesson keeps it, untrained."""
    state = {
        f"{layer}.{path}": array
        for layer, module in (
            ("embedding", nn.Embedding(len(characters), 64)),
            ("lstm", nn.LSTM(64, 8)),
            ("readout", nn.Dense(8, len(characters))),
        )
        for path, array in module.state_dict().items()
    }
    (folder / "output").mkdir(exist_ok=True)
    return checkpoint.save(folder / "output" / f"03_text_{name}.npz", state, characters=characters, hidden=8)


def test_a_spanish_file_is_learned_and_the_model_goes_on_from_a_prompt(folder, capsys):
    path = folder / "quijote.txt"
    path.write_text(SPANISH * 110, encoding="utf-8")
    assert run("--quick", "--text", str(path)) == 0
    assert (folder / "output" / "03_text_quijote_quick.npz").is_file()
    capsys.readouterr()
    written = []
    for seed in ("0", "0", "1"):
        assert run("--sample", "¿quién", "--seed", seed) == 0
        written.append(capsys.readouterr().out)
    assert "¿quién" in written[0] and len(written[0]) > 900
    assert written[0] == written[1] != written[2]  # the seed decides


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no file"),
        (b"", "is empty"),
        ("señor".encode("latin-1") * 3000, "is not UTF-8: byte 2"),
        (b"too short", "has 9 characters; a model wants at least 10,000"),
    ],
)
def test_a_file_that_cannot_be_learned_from_is_a_sentence(folder, capsys, content, sentence):
    path = folder / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    assert run("--text", str(path)) == 1
    error = capsys.readouterr().err
    assert sentence in error and "mine.txt" in error and "Traceback" not in error


def test_a_folder_for_a_file_is_a_sentence(folder, capsys):
    assert run("--text", str(folder)) == 1
    assert "there is no file" in capsys.readouterr().err


def test_a_prompt_without_a_trained_model_is_a_sentence(folder, capsys):
    assert run("--sample", "To be") == 1
    assert "There is no trained model yet" in capsys.readouterr().err


def test_a_prompt_with_characters_that_the_model_does_not_know_is_a_sentence(folder, capsys):
    keep_model(folder, "prose")
    assert run("--sample", "To bé") == 1
    error = capsys.readouterr().err
    assert "does not contain ['é'], only 'To be'" in error and "Traceback" not in error


def test_a_damaged_model_is_a_sentence(folder, capsys):
    keep_model(folder, "prose").write_bytes(b"no model")
    assert run("--sample", "To be") == 1
    error = capsys.readouterr().err
    assert "is damaged, or no checkpoint" in error and "Traceback" not in error


def test_the_model_trained_last_writes_unless_a_text_is_named(folder, capsys):
    old, new = keep_model(folder, "tinyshakespeare"), keep_model(folder, "mine_quick")
    os.utime(old, (1, 1))
    os.utime(new, (2, 2))
    assert run("--sample", "To be") == 0
    assert "03_text_mine_quick, temperature 0.5" in capsys.readouterr().out
    assert run("--sample", "To be", "--data", "tinyshakespeare") == 0
    assert "03_text_tinyshakespeare, temperature 0.5" in capsys.readouterr().out
    assert run("--sample", "To be", "--text", str(Path("some") / "mine.txt")) == 0
    assert "03_text_mine_quick" in capsys.readouterr().out


def test_the_coldest_sample_is_the_likeliest_character(folder, capsys):
    path = keep_model(folder, "prose")
    state, notes = checkpoint.load(path)
    state["readout.b"] = mg.asarray(np.array([0, 0, 0, 100, 0], dtype="float32"))  # one of "To be", by far
    checkpoint.save(path, state, **notes)
    assert run("--sample", "To be") == 0
    assert "To be" + "b" * 300 in capsys.readouterr().out
