"""The IDX format, in which MNIST and its relatives are published: a short header, then the raw bytes.

    0, 0            two zero bytes
    type            one byte; 8 is uint8, the only one in use here
    axes            one byte: the number of axes (3 for images, 1 for labels)
    lengths         one big-endian 32-bit number for each axis
    values          the product of the lengths, in C order

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """The array in an IDX file of uint8, gzip-compressed (`.gz`) or not; MNIST's images are (60000, 28, 28).

    Raises FileNotFoundError if there is no such file, ValueError if it is no whole IDX file of uint8; either
    names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_idx: there is no file {path}")
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"read_idx: {path} is not a whole gzip file ({error})") from error

    magic, header = content[:4], 4
    if len(magic) < 4 or magic[:3] != b"\0\0\x08":
        raise ValueError(f"read_idx: {path} begins with {magic.hex(' ')}; IDX of uint8 wants 00 00 08")
    axes = magic[3]
    header += 4 * axes
    if len(content) < header:
        raise ValueError(f"read_idx: {path} ends inside its header: {len(content)} of {header} bytes")
    shape = struct.unpack(f">{axes}I", content[4:header])
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"read_idx: {path} holds {len(content) - header} values; its header wants {math.prod(shape)}, as {shape}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()  # a copy can be written to
