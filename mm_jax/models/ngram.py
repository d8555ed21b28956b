"""Counts of any order: sparse tables of n-grams with interpolated smoothing, as a parameter pytree.

    p_m(w | c) = values_m[c, w] + backoff_m[c] * p_(m-1)(w | c without its oldest character),    p_0 = 1 / vocab_size

A context that was never seen at order m leaves p_(m-1) as it is. The lecture leaves counting because a table of 27^n
cells is too large; what was seen of it is not. An order's contexts are sorted by code: (rank of the context without
its oldest character, in the order below) * vocab_size + oldest character. So codes are small, whatever the order.

The padding before a word's start is part of a context, and is never predicted.
"""

import os
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32

from mm_jax import corpus
from mm_jax.checks import whole_number
from mm_jax.models import arpa
from mm_jax.models.contract import Params
from mm_jax.models.orders import choose as choose
from mm_jax.models.smoothing import SMOOTHINGS, Smoothing
from mm_jax.models.tally import Tally, looked_up, tally
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab

DEFAULTS = {"order": 3}  # of the command, where no words are held back to choose on
EFFORTS = {"quick": {}, "normal": {}, "best": {}}
RUNGS = {f"order {order}": {"order": order} for order in range(1, 9)}


@pytree
class Level:
    """One order: its contexts by code; the tokens that followed each, with their `values`; its back-off weight."""

    codes: Int32[Array, " contexts"]  # ascending
    first: Int32[Array, "contexts+1"]  # context i owns tokens[first[i] : first[i + 1]]
    tokens: Int32[Array, " padded_pairs"]  # padded, so that a slice of vocab_size from any context's first fits
    values: Float32[Array, " padded_pairs"]
    backoff: Float32[Array, " contexts"]


@pytree
class NGram:
    """An n-gram model; levels[m - 1] is order m, with contexts of m - 1 characters.

    >>> [len(level.codes) for level in fit(["ab", "b"], Vocab(".ab"), order=3).levels]  # contexts of each order
    [1, 3, 4]
    """

    levels: tuple[Level, ...]
    vocab: Vocab


def fit(
    words: Sequence[str],
    vocab: Vocab,
    order: int = 6,
    *,
    smoothing: Smoothing = "modified-kneser-ney",
    k: float = 1.0,
) -> NGram:
    """Counts n-grams of every order up to `order`, and smooths them.

    Args:
      words: the list.
      vocab: its characters.
      order: characters of context + 1; may be longer than any word.
      smoothing: "modified-kneser-ney" (interpolated, three discounts an order), "absolute" (one discount an order),
        "witten-bell", "add-k" (of the highest order only), or "none" (order 2: the `Counts` model).
      k: the fake counts of "add-k".

    Returns:
      An NGram.

    Raises:
      ValueError: order below 1, an unknown smoothing, k below 0, an empty list, words as `corpus.tokens` says.

    >>> params = fit(["ab", "b"], Vocab(".ab"), order=2, smoothing="none")
    >>> jnp.exp(logits(params, jnp.array([2]))).tolist()
    [1.0, 0.0, 0.0]

    Source: Chen and Goodman (1998), An empirical study of smoothing techniques for language modeling.
    """
    whole_number("order", order)
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing is {smoothing!r}: choose one of {', '.join(SMOOTHINGS)}")
    if not 0 <= k < float("inf"):
        raise ValueError(f"k is {k}: give 0 or more fake counts a cell")
    smooth = SMOOTHINGS[smoothing]
    levels = []
    for m, tally_ in enumerate(tally(words, vocab, order), 1):
        values, backoff = smooth(tally_, len(vocab), top=m == order, k=k)
        levels.append(_level(tally_, values, backoff, len(vocab)))
    return NGram(levels=tuple(levels), vocab=vocab)


def _level(tally_: Tally, values: np.ndarray, backoff: np.ndarray, vocab_size: int) -> Level:
    """The tables of one order, from its values [pairs] and back-off weights [contexts]."""
    first = np.searchsorted(tally_.context, np.arange(len(tally_.codes) + 1))
    pad = (0, vocab_size)
    # Converted in NumPy, then moved: `jnp.asarray` compiles a program for each new shape.
    return Level(
        codes=jax.device_put(tally_.codes),
        first=jax.device_put(first.astype(np.int32)),
        tokens=jax.device_put(np.pad(tally_.token, pad)),
        values=jax.device_put(np.pad(values.astype(np.float32), pad)),
        backoff=jax.device_put(backoff.astype(np.float32)),
    )


def order(params: NGram) -> int:
    """Characters of context + 1."""
    return len(params.levels)


def block_size(params: NGram) -> int:
    """How many tokens a context has: order - 1."""
    return len(params.levels) - 1


