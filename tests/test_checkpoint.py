"""Saving and loading: what comes back is what went in, and a file is whole or not there."""

import json
import zipfile

import numpy as np
import pytest

import minigen as mg
from minigen import checkpoint, nn, optim


def trained():
    model = nn.Sequential(nn.Dense(3, 4), nn.BatchNorm(4), nn.Dense(4, 2, bias=False))
    adam = optim.Adam(model.parameters(), lr=0.01)
    step(model, adam)
    return model, adam


def step(model, adam):
    x = mg.asarray(np.random.default_rng(0).standard_normal((5, 3)).astype("float32"))
    adam.zero_grad()
    (model(x) ** 2).sum().backward()
    adam.step()


def test_a_run_goes_on_from_a_file_as_if_it_had_not_stopped(tmp_path):
    model, adam = trained()
    checkpoint.save(tmp_path / "model.npz", model.state_dict(), epoch=3, losses=[0.5, 0.25], name="run é")
    checkpoint.save(tmp_path / "adam.npz", adam.state_dict())
    step(model, adam)

    again, its_adam = trained()
    state, notes = checkpoint.load(tmp_path / "model.npz")
    assert notes == {"epoch": 3, "losses": [0.5, 0.25], "name": "run é"}
    assert all(isinstance(array, mg.xp.ndarray) for array in state.values())
    again.load_state_dict(state)
    its_adam.load_state_dict(checkpoint.load(tmp_path / "adam.npz")[0])
    step(again, its_adam)
    for name, array in model.state_dict().items():
        assert np.array_equal(mg.to_numpy(array), mg.to_numpy(again.state_dict()[name])), name


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_arrays_come_back_as_they_were_under_any_name(tmp_path, dtype, shape):
    array = mg.asarray(np.ones(shape, dtype))
    names = ["w", "layers.0.w", "file", "args", "allow_pickle"]  # the last ones are also parameters of numpy.savez
    found, notes = checkpoint.load(checkpoint.save(tmp_path / "a.npz", dict.fromkeys(names, array)))
    assert list(found) == names and notes == {}
    for back in found.values():
        assert (back.dtype, back.shape) == (array.dtype, array.shape) and bool((back == array).all())


def test_what_cannot_be_saved_leaves_the_old_file_whole_and_nothing_beside_it(tmp_path):
    path = checkpoint.save(tmp_path / "a.npz", {"w": mg.asarray([1.0])})
    with pytest.raises(ValueError, match="save: b is of type NoneType, wants an array of numbers"):
        checkpoint.save(path, {"w": mg.asarray([2.0]), "b": None})
    with pytest.raises(TypeError):
        checkpoint.save(path, {"w": mg.asarray([2.0])}, model=object())
    with pytest.raises(ValueError, match="taken for the notes"):
        checkpoint.save(path, {"notes.json": mg.asarray([2.0])})
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]
    assert checkpoint.load(path)[0]["w"].tolist() == [1.0]


def test_a_damaged_file_or_another_one_is_refused_by_name(tmp_path):
    whole = checkpoint.save(tmp_path / "whole.npz", {"w": mg.asarray(np.arange(1000.0))}).read_bytes()
    for name, content in (("cut.npz", whole[:-500]), ("empty.npz", b""), ("text.npz", b"no checkpoint at all")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"load: .*{name} is damaged, or no checkpoint"):
            checkpoint.load(tmp_path / name)
    np.savez(tmp_path / "other.npz", w=np.ones(2))
    with pytest.raises(ValueError, match=r"other\.npz is damaged, or no checkpoint"):
        checkpoint.load(tmp_path / "other.npz")


def test_a_checkpoint_holds_arrays_and_json(tmp_path):
    path = checkpoint.save(tmp_path / "a.npz", {"w": mg.asarray([1.0])}, epoch=1)
    with np.load(path, allow_pickle=False) as stored:
        assert json.loads(stored["notes.json"].tobytes()) == {"epoch": 1}
    assert zipfile.ZipFile(path).namelist() == ["w.npy", "notes.json.npy"]
