"""Train one of the classifiers that the metrics look through.

    python -m minigen.metrics.train digits digits.npz

writes the weights (float16) and prints the test accuracy that they have in this precision, and the file's sha256, which
belongs into minigen/metrics/classifiers.py if the file is to replace the shipped one. mnist needs its data (see
minigen.data.mnist), glyphs needs matplotlib.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigen import checkpoint, data, optim, random
from minigen.backend import asarray, xp
from minigen.data.letters import Glyphs
from minigen.lesson import progress
from minigen.metrics.classifiers import Classifier
from minigen.metrics.networks import PLANS, cut, network
from minigen.ops import cross_entropy

EPOCHS = {"digits": 60, "glyphs": 15, "mnist": 8}
GLYPHS = 28_000  # training images: a thousand a letter
BATCH = 64


class Labelled(NamedTuple):
    """images (N, side, side, 1), and the right answers (N, heads), a column a head."""

    images: Any
    answers: Any


def load(name: str) -> tuple[Labelled, Labelled]:
    """The training and the test part; the glyphs of each are drawn with a seed that no lesson is likely to use."""
    if name == "glyphs":
        return _of_glyphs(data.glyphs(GLYPHS, seed=1001)), _of_glyphs(data.glyphs(5_600, seed=1002))
    x_train, y_train, x_test, y_test = data.digits() if name == "digits" else data.mnist()
    return Labelled(x_train, y_train[:, None]), Labelled(x_test, y_test[:, None])


def shifted(images: Any, by: int) -> Any:
    """All images of a batch moved by up to `by` pixels each way, at random, with background coming in."""
    side = images.shape[1]
    padded = xp.pad(images, ((0, 0), (by, by), (by, by), (0, 0)))
    down, right = (int(n) for n in random.uniform(2, 0, 2 * by + 1))
    return padded[:, down : down + side, right : right + side]


def train(name: str, path: Path, epochs: int) -> None:
    """Train with AdamW and a learning rate that falls to 0, and write the weights to `path`."""
    plan = PLANS[name]
    part, _ = load(name)
    model = network(plan)
    batches = data.batches(asarray(part.images), asarray(part.answers), batch_size=BATCH)
    adam = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = optim.CosineLR(adam, steps=epochs * len(batches))
    for _ in progress(range(epochs), name):
        for images, answers in batches:
            scores = cut(plan, model(shifted(images, 1))).values()
            losses = [cross_entropy(logits, answers[:, i]) for i, logits in enumerate(scores)]
            adam.zero_grad()
            sum(losses[1:], losses[0]).backward()
            adam.step()
            schedule.step()
    weights = {key: array.astype("float16") for key, array in model.state_dict().items()}
    checkpoint.save(path, weights, name=name, epochs=epochs)


def accuracies(name: str, path: Path) -> dict[str, float]:
    """The share of test images that the weights in a file answer right, for each head."""
    _, test = load(name)
    judge = Classifier(name, path)
    return {
        head: float(np.mean(judge.labels(test.images, head) == test.answers[:, i]))
        for i, head in enumerate(PLANS[name].heads)
    }


def _of_glyphs(drawn: Glyphs) -> Labelled:
    styles = drawn.styles
    return Labelled(drawn.images, np.stack([drawn.labels, styles.family, styles.bold, styles.slanted], axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=PLANS)
    parser.add_argument("file", type=Path, help="where the weights are to be written, .npz")
    parser.add_argument("--epochs", type=int, help=f"default {EPOCHS}")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random.seed(args.seed)
    train(args.name, args.file, args.epochs or EPOCHS[args.name])
    for head, share in accuracies(args.name, args.file).items():
        print(f"{args.name}: {head} right for {share:.2%} of the test images")
    print(
        f"{args.file}: {args.file.stat().st_size:,} bytes, sha256 {hashlib.sha256(args.file.read_bytes()).hexdigest()}"
    )


if __name__ == "__main__":
    main()
