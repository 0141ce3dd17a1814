"""mg.draw: the graph as a matplotlib figure, with its values and, once they exist, its gradients."""

import importlib
import sys
from itertools import pairwise
from typing import Any

from minigen.backend import xp
from minigen.graph.step import Step
from minigen.trace.boxes import CHARACTER, LINE, PADDING, Box, boxes, brief, joined
from minigen.trace.facts import NOT_YET, Standing, Walk, value
from minigen.trace.layout import Point, layout
from minigen.trace.recorded import called

PIXEL = 1 / 96  # inches
MARGIN = 28.0  # in pixels
FAMILY = "DejaVu Sans Mono"  # ships with matplotlib
INK, QUIET, PAPER, ACCENT = "#1d2127", "#6b7280", "#ffffff", "#5b4bc4"
FILLS = {"op": "#ffffff", "fold": "#f1f0f7", "leaf": "#ece9fb", "constant": "#f0efec"}
EDGES = {"op": "#9aa1ab", "fold": "#5f6672", "leaf": "#8f83d8", "constant": "#b9b6af"}
MEANING = {"op": "operation", "fold": "several, folded", "leaf": "gets a gradient", "constant": "data"}


def draw(loss: Any, *, after: int | Step | None = None) -> Any:
    """A matplotlib figure of the graph that computed `loss`, from its leaves at the top to the loss at the bottom.

    Each box holds a name, the op, the forward value (shape and range of a large one) and the gradient, which is
    "not yet" until backward() has been run; the inner ones are worked out anew then, nothing is written anywhere.
    after: show the gradients as they stand after so many steps of mg.backprop, or after this Step.
    Under mg.watch() everything has its name; without, what the graph kept is shown. More than 50 boxes are folded, by
    module or by what repeats.

    Raises ImportError where matplotlib is missing, TypeError or RuntimeError, as backward() does, where nothing was
    recorded or the graph was released, ValueError for a step that there is not.
    """
    try:
        plt = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise ImportError("draw: wants matplotlib, which is not installed: pip install matplotlib") from None
    whole = xp.ones_like(loss.data) if getattr(loss, "size", 1) != 1 and after is None else None
    walk = Walk(loss, whole, name=called(loss, sys._getframe(1).f_locals))
    gradients = _gradients(walk, after, known=whole is None)
    made = boxes(walk.nodes())
    said = {box.id: gradients.get(box.result.id, "") for box in made}
    forward = {box.id: box.forward(spread=True) for box in made}
    sizes = {box.id: box.size(forward[box.id], said[box.id] and f"grad {said[box.id]}") for box in made}
    arrows = {(source, box.id): count for box in made for source, count in box.sources.items()}
    folds = {box.id for box in made if box.kind == "fold"}
    at = layout(sizes, list(arrows))

    width, height = max(at.width, 420.0) + 2 * MARGIN, at.height + 3 * MARGIN
    figure = plt.figure(figsize=(width * PIXEL, height * PIXEL), facecolor=PAPER, layout="none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    shift = (at.width - width) / 2
    axes.set(xlim=(shift, shift + width), ylim=(height - MARGIN, -MARGIN))
    axes.set_axis_off()
    for (source, target), route in at.routes.items():
        _arrow(axes, route, 1 if folds & {source, target} else arrows[source, target])
    for box in made:
        _box(axes, box, at.places[box.id], sizes[box.id], forward[box.id], said[box.id])
    _legend(axes, (at.width / 2, at.height + 1.1 * MARGIN), [k for k in MEANING if any(b.kind == k for b in made)])
    return figure


def _gradients(walk: Walk, after: int | Step | None, known: bool) -> dict[str, str]:
    """{id: its gradient in words}, after so many steps; by default what the leaves' .grad tells."""
    leaves = {walk.id_of(leaf): leaf.grad for leaf in walk.recorded.leaves()}
    if after is None:
        done = len(walk.steps) if known and all(held is not None for held in leaves.values()) else 0
    else:
        done = after.number if isinstance(after, Step) else after
        if not isinstance(done, int) or not 0 <= done <= len(walk.steps):
            raise ValueError(f"draw: after is a Step, or a number of steps from 0 to {len(walk.steps)}; got {after!r}")
    found: dict[str, list[str]] = {}
    for standing in walk.standings(done, values=3):
        found.setdefault(standing.id, []).append(_said(standing))
    if after is None:
        found |= {
            id: [NOT_YET.text if held is None else brief(value(held), shape=False)] for id, held in leaves.items()
        }
    return {id: joined(texts) for id, texts in found.items()}


def _said(standing: Standing) -> str:
    text = brief(standing.gradient, shape=False)
    partial = standing.gradient.status == "known" and standing.came < standing.consumers
    return f"{text}, {standing.came} of {standing.consumers} in" if partial else text


def _box(axes: Any, box: Box, centre: Point, size: Point, forward: str, gradient: str) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    (x, y), (width, height) = centre, size
    left, top = x - width / 2, y - height / 2
    outline = FancyBboxPatch(
        (left, top), width, height, boxstyle="round,pad=0,rounding_size=7", facecolor=FILLS[box.kind],
        edgecolor=EDGES[box.kind], linewidth=1.6 if box.kind == "fold" else 1.0, zorder=3,
    )  # fmt: skip
    axes.add_patch(outline)
    write = {"family": FAMILY, "va": "center", "ha": "left", "zorder": 5, "parse_math": False}
    rows = [top + 0.7 * PADDING + LINE * (i + 0.5) for i in range(3)]
    start = left + PADDING + 2
    axes.text(start, rows[0], box.name, size=9.5, weight="bold", color=INK, **write)
    axes.text(start + CHARACTER * 1.06 * (len(box.name) + 1), rows[0], box.says, size=9, color=QUIET, **write)
    axes.text(start, rows[1], forward, size=9, color=INK, **write)
    if not gradient:
        return
    if gradient.startswith(NOT_YET.text):
        band = Rectangle((left, rows[2] - LINE / 2), width, top + height - rows[2] + LINE / 2, zorder=4)
        band.set(facecolor="none", edgecolor="#c9c9cf", hatch="/////", linewidth=0.0)
        axes.add_patch(band)
        band.set_clip_path(outline)
        write["bbox"] = {"facecolor": FILLS[box.kind], "edgecolor": "none", "pad": 1.2}
        axes.text(start, rows[2], f"grad {gradient}", size=8.5, color=QUIET, style="italic", **write)
    else:
        axes.text(start, rows[2], "grad", size=9, color=QUIET, **write)
        axes.text(start + 5 * CHARACTER, rows[2], gradient, size=9, color=ACCENT, **write)


def _arrow(axes: Any, route: list[Point], count: int) -> None:
    """A smooth curve through the points of a route: vertical where it meets them."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points, codes = [route[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(route):
        middle = (y0 + y1) / 2
        points += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Path.CURVE4] * 3
    arrow = FancyArrowPatch(path=Path(points, codes), arrowstyle="-|>,head_length=3.2,head_width=1.8", zorder=1)
    arrow.set(color="#9aa1ab", linewidth=1.1)
    axes.add_patch(arrow)
    if count > 1:
        (x, y), from_the_right = route[-1], route[-2][0] > route[-1][0]
        style = {"size": 7.5, "color": QUIET, "family": FAMILY, "va": "center", "zorder": 2}
        axes.text(
            x + (-7 if from_the_right else 7), y - 8, f"x{count}", ha="right" if from_the_right else "left", **style
        )


def _legend(axes: Any, centre: Point, kinds: list[str]) -> None:
    from matplotlib.patches import FancyBboxPatch

    widths = [24 + CHARACTER * 0.9 * len(MEANING[kind]) for kind in kinds]
    x, y = centre[0] - (sum(widths) + 18 * (len(kinds) - 1)) / 2, centre[1]
    for kind, width in zip(kinds, widths, strict=True):
        corners = "round,pad=0,rounding_size=3"
        axes.add_patch(
            FancyBboxPatch((x, y - 5), 15, 10, boxstyle=corners, facecolor=FILLS[kind], edgecolor=EDGES[kind], lw=0.9)
        )
        axes.text(x + 21, y, MEANING[kind], size=8, color=QUIET, family=FAMILY, va="center")
        x += width + 18
