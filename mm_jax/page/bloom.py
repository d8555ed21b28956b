"""Bloom filter: tells whether a word is in a list, without revealing the list.

Each word sets k of m bits; the filter contains a word if all of its k bits are set. It contains all words of the list.
A false positive has the probability (share of set bits)^k: 0.3% at 12 bits a word and k = 8.

    h1, h2 = hash(word, 0), hash(word, 1);  bits (h1 + i * h2) mod m,  i < k

Source: Bloom (1970), Space/time trade-offs in hash coding with allowable errors; Kirsch and Mitzenmacher (2006) for
the two hashes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_BITS_A_WORD = 12
_HASHES = 8


class BloomFilter(NamedTuple):
    """The bits, packed lowest first; k; the number of distinct words; the rate of false positives."""

    bits: bytes
    hashes: int
    words: int
    error_rate: float


def make(words: Sequence[str]) -> BloomFilter:
    """Makes the filter of a list.

    >>> select(make(["emma", "olivia"]), ["emma", "zzz"])
    ['emma']
    """
    distinct = sorted(set(words))
    bits = np.zeros(8 * -(-max(1, len(distinct)) * _BITS_A_WORD // 8), bool)
    for word in distinct:
        bits[_positions(word, len(bits))] = True
    return BloomFilter(
        np.packbits(bits, bitorder="little").tobytes(), _HASHES, len(distinct), float(bits.mean() ** _HASHES)
    )


def select(bloom: BloomFilter, words: Sequence[str]) -> list[str]:
    """Returns the words that the filter contains."""
    bits = np.unpackbits(np.frombuffer(bloom.bits, np.uint8), bitorder="little")
    return [word for word in words if bits[_positions(word, len(bits))].all()]


def _positions(word: str, size: int) -> list[int]:
    """Returns the k bits of a word."""
    first, step = _hash(word, 0), _hash(word, 1)
    return [(first + i * step) % size for i in range(_HASHES)]


def _hash(word: str, seed: int) -> int:
    """Hashes a word to 32 bits: FNV-1a over code points, then the final mix of murmur3."""
    value = 0x811C9DC5 ^ seed
    for char in word:
        value = (value ^ ord(char)) * 0x01000193 & 0xFFFFFFFF
    value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16
