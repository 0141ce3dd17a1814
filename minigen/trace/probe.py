"""One edge under test: what the gradient line says, and what moving one input a little says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigen.backend import to_numpy, xp
from minigen.check import numerical_gradient
from minigen.graph.contract import Kept
from minigen.graph.step import Step
from minigen.trace.recorded import MISSING, Recorded, upstreams

ENTRIES = 12  # measured of each input
TOLERANCE = {"float64": 1e-6, "float32": 1e-3, "float16": 3e-2}  # of the largest slope


@dataclass(frozen=True)
class Probe:
    """<dy, f(x + h) - f(x - h)> / 2h for some entries of one input, beside what the line says."""

    text: str  # the verdict
    rows: tuple[tuple[str, float, float], ...]  # (entry, by the line, measured)
    agrees: bool


def probe(step: Step, name: str, recorded: Recorded) -> Probe:
    """Measure the slope of <dy, y> in the input `name`, at the recorded inputs, in float64.

    Raises LookupError, with a sentence, where an input was not kept.
    """
    arrays = recorded.inputs(step.node)
    missing = [p for p, array in arrays.items() if array is MISSING]
    if missing:
        raise LookupError(f"{step.op.__name__}: {', '.join(missing)} was not kept; run the forward inside mg.watch()")
    gradient = step.gradients[name]
    x = xp.array(arrays[name], dtype="float64", order="C")
    terms = _terms(step, arrays | {name: x})
    looked = [i * x.size // min(ENTRIES, x.size) for i in range(min(ENTRIES, x.size))]
    slopes = numerical_gradient(terms, x, looked)
    line, measured, kinks = (to_numpy(a).ravel() for a in (gradient, slopes.gradient, slopes.kinks))
    rows = tuple((_entry(i, x.shape), float(line[i]), float("nan") if kinks[i] else float(measured[i])) for i in looked)
    smooth = [(a, n) for _, a, n in rows if n == n]
    largest = max((abs(n) for _, n in smooth), default=0.0)
    off = max((abs(a - n) for a, n in smooth), default=0.0)
    allowed = TOLERANCE.get(str(gradient.dtype), 1e-3) * max(largest, 1e-12)
    kinked = f"; {len(rows) - len(smooth)} at a kink, where there is no slope" if len(smooth) < len(rows) else ""
    verdict = "the line agrees with the measured slope" if off <= allowed else "the line is WRONG here"
    share = off / largest if largest else off
    text = f"{verdict}: off by {share:.0e} of the largest, {len(smooth)} of {x.size} entries measured{kinked}"
    return Probe(text, rows, off <= allowed)


def _terms(step: Step, arrays: dict[str, Any]) -> Callable[[], Any]:
    """What the measured slope is of: the outputs times their upstream gradients, entry by entry."""
    inputs = [_as_float64(a) for a in arrays.values()]
    weights = [None if dy is None else dy.astype("float64") for dy in upstreams(step)]

    def terms() -> Any:
        ys = step.op.forward(*inputs, **step.settings)
        ys = ys.outputs if type(ys) is Kept else ys
        ys = ys if isinstance(ys, (tuple, list)) else (ys,)
        parts = [xp.asarray(y * dy).ravel() for y, dy in zip(ys, weights, strict=True) if dy is not None]
        return xp.concatenate(parts)

    return terms


def _as_float64(a: Any) -> Any:
    floats = getattr(getattr(a, "dtype", None), "kind", "") == "f" and hasattr(a, "shape")
    return a if not floats or a.dtype == "float64" else a.astype("float64")


def _entry(flat: int, shape: tuple[int, ...]) -> str:
    index: list[int] = []
    for n in reversed(shape):
        flat, i = divmod(flat, n)
        index.insert(0, i)
    return f"[{', '.join(map(str, index))}]" if index else ""
