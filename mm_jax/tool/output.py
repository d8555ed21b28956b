"""What a command prints: results to stdout, messages to stderr."""

import json
import sys
from typing import Any, NoReturn

import typer


def say(text: str) -> None:
    """Prints a message to stderr."""
    print(text, file=sys.stderr, flush=True)


def give(value: Any, as_json: bool, text: str) -> None:
    """Prints a result to stdout."""
    print(json.dumps(value, ensure_ascii=False) if as_json else text)


def fail(why: str) -> NoReturn:
    """Ends with status 1."""
    say(f"error: {why}")
    raise typer.Exit(1)
