"""What a character is made of: parts that the prior knows from other characters.

`é` is an `e` with an acute accent, `É` the same as a capital, `가` the letters ㄱ and ㅏ. So the prior has no row for a
character, but one for each part, and adds them up: 1,000 rows stand for all capitals, accents and Korean syllables. The
last part is the kind of a character, its category and script; it is all that is known of one never seen.
"""

import functools
import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32

from mm_jax.vocab import Vocab

END = "end"  # the part of `.`, the end of a word
CAPITAL = "capital"
MOST = 5  # parts of a character: three of its decomposition, "capital", its kind


@functools.cache
def parts_of(char: str) -> tuple[str, ...]:
    """Returns the parts of a character, or of a grapheme of several, at most five.

    >>> parts_of("É")
    ('e', '\\u0301', 'capital', 'kind L LATIN')
    >>> parts_of("7")
    ('7', 'kind Nd')
    """
    lower = char.lower() if len(char.lower()) == len(char) else char
    decomposed = unicodedata.normalize("NFKD", lower)[: MOST - 2]
    found = [part for part in decomposed if part != " " or char == " "]
    return (*found, *([CAPITAL] if lower != char else []), kind_of(char))


def kind_of(char: str) -> str:
    """Returns the category of a character and, of a letter or a mark, its script: the last of its parts.

    Of a grapheme, that of its first character.

    >>> kind_of("é"), kind_of("-")
    ('kind L LATIN', 'kind Pd')
    """
    char = char[0]
    category = unicodedata.category(char)
    kind = "kind L" if category in ("Lu", "Ll") else f"kind {category}"
    return f"{kind} {unicodedata.name(char, 'UNKNOWN').split()[0]}" if category[0] in "LM" else kind


def part_ids(parts: tuple[str, ...], chars: Sequence[str]) -> Int32[np.ndarray, "chars 5"]:
    """Returns the rows of each character's parts, -1 for a part that is not among `parts` and behind the last."""
    row = _rows(parts)
    ids = np.full((len(chars), MOST), -1, np.int32)
    for i, char in enumerate(chars):
        known = [row[part] for part in parts_of(char) if part in row]
        ids[i, : len(known)] = known
    return ids


def vocab_part_ids(parts: tuple[str, ...], vocab: Vocab) -> Int32[np.ndarray, "vocab_size 5"]:
    """Returns the rows of the parts of each token, of which the first is the end of a word."""
    end = np.full((1, MOST), -1, np.int32)
    end[0, 0] = _rows(parts)[END]
    return np.concatenate([end, part_ids(parts, vocab.symbols[1:])])


@functools.cache
def _rows(parts: tuple[str, ...]) -> dict[str, int]:
    return {part: row for row, part in enumerate(parts)}
