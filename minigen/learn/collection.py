"""Which exercises there are, and which one a name means."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import minigen
from minigen.learn.exercise import Exercise, ExerciseError, read


class UnknownExerciseError(LookupError):
    """A name that means no exercise, or several; its message says which are near."""


def shipped() -> Path:
    """The folder of our own exercises, beside the package. Raises FileNotFoundError, with a way to get it."""
    folder = Path(minigen.__file__).resolve().parents[1] / "lessons" / "exercises"
    if not folder.is_dir():
        raise FileNotFoundError(
            "this minigen was installed without its exercises. They are in its repository, in the folder "
            'lessons/exercises/: get a checkout, and in it run pip install -e ".[lessons]". '
            "For exercises of your own: --exercises PATH"
        )
    return folder


def paths(where: Path | None = None) -> list[Path]:
    """The exercise files of a folder, or one file; ours by default. Raises FileNotFoundError where there is none."""
    where = shipped() if where is None else where
    if not where.exists():
        raise FileNotFoundError(f"there is no file or folder of exercises {where}")
    found = [where] if where.is_file() else sorted(where.glob("[!_.]*.py"))
    if not found:
        raise FileNotFoundError(f"there is no exercise (a file NUMBER_NAME.py) in {where}")
    return found


def collect(where: Path | None = None) -> list[Exercise]:
    """The exercises of a folder or of one file, in order; ours by default.

    Raises FileNotFoundError where there is none, ExerciseError where one does not have the form.
    """
    found = sorted((read(path) for path in paths(where)), key=lambda e: (e.number, e.name))
    for a in found:
        same = [b.path.name for b in found if b.name == a.name]
        if len(same) > 1:
            raise ExerciseError(f"{' and '.join(same)} have the same name")
    return found


def find(query: str, exercises: Sequence[Exercise]) -> Exercise:
    """The exercise that `query` means: dense_weights, 08, 8, 08_dense_weights, its file, or how it begins.

    Raises UnknownExerciseError, naming the nearest ones, where that is none or several.
    """
    asked = Path(query.lower().replace("\\", "/")).name.removesuffix(".py").replace("-", "_").replace(" ", "_")
    if asked.isdigit():
        matches = [e for e in exercises if e.number == int(asked)]
    else:
        matches = [e for e in exercises if asked in (e.name.lower(), e.path.stem.lower())]
        matches = matches or [
            e for e in exercises if asked and re.match(rf"(\d+_)?{re.escape(asked)}", e.path.stem.lower())
        ]
        matches = matches or [e for e in exercises if asked and asked in e.name.lower()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UnknownExerciseError(f"{query!r} may be {', '.join(e.path.stem for e in matches)}; say which")
    near = difflib.get_close_matches(asked, [e.name for e in exercises], n=3, cutoff=0.4)
    hint = f"the nearest: {', '.join(near)}" if near else "nothing is near it"
    raise UnknownExerciseError(f"there is no exercise {query!r}; {hint}. minigen learn list shows them all")
