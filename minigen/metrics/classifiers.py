"""Our own classifiers, trained and shipped: what the features, and the labels of generated images, come from.

    judge = metrics.classifier("digits")
    judge.features(images)      # (N, 64), for the Frechet distance, density and coverage, ...
    judge.labels(images)        # (N,)

They saw training images only, so test images are as new to them as generated ones. `minigen.metrics.train` made
their weights.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigen import backend, checkpoint
from minigen.backend import asarray, to_numpy
from minigen.graph import no_grad
from minigen.metrics.networks import PLANS, cut, network
from minigen.nn.init import zeros
from minigen.ops import softmax

FOLDER = Path(__file__).parent
SHA256 = {
    "digits": "313931bcdc9cb0a4e8bf588711e048a10ab92f371a707665147571de9fe47b62",
    "glyphs": "570c565d1b8ab3d5154717efe809fa6f0597c8e313022da6bdae73f73bf2ec1e",
    "mnist": "fc32041289ebe5f504aeaddba3e5459146b3f39510a5541f8a7ec2379ef63a4b",
}
BATCH = 500  # images at a time


class Classifier:
    """A trained classifier of grey images (N, side, side, 1) in [0, 1], 0 the background; see `classifier`.

    Results are NumPy arrays. Images may be arrays of any backend, or Tensors; ValueError if they are of another shape
    or range.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.plan = name, PLANS[name]
        self.classes = self.plan.heads["label"]
        self.network = network(self.plan, zeros)  # zeros: draws no random numbers
        self.network.requires_grad_(False)
        weights, _ = checkpoint.load(path)
        self.network.load_state_dict(weights)

    def features(self, images: Any) -> NDArray[np.float32]:
        """The 64 numbers before the last layer.   (N, side, side, 1) -> (N, 64)"""
        return self._apply(self.network[0], images)

    def probabilities(self, images: Any, of: str = "label") -> NDArray[np.float32]:
        """What it believes of each image, a softmax.   (N, side, side, 1) -> (N, classes)

        of: for glyphs also "family" (4), "bold" and "slanted" (2 each: no, yes). Raises ValueError for others.
        """
        if of not in self.plan.heads:
            raise ValueError(
                f"classifier({self.name!r}) cannot tell {of!r}; it was trained for {', '.join(self.plan.heads)}"
            )
        return self._apply(lambda part: softmax(cut(self.plan, self.network(part))[of]), images)

    def labels(self, images: Any, of: str = "label") -> NDArray[np.int64]:
        """The most probable answer for each image.   (N, side, side, 1) -> (N,)"""
        return self.probabilities(images, of).argmax(axis=1)

    def _apply(self, function: Callable[[Any], Any], images: Any) -> Any:
        images = asarray(getattr(images, "data", images) if hasattr(images, "requires_grad") else images)
        side = self.plan.side
        if images.ndim != 4 or images.shape[1:] != (side, side, 1) or len(images) == 0:
            raise ValueError(
                f"classifier({self.name!r}): images have shape {images.shape}; it wants (N, {side}, {side}, 1)"
            )
        images = images.astype("float32")
        low, high = float(images.min()), float(images.max())
        if not (low > -0.5 and high < 1.5):  # a generator may overshoot a little; NaN fails, too
            raise ValueError(
                f"classifier({self.name!r}): images go from {low:.3g} to {high:.3g}; it wants grey values in [0, 1]"
            )
        with no_grad():
            parts = [to_numpy(function(images[start : start + BATCH])) for start in range(0, len(images), BATCH)]
        return np.concatenate(parts)


def classifier(name: str) -> Classifier:
    """The shipped classifier for "digits" (8 x 8), "glyphs" (28 x 28) or "mnist" (28 x 28), on the backend in use.

    Raises ValueError for another name, or if the weights in the package are missing or not the ones that were shipped.
    """
    if name not in PLANS:
        raise ValueError(f"classifier: there is none for {name!r}; choose one of {', '.join(PLANS)}")
    return _loaded(name, backend.current())


@cache
def _loaded(name: str, backend_name: str) -> Classifier:
    path = FOLDER / f"{name}.npz"
    verify(path, SHA256[name])
    return Classifier(name, path)


def verify(path: Path, wanted: str) -> None:
    """Raise a ValueError that names the file unless its sha256 is the one wanted."""
    again = "A distance is comparable only if the same network measured it: install minigen again."
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"classifier: the weights {path} cannot be read ({error}). {again}") from error
    if found != wanted:
        raise ValueError(
            f"classifier: {path} is not the file that was shipped: its sha256 is {found}, wants {wanted}. {again}"
        )
