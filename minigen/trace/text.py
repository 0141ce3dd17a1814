"""Steps as text: the facts laid out for a terminal or a file. Plain ASCII, in colour only where asked."""

import os
import sys
import textwrap
from typing import Any

from minigen.graph.step import Arrival, Step, summary
from minigen.trace.facts import Operand, Outgoing, Standing, StepFacts, Upstream
from minigen.trace.jacobian import Jacobian, jacobian
from minigen.trace.substitution import work_out

COLOURS = {"bold": "1", "dim": "2", "in": "36", "out": "33", "good": "32", "bad": "31"}


class Paint:
    """Colours for a terminal; off, it leaves text as it is."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, colour: str, text: str) -> str:
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.on and text else text


def wants_colour() -> bool:
    """Whether what is printed goes to a terminal that shows colours. NO_COLOR turns them off (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return False
    if os.name == "nt":
        os.system("")  # makes an old Windows console read colour codes
    return True


def page(f: StepFacts, paint: Paint, width: int | None = None) -> str:
    """One step on one screen. width: fold lines longer than this."""
    return f"{coming_in(f, paint, width)}\n{going_out(f, paint, width)}"


def coming_in(f: StepFacts, paint: Paint, width: int | None = None) -> str:
    """What is known before the op's gradient lines are run."""
    head = f" step {f.number} of {f.total} "
    rule = f"--{head}" + "-" * max(3, 24 - len(head))
    out = [f"{paint('dim', rule)} {paint('bold', f.title)}", _row("the op", f.op, f.formula)]
    if f.source:
        where = f.where + (f", in {f.module}" if f.module else "")
        out += [_row("written", f.source, paint("dim", where))]
    out += [""]
    wide = max(len(_mapped(o)) for o in (*f.inputs, *f.outputs))
    labels = ["forward"] + [""] * (len(f.inputs) - 1) + ["gives"] + [""] * (len(f.outputs) - 1)
    for label, o in zip(labels, (*f.inputs, *f.outputs), strict=True):
        out += [_row(label, f"{_mapped(o):<{wide}}", o.value.text)]
    if f.settings:
        out += [_row("settings", ", ".join(f"{name}={said}" for name, said in f.settings.items()))]
    out += [""]
    for up in f.upstreams:
        out += _upstream(up, paint)
    return _folded(out, width)


def going_out(f: StepFacts, paint: Paint, width: int | None = None) -> str:
    """What the op's gradient lines make of it."""
    out = []
    kernel = ""  # one that computes several gradients is shown once
    for going in f.outgoing:
        out += ["", *_outgoing(going, paint, shown=going.rule == kernel)]
        kernel = going.rule if going.rule.startswith("def ") else ""
    about = paint("dim", "(what these lines asked to keep from the forward)" if f.saved else "")
    out += ["", _row("saved", ", ".join(f.saved) or "nothing: what came in is enough", about)]
    if not f.watched:
        out += [_row("", "for names, source lines and all values: run the forward inside mg.watch()")]
    if f.fused:
        out += [_row("inside", f"{f.op} is written in smaller ops, too: step into it to see them")]
    return _folded(out, width)


def _folded(lines: list[str], width: int | None) -> str:
    """Lines that are too long go on below where they began."""
    if width is None:
        return "\n".join(lines)
    out = []
    for line in lines:
        long = len(line) > width and "\x1b" not in line
        out += textwrap.wrap(line, width, subsequent_indent=" " * 22, break_long_words=False) if long else [line]
    return "\n".join(out)


def _row(label: str, *parts: str) -> str:
    return f"  {label:<9}{'  '.join(p for p in parts if p)}".rstrip()


def _mapped(o: Operand) -> str:
    """What the op's own name for it stands for: "x = h"."""
    return o.parameter if o.name in (o.parameter, o.value.text) else f"{o.parameter} = {o.name}"


def _upstream(up: Upstream, paint: Paint) -> list[str]:
    came = paint("in", f"{up.parameter} = {up.value.text}")
    row = _row("came in", came, paint("dim", f"this is {up.meaning}"))
    return [row, _row("", up.text)] if up.value.status != "unused" else [row]


def _outgoing(going: Outgoing, paint: Paint, shown: bool) -> list[str]:
    """One gradient. shown: its rule has just been printed."""
    goes = paint("out", f"d_{going.parameter} = {going.gradient.text}")
    out = [_row("goes out", goes, paint("dim", f"this is {going.meaning}"))]
    out += _block("rule", ["by the same kernel"] if shown else rule(going))
    if not shown and going.numbers != (going.gradient.text,):
        out += _block("numbers", list(going.numbers))
    if going.reduction:
        out += _block("reduced", [f"{going.reduction}, because {going.parameter} was broadcast"])
    if going.jacobian:
        out += _block("Jacobian", [going.jacobian.text, *_worth_showing(going.jacobian)])
    if going.before.status == "known":
        out += _block("adds up", [f"{going.before.text}  +  {going.gradient.text}  =  {going.after.text}"])
    elif going.consumers > 1:
        out += _block("adds up", [f"before: {going.before.text};  now: {going.after.text}"])
    out += _block("arrived", [going.text])
    return out + (_block("note", [going.note]) if going.note else [])


def rule(going: Outgoing) -> list[str]:
    """The rule in symbols, a line each: "d_x = dy * (1 - y * y)"."""
    *steps, last = going.rule.splitlines() or [""]
    return [*steps, last if last.startswith("def ") or not _complete(last) else f"d_{going.parameter} = {last}"]


def _complete(line: str) -> bool:
    """Whether a line of Python stands for itself, and is not the end of a longer one."""
    return line == line.lstrip() and line.count("(") == line.count(")")


def _worth_showing(found: Jacobian) -> list[str]:
    """A small matrix, unless the words have said it all."""
    small = found.matrix if max(found.rows, found.columns) <= 4 else None
    return matrix(small) if small and found.structure not in ("number", "zero", "identity") else []


def _block(label: str, lines: list[str]) -> list[str]:
    return [_row("", f"{label if i == 0 else '':<9}", line) for i, line in enumerate(lines)]


def details(step: Step, arrival: Arrival) -> list[str]:
    """What a printed step says of one gradient beside its rule: the numbers put in, and the Jacobian."""
    found = jacobian(step, arrival.input)
    numbers = [line for line in work_out(step, arrival).numbers if line != summary(arrival.gradient)]
    return [*numbers, *([f"Jacobian {found.text}", *_worth_showing(found)] if found else [])]


def listing(standings: list[Standing], titles: dict[str, str], current: int, paint: Paint) -> str:
    """All gradients: those that are done, where the walk is, and those to come, which are "not yet", not 0."""
    out = []
    width = max(len(titles.get(s.id, s.name)) for s in standings)
    leaves = False
    for s in standings:
        if s.step is None and not leaves:
            leaves = True
            out.append(paint("dim", "  the leaves, where gradients come to rest:"))
        mark = "  >" if s.step == current else "   "
        number = f"{s.step:>4}" if s.step else "    "
        gradient = s.gradient.text if s.gradient.status == "known" else s.gradient.status
        line = f"{mark}{number}  {titles.get(s.id, s.name):<{width}}  {gradient}   {paint('dim', s.text)}"
        if s.step == current:
            line = paint("bold", line)
        out.append(line if s.gradient.status == "known" else paint("dim", line))
    return "\n".join(out)


def matrix(rows: list[list[float]]) -> list[str]:
    """A matrix of numbers, a line a row, its columns aligned."""
    cells = [[f"{abs(v) if v == 0 else v:.4g}" for v in row] for row in rows]
    width = max(len(c) for row in cells for c in row)
    return ["[ " + "  ".join(f"{c:>{width}}" for c in row) + " ]" for row in cells]


def arrays(known: dict[str, Any]) -> str:
    """The arrays of a step, written out (large ones shortened in the middle)."""
    out = []
    for name, array in known.items():
        text = str(array).replace("\n", "\n    ")
        out.append(f"  {name} {getattr(array, 'shape', '')}\n    {text}")
    return "\n".join(out)