def logits(params: NGram, context: Int[Array, " block_size"]) -> Float32[Array, " vocab_size"]:
    """log p(next | context): normalised, -inf where unsmoothed counts say never."""
    size = len(params.vocab)
    p = jnp.full(size, 1 / size, jnp.float32)
    rank, known = jnp.int32(0), jnp.bool_(True)
    for m, level in enumerate(params.levels):
        if m:
            code = rank * size + context[-m].astype(jnp.int32)
            rank = jnp.clip(jnp.searchsorted(level.codes, code), 0, len(level.codes) - 1).astype(jnp.int32)
            known &= level.codes[rank] == code
        start = level.first[rank]
        tokens = lax.dynamic_slice(level.tokens, (start,), (size,))
        values = lax.dynamic_slice(level.values, (start,), (size,))
        mine = jnp.arange(size, dtype=jnp.int32) < level.first[rank + 1] - start
        row = jnp.zeros(size, jnp.float32).at[tokens].add(jnp.where(mine, values, 0.0))
        p = jnp.where(known, row + level.backoff[rank] * p, p)
    return jnp.log(p)


def pair_log_probs(
    params: NGram, contexts: Int[np.ndarray, "pairs block_size"], targets: Int[np.ndarray, " pairs"]
) -> Float32[np.ndarray, " pairs"]:
    """log p(target | context) of many pairs, looked up in the sorted tables: no row of probabilities is made."""
    base = len(params.vocab)
    p = np.full(len(targets), 1 / base, np.float32)
    for level, rank, known in _levels_at(params, contexts):
        first = np.asarray(level.first)
        owner = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
        pairs = corpus.paired(owner, np.asarray(level.tokens)[: len(owner)], base, len(first))
        at, seen = looked_up(pairs, rank * base + targets)
        mine = np.where(seen, np.asarray(level.values)[at], np.float32(0)) + np.asarray(level.backoff)[rank] * p
        p = np.where(known, mine, p)
    with np.errstate(divide="ignore"):
        return np.log(p)


def row_log_probs(
    params: NGram, contexts: Int[np.ndarray, "contexts block_size"]
) -> Float32[np.ndarray, "contexts vocab_size"]:
    """log p of every token after many contexts, as `logits`: without a compilation, and sparse where the tables are."""
    size = len(params.vocab)
    p = np.full((len(contexts), size), 1 / size, np.float32)
    for level, rank, known in _levels_at(params, contexts):
        p *= np.where(known, np.asarray(level.backoff)[rank], np.float32(1))[:, None]
        first = np.asarray(level.first)
        row = np.flatnonzero(known)
        often = np.diff(first)[rank[row]]
        begin = np.cumsum(often) - often
        pair = np.arange(often.sum()) + np.repeat(first[rank[row]] - begin, often)
        p[np.repeat(row, often), np.asarray(level.tokens)[pair]] += np.asarray(level.values)[pair]
    with np.errstate(divide="ignore"):
        return np.log(p)


def _levels_at(params: NGram, contexts: np.ndarray) -> Iterator[tuple[Level, np.ndarray, np.ndarray]]:
    """Each level with the rank of each context there and whether it was seen: both [contexts]."""
    rank, known = np.zeros(len(contexts), np.int64), np.ones(len(contexts), bool)
    for m, level in enumerate(params.levels):
        if m:
            code = rank * len(params.vocab) + contexts[:, -m]
            rank, there = looked_up(np.asarray(level.codes), code)
            known = known & there
        yield level, rank, known


def num_entries(params: NGram) -> int:
    """How many (context, next) pairs all orders hold."""
    return sum(int(level.first[-1]) for level in params.levels)


def to_arpa(params: Params, path: str | os.PathLike) -> None:
    """Writes the model as the ARPA text that kenlm and SRILM read; ValueError for a model of another kind.

    `mm_jax.models.arpa` says how.
    """
    if not isinstance(params, NGram):
        raise ValueError(f"{type(params).__name__} has no n-grams: ARPA text can hold an NGram only")
    arpa.write(params, path)


def validate(params: NGram) -> None:
    """ValueError for tables that are out of order or out of range, and for values that are no probabilities."""
    if not params.levels:
        raise ValueError("it has no levels")
    above = 1  # contexts of the order below
    for m, level in enumerate(params.levels):
        codes, first, pairs = np.asarray(level.codes), np.asarray(level.first), len(level.tokens) - len(params.vocab)
        tokens, numbers = np.asarray(level.tokens), (np.asarray(level.values), np.asarray(level.backoff))
        ordered = len(codes) and (np.diff(codes) > 0).all() and codes[0] >= 0 and codes[-1] < above * len(params.vocab)
        whole = (
            first[0] == 0
            and first[-1] == pairs
            and (np.diff(first) >= 0).all()
            and (np.diff(first) <= len(params.vocab)).all()
        )
        if not (ordered and whole and (m or len(codes) == 1)):
            raise ValueError(f"the table of order {m + 1} is out of order")
        if tokens.min() < 0 or tokens.max() >= len(params.vocab):
            raise ValueError(f"order {m + 1} has tokens beyond the vocabulary")
        owner = np.repeat(np.arange(len(codes)), np.diff(first))
        if (np.diff(owner * len(params.vocab) + tokens[: len(owner)]) <= 0).any():
            raise ValueError(f"order {m + 1} has the tokens of a context twice or out of order")
        if not all((each >= 0).all() and (each <= 1 + 1e-5).all() for each in numbers):
            raise ValueError(f"order {m + 1} has probabilities outside [0, 1]")
        above = len(codes)
