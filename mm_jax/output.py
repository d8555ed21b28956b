"""Prints results to stdout, messages to stderr."""

import contextlib
import json
import sys
import unicodedata
from typing import Any, NoReturn

import typer

_hushed = False


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


def say(text: str) -> None:
    """Prints a message to stderr, unless hushed; warnings and errors always. Nothing is lost if nobody reads it."""
    if _hushed and not text.startswith(("error:", "warning:")):
        return
    with contextlib.suppress(BrokenPipeError):
        print(plain(text), file=sys.stderr, flush=True)


def give(value: Any, as_json: bool, text: str) -> None:
    """Prints a result to stdout: escaped by `plain` for a terminal, unchanged for a file or a pipe."""
    out = json.dumps(value, ensure_ascii=False) if as_json else text
    print(plain(out) if sys.stdout.isatty() else out)


def fail(why: str) -> NoReturn:
    """Prints an error and exits with status 1."""
    say(f"error: {why}")
    raise typer.Exit(1)
