"""An exception from a learner's file, as a sentence with the line."""

import ast
import traceback
from types import FrameType, TracebackType

from minigen.learn.verdict import Verdict


def fault(error: BaseException, file: str, source: str) -> Verdict | None:
    """What went wrong in `file`; None where the exception did not pass through it."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return _not_python(error, source)
    frame, line = innermost(error.__traceback__, file)
    if frame is None:
        return None
    where = f"Line {line}, `{_line(source, line)}`,"
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SystemExit):
        message = f"{where} ends the program, so nothing could be checked. Take it out: the function has to return."
    elif isinstance(error, ModuleNotFoundError):
        message = f"{where} imports {error.name}, and there is no such module here. What the stub imports is enough."
    elif isinstance(error, RecursionError):
        message = f"{where} is where {frame.f_code.co_name} calls itself, again and again without end (RecursionError)."
    elif isinstance(error, EOFError) and "input(" in source:
        message = (
            f"{where} waits for the keyboard. There is none while an exercise is checked: use the arguments instead."
        )
    elif isinstance(error, MemoryError):
        message = f"{where} asks for more memory than there is ({said})."
    elif isinstance(error, KeyboardInterrupt):
        message = f"{where} raises KeyboardInterrupt."
    else:
        message = f"{where} raises {said}{_shapes(frame, source, line)}"
    return Verdict("error", message, line=line)


def innermost(trace: TracebackType | None, file: str) -> tuple[FrameType | None, int]:
    """The last frame of a traceback that belongs to `file`, and its line."""
    frame, line = None, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            frame, line = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    return frame, line


def _not_python(error: SyntaxError, source: str) -> Verdict:
    line = min(error.lineno or 1, len(source.splitlines()) or 1)
    text = source.splitlines()[line - 1] if source.strip() else ""
    shown = text.lstrip()
    caret = max(0, min((error.offset or 1) - 1 - (len(text) - len(shown)), len(shown)))
    message = f"Line {line} is not Python: {error.msg}.\n\n  {line}  {shown}\n  {' ' * len(str(line))}  {' ' * caret}^"
    return Verdict("error", message, line=line)


def _line(source: str, line: int) -> str:
    lines = source.splitlines()
    text = lines[line - 1].strip() if 0 < line <= len(lines) else "?"
    return text if len(text) <= 80 else text[:77] + "..."


def _shapes(frame: FrameType, source: str, line: int) -> str:
    """The shapes of the arrays that the line names: what most such errors are about."""
    try:
        names = [n.id for n in ast.walk(ast.parse(_line(source, line).rstrip(":"))) if isinstance(n, ast.Name)]
    except SyntaxError:  # a line of several
        names = [n for n in frame.f_locals if n in _line(source, line)]
    known = {n: frame.f_locals[n] for n in names if hasattr(frame.f_locals.get(n), "shape")}
    shapes = [f"{n} has the shape {tuple(a.shape)}" for n, a in known.items()]
    return f". There {', '.join(shapes)}." if shapes else "."
