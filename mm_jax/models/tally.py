"""Counting the n-grams of every order at once."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mm_jax import corpus
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


def tally(words: Sequence[str], vocab: Vocab, order: int) -> Iterator[Tally]:
    """Counts every order up to `order`, the lowest first: each is done with the next one's pairs, and only then made.

    Time is linear in the corpus, memory that of two orders, and no Python runs per n-gram.
    """
    stream = corpus.tokens(words, vocab)
    base, targets = len(vocab), stream[1:]
    no_context = (np.zeros(1, np.int32), np.zeros(len(targets), np.int32))
    below = None
    before = np.zeros(0, np.int32)  # the pair of each position, in the order below
    for m, (codes, ids) in enumerate(itertools.chain([no_context], corpus.suffixes(stream, base, order - 1)), 1):
        if codes[-1] > np.iinfo(np.int32).max:
            raise ValueError(f"order {m} has too many contexts of {base} characters: give a lower order")
        pairs, which = corpus.ranked(corpus.paired(ids, targets, base, len(codes)), len(codes) * base)
        if below is not None:  # each pair of this order is one kind of occurrence of a pair below
            one_of_each = np.empty(len(pairs), np.int32)
            one_of_each[which] = np.arange(len(which), dtype=np.int32)
            types = np.bincount(before[one_of_each], minlength=len(below.counts))
            yield below._replace(types=types.astype(np.int32))
        counts = np.bincount(which, minlength=len(pairs)).astype(np.int32)
        context, token = (each.astype(np.int32) for each in np.divmod(pairs, pairs.dtype.type(base)))
        below, before = Tally(codes.astype(np.int32), context, token, counts, counts), which
    assert below is not None  # there is an order 1
    yield below


def looked_up(table: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of the codes [codes] stands in an ascending table [entries], and whether it is there."""
    at = np.minimum(np.searchsorted(table, codes), len(table) - 1)
    return at, table[at] == codes
