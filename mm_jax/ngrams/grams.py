"""The distinct n-grams of the highest order, each once: all that the counts of a list are made of.

An n-gram is packed into integers, some bits a token, and equal integers are counted by sorting them. A list of up to
2^24 tokens is one such sort. A longer stream is cut into blocks between words; each is sorted, and DuckDB adds the
counts of equal n-grams up (`mm_jax.ngrams.sql`). So memory is that of a block and of the distinct n-grams.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mm_jax import corpus

BLOCK = 2**24  # tokens: 128 MiB as int64


class Grams(NamedTuple):
    """N-grams and how often each occurs.

    Attributes:
      keys: the n-grams, int64 [grams] each: token j, counted back from the last, has the bits `vocab_bits * (j % per)`
        and up of keys[j // per], where per = 63 // vocab_bits.
      counts: int64 [grams].
      vocab_size: the number of tokens.
    """

    keys: list[np.ndarray]
    counts: np.ndarray
    vocab_size: int

    def token(self, j: int) -> np.ndarray:
        """Returns the token j places before the last of each n-gram, of the vocabulary's dtype [grams].

        >>> grams = of(np.array([0, 1, 2, 0]), 3, 2)
        >>> grams.token(1).tolist(), grams.token(0).tolist(), grams.counts.tolist()
        ([0, 1, 2], [1, 2, 0], [1, 1, 1])
        """
        bits, per = packing(self.vocab_size)
        tokens = (self.keys[j // per] >> (bits * (j % per))) & ((1 << bits) - 1)
        return tokens.astype(np.min_scalar_type(self.vocab_size))


def packing(vocab_size: int) -> tuple[int, int]:
    """Returns the bits of a token, and how many tokens an int64 holds.

    >>> packing(27)
    (5, 12)
    """
    bits = max(1, (vocab_size - 1).bit_length())
    return bits, 63 // bits


def of(stream: np.ndarray, vocab_size: int, order: int) -> Grams:
    """Counts the n-grams of a stream [tokens] of whole words.

    Those at a word's start have 0 for what stands before it.
    """
    bits, per = packing(vocab_size)
    keys = [stream[1:].astype(np.int64)]
    for j, tokens in enumerate(corpus.older(stream, order - 1), 1):
        if j % per == 0:
            keys.append(np.zeros(len(tokens), np.int64))
        keys[-1] |= tokens.astype(np.int64) << (bits * (j % per))
    if len(keys) == 1:
        keys[0].sort()
    else:
        by_key = np.lexsort(keys)
        keys = [key[by_key] for key in keys]
    is_first = np.ones(len(keys[0]), bool)
    is_first[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first = np.flatnonzero(is_first)
    return Grams([key[first] for key in keys], np.diff(first, append=len(is_first)), vocab_size)


def blocks(stream: np.ndarray, size: int = BLOCK) -> Iterator[np.ndarray]:
    """Yields a stream in parts of whole words, of about `size` tokens; each begins with the 0 that ends the last.

    >>> [part.tolist() for part in blocks(np.array([0, 1, 0, 2, 2, 2, 0, 1, 0]), 2)]
    [[0, 1, 0], [0, 2, 2, 2, 0], [0, 1, 0]]
    """
    begin, last = 0, len(stream) - 1
    while begin < last:
        end = min(begin + size, last)
        while stream[end]:
            end += 1
        yield stream[begin : end + 1]
        begin = end
