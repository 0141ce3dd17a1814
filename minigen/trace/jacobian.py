"""The local Jacobian of one step: how each entry of the output answers to each entry of one input.

It comes from the op's own gradient line: with an upstream gradient that is 1 at one output entry and 0 elsewhere, what
goes out is that entry's row.
"""

import inspect
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.backend import to_numpy, xp
from minigen.graph import unbroadcast
from minigen.graph.contract import line_of
from minigen.graph.step import Step
from minigen.trace.recorded import upstreams

WHOLE = 8  # rows and columns, up to which the matrix is given whole
PROBED = 8  # rows of a large one that are looked at to tell its structure
ENTRIES = 64 * 64  # up to so many, all rows are looked at
MOST = 4_000_000  # entries looked at of a large one


@dataclass(frozen=True)
class Jacobian:
    """d output / d input, a row for each output entry, a column for each input entry."""

    text: str  # "(4, 4), diagonal: each output depends on its own input alone"
    structure: str  # "zero", "number", "identity", "diagonal", "permutation", "selection", "copies", "blocks", "dense"
    rows: int
    columns: int
    matrix: list[list[float]] | None  # up to 8 x 8


def jacobian(step: Step, name: str) -> Jacobian:
    """The Jacobian of this step's outputs in the input called `name`, whole or, if large, its structure."""
    arrival = next(a for a in step.arrivals if a.input == name)
    shape, outputs = arrival.gradient.shape, _outputs(step)
    rows = sum(math.prod(s) for s, _ in outputs)
    columns = math.prod(shape)
    count = rows if rows * columns <= ENTRIES else max(1, min(rows, PROBED, MOST // columns))
    looked = [i * rows // count for i in range(count)]  # evenly spread
    matrix = np.zeros((count, columns))
    for at, row in enumerate(looked):
        matrix[at] = to_numpy(answer(step, name, _unit(outputs, row), shape)).ravel()
    structure, what = _structure(matrix, np.asarray(looked), rows, [s for s, _ in outputs], shape)
    seen = "" if count == rows else f" (seen from {count} of its {rows} rows)"
    whole = matrix.tolist() if max(rows, columns) <= WHOLE else None
    return Jacobian(f"({rows}, {columns}), {what}{seen}", structure, rows, columns, whole)


def answer(step: Step, name: str, dys: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """The gradient that goes out to the input `name` for other upstream gradients, by the op's own line."""
    op, saved = step.op, step.saved
    k = next(i for i, parent in zip(step.node.plan.wanted, step.arrivals, strict=True) if parent.input == name)
    function = line_of(op, k) or op.joint
    asked = list(inspect.signature(function).parameters)[len(op.upstreams) :]
    wanted = frozenset([k]) if op.variadic else frozenset([name])
    dys = (dys,) if op.outputs and op.outputs[0].startswith("*") else dys
    returned = function(*dys, **{n: wanted if n == "wanted" else saved[n] for n in asked})
    raw = returned if function is not op.joint else returned[k] if isinstance(returned, (tuple, list)) else returned
    return raw if raw.shape == shape else unbroadcast(raw, shape)


def _outputs(step: Step) -> list[tuple[tuple[int, ...], Any]]:
    """(shape, dtype) of each output."""
    return step.node.outputs or [(dy.shape, dy.dtype) for dy in upstreams(step)]


def _unit(outputs: list[tuple[tuple[int, ...], Any]], row: int) -> tuple[Any, ...]:
    """Upstream gradients that are 0 but for a 1 at one entry, counted through all outputs."""
    units = []
    for shape, dtype in outputs:
        size = math.prod(shape)
        unit = xp.zeros(size, dtype=dtype)
        if 0 <= row < size:
            unit[row] = 1
        units.append(unit.reshape(shape))
        row -= size
    return tuple(units)


def _structure(
    matrix: np.ndarray, rows: np.ndarray, total: int, outputs: list[tuple[int, ...]], shape: tuple[int, ...]
) -> tuple[str, str]:
    """A word for the kind of matrix it is, and what that means. `rows`: which of `total` these are."""
    columns = matrix.shape[1]
    filled = matrix != 0
    if not filled.any():
        return "zero", "zero: the output does not react to this input here"
    if total == columns == 1:
        return "number", f"the slope {matrix.flat[0]:.4g}"
    if total == columns and not (filled & (np.arange(columns) != rows[:, None])).any():
        diagonal = matrix[np.arange(len(rows)), rows]
        if (diagonal == diagonal[0]).all() and len(rows) == total:  # of a few rows, relu's could look like it
            scaled = diagonal[0] != 1
            factor = f"{diagonal[0]:.4g} times the identity" if scaled else "the identity"
            return "identity", f"{factor}: each output is its own input" + (", scaled" if scaled else "")
        return "diagonal", "diagonal: each output depends on its own input alone"
    if (filled.sum(axis=1) <= 1).all() and (matrix[filled] == 1).all():
        if (filled.sum(axis=0) > 1).any():
            return "copies", "a single 1 in each row: inputs are copied to several outputs"
        if total == columns and filled.any(axis=1).all():
            return "permutation", "a permutation: every entry moves to another place"
        return "selection", "at most a single 1 in each row and column: outputs are picked from the inputs"
    if len(outputs) == 1 and outputs[0] and shape and outputs[0][0] == shape[0] > 1:  # row by row, as x in x @ w
        n, height, width = shape[0], total // shape[0], columns // shape[0]
        own = np.arange(columns) // width == (rows // height)[:, None]
        if not (filled & ~own).any():
            return (
                "blocks",
                f"block diagonal: {n} blocks of ({height}, {width}), a row of the output from its own row alone",
            )
    if (
        len(outputs) == 1 and outputs[0] and shape and outputs[0][-1] == shape[-1] > 1
    ):  # column by column, as w in x @ w
        n = shape[-1]
        if not (filled & (np.arange(columns) % n != (rows % n)[:, None])).any():
            return (
                "blocks",
                f"{n} blocks of ({total // n}, {columns // n}): a column of the output from its own column alone",
            )
    if (matrix == matrix.flat[0]).all():
        return "dense", f"dense, every entry {matrix.flat[0]:.4g}: all inputs count alike"
    share = f"{filled.mean():.0%}" if filled.all() or filled.mean() < 0.995 else "nearly all"
    return "dense", f"{'dense' if filled.mean() > 0.5 else 'sparse'}: {share} of its entries are not 0"
