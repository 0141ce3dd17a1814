"""What every lesson shares: its options, its figures, the numbers it promises. Nothing of the lesson itself.

args = lesson.arguments(__doc__, data=("digits", "mnist"))  # args.quick, .seed, .data, .backend, .json
plt = lesson.pyplot()
for epoch in lesson.progress(range(3 if args.quick else 30), "training"): ...
lesson.show(ax, images, "drawn", columns=10)
lesson.save(figure, "02_vae_samples.png")
lesson.promise("test error", error, high=0.05)
lesson.report(args)                                         # the last line of every lesson
"""

import argparse
import importlib
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigen import backend, random

INSTALL = 'pip install -e ".[lessons]"'
STYLE = {
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    # Okabe and Ito's colours, which every eye tells apart
    "axes.prop_cycle": "cycler('color', ['0072B2', 'D55E00', '009E73', 'CC79A7', 'E69F00', '56B4E9'])",
}
_measured: dict[str, Any] = {}  # what promise() has collected, for report()
_stopped: list[str] = []  # the loops that Ctrl-C has ended early


def arguments(doc: str | None, *, data: tuple[str, ...] = (), **options: Any) -> argparse.Namespace:
    """The options of this run, after mg.use(backend) and mg.seed(seed). In a notebook, the defaults.

    doc: the lesson's header. data: the data sets it runs on, the first by default. options: the lesson's own, as
    epochs=20 for `--epochs`, of the default's type. A whole number is at least 1; with a default of 0, which a lesson
    takes for "my own number" or "none", at least 0.
    Returns quick, seed, data (if given), backend, json and the options. Exits with a sentence for wrong ones.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true", help="a run of seconds, for a first look")
    add("--seed", type=int, default=0, help="another number, another run (default 0)")
    if data:
        add("--data", choices=data, default=data[0], help=f"{', '.join(data)} (default {data[0]})")
    add("--backend", choices=backend.BACKENDS, default=backend.current(), help="cupy: the GPU")
    add("--json", metavar="FILE", help="write the measured numbers there; -: print them last")
    for name, value in options.items():
        kind = _at_least(min(value, 1)) if isinstance(value, int) else type(value)
        add("--" + name.replace("_", "-"), type=kind, default=value, help=f"default {value}")
    args = parser.parse_args([] if _in_notebook() else None)
    args.lesson = (doc or "").strip().partition("\n")[0]
    if args.json not in (None, "-") and not Path(args.json).absolute().parent.is_dir():
        parser.error(f"--json: there is no folder to write {args.json} in")
    try:
        backend.use(args.backend)
        random.seed(args.seed)
    except (RuntimeError, ValueError) as error:
        parser.error(str(error))
    _measured.clear()
    _stopped.clear()
    return args


def pyplot() -> Any:
    """matplotlib.pyplot in the lessons' style, with Agg where there is no display; exits if it is missing."""
    try:
        plt = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise SystemExit(f"This lesson draws with matplotlib, which is not installed: {INSTALL}") from None
    plt.rcParams.update(STYLE)
    return plt


def save(figure: Any, name: str) -> Path:
    """Write a figure (or plt, for the current one) to lessons/output/`name`, say so, and return the path.

    MINIGEN_OUTPUT names another folder. The suffix is the type: .png, .svg, .pdf.
    """
    checkout = Path(__file__).parents[1] / "lessons"
    folder = Path(os.environ.get("MINIGEN_OUTPUT") or (checkout if checkout.is_dir() else Path()) / "output")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    _replace(path, lambda part: figure.savefig(part, format=path.suffix[1:]))
    print(f"figure: {path}")
    return path


