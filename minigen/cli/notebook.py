"""A lesson as a Jupyter notebook: the percent-format script's cells, in nbformat 4's JSON."""

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minigen.cli.catalogue import FIELDS

MARKER = re.compile(r"^# %%[ \t]*(\[markdown\]|\[md\])?[ \t]*(.*)$")


def write(script: Path, into: Path, *, overwrite: bool = False) -> Path:
    """Write `script` as a notebook of the same name into the folder `into`, and return its path.

    Raises FileExistsError if it is there already, unless overwrite=True: somebody may have worked in it.
    """
    path = into / script.with_suffix(".ipynb").name
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path.name} is there already, perhaps with work of yours; --force overwrites it")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        text = json.dumps(convert(script.read_text(encoding="utf-8")), indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def convert(source: str) -> dict[str, Any]:
    """The notebook, as nbformat 4.5 wants it, of a percent-format script.

    The docstring becomes the first cell, `# %% [markdown]` a text cell without its comment signs, `# %%` a
    code cell; a title after the marker becomes a heading, or a comment. Raises SyntaxError for bad Python.
    """
    cells: list[dict[str, Any]] = []
    for kind, text in _cells(source):
        cell: dict[str, Any] = {"id": f"cell-{len(cells) + 1}", "cell_type": kind, "metadata": {}}
        cells.append({**cell, "source": text.splitlines(keepends=True)})
        if kind == "code":
            cells[-1].update(execution_count=None, outputs=[])
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _cells(source: str) -> Iterator[tuple[str, str]]:
    """(markdown or code, text) of each cell that is not empty."""
    doc = ast.get_docstring(tree := ast.parse(source))
    lines = source.splitlines()
    if doc:
        yield "markdown", _header(doc)
        lines = lines[tree.body[0].end_lineno :]
    kind, block = "code", []
    for line in [*lines, "# %%"]:  # the last one is there to hand out the cell before it
        marker = MARKER.match(line)
        if not marker:
            block.append(re.sub("^# ?", "", line) if kind == "markdown" else line)
            continue
        if text := "\n".join(block).strip("\n"):
            yield kind, text
        kind, title = "markdown" if marker[1] else "code", marker[2]
        block = [("# " if kind == "code" else "## ") + title] if title else []


def _header(doc: str) -> str:
    """The docstring in Markdown: its title as a heading, its fields in bold, each a paragraph."""
    text = re.sub(rf"^({'|'.join(FIELDS)}): *", r"\n**\1.** ", doc, flags=re.MULTILINE)
    title, _, rest = text.partition("\n")
    rest = re.sub(r"\n[ \t]+", "\n", rest)  # an indented line would be shown as code
    return re.sub(r"\n{3,}", "\n\n", f"# {title}\n\n{rest.strip()}").strip()
