"""Both cores. The one place that decides how many threads work, and that shares work among them.

MINIGEN_THREADS, or `mg.set_threads(n)`, sets the number; by default it is that of the cores this process may use, at
most 8, or less where OMP_NUM_THREADS or OPENBLAS_NUM_THREADS asks for less. Results for a given number of threads are
the same every time; another number rounds differently.

BLAS keeps to one thread, and what is large is shared here. Its own threads go on waiting in a busy loop after each
product, for milliseconds, and take the core from ours: a U-Net's step took 370 ms with both, 268 with ours alone, 327
with one thread. And where another program uses a core, they wait for each other: 58 ms for LeNet's step, 9 with ours.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from threadpoolctl import ThreadpoolController

from minigen.backend import current, xp

PIECE = 1 << 16  # numbers that an elementwise formula works on at a time: they stay in the processor's cache
LARGE = 1 << 17  # smaller arrays are not worth cutting up

_blas = ThreadpoolController().select(user_api="blas").lib_controllers
_here = threading.local()  # .busy: this thread already works on a share
_pool: ThreadPoolExecutor | None = None
_count = 1


def set_threads(count: int) -> None:
    """Use so many threads from now on; BLAS, in this whole process, keeps to one.

    Raises ValueError for what is no whole number of at least 1.
    """
    global _count, _pool
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"set_threads: wants a whole number of at least 1, got {count!r}")
    if _pool is not None:
        _pool.shutdown()
    _pool = ThreadPoolExecutor(count - 1, thread_name_prefix="minigen") if count > 1 else None
    _count = count
    for library in _blas:
        library.set_num_threads(1)


def threads() -> int:
    """How many threads are in use."""
    return _count


def shared(work: Callable[[int, int], Any], n: int) -> list[Any]:
    """[work(i, j), ...] for ranges that make up range(n), one for each thread, in order.

    The ranges depend on n and the number of threads alone. `work` computes with arrays only, and calls no `shared`
    that would run in parallel: inside a share, everything is done by the thread that is on it.
    """
    parts = min(_count, n)
    if parts <= 1 or _pool is None or is_alone() or current() != "numpy":
        return [work(0, n)]
    edges = [n * k // parts for k in range(parts + 1)]
    others = [_pool.submit(_share, work, i, j) for i, j in pairwise(edges[1:])]
    try:
        first = _share(work, 0, edges[1])
    finally:
        results = [other.result() for other in others]  # never leave one running
    return [first, *results]


def shared_product(a: Any, b: Any) -> Any:
    """a @ b; for two large matrices it is shared among the threads, by rows of a.

    Below 67 million multiplications, half a millisecond, waking the other thread costs what it saves.
    """
    matrices = a.ndim == b.ndim == 2 and a.shape[1] == len(b)
    if not matrices or len(a) * b.size < 1 << 26 or current() != "numpy":
        return a @ b
    y = xp.empty((len(a), b.shape[1]), dtype=a.dtype)
    shared(lambda i, j: xp.matmul(a[i:j], b, out=y[i:j]), len(a))
    return y


def _share(work: Callable[[int, int], Any], i: int, j: int) -> Any:
    with alone():
        return work(i, j)


@contextmanager
def alone() -> Iterator[None]:
    """In this block nothing is shared: the other cores have work of their own."""
    was, _here.busy = is_alone(), True
    try:
        yield
    finally:
        _here.busy = was


def is_alone() -> bool:
    """Whether this thread is not to share its work."""
    return getattr(_here, "busy", False)


def small_products() -> bool:
    """Whether small matrix products are better made one by one, as on OpenBLAS's newer kernels."""
    return bool(_blas) and getattr(_blas[0], "architecture", "") in ("SkylakeX", "Cooperlake", "SapphireRapids")


def ranges(i: int, j: int, bytes_each: int) -> Iterator[slice]:
    """Slices that make up range(i, j), each of as many entries as fit into the cache."""
    step = max(1, 4 * PIECE // max(1, bytes_each))
    return (slice(k, min(k + step, j)) for k in range(i, j, step))


def in_pieces(formula: Callable[..., Any]) -> Callable[..., Any]:
    """An elementwise formula, evaluated piece by piece where the arrays are large.

    A formula of five operations makes four arrays in between; in pieces these never leave the cache (silu of 800,000
    numbers: 0.74 ms, 1.12 whole), and the pieces are shared among the threads.
    """

    def evaluate(*values: Any, **settings: Any) -> Any:
        x = values[0]
        if getattr(x, "size", 0) < LARGE or type(x) is not xp.ndarray or current() != "numpy":
            return formula(*values, **settings)
        arrays = [v for v in values if type(v) is xp.ndarray]
        if any(a.shape != x.shape or not a.flags.c_contiguous for a in arrays):
            return formula(*values, **settings)
        flat = [v.reshape(-1) if type(v) is xp.ndarray else v for v in values]

        def piece(i: int) -> Any:
            return formula(*[v[i : i + PIECE] if type(v) is xp.ndarray else v for v in flat], **settings)

        first = piece(0)
        y = xp.empty(x.shape, dtype=first.dtype)
        out = y.reshape(-1)
        out[:PIECE] = first

        def work(i: int, j: int) -> None:
            for k in range(i + 1, j + 1):
                out[k * PIECE : (k + 1) * PIECE] = piece(k * PIECE)

        shared(work, (x.size - 1) // PIECE)
        return y

    return evaluate


def _default() -> int:
    wanted = os.environ.get("MINIGEN_THREADS")
    if wanted is not None and not (wanted.isdigit() and int(wanted) > 0):
        raise ValueError(f"MINIGEN_THREADS is {wanted!r}, wants a whole number of at least 1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")]  # of shared machines
    return int(wanted) if wanted else min([cores, 8, *(int(n) for n in limits if n.isdigit() and int(n) > 0)])


def _after_fork() -> None:
    """A forked process has none of its parent's other threads, and would wait for them for ever: it gets its own."""
    global _pool
    _pool = None
    _here.busy = False
    set_threads(_count)


set_threads(_default())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
