"""Counts of any order: sparse tables of n-grams with interpolated smoothing, as a parameter pytree.

    p_m(w | c) = values_m[c, w] + backoff_m[c] * p_(m-1)(w | c without its oldest character),    p_0 = 1 / vocab_size

A context that was never seen at order m leaves p_(m-1) as it is. The lecture leaves counting because a table of 27^n
cells is too large; here only the cells that were seen are kept.

An order's contexts are sorted by code: (rank of the context without its oldest character, in the order below) *
vocab_size + oldest character. So codes are small, whatever the order. The padding before a word's start is part of a
context, and is never predicted.
"""

import dataclasses
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int32

from mm_jax import corpus
from mm_jax.checks import number, whole_number
from mm_jax.models.contract import NamedRecipe, Params, windowed
from mm_jax.ngrams import arpa, cutting, spark
from mm_jax.ngrams.counting import count, halved, look_up, tallies, walk, whole
from mm_jax.ngrams.orders import choose as choose
from mm_jax.ngrams.smoothing import SMOOTHINGS, Smoothing, smoother
from mm_jax.ngrams.sql import MEMORY
from mm_jax.ngrams.table import Table
from mm_jax.pytrees import pytree
from mm_jax.sources import open_words
from mm_jax.vocab import Vocab

_LOG = logging.getLogger("mm_jax")
_LOSES = 1.001  # times the loss of all n-grams: what those that are cut off may cost


@pytree
class Level:
    """One order: its contexts by code, the tokens that followed each with their values, the back-off weights."""

    codes: Int32[Array, "*halves contexts"]  # ascending; [2, contexts] where they do not fit int32
    first: Int32[Array, "contexts+1"]  # offsets: context i has the tokens[first[i] : first[i + 1]]
    tokens: Int32[Array, " padded_pairs"]  # padded by vocab_size, see `mm_jax.ngrams.table`
    values: Float32[Array, " padded_pairs"]
    backoff: Float32[Array, " contexts"]


@pytree
class NGram:
    """An n-gram model; levels[m - 1] is order m, with contexts of m - 1 characters.

    >>> [len(level.backoff) for level in fit(["ab", "b"], Vocab(".ab"), order=3).levels]  # contexts of each order
    [1, 3, 4]
    """

    levels: tuple[Level, ...]
    vocab: Vocab


def fit(
    words: Sequence[str] | str | os.PathLike,
    vocab: Vocab,
    order: int = 6,
    *,
    smoothing: Smoothing = "modified-kneser-ney",
    k: float = 1.0,
    cut: float = 0.0,
    memory: float = MEMORY,
    engine: Any = None,
) -> NGram:
    """Counts n-grams of every order up to `order`, and smooths them.

    Args:
      words: the list; or the path of one, or a pattern, as `mm_jax.open_words` takes it.
      vocab: its characters.
      order: characters of context, plus 1. It may be longer than any word.
      smoothing: method of smoothing: modified-kneser-ney, absolute, witten-bell, add-k or none. Modified Kneser-Ney is
        interpolated and has three discounts an order, absolute discounting one; add-k is of the highest order only;
        "none" of order 2 is the `Counts` model.
      k: fake counts added by add-k.
      cut: nats a byte: contexts that gain less on the list than their bytes in a file times this are dropped
        (`mm_jax.ngrams.cutting`). 0 keeps all.
      memory: GB that DuckDB may take to count a list of more than 2^24 characters; what is above that is on disk.
      engine: a `pyspark.sql.SparkSession`, which then counts: `words` is a path or a pattern that it can read
        (`mm_jax.ngrams.spark`), or a `WordFile`.

    Returns:
      An NGram.

    Raises:
      ValueError: order below 1, an unknown smoothing, k or cut below 0, an empty list, words as `corpus.tokens` says; a
        file that `open_words` refuses; memory that is too small, a full disk; a Spark session that is gone.

    >>> params = fit(["ab", "b"], Vocab(".ab"), order=2, smoothing="none")
    >>> jnp.exp(logits(params, jnp.array([2]))).tolist()
    [1.0, 0.0, 0.0]

    Source: Chen and Goodman (1998), An empirical study of smoothing techniques for language modeling.
    """
    whole_number("order", order)
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing is {smoothing!r}: choose one of {', '.join(SMOOTHINGS)}")
    if not 0 <= number("k", k, "0 or more fake counts a cell") < float("inf"):
        raise ValueError(f"k is {k}: give 0 or more fake counts a cell")
    if not 0 <= number("cut", cut, "0 or more nats a byte") < float("inf"):
        raise ValueError(f"cut is {cut}: give 0 or more nats a byte")
    if engine is not None:
        tallied = tallies(spark.counted(words, vocab, order, engine), order)
    else:
        words = open_words(words) if isinstance(words, str | os.PathLike) else words
        tallied = count(words, vocab, order, memory=memory)
    smooth = smoother(smoothing, k)
    orders = ((tally, smooth(tally)) for tally in tallied)
    if cut:
        every = list(cutting.rounded(orders))
        orders = cutting.cut_off(every, cutting.worths(every), cut)
    return NGram(levels=tuple(_levels(orders)), vocab=vocab)


