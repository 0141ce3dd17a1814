"""Points in the plane: problems whose every answer can be seen in a scatter plot.

Every function returns points (N, 2) float32 and labels (N,) int64. `seed` is a number, or a
`numpy.random.Generator` to go on drawing from (a GAN's training loop wants new points at every step). They
raise TypeError or ValueError where a count is not a whole number of at least 1, or a width is negative.

`ring` and `grid` draw each point's mode independently, as a mixture of Gaussians does; in `moons`, `rings`,
`spiral` and `xor` the classes are equally many (to within one).
"""

import numpy as np
from numpy.typing import NDArray

from minigen.data.arguments import whole_number

Points = tuple[NDArray[np.float32], NDArray[np.int64]]
Seed = int | np.random.Generator


def ring_centres(*, modes: int = 8, radius: float = 1.0) -> NDArray[np.float32]:
    """The centres of `ring`, counter-clockwise from (radius, 0).   -> (modes, 2) float32"""
    modes = whole_number("ring_centres", "modes", modes)
    angle = 2 * np.pi * np.arange(modes) / modes
    return _points(radius * np.cos(angle), radius * np.sin(angle))


def grid_centres(*, side: int = 5, spacing: float = 2.0) -> NDArray[np.float32]:
    """The centres of `grid`, row by row from the lower left, around (0, 0).   -> (side * side, 2) float32"""
    side = whole_number("grid_centres", "side", side)
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return _points(np.tile(ticks, side), np.repeat(ticks, side))


def ring(n: int, *, modes: int = 8, radius: float = 1.0, sigma: float = 0.01, seed: Seed = 0) -> Points:
    """`n` points from Gaussians of standard deviation `sigma`, their centres evenly spaced on a circle.

    Points (n, 2) float32, within about radius + 4 sigma; labels (n,) int64: the index of the mode in
    `ring_centres`.

    Source: the 2-D ring of Srivastava et al., "VEEGAN", 2017, and Lin et al., "PacGAN", 2018, with these
    defaults.
    """
    return _mixture("ring", n, ring_centres(modes=modes, radius=radius), sigma, seed)


def grid(n: int, *, side: int = 5, spacing: float = 2.0, sigma: float = 0.05, seed: Seed = 0) -> Points:
    """`n` points from side x side Gaussians of standard deviation `sigma`, their centres on a square grid.

    Points (n, 2) float32, for the defaults within about [-4.2, 4.2]; labels (n,) int64: the index of the mode
    in `grid_centres`.

    Source: the 2-D grid (25 Gaussians) of Srivastava et al., "VEEGAN", 2017, and Lin et al., "PacGAN", 2018.
    """
    return _mixture("grid", n, grid_centres(side=side, spacing=spacing), sigma, seed)


def moons(n: int, *, noise: float = 0.05, seed: Seed = 0) -> Points:
    """Two interleaved half circles of radius 1: label 0 the upper one, 1 the lower one, around (1, 0.5).

    Points (n, 2) float32, without noise in [-1, 2] x [-0.5, 1]; `noise` is the standard deviation added to
    each coordinate. Source: the shape is that of scikit-learn's `make_moons`.
    """
    labels, rng = _classes("moons", n, 2, seed)
    angle = np.pi * rng.random(len(labels))
    x = np.where(labels == 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(labels == 0, np.sin(angle), 0.5 - np.sin(angle))
    return _blurred("moons", _points(x, y), noise, rng), labels


def rings(n: int, *, radii: tuple[float, ...] = (0.5, 1.0), noise: float = 0.03, seed: Seed = 0) -> Points:
    """Concentric circles around (0, 0), by default two; label i is the circle of radius radii[i].

    Points (n, 2) float32; `noise` is the standard deviation added to each coordinate.
    """
    labels, rng = _classes("rings", n, whole_number("rings", "the number of radii", len(radii)), seed)
    angle = 2 * np.pi * rng.random(len(labels))
    radius = np.asarray(radii)[labels]
    return _blurred("rings", _points(radius * np.cos(angle), radius * np.sin(angle)), noise, rng), labels


def spiral(n: int, *, arms: int = 2, turns: float = 1.0, noise: float = 0.02, seed: Seed = 0) -> Points:
    """Spiral arms from (0, 0) out to radius 1, each making `turns` turns; the label is the arm.

    Points (n, 2) float32; `noise` is the standard deviation added to each coordinate.
    """
    labels, rng = _classes("spiral", n, whole_number("spiral", "arms", arms), seed)
    radius = np.sqrt(rng.random(len(labels)))  # the root spreads the points about evenly along the arm
    angle = 2 * np.pi * (turns * radius + labels / arms)
    return _blurred("spiral", _points(radius * np.cos(angle), radius * np.sin(angle)), noise, rng), labels


def xor(n: int, *, noise: float = 0.2, seed: Seed = 0) -> Points:
    """Clouds around the corners (+-1, +-1); label 1 where the corner's signs differ, 0 where they agree.

    Points (n, 2) float32; `noise` is the standard deviation of each cloud. noise=0 and n=4 give the four
    corners, the problem no single threshold neuron solves (Minsky and Papert, "Perceptrons", 1969).
    """
    corner, rng = _classes("xor", n, 4, seed)
    right, upper = corner % 2, corner // 2
    labels = right ^ upper
    return _blurred("xor", _points(2 * right - 1, 2 * upper - 1), noise, rng), labels


def _points(x: NDArray, y: NDArray) -> NDArray[np.float32]:
    return np.stack([x, y], axis=1).astype(np.float32)  # (N, 2)


def _blurred(where: str, points: NDArray, noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
    if noise < 0:
        raise ValueError(f"{where}: the noise is {noise}; it wants a standard deviation of at least 0")
    return (points + noise * rng.standard_normal(points.shape)).astype(np.float32)


def _mixture(where: str, n: int, centres: NDArray, sigma: float, seed: Seed) -> Points:
    """`n` points, each from a Gaussian around a centre drawn at random."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(centres), size=whole_number(where, "n", n))
    return _blurred(where, centres[labels], sigma, rng), labels


def _classes(where: str, n: int, classes: int, seed: Seed) -> tuple[NDArray[np.int64], np.random.Generator]:
    """`n` labels in random order, equally many of each class, and the generator to go on with."""
    rng = np.random.default_rng(seed)
    return rng.permutation(whole_number(where, "n", n)) % classes, rng
