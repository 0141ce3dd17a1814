"""What minigen finds on this machine: the libraries, the GPU, the data sets. Nothing is downloaded."""

import importlib
import os
import platform
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import threadpoolctl

import minigen
from minigen import backend, threads
from minigen.data import fetch, mnist_family, texts
from minigen.data.fetch import Source

WIDTH = 100


def page() -> str:
    """All findings, a line each, aligned."""
    sections = {"This machine": _machine(), "For the lessons": _for_lessons(), "Data sets": _data()}
    longest = max(len(name) for rows in sections.values() for name, _ in rows)
    out = []
    for title, rows in sections.items():
        out += [title] + [_row(name, text, longest) for name, text in rows] + [""]
    return "\n".join(out[:-1])


def _row(name: str, text: str, longest: int) -> str:
    indent = " " * (longest + 5)
    wrap = textwrap.TextWrapper(
        WIDTH, f"  {name:<{longest}}   ", indent, break_long_words=False, break_on_hyphens=False
    )
    return wrap.fill(text)


def _machine() -> list[tuple[str, str]]:
    return [
        (
            "minigen",
            f"{minigen.__version__} in {Path(minigen.__file__).parent}, computing with {backend.current()}",
        ),
        (
            "Python",
            f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}",
        ),
        ("NumPy", np.__version__),
        ("BLAS", _blas()),
        ("cores", _cores()),
        ("CuPy", _cupy()),
    ]


def _blas() -> str:
    """The library of matrix products, and its version."""
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "blas":
            return f"{pool['internal_api']} {pool['version'] or '(version unknown)'}"
    built: Any = np.show_config(mode="dicts")  # threadpoolctl does not know them all, as macOS's Accelerate
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{usable}; minigen works with {_count(threads.threads(), 'thread')} (MINIGEN_THREADS sets the number)"


def _cupy() -> str:
    cupy = _importable("cupy")
    if not cupy:
        return 'not installed; with an NVIDIA GPU: pip install -e ".[gpu]"'
    try:
        devices = range(cupy.cuda.runtime.getDeviceCount())
        found = [cupy.cuda.runtime.getDeviceProperties(i) for i in devices]
    except Exception as error:  # CuPy raises its own type for a missing driver or device
        return f"{cupy.__version__}, but no GPU answers ({error})"
    if not found:
        return f"{cupy.__version__}, but it sees no GPU"
    gpus = (f"{gpu['name'].decode()} with {gpu['totalGlobalMem'] / 2**30:.0f} GiB" for gpu in found)
    return f"{cupy.__version__}, on {', '.join(gpus)}; --backend cupy uses it"


def _for_lessons() -> list[tuple[str, str]]:
    """matplotlib, which draws the figures, and tqdm, which shows progress."""
    modules = {name: _importable(name) for name in ("matplotlib", "tqdm")}
    missing = 'not installed: pip install -e ".[lessons]"'
    return [(name, module.__version__ if module else missing) for name, module in modules.items()]


def _data() -> list[tuple[str, str]]:
    rows = [("in the package", "digits, glyphs, points in the plane, spelled numbers, the manual's prose")]
    folder = os.environ.get("MINIGEN_DATA")
    if folder:
        rows.append(("MINIGEN_DATA", folder if Path(folder).is_dir() else f"{folder}, which is not there"))
    rows.append(("cache", str(fetch.cache_folder())))
    for name, url, files in (
        ("mnist", mnist_family.MNIST_URL, mnist_family.MNIST_FILES),
        ("fashion-mnist", mnist_family.FASHION_URL, mnist_family.FASHION_FILES),
    ):
        rows.append((name, _whereabouts([Source(f"{name}/{f}", size, sha, url + f) for f, size, sha in files])))
    return rows + [(f"text {name!r}", _whereabouts([source])) for name, source in texts.NAMED_TEXTS.items()]


def _whereabouts(sources: list[Source]) -> str:
    """Where a data set is, or how to get it. Sizes are compared here; checksums when it is loaded."""
    places = [_place(source) for source in sources]
    for source, path in zip(sources, places, strict=True):
        if path and path.stat().st_size != source.size:
            return f"damaged: {path} has {path.stat().st_size} bytes, wants {source.size}; delete it"
    absent = [source for source, path in zip(sources, places, strict=True) if not path]
    folders = sorted({str(path.parent) for path in places if path})
    if not absent:
        return f"found in {' and '.join(folders)}"
    state = f"{len(absent)} of {_count(len(sources), 'file')} missing" if folders else "not here yet"
    if all(source.url for source in absent):
        return f"{state}; the first use downloads {sum(source.size for source in absent) / 1e6:.1f} MB"
    return f"{state}; never downloaded: put it at {fetch.cache_folder() / absent[0].name}"


def _place(source: Source) -> Path | None:
    """Where fetch.find would look first and find it, without downloading."""
    own = os.environ.get("MINIGEN_DATA")
    folders = ([Path(own)] if own else []) + [fetch.cache_folder()]
    return next((folder / source.name for folder in folders if (folder / source.name).is_file()), None)


def _importable(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
