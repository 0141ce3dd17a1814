"""The numbers: every gradient of a case beside the measured one, the verdict, and the explanation if it is wrong."""

import math
from dataclasses import replace

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.diagnosis import Diagnosis, Entry
from minigen.check.explanations import EXPLANATIONS, Explain, Explanation, Wrong
from minigen.check.explanations.elsewhere import right_for_another
from minigen.check.explanations.ratio import all_zero, constant_ratio
from minigen.check.shrink import dimensions
from minigen.check.subject import is_float
from minigen.check.verdict import MOST_KINKS

SHOWN = 5  # entries in the table
SUSPICIOUS = 1e-4  # of the largest slope: what is off by less is nearly right, and most explanations cannot tell it
CUTS = 12  # how often a dimension is halved on the way to a small instance


def compared(case: Case) -> Diagnosis:
    """The verdict on all gradients of a case whose backward behaves."""
    names = list(case.gradients)
    wrong = [n for n in names if case.is_wrong(n)]
    errors = {n: error_of(case, n) for n in names}
    kinks = sum(_kinks(case, n) for n in names)
    message, name, key = _wrong(case, wrong) if wrong else _nothing_to_say(case) or (_praise(case), None, "")
    left_out = f" {kinks} entries at kinks were left out." if kinks and key not in ("kinks", "vacuous") else ""
    numbers = numbers_of(case, name) if wrong and name else []
    return Diagnosis(case.subject.name, not key, message + left_out, name, key, numbers, errors, kinks)


def _kinks(case: Case, name: str) -> int:
    return int(case.slopes(name).kinks.sum())


def _wrong(case: Case, wrong: list[str]) -> tuple[str, str, str]:
    name, explanation = explained(case, wrong)
    others = " and ".join(case.subject.line(n) for n in wrong if n != name)
    more = f" ({others} {'is' if len(wrong) == 2 else 'are'} wrong too.)" if others else ""
    return explanation.message + more, name, explanation.key


def _nothing_to_say(case: Case) -> tuple[str, str | None, str] | None:
    """Where no gradient is seen to be wrong, but hardly anything was looked at."""
    for name in case.gradients:
        kinks, measured = _kinks(case, name), int(case.slopes(name).measured.sum())
        if kinks > MOST_KINKS * measured:
            message = (
                f"{kinks} of {measured} entries of {name} lie at kinks, where no gradient is right or wrong: too many "
                "to judge. Move the inputs away from ties, and from the zeros of relu and abs."
            )
            return message, name, "kinks"
    if all(_flat(case, n) for n in case.gradients):
        message = (
            f"Nothing was checked: the slope is 0 in every input ({', '.join(case.gradients)}), and a backward that "
            "returns zeros would pass. Choose inputs that the output depends on."
        )
        return message, None, "vacuous"
    return None


def _flat(case: Case, name: str) -> bool:
    """Whether the slope is 0, as far as can be measured, at every entry."""
    slopes = case.slopes(name)
    return bool((xp.abs(slopes.gradient) <= slopes.uncertainty).all())


def _praise(case: Case) -> str:
    lines = ", ".join(map(case.subject.line, case.gradients))
    entries = sum(int(case.slopes(n).measured.sum()) - _kinks(case, n) for n in case.gradients)
    unchecked = [
        n
        for n, x in zip(case.names, case.inputs, strict=True)
        if is_float(x) and n not in case.gradients and not case.subject.has_no_gradient(n)
    ]
    note = f" No gradient was returned for {', '.join(unchecked)}, so none was checked." if unchecked else ""
    return f"{lines}: right, at {entries} entries, to 7 digits of the largest.{note}"


# --------------------------------------------------------------------------------------------- the explanation


