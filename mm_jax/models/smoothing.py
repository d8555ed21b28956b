"""Turns counts into probabilities: the discounted probability of each pair, the back-off weight of each context.

    p_m(w | c) = values[c, w] + backoff[c] * p_(m-1)(w | c without its oldest character)

All take the tally of one order and return (values, backoff). `top` says whether it is the highest order, `k` is the
number of fake counts of `add_k`.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float64

from mm_jax.models.tally import Tally

Smoothing = Literal["modified-kneser-ney", "absolute", "witten-bell", "add-k", "none"]
Smoothed = tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " contexts"]]  # values, backoff


def _per_context(tally_: Tally, values: np.ndarray) -> np.ndarray:
    """Sums of float64 [pairs] by context: float64 [contexts]."""
    return np.bincount(tally_.context, values, minlength=len(tally_.codes))


def kneser_ney(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> Smoothed:
    """Interpolated modified Kneser-Ney: discounts D1, D2, D3+ for counts of one, two and more (Chen and Goodman)."""
    return _discounted(tally_, tally_.types, discounts(np.bincount(tally_.types, minlength=5)))


def absolute(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> Smoothed:
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
        if below and above and Y and 0 <= (discount := count - (count + 1) * Y * above / below) <= count:
            D[count] = discount
    return D


def _discounted(tally_: Tally, counts: np.ndarray, D: np.ndarray) -> Smoothed:
    """(count - discount) / total of its context, and the share discounted; `counts` are [pairs], D [4]."""
    removed = D[np.minimum(counts, 3)]
    total = _per_context(tally_, counts)
    return (counts - removed) / total[tally_.context], _per_context(tally_, removed) / total


def witten_bell(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> Smoothed:
    """Interpolated Witten-Bell: back-off weight T / (C + T) for T different characters in C occurrences."""
    different = _per_context(tally_, np.ones(len(tally_.counts)))
    total = _per_context(tally_, tally_.counts) + different
    return tally_.counts / total[tally_.context], different / total


def add_k(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> Smoothed:
    """(count + k) / (total + k * vocab_size) at the highest order; the lower orders are left uniform."""
    if not top:
        return np.zeros(len(tally_.counts)), np.ones(len(tally_.codes))
    total = _per_context(tally_, tally_.counts) + k * vocab_size
    return tally_.counts / total[tally_.context], k * vocab_size / total


def unsmoothed(tally_: Tally, vocab_size: int, *, top: bool, k: float) -> Smoothed:
    """Relative frequencies of the highest order; a context that never was is uniform, as in `Counts`."""
    return add_k(tally_, vocab_size, top=top, k=0.0)


SMOOTHINGS: dict[str, Callable[..., Smoothed]] = {
    "modified-kneser-ney": kneser_ney,
    "absolute": absolute,
    "witten-bell": witten_bell,
    "add-k": add_k,
    "none": unsmoothed,
}
