"""The calls that a forward makes: what each was given, what it gave, and the source text it came from.

A Watch stands by while forward runs, and is told of every array function called. The first time it writes the calls
down; when forward runs again, it may replace the result of any of them on the way.
"""

import linecache
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from minigen.backend import xp

MOST_CALLS = 600  # of one forward; beyond, it is not watched
LONGEST = 90  # letters of source text that a message quotes


@dataclass
class Call:
    """One call of an array function on the way from the inputs to the outputs."""

    number: int
    name: str  # "tanh", "sum", "matmul"; "index" for a slice
    function: Callable[..., Any]  # on plain arrays
    operands: list[Any]  # copies of what it was given
    keywords: dict[str, Any]
    result: Any  # a copy
    place: tuple[Any, ...]  # where in the source, the same for every pass through a loop
    text: str  # "np.tanh(a + h @ w_h)"
    at: str  # "line 4 of forward"
    elementwise: bool  # whether each entry of the result depends on its own entry of the operands only

    def where(self) -> str:
        """How a message quotes it."""
        return f"`{self.text}` ({self.at})" if self.at else f"`{self.text}`"


Replace = Callable[[Call, list[Any], Any, dict[int, Any]], Any]  # (call, operands now, result now, results so far)


@dataclass
class Watch:
    """One run of forward: the first one, without `base`, or one in which results may be replaced."""

    root: CodeType  # of the function that is watched
    base: list[Call] | None = None  # the calls of the first run
    replace: dict[int, Replace] = field(default_factory=dict)
    keep: frozenset[int] = frozenset()  # the calls whose results are kept, for `replace` to read
    compare: bool = False  # whether to note which operands differ from those of the first run
    calls: list[Call] = field(default_factory=list)
    moved: dict[int, set[int]] = field(default_factory=dict)  # the operands that differ
    results: dict[int, Any] = field(default_factory=dict)
    count: int = 0

    def call(self, name: str, function: Any, operands: list[Any], keywords: dict[str, Any]) -> Any:
        """Compute one call on plain arrays; write it down, or replace its result."""
        result = function(*operands, **keywords)
        if not isinstance(result, (xp.ndarray, xp.generic)) or result.dtype.kind != "f":
            return result
        number, self.count = self.count, self.count + 1
        if self.base is None:
            if number >= MOST_CALLS:
                raise RuntimeError("forward makes too many calls to be watched")
            given = [o.copy() if isinstance(o, xp.ndarray) else o for o in operands]
            elementwise = _is_elementwise(name, function, given, keywords, result)
            source = _source(self.root)
            self.calls.append(Call(number, name, function, given, keywords, result.copy(), *source, elementwise))
        elif number < len(self.base):
            was = self.base[number]
            if self.compare:
                pairs = enumerate(zip(operands, was.operands, strict=True))
                self.moved[number] = {p for p, (now, before) in pairs if _differ(now, before)}
            if number in self.replace:
                result = self.replace[number](was, operands, result, self.results)
            if number in self.keep:
                self.results[number] = result.copy()
        return result


class Nobody:
    """What stands by where nobody watches: calls are made and no more."""

    def call(self, name: str, function: Any, operands: list[Any], keywords: dict[str, Any]) -> Any:
        return function(*operands, **keywords)


_here = threading.local()
_nobody = Nobody()


def watch_here() -> Any:
    """The Watch that stands by in this thread."""
    return getattr(_here, "watch", None) or _nobody


def set_watch(watch: Watch | None) -> None:
    _here.watch = watch


def _differ(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return any(_differ(x, y) for x, y in zip(a, b, strict=False))
    if not isinstance(a, (xp.ndarray, xp.generic)) or a.dtype.kind != "f":
        return False
    return a.shape != b.shape or bool((a != b).any())


def _is_elementwise(name: str, function: Any, operands: list[Any], keywords: Any, result: Any) -> bool:
    """Whether each entry of the result depends on the same entry of the operands, broadcast."""
    if not hasattr(function, "upstreams"):
        is_ufunc = isinstance(getattr(function, "__self__", None), xp.ufunc)
        return name in ("where", "clip") or (is_ufunc and name not in ("matmul", "sum", "max", "min"))
    x = operands[0]  # of an op: try it on the first entry
    if function.broadcast or not isinstance(x, xp.ndarray) or x.shape != result.shape or not x.size:
        return bool(function.broadcast)
    moved = x.copy()
    moved.reshape(-1)[0] += 1e-3
    return not bool((function(moved, *operands[1:], **keywords) != result).ravel()[1:].any())


# ---------------------------------------------------------------------------------------- where a call came from


def _source(root: CodeType) -> tuple[tuple[Any, ...], str, str]:
    """(place, text, "line 4 of forward") of the call being made, in forward or in a function that forward calls."""
    frames: list[FrameType] = []
    frame: Any = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.split(".")[0] != "numpy" and module not in (__name__, "minigen.check.watched_array"):
            frames.append(frame)
        if frame.f_code is root:
            break
        frame = frame.f_back
    else:
        return ("elsewhere",), "forward", ""
    own = [f for f in frames if not f.f_globals.get("__name__", "").startswith("minigen.") or f.f_code is root]
    inner, line = own[0], frames[-1].f_lineno - root.co_firstlineno + 1
    helper = f"in {inner.f_code.co_name}, " if inner is not frames[-1] else ""
    place = tuple((f.f_code, f.f_lasti) for f in frames)
    return place, _text(inner) or inner.f_code.co_name, f"{helper}line {line} of {root.co_name}"


def _text(frame: FrameType) -> str:
    """The source text of the expression that this frame is computing."""
    line, end_line, column, end_column = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    if line is None or end_line is None:
        return ""
    lines = [linecache.getline(frame.f_code.co_filename, i) for i in range(line, end_line + 1)]
    as_bytes = [text.rstrip("\n").encode() for text in lines]  # columns count bytes
    as_bytes[-1] = as_bytes[-1][:end_column]
    as_bytes[0] = as_bytes[0][column:]
    text = " ".join(b.decode(errors="replace").strip() for b in as_bytes)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
