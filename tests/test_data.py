"""The data room: published numbers of the data sets, splits, batches, spelled numbers, and damaged files."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import os
import struct
import sys
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigen import data
from minigen.data import fetch, letters, mnist_family, optical_digits, texts

DATA = os.environ.get("MINIGEN_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="MINIGEN_DATA is not set: the published files are not at hand")
drawn = settings(derandomize=True, deadline=None)


# ---------------------------------------------------------------------------------------------- digits


def test_digits_are_the_uci_digits():
    x_train, y_train, x_test, y_test = data.digits()
    assert x_train.shape == (1438, 8, 8, 1) and x_test.shape == (359, 8, 8, 1)
    assert x_train.dtype == x_test.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.int64
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x.min() == 0 and x.max() == 1
    assert (x * 16).sum(dtype=np.float64) == 561718


def test_digits_store_the_published_order():
    images, labels = optical_digits._load(optical_digits.FILE)
    assert images.dtype == labels.dtype == np.uint8
    assert labels[:10].tolist() == list(range(10))
    assert images[0, :2].tolist() == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]
    assert optical_digits.FILE.stat().st_size < 60_000


@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.5])
def test_digits_split_is_stratified(test_size):
    split = data.digits(test_size=test_size, seed=3)
    test, train = np.bincount(split.y_test), np.bincount(split.y_train)
    assert (abs(test - test_size * (test + train)) <= 0.5).all()


def test_digits_split_is_disjoint_and_complete():
    split = data.digits()
    images, _ = optical_digits._load(optical_digits.FILE)
    ours = np.concatenate([split.x_train, split.x_test]).reshape(1797, 64) * 16
    in_order = np.lexsort(ours.T), np.lexsort(images.reshape(1797, 64).T)
    np.testing.assert_array_equal(ours[in_order[0]], images.reshape(1797, 64)[in_order[1]])


def test_digits_split_is_fixed_by_the_seed():
    first, again, other = data.digits(), data.digits(), data.digits(seed=1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.y_test, other.y_test)
    assert first.y_test[:10].tolist() == [9, 3, 7, 1, 6, 9, 9, 9, 5, 1]  # the split that lessons quote


def test_digits_are_the_callers_own():
    data.digits().x_train[:] = 7
    assert data.digits().x_train.max() == 1


@pytest.mark.parametrize("test_size", [0, 1, -0.1, 360, float("nan")])
def test_digits_refuse_a_test_size_that_is_no_share(test_size):
    with pytest.raises(ValueError, match=r"digits: test_size is .* between 0 and 1"):
        data.digits(test_size=test_size)


@pytest.mark.parametrize("keep", [0, 1, 100, 20_000, -1])
def test_a_truncated_digits_file_is_a_sentence(tmp_path, keep):
    path = tmp_path / "digits.npz"
    path.write_bytes(optical_digits.FILE.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"digits: .*digits\.npz cannot be read .* install minigen again"):
        optical_digits._load(path)


def test_a_missing_or_foreign_digits_file_is_a_sentence(tmp_path):
    np.savez(tmp_path / "digits.npz", something=np.zeros(3))
    for path in (tmp_path / "digits.npz", tmp_path / "none.npz"):
        with pytest.raises(ValueError, match="cannot be read"):
            optical_digits._load(path)


# ---------------------------------------------------------------------------------------------- glyphs


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="glyphs are drawn by matplotlib")


@pytest.mark.parametrize("size", [28, 56])
def test_glyphs_shapes_and_range(matplotlib, size):
    images, labels, styles = data.glyphs(280, size=size)
    assert images.shape == (280, size, size, 1) and images.dtype == np.float32
    assert images.min() == 0 and 0.9 < images.max() <= 1
    assert labels.dtype == np.int64 and np.bincount(labels).tolist() == [10] * 28
    assert len(data.LETTERS) == 28 and len(set(data.LETTERS)) == 28
    assert styles.shift.shape == (280, 2)
    assert set(styles.family.tolist()) == set(range(len(data.FAMILIES)))
    for name in ("family", "bold", "slanted", "rotation", "scale", "slant"):
        assert getattr(styles, name).shape == (280,), name


def test_glyphs_are_fixed_by_the_seed(matplotlib):
    a, b, c = data.glyphs(64, seed=5), data.glyphs(64, seed=5), data.glyphs(64, seed=6)
    np.testing.assert_array_equal(a.images, b.images)
    np.testing.assert_array_equal(a.labels, b.labels)
    assert not np.array_equal(a.images, c.images)


def test_glyphs_at_56_are_those_at_28_in_finer_detail(matplotlib):
    small, large = data.glyphs(112, size=28), data.glyphs(112, size=56)
    np.testing.assert_array_equal(small.labels, large.labels)
    halved = large.images.reshape(112, 28, 2, 28, 2, 1).mean(axis=(2, 4))
    assert abs(halved - small.images).mean() < 0.015
    wrong = abs(np.roll(halved, 1, axis=0) - small.images).mean()
    assert wrong > 0.1  # the comparison can tell one letter from another


def test_every_letter_of_every_font_is_there_and_inside(matplotlib):
    drawings = letters._drawings(56)
    assert drawings.shape == (16, 28, 56, 56)
    assert (drawings.sum(axis=(2, 3)) > 20).all()
    border = np.concatenate([drawings[:, :, [0, -1]], drawings[:, :, :, [0, -1]].swapaxes(2, 3)], axis=2)
    assert border.max() == 0
    for font in drawings.reshape(16, 28, -1):
        distances = ((font[:, None] - font[None]) ** 2).sum(axis=-1)
        assert distances[~np.eye(28, dtype=bool)].min() > 20  # no two letters alike: no missing-glyph boxes


def test_glyph_styles_say_how_they_are_drawn(matplotlib):
    images, labels, styles = data.glyphs(2800, jitter=0)
    ink = images.sum(axis=(1, 2, 3))
    assert ink[styles.bold].mean() > 1.3 * ink[~styles.bold].mean()
    assert not styles.shift.any() and not styles.rotation.any() and not styles.slant.any()
    assert (styles.scale == 1).all()
    # The same letter in the same font, unmoved, is the same picture.
    key = [labels, styles.family, styles.bold, styles.slanted]
    same = np.flatnonzero(np.all([k == k[0] for k in key], axis=0))
    assert len(same) > 1
    np.testing.assert_array_equal(images[same], np.broadcast_to(images[0], images[same].shape))


def test_glyph_jitter_moves_as_it_says(matplotlib):
    images, _, styles = data.glyphs(600, size=56, jitter=1.0)
    centred = data.glyphs(600, size=56, jitter=0)
    ticks = (np.arange(56) + 0.5) / 56 - 0.5

    def moments(pictures):
        p = pictures[..., 0] / pictures.sum(axis=(1, 2, 3))[:, None, None]
        across, down = (p.sum(axis=1) * ticks).sum(axis=1), (p.sum(axis=2) * ticks).sum(axis=1)
        x, y = ticks - across[:, None], ticks - down[:, None]
        tilt = -np.einsum("nyx,nx,ny->n", p, x, y) / np.einsum("nyx,ny->n", p, y * y)  # rightwards per height
        return across, down, tilt

    before, after = moments(centred.images), moments(images)
    np.testing.assert_array_equal(centred.labels, data.glyphs(600, size=56).labels)
    assert np.corrcoef(after[0] - before[0], styles.shift[:, 0])[0, 1] > 0.9
    assert np.corrcoef(after[1] - before[1], styles.shift[:, 1])[0, 1] > 0.9
    assert np.corrcoef(after[2] - before[2], styles.slant)[0, 1] > 0.3
    # A thin upright stroke (I and ! of the sans) leans left when it is turned counter-clockwise.
    thin = np.isin(centred.labels, [data.LETTERS.index("I"), data.LETTERS.index("!")])
    lean = (after[2] - before[2])[thin]
    np.testing.assert_allclose(lean, (styles.slant - np.tan(styles.rotation))[thin], atol=0.08)


def test_glyphs_do_not_depend_on_the_readers_plot_style(matplotlib):
    import matplotlib.style

    usual = letters._drawings(20)
    letters._drawings.cache_clear()
    with matplotlib.style.context("dark_background"):
        np.testing.assert_array_equal(letters._drawings(20), usual)


def test_glyphs_without_matplotlib_is_a_sentence(monkeypatch):
    letters._drawings.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"drawn by matplotlib.*pip install"):
        data.glyphs(1, size=9)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"n": 0}, ValueError, "glyphs: n is 0"),
        ({"n": 2.5}, TypeError, "glyphs: n is 2.5"),
        ({"n": 1, "size": 4}, ValueError, "glyphs: size is 4"),
        ({"n": 1, "jitter": -1}, ValueError, "glyphs: jitter is -1"),
    ],
)
def test_glyphs_refuse_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        data.glyphs(**arguments)


# ---------------------------------------------------------------------------------------------- points

POINT_SETS = (data.ring, data.grid, data.moons, data.rings, data.spiral, data.xor)


@pytest.mark.parametrize("make", POINT_SETS, ids=lambda make: make.__name__)
def test_points_shapes_seeds_and_errors(make):
    points, labels = make(101, seed=4)
    assert points.shape == (101, 2) and points.dtype == np.float32
    assert labels.shape == (101,) and labels.dtype == np.int64
    again, same = make(101, seed=4)
    np.testing.assert_array_equal(points, again)
    np.testing.assert_array_equal(labels, same)
    assert not np.array_equal(points, make(101, seed=5)[0])

    rng = np.random.default_rng(4)  # a generator is drawn on: the same start, then new points
    np.testing.assert_array_equal(make(101, seed=rng)[0], points)
    assert not np.array_equal(make(101, seed=rng)[0], points)

    with pytest.raises(ValueError, match=f"{make.__name__}: n is 0"):
        make(0)
    width = "sigma" if make in (data.ring, data.grid) else "noise"
    with pytest.raises(ValueError, match=f"{make.__name__}: .* -1"):
        make(5, **{width: -1})


@pytest.mark.parametrize("make, classes", [(data.moons, 2), (data.rings, 2), (data.spiral, 2), (data.xor, 2)])
def test_point_classes_are_balanced(make, classes):
    _, labels = make(1000)
    assert np.bincount(labels).tolist() == [1000 // classes] * classes


def test_ring_is_eight_gaussians_on_a_circle():
    points, modes = data.ring(20_000, sigma=0.01)
    centres = data.ring_centres()
    assert centres.shape == (8, 2)
    np.testing.assert_allclose(np.hypot(*centres.T), 1, rtol=1e-6)
    np.testing.assert_allclose(centres[2], [0, 1], atol=1e-6)
    assert abs(np.bincount(modes, minlength=8) / 20_000 - 1 / 8).max() < 0.01
    assert (points - centres[modes]).std() == pytest.approx(0.01, rel=0.02)
    nearest = ((points[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(nearest, modes)


def test_grid_is_twenty_five_gaussians():
    points, modes = data.grid(20_000)
    centres = data.grid_centres()
    assert sorted({tuple(c) for c in centres.tolist()}) == [
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    ]
    assert centres[0].tolist() == [-4, -4] and centres[1].tolist() == [-2, -4]
    assert set(modes.tolist()) == set(range(25))
    assert (points - centres[modes]).std() == pytest.approx(0.05, rel=0.02)


def test_noiseless_points_lie_on_their_curves():
    points, labels = data.moons(500, noise=0)
    centre = np.where(labels[:, None] == 0, [0, 0], [1, 0.5])
    np.testing.assert_allclose(np.hypot(*(points - centre).T), 1, rtol=1e-5)
    assert (points[labels == 0, 1] >= 0).all() and (points[labels == 1, 1] <= 0.5).all()

    points, labels = data.rings(500, radii=(1, 2, 3), noise=0)
    np.testing.assert_allclose(np.hypot(*points.T), labels + 1, rtol=1e-5)

    points, labels = data.spiral(500, arms=3, turns=0.25, noise=0)
    radius = np.hypot(*points.T)
    assert radius.max() <= 1.00001
    angle = np.arctan2(points[:, 1], points[:, 0])
    turned = angle - 2 * np.pi * (0.25 * radius + labels / 3)
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-5)

    points, labels = data.xor(4, noise=0)
    assert {(*p, y) for p, y in zip(points.tolist(), labels.tolist(), strict=True)} == {
        (-1, -1, 0),
        (1, 1, 0),
        (1, -1, 1),
        (-1, 1, 1),
    }


# -------------------------------------------------------------------------------------- spelled numbers


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_number_round_trips(language):
    texts = data.spelled_numbers(language=language)
    assert len(texts) == len(set(texts)) == 10_000
    assert [data.parse_number(text, language=language) for text in texts] == list(range(10_000))


@drawn
@given(value=st.integers(0, 999_999), language=st.sampled_from(["en", "es"]))
def test_larger_numbers_round_trip(value, language):
    words = data.spell_number(value, language=language)
    assert data.parse_number(words, language=language) == value
    assert data.is_valid_number(words, language=language)


WORDS = ("one", "two", "twenty", "twenty-two", "hundred", "thousand", "zero", "", "uno", "un", "dos", "y")
WORDS += ("treinta", "ciento", "cien", "doscientos", "mil", "cero")


@drawn
@given(words=st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join))
def test_what_parses_is_exactly_what_is_spelled(words):
    for language in ("en", "es"):
        value = data.parse_number(words, language=language)
        assert value is None or data.spell_number(value, language=language) == words


@pytest.mark.parametrize(
    "value, english, spanish",
    [
        (0, "zero", "cero"),
        (13, "thirteen", "trece"),
        (16, "sixteen", "dieciséis"),
        (21, "twenty-one", "veintiuno"),
        (22, "twenty-two", "veintidós"),
        (23, "twenty-three", "veintitrés"),
        (26, "twenty-six", "veintiséis"),
        (31, "thirty-one", "treinta y uno"),
        (40, "forty", "cuarenta"),
        (99, "ninety-nine", "noventa y nueve"),
        (100, "one hundred", "cien"),
        (101, "one hundred one", "ciento uno"),
        (500, "five hundred", "quinientos"),
        (716, "seven hundred sixteen", "setecientos dieciséis"),
        (922, "nine hundred twenty-two", "novecientos veintidós"),
        (1000, "one thousand", "mil"),
        (1100, "one thousand one hundred", "mil cien"),
        (2025, "two thousand twenty-five", "dos mil veinticinco"),
        (9999, "nine thousand nine hundred ninety-nine", "nueve mil novecientos noventa y nueve"),
        (21_000, "twenty-one thousand", "veintiún mil"),
        (31_001, "thirty-one thousand one", "treinta y un mil uno"),
        (101_000, "one hundred one thousand", "ciento un mil"),
        (100_000, "one hundred thousand", "cien mil"),
    ],
)
def test_known_spellings(value, english, spanish):
    assert data.spell_number(value) == english
    assert data.spell_number(value, language="es") == spanish
    assert data.parse_number(spanish, language="es") == value


@pytest.mark.parametrize(
    "words, language",
    [
        *[(w, "en") for w in ("", " ", "One", "one ", " one", "twenty one", "twenty-ten", "fourty")],
        *[(w, "en") for w in ("one hundred and one", "one  two", "thousand", "one thousand zero", "mil")],
        *[(w, "en") for w in ("one thousand ", "one thousandone", "one thousand two thousand", "hundred")],
        *[(w, "es") for w in ("", "veintidos", "dieciseis", "un mil", "uno mil", "ciento", "cien uno")],
        *[(w, "es") for w in ("veintiuno mil", "treinta y uno mil", "veinte y uno", "mil cero")],
        *[(w, "es") for w in ("milmil", "mil mil", "milcien", "un", "veintiún", "one", "diez y seis")],
    ],
)  # fmt: skip
def test_wrong_spellings_are_refused(words, language):
    assert data.parse_number(words, language=language) is None
    assert not data.is_valid_number(words, language=language)


def test_spelled_numbers_refuse_bad_arguments():
    assert data.spelled_numbers(start=3, stop=5) == ["three", "four"]
    with pytest.raises(ValueError, match="it wants at most 999999"):
        data.spell_number(1_000_000)
    with pytest.raises(ValueError, match="value is -1"):
        data.spell_number(-1)
    with pytest.raises(TypeError, match=r"value is 3\.0, a float"):
        data.spell_number(3.0)
    with pytest.raises(ValueError, match="stop is 5"):
        data.spelled_numbers(start=5, stop=5)
    for ask in (data.spelled_numbers, lambda language: data.parse_number("one", language=language)):
        with pytest.raises(ValueError, match=r"language is 'fr'; it wants \"en\" or \"es\""):
            ask(language="fr")


# ----------------------------------------------------------------------------------------------- texts


def test_manual_prose_is_a_lot_of_english():
    prose = data.manual_prose()
    assert len(prose) > 300_000 and prose.isprintable() is False
    assert 80 < len(set(prose)) < 200
    assert prose.count(" the ") > 2000
    assert prose == data.manual_prose()


def test_manual_prose_missing_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ModuleNotFoundError, match="installed without the texts of its help"):
        data.manual_prose()


def test_text_reads_any_utf8_file(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_bytes("\ufeffañil\r\nmar\rsol\n".encode())
    assert data.text(path) == data.text(str(path)) == "añil\nmar\nsol\n"


def test_a_text_that_is_not_utf8_names_file_and_byte(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("mañana".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt is not UTF-8: byte 2 .* 0xf1") as caught:
        data.text(path)
    assert type(caught.value) is ValueError and caught.value.__suppress_context__


def test_text_refuses_what_is_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.txt; it wants tinyshakespeare, names, quijote or"):
        data.text(tmp_path / "nothing.txt")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        data.text(tmp_path)  # a folder
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match=r"empty\.txt is empty"):
        data.text(tmp_path / "empty.txt")


@needs_data
@pytest.mark.parametrize(
    "name, characters, distinct, lines",
    [
        ("tinyshakespeare", 1_115_394, 65, 40_000),
        ("names", 228_145, 27, 32_032),
        ("quijote", 1_018_625, 87, 17_542),
    ],
)
def test_named_texts(name, characters, distinct, lines):
    if not Path(DATA, texts.NAMED_TEXTS[name].name).exists():
        pytest.skip(f"MINIGEN_DATA holds no {texts.NAMED_TEXTS[name].name}")
    content = data.text(name)
    assert (len(content), len(set(content)), content.count("\n")) == (characters, distinct, lines)


# ------------------------------------------------------------------------------- MNIST and Fashion-MNIST

PUBLISHED = {
    "mnist": {
        "train": (
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
            1567298545,
            27525,
        ),
        "test": (
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
            [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
            264923200,
            18454,
        ),
    },
    "fashion_mnist": {
        "train": ([6000] * 10, [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], 3431114169, 76247),
        "test": ([1000] * 10, [9, 2, 1, 1, 6, 1, 4, 6, 5, 7], 573469082, 33456),
    },
}


@needs_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_mnist_family_against_published_numbers(name):
    if not Path(DATA, name.replace("_", "-")).is_dir():
        pytest.skip(f"MINIGEN_DATA holds no {name.replace('_', '-')} folder")
    split = getattr(data, name)()
    for part, x, y in (("train", split.x_train, split.y_train), ("test", split.x_test, split.y_test)):
        counts, first, pixels, first_pixels = PUBLISHED[name][part]
        assert x.shape == (sum(counts), 28, 28, 1) and x.dtype == np.float32 and y.dtype == np.int64
        assert x.min() == 0 and x.max() == 1
        assert np.bincount(y).tolist() == counts
        assert y[:10].tolist() == first
        assert np.rint(255 * x).sum(dtype=np.float64) == pixels
        assert np.rint(255 * x[0]).sum() == first_pixels
    assert len(data.FASHION_NAMES) == 10


# ------------------------------------------------------------------------------------------- IDX files


def idx_bytes(array, magic=b"\0\0\x08"):
    return magic + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4)])
def test_read_idx_round_trip(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "plain").write_bytes(idx_bytes(array))
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(idx_bytes(array)))
    for name in ("plain", "zipped.gz"):
        read = data.read_idx(tmp_path / name)
        np.testing.assert_array_equal(read, array)
        read[0] = 9  # the caller's own


@pytest.mark.parametrize(
    "content, words",
    [
        (b"no gzip at all", "not a whole gzip file"),
        (gzip.compress(idx_bytes(np.zeros((5, 5), np.uint8)))[:-9], "not a whole gzip file"),
        (gzip.compress(b""), "begins with"),
        (gzip.compress(idx_bytes(np.zeros(5, np.uint8), magic=b"\0\0\x0d")), "begins with 00 00 0d"),
        (gzip.compress(b"\0\0\x08\x03\0\0"), "ends inside its header: 6 of 16 bytes"),
        (gzip.compress(idx_bytes(np.zeros(5, np.uint8))[:-1]), "holds 4 values; its header wants 5"),
        (gzip.compress(idx_bytes(np.zeros(5, np.uint8)) + b"x"), "holds 6 values; its header wants 5"),
    ],
)
def test_a_damaged_idx_file_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"read_idx: .*images\.gz .*{words}"):
        data.read_idx(path)


def test_a_missing_idx_file_is_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*absent"):
        data.read_idx(tmp_path / "absent")


# ------------------------------------------------------------------------------- finding and downloading

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("MINIGEN_DATA", raising=False)
    monkeypatch.setenv("MINIGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path):
    """A local web server: its folder, its address, and the paths asked for; `/cut` breaks off half-way."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.path == "/cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT[:1000])
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        yield folder, f"http://127.0.0.1:{web.server_port}/", asked
        web.shutdown()


