"""Long lists: words that lie in a file, and are read where they lie.

A short list is a Python list of str. A long one is a `WordFile`: the first lines of a text file in one fixed form,
which `mm_jax.open_words` writes: UTF-8 in NFC, one word a line, `\\n` after each, no blanks around a word, no empty
line. It is read in blocks of some MiB, so that nothing in memory grows with it.
"""

import functools
import hashlib
import itertools
import os
import shutil
import weakref
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from mm_jax.symbols import CHARACTERS, lengths

LONG_BYTES = 2**25  # of a text file: a larger one is read as a WordFile
_BLOCK = 2**24  # bytes
_NEWLINE = 10


class WordFile(Sequence[str]):
    """A list of words that lies in a file.

    Args:
      path: a text file in the form that the module describes.
      words: how many of its lines are the list; None is all.
      folder: a temporary folder to remove with the last reference to the list.

    Attributes:
      path: of the file.
      size: bytes of the words, ends included.
      characters: of all words, ends included.
      shortest, longest: words, in characters.
      chars: the distinct characters, sorted.

    Raises:
      ValueError: the file is missing, or holds fewer words.

    >>> import tempfile
    >>> from mm_jax.sources import open_words
    >>> path = Path(tempfile.mkdtemp(), "list.txt")
    >>> _ = path.write_text("emma\\nava\\nmia")
    >>> words = open_words(path)
    >>> len(words), words.characters, words.longest, words.chars, words[:2]
    (3, 13, 4, 'aeimv', ['emma', 'ava'])
    """

    def __init__(self, path: str | os.PathLike, words: int | None = None, *, folder: Path | None = None):
        self.path = Path(path)
        if folder is not None:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._words, self.size, self.characters = 0, 0, 0
        self.shortest, self.longest = 2**62, 0
        chars: set[str] = set()
        try:
            self._state = _state(self.path)
            for block in _blocks(self.path):
                ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
                if words is not None and self._words + len(ends) >= words:
                    ends = ends[: words - self._words]
                    block = block[: ends[-1] + 1] if len(ends) else b""
                self._take(block, ends, chars)
                if self._words == words:
                    break
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}") from None
        if self._words < (words or 1):
            raise ValueError(f"{self.path} holds {self._words:,} words, not {words or 1:,}: it was cut short")
        self.chars = "".join(sorted(chars - {"\n"}))

    def _take(self, block: bytes, ends: np.ndarray, chars: set[str]) -> None:
        """Adds a block of whole lines, which end at the bytes `ends`, to the statistics."""
        if not len(ends):
            return
        if block.isascii():
            chars.update(map(chr, np.flatnonzero(np.bincount(np.frombuffer(block, np.uint8), minlength=128))))
            lengths = np.diff(ends, prepend=-1)
        else:
            chars.update(block.decode())
            # A byte that begins a character, in UTF-8, is none of 10xxxxxx.
            begins = np.cumsum((np.frombuffer(block, np.uint8) & 0xC0) != 0x80, dtype=np.int64)
            lengths = np.diff(begins[ends], prepend=0)
        self._words += len(ends)
        self.size += len(block)
        self.characters += int(lengths.sum())
        self.shortest = min(self.shortest, int(lengths.min()) - 1)
        self.longest = max(self.longest, int(lengths.max()) - 1)

    def __len__(self) -> int:
        return self._words

    def __repr__(self) -> str:
        return f"WordFile({str(self.path)!r}, {self._words:,} words)"

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            yield from block.decode().split("\n")[:-1]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: Any) -> Any:
        """Returns words by their numbers; reads the file up to there."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step < 1:
                raise ValueError(f"a WordFile is read forwards: step is {step}")
            return list(itertools.islice(self, start, stop, step))
        if not -len(self) <= index < len(self):
            raise IndexError(f"word {index} of {len(self):,}")
        return next(itertools.islice(self, index % len(self), None))

    def __contains__(self, word: object) -> bool:
        return bool(isinstance(word, str) and self.among([word]))

    def among(self, words: Collection[str]) -> set[str]:
        """Returns those of some words that are in the list, by one pass through the file."""
        wanted = {word.encode() for word in words}
        found: set[bytes] = set()
        for block in self.blocks():
            found |= wanted.intersection(block.split(b"\n"))
        return {word.decode() for word in found}

    def spread(self, words: int) -> list[str]:
        """Returns at most so many words, evenly spaced through the list."""
        step, found, before = -(-len(self) // words), [], 0
        for block in self.blocks():
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
            for number in range(-before % step, len(ends), step):
                first = ends[number - 1] + 1 if number else 0
                found.append(block[first : ends[number]].decode())
            before += len(ends)
        return found

    def blocks(self) -> Iterator[bytes]:
        """Yields the text in blocks of whole lines; raises ValueError if the file has changed since it was opened."""
        left = self.size
        self.check_unchanged()
        for block in _blocks(self.path):
            yield block[:left]
            left -= len(block)
            if left <= 0:
                break
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raises ValueError if the file is not as it was when it was opened."""
        try:
            same = _state(self.path) == self._state
        except OSError:
            same = False
        if not same:
            raise ValueError(f"{self.path} has changed while it was read: let nothing write to it, and begin anew")

    def parted(self, folder: Path, apart: Collection[int]) -> tuple["WordFile", list[str]]:
        """Takes the words of these numbers out: returns the others, in a new file of the folder, and those words.

        The words taken out are every second of them, then the rest; the file ends with them, beyond the list.
        """
        numbers, taken, before = np.array(sorted(apart)), [], 0
        path = folder / "words.txt"
        with path.open("wb") as file:
            for block in self.blocks():
                starts = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE) + 1
                here = numbers[np.searchsorted(numbers, before) : np.searchsorted(numbers, before + len(starts))]
                at = 0
                for number in (here - before).tolist():
                    first, last = int(starts[number - 1]) if number else 0, int(starts[number])
                    file.write(block[at:first])
                    taken.append(block[first : last - 1].decode())
                    at = last
                file.write(block[at:])
                before += len(starts)
            taken = [*taken[::2], *taken[1::2]]
            file.write("\n".join([*taken, ""]).encode())
        return WordFile(path, len(self) - len(taken), folder=folder), taken

    @functools.cached_property
    def _sizes(self) -> "dict[str, Sizes]":
        """The sizes by units that are known."""
        return {CHARACTERS: Sizes(self.shortest, self.longest, self.characters)}

    def sizes(self, units: str) -> "Sizes":
        """Returns the sizes of the list in symbols of other units too, by one pass through the file."""
        if units not in self._sizes:
            least, most, total = 2**62, 0, 0
            for block in self.blocks():
                found = list(lengths(block.decode().split("\n")[:-1], units))
                least, most, total = min(least, *found), max(most, *found), total + sum(found) + len(found)
            self._sizes[units] = Sizes(least, most, total)
        return self._sizes[units]

    @functools.cached_property
    def whole(self) -> "WordFile":
        """Returns the list of all words in the file, those beyond this list too."""
        return WordFile(self.path)

    def beyond(self) -> list[str]:
        """Returns the words of the file beyond this list."""
        with self.path.open("rb") as file:
            file.seek(self.size)
            return file.read().decode().split("\n")[:-1]

    @functools.cached_property
    def digest(self) -> str:
        """Returns the SHA-256 of the text, in hexadecimal."""
        found = hashlib.sha256()
        for block in self.blocks():
            found.update(block)
        return found.hexdigest()


