"""A list of words as a Bloom filter, from which the list cannot be read: is this word new?

Each word sets k of m bits; a word is known when all of its k bits are set. A word of the list is always known. A new
word is taken for a known one with probability (share of set bits)^k: 0.3% at 12 bits a word and k = 8.

    h1, h2 = hash(word, 0), hash(word, 1);  bits (h1 + i * h2) mod m,  i < k

Source: Bloom (1970), Space/time trade-offs in hash coding with allowable errors; Kirsch and Mitzenmacher (2006) for
the two hashes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_BITS_A_WORD = 12
_HASHES = 8


class Filter(NamedTuple):
    """The bits, packed with the lowest first; k; how many different words; how often a new word seems known."""

    bits: bytes
    hashes: int
    words: int
    error_rate: float


def of(words: Sequence[str]) -> Filter:
    """The filter of a list.

    >>> some = of(["emma", "olivia"])
    >>> "emma" in words_known(some, ["emma", "zzz"])
    True
    """
    different = sorted(set(words))
    bits = np.zeros(8 * -(-max(1, len(different)) * _BITS_A_WORD // 8), bool)
    for word in different:
        bits[_places(word, len(bits))] = True
    return Filter(
        np.packbits(bits, bitorder="little").tobytes(), _HASHES, len(different), float(bits.mean() ** _HASHES)
    )


def words_known(known: Filter, words: Sequence[str]) -> list[str]:
    """Those of some words that the filter takes for words of its list."""
    bits = np.unpackbits(np.frombuffer(known.bits, np.uint8), bitorder="little")
    return [word for word in words if bits[_places(word, len(bits))].all()]


def _places(word: str, size: int) -> list[int]:
    first, step = _hash(word, 0), _hash(word, 1)
    return [(first + i * step) % size for i in range(_HASHES)]


def _hash(word: str, seed: int) -> int:
    """FNV-1a over code points, then murmur3's last mixing: 32 bits."""
    value = 0x811C9DC5 ^ seed
    for char in word:
        value = (value ^ ord(char)) * 0x01000193 & 0xFFFFFFFF
    value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16
