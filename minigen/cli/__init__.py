'''The command line: `minigen lessons`, `minigen run vae`, `minigen notebook vae`, `minigen step`,
`minigen learn`, `minigen doctor`.

A lesson is a file lessons/<module>/<number>_<name>.py that begins with a docstring of this form, which
`minigen lessons` reads without running anything:

    """Backprop by hand

    Goal: one sentence.
    Needs: lessons or knowledge, one line.
    Time: about 5 s (--quick: 2 s).
    You should see: the promised numbers, a line or two
        (a longer entry goes on in indented lines).
    """

The rest is cells: `# %% [markdown]` before a paragraph in comments, `# %%` before code.
'''

import argparse
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import minigen
from minigen.cli import catalogue, doctor, learn, notebook, step


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: that of the lesson it ran, 2 for a wrong name, 130 for Ctrl-C.

    argv: the words after `minigen`, by default those of the process. Raises SystemExit where argparse does.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        code = _command(args, parser)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130  # what a shell says of a program that Ctrl-C has ended
    except BrokenPipeError:  # `minigen lessons | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (catalogue.UnknownLessonError, FileNotFoundError, FileExistsError) as error:
        print(f"minigen: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minigen", description="Deep learning from scratch, to read and to run.")
    parser.add_argument("--version", action="version", version=f"minigen {minigen.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("lessons", help="list the lessons: what each teaches, how long it takes")
    run = commands.add_parser("run", help="run a lesson, as in: minigen run vae --quick")
    run.add_argument("lesson", metavar="LESSON", help="vae, 02_vae, 4.2, 4/02, or how it begins")
    run.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        metavar="OPTIONS",
        help="passed on; minigen run vae --help tells them",
    )
    write = commands.add_parser("notebook", help="write a lesson as a Jupyter notebook into this folder")
    write.add_argument("lesson", metavar="LESSON", help="as for run")
    write.add_argument("--force", action="store_true", help="overwrite the notebook that is there")
    step.add_parser(commands)
    learn.add_parser(commands)
    commands.add_parser("doctor", help="tell what minigen finds on this machine")
    return parser


def _command(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if args.command == "lessons":
        print(catalogue.page(catalogue.lessons()))
    elif args.command == "run":
        return run(catalogue.find(args.lesson).path, args.options)
    elif args.command == "notebook":
        path = notebook.write(catalogue.find(args.lesson).path, Path.cwd(), overwrite=args.force)
        print(f"written: {path.name}; open it with Jupyter, VS Code or Colab")
    elif args.command == "step":
        return step.run(args)
    elif args.command == "learn":
        return learn.run(args)
    elif args.command == "doctor":
        print(doctor.page())
    else:
        parser.print_help()
    return 0


def run(path: Path, options: Sequence[str]) -> int:
    """Run a script in this process as `python path options...` would, and return its exit code.

    What it raises is shown from the script's own line on. KeyboardInterrupt is left to the caller.
    """
    argv, search = sys.argv, sys.path
    sys.argv, sys.path = [str(path), *options], [str(path.parent), *search]
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BrokenPipeError:
        raise
    except Exception as error:
        frames = error.__traceback__
        while frames and frames.tb_frame.f_code.co_filename != str(path):
            frames = frames.tb_next
        traceback.print_exception(error.with_traceback(frames))
        return 1
    finally:
        sys.argv, sys.path = argv, search
    return 0
