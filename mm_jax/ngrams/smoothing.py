"""Turns counts into probabilities: a discounted probability for each pair, a back-off weight for each context.

    p_m(w | c) = values[c, w] + backoff[c] * p_(m-1)(w | c without its oldest character)

Every smoothing takes the tally of one order and returns (values, backoff).
"""

import functools
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float64

from mm_jax.ngrams.counting import Tally

Smoothing = Literal["modified-kneser-ney", "absolute", "witten-bell", "add-k", "none"]
Smoothed = tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " contexts"]]  # values, backoff


def kneser_ney(tally: Tally) -> Smoothed:
    """Interpolated modified Kneser-Ney: discounts D1, D2, D3+ for counts of one, two and more (Chen and Goodman)."""
    counts = tally.counts if tally.types is None else tally.types
    return _discounted(tally, counts, discounts(np.bincount(counts, minlength=5)))


def absolute(tally: Tally) -> Smoothed:
    """Interpolated absolute discounting: one D = n1 / (n1 + 2 n2) an order, on the counts themselves (Ney et al.)."""
    n1, n2 = np.bincount(tally.counts, minlength=3)[1:3]
    D = n1 / (n1 + 2 * n2) if n1 else 0.5
    return _discounted(tally, tally.counts, np.array([0.0, D, D, D]))


def discounts(counts_of_counts: np.ndarray) -> np.ndarray:
    """Returns [0, D1, D2, D3+] from n1, n2, n3, n4, the numbers of n-grams that occur so many times.

    Y = n1 / (n1 + 2 n2);  D1 = 1 - 2 Y n2 / n1;  D2 = 2 - 3 Y n3 / n2;  D3+ = 3 - 4 Y n4 / n3

    Tiny lists and alphabets lack some of these numbers, or give a discount below 0 or above its count. Such a discount
    is replaced by half its count (0.5, 1, 1.5): nothing fails, and every row still sums to one.
    """
    n1, n2, n3, n4 = counts_of_counts[1:5].astype(float)
    D = np.array([0.0, 0.5, 1.0, 1.5])
    Y = n1 / (n1 + 2 * n2) if n1 else 0.0
    for count, (below, above) in enumerate([(n1, n2), (n2, n3), (n3, n4)], 1):
        if below and above and Y and 0 <= (discount := count - (count + 1) * Y * above / below) <= count:
            D[count] = discount
    return D


def _discounted(tally: Tally, counts: np.ndarray, D: np.ndarray) -> Smoothed:
    """Returns (count - discount) / total of its context, and the share discounted; `counts` are [pairs], D [4]."""
    values = D[np.minimum(counts, 3)]  # what is removed; long lists leave no room for another array
    total = tally.per_context(counts)
    backoff = tally.per_context(values) / total
    np.subtract(counts, values, out=values)
    values /= total[tally.context]
    return values, backoff


def witten_bell(tally: Tally) -> Smoothed:
    """Interpolated Witten-Bell: back-off weight T / (C + T) for T distinct characters in C occurrences."""
    distinct = tally.per_context(np.ones(len(tally.counts)))
    total = tally.per_context(tally.counts) + distinct
    return tally.counts / total[tally.context], distinct / total


def add_k(tally: Tally, k: float = 1.0) -> Smoothed:
    """(count + k) / (total + k * vocab_size) at the highest order; the lower orders are left uniform."""
    if tally.types is not None:  # not the highest order
        return np.zeros(len(tally.counts)), np.ones(len(tally.codes))
    total = tally.per_context(tally.counts) + k * tally.vocab_size
    return tally.counts / total[tally.context], k * tally.vocab_size / total


def unsmoothed(tally: Tally) -> Smoothed:
    """Relative frequencies of the highest order; a context that never occurred is uniform, as in `Counts`."""
    return add_k(tally, k=0.0)


SMOOTHINGS: dict[str, Callable[[Tally], Smoothed]] = {
    "modified-kneser-ney": kneser_ney,
    "absolute": absolute,
    "witten-bell": witten_bell,
    "add-k": add_k,
    "none": unsmoothed,
}


def smoother(smoothing: Smoothing, k: float) -> Callable[[Tally], Smoothed]:
    """Returns the function of a name; `k` is that of "add-k", which alone has one."""
    return functools.partial(add_k, k=k) if smoothing == "add-k" else SMOOTHINGS[smoothing]