def source(url, content=CONTENT):
    return fetch.Source("shelf/file.bin", len(content), hashlib.sha256(content).hexdigest(), url)


def left_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_file_is_downloaded_once(cache, server):
    folder, url, asked = server
    (folder / "file.bin").write_bytes(CONTENT)
    for _ in range(2):
        path = fetch.find(source(url + "file.bin"))
        assert path == cache / "shelf" / "file.bin" and path.read_bytes() == CONTENT
    assert asked == ["/file.bin"]
    assert left_in(cache) == [os.path.join("shelf", "file.bin")]


def test_downloads_go_without_tqdm(cache, server, monkeypatch):
    folder, url, _ = server
    (folder / "file.bin").write_bytes(CONTENT)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert fetch.find(source(url + "file.bin")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "served, error, words",
    [
        (CONTENT[:-5], ValueError, "has 255995 bytes; shelf/file.bin wants 256000. It is cut short"),
        (CONTENT + b"more", ValueError, "has 256004 bytes"),
        (CONTENT[::-1], ValueError, "is not the published file: its sha256 is"),
        (None, ConnectionError, "could not be downloaded .*404"),
    ],
)
def test_a_wrong_download_is_refused_and_leaves_nothing(cache, server, served, error, words):
    folder, url, _ = server
    if served is not None:
        (folder / "file.bin").write_bytes(served)
    with pytest.raises(error, match=words) as caught:
        fetch.find(source(url + "file.bin"))
    assert f"save {url}file.bin as shelf/file.bin in a folder of yours" in str(caught.value)
    assert left_in(cache) == []


