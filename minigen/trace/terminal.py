"""mg.step_through: walk through backprop in a terminal, a step at a time, forward and back."""

import contextlib
import importlib
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import Any

from minigen.backend import to_numpy
from minigen.graph.step import Step
from minigen.trace import predict, text
from minigen.trace.facts import Walk
from minigen.trace.inside import compared, step_into
from minigen.trace.jacobian import jacobian
from minigen.trace.probe import probe
from minigen.trace.recorded import output_name, upstreams

HELP = """\
  n, Enter     next step                      b            back a step
  j WHERE      jump to a step: its number, a name (h), a node (#12), an op (tanh)
  c            continue to the next accumulation, where a gradient meets what had arrived before
  l            list all gradients: those done, and those that have not arrived yet
  v            the arrays of this step, written out
  J [INPUT]    the local Jacobian: what each output entry owes to each input entry
  p [INPUT]    probe: measure the slope by moving the input a little, and compare with the line
  s            the op's own source lines
  i            into a fused op: the same formula in smaller ops      o   out again
  q            quit. Nothing has been changed: no .grad is written by looking"""
KEYS = "[n]ext [b]ack [j]ump [c]ontinue [l]ist [v]alues [J]acobian [p]robe [s]ource [i]nto [o]ut [q]uit [?]"
WORDS = {
    "": "next", "n": "next", "b": "back", "j": "jump", "c": "continue", "l": "list", "v": "values", "J": "jacobian",
    "p": "probe", "s": "source", "i": "into", "o": "out", "q": "quit", "?": "help", "exit": "quit",
}  # fmt: skip


def step_through(loss: Any, predict: bool = False, *, upstream: Any = None) -> None:
    """Walk back through the graph of `loss` in the terminal, a step at a time; `?` there tells the keys.

    predict: ask for the next gradient's shape or value before showing it, and say why an answer is wrong.
    upstream: for a loss of more than one number, as in mg.backprop.
    Looking changes nothing: no `.grad` is written, the graph is kept. In pdb it works as anywhere; where input or
    output is no terminal, all steps are printed. Run the forward inside mg.watch() to see names and all values.

    Raises TypeError or RuntimeError, as backward() does, where nothing was recorded.
    """
    caller = sys._getframe(1).f_locals
    name = next((k for k, v in caller.items() if v is loss and not k.startswith("_")), None)
    walk = Walk(loss, upstream, name=getattr(loss, "name", None) or name)
    if sys.stdin.isatty() and sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")  # line editing and history, where there are such
        Session(walk, predicting=predict).run()
    else:
        print_all(walk)


def print_all(walk: Walk, write: Callable[[str], None] = print) -> None:
    """Every step, one after the other, then what became of the leaves."""
    for number in range(1, len(walk.steps) + 1):
        write(text.page(walk.step(number, jacobians=True), text.Paint(False)) + "\n")
    write(_ending(walk))


def _ending(walk: Walk) -> str:
    if walk.failure:
        return f"The walk stopped here. The next step raised {walk.failure}"
    if not walk.steps:
        return "This Tensor is a leaf: no op made it, so there is no step to take. Its gradient is 1."
    leaves = [s for s in walk.standings(len(walk.steps)) if s.step is None]
    out = ["The walk is over. What has arrived at the leaves; backward() would write it to their .grad:"]
    return "\n".join(out + [f"  {s.name:<12} {s.gradient.text}" for s in leaves])


