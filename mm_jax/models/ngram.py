"""Counts of any order: sparse tables of n-grams with interpolated smoothing, as a parameter pytree.

    p_m(w | c) = values_m[c, w] + backoff_m[c] * p_(m-1)(w | c without its oldest character),    p_0 = 1 / vocab_size

A context that was never seen at order m leaves p_(m-1) as it is. The lecture leaves counting because a table of 27^n
cells is too large; what was seen of it is not. An order's contexts are sorted by code: (rank of the context without
its oldest character, in the order below) * vocab_size + oldest character. So codes are small, whatever the order.

The padding before a word's start is part of a context, and is never predicted.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32

from mm_jax.models.mixture import fit as mixture
from mm_jax.models.tally import Tally, tally
from mm_jax.pytree import pytree
from mm_jax.vocab import Vocab

__all__ = ["Level", "NGram", "block_size", "fit", "logits", "mixture", "order", "to_arpa"]

Smoothing = Literal["modified-kneser-ney", "absolute", "witten-bell", "add-k", "none"]


@pytree
class Level:
    """One order: its contexts by code, and for each context the tokens that followed it and what they are worth."""

    codes: Int32[Array, " contexts"]  # ascending
    first: Int32[Array, "contexts+1"]  # context i owns tokens[first[i] : first[i + 1]]
    tokens: Int32[Array, " pairs+vocab_size"]  # padded, so that a slice of vocab_size from any context's first fits
    values: Float32[Array, " pairs+vocab_size"]
    backoff: Float32[Array, " contexts"]


@pytree
class NGram:
    """An n-gram model; levels[m - 1] is order m, with contexts of m - 1 characters."""

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
      ValueError: order below 1, an unknown smoothing, k below 0, an empty list, words as `data.tokens` says.

    >>> from mm_jax.models.ngram import logits
    >>> params = fit(["ab", "b"], Vocab(".ab"), order=2, smoothing="none")
    >>> jnp.exp(logits(params, jnp.array([2]))).tolist()
    [1.0, 0.0, 0.0]

    Source: Chen and Goodman (1998), An empirical study of smoothing techniques for language modeling.
    """
    if order < 1:
        raise ValueError(f"order is {order}: give 1 (no context) or more")
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing is {smoothing!r}: choose one of {', '.join(SMOOTHINGS)}")
    if not 0 <= k < float("inf"):
        raise ValueError(f"k is {k}: give 0 or more fake counts a cell")
    tallies = tally(words, vocab, order)
    smooth = SMOOTHINGS[smoothing]
    levels = []
    for tally_ in tallies:
        values, backoff = smooth(tally_, len(vocab), top=tally_ is tallies[-1], k=k)
        levels.append(_level(tally_, values, backoff, len(vocab)))
    return NGram(levels=tuple(levels), vocab=vocab)


def _level(tally_: Tally, values: np.ndarray, backoff: np.ndarray, vocab_size: int) -> Level:
    first = np.searchsorted(tally_.context, np.arange(len(tally_.codes) + 1))
    pad = (0, vocab_size)
    # Converted in NumPy, then moved: a conversion on the device is a program to compile.
    return Level(
        codes=jnp.asarray(tally_.codes.astype(np.int32)),
        first=jnp.asarray(first.astype(np.int32)),
        tokens=jnp.asarray(np.pad(tally_.token, pad).astype(np.int32)),
        values=jnp.asarray(np.pad(values, pad).astype(np.float32)),
        backoff=jnp.asarray(backoff.astype(np.float32)),
    )


def _per_context(tally_: Tally, values: np.ndarray) -> np.ndarray:
    return np.bincount(tally_.context, values, minlength=len(tally_.codes))


def kneser_ney(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated modified Kneser-Ney: discounts D1, D2, D3+ for counts of one, two and more (Chen and Goodman)."""
    return _discounted(tally_, tally_.types, discounts(np.bincount(tally_.types, minlength=5)))


def absolute(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated absolute discounting: one D = n1 / (n1 + 2 n2) an order, on the counts themselves (Ney et al.)."""
    n1, n2 = np.bincount(tally_.counts, minlength=3)[1:3]
    D = n1 / (n1 + 2 * n2) if n1 else 0.5
    return _discounted(tally_, tally_.counts, np.array([0.0, D, D, D]))


def discounts(counts_of_counts: np.ndarray) -> np.ndarray:
    """[0, D1, D2, D3+] from n1, n2, n3, n4, the numbers of n-grams that occur so many times.

    Y = n1 / (n1 + 2 n2);  D1 = 1 - 2 Y n2 / n1;  D2 = 2 - 3 Y n3 / n2;  D3+ = 3 - 4 Y n4 / n3

    Tiny lists and alphabets lack some of these numbers, or have such as give a discount below 0 or above its count.
    Each such discount is replaced by half its count (0.5, 1, 1.5): nothing fails, and every row still sums to one.
    """
    n1, n2, n3, n4 = counts_of_counts[1:5].astype(float)
    D = np.array([0.0, 0.5, 1.0, 1.5])
    Y = n1 / (n1 + 2 * n2) if n1 else 0.0
    for count, (below, above) in enumerate([(n1, n2), (n2, n3), (n3, n4)], 1):
        if below and above and Y and 0 <= (found := count - (count + 1) * Y * above / below) <= count:
            D[count] = found
    return D


def _discounted(tally_: Tally, counts: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    taken = D[np.minimum(counts, 3)]
    total = _per_context(tally_, counts)
    return (counts - taken) / total[tally_.context], _per_context(tally_, taken) / total


def witten_bell(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated Witten-Bell: a context hands down T / (C + T), T being how many different characters followed it."""
    different = _per_context(tally_, np.ones(len(tally_.counts)))
    total = _per_context(tally_, tally_.counts) + different
    return tally_.counts / total[tally_.context], different / total


def add_k(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> tuple[np.ndarray, np.ndarray]:
    """(count + k) / (total + k * vocab_size) at the highest order; the lower ones say nothing, down to uniform."""
    if not top:
        return np.zeros(len(tally_.counts)), np.ones(len(tally_.codes))
    total = _per_context(tally_, tally_.counts) + k * vocab_size
    return tally_.counts / total[tally_.context], k * vocab_size / total


def unsmoothed(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> tuple[np.ndarray, np.ndarray]:
    """Relative frequencies of the highest order; a context that never was is uniform, as in `Counts`."""
    return add_k(tally_, vocab_size, top=top, k=0.0)


SMOOTHINGS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "modified-kneser-ney": kneser_ney,
    "absolute": absolute,
    "witten-bell": witten_bell,
    "add-k": add_k,
    "none": unsmoothed,
}


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


def contexts_of(params: NGram) -> list[np.ndarray]:
    """The contexts of each order, oldest character first: int64 [contexts, m - 1], in the order of its codes."""
    found = [np.zeros((1, 0), np.int64)]
    for level in params.levels[1:]:
        codes = np.asarray(level.codes, np.int64)
        rank, older = np.divmod(codes, len(params.vocab))
        found.append(np.concatenate([older[:, None], found[-1][rank]], axis=1))
    return found


def num_entries(params: NGram) -> int:
    """How many (context, next) pairs all orders hold."""
    return sum(int(level.first[-1]) for level in params.levels)


def to_arpa(params: Any, path: str | os.PathLike) -> None:
    """Writes the model as the ARPA text that kenlm and SRILM read; `mm_jax.arpa` says how. ValueError for others."""
    from mm_jax.arpa import write  # which reads this module

    write(params, path)
