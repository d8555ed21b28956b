"""Cuts rare n-grams off a model: its file shrinks by far more than its loss grows.

A pair that occurs fewer than `cut` times is dropped, in every order but the first. What remains keeps its value, and the
back-off weight of its context grows to 1 - their sum, so that every row still sums to one. A context without pairs is
dropped. A pair never occurs more often than the pair with a shorter context that it ends in: so what remains of an
order has its shorter context in the order below.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from mm_jax.ngrams.counting import Tally


class Cut(NamedTuple):
    """What is kept of one order.

    Attributes:
      pairs: bool [pairs].
      contexts: bool [contexts].
      backoff: float64 [contexts], those of contexts that are kept.
    """

    pairs: Bool[np.ndarray, " pairs"]
    contexts: Bool[np.ndarray, " contexts"]
    backoff: Float64[np.ndarray, " contexts"]


def cut_order(tally: Tally, values: np.ndarray, backoff: np.ndarray, cut: int) -> Cut:
    """Chooses what is kept of an order above 1; `values` [pairs] and `backoff` [contexts] are those of a smoothing.

    >>> tally = Tally(np.arange(2), np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([3, 1, 1]), None, 3)
    >>> kept = cut_order(tally, np.array([0.6, 0.2, 0.5]), np.array([0.2, 0.5]), cut=2)
    >>> kept.pairs.tolist(), kept.contexts.tolist(), kept.backoff.tolist()
    ([True, False, False], [True, False], [0.4, 1.0])
    """
    pairs = tally.counts >= cut
    context, contexts = tally.context[pairs], np.zeros(len(tally.codes), bool)
    contexts[context] = True
    left = 1 - np.bincount(context, values[pairs], minlength=len(contexts))
    whole = np.bincount(context, minlength=len(contexts)) == np.bincount(tally.context, minlength=len(contexts))
    return Cut(pairs, contexts, np.where(whole, backoff, np.maximum(left, 0.0)))


def kept(tally: Tally, cut: Cut, below: np.ndarray) -> Tally:
    """Returns the tally of what is kept, without continuation counts.

    `below` are the ranks of the contexts of the order below among those that were kept there, int [contexts below].
    """
    ranks = np.cumsum(cut.contexts, dtype=np.int32) - np.int32(1)
    shorter, oldest = np.divmod(tally.codes[cut.contexts], np.int32(tally.vocab_size))
    return Tally(
        below[shorter] * np.int32(tally.vocab_size) + oldest,
        ranks[tally.context[cut.pairs]],
        tally.token[cut.pairs],
        tally.counts[cut.pairs],
        None,
        tally.vocab_size,
    )
