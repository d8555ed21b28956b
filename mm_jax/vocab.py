"""Maps symbols to token ids and back: characters, as in the lecture, graphemes, or words between blanks.

Token 0 starts and ends every word. It is written `.`, as in the lecture, unless a word holds a `.` (St. Ives): then
another character that no word holds stands for it. The other symbols follow in code-point order, as in the lecture's
`stoi`. A character is one code point after NFC normalisation. The lecture has two dicts; here encoding and decoding are
table look-ups over whole texts, so that no Python runs per character. Symbols of other units are looked up in a dict.
"""

import functools
import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mm_jax.checks import as_list, shown
from mm_jax.streams import WordFile
from mm_jax.symbols import CHARACTERS, GRAPHEMES, check_units, cut, cut_lines, joined, length

SEPARATORS = "." + "|/_␃"  # candidates: the first that no word holds is taken
_FIRST_OTHER = 0x2500  # where words hold them all: the first code point from here on that no word holds
_PRIVATE, _MOST = 0xF0000, 2**17  # the code points of symbols of several characters: planes for private use


@dataclass(frozen=True)
class Vocab:
    """The symbols a model knows; hashable and immutable.

    Args:
      chars: every character once; the first is the separator, which no word can hold: `.` where that is possible.

    Attributes:
      chars: one character for each symbol: itself, or for a symbol of several one from U+F0000 on.
      symbols: each symbol as it is written, the separator first; of characters, `chars`.
      units: "characters", or "graphemes" or "words", of `from_words` and `of`: how a text is cut into symbols.

    >>> vocab = Vocab.from_words(["emma", "ava"])
    >>> vocab.chars, len(vocab)
    ('.aemv', 5)
    >>> vocab.decode(vocab.encode("emma"))
    'emma'
    >>> Vocab.from_words(["st. ives"]).chars
    '| .eistv'
    >>> phonemes = Vocab.from_words(["K AE1 T", "AE1 T"], units="words")
    >>> phonemes.symbols, phonemes.encode("K AE1 T").tolist()
    (('.', 'AE1', 'K', 'T'), [2, 1, 3])
    """

    chars: str
    symbols: Sequence[str] = field(default="", repr=False)
    units: str = CHARACTERS

    def __post_init__(self) -> None:
        if not isinstance(self.chars, str):
            raise ValueError(f"expected characters, got {shown(self.chars)}: Vocab.from_words takes a list of words")
        if self.units == CHARACTERS:
            object.__setattr__(self, "symbols", self.chars)
        if "." not in self.symbols or len(set(self.symbols)) != len(self.symbols):
            each = "character" if self.units == CHARACTERS else "symbol"
            held = self.chars if self.units == CHARACTERS else listing(self.symbols, self.units)
            raise ValueError(
                f"a vocabulary starts with '.' (with another separator where '.' is one of its {each}s) and holds "
                f"each {each} once, got {held!r}"
            )

    def __hash__(self) -> int:
        return hash((self.chars, self.units))  # a str keeps its hash, where a tuple of 20,000 is read at each call

    @classmethod
    def from_words(cls, words: Iterable[str], units: str = CHARACTERS) -> "Vocab":
        """Makes the vocabulary of the sorted symbols of `words`.

        The separator is `.`; where that is a symbol, the first of `|`, `/`, `_` and so on that is none.

        Args:
          words: the list.
          units: "characters"; "graphemes", so that no accent, vowel sign or emoji is torn; or "words", which stand
            between single blanks.

        Raises ValueError for no symbols, more than 131,000 that have several characters, other units, and blanks that
        are doubled or at an end where the symbols are words.
        """
        words = as_list(words, ordered=False)
        if check_units(units) == CHARACTERS:
            symbols = set(words.chars if isinstance(words, WordFile) else "".join(words))
        else:
            symbols = set(cut_lines(words, units)) - {"\n"}
            if "" in symbols and any(words):
                all(cut(word, units) for word in words if word)  # raises the error of the first that has it
            symbols -= {""}
        if not symbols:
            raise ValueError("no characters: a vocabulary needs at least one non-empty word")
        candidates = itertools.chain(SEPARATORS, map(chr, itertools.count(_FIRST_OTHER)))
        separator = next(char for char in candidates if char not in symbols)
        return cls.of([separator, *sorted(symbols)], units)

    @classmethod
    def of(cls, symbols: Sequence[str], units: str) -> "Vocab":
        """Makes the vocabulary of some symbols, the separator first.

        Raises ValueError for other units, for a symbol that is not one of these units, for one that stands there twice
        and for too many.

        >>> Vocab.of([".", "e4", "e5"], "words").encode("e4 e5").tolist()
        [1, 2]
        """
        if check_units(units) == CHARACTERS:
            return cls("".join(symbols))
        if wrong := next((each for each in symbols if "\n" in each or list(cut(each, units)) != [each]), None):
            raise ValueError(f"{wrong!r} is no symbol of units {units!r}")
        several = sum(not _is_own(symbol) for symbol in symbols)
        if several > _MOST:
            raise ValueError(
                f"{len(symbols) - 1:,} different {units}: a vocabulary holds {_MOST:,} of several characters at most: "
                "leave out lines with rare ones, or take units 'characters'"
            )
        points = itertools.count(_PRIVATE)
        chars = "".join(symbol if _is_own(symbol) else chr(next(points)) for symbol in symbols)
        return cls(chars, tuple(symbols), units)

    @classmethod
    def from_json(cls, about: Any) -> "Vocab":
        """Makes the vocabulary of what `as_json` wrote; raises ValueError for anything else."""
        if isinstance(about, str):
            return cls(about)
        if not isinstance(about, Mapping) or not isinstance(about.get("symbols"), list):
            raise ValueError("its vocabulary cannot be read")
        if not all(isinstance(symbol, str) for symbol in about["symbols"]):
            raise ValueError("its vocabulary holds something else than strings")
        return cls.of(about["symbols"], about.get("units", ""))

    def as_json(self) -> str | dict[str, Any]:
        """Returns the characters, or the symbols with their units."""
        return self.chars if self.units == CHARACTERS else {"symbols": list(self.symbols), "units": self.units}

    def __len__(self) -> int:
        return len(self.chars)

    @property
    def separator(self) -> str:
        """Returns the character that token 0 is written as."""
        return self.chars[0]

    @property
    def dtype(self) -> np.dtype:
        """Returns the smallest unsigned dtype that holds every token id, and one more for 'unknown'."""
        return np.min_scalar_type(len(self))

    def encode(self, text: str) -> np.ndarray:
        """Returns the token ids of one word or prefix, after NFC normalisation: int32 [symbols].

        Raises ValueError for an argument that is no str, for an unknown symbol, with its position, and for blanks that
        are doubled or at an end where the symbols are words.
        """
        if not isinstance(text, str):
            raise ValueError(f"expected a word, got {text!r}, a {type(text).__name__}")
        text = unicodedata.normalize("NFC", text)
        symbols = cut(text, self.units)
        ids = self.lookup(text) if self.units == CHARACTERS else self.lookup_symbols(symbols)
        if (bad := np.flatnonzero((ids == len(self)) | (ids == 0))).size:
            at = int(bad[0])
            ends = f"{self.separator!r} ends a word and cannot stand in one"
            why = ends if symbols[at] == self.separator else "not in the vocabulary"
            each = "character" if self.units == CHARACTERS else "symbol"
            known = listing(self.symbols[1:], self.units)
            raise ValueError(f"{text!r}: {each} {at + 1} is {symbols[at]!r}: {why} ({known})")
        return ids.astype(np.int32)

    def decode(self, tokens: Iterable[int] | np.ndarray) -> str:
        """Returns the text of token ids, `.` included: the inverse of `encode`."""
        if self.units != CHARACTERS:
            return joined((self.symbols[token] for token in tokens), self.units)
        points = _code_points(self.chars)[np.asarray(tokens, dtype=np.int64)]
        return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")

    def is_text(self, tokens: Sequence[int] | np.ndarray) -> bool:
        """Returns whether token ids can be read from their text again: not graphemes that become one when joined."""
        return self.units != GRAPHEMES or length(self.decode(tokens), self.units) == len(tokens)

    def as_chars(self, text: str) -> str:
        """Returns a text with the one character of `chars` in place of each symbol; raises ValueError as `encode`.

        >>> Vocab.from_words(["K AE1 T"], "words").as_chars("K AE1") == "K\\U000f0000"
        True
        """
        if self.units != CHARACTERS:
            ids = _ids_by_symbol(self)
            found = [ids.get(symbol, 0) for symbol in cut(unicodedata.normalize("NFC", text), self.units)]
            if all(found):
                return "".join(map(self.chars.__getitem__, found))
        self.encode(text)
        return unicodedata.normalize("NFC", text)

    def lookup_symbols(self, symbols: Iterable[str]) -> np.ndarray:
        """Returns the token id of every symbol, 0 for a line break, `len(self)` for unknown ones: [symbols]."""
        ids = map(_ids_by_symbol(self).get, symbols, itertools.repeat(len(self)))
        return np.fromiter(ids, self.dtype)

    def lookup(self, text: str) -> np.ndarray:
        """Returns the token id of every character, `len(self)` for unknown ones: of `dtype`, [len(text)]."""
        table = _ids_by_code_point(self)
        if text.isascii() and table.itemsize == 1:  # four times as fast as indexing
            return np.frombuffer(text.encode("ascii").translate(table[:256].tobytes()), np.uint8)
        points = _code_points(text)
        if points.size and points.max() >= table.size:
            points = np.minimum(points, table.size - 1)  # the table's last entry means 'unknown'
        return table[points]


