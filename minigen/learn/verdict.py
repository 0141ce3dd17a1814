"""What a learner is told of an answer."""

from dataclasses import asdict, dataclass, field
from typing import Any

TABLE = 6  # rows at most


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and if not, what is wrong with it.

    kind      "right"; "unwritten" (a `...` is left); "known" (a listed wrong answer), "diagnosis" (from examine),
              "comparison", "assertion"; "error" (the file fails), "time" (it does not end); "exercise" (not the
              learner's fault, but the exercise's)
    message   a paragraph; may hold lines that stand by themselves, below an empty one
    table     the numbers, as lines of text
    wrong     the name of the listed wrong answer
    line      of the learner's file
    printed   what the learner's file printed
    """

    kind: str
    message: str
    table: list[str] = field(default_factory=list)
    wrong: str = ""
    line: int | None = None
    printed: str = ""

    @property
    def ok(self) -> bool:
        return self.kind == "right"

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """A small table; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
