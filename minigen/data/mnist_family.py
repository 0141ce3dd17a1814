"""MNIST and Fashion-MNIST: 70,000 pictures each, in the same four files."""

import numpy as np
from numpy.typing import NDArray

from minigen.data.fetch import Source, find
from minigen.data.idx import read_idx
from minigen.data.split import Split

FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# file, bytes, sha256: training images and labels, test images and labels, as published
Files = tuple[tuple[str, int, str], ...]

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_FILES: Files = (
    (
        "train-images-idx3-ubyte.gz",
        9912422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        28881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        1648877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        4542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_FILES: Files = (
    (
        "train-images-idx3-ubyte.gz",
        26421880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        29515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        4422102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        5148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)


def mnist() -> Split:
    """MNIST: 60,000 training and 10,000 test pictures of handwritten digits, 28 x 28.

    x (N, 28, 28, 1) float32 in [0, 1], 0 background and 1 full ink (220 MB in all); y (N,) int64, 0 to 9. In
    the published order.

    The files come from MINIGEN_DATA/mnist, else the cache, else they are downloaded once (12 MB) and
    verified. Raises FileNotFoundError, ValueError or ConnectionError, naming the file, if that fails.

    Source: LeCun, Cortes, Burges; LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE, 1998. The files carry no licence; usually redistributed
    under CC BY-SA 3.0.
    """
    return _load("mnist", MNIST_URL, MNIST_FILES)


def fashion_mnist() -> Split:
    """Fashion-MNIST: 60,000 training and 10,000 test pictures of clothes, 28 x 28.

    x (N, 28, 28, 1) float32 in [0, 1], 0 background (220 MB in all); y (N,) int64, 0 to 9, named by
    FASHION_NAMES. In the published order.

    The files come from MINIGEN_DATA/fashion-mnist, else the cache, else they are downloaded once (31 MB) and
    verified. Raises FileNotFoundError, ValueError or ConnectionError, naming the file, if that fails.

    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", 2017, MIT licence, copyright 2017 Zalando SE.
    """
    return _load("fashion-mnist", FASHION_URL, FASHION_FILES)


def _load(folder: str, url: str, files: Files) -> Split:
    sources = (Source(f"{folder}/{file}", size, sha256, url + file) for file, size, sha256 in files)
    x_train, y_train, x_test, y_test = (read_idx(find(source)) for source in sources)
    return Split(_images(x_train), y_train.astype(np.int64), _images(x_test), y_test.astype(np.int64))


def _images(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 28, 28) uint8  ->  (N, 28, 28, 1) float32 in [0, 1]"""
    images = pixels[..., None].astype(np.float32)
    images /= 255  # in place: the training images take 188 MB
    return images
