"""Prints results to stdout, messages to stderr."""

import contextlib
import json
import logging
import math
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from typing import Any, NoReturn

import typer
from rich.cells import cell_len

SILENCE = 2.0  # seconds that a command works without a line; after each line of `busy`, twice as many
_hushed = False
_doing: list[str] = []  # what `busy` says, the innermost last
_heard = 0.0  # when the last line was printed


def hush() -> None:
    """Silences messages from now on, all but warnings and errors."""
    global _hushed
    _hushed = True


def hushed() -> bool:
    """Returns True after `hush`."""
    return _hushed


_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # bidirectional embeddings, overrides and isolates


def plain(text: str) -> str:
    """Escapes control characters, line separators and bidirectional overrides, which a terminal would obey.

    >>> plain("a\\x1b[2J b")
    'a\\\\x1b[2J b'
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_plain, text))


def _plain(char: str) -> str:
    is_control = unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or ord(char) in _BIDI
    return char.encode("unicode_escape").decode() if is_control and char not in "\n\t" else char


@contextlib.contextmanager
def busy(doing: str) -> Iterator[None]:
    """Says what a command does while the block runs, wherever it has printed nothing for two seconds."""
    _doing.append(doing)
    done = threading.Event()
    thread = threading.Thread(target=_keep_saying, args=(done,), daemon=True)
    heard()
    if len(_doing) == 1:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.ident is not None:
            thread.join()
        _doing.pop()
        heard()


def heard() -> None:
    """Notes that something was printed."""
    global _heard
    _heard = time.monotonic()


def _keep_saying(done: threading.Event) -> None:
    """Says the innermost of what is done, at each end of a silence, until `done`."""
    silence, since = SILENCE, _heard
    while not done.wait(SILENCE / 20):
        if since != _heard:
            silence, since = SILENCE, _heard
        if time.monotonic() > _heard + silence:
            say(f"{_doing[-1]} ...")
            silence, since = 2 * silence, _heard


class _Handler(logging.Handler):
    """Prints the messages of the package."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a message to stderr, a warning as such."""
        text = record.getMessage()
        say(text if record.levelno < logging.WARNING else f"warning: {text}")


def print_log() -> None:
    """Prints the messages of the package from now on: the library logs them, the command shows them."""
    logger = logging.getLogger("mm_jax")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _Handler) for handler in logger.handlers):
        logger.addHandler(_Handler())


def say(text: str) -> None:
    """Prints a message to stderr, unless hushed; warnings and errors always. Nothing is lost if nobody reads it."""
    heard()
    if _hushed and not text.startswith(("error:", "warning:")):
        return
    text = plain(text)
    if sys.stderr.isatty():
        text = "\n".join(wrapped(line, shutil.get_terminal_size().columns) for line in text.split("\n"))
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)


def wrapped(line: str, width: int) -> str:
    """Breaks a line at blanks where it is wider than a terminal; wide characters take two cells.

    >>> wrapped("gru: hidden_dim 256, steps 800", 16)
    'gru: hidden_dim\\n  256, steps 800'
    """
    rows, used = [""], 0
    for word in line.split(" "):
        cells = cell_len(word)
        if used and used + 1 + cells > width:
            rows.append(f"  {word}")
            used = 2 + cells
        else:
            rows[-1] += f" {word}" if used else word
            used += cells + bool(used)
    return "\n".join(rows)


def finite(value: Any) -> Any:
    """Returns a value with None in place of nan and infinities, which JSON does not have.

    >>> finite({"nll": 2.5, "stderr": float("nan")})
    {'nll': 2.5, 'stderr': None}
    """
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def give(value: Any, as_json: bool, text: str) -> None:
    """Prints a result to stdout: escaped by `plain` for a terminal, unchanged for a file or a pipe."""
    heard()
    out = json.dumps(finite(value), ensure_ascii=False, allow_nan=False) if as_json else text
    print(plain(out) if sys.stdout.isatty() else out)


def fail(why: str) -> NoReturn:
    """Prints an error and exits with status 1."""
    say(f"error: {why}")
    raise typer.Exit(1)