class Session:
    """The dialogue. ask and write are input and print, but for tests."""

    def __init__(
        self,
        walk: Walk,
        *,
        predicting: bool = False,
        ask: Callable[[str], str] = input,
        write: Callable[[str], None] = print,
        colour: bool | None = None,
    ) -> None:
        self.walk, self.at = walk, 1
        self.outer: list[tuple[Walk, int]] = []  # the walks we stepped into this one from
        self.ask, self.write = ask, write
        self.paint = text.Paint(text.wants_colour() if colour is None else colour)
        self.predicting, self.score = predicting, predict.Score()
        self.predicted: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Show the first step, then do what is typed until quit, end of input, or Ctrl-C."""
        if not self.walk.steps:
            self.write(_ending(self.walk))
            return
        self.write(self.paint("dim", KEYS))
        try:
            self.show()
            while self.do(self.ask(f"{self.where()} > ").strip()):
                pass
        except (EOFError, KeyboardInterrupt):
            self.write("")
        if self.score.asked:
            self.write(f"Your predictions: {self.score}.")

    @property
    def step(self) -> Step:
        return self.walk.steps[self.at - 1]

    def width(self) -> int:
        return max(60, shutil.get_terminal_size().columns)

    def where(self) -> str:
        outside = "".join(f"{walk.steps[at - 1].op.__name__} > " for walk, at in self.outer)
        score = f"   {self.score}" if self.score.asked else ""
        return f"{outside}step {self.at} of {self.walk.total}{score}"

    def do(self, line: str) -> bool:
        """Carry out one line; False to quit. What is no command is taken as a place to jump to."""
        word, _, rest = line.partition(" ")
        command = WORDS.get(word, word)
        if command == "quit":
            return False
        method = getattr(self, f"do_{command}", None)
        if method is None:
            method, rest = self.do_jump, line
        try:
            method(rest.strip())
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            self.write(f"  {error.args[0] if error.args else error}")
        return True

    def show(self) -> None:
        """The step on the screen; in the predicting mode, the question first."""
        self.write("")
        facts = self.walk.step(self.at, jacobians=True)
        key = (id(self.walk), self.at)
        question = predict.question(facts) if self.predicting and key not in self.predicted else None
        if question is None:
            self.write(text.page(facts, self.paint, self.width()))
            return
        self.predicted.add(key)
        self.write(text.coming_in(facts, self.paint, self.width()) + "\n")
        for i, line in enumerate(text.rule(question.going)):
            self.write(f"  {'the rule' if i == 0 else '':<9}{line}")
        self.question(question)
        self.write(text.going_out(facts, self.paint, self.width()))

    def question(self, question: predict.Question) -> None:
        self.write(f"  {self.paint('bold', 'predict')}  {question.text}")
        while said := self.ask("           (Enter: just show me) > ").strip():
            if said in ("q", "quit"):
                raise EOFError
            try:
                right, why = predict.answer(question, said)
            except ValueError as error:
                self.write(f"  {error}")
                continue
            self.score.asked += 1
            self.score.right += right
            for line in textwrap.wrap(f"{why}   ({self.score})", self.width() - 11):
                self.write(f"           {self.paint('good' if right else 'bad', line)}")
            return

    def go(self, number: int) -> None:
        self.at = number
        self.show()

    def do_next(self, _: str) -> None:
        if self.at < len(self.walk.steps):
            self.go(self.at + 1)
        else:
            self.write("\n" + (self._inner_ending() if self.outer else _ending(self.walk)))

    def do_back(self, _: str) -> None:
        if self.at == 1:
            raise LookupError("this is the first step; the walk starts at the loss")
        self.go(self.at - 1)

    def do_jump(self, wanted: str) -> None:
        if not wanted:
            raise LookupError("jump where? A step's number, a name, a node (#12) or an op (tanh); l lists them")
        number = self.walk.find(wanted, after=self.at)
        if number is None:
            raise LookupError(f"{wanted!r} is no command and no step here; l lists the steps, ? the commands")
        self.go(number)

    def do_continue(self, _: str) -> None:
        for step in self.walk.steps[self.at :]:
            if any(a.before is not None for a in step.arrivals):
                return self.go(step.number)
        raise LookupError("no more accumulation: from here on, every gradient is the first where it arrives")

    def do_list(self, _: str) -> None:
        titles = {f.id: f.title for f in (self.walk.step(s.number) for s in self.walk.steps)}
        self.write(text.listing(self.walk.standings(self.at), titles, self.at, self.paint))

    def do_values(self, _: str) -> None:
        recorded, node = self.walk.recorded, self.step.node
        known = recorded.inputs(node)
        known |= {output_name(node, slot): y for slot, y in enumerate(recorded.outputs(node))}
        known |= zip(self.step.op.upstreams, upstreams(self.step), strict=False)
        known |= {f"d_{name}": a for name, a in self.step.gradients.items()}
        self.write(text.arrays({name: to_numpy(a) for name, a in known.items() if hasattr(a, "dtype")}))

    def do_jacobian(self, wanted: str) -> None:
        for name in self._inputs(wanted):
            found = jacobian(self.step, name)
            self.write(f"  d output / d {name}: {found.text}")
            if found.matrix is not None:
                self.write("\n".join(f"    {row}" for row in text.matrix(found.matrix)))

    def do_probe(self, wanted: str) -> None:
        for name in self._inputs(wanted):
            found = probe(self.step, name, self.walk.recorded)
            self.write(f"  d_{name}: {self.paint('good' if found.agrees else 'bad', found.text)}")
            self.write(f"    {'entry':<12}{'by the line':>14}{'measured':>14}")
            for entry, line, measured in found.rows:
                slope = f"{measured:.6g}" if measured == measured else "a kink"
                self.write(f"    {entry or 'the number':<12}{line:>14.6g}{slope:>14}")

    def do_source(self, wanted: str) -> None:
        facts = self.walk.step(self.at)
        inputs = self._inputs(wanted)
        sources = dict.fromkeys(going.source for going in facts.outgoing if going.parameter in inputs)
        self.write("\n\n".join(sources))

    def do_into(self, _: str) -> None:
        inner = step_into(self.step, self.walk.recorded)
        self.outer.append((self.walk, self.at))
        self.walk, self.at = inner, 1
        self.write(self._inner_ending())
        self.show()

    def _inner_ending(self) -> str:
        walk, at = self.outer[-1]
        step = walk.steps[at - 1]
        lines = [f"Inside {step.op.__name__}: its plain form, {self.walk.total} steps. Compared with the kernel:"]
        lines += [f"  {line}" for line in compared(step, self.walk)]
        return "\n".join([*lines, "o leads out again."])

    def do_out(self, _: str) -> None:
        if not self.outer:
            raise LookupError("we are not inside an op; i steps into one")
        self.walk, at = self.outer.pop()
        self.go(at)

    def do_help(self, _: str) -> None:
        self.write(HELP)

    def _inputs(self, wanted: str) -> list[str]:
        """The inputs that were meant: one, by the op's name for it or the reader's, or all."""
        facts = self.walk.step(self.at)
        if not wanted:
            return [going.parameter for going in facts.outgoing]
        found = [g.parameter for g in facts.outgoing if wanted in (g.parameter, f"d_{g.parameter}", g.to_name)]
        if not found:
            there = ", ".join(g.parameter for g in facts.outgoing)
            raise LookupError(f"no gradient goes out to {wanted!r} here; choose one of {there}")
        return found
