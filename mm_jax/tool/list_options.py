"""The options of every command that reads a list: how its words are taken from the file."""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mm_jax.shapes import Options


def _or_stdin(path: Path | None) -> Path | None:
    """Returns the path of stdin for -."""
    return Path("/dev/stdin") if path == Path("-") else path


List = Annotated[
    Path,
    typer.Argument(metavar="LIST", callback=_or_stdin, help="A text file in UTF-8, one word a line; - is stdin."),
]
ListOrNone = Annotated[
    Path | None,
    typer.Argument(
        metavar="LIST",
        callback=_or_stdin,
        help="A text file, as for `check`, of any length; a quoted pattern; Parquet. --resume needs none.",
    ),
]
Units = Annotated[
    Literal["characters", "graphemes", "words"] | None,
    typer.Option(
        help="What words are made of; words: what stands between blanks. Default: graphemes if some have several "
        "characters."
    ),
]
_TAKING = {
    "column": Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME", help="Column of the words, of csv, JSON and the like; all: each line is a word."
        ),
    ],
    "header": Annotated[bool, typer.Option("--header", help="Skip the first line; a column's NAME does too.")],
    "comment": Annotated[str | None, typer.Option(metavar="TEXT", help="Skip lines that begin with TEXT.")],
    "counts": Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Column that says how often a word of the list counts.")
    ],
    "encoding": Annotated[str | None, typer.Option(metavar="NAME", help="Such as utf-16. Default: UTF-8.")],
}


def takes_list(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces `taken`, a parameter of a command, by an option for each field of `Options`."""

    @functools.wraps(command)
    def called(**arguments: Any) -> None:
        return command(taken=_options(**{name: arguments.pop(name) for name in _TAKING}), **arguments)

    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name != "taken":
            parameters.append(parameter)
            continue
        for name, annotation in _TAKING.items():
            default = False if name == "header" else None
            parameters.append(parameter.replace(name=name, annotation=annotation, default=default))
    called.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _options(column: str | None, counts: str | None, **others: Any) -> Options:
    """Returns how to take the words; raises typer.BadParameter for options that contradict each other."""
    try:
        return Options(_place(column), counts=_place(counts), **others).checked()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _place(text: str | None) -> int | str | None:
    """Returns the number of a column as an int."""
    return int(text) if text is not None and re.fullmatch("[0-9]{1,9}", text) else text