def show(ax: Any, images: Any, title: str = "", *, columns: int = 10) -> None:
    """Draw images in rows of so many, left to right, a pixel of paper between them.

    ax: of matplotlib. images: (n, H, W) or (n, H, W, 1), from 0, paper, to 1, ink; or (n, H, W, 3), red, green and blue
    from 0 to 1; clipped to that. Arrays or Tensors. Raises ValueError for another shape.
    """
    x = backend.to_numpy(images)
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[3] not in (1, 3) or not len(x):
        raise ValueError(f"show: images are of shape {x.shape}, want (n, H, W), (n, H, W, 1) or (n, H, W, 3)")
    height, width, channels = x.shape[1:]
    paper, rows = 0 if channels == 1 else 1, -(-len(x) // columns)
    picture = np.full((rows, height + 1, columns, width + 1, channels), paper, dtype="float32")
    for k, image in enumerate(x.clip(0, 1)):
        picture[k // columns, :-1, k % columns, :-1] = image
    picture = picture.reshape(rows * (height + 1), -1, channels)[:-1, :-1]
    picture = picture.squeeze(2) if channels == 1 else picture
    ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set(title=title, frame_on=False, xticks=[], yticks=[])
    ax.tick_params(length=0)  # for who names the rows


def progress(iterable: Iterable[Any], text: str, *, stoppable: bool = True) -> Iterable[Any]:
    """`iterable` with a progress bar, where tqdm is installed and a terminal shows it; else as it is.

    Ctrl-C ends the loop after the step in hand, and the lesson goes on with what was trained: what it promises from
    then on is shown, not held. Ctrl-C once more ends the lesson. stoppable=False: the lesson needs every step.
    """
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        print(f"{text} ... (for a progress bar: {INSTALL})", file=sys.stderr)
    else:
        hidden = False if _in_notebook() else None  # None: hidden where stderr is no terminal
        iterable = tqdm(iterable, text, leave=False, disable=hidden)
    if not stoppable or threading.current_thread() is not threading.main_thread():
        return iterable
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return iterable  # Ctrl-C is somebody else's: of a loop around this one, a shell that ignores it, a debugger
    return _until_ctrl_c(iterable, text)


def _until_ctrl_c(steps: Iterable[Any], text: str) -> Iterator[Any]:
    asked = False

    def ask(*_: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        print("\nCtrl-C: this step is finished first. Once more ends the lesson.", file=sys.stderr)

    before = signal.signal(signal.SIGINT, ask)
    try:
        for step in steps:
            yield step
            if asked:
                _stopped.append(text)
                print(f"{text}: stopped early. The lesson goes on with what was trained.")
                return
    finally:
        signal.signal(signal.SIGINT, before)


def promise(name: str, value: Any, *, low: float | None = None, high: float | None = None) -> Any:
    """Print a measured number, keep it for report(), and hold it to its bounds: low <= value <= high.

    value: a number, a bool, or an array or Tensor of one; returned as Python's own.
    Raises AssertionError, saying what was promised and what was measured; for NaN and Inf always. After a loop that
    Ctrl-C has ended early nothing is held.
    """
    value = value.item() if hasattr(value, "item") else value
    limits = [f"at {word} {_shown(b)}" for word, b in (("least", low), ("most", high)) if b is not None]
    bounds = _shown(low) if low is not None and low == high else " and ".join(limits)
    shown = f"{value:.4g}" if isinstance(value, float) else f"{value}"
    kept = math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
    if not kept and not _stopped:
        raise AssertionError(f"{name}: promised {bounds or 'a finite number'}, measured {shown}")
    said = f"   (promised{' after a whole run' if _stopped else ''}: {bounds})" if bounds else ""
    print(f"{name}: {shown}{said}")
    _measured[name] = value
    return value


def _shown(bound: float) -> str:
    return f"{bound}" if isinstance(bound, int) else f"{bound:g}"


def report(args: argparse.Namespace) -> None:
    """With --json: what promise() measured, the options of the run, and which loops were stopped early, as JSON."""
    options = {name: value for name, value in vars(args).items() if name not in ("json", "lesson")}
    found = json.dumps({"lesson": args.lesson, "options": options, "measured": _measured, "stopped": _stopped})
    if args.json == "-":
        print(found)
    elif args.json:
        _replace(Path(args.json), lambda part: part.write_text(found + "\n", encoding="utf-8"))


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, which then takes its name: all of it, or nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number from the command line, and refuses a smaller one."""

    def number(word: str) -> int:
        if int(word) < least:
            raise argparse.ArgumentTypeError(f"got {word}, wants at least {least}")
        return int(word)

    return number


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
