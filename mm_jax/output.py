"""What a command prints: results to stdout, messages to stderr."""

import json
import sys
import unicodedata
from typing import Any, NoReturn

import typer

_hushed = False


def hush() -> None:
    """From now on no messages are printed, but warnings and errors."""
    global _hushed
    _hushed = True


def hushed() -> bool:
    """Whether messages are left out."""
    return _hushed


_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # bidirectional embeddings, overrides and isolates


def plain(text: str) -> str:
    """Text that a terminal shows and does not obey: control characters and the like as their code points.

    >>> plain("a\\x1b[2J b")
    'a\\\\x1b[2J b'
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_plain, text))


def _plain(char: str) -> str:
    obeyed = unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or ord(char) in _TURNING
    return char.encode("unicode_escape").decode() if obeyed and char not in "\n\t" else char


def say(text: str) -> None:
    """Prints a message to stderr."""
    if _hushed and not text.startswith(("error:", "warning:")):
        return
    print(plain(text), file=sys.stderr, flush=True)


def give(value: Any, as_json: bool, text: str) -> None:
    """Prints a result to stdout: to a terminal, nothing that it would obey; to a file or a pipe, as it is."""
    out = json.dumps(value, ensure_ascii=False) if as_json else text
    print(plain(out) if sys.stdout.isatty() else out)


def fail(why: str) -> NoReturn:
    """Ends with status 1."""
    say(f"error: {why}")
    raise typer.Exit(1)