def test_a_connection_that_breaks_off_leaves_nothing(cache, server):
    _, url, _ = server
    with pytest.raises((ValueError, ConnectionError), match=r"cut short|IncompleteRead"):
        fetch.find(source(url + "cut"))
    assert left_in(cache) == []


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_download_leaves_nothing(cache, monkeypatch, interrupt):
    class Response:
        chunks = iter([CONTENT[:1000]])

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, _):
            for chunk in self.chunks:
                assert left_in(cache) and "file.bin" not in [p.name for p in cache.rglob("*")]
                return chunk
            raise interrupt

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Response())
    with pytest.raises(interrupt):
        fetch.find(source("http://nowhere.invalid/"))
    assert left_in(cache) == []


def test_no_network_says_how_to_go_on(cache):
    with pytest.raises(ConnectionError, match=r"could not be downloaded .* by hand: .* set MINIGEN_DATA"):
        fetch.find(source("http://127.0.0.1:9/file.bin"))  # nobody listens on the discard port
    assert left_in(cache) == []


def test_a_file_address_works_too(cache, tmp_path):
    (tmp_path / "here").write_bytes(CONTENT)
    assert fetch.find(source((tmp_path / "here").as_uri())).read_bytes() == CONTENT


def test_minigen_data_comes_first(cache, tmp_path, monkeypatch, server):
    folder, url, asked = server
    own = tmp_path / "own"
    (own / "shelf").mkdir(parents=True)
    (own / "shelf" / "file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("MINIGEN_DATA", str(own))
    assert fetch.find(source(url + "file.bin")) == own / "shelf" / "file.bin"
    assert asked == [] and left_in(tmp_path / "cache") == []

    (own / "shelf" / "file.bin").unlink()  # what the folder does not hold comes from the cache or the network
    (folder / "file.bin").write_bytes(CONTENT)
    assert fetch.find(source(url + "file.bin")) == cache / "shelf" / "file.bin"


@pytest.mark.parametrize("wrong", [CONTENT[:1000], CONTENT[::-1]])
def test_a_wrong_file_of_the_users_is_named_and_left_alone(cache, tmp_path, monkeypatch, server, wrong):
    folder, url, asked = server
    (folder / "file.bin").write_bytes(CONTENT)  # a download would work, but must not hide the wrong file
    cached = cache / "shelf" / "file.bin"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(wrong)
    with pytest.raises(ValueError, match=r"file\.bin .* wants .* Delete it and run again"):
        fetch.find(source(url + "file.bin"))
    assert cached.read_bytes() == wrong

    monkeypatch.setenv("MINIGEN_DATA", str(cache))
    with pytest.raises(ValueError, match=r"file\.bin .* wants .* unset MINIGEN_DATA"):
        fetch.find(source(url + "file.bin"))
    assert asked == []


def test_minigen_data_that_is_not_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match=r"MINIGEN_DATA names the folder .*gone, which is not there"):
        data.mnist()


