"""Letter forms drawn from the fonts that matplotlib ships: 28 classes with known style attributes.

Each letter of each font is drawn once, at twice the resolution asked for; every image is then that drawing
seen through its own small affine map (shift, rotation, scale, slant), read off by bilinear interpolation.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigen.data.arguments import whole_number

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!?"
FAMILIES = ("sans", "mono", "serif", "stix")

# FILES[family][2 * bold + slanted], in matplotlib's font folder
FILES = (
    ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSans-Bold", "DejaVuSans-BoldOblique"),
    ("DejaVuSansMono", "DejaVuSansMono-Oblique", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique"),
    ("DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic"),
    ("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "STIXGeneralBolIta"),
)

CAPITAL_HEIGHT = 0.62  # the height of an H, as a share of the picture
MAX_EXTENT = 0.74  # letters wider or higher than this (a bold W, a J with a tail) are made smaller

# The widest jitter to either side, at jitter=1
SHIFT = 0.06  # share of the picture
ROTATION = np.deg2rad(8)
SCALE = 0.12
SLANT = 0.1


class GlyphStyles(NamedTuple):
    """How each of N glyphs was drawn, beside which letter it is.

    family    (N,) int64     index into FAMILIES: "sans", "mono", "serif", "stix"
    bold      (N,) bool      the font's bold cut
    slanted   (N,) bool      the font's oblique or italic cut
    shift     (N, 2) float32 right and down, as a share of the picture
    rotation  (N,) float32   counter-clockwise, in radians
    scale     (N,) float32   1 is a capital height of 0.62 of the picture
    slant     (N,) float32   the shear to the right on top of the font's own: width moved per height
    """

    family: NDArray[np.int64]
    bold: NDArray[np.bool_]
    slanted: NDArray[np.bool_]
    shift: NDArray[np.float32]
    rotation: NDArray[np.float32]
    scale: NDArray[np.float32]
    slant: NDArray[np.float32]


class Glyphs(NamedTuple):
    """images (N, size, size, 1) float32 in [0, 1], labels (N,) int64 into LETTERS, styles."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    styles: GlyphStyles


def glyphs(n: int, *, size: int = 28, seed: int = 0, jitter: float = 1.0) -> Glyphs:
    """`n` pictures of letters, A to Z, ! and ?, white (1) on black (0), each in a random font and moved.

    Every letter comes equally often (to within one); family, bold and slanted are drawn evenly and
    independently. The same `n` and `seed` give the same letters at every `size` (made for 28 and 56), so that
    56 x 56 pictures are the 28 x 28 ones in finer detail. For a test set take another seed. `jitter`
    multiplies the movement: 0 centres every letter. See `Glyphs` for what is returned.

    Raises TypeError or ValueError if n is not a whole number of at least 1, or size of at least 8, or jitter
    is not in 0 .. 2; ImportError without matplotlib.

    Source: the fonts DejaVu (Bitstream Vera licence) and STIX (SIL Open Font Licence), as shipped with
    matplotlib; a stand-in for pictures of the 28 Unown forms.
    """
    n = whole_number("glyphs", "n", n)
    size = whole_number("glyphs", "size", size, at_least=8)
    if not 0 <= jitter <= 2:
        raise ValueError(f"glyphs: jitter is {jitter}; it wants 0 (none) to 2 (letters leave the picture)")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(n) % len(LETTERS)
    styles = GlyphStyles(
        family=rng.integers(len(FAMILIES), size=n),
        bold=rng.random(n) < 0.5,
        slanted=rng.random(n) < 0.5,
        shift=_around(0, jitter * SHIFT, (n, 2), rng),
        rotation=_around(0, jitter * ROTATION, (n,), rng),
        scale=_around(1, jitter * SCALE, (n,), rng),
        slant=_around(0, jitter * SLANT, (n,), rng),
    )
    drawings = _drawings(2 * size)
    images = np.empty((n, size, size, 1), np.float32)
    for start in range(0, n, 1024):  # a thousand at a time: the work space stays small
        part = slice(start, start + 1024)
        chosen: list[Any] = [values[part] for values in styles]
        images[part, ..., 0] = _moved(drawings, labels[part], GlyphStyles(*chosen), size)
    return Glyphs(images, labels, styles)