def some(words: Sequence[str], most: int) -> Sequence[str]:
    """Returns the first words of a list, at most so many; of a WordFile, which may be sorted, evenly spaced ones."""
    return words.spread(most) if isinstance(words, WordFile) else words[:most]


class Sizes(NamedTuple):
    """The symbols of the shortest and of the longest text of a list, and of all, ends included in `total` alone."""

    shortest: int
    longest: int
    total: int


def sizes_of(words: Sequence[str], units: str) -> Sizes:
    """Returns the sizes of a list, in symbols of the units.

    >>> sizes_of(["K AE1 T", "AE1 T"], "words")
    Sizes(shortest=2, longest=3, total=7)
    """
    if isinstance(words, WordFile):
        return words.sizes(units)
    found = list(lengths(words, units))
    return Sizes(min(found, default=0), max(found, default=0), sum(found) + len(found))


def _state(path: Path) -> tuple[int, int, int]:
    """Returns what changes when a file is written."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _blocks(path: Path) -> Iterator[bytes]:
    """Yields a file in blocks of whole lines."""
    with path.open("rb") as file:
        rest = b""
        while block := file.read(_BLOCK):
            cut = block.rfind(b"\n") + 1
            if cut:
                yield rest + block[:cut]
                rest = block[cut:]
            else:
                rest += block
        if rest:
            yield rest + b"\n"
