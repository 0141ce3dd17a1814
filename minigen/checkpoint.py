"""Saving and loading: arrays and JSON in one .npz file, never a pickle, and never half a file."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from minigen.backend import asarray, to_numpy

_NOTES = "notes.json"  # the entry that holds what is no array


def save(path: str | os.PathLike[str], arrays: dict[str, Any], **notes: Any) -> Path:
    """Write arrays, as from a state_dict(), and notes (numbers, strings, lists: what JSON holds) to a file.

    The file is written beside `path` and then replaces it: an interruption leaves the old one whole. Returns the path.
    Raises ValueError for what is no array of numbers.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    entries: dict[str, Any] = {name: to_numpy(array) for name, array in arrays.items()}
    if _NOTES in entries:
        raise ValueError(f"save: {_NOTES!r} is taken for the notes; give that array another name")
    for name, array in entries.items():
        if array.dtype.hasobject:
            raise ValueError(f"save: {name} is of type {type(arrays[name]).__name__}, wants an array of numbers")
    entries[_NOTES] = np.frombuffer(json.dumps(notes).encode(), dtype=np.uint8)
    try:
        with zipfile.ZipFile(part, "w") as archive:  # what numpy.savez does, and it may not pickle
            for name, array in entries.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(arrays on the backend in use, notes) from a file that `save` wrote.

    Raises FileNotFoundError for no file there, ValueError for one that is damaged or not a checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            entries = {name: stored[name] for name in stored.files}
        notes = json.loads(entries.pop(_NOTES).tobytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"load: there is no file {path}") from None
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, AttributeError) as error:
        raise ValueError(f"load: {path} is damaged, or no checkpoint of minigen's ({error})") from error
    return {name: asarray(array) for name, array in entries.items()}, notes