def _levels(orders: Iterable[cutting.Order]) -> Iterator[Level]:
    """Yields the level of each order that was counted and smoothed, the lowest first."""
    for tally, (values, backoff) in orders:
        table = Table.of(tally.context, tally.token, values, rows=len(backoff), vocab_size=tally.vocab_size)
        codes, backoff = jax.device_put((halved(tally.codes, tally.vocab_size), backoff.astype(np.float32)))
        yield Level(codes, table.first, table.tokens, table.values, backoff)


def fit_within(words: Sequence[str], vocab: Vocab, order: int, held_out: Sequence[str], size: int) -> NGram:
    """Counts as `fit`, and cuts contexts off: to a limit of bytes, and on while held-out words lose 0.1% at most.

    Args:
      words: the list.
      vocab: its characters.
      order: characters of context, plus 1.
      held_out: the words whose loss chooses the cut.
      size: bytes that the model may take in a file, about.

    Returns an NGram, and tells the logger `mm_jax` what the cut costs. Raises ValueError as `fit`.

    >>> params = fit_within(["ab", "b"], Vocab(".ab"), 2, ["ab"], 10_000)
    >>> len(params.levels)
    2
    """
    smooth = smoother("modified-kneser-ney", 0.0)
    smoothed = [(tally, smooth(tally)) for tally in count(words, vocab, order)]
    whole = _loss(NGram(levels=tuple(_levels(smoothed)), vocab=vocab), held_out)
    orders = list(cutting.rounded(smoothed))
    del smoothed
    worth = cutting.worths(orders)
    every = sum(int(cutting.sizes(tally).sum()) for tally, _ in orders)

    def left(most: float) -> tuple[float, NGram, float]:
        kept = cutting.cut_off(orders, worth, cutting.cut_for(orders, worth, most))
        params = NGram(levels=tuple(_levels(kept)), vocab=vocab)
        return most, params, _loss(params, held_out)

    found = left(min(size, every))
    while found[2] <= _LOSES * whole and (smaller := left(0.8 * found[0]))[2] <= _LOSES * whole:
        found = smaller
    figures = (every / 1e6, found[0] / 1e6, found[2], whole)
    _LOG.info("n-grams cut from %.1f to %.1f MB: loss on dev %.4f in place of %.4f", *figures)
    return found[1]


def _loss(params: NGram, words: Sequence[str]) -> float:
    """Returns the nats per character of some words."""
    contexts, ids, targets = corpus.examples(words, params.vocab, block_size(params))
    return -float(pair_log_probs(params, contexts[ids], targets).mean())


def _table(level: Level, vocab: Vocab) -> Table:
    return Table(level.first, level.tokens, level.values, len(vocab))


def order(params: NGram) -> int:
    """Returns the characters of context + 1."""
    return len(params.levels)


def block_size(params: NGram) -> int:
    """Returns the number of tokens in a context: order - 1."""
    return len(params.levels) - 1


