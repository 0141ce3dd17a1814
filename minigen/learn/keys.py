"""Single keys from a terminal, on Unix and Windows; whole lines where there is none."""

import contextlib
import importlib
import os
import queue
import sys
import threading
import time
from typing import Any


class Keys:
    """Where keys come from, as a context manager: `with keys() as k`.

    get(seconds)   the key that was pressed, in lower case; None if none was in that time; EOFError at the end of input
    ask(prompt)    a line, as input() has it
    """

    single = True  # whether a key counts at once, without Enter

    def __enter__(self) -> "Keys":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, seconds: float) -> str | None:
        raise NotImplementedError

    def ask(self, prompt: str) -> str:
        raise NotImplementedError


class UnixKeys(Keys):
    """A terminal without line buffering and echo; it is put back as it was at the end."""

    def __init__(self) -> None:
        self.termios: Any = importlib.import_module("termios")
        self.tty: Any = importlib.import_module("tty")
        self.select: Any = importlib.import_module("select").select
        self.fd, self.pending = sys.stdin.fileno(), ""

    def __enter__(self) -> "UnixKeys":
        self.before = self.termios.tcgetattr(self.fd)
        self.tty.setcbreak(self.fd)
        return self

    def __exit__(self, *_: object) -> None:
        self.termios.tcsetattr(self.fd, self.termios.TCSADRAIN, self.before)

    def get(self, seconds: float) -> str | None:
        if not self.pending:
            if not self.select([self.fd], [], [], seconds)[0]:
                return None
            typed = os.read(self.fd, 1024).decode(errors="replace")
            if not typed or typed == "\x04":  # the terminal is gone, or Ctrl-D
                raise EOFError
            if typed.startswith("\x1b"):  # an arrow or function key
                return None
            self.pending = typed
        key, self.pending = self.pending[0], self.pending[1:]
        return key.lower()

    def ask(self, prompt: str) -> str:
        self.__exit__()
        try:
            return input(prompt)
        finally:
            self.tty.setcbreak(self.fd)


class WindowsKeys(Keys):
    """A Windows console."""

    def __init__(self) -> None:
        self.console: Any = importlib.import_module("msvcrt")

    def get(self, seconds: float) -> str | None:
        end = time.monotonic() + seconds
        while not self.console.kbhit():
            if time.monotonic() > end:
                return None
            time.sleep(0.03)
        key = self.console.getwch()
        if key in "\x00\xe0":  # an arrow or function key, which comes in two
            self.console.getwch()
            return None
        if key == "\x03":
            raise KeyboardInterrupt
        if key in "\x04\x1a":
            raise EOFError
        return key.lower()

    def ask(self, prompt: str) -> str:
        return input(prompt)


class LineKeys(Keys):
    """No terminal, as in many editors: the first letter of a line, read by a thread of its own."""

    single = False

    def __init__(self) -> None:
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError, AttributeError):  # closed, or there is none
            for line in sys.stdin:
                self.lines.put(line.strip())
        self.lines.put(None)

    def get(self, seconds: float | None) -> str | None:
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if line is None:
            self.lines.put(None)
            raise EOFError
        return line[:1].lower() or "\n"

    def ask(self, prompt: str) -> str:
        print(prompt, end="", flush=True)
        line = self.lines.get()
        if line is None:
            self.lines.put(None)
            raise EOFError
        return line


def keys() -> Keys:
    """What suits the standard input."""
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        for kind in (UnixKeys, WindowsKeys):
            with contextlib.suppress(ImportError, OSError):
                return kind()
    return LineKeys()