def test_a_text_without_an_address_says_where_to_put_it(cache):
    with pytest.raises(FileNotFoundError, match=r"quijote-parte1\.txt is not downloaded .* set MINIGEN_DATA"):
        data.text("quijote")


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"MINIGEN_CACHE": "a", "XDG_CACHE_HOME": "b", "LOCALAPPDATA": "c"}, Path("a")),
        ({"XDG_CACHE_HOME": "b", "LOCALAPPDATA": "c"}, Path("b", "minigen")),
        ({"LOCALAPPDATA": "c"}, Path("c", "minigen")),
        ({}, Path.home() / ".cache" / "minigen"),
    ],
)
def test_where_the_cache_is(monkeypatch, settings, expected):
    for name in ("MINIGEN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert fetch.cache_folder() == expected


def test_mnist_from_a_server(cache, server, monkeypatch):
    """The whole way, with four small files in MNIST's place."""
    folder, url, asked = server
    rng = np.random.default_rng(0)
    arrays = [rng.integers(256, size=s, dtype=np.uint8) for s in [(6, 28, 28), 6, (2, 28, 28), 2]]
    files = []
    for (name, _, _), array in zip(mnist_family.MNIST_FILES, arrays, strict=True):
        content = gzip.compress(idx_bytes(array))
        (folder / name).write_bytes(content)
        files.append((name, len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.setattr(mnist_family, "MNIST_URL", url)
    monkeypatch.setattr(mnist_family, "MNIST_FILES", tuple(files))
    split = data.mnist()
    assert split.x_train.shape == (6, 28, 28, 1) and split.x_test.shape == (2, 28, 28, 1)
    np.testing.assert_array_equal(np.round(split.x_train[..., 0] * 255), arrays[0])
    np.testing.assert_array_equal(split.y_test, arrays[3])
    assert len(asked) == 4 and left_in(cache / "mnist") == sorted(name for name, _, _ in files)


def test_every_published_address_is_complete():
    for files in (mnist_family.MNIST_FILES, mnist_family.FASHION_FILES):
        assert [name.split("-")[0] for name, _, _ in files] == ["train", "train", "t10k", "t10k"]
        assert all(len(sha256) == 64 and size > 0 for _, size, sha256 in files)
    for named in texts.NAMED_TEXTS.values():
        assert dataclasses.is_dataclass(named) and named.name.startswith("text/") and len(named.sha256) == 64


# --------------------------------------------------------------------------------------------- batches


@drawn
@given(
    n=st.integers(1, 40),
    batch_size=st.one_of(st.none(), st.integers(1, 50)),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_an_epoch_is_every_sample_once(n, batch_size, shuffle, seed):
    x = np.arange(n * 3).reshape(n, 3)
    loader = data.batches(x, np.arange(n), batch_size=batch_size, shuffle=shuffle, seed=seed)
    for _ in range(2):
        parts = list(loader)
        assert len(parts) == len(loader)
        assert all(len(xb) == len(yb) == (batch_size or n) for xb, yb in parts[:-1])
        seen = np.concatenate([yb for _, yb in parts])
        np.testing.assert_array_equal(np.sort(seen), np.arange(n))
        np.testing.assert_array_equal(np.concatenate([xb for xb, _ in parts]), x[seen])
        if not shuffle:
            np.testing.assert_array_equal(seen, np.arange(n))


def test_batches_shuffle_samples_not_batches():
    loader = data.batches(np.arange(100), batch_size=10)
    fixed = {frozenset(range(i, i + 10)) for i in range(0, 100, 10)}
    first, second = ({frozenset(b.tolist()) for b in loader} for _ in range(2))
    assert not first & fixed
    assert not first & second  # other company each epoch


def test_each_epoch_has_its_order_and_the_seed_fixes_them():
    x = np.arange(50)
    a, b, c = (data.batches(x, batch_size=None, seed=seed) for seed in (7, 7, 8))
    first = [np.concatenate(list(a)).tolist() for _ in range(3)]
    again = [np.concatenate(list(b)).tolist() for _ in range(3)]
    assert first == again
    assert len({tuple(order) for order in first}) == 3
    assert np.concatenate(list(c)).tolist() != first[0]


def test_batches_resume_at_an_epoch():
    x = np.arange(50)
    through = data.batches(x, batch_size=8)
    epochs = [np.concatenate(list(through)).tolist() for _ in range(4)]
    assert through.epoch == 4
    resumed = data.batches(x, batch_size=8)
    resumed.epoch = 2
    assert [np.concatenate(list(resumed)).tolist() for _ in range(2)] == epochs[2:]


def test_an_epoch_left_early_counts_and_two_at_once_do_not_mix():
    loader = data.batches(np.arange(20), batch_size=20)
    next(iter(loader))
    assert loader.epoch == 1
    pairs = list(zip(loader, loader, strict=True))
    assert not np.array_equal(*pairs[0])


def test_batches_keep_or_drop_the_last_smaller_one():
    x = np.arange(10)
    assert [len(b) for b in data.batches(x, batch_size=4)] == [4, 4, 2]
    assert [len(b) for b in data.batches(x, batch_size=4, drop_last=True)] == [4, 4]
    assert len(data.batches(x, batch_size=4)) == 3 and len(data.batches(x, batch_size=4, drop_last=True)) == 2
    assert [len(b) for b in data.batches(x, batch_size=1)] == [1] * 10
    assert [len(b) for b in data.batches(x, batch_size=None)] == [10]
    assert len(data.batches(x, batch_size=np.int64(5))) == 2


def test_batches_are_copies():
    x = np.zeros((4, 2))
    for shuffle in (True, False):
        for batch in data.batches(x, batch_size=2, shuffle=shuffle):
            batch += 1
    assert not x.any()


def test_batches_index_an_array_of_another_device():
    class DeviceArray:
        """Like a CuPy array, but stricter: it refuses every host array, index arrays included."""

        def __init__(self, values):
            self.values = values
            self.shape = values.shape

        def __len__(self):
            return len(self.values)

        def __array__(self, *_, **__):
            raise TypeError("implicit conversion to a host array")

        def __getitem__(self, index):
            assert not isinstance(index, np.ndarray | np.generic)
            assert all(type(i) is int for i in index)
            return DeviceArray(self.values[index])

    x = DeviceArray(np.arange(10))
    parts = list(data.batches(x, x, batch_size=4))
    assert all(type(xb) is DeviceArray for xb, _ in parts)
    assert sorted(np.concatenate([xb.values for xb, _ in parts]).tolist()) == list(range(10))


X = np.zeros((6, 2))


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"x": X, "y": X[:5]}, ValueError, "x has 6 samples .* y has 5"),
        ({"x": X[:0]}, ValueError, r"x has shape \(0, 2\), so no samples"),
        ({"x": X, "y": X[:0]}, ValueError, "y has shape .* no samples"),
        ({"x": [1, 2]}, TypeError, "x is a list; it wants an array"),
        ({"x": np.float32(1)}, TypeError, "x is a single number"),
        ({"x": X, "batch_size": 0}, ValueError, "batch_size is 0; it wants a whole number of at least 1"),
        ({"x": X, "batch_size": -2}, ValueError, "batch_size is -2"),
        ({"x": X, "batch_size": 2.0}, TypeError, r"batch_size is 2\.0, a float"),
        ({"x": X, "batch_size": "32"}, TypeError, "batch_size is '32', a str"),
        ({"x": X, "batch_size": True}, TypeError, "batch_size is True, a truth value"),
        ({"x": X, "seed": -1}, ValueError, "seed is -1; it wants a whole number of at least 0"),
        ({"x": X, "batch_size": 7, "drop_last": True}, ValueError, "drop_last leaves no batch"),
    ],
)
def test_batches_refuse_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=f"batches: .*{words}"):
        data.batches(**arguments)


# --------------------------------------------------------------------------------------------- one-hot


@drawn
@given(st.lists(st.integers(0, 6), max_size=20))
def test_one_hot(labels):
    labels = np.array(labels, np.int64)
    rows = data.one_hot(labels, 7)
    assert rows.shape == (len(labels), 7) and rows.dtype == np.float32
    assert (rows.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(rows.argmax(axis=1), labels)


def test_one_hot_of_any_shape():
    assert data.one_hot([[0, 2], [1, 1]], 3).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]
    assert data.one_hot(2, 3).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "labels, classes, error, words",
    [
        ([0, 3], 3, ValueError, "a label is 3; classes=3 wants 0 to 2"),
        ([-1], 3, ValueError, "a label is -1"),
        ([0.0], 3, TypeError, "labels are float64"),
        ([True], 3, TypeError, "labels are bool"),
        ([0], 0, ValueError, "classes is 0"),
    ],
)
def test_one_hot_refuses(labels, classes, error, words):
    with pytest.raises(error, match=f"one_hot: {words}"):
        data.one_hot(labels, classes)
