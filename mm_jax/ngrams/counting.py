"""Counts the n-grams of every order, from the distinct ones of the highest."""

import itertools
import mmap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from mm_jax import corpus
from mm_jax.ngrams import grams, sql
from mm_jax.vocab import Vocab

LARGEST = 2**31 - 1  # code that is stored as one int32


class Tally(NamedTuple):
    """The counts of one order: pair p is a context and the token after it, ordered by both.

    Attributes:
      codes: int32 [contexts], int64 where they are too large for it; ascending: the codes of `corpus.suffixes`.
      context: int32 [pairs], the rank of each pair's context in `codes`.
      token: int32 [pairs].
      counts: int32 [pairs], how often each pair occurs.
      types: int32 [pairs], the continuation counts of Kneser and Ney: how many distinct characters stand before the
        pair. None at the highest order, which has none.
      vocab_size: the number of tokens.
    """

    codes: np.ndarray
    context: np.ndarray
    token: np.ndarray
    counts: np.ndarray
    types: np.ndarray | None
    vocab_size: int

    def per_context(self, values: np.ndarray) -> np.ndarray:
        """Returns the sums of `values` [pairs] by context: float64 [contexts]."""
        return np.bincount(self.context, values, minlength=len(self.codes))


def count(words: Sequence[str], vocab: Vocab, order: int, *, memory: float = sql.MEMORY) -> Iterator[Tally]:
    """Counts every order up to `order`, and yields the lowest first.

    The distinct n-grams of the highest order are counted first; the lower orders are made of them. An order is yielded
    after the next one is counted, which gives its continuation counts. No Python runs per n-gram, and memory is that of
    the distinct n-grams. `memory` is that of `sql.summed`, GB, for streams of more than 2^24 tokens.

    Raises ValueError as `corpus.tokens` and `sql.summed` say.

    >>> for tally in count(["ab", "b"], Vocab(".ab"), 2):
    ...     tally.context.tolist(), tally.token.tolist(), tally.counts.tolist(), tally.types
    ([0, 0, 0], [0, 1, 2], [2, 1, 2], array([1, 1, 2], dtype=int32))
    ([0, 0, 1, 2], [1, 2, 2, 0], [1, 1, 1, 2], None)
    """
    stream, size = corpus.tokens(words, vocab), len(vocab)
    parts = (grams.of(block, size, order) for block in grams.blocks(stream))
    distinct = next(parts) if len(stream) <= grams.BLOCK else sql.summed(parts, memory)
    if isinstance(stream, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        stream.base.madvise(mmap.MADV_DONTNEED)  # pyright: ignore  # what was read of the file leaves memory
    return tallies(distinct, order)


def tallies(distinct: grams.Grams, order: int) -> Iterator[Tally]:
    """Counts every order of some n-grams, and yields the lowest first."""
    size, targets = distinct.vocab_size, distinct.token(0)
    dtype = np.int32 if distinct.counts.sum() <= np.iinfo(np.int32).max else np.int64
    no_context = (np.zeros(1, np.int32), np.zeros(len(targets), np.int32))
    contexts = corpus.grown((distinct.token(j) for j in range(1, order)), size)
    below = None
    pair_below = np.zeros(0, np.int32)  # of each n-gram: its pair in the order below
    for codes, ids in itertools.chain([no_context], contexts):
        pairs, pair = corpus.ranked(corpus.paired(ids, targets, size, len(codes)), len(codes) * size)
        if below is not None:
            # A pair of this order is a pair below with one more character before it, so the distinct pairs of this
            # order, counted by the pair below that each ends in, are its continuation counts.
            position = np.empty(len(pairs), np.int32)  # one n-gram of each pair
            position[pair] = np.arange(len(pair), dtype=np.int32)
            types = np.bincount(pair_below[position], minlength=len(below.counts))
            yield below._replace(types=types.astype(np.int32))
        counts = np.bincount(pair, distinct.counts, minlength=len(pairs)).astype(dtype)
        context, token = (part.astype(np.int32) for part in np.divmod(pairs, pairs.dtype.type(size)))
        codes = codes.astype(np.int32) if codes[-1] <= LARGEST else codes
        below, pair_below = Tally(codes, context, token, counts, None, size), pair
    assert below is not None  # there is an order 1
    yield below


def look_up(table: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each of the codes [codes] stands in an ascending table [entries], and whether it is there."""
    at = np.minimum(np.searchsorted(table, codes), len(table) - 1)
    return at, table[at] == codes


def halved(codes: np.ndarray, vocab_size: int) -> np.ndarray:
    """Returns codes [contexts] as int32: as they are, or where they do not fit it [2, contexts], rank and oldest token.

    >>> halved(np.array([3, 2**40]), 2**20).tolist()
    [[0, 1048576], [3, 0]]
    """
    if codes[-1] <= LARGEST:
        return codes.astype(np.int32)
    return np.stack(np.divmod(codes, vocab_size)).astype(np.int32)


def whole(codes: Any, vocab_size: int) -> np.ndarray:
    """Returns the codes [contexts] that `halved` made int32, the inverse."""
    codes = np.asarray(codes)
    return codes if codes.ndim == 1 else codes[0] * np.int64(vocab_size) + codes[1]


def walk(
    levels: Iterable[Any], contexts: Int[np.ndarray, "contexts block_size"], vocab_size: int
) -> Iterator[tuple[Any, Int[np.ndarray, " contexts"], Bool[np.ndarray, " contexts"]]]:
    """Follows many contexts through the levels of a model, or the tallies of a list, from order 1 up.

    At order m the last m - 1 tokens of each context are looked up among the ascending `level.codes`. Yields
    (level, rank, known): the rank of what was found, int64 [contexts], and whether this level and all below have it,
    bool [contexts]; where not, the rank is in range and means nothing.

    >>> levels = list(count(["ab", "b"], Vocab(".ab"), 2))
    >>> [(rank.tolist(), known.tolist()) for _, rank, known in walk(levels, np.array([[2], [0]]), 3)]
    [([0, 0], [True, True]), ([2, 0], [True, True])]
    """
    rank, known = np.zeros(len(contexts), np.int64), np.ones(len(contexts), bool)
    for m, level in enumerate(levels):
        if m:
            rank, found = look_up(whole(level.codes, vocab_size), rank * vocab_size + contexts[:, -m])
            known = known & found
        yield level, rank, known
