"""The choices of kernels that minigen makes, and how to switch each off from outside, to measure what it buys.

The contestant "minigen-band" of speed.py is minigen without the choice "band". A choice that loses by more than a
tenth on some machine should not be made there.
"""

import sys

import minigen  # noqa: F401
from minigen import parallel, threads
from minigen.ops import band, winograd


def replace(original, substitute):
    """Put `substitute` in the place of `original` wherever a module of minigen has it under a name."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "minigen":
            for key, value in list(vars(module).items()):
                if value is original:
                    setattr(module, key, substitute)


def no_band():
    replace(band.suits, lambda *_: False)


def no_winograd():
    replace(winograd.suits, lambda *_: False)


def no_team():
    replace(parallel._can_fork, lambda: False)


def no_small_products():
    replace(threads.small_products, lambda: False)


def no_pieces():
    threads.LARGE = sys.maxsize


def no_sharing():
    replace(threads.shared, lambda work, n: [work(0, n)])


# name: (how to switch it off, what it is, the workloads that it was made for)
CHOICES = {
    "band": (no_band, "convolutions of few channels as products with a band matrix", ["W2"]),
    "winograd": (no_winograd, "3x3 convolutions of many channels with a quarter of the multiplications", ["W6"]),
    "team": (no_team, "the batch in two processes", ["W2", "W3a", "W3b", "W4", "W5", "W6"]),
    "small": (no_small_products, "products of few rows made one by one", ["W3b", "W5", "W6"]),
    "pieces": (no_pieces, "elementwise formulas evaluated in pieces that stay in the cache", ["W5", "W6"]),
    "sharing": (no_sharing, "work shared among minigen's own threads", ["W2", "W3a", "W3b", "W5", "W6"]),
}
