"""The digits that come with the package: real handwriting, small enough to train on in seconds."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minigen.data.split import Split

FILE = Path(__file__).with_name("digits.npz")


def digits(*, test_size: float = 0.2, seed: int = 0) -> Split:
    """1,797 handwritten digits of 13 people, 8 x 8 pixels, split into training and test samples.

    x (N, 8, 8, 1) float32 in [0, 1] (grey levels 0 to 16, divided by 16; 0 is paper, 1 is ink), y (N,) int64,
    0 to 9.

    The split is stratified: of every digit, the share `test_size` (rounded) goes to the test part, so both
    parts have the same mix. It depends on `seed` alone; the default gives 1,438 training and 359 test
    samples, always the same.

    Raises ValueError if test_size is not between 0 and 1, or if the package's file is damaged.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (test part), UCI Machine
    Learning Repository, 1998, CC BY 4.0; see DIGITS-LICENSE.txt beside this file.
    """
    if not 0 < test_size < 1:
        raise ValueError(f"digits: test_size is {test_size}; it wants a share between 0 and 1, such as 0.2")
    images, labels = _load(FILE)
    x = images[..., None].astype(np.float32) / 16  # (1797, 8, 8, 1)
    y = labels.astype(np.int64)

    rng = np.random.default_rng(seed)
    train, test = [], []
    for digit in range(10):
        members = rng.permutation(np.flatnonzero(y == digit))
        n_test = round(test_size * len(members))
        test.append(members[:n_test])
        train.append(members[n_test:])
    train_index = rng.permutation(np.concatenate(train))  # mixed again: not all the zeros first
    test_index = rng.permutation(np.concatenate(test))
    return Split(x[train_index], y[train_index], x[test_index], y[test_index])


def _load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The stored arrays: images (1797, 8, 8) and labels (1797,), both uint8."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return stored["images"], stored["labels"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"digits: {path} cannot be read ({error}); it wants the {FILE.name} that minigen ships. "
            "The file is missing, cut short or changed: install minigen again."
        ) from error
