"""Counting the n-grams of every order at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mm_jax import data
from mm_jax.vocab import Vocab


class Tally(NamedTuple):
    """What one order counted: `counts[p]` of pair p, its context `context[p]` and token `token[p]`; ordered by both.

    `types` is the count with the number of different characters that stood before the pair in place of the number of
    times it occurred (Kneser-Ney's continuation counts); the highest order has none, and repeats `counts`.
    """

    codes: np.ndarray
    context: np.ndarray
    token: np.ndarray
    counts: np.ndarray
    types: np.ndarray


def tally(words: Sequence[str], vocab: Vocab, order: int) -> list[Tally]:
    """Counts every order at once; time and memory are linear in the corpus, and no Python runs per n-gram."""
    stream = data.padded(data.tokens(words, vocab), order - 1).astype(np.int64)
    n, base = len(stream) - (order - 1), len(vocab)
    target = stream[order - 1 :]
    inside = np.ones(n, bool)  # whether the context so far holds no '.': what is older then reads as '.'
    context = np.zeros(n, np.int64)
    codes, found = np.zeros(1, np.int64), []
    for m in range(1, order + 1):
        if m > 1:
            older = stream[order - m : order - m + n] * inside
            inside &= older != 0
            codes, context = _ranked(context * base + older, len(codes) * base)
        pairs, which = _ranked(context * base + target, len(codes) * base)
        if codes[-1] > np.iinfo(np.int32).max:
            raise ValueError(f"order {m} has too many contexts of {base} characters: give a lower order")
        found.append((codes, pairs, which))
    tallies = []
    for (codes, pairs, which), above in zip(found, [*found[1:], None], strict=True):
        counts = np.bincount(which, minlength=len(pairs))
        types = counts
        if above is not None:
            one_of_each = np.empty(len(above[1]), np.int64)
            one_of_each[above[2]] = np.arange(n)
            types = np.bincount(which[one_of_each], minlength=len(pairs))
        tallies.append(Tally(codes, pairs // base, pairs % base, counts, types))
    return tallies


def _ranked(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct codes, ascending, and the rank of each code among them; `size` is above every code."""
    if size > 8 * len(codes) + 1_000_000:
        return np.unique(codes, return_inverse=True)
    there = np.zeros(size, bool)  # no sorting where the codes are dense
    there[codes] = True
    return np.flatnonzero(there), (np.cumsum(there, dtype=np.int32) - 1)[codes].astype(np.int64)