def vocabulary(value: Any, name: str = "vocab") -> Vocab:
    """Returns `value`; raises ValueError, which names the argument, for anything but a vocabulary.

    >>> vocabulary(["emma"])
    Traceback (most recent call last):
    ValueError: vocab is ['emma'], of type list: give a vocabulary, such as mm_jax.Vocab.from_words(words)
    """
    if not isinstance(value, Vocab):
        kind = type(value).__name__
        raise ValueError(
            f"{name} is {shown(value)}, of type {kind}: give a vocabulary, such as mm_jax.Vocab.from_words(words)"
        )
    return value


def _code_points(text: str) -> np.ndarray:
    """Returns the code point of each character [len(text)]: uint8 of ASCII text, else uint32."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@functools.lru_cache(maxsize=16)
def _ids_by_code_point(vocab: Vocab) -> np.ndarray:
    """Returns the token id of each code point, `len(vocab)` for unknown ones; [256 or more]."""
    points = _code_points(vocab.chars)
    table = np.full(max(int(points.max()) + 2, 256), len(vocab), dtype=vocab.dtype)
    table[points] = np.arange(len(vocab))
    return table


@functools.lru_cache(maxsize=16)
def _ids_by_symbol(vocab: Vocab) -> dict[str, int]:
    """Returns the token id of each symbol but the separator, and 0 for a line break."""
    return {"\n": 0} | {symbol: token for token, symbol in enumerate(vocab.symbols) if token}


def _is_own(symbol: str) -> bool:
    """Returns whether a symbol is written as itself in `chars`."""
    return len(symbol) == 1 and ord(symbol) < _PRIVATE


def listing(symbols: Sequence[str], units: str = CHARACTERS) -> str:
    """Describes symbols in a message: `it has: abc`, or of very many, `it has 812 characters: abc...`."""
    limit, each = (60, "characters") if units == CHARACTERS else (20, "symbols")
    text = ("" if units == CHARACTERS else " ").join(symbols[:limit])
    return f"it has: {text}" if len(symbols) <= limit else f"it has {len(symbols):,} {each}: {text}..."


def decode_columns(tokens: np.ndarray, vocab: Vocab) -> list[str]:
    """Decodes columns of tokens, int [length, words], to words: each up to its first 0, or whole where it has none.

    Leaves out words that are no text (`Vocab.is_text`).
    """
    rows = np.concatenate([tokens, np.zeros((1, tokens.shape[1]), tokens.dtype)]).T
    ends = (rows == 0).argmax(axis=1)
    if vocab.units != CHARACTERS:
        found = (row[:end].tolist() for row, end in zip(rows, ends, strict=True))
        return [vocab.decode(tokens) for tokens in found if vocab.is_text(tokens)]
    kept = rows[np.arange(rows.shape[1]) <= ends[:, None]]
    points = np.array([ord(char) for char in vocab.chars], dtype="<u4")
    return points[kept].tobytes().decode("utf-32-le", "surrogatepass").split(vocab.chars[0])[:-1]
