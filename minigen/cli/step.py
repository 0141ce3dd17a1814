"""`minigen step "tanh(a*b + c)" a=2 b=-3 c=10`, `minigen step FILE.py`: through backprop, a step at a time."""

import argparse
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

from minigen.graph import watch
from minigen.tensor import Tensor
from minigen.trace import step_through
from minigen.trace.expression import ExpressionError, compute

USAGE = """\
  minigen step "tanh(a*b + c)" a=2 b=-3 c=10
  minigen step "softmax(x)[0]" x=[1,2,3]
  minigen step FILE.py            the script is run, then we step through its variable loss"""


def add_parser(commands: Any) -> None:
    """Add `step` to the subcommands."""
    parser = commands.add_parser(
        "step",
        help='go through backprop a step at a time, as in: minigen step "tanh(a*b)" a=2 b=3',
        usage='minigen step [--predict] [--loss NAME] "EXPRESSION" NAME=VALUE ... | FILE.py [OPTIONS ...]',
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--predict", action="store_true", help="be asked for a gradient before it is shown")
    parser.add_argument("--loss", metavar="NAME", default="loss", help="the script's variable to start from")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="EXPRESSION NAME=VALUE ... | FILE.py")


def run(args: argparse.Namespace) -> int:
    """Step through what the words name. Returns the exit code: 2 where they are wrong, 1 where the script fails."""
    words = [w for w in args.words if w not in ("--predict", "--")]
    predict = args.predict or "--predict" in args.words
    try:
        if not words:
            raise ExpressionError(f"what is to be stepped through? As in:\n{USAGE}")
        if words[0].endswith(".py"):
            loss = _of_script(Path(words[0]), words[1:], args.loss)
        else:
            loss = compute(words[0], dict(map(_assignment, words[1:])))
            loss.name = "loss"
    except ExpressionError as error:
        print(f"minigen step: {error}", file=sys.stderr)
        return 2
    except _ScriptFailed:
        return 1
    try:
        step_through(loss, predict=predict)
    except RuntimeError as error:  # its graph was released by a backward(), or nothing was recorded
        print(f"minigen step: {error}", file=sys.stderr)
        return 2
    return 0


class _ScriptFailed(Exception):  # noqa: N818, it has been reported already
    pass


def _assignment(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise ExpressionError(f"{word!r} gives no value; write NAME=VALUE, as in a=2 or x=[1,2,3]")
    return name.strip(), value


def _of_script(path: Path, options: list[str], name: str) -> Tensor:
    """Run the script under mg.watch(), and return its variable `name`."""
    if not path.is_file():
        raise ExpressionError(f"there is no file {path}")
    argv, search = sys.argv, sys.path
    sys.argv, sys.path = [str(path), *options], [str(path.parent), *search]
    try:
        with watch():
            found = runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        raise ExpressionError(f"{path} ended itself (exit code {stop.code}), so there is nothing to look at") from None
    except Exception as error:
        frames = error.__traceback__
        while frames and frames.tb_frame.f_code.co_filename != str(path):
            frames = frames.tb_next
        traceback.print_exception(error.with_traceback(frames))
        raise _ScriptFailed from None
    finally:
        sys.argv, sys.path = argv, search
    if isinstance(found.get(name), Tensor):
        found[name].name = found[name].name or name
        return found[name]
    others = ", ".join(n for n, v in found.items() if isinstance(v, Tensor) and v.origin)
    hint = f"it has {others}: choose one with --loss NAME" if others else "it has no Tensor that was computed"
    raise ExpressionError(f"{path} leaves no Tensor {name}; {hint}")
