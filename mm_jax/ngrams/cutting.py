"""Cuts off a model what does not pay for its bytes: the file shrinks by far more than the loss grows.

A context of order m is worth what it gains on the list over the order below, in nats:

    gain(c) = sum over w of count(c, w) * log(p_m(w | c) / p_(m-1)(w | c without its oldest character))

It is kept where that is `cut` or more a byte of the file, or where a longer context that is kept ends in it. A context
that is dropped leaves the probabilities of the order below as they are. In a cut model values are rounded down to
multiples of 1/2048, and a back-off weight is 1 - their sum: both are float16 in a file, and rows sum to one exactly.
Counts below a threshold, dropped in high orders, cost several times as much loss at the same size (LOG.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mm_jax.ngrams.counting import Tally

_STEP = 2.0**-11
_CONTEXT, _PAIR = 5, 3  # bytes in a file

Order = tuple[Tally, tuple[Any, Any]]  # with the values [pairs] and the back-off weights [contexts] of its smoothing


def worths(orders: Sequence[Order]) -> list[np.ndarray]:
    """Returns what each context is worth in nats a byte: float64 [contexts] of each order.

    That is its own gain a byte, or that of a longer context that ends in it where it is more. Args: all orders of a
    model, the lowest first, as `rounded` makes them.
    """
    found, lower = [], np.zeros(0)
    for m, (tally, (values, backoff)) in enumerate(orders):
        shorter = 1 / tally.vocab_size if m == 0 else lower[_pairs_below(tally, orders[m - 1][0])]
        lower = values + backoff[tally.context] * shorter
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = tally.per_context(tally.counts * np.log(lower / shorter))
        found.append(gain / sizes(tally))
    for m in range(len(orders) - 1, 0, -1):  # the longest contexts first
        np.maximum.at(found[m - 1], orders[m][0].codes // orders[m][0].vocab_size, found[m])
    found[0][:] = np.inf
    return found


def sizes(tally: Tally) -> np.ndarray:
    """Returns the bytes that each context takes in a file, int64 [contexts]."""
    return _CONTEXT + _PAIR * np.bincount(tally.context, minlength=len(tally.codes))


def cut_for(orders: Sequence[Order], worth: Sequence[np.ndarray], size: float) -> float:
    """Returns the cut that leaves a model of so many bytes at most; `worth` is [contexts] of each order."""
    every = np.concatenate(worth)
    best_first = np.argsort(-every)
    taken = np.cumsum(np.concatenate([sizes(tally) for tally, _ in orders])[best_first])
    left_out = best_first[np.searchsorted(taken, size, side="right") :]
    return 0.0 if not len(left_out) else max(0.0, float(np.nextafter(every[left_out[0]], np.inf)))


def cut_off(orders: Sequence[Order], worth: Sequence[np.ndarray], cut: float) -> Iterator[Order]:
    """Yields what is left of the orders of a model, the lowest first; the tallies lose their types.

    Args:
      orders, worth: all orders, and what each of their contexts [contexts] is worth.
      cut: nats a byte that a context must be worth.
    """
    below = np.zeros(1, np.int32)
    for (tally, (values, backoff)), one in zip(orders, worth, strict=True):
        keep = one >= cut
        if not keep.any():
            return
        pairs = keep[tally.context]
        ranks = np.cumsum(keep, dtype=np.int32) - np.int32(1)
        yield _part(tally, keep, pairs, ranks, below), (values[pairs], backoff[keep])
        below = ranks


def rounded(smoothed: Iterable[Order]) -> Iterator[Order]:
    """Yields orders with values that are rounded down, and the back-off weights that follow; order 1 stays as it is."""
    for m, (tally, (values, backoff)) in enumerate(smoothed):
        if m:
            values = np.floor(values / _STEP) * _STEP
            backoff = 1 - tally.per_context(values)
        yield tally._replace(types=None), (values, backoff)


def _pairs_below(tally: Tally, below: Tally) -> np.ndarray:
    """Returns the place of each pair in the order below, where its context lacks its oldest character: [pairs]."""
    size = np.int64(tally.vocab_size)
    wanted = (tally.codes // size)[tally.context] * size + tally.token
    return np.searchsorted(below.context * size + below.token, wanted)


def _part(tally: Tally, keep: np.ndarray, pairs: np.ndarray, ranks: np.ndarray, below: np.ndarray) -> Tally:
    """Returns the tally of some contexts, bool [contexts], and pairs, bool [pairs].

    `ranks` [contexts] and `below` [contexts of the order below] number the contexts that are kept.
    """
    size = np.int64(tally.vocab_size)
    shorter, oldest = np.divmod(tally.codes[keep], size)
    codes = below[shorter] * size + oldest
    context = ranks[tally.context[pairs]]
    return Tally(codes, context, tally.token[pairs], tally.counts[pairs], None, tally.vocab_size)