def _around(middle: float, width: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray:
    return rng.uniform(middle - width, middle + width, shape).astype(np.float32)


def _moved(drawings: NDArray, labels: NDArray, styles: GlyphStyles, size: int) -> NDArray:
    """Each picture, by asking for every pixel where in the drawing it comes from.   -> (N, size, size)"""
    centre = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5  # of each pixel, from -1/2 to 1/2
    y, x = centre[:, None], centre[None, :]  # (size, 1), (1, size)

    # The inverse of: scale, slant, rotate, shift. y points down, so a counter-clockwise turn is [c s; -s c].
    def each(values: NDArray) -> NDArray:
        return values[:, None, None]  # (N, 1, 1)

    x = x - each(styles.shift[:, 0])
    y = y - each(styles.shift[:, 1])
    c, s = each(np.cos(styles.rotation)), each(np.sin(styles.rotation))
    x, y = c * x - s * y, s * x + c * y
    x = x + each(styles.slant) * y
    x, y = x / each(styles.scale), y / each(styles.scale)  # (N, size, size)

    # Bilinear: the four drawn pixels around (row, column), weighted by nearness.
    pixels = drawings.shape[-1]
    row = np.clip((y + 0.5) * pixels - 0.5, 0, pixels - 1.001)
    column = np.clip((x + 0.5) * pixels - 0.5, 0, pixels - 1.001)
    r, k = row.astype(np.intp), column.astype(np.intp)
    down, right = row % 1, column % 1

    font = 4 * styles.family + 2 * styles.bold + styles.slanted
    flat = drawings.reshape(-1)
    corner = each((font * len(LETTERS) + labels) * pixels * pixels) + r * pixels + k
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + pixels] * (1 - right) + flat[corner + pixels + 1] * right
    return upper * (1 - down) + lower * down


@cache
def _drawings(pixels: int) -> NDArray[np.float32]:
    """Every letter of every font, centred.   -> (16 fonts, 28 letters, pixels, pixels) in [0, 1]"""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.font_manager import FontProperties
        from matplotlib.patches import PathPatch
        from matplotlib.textpath import TextPath
        from matplotlib.transforms import Affine2D
    except ImportError as error:
        raise ImportError(
            f"glyphs: the letters are drawn by matplotlib, which cannot be imported ({error}). "
            'It comes with: pip install -e ".[lessons]"'
        ) from error

    figure = Figure(figsize=(1, 1), dpi=pixels, facecolor="white")  # whatever style the reader has set
    canvas = FigureCanvasAgg(figure)
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")

    def drawn(path: Any) -> NDArray:
        """The ink of one outline given in shares of the picture."""
        figure.clear()
        ink = PathPatch(path, facecolor="black", linewidth=0, antialiased=True, transform=figure.transFigure)
        figure.add_artist(ink)
        canvas.draw()
        return 1 - np.asarray(canvas.buffer_rgba())[..., 0].astype(np.float32) / 255  # black on white, turned

    fonts = []
    for name in (name for family in FILES for name in family):
        font = FontProperties(fname=folder / f"{name}.ttf")
        capital = TextPath((0, 0), "H", prop=font).get_extents().height
        letters = []
        for letter in LETTERS:
            outline = TextPath((0, 0), letter, prop=font)
            box = outline.get_extents()
            scale = min(CAPITAL_HEIGHT / capital, MAX_EXTENT / max(box.width, box.height))
            middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
            place = Affine2D().translate(-middle[0], -middle[1]).scale(scale).translate(0.5, 0.5)
            letters.append(drawn(outline.transformed(place)))
        fonts.append(letters)
    return np.array(fonts, np.float32)
