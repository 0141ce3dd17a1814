"""Where a data file comes from: the folder MINIGEN_DATA, else the cache, else a download.

    MINIGEN_DATA    a folder of your own with mnist/, fashion-mnist/, text/ in it; only read
    MINIGEN_CACHE   where downloads are kept; by default minigen/ in XDG_CACHE_HOME, or in LOCALAPPDATA
                    (Windows), else ~/.cache/minigen

Wherever it comes from, a file is used only if its size and checksum are the published ones.
"""

import hashlib
import http.client
import importlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHUNK = 1 << 16  # bytes


@dataclass(frozen=True)
class Source:
    """One published file: its place in MINIGEN_DATA and in the cache, and what it must be."""

    name: str  # such as "mnist/train-images-idx3-ubyte.gz"
    size: int  # bytes
    sha256: str
    url: str  # "" if there is no stable address to download it from


def find(source: Source) -> Path:
    """The path of the verified file of `source`, downloaded into the cache if it is nowhere yet.

    Raises FileNotFoundError if it is nowhere and cannot be downloaded, ValueError if a file is there (in
    MINIGEN_DATA or the cache) but is not the published one, ConnectionError if the download fails. A wrong
    file is named and left alone, never passed over.
    """
    folder = os.environ.get("MINIGEN_DATA")
    if folder:
        if not Path(folder).is_dir():
            raise FileNotFoundError(
                f"MINIGEN_DATA names the folder {folder}, which is not there. "
                f"Set it to the folder that holds {source.name}, or unset it."
            )
        path = Path(folder, source.name)
        if path.exists():
            _verify(path, source, "Put the original in its place, or unset MINIGEN_DATA.")
            return path

    path = cache_folder() / source.name
    if path.exists():
        _verify(path, source, "Delete it and run again.")
    elif not source.url:
        raise FileNotFoundError(
            f"{source.name} is not downloaded by minigen. Put it at {path}, or in a folder of yours "
            f"as {source.name}, and set MINIGEN_DATA to that folder."
        )
    else:
        download(source, path)
    return path


def cache_folder() -> Path:
    """The folder downloads are kept in; it need not exist yet."""
    if own := os.environ.get("MINIGEN_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache", "minigen")


def download(source: Source, target: Path) -> None:
    """Fetch `source.url` to `target`: all of it and verified, or nothing.

    The bytes go to a temporary file beside the target, which takes the target's name once size and checksum
    agree and is removed on any failure, Ctrl-C included. Raises ConnectionError (no network, server error,
    cut short) or ValueError (wrong content), with a way to go on.
    """
    by_hand = (
        f"To get it by hand: save {source.url} as {source.name} in a folder of yours, "
        "and set MINIGEN_DATA to that folder."
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            try:
                _copy(source, file)
            except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
                raise ConnectionError(f"{source.url} could not be downloaded ({error}). {by_hand}") from error
        _verify(part, source, by_hand, what=f"{source.url}, as it was downloaded,")
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _copy(source: Source, file: Any) -> None:
    with urllib.request.urlopen(source.url, timeout=30) as response, _progress(source) as bar:
        while chunk := response.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))


def _verify(path: Path, source: Source, go_on: str, what: str = "") -> None:
    """Raise a ValueError that names the file unless its size and checksum are the published ones."""
    what = what or str(path)
    size = path.stat().st_size
    if size != source.size:
        cut = " It is cut short." if size < source.size else ""
        raise ValueError(f"{what} has {size} bytes; {source.name} wants {source.size}.{cut} {go_on}")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != source.sha256:
        raise ValueError(
            f"{what} is not the published file: its sha256 is {sha256}; {source.name} wants {source.sha256}. {go_on}"
        )


def _progress(source: Source) -> Any:
    """A progress bar on a terminal, where tqdm is installed; else something that keeps quiet."""
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return _Silent()
    return tqdm(total=source.size, unit="B", unit_scale=True, desc=source.name, disable=None)


class _Silent:
    def __enter__(self) -> "_Silent":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def update(self, count: int) -> None:
        pass
