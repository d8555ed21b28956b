"""Counting the n-grams of every order at once."""

import itertools
from collections.abc import Sequence
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


def tally(words: Sequence[str], vocab: Vocab, order: int) -> list[Tally]:
    """Counts every order at once; time and memory are linear in the corpus, and no Python runs per n-gram."""
    stream = corpus.tokens(words, vocab)
    base, targets = len(vocab), stream[1:]
    no_context = (np.zeros(1, np.int64), np.zeros(len(targets), np.int32))
    tallies: list[Tally] = []
    before = np.zeros(0, np.int32)  # the pair of each position, in the order below
    for m, (codes, ids) in enumerate(itertools.chain([no_context], corpus.suffixes(stream, base, order - 1)), 1):
        if codes[-1] > np.iinfo(np.int32).max:
            raise ValueError(f"order {m} has too many contexts of {base} characters: give a lower order")
        pairs, which = corpus.ranked(corpus.paired(ids, targets, base, len(codes)), len(codes) * base)
        if tallies:  # each pair of this order is one kind of occurrence of a pair below
            one_of_each = np.empty(len(pairs), np.int32)
            one_of_each[which] = np.arange(len(which), dtype=np.int32)
            below = tallies[-1]
            types = np.bincount(before[one_of_each], minlength=len(below.counts))
            tallies[-1] = below._replace(types=types)
        counts = np.bincount(which, minlength=len(pairs))
        context, token = np.divmod(pairs, base)
        tallies.append(Tally(codes, context, token, counts, counts))
        before = which
    return tallies
