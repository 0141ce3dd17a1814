"""mg.save_steps and mg.show_steps: backprop as a page of its own, to step through in a browser or a notebook."""

import html
import json
import math
import os
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from minigen.trace.boxes import Box, boxes, brief, joined
from minigen.trace.facts import NOT_YET, Value, Walk
from minigen.trace.layout import Point, layout
from minigen.trace.recorded import called

ENTRIES = ((60, 1024), (300, 256))  # in a walk of up to so many steps, arrays of up to so many entries are shown ...
FEWEST = 64  # ... and in a longer one
DIGITS = 7  # of the numbers on the page


class Steps:
    """A walk through backprop as a page. In a notebook it shows itself; save(path) writes it to a file."""

    def __init__(self, walk: Walk) -> None:
        self.count = len(walk.steps)
        self.html = _page(walk)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to one file that needs no other and no network. Returns its path.

        It is written beside `path` and then replaces it: an interruption leaves what was there whole.
        """
        path = Path(path)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.write_text(self.html, encoding="utf-8")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def __repr__(self) -> str:
        return (
            f"<Steps: {self.count} of them, a page of {len(self.html) / 1e3:.0f} kB; .save(path) writes it to a file>"
        )

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        style = "width: 100%; height: 680px; border: 1px solid #8884; border-radius: 8px"
        return (
            f'<iframe srcdoc="{page}" title="Backprop, step by step" sandbox="allow-scripts" style="{style}"></iframe>'
        )


def show_steps(loss: Any, *, upstream: Any = None) -> Steps:
    """Backprop of `loss` as a page to step through, for a notebook: as the last line of a cell it shows itself.

    Arguments and errors as of mg.save_steps.
    """
    name = called(loss, sys._getframe(1).f_locals)
    return Steps(Walk(loss, upstream, name=name))


def save_steps(loss: Any, path: str | os.PathLike[str], *, upstream: Any = None) -> Path:
    """Write backprop of `loss` as one HTML file that needs no network: to step through, to print, to hand on.

    It shows the graph and, for each step of mg.backprop, the op and its formula, the gradient that came in, the
    gradient lines in symbols and with numbers, the local Jacobian, and what goes out and adds up. "Not computed yet"
    is hatched. Nothing is changed by looking: no `.grad` is written, the graph is kept. Run the forward inside
    mg.watch() to see names, source lines and all values. Arrays of up to 1,024 entries are shown whole (fewer in a
    walk of more than 60 steps), of larger ones the least, the mean and the greatest.

    upstream: for a loss of more than one number, as in mg.backprop.
    Raises TypeError or RuntimeError, as backward() does, where nothing was recorded; OSError where the file cannot be
    written. Returns the path.
    """
    name = called(loss, sys._getframe(1).f_locals)
    return Steps(Walk(loss, upstream, name=name)).save(path)


def _page(walk: Walk) -> str:
    """The template with style, script and the walk put in."""
    here = files("minigen.trace")
    read = {name: (here / f"page.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    told = json.dumps(contents(walk), allow_nan=False, separators=(",", ":"))
    told = told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")  # it cannot end its script tag
    title = html.escape(f"Backprop of {walk.recorded.name(walk.loss.origin or walk.loss) or 'loss'}")
    parts = {"title": title, "style": read["css"], "walk": told, "script": read["js"]}
    return re.sub("<!--(title|style|walk|script)-->", lambda found: parts[found[1]], read["html"])


def contents(walk: Walk) -> dict[str, Any]:
    """What the page knows, as JSON: all facts, the arrays each once ("values"), and where the boxes are."""
    steps = len(walk.steps)
    told = walk.as_json(values=next((entries for most, entries in ENTRIES if steps <= most), FEWEST))
    table: dict[str, int] = {}
    values: list[dict[str, Any]] = []

    def shared(part: Any) -> Any:
        """The same facts, with the place in `values` where an array was."""
        if isinstance(part, dict) and part.keys() == Value.__dataclass_fields__.keys():
            known = {k: _rounded(v) for k, v in part.items()} | {"brief": brief(Value(**part), shape=False)}
            key = json.dumps(known)
            if key not in table:
                table[key] = len(values)
                values.append(known)
            return table[key]
        if isinstance(part, dict):
            return {k: shared(v) for k, v in part.items()}
        return [shared(v) for v in part] if isinstance(part, (list, tuple)) else _rounded(part)

    shared(NOT_YET.__dict__)
    return {
        **{key: shared(facts) for key, facts in told.items()},
        "title": walk.recorded.name(walk.loss.origin or walk.loss) or "loss",
        "values": values,
        **_map(walk),
    }


def _map(walk: Walk) -> dict[str, Any]:
    """Where the boxes of the graph are, and the arrows between them."""
    made = boxes(walk.nodes())
    final: dict[str, list[str]] = {}
    for standing in walk.standings(len(walk.steps), values=3):
        some = f", {standing.consumers - 1} of {standing.consumers} in" if standing.consumers > 1 else ""
        final.setdefault(standing.id, []).append(f"grad {brief(standing.gradient, shape=False)}{some}")
    sizes = {box.id: box.size(box.forward(spread=False), _gradient(box, final)) for box in made}
    arrows = {(source, box.id): count for box in made for source, count in box.sources.items()}
    folds = {box.id for box in made if box.kind == "fold"}
    at = layout(sizes, list(arrows))
    return {
        "width": round(at.width),
        "height": round(at.height),
        "boxes": [_told(box, at.places[box.id], sizes[box.id]) for box in made],
        "arrows": [
            {"from": a, "to": b, "count": 1 if folds & {a, b} else count, "points": _tenths(at.routes[a, b])}
            for (a, b), count in arrows.items()
        ],
    }


def _gradient(box: Box, final: dict[str, list[str]]) -> str:
    """The longest that its line for the gradient will become."""
    if box.kind == "constant":
        return ""
    if box.kind == "fold":
        return "000 of 000 ops done"
    texts = final.get(box.id, [])
    return max(
        "grad not yet", joined(texts) if len(texts) < 2 else f"grad {len(texts)} of {len(texts)} outputs", key=len
    )


def _told(box: Box, centre: Point, size: Point) -> dict[str, Any]:
    return {
        "id": box.id,
        "kind": box.kind,
        "name": box.name,
        "says": box.says,
        "forward": box.forward(spread=False),
        "ops": [node.id for node in box.nodes if node.kind == "op"],
        "holds": [node.id for node in box.nodes],
        **dict(zip(("x", "y", "width", "height"), (round(n, 1) for n in (*centre, *size)), strict=True)),
    }


def _tenths(points: list[Point]) -> list[Point]:
    return [(round(x, 1), round(y, 1)) for x, y in points]


def _rounded(v: Any) -> Any:
    """Numbers with as many digits as are worth their place; nan and inf as strings, as JSON has no such numbers."""
    if isinstance(v, (list, tuple)):
        return [_rounded(part) for part in v]
    if not isinstance(v, float):
        return v
    return float(f"{v:.{DIGITS}g}") if math.isfinite(v) else str(v)
