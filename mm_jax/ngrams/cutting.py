"""Cuts off a model what does not pay for its bytes: the file shrinks by far more than the loss grows.

A context of order m is worth what it gains on the list over the order below, in nats:

    gain(c) = sum over w of count(c, w) * log(p_m(w | c) / p_(m-1)(w | c without its oldest character))

It is kept where that is `cut` or more a byte of the file, or where a longer context that is kept ends in it. A context
that is dropped leaves the probabilities of the order below as they are. In a cut model values are rounded down to
multiples of 1/2048, and a back-off weight is 1 - their sum: both are float16 in a file, and rows sum to one exactly.
Counts below a threshold, dropped in high orders, cost several times as much loss at the same size (LOG.md).
"""

from collections.abc import Iterable, Iterator

import numpy as np

from mm_jax.ngrams.counting import Tally
from mm_jax.ngrams.smoothing import Smoothed

_STEP = 2.0**-11
_CONTEXT, _PAIR = 5, 3  # bytes in a file

Smoothing = tuple[Tally, Smoothed]


def cut_off(smoothed: Iterable[Smoothing], cut: float) -> Iterator[Smoothing]:
    """Yields the orders that are left of all orders of a model, the lowest first; the tallies lose their types.

    Args:
      smoothed: the tally of each order, the lowest first, with its values and its back-off weights.
      cut: nats a byte that a context must gain.
    """
    orders = list(_rounded(smoothed))
    gains, lower = [], np.zeros(0)
    for m, (tally, (values, backoff)) in enumerate(orders):
        shorter = 1 / tally.vocab_size if m == 0 else lower[_pairs_below(tally, orders[m - 1][0])]
        lower = values + backoff[tally.context] * shorter
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = tally.per_context(tally.counts * np.log(lower / shorter))
        size = _CONTEXT + _PAIR * np.bincount(tally.context, minlength=len(tally.codes))
        gains.append(gain >= cut * size)
    gains[0][:] = True
    for m in range(len(orders) - 1, 0, -1):  # the longest contexts first: each keeps the shorter ones it ends in
        gains[m - 1][orders[m][0].codes[gains[m]] // orders[m][0].vocab_size] = True
    below = np.zeros(1, np.int32)
    for keep in gains:
        tally, (values, backoff) = orders.pop(0)
        if not keep.any():
            return
        pairs = keep[tally.context]
        ranks = np.cumsum(keep, dtype=np.int32) - np.int32(1)
        yield _part(tally, keep, pairs, ranks, below), (values[pairs], backoff[keep])
        below = ranks


def _rounded(smoothed: Iterable[Smoothing]) -> Iterator[Smoothing]:
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
    size = np.int32(tally.vocab_size)
    shorter, oldest = np.divmod(tally.codes[keep], size)
    codes = below[shorter] * size + oldest
    context = ranks[tally.context[pairs]]
    return Tally(codes, context, tally.token[pairs], tally.counts[pairs], None, tally.vocab_size)
