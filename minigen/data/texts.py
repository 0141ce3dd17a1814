"""Texts for character-level models."""

import os
from pathlib import Path

from minigen.data.fetch import Source, find

NAMED_TEXTS = {
    "tinyshakespeare": Source(
        "text/tinyshakespeare.txt",
        1115394,
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    ),
    "names": Source(
        "text/names.txt",
        228145,
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
    ),
    "quijote": Source(
        "text/quijote-parte1.txt",
        1045702,
        "3c15e5d9c98fab1929575e2816daff22b980219f5f6a4f9d754ea6ccf0c86a73",
        "",
    ),
}


def text(name_or_path: str | os.PathLike[str]) -> str:
    """A text as one string, by name or from a UTF-8 file; line ends become LF, a byte-order mark is dropped.

    "tinyshakespeare"  1,115,394 characters, 65 distinct: plays of William Shakespeare, put together by
                       Andrej Karpathy for char-rnn (2015). Public domain; char-rnn is under the MIT licence.
    "names"            32,033 given names, one a line, a to z: from Karpathy's makemore (MIT licence), after
                       the United States Social Security Administration's list for 2018.
    "quijote"          1,018,625 characters, 87 distinct: Cervantes, Don Quijote, part one (1605), in
                       Spanish, after Project Gutenberg's eBook 2000. Public domain. Never downloaded.

    A named text comes from MINIGEN_DATA/text, else the cache, else it is downloaded once and verified. A file
    of your own with such a name is "./names".

    Raises FileNotFoundError if there is no such name or file, ValueError if the file is empty or not UTF-8
    (naming file and byte), or a named text is not the published one, ConnectionError if a download fails.
    """
    if isinstance(name_or_path, str) and name_or_path in NAMED_TEXTS:
        path = find(NAMED_TEXTS[name_or_path])
    else:
        path = Path(name_or_path)
        if not path.is_file():
            known = ", ".join(NAMED_TEXTS)
            raise FileNotFoundError(f"text: there is no file {path}; it wants {known} or the path of a file")
    content = path.read_bytes()
    if not content:
        raise ValueError(f"text: {path} is empty; it wants at least one character")
    try:
        characters = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"text: {path} is not UTF-8: byte {error.start} (counted from 0) is "
            f"0x{content[error.start]:02x}, {error.reason}. Save the file as UTF-8 and try again."
        ) from None
    return characters.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def manual_prose() -> str:
    """The manual of the running Python, as `help("topics")` shows it: English prose and code, one string.

    About half a million characters, some 100 distinct (almost all ASCII), topics in alphabetical order. It
    comes with every CPython, so it needs no network; it differs between Python versions, so numbers measured
    on it do too.

    Raises ModuleNotFoundError where this Python was installed without it. Source: `pydoc_data.topics`, Python
    Software Foundation licence.
    """
    try:
        from pydoc_data.topics import topics
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"manual_prose: this Python was installed without the texts of its help ({error}); "
            'use data.text("tinyshakespeare") or a text file of your own'
        ) from error
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"
