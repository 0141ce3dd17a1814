"""What examine found: the verdict, the sentence, and the numbers it rests on."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """One entry of the wrong gradient."""

    index: tuple[int, ...]
    analytic: float
    numeric: float

    @property
    def ratio(self) -> float:
        """analytic / numeric; inf or nan where numeric is 0."""
        if self.numeric:
            return self.analytic / self.numeric
        return float("inf") if self.analytic else float("nan")


@dataclass(frozen=True)
class Diagnosis:
    """Whether a backward is right; if not, what is wrong, where, with the evidence, and what that is consistent with.

    ok             the verdict
    message        one paragraph
    input          the name of the input whose gradient is wrong; None if all is well or it is none in particular
    explanation    the kind of explanation that fitted, as "constant ratio"; "unexplained" if none, "" if all is well
    numbers        the entries that are furthest off
    errors         for each input, max |analytic - numeric| / max |numeric|
    kinks          how many entries were left out because there is no slope
    """

    op: str
    ok: bool
    message: str
    input: str | None = None
    explanation: str = ""
    numbers: list[Entry] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    kinks: int = 0

    def __str__(self) -> str:
        mark = "ok" if self.ok else "wrong"
        lines = [f"{self.op}: {mark}", "", *_wrapped(self.message)]
        if self.numbers:
            lines += ["", *self.table()]
        return "\n".join(lines)

    def table(self) -> list[str]:
        """The numbers as lines of text: index, analytic, numeric, ratio."""
        rows = [("index", "analytic", "numeric", "ratio")]
        for e in self.numbers:
            index = f"[{', '.join(map(str, e.index))}]" if e.index else "[]"
            rows.append((index, f"{e.analytic:.6g}", f"{e.numeric:.6g}", f"{e.ratio:.4g}"))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        return ["  " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]


def _wrapped(text: str, width: int = 88) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]
