"""Reads the list of a command: refuses a file that is not one word a line, and says with which options it is."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mm_jax import words as lists
from mm_jax.checks import counted
from mm_jax.output import say
from mm_jax.shapes import PLAIN, Finding, Options, found
from mm_jax.sources import PARQUET, is_long, open_words
from mm_jax.streams import LONG_BYTES

_BEGINNING = 2**20  # bytes of a long file whose form is looked at


def read(path: Path, options: Options, *, hints: bool = True) -> Sequence[str]:
    """Reads a list, a long one as a `WordFile`; with `hints` prints what an option may still be needed for.

    Raises ValueError as `load_words`, and for a file whose words need an option that was not given.
    """
    plain = options._replace(column=None) == PLAIN
    if is_long(path) and plain and (path.suffix == PARQUET or options.whole):
        if path.is_file() and path.suffix != PARQUET:
            _refuse(path, found(_beginning(path), options))
        words = open_words(path, column=None if options.whole else str(options.column))
        return words if words.size > LONG_BYTES else list(words)
    raw = lists.read_bytes(path)
    findings = found(raw, options)
    _refuse(path, findings)
    words = lists.words_of(raw, path, options)
    for finding in findings if hints else ():
        say(f"{'' if finding.kind == 'counts' else 'warning: '}{path}: {finding.text}")
    if options.counts is not None:
        say(weights(len(words), len(set(words))))
    return words


def _beginning(path: Path) -> bytes:
    """Returns the first lines of a long file."""
    with path.open("rb") as file:
        return file.read(_BEGINNING).rpartition(b"\n")[0]


def _refuse(path: Path, findings: Iterable[Finding]) -> None:
    """Raises ValueError for a file whose words need an option that was not given."""
    if reasons := [finding.text for finding in findings if finding.refuses]:
        raise ValueError(f"{path} is not one word a line in UTF-8. It is " + ". And it is ".join(reasons))


def weights(words: int, distinct: int) -> str:
    """Says what counts do to a list."""
    return f"words count as often as the list says, in losses too: {counted(distinct, 'word')}, {words:,} with counts"