def logits(params: NGram, context: Int[Array, " block_size"]) -> Float32[Array, " vocab_size"]:
    """Returns log p(next | context): normalised, -inf where unsmoothed counts give probability 0.

    With the lecture's counts N[m][c], the row of how often each token followed the m - 1 tokens c, and one discount
    D[m] an order (smoothing="absolute"), this is

        p = np.full(vocab_size, 1 / vocab_size)
        for m in range(1, order + 1):
            c = tuple(context[len(context) - m + 1 :])
            if c in N[m]:
                removed = np.where(N[m][c] > 0, D[m], 0.0)
                values, backoff = (N[m][c] - removed) / N[m][c].sum(), removed.sum() / N[m][c].sum()
                p = values + backoff * p

    Here values and backoff are in the tables, and c is found by binary search in the sorted codes.
    """
    size = len(params.vocab)
    p = jnp.full(size, 1 / size, jnp.float32)
    rank, known = jnp.int32(0), jnp.bool_(True)
    for m, level in enumerate(params.levels):
        if m:
            rank, found = _find(level, rank, context[-m].astype(jnp.int32), size)
            known &= found
        values = _table(level, params.vocab).row(rank)
        p = jnp.where(known, values + level.backoff[rank] * p, p)
    return jnp.log(p)


def _find(
    level: Level, rank: Int32[Array, ""], oldest: Int32[Array, ""], size: int
) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """Returns the rank of the context of a shorter one's rank and its oldest token, and whether the level has it."""
    last = len(level.backoff) - 1
    if level.codes.ndim == 1:
        code = rank * size + oldest
        found = jnp.clip(jnp.searchsorted(level.codes, code), 0, last).astype(jnp.int32)
        return found, level.codes[found] == code
    ranks, tokens = level.codes

    def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        before = (ranks[middle] < rank) | ((ranks[middle] == rank) & (tokens[middle] < oldest))
        return jnp.where(before, jnp.minimum(middle + 1, high), low), jnp.where(before, high, middle)

    found, _ = jax.lax.fori_loop(0, last.bit_length() + 1, halve, (jnp.int32(0), jnp.int32(last)))
    return found, (ranks[found] == rank) & (tokens[found] == oldest)


def pair_log_probs(
    params: NGram, contexts: Int[np.ndarray, "pairs block_size"], targets: Int[np.ndarray, " pairs"]
) -> Float32[np.ndarray, " pairs"]:
    """Returns log p(target | context) of many pairs, by binary search in the tables: no row is made."""
    size = len(params.vocab)
    p = np.full(len(targets), 1 / size, np.float32)
    for level, rank, known in walk(params.levels, contexts, size):
        rows = _table(level, params.vocab).entry_rows()
        pairs = corpus.paired(rows, np.asarray(level.tokens)[: len(rows)], size, len(level.backoff))
        at, seen = look_up(pairs, rank * size + targets)
        values = np.where(seen, np.asarray(level.values)[at], np.float32(0))
        p = np.where(known, values + np.asarray(level.backoff)[rank] * p, p)
    with np.errstate(divide="ignore"):
        return np.log(p)


def row_log_probs(
    params: NGram, contexts: Int[np.ndarray, "contexts block_size"]
) -> Float32[np.ndarray, "contexts vocab_size"]:
    """Returns log p of every token after many contexts, as `logits` does, in NumPy.

    Nothing is compiled: the first `mm_jax.score` takes 0.01 CPU s instead of 1.5. The tables stay sparse.
    """
    size = len(params.vocab)
    p = np.full((len(contexts), size), 1 / size, np.float32)
    for level, rank, known in walk(params.levels, contexts, size):
        p *= np.where(known, np.asarray(level.backoff)[rank], np.float32(1))[:, None]
        first = np.asarray(level.first)
        row = np.flatnonzero(known)
        lengths = np.diff(first)[rank[row]]
        # All entries of the rows found, one row after the other: entry j of a row is at its offset + j.
        offsets = np.repeat(first[rank[row]] - (np.cumsum(lengths) - lengths), lengths)
        at = np.arange(lengths.sum()) + offsets
        p[np.repeat(row, lengths), np.asarray(level.tokens)[at]] += np.asarray(level.values)[at]
    with np.errstate(divide="ignore"):
        return np.log(p)


