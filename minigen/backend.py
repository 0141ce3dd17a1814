"""Where arrays live: `xp` is NumPy on the CPU or CuPy on the GPU, and one switch chooses.

    import minigen as mg
    mg.use("cupy")                 # from here on, every new array is on the GPU
    with mg.using("numpy"): ...    # for a few lines
    MINIGEN_BACKEND=cupy python lesson.py

`xp` is one object that every module imports once; the switch refills it, so nothing has to be re-imported.
Nothing moves between host and device by itself: `to_numpy(a)` and `asarray(a)` are the two doors.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

BACKENDS = ("numpy", "cupy", "strict")


class Namespace:
    """An object whose attributes are those of the array module in use."""

    def __getattr__(self, name: str) -> Any:  # reached only when the name is missing
        raise AttributeError(f"the {_current} backend has no function {name!r}")


xp = Namespace()
_current = ""


def use(name: str) -> None:
    """Make `name` the backend of every array made from now on: "numpy", "cupy", or "strict".

    "strict" computes with NumPy but behaves like CuPy (no silent mixing with host arrays, 0-d arrays from
    reductions, only CuPy's functions), so that GPU mistakes show on a machine without one.

    Raises ValueError for an unknown name, RuntimeError where CuPy or a GPU is missing.
    """
    global _current
    if name not in BACKENDS:
        raise ValueError(f"use: there is no backend {name!r}; choose one of {', '.join(BACKENDS)}")
    module = {"numpy": lambda: np, "cupy": _cupy, "strict": _strict}[name]()
    names = dir(module)
    xp.__dict__.clear()
    xp.__dict__.update({n: getattr(module, n) for n in names if not n.startswith("__")})
    _current = name


@contextmanager
def using(name: str) -> Iterator[None]:
    """`use(name)` inside the with-block, and the backend from before after it, also after an error."""
    before = _current
    use(name)
    try:
        yield
    finally:
        use(before)


def current() -> str:
    """The name of the backend in use."""
    return _current


def _cupy() -> Any:
    go_on = 'To go on with NumPy: mg.use("numpy"), or unset MINIGEN_BACKEND.'
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise RuntimeError(
            f"use: the cupy backend was asked for, but CuPy cannot be imported ({error}). It comes with "
            f'pip install -e ".[gpu]" and needs an NVIDIA GPU. {go_on}'
        ) from error
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its own type for a missing driver or device
        raise RuntimeError(
            f"use: CuPy {cupy.__version__} is installed, but no GPU answers ({error}). {go_on}"
        ) from error
    if devices == 0:
        raise RuntimeError(f"use: CuPy {cupy.__version__} is installed, but it sees no GPU. {go_on}")
    return cupy


def _strict() -> Any:
    return importlib.import_module("minigen.strict")


def asarray(data: Any, dtype: Any = None) -> Any:
    """`data` as an array of the backend in use. Lists and numbers become float32, arrays keep their dtype.

    This is the door from the host to the device: a NumPy array is copied to the GPU when CuPy is in use.
    """
    if type(data) is xp.ndarray:
        return data if dtype is None else data.astype(dtype, copy=False)
    if dtype is None and not hasattr(data, "dtype"):
        dtype = np.float32
    return xp.asarray(data, dtype=dtype)


def to_numpy(array: Any) -> np.ndarray:
    """`array` (of any backend, or a Tensor) as a NumPy array on the host: the door from the device."""
    array = getattr(array, "data", array) if hasattr(array, "requires_grad") else array
    get = getattr(array, "get", None)  # CuPy's (and the strict stand-in's) own way to the host
    return np.asarray(get() if get is not None else array)


use(os.environ.get("MINIGEN_BACKEND", "numpy"))
