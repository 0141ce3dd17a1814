"""The same random numbers at every call, for an op that draws some; and the means to see that it drew."""

import random as python_random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minigen import random
from minigen.backend import xp

SEED = 2015


@contextmanager
def kept_random() -> Iterator[None]:
    """Start all generators from the same state; after it, they stand where they stood before."""
    minigen_seed, minigen_generators = random._seed, dict(random._generators)
    python_state, legacy = python_random.getstate(), getattr(xp.random, "get_state", None)
    legacy_state = legacy() if legacy else None
    random.seed(SEED)
    python_random.seed(SEED)
    if legacy:
        xp.random.seed(SEED)
    try:
        yield
    finally:
        random._seed = minigen_seed
        random._generators.clear()
        random._generators.update(minigen_generators)
        python_random.setstate(python_state)
        if legacy:
            getattr(xp.random, "set_state")(legacy_state)  # noqa: B009 - CuPy has neither, and is not asked


def random_state() -> Any:
    """Something that compares unequal once any of the generators has drawn."""
    legacy = getattr(xp.random, "get_state", None)
    name, keys, *rest = legacy() if legacy else ("", b"")
    drawn = [getattr(g, "bit_generator", g) for g in random._generators.values()]
    drawn = [repr(getattr(g, "state", g)) for g in drawn]
    return name, bytes(keys), str(rest), python_random.getstate(), drawn


def normals(shape: tuple[int, ...], seed: int) -> Any:
    """Random-normal numbers, each moved a little away from 0, so that it can be divided by."""
    g = xp.asarray(xp.random.default_rng(seed).standard_normal(shape))
    return g + 0.25 * xp.where(g < 0, -1.0, 1.0)