def draw(params: NGram, rng: np.random.Generator, number: int, longest: int) -> Int32[np.ndarray, "longest number"]:
    """Draws words, 0 after each end, in NumPy: exact, and no row of the vocabulary is made.

    p_m is a choice itself: of an entry with its value, else, with the back-off weight, of p_(m-1). So a token is
    drawn by going down from the highest order that knows the context.
    """
    width, size = block_size(params), len(params.vocab)
    sums = [np.cumsum(np.append(0.0, level.values), dtype=np.float64) for level in params.levels]
    tokens = np.zeros((number, width + longest), np.int32)
    left = np.arange(number)
    for t in range(longest):
        drawn = rng.integers(size, size=len(left))
        lower = np.ones(len(left), bool)  # not drawn by a higher order
        for m, (level, rank, known) in reversed([*enumerate(walk(params.levels, tokens[left, t : t + width], size))]):
            first, backoff = np.asarray(level.first), np.asarray(level.backoff)
            begin, end = sums[m][first[rank]], sums[m][first[rank + 1]]
            place = begin + rng.random(len(left)) * (end - begin + backoff[rank])
            here = lower & known & (place < end)
            drawn[here] = np.asarray(level.tokens)[np.searchsorted(sums[m], place[here], side="right") - 1]
            lower &= ~here
        tokens[left, width + t] = drawn
        left = left[drawn != 0]
        if not len(left):
            break
    return tokens[:, width:].T


def num_entries(params: NGram) -> int:
    """Returns the number of (context, next) pairs of all orders."""
    return sum(int(level.first[-1]) for level in params.levels)


def to_arpa(params: Params, path: str | os.PathLike) -> None:
    """Writes the model as the ARPA text that kenlm and SRILM read; ValueError for a model of another class.

    `mm_jax.ngrams.arpa` documents the text.
    """
    if not isinstance(params, NGram):
        raise ValueError(f"{type(params).__name__} has no n-grams: ARPA text can hold an NGram only")
    orders, contexts = [], np.zeros((1, 0), np.int64)
    for m, level in enumerate(params.levels, 1):
        if m > 1:
            codes = whole(level.codes, len(params.vocab)).astype(np.int64)
            contexts = corpus.contexts_of(codes, contexts, len(params.vocab))
        rows = _table(level, params.vocab).entry_rows()
        tokens = np.asarray(level.tokens)[: len(rows)]
        if m == 1:  # the text names every character, one that never occurred too
            rows, tokens = np.zeros(len(params.vocab), np.int32), np.arange(len(params.vocab))
        lower = dataclasses.replace(params, levels=params.levels[:m])
        log_prob = pair_log_probs(lower, contexts[rows], tokens)
        orders.append(arpa.Order(contexts, np.asarray(level.backoff), rows, tokens, log_prob))
    arpa.write(path, params.vocab.symbols, orders)


def validate(params: NGram) -> None:
    """Raises ValueError for tables that are out of order or out of range, and for values that are no probabilities."""
    if not params.levels:
        raise ValueError("it has no levels")
    contexts_below = 1
    for m, level in enumerate(params.levels, 1):
        codes, contexts = whole(level.codes, len(params.vocab)), len(level.backoff)
        ascending = contexts == len(codes) > 0 and codes[0] >= 0 and (np.diff(codes) > 0).all()
        if not ascending or codes[-1] >= contexts_below * len(params.vocab) or (m == 1 and contexts != 1):
            raise ValueError(f"the table of order {m} is out of order")
        _table(level, params.vocab).check(f"the table of order {m}")
        for numbers in (np.asarray(level.values), np.asarray(level.backoff)):
            if not ((numbers >= 0).all() and (numbers <= 1 + 1e-5).all()):
                raise ValueError(f"order {m} has probabilities outside [0, 1]")
        contexts_below = contexts


RECIPES = {
    # Held-out words choose the order; it is 3 where a list is too short to hold any back.
    "chosen": NamedRecipe(model={"order": 3}, efforts=("quick", "normal", "best")),
    **{f"order {order}": NamedRecipe(model={"order": order}, rung=f"order {order}") for order in range(1, 9)},
}
MODEL = windowed(
    NGram,
    block_size=block_size,
    logits=logits,
    context_log_probs=row_log_probs,
    pair_log_probs=pair_log_probs,
    draw=draw,
    validate=validate,
    fit=fit,
    choose=choose,
    num_entries=num_entries,
    recipes=RECIPES,
)