def explained(case: Case, wrong: list[str]) -> tuple[str, Explanation]:
    """The first explanation that fits any of the wrong gradients, on an instance small enough to look at in full."""
    for name in wrong:
        if not bool(case.wrong_entries(name).any()) and case.wrong_at_ties(name):
            return name, _ties(case, name)
    clearly = [n for n in wrong if not _nearly_right(case, n)]
    if not clearly:
        return _first(case, wrong, [constant_ratio, right_for_another]) or (wrong[0], _suspicious(case, wrong[0]))
    wrong = clearly
    small = small_enough(case, wrong)
    if small is case:
        return _first(case, wrong, EXPLANATIONS) or (wrong[0], _unexplained(case, wrong[0]))
    found = _first(case, wrong, [all_zero, constant_ratio])  # these need no Jacobian
    if found is None:
        found = _first(small, [n for n in wrong if small.is_wrong(n)], EXPLANATIONS)
        sizes = ", ".join(f"{n} {x.shape}" for n, x in zip(small.names, small.inputs, strict=True) if is_float(x))
        found = found and (found[0], replace(found[1], evidence=f"At a smaller size ({sizes}): {found[1].evidence}"))
    return found or (wrong[0], _unexplained(case, wrong[0]))


def _nearly_right(case: Case, name: str) -> bool:
    return bool(case.wrong_entries(name).any()) and error_of(case, name) < SUSPICIOUS


def _first(case: Case, wrong: list[str], explanations: list[Explain]) -> tuple[str, Explanation] | None:
    questions = [Wrong(case, n, rank) for rank, n in enumerate(wrong)]
    answers = ((w.name, explain(w)) for explain in explanations for w in questions)
    return next(((name, found) for name, found in answers if found), None)


def _ties(case: Case, name: str) -> Explanation:
    evidence = (
        f"{case.subject.line(name)} is right where {name} has a slope, and wrong at ties: where equal entries move "
        "together, the slope is not what it gives them in sum"
    )
    why = "tied maxima (or minima) each given the full gradient: it has to be shared, or to go to one of them"
    return Explanation("ties", evidence, why)


def _suspicious(case: Case, name: str) -> Explanation:
    error = error_of(case, name)
    evidence = f"{case.subject.line(name)} is nearly right: off by {error:.2g} of the largest slope, wants below 1e-07"
    why = "a small term left out (an eps), a constant with too few digits, or float32 on the way"
    return Explanation("suspicious", evidence, why)


def _unexplained(case: Case, name: str) -> Explanation:
    line, error, bad = case.subject.line(name), error_of(case, name), case.wrong_entries(name)
    evidence = f"{line} is wrong in {int(bad.sum())} of {bad.size} entries, by up to {error:.2g} of the largest slope"
    why = "no mistake of a known kind; compare the entries below with the formula, at a smaller size"
    return Explanation("unexplained", evidence, why)


def small_enough(case: Case, wrong: list[str]) -> Case:
    """The case, or, where its Jacobians are too large, one with its largest dimensions cut that is still wrong."""
    current = case
    for _ in range(CUTS):
        if all(current.small(n) and current.complete(n) for n in wrong):
            break
        shorter = (
            d.resized(current, max(2, d.length // 2 + d.length % 2))
            for d in sorted(dimensions(current), key=lambda d: -d.length)
            if d.length > 3
        )
        current = next((c for c in shorter if c and any(c.is_wrong(n) for n in wrong)), current)
    return current


# ------------------------------------------------------------------------------------------------- the numbers


def error_of(case: Case, name: str) -> float:
    """max |analytic - numeric| / max |numeric|, kinks left out."""
    slopes = case.slopes(name)
    if not slopes.gradient.size:
        return 0.0
    off = xp.abs(case.gradients[name] - slopes.gradient) * (slopes.measured & ~slopes.kinks)
    worst, largest = float(off.max()), float(xp.abs(slopes.gradient).max())
    return worst / largest if largest else (math.inf if worst else 0.0)


def numbers_of(case: Case, name: str) -> list[Entry]:
    """The entries that are furthest off."""
    slopes, g = case.slopes(name), case.gradients[name]
    off = (xp.abs(g - slopes.gradient) * (slopes.measured & ~slopes.kinks)).ravel()
    worst = [int(i) for i in xp.argsort(-off)[:SHOWN] if float(off[i]) > 0]
    analytic, numeric = g.ravel(), slopes.gradient.ravel()
    return [Entry(_index(i, g.shape), float(analytic[i]), float(numeric[i])) for i in worst]


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The place in an array of this shape of an entry given in flat order."""
    index: tuple[int, ...] = ()
    for n in reversed(shape):
        flat, i = divmod(flat, n)
        index = (i, *index)
    return index
