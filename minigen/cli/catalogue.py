"""The lessons that are there: where, what each teaches, and which one a name means."""

import ast
import difflib
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import minigen

FIELDS = ("Goal", "Needs", "Time", "You should see")


class UnknownLessonError(LookupError):
    """A name that means no lesson, or several; its message says which are near."""


@dataclass(frozen=True)
class Lesson:
    """One lesson file, and what its header says (see minigen.cli)."""

    path: Path
    title: str
    header: dict[str, str]  # by FIELDS; "" for what the header leaves out

    @property
    def module(self) -> str:
        """Such as "4_generative"."""
        return self.path.parent.name

    @property
    def stem(self) -> str:
        """Such as "02_vae"."""
        return self.path.stem

    @property
    def name(self) -> str:
        """Such as "vae"."""
        return self.stem.partition("_")[2]

    @property
    def number(self) -> tuple[int, int]:
        """Such as (4, 2)."""
        return int(self.module.partition("_")[0]), int(self.stem.partition("_")[0])

    def __str__(self) -> str:
        return f"{self.name} ({self.number[0]}.{self.number[1]})"


def folder() -> Path:
    """The folder of lessons, beside the package. Raises FileNotFoundError, with a way to get it."""
    lessons = Path(minigen.__file__).resolve().parents[1] / "lessons"
    if not lessons.is_dir():
        raise FileNotFoundError(
            "this minigen was installed without its lessons. They are in its repository, in the folder "
            'lessons/ beside the package: get a checkout, and in it run pip install -e ".[lessons]"'
        )
    return lessons


def lessons() -> list[Lesson]:
    """All lessons that are there, in order."""
    found = [_read(path) for path in folder().glob("[0-9]*_*/[0-9]*_*.py")]
    return sorted(found, key=lambda lesson: lesson.number)


def _read(path: Path) -> Lesson:
    """A lesson, from its header alone: nothing of it is run."""
    try:
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except SyntaxError as error:
        doc = f"(cannot be read: {error.msg}, line {error.lineno})"
    title, header = read_header(doc)
    return Lesson(path, title, header)


def read_header(doc: str) -> tuple[str, dict[str, str]]:
    """The title, the first line, and the text of each of FIELDS, which may go on in indented lines."""
    title, _, rest = doc.strip().partition("\n")
    header = dict.fromkeys(FIELDS, "")
    for field, text in re.findall(rf"^({'|'.join(FIELDS)}): *(.*(?:\n[ \t]+\S.*)*)", rest, re.MULTILINE):
        header[field] = " ".join(text.split())
    return title.strip(), header


def find(query: str) -> Lesson:
    """The lesson that `query` means: vae, 02_vae, 4.2, 4/02, 4_generative/02_vae, a path, or how it begins.

    Raises UnknownLessonError, naming the nearest ones, where that is none or several.
    """
    every = lessons()
    asked = query.lower().replace("\\", "/").replace("-", "_").removesuffix(".py").strip("/")
    if number := re.fullmatch(r"(\d+)[./](\d+)", asked):
        matches = [lesson for lesson in every if lesson.number == (int(number[1]), int(number[2]))]
    else:
        module, _, name = asked.rpartition("/")
        module = module.rpartition("/")[2]  # of a path, the last folder
        inside = [lesson for lesson in every if not module or _means(module, lesson.module)]
        matches = [lesson for lesson in inside if name in (lesson.stem, lesson.name)]
        matches = matches or [lesson for lesson in inside if name and _begins(name, lesson)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UnknownLessonError(f"{query!r} may be {_listed(matches, 'or')}; say which")
    if inside := [lesson for lesson in every if _means(asked, lesson.module)]:
        raise UnknownLessonError(f"{query!r} is a module: say {_listed(inside, 'or')}")
    by_name = {lesson.name: lesson for lesson in every}
    word = asked.rpartition("/")[2].lstrip("0123456789._")
    near = difflib.get_close_matches(word, by_name, n=3, cutoff=0.5)
    near += [name for name in by_name if len(word) > 1 and word in name and name not in near]
    hint = f"the nearest: {_listed([by_name[n] for n in near[:4]], 'or')}" if near else "nothing is near it"
    raise UnknownLessonError(f"there is no lesson {query!r}; {hint}. minigen lessons lists them all")


def _means(asked: str, module: str) -> bool:
    """Whether 4, 4_generative or generative is said of the module 4_generative."""
    number, _, name = module.partition("_")
    return asked in (module, name) or (asked.isdigit() and int(asked) == int(number))


def _begins(asked: str, lesson: Lesson) -> bool:
    return lesson.stem.startswith(asked) or lesson.name.startswith(asked)


def _listed(some: Sequence[Lesson], word: str) -> str:
    names = [str(lesson) for lesson in some]
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else names[0]


def page(some: Sequence[Lesson], width: int | None = None) -> str:
    """The lessons by module: number, name, time; below it title and goal, wrapped to the terminal's width."""
    width = min(width or shutil.get_terminal_size().columns, 100)
    if not some:
        return "There are no lessons yet."
    longest = max(len(lesson.name) for lesson in some)
    out = []
    for module, inside in groupby(some, key=lambda lesson: lesson.module):
        out += [module.replace("_", " "), ""]
        for lesson in inside:
            number = f"{lesson.number[0]}.{lesson.number[1]}"
            time = lesson.header["Time"].rstrip(".")
            text = ". ".join(t.rstrip(".") for t in (lesson.title, _capital(lesson.header["Goal"])) if t) + "."
            out += [f"  {number:<5}{lesson.name:<{longest}}   {time}".rstrip()]
            out += textwrap.wrap(text, width, initial_indent=" " * 7, subsequent_indent=" " * 7)
        out += [""]
    out += ["Run one:         minigen run NAME       (--quick: a first look; --help: its options)"]
    out += ["As a notebook:   minigen notebook NAME"]
    return "\n".join(out)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
