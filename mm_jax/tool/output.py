"""What a command prints: results to stdout, messages to stderr."""

import json
import sys
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


def say(text: str) -> None:
    """Prints a message to stderr."""
    if _hushed and not text.startswith(("error:", "warning:")):
        return
    print(text, file=sys.stderr, flush=True)


def give(value: Any, as_json: bool, text: str) -> None:
    """Prints a result to stdout."""
    print(json.dumps(value, ensure_ascii=False) if as_json else text)


def fail(why: str) -> NoReturn:
    """Ends with status 1."""
    say(f"error: {why}")
    raise typer.Exit(1)
