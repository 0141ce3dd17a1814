"""Other sizes of the same configuration: what a dimension is called, and the case with it made smaller.

Axes of equal length that forward wants to be equal are one dimension: x (7, 5) and w (5, 3) have the dimensions 7, 5
and 3, and 5 is resized in both. Which axes belong together is found by trying: those that forward still runs with.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.subject import is_float, is_index

MOST_TOGETHER = 5  # axes of one length, up to which all their subsets are tried


@dataclass(frozen=True)
class Dimension:
    """One length of a configuration, and every place where it occurs."""

    length: int
    axes: tuple[tuple[int, int, int], ...]  # (input, axis, how many blocks of `length` the axis holds)
    role: str  # "batch", "time", "window", "features", ""
    label: str  # "the batch size (axis 0 of x)"
    symbol: str  # "N" where the docstring says so, else the length itself

    def resized(self, case: Case, length: int) -> Case | None:
        """The case with this dimension made so long, or None where forward does not run with it."""
        return case.variant(_resized(case.inputs, self.axes, self.length, length))


def dimensions(case: Case) -> list[Dimension]:
    """The dimensions of a case, those of the first input first."""
    if "dimensions" not in case.memo:
        case.memo["dimensions"] = list(_dimensions(case))
    return case.memo["dimensions"]


def _dimensions(case: Case) -> Iterator[Dimension]:
    taken: set[tuple[int, int]] = set()
    places = [(k, axis) for k, x in enumerate(case.inputs) for axis in range(getattr(x, "ndim", 0))]
    for k, axis in places:
        length = case.inputs[k].shape[axis]
        if length < 2 or (k, axis) in taken:
            continue
        axes = _together(case, (k, axis), length, [p for p in places if p not in taken])
        if axes is None:
            continue
        taken |= {(i, a) for i, a, _ in axes}
        yield Dimension(length, axes, *_described(case, axes, length))


def _together(case: Case, first: tuple[int, int], length: int, places: list[tuple[int, int]]) -> Any:
    """The fewest axes that have to be resized with `first` for forward to run: of the same length, or a multiple of it.

    Tried with one entry more (the first one again), for a length of 1 would be broadcast where it does not belong.
    """
    sizes = {p: case.inputs[p[0]].shape[p[1]] for p in places}
    equal = [p for p in places if p != first and sizes[p] == length]
    multiples = [p for p in places if sizes[p] > length and sizes[p] % length == 0 and p[0] != first[0]]
    most = len(equal) if len(equal) <= MOST_TOGETHER else 0
    candidates = [s for n in range(most + 1) for s in itertools.combinations(equal, n)]
    candidates += [tuple(equal), (*equal, *multiples), tuple(multiples)]
    for others in dict.fromkeys(candidates):
        axes = tuple((i, a, sizes[i, a] // length) for i, a in sorted((first, *others)))
        if case.variant(_resized(case.inputs, axes, length, length + 1)) is not None:
            return axes
    return None


def _resized(inputs: list[Any], axes: Any, old: int, new: int) -> list[Any]:
    """The inputs with these axes of another length (in each of their blocks), and indices held within it."""
    inputs = list(inputs)
    for k, axis, blocks in axes:
        chosen = [b * old + i % old for b in range(blocks) for i in range(new)]
        inputs[k] = xp.ascontiguousarray(xp.take(inputs[k], xp.asarray(chosen), axis=axis))
    for k, x in enumerate(inputs):
        if is_index(x) and x.ndim and x.size and new < old and int(x.max()) < old:
            inputs[k] = xp.where(x < new, x, x % new).astype(x.dtype)
    return inputs


def _described(case: Case, axes: Any, length: int) -> tuple[str, str, str]:
    """(role, label, symbol) of a dimension."""
    k, axis, _ = axes[0]
    x, name = case.inputs[k], case.names[k]
    where = f"axis {axis} of {name}" if x.ndim > 1 else f"the length of {name}"
    symbol = symbols(case).get((name, axis), "")
    resized = case.variant(_resized(case.inputs, axes, length, length + 1))
    y, y_more = case.outputs[0], resized.outputs[0] if resized else case.outputs[0]
    moved = [i for i in range(y.ndim) if y_more.ndim == y.ndim and y_more.shape[i] != y.shape[i]]
    if any(y_more.shape[i] < y.shape[i] for i in moved):
        return "window", f"the size of the window ({where})", symbol
    if not is_float(x) or k > 0:
        return "", where, symbol
    if axis == 0 and x.ndim > 1 and (0 in moved or not y.ndim):
        return "batch", f"the batch size ({where})", symbol
    if x.ndim == 3 and axis == 1 and symbol in ("T", "S", "L", "") and y.ndim > 1 and 1 in moved:
        return "time", f"the number of time steps ({where})", symbol
    if not moved and y.ndim:
        return "reduced", f"{where}, which forward reduces", symbol
    if axis == x.ndim - 1 and x.ndim > 1:
        return "features", f"the number of {'channels' if x.ndim == 4 else 'features'} ({where})", symbol
    return "", where, symbol


def symbols(case: Case) -> dict[tuple[str, int], str]:
    """What the docstring calls each axis: "x (N, D)" names the axes of x."""
    found: dict[tuple[str, int], str] = {}
    for name in case.names:
        match = re.search(rf"(?<![\w.]){re.escape(name)} \(([\w, ]+)\)", case.subject.docstring)
        if match:
            parts = [p.strip() for p in match[1].split(",") if p.strip()]
            if len(parts) == getattr(case.x(name), "ndim", -1):
                found |= {(name, i): p for i, p in enumerate(parts)}
    return found


# ---------------------------------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Setting:
    """One number among the settings, or inside a dict that is an input (conv_param["stride"])."""

    name: str
    value: Any
    place: tuple[Any, ...]  # ("settings", name) or ("input", k, key)

    def changed(self, case: Case, value: Any) -> tuple[list[Any], dict[str, Any]]:
        """The inputs and settings with another value in this place."""
        inputs, settings = list(case.inputs), dict(case.settings)
        if self.place[0] == "settings":
            settings[self.place[1]] = value
        elif len(self.place) == 2:
            inputs[self.place[1]] = value
        else:
            inputs[self.place[1]] = {**inputs[self.place[1]], self.place[2]: value}
        return inputs, settings


def settings(case: Case) -> list[Setting]:
    """The settings of a case, those left to their defaults included."""
    found = [Setting(n, v, ("settings", n)) for n, v in {**case.subject.defaults, **case.settings}.items()]
    found = [s for s in found if s.name not in case.names]
    for k, x in enumerate(case.inputs):
        if isinstance(x, dict):
            found += [Setting(str(key), v, ("input", k, key)) for key, v in x.items()]
        elif isinstance(x, (bool, int, float, str)):
            found.append(Setting(case.names[k], x, ("input", k)))
    return [s for s in found if isinstance(s.value, (bool, int, float, str, tuple))]


def smaller(case: Case) -> Iterator[tuple[str, str, str, Case]]:
    """Configurations with one thing simpler, each as (kind, what was changed, how it reads now, case)."""
    for s in settings(case):
        for value in _simpler(s):
            variant = case.variant(*s.changed(case, value))
            if variant is not None:
                yield "setting", s.name, f"{s.name}={value!r}", variant
    windows = [d for d in dimensions(case) if d.role == "window"]
    if len(windows) > 1:
        narrow: Case | None = case
        for d in windows:
            narrow = d.resized(narrow, 1) if narrow else None
        if narrow is not None:
            yield "window", "window", "a window of 1", narrow
    for d in dimensions(case):
        variant = d.resized(case, 1)
        if variant is not None:
            yield d.role or "dimension", d.label, f"{d.symbol or d.label} = 1", variant


def _simpler(s: Setting) -> list[Any]:
    """Simpler values of a setting: 0 and 1 for whole numbers, and a stride so wide that windows do not overlap."""
    if isinstance(s.value, bool) or not isinstance(s.value, (int, tuple)):
        return []
    if isinstance(s.value, tuple):
        if not all(type(v) is int for v in s.value):
            return []
        return [v for v in (tuple(0 for _ in s.value), tuple(1 for _ in s.value)) if v != s.value]
    wide = [3, 5] if "stride" in s.name.lower() else []
    return [v for v in (0, 1, *wide) if v != s.value]
