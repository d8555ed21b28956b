"""Maps characters to token ids and back.

Token 0 starts and ends every word. It is written `.`, as in the lecture, unless a word holds a `.` (St. Ives): then
another character that no word holds stands for it. The other characters follow in code-point order, as in the lecture's
`stoi`. A character is one code point after NFC normalisation. The lecture has two dicts; here encoding and decoding are
table look-ups over whole texts, so that no Python runs per character.
"""

import functools
import itertools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mm_jax.checks import as_list
from mm_jax.streams import WordFile

SEPARATORS = "." + "|/_␃"  # candidates: the first that no word holds is taken
_FIRST_OTHER = 0x2500  # where words hold them all: the first code point from here on that no word holds


@dataclass(frozen=True)
class Vocab:
    """The characters a model knows; hashable and immutable.

    Args:
      chars: every character once; the first is the separator, which no word can hold: `.` where that is possible.

    >>> vocab = Vocab.from_words(["emma", "ava"])
    >>> vocab.chars, len(vocab)
    ('.aemv', 5)
    >>> vocab.decode(vocab.encode("emma"))
    'emma'
    >>> Vocab.from_words(["st. ives"]).chars
    '| .eistv'
    """

    chars: str

    def __post_init__(self) -> None:
        if "." not in self.chars or len(set(self.chars)) != len(self.chars):
            raise ValueError(
                "a vocabulary starts with '.' (with another separator where '.' is one of its characters) and holds "
                f"each character once, got {self.chars!r}"
            )

    @classmethod
    def from_words(cls, words: Iterable[str]) -> "Vocab":
        """Makes the vocabulary of the sorted characters of `words`; ValueError if there are no characters.

        The separator is `.`; where a word holds that, the first of `|`, `/`, `_` and so on that no word holds.
        """
        words = as_list(words, ordered=False)
        chars = set(words.chars if isinstance(words, WordFile) else "".join(words))
        if not chars:
            raise ValueError("no characters: a vocabulary needs at least one non-empty word")
        candidates = itertools.chain(SEPARATORS, map(chr, itertools.count(_FIRST_OTHER)))
        return cls(next(char for char in candidates if char not in chars) + "".join(sorted(chars)))

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
        """Returns the token ids of one word or prefix, after NFC normalisation: int32 [characters].

        Raises ValueError for an argument that is no str, and for an unknown character, with its position.
        """
        if not isinstance(text, str):
            raise ValueError(f"expected a word, got {text!r}, a {type(text).__name__}")
        text = unicodedata.normalize("NFC", text)
        ids = self.lookup(text)
        if (bad := np.flatnonzero((ids == len(self)) | (ids == 0))).size:
            at = int(bad[0])
            ends = f"{self.separator!r} ends a word and cannot stand in one"
            why = ends if text[at] == self.separator else "not in the vocabulary"
            raise ValueError(f"{text!r}: character {at + 1} is {text[at]!r}: {why} ({listing(self.chars[1:])})")
        return ids.astype(np.int32)

    def decode(self, tokens: Iterable[int] | np.ndarray) -> str:
        """Returns the characters of token ids, `.` included: the inverse of `encode`."""
        points = _code_points(self.chars)[np.asarray(tokens, dtype=np.int64)]
        return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")

    def lookup(self, text: str) -> np.ndarray:
        """Returns the token id of every character, `len(self)` for unknown ones: of `dtype`, [len(text)]."""
        table = _ids_by_code_point(self)
        if text.isascii() and table.itemsize == 1:  # four times as fast as indexing
            return np.frombuffer(text.encode("ascii").translate(table[:256].tobytes()), np.uint8)
        points = _code_points(text)
        if points.size and points.max() >= table.size:
            points = np.minimum(points, table.size - 1)  # the table's last entry means 'unknown'
        return table[points]


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


def listing(chars: str, limit: int = 60) -> str:
    """Describes characters in a message: `it has: abc`, or above `limit` of them, `it has 812 characters: abc...`."""
    return f"it has: {chars}" if len(chars) <= limit else f"it has {len(chars)} characters: {chars[:limit]}..."


def decode_columns(tokens: np.ndarray, chars: str) -> list[str]:
    """Decodes columns of tokens, int [length, words], to words: each up to its first 0, or whole where it has none."""
    rows = np.concatenate([tokens, np.zeros((1, tokens.shape[1]), tokens.dtype)]).T
    ends = (rows == 0).argmax(axis=1)
    kept = rows[np.arange(rows.shape[1]) <= ends[:, None]]
    points = np.array([ord(char) for char in chars], dtype="<u4")
    return points[kept].tobytes().decode("utf-32-le", "surrogatepass").split(chars[0])[:-1]
