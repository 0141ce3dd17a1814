"""Simplify the configuration until the gradient is right: what it passes at names the cause."""

from collections.abc import Iterator

from minigen.check.case import Case
from minigen.check.explanations.location import location
from minigen.check.explanations.place import rearranged
from minigen.check.explanations.ratio import constant_ratio
from minigen.check.explanations.tensor_ratio import tensor_ratio
from minigen.check.explanations.wrong import Explanation, Wrong
from minigen.check.randomness import normals
from minigen.check.shrink import smaller

STORIES = {
    "stride": "the stride not undone: the upstream gradient has to be spread out (dilated) by the stride",
    "pad": "the padding cropped off at the wrong place, or not at all",
    "dilation": "the dilation not taken into account",
    "kernel": "the kernel used the wrong way round (a kernel flip, a transpose), or overlapping windows not added",
    "window": "the kernel the wrong way round (a flip, a transpose), or overlapping windows overwritten (= for +=)",
    "batch": "the batch: a sum or mean over it left out, or only one sample counted",
    "time": "the time steps: the carry from one to the one before dropped or wrong (backpropagation through time)",
    "features": "the features: an axis summed, flipped or transposed that should not be",
}  # fmt: skip


def right_when_simpler(w: Wrong) -> Explanation | None:
    """Right with one setting or size at its simplest, wrong as it is."""
    passes, fails = [], []
    for kind, changed, reads, case in _simpler(w):
        right = _right(case, w.name)
        if right is False:
            fails.append(reads)
        elif right:
            passes.append((kind, changed, reads))
    if not passes:
        return None
    kind, changed, reads = passes[0]
    word = next((s for s in STORIES if s in (changed.lower() if kind == "setting" else kind)), "")
    why = STORIES.get(word, f"a sum or a loop over it wrong or left out: backward is right only for {reads}")
    evidence = f"{w.line} is right with {' and with '.join(r for _, _, r in passes)}, and wrong here"
    if fails:
        evidence += f" (still wrong with {', '.join(fails[:3])})"
    return Explanation("passes when simpler", evidence, why)


def _simpler(w: Wrong) -> Iterator[tuple[str, str, str, Case]]:
    for kind, changed, reads, case in smaller(w.case):
        if w.name in case.gradients and case.x(w.name).size:
            yield kind, changed, reads, case


def _right(case: Case, name: str) -> bool | None:
    """Whether a gradient is right there, along two directions; None where there is no slope to speak of."""
    directions = [normals(case.x(name).shape, seed) for seed in (71, 72)]
    try:
        if any(case.off_along(name, v) for v in directions):
            return False
        return True if any(abs(case.along(name, v)) > 0 for v in directions) else None
    except ValueError:  # not finite there
        return None


def explained_when_simpler(w: Wrong) -> Explanation | None:
    """At one time step, where nothing is carried, what is still wrong may have an explanation."""
    for kind, _, reads, case in _simpler(w):
        if kind == "time" and _right(case, w.name) is False:
            there = Wrong(case, w.name)
            for explain in FOR_ONE_STEP:
                found = explain(there)
                if found and bool(there.entries.any()):
                    return Explanation(found.key, f"With {reads}: {found.evidence}", found.cause)
    return None


FOR_ONE_STEP = [constant_ratio, rearranged, location, tensor_ratio]
