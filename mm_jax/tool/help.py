"""Writes `--help` for people: LIST and N in place of types and ranges, options in groups. Errors of usage likewise."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

_TYPES = {"int range": "N", "int": "N", "float range": "X", "float": "X", "str": "TEXT", "path": "PATH"}


def _named(text: str) -> str:
    """Replaces a type by a letter, `--top-k <int range>` by `--top-k N`; drops it after the name of an argument."""
    if not text.startswith("-"):
        return re.sub(r" <[^>]*>$", "", text)
    return re.sub(r"<([^>|]*)>$", lambda found: _TYPES.get(found[1], found[1].upper()), text)


def _described(text: str) -> str:
    """Drops ranges such as `1<=x<=2147483647` from the end of a description."""
    text = re.sub(r"(; )?(-?[\d.]+<=?)?x(<=?-?[\d.]+|>=?-?[\d.]+)?(?=(;[^\]]*)?\]$)", "", text)
    return re.sub(r"\s*\[\]$", "", text).replace("[; ", "[")


_PLAIN = {
    r"Value error, ": "",
    r"Input should be a valid integer.*": "give a whole number",
    r"Input should be a valid number.*": "give a number",
    r"Input should be greater than or equal to (\S+)": r"give \1 or more",
    r"Input should be less than or equal to (\S+)": r"give \1 or less",
}


def _explained(mistake: str, params: Sequence[Any]) -> str:
    """Puts what typer says into plain words; adds the likely reason for an argument too many."""
    for found, plain in _PLAIN.items():
        mistake = re.sub(found, plain, mistake)
    if mistake.startswith("Got unexpected extra argument"):
        if any("-n" in param.opts for param in params):
            return f"{mistake}: -n N is the number of words"
        if any("a quoted pattern" in (param.help or "") for param in params):
            return f"{mistake}: several lists are one pattern in quotes, such as 'lists/*.txt'"
    return mistake


class Command(TyperCommand):
    """A command whose help, and whose errors, are in plain words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments; raises typer's UsageError with a message in plain words."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):
                error.message = _explained(message, self.params)  # pyright: ignore[reportAttributeAccessIssue]
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the pieces of the usage line, without braces."""
        pieces = [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]
        return [piece.replace("......", "...") for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the arguments and options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                usual = "Options" if record[0].startswith("-") else "Arguments"
                group = getattr(param, "rich_help_panel", None) or usual
                groups.setdefault(group, []).append((_named(record[0]), _described(record[1])))
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
