"""Reads text or Parquet files of any length into one file in a fixed form, a `mm_jax.streams.WordFile`."""

import glob
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from mm_jax.shapes import lines_of
from mm_jax.streams import LONG_BYTES, WordFile

_BLOCK = 2**24  # bytes of text read at once
_ROWS = 2**17  # rows of Parquet read at once
PARQUET = ".parquet"


def open_words(source: str | os.PathLike, *, column: str | None = None) -> WordFile:
    """Opens a list of any length: a file, or the files that a pattern matches, in the order of their names.

    The words are written, in the form of a `WordFile`, into a temporary folder, which is removed with the last
    reference to the list: on disk they take what the text takes, in memory nothing that grows with it. What is a word
    is as in `load_words`: a line without surrounding blanks, in NFC; blank lines are left out.

    Args:
      source: a path, or a pattern such as "lists/*.txt"; all files are UTF-8 text, or all are Parquet.
      column: of Parquet files, the column with the words; None is the only column of strings.

    Returns:
      A `mm_jax.streams.WordFile`, a Sequence of str: for `Vocab.from_words`, `ngram.fit`, `fit` and `evaluate`.

    Raises:
      ValueError: no file matches; text and Parquet are mixed; a file is missing, unreadable, not UTF-8 or changes while
        it is read; Parquet has no column of strings, or several; no words; the disk is full.

    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "1.txt").write_text("emma\\n\\n  ava\\n"), (folder / "2.txt").write_text("mia")
    >>> list(open_words(folder / "*.txt"))
    ['emma', 'ava', 'mia']
    """
    paths = files_of(source)
    folder = Path(tempfile.mkdtemp(prefix="mm_jax-"))
    try:
        target = folder / "words.txt"
        with target.open("wb") as file:
            for path in paths:
                file.writelines(_parquet(path, column) if path.suffix == PARQUET else _text(path))
        if not target.stat().st_size:
            raise ValueError(f"{source} holds no words: it should have one on each line")
        return WordFile(target, folder=folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise ValueError(f"{source} cannot be copied to {folder}: {error.strerror}") from None
        raise


def is_long(source: str | os.PathLike) -> bool:
    """Returns True for a pattern, for Parquet and for more than 32 MiB of text: such a list is read as a WordFile."""
    path = Path(source)
    return path.suffix == PARQUET or _is_pattern(path) or (path.is_file() and path.stat().st_size > LONG_BYTES)


def files_of(source: str | os.PathLike) -> list[Path]:
    """Returns the files of a path or a pattern, sorted; raises ValueError for none, and for kinds that are mixed."""
    path = Path(source)
    paths = sorted(map(Path, glob.glob(str(path), recursive=True))) if _is_pattern(path) else [path]
    paths = [found for found in paths if not (_is_pattern(path) and found.is_dir())]
    if not paths:
        raise ValueError(f"{source} matches no file: name a text file, or quote a pattern such as 'lists/*.txt'")
    for found in paths:
        if not found.is_file():
            kind = "is a directory" if found.is_dir() else "does not exist" if not found.exists() else "is no file"
            remedy = f"name its files, such as '{found}/*.txt'" if found.is_dir() else "name a text or Parquet file"
            raise ValueError(f"{found} {kind}: {remedy}")
    kinds = {found.suffix == PARQUET: found for found in paths}
    if len(kinds) == 2:
        raise ValueError(f"{source} mixes text and Parquet ({kinds[False].name}, {kinds[True].name}): give one kind")
    return paths


def _is_pattern(path: Path) -> bool:
    """Returns True for a pattern of `glob`; a file that has such a name is a file."""
    return glob.has_magic(str(path)) and not path.exists()


def _text(path: Path) -> Iterator[bytes]:
    """Yields the words of a text file in blocks."""
    try:
        before = path.stat()
        with path.open("rb") as file:
            rest, lines = b"", 0
            while block := file.read(_BLOCK):
                block = rest + block
                cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
                rest = block[cut:]
                yield _words(block[:cut], path, lines)
                lines += block.count(b"\n", 0, cut)
            yield _words(rest, path, lines)
        after = path.stat()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ValueError(f"{path} has changed while it was read: let nothing write to it, and begin anew")


def _words(raw: bytes, path: Path, lines: int) -> bytes:
    """Returns the words of whole lines, one a line; `lines` come before them in the file."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        number = lines + raw.count(b"\n", 0, error.start) + 1
        place = error.start - raw.rfind(b"\n", 0, error.start)
        found = f"byte {place} (0x{raw[error.start]:02x}) is not UTF-8"
        raise ValueError(f"{path}, line {number:,}: {found}: save it as UTF-8") from None
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return _joined(lines_of(text))


def _joined(lines: Iterable[str]) -> bytes:
    """Returns the lines that are not blank, without surrounding blanks, one a line."""
    return "\n".join([*filter(None, map(str.strip, lines)), ""]).encode()


def _parquet(path: Path, column: str | None) -> Iterator[bytes]:
    """Yields the words of a Parquet file in blocks."""
    import duckdb  # takes 0.1 s

    try:
        with duckdb.connect() as connection:
            described = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
            name = _column_of({row[0]: row[1] for row in described}, column, path).replace('"', '""')
            connection.execute(f'select "{name}" from read_parquet(?) where "{name}" is not null', [str(path)])
            while rows := connection.fetchmany(_ROWS):
                text = unicodedata.normalize("NFC", "\n".join([row[0] for row in rows]))
                if text.count("\n") != len(rows) - 1 or "\r" in text:
                    raise ValueError(f"{path}: a word of column {name} holds a line break: take it out")
                yield _joined(text.split("\n"))
    except duckdb.Error as error:
        raise ValueError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _column_of(types: dict[str, str], column: str | None, path: Path) -> str:
    """Returns the column of the words; raises ValueError for none, or more than one to choose from."""
    texts = [name for name, kind in types.items() if kind == "VARCHAR"]
    if column is not None:
        if column not in texts:
            raise ValueError(f"{path} has no column of strings {column}: it has {_listed(types)}")
        return column
    if len(texts) != 1:
        which = "no column of strings" if not texts else "several columns of strings, so give one"
        raise ValueError(f"{path} has {which}: it has {_listed(types)}")
    return texts[0]


def _listed(types: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in types.items())
