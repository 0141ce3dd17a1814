"""Data sets and mini-batches. Host NumPy arrays: images N, H, W, C float32 in [0, 1], labels int64.

Without a network: `digits` (real handwriting), `glyphs` (letter forms), `ring`, `grid`, `moons`, `rings`,
`spiral`, `xor` (points in the plane), `spelled_numbers`, `manual_prose`. From the folder MINIGEN_DATA, else
the cache, else downloaded once: `mnist`, `fashion_mnist`, `text("tinyshakespeare")`.

    x_train, y_train, x_test, y_test = data.digits()
    loader = data.batches(x_train, y_train, batch_size=32)
    for epoch in range(10):
        for x, y in loader:
            ...
"""

from minigen.data.encoding import one_hot
from minigen.data.idx import read_idx
from minigen.data.letters import FAMILIES, LETTERS, Glyphs, GlyphStyles, glyphs
from minigen.data.minibatches import batches
from minigen.data.mnist_family import FASHION_NAMES, fashion_mnist, mnist
from minigen.data.number_words import is_valid_number, parse_number, spell_number, spelled_numbers
from minigen.data.optical_digits import digits
from minigen.data.points import (
    grid,
    grid_centres,
    moons,
    ring,
    ring_centres,
    rings,
    spiral,
    xor,
)
from minigen.data.split import Split
from minigen.data.texts import manual_prose, text

__all__ = [
    "FAMILIES",
    "FASHION_NAMES",
    "LETTERS",
    "GlyphStyles",
    "Glyphs",
    "Split",
    "batches",
    "digits",
    "fashion_mnist",
    "glyphs",
    "grid",
    "grid_centres",
    "is_valid_number",
    "manual_prose",
    "mnist",
    "moons",
    "one_hot",
    "parse_number",
    "read_idx",
    "ring",
    "ring_centres",
    "rings",
    "spell_number",
    "spelled_numbers",
    "spiral",
    "text",
    "xor",
]
