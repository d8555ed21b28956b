"""Computes how well n-gram models of every order predict held-out words, from one count and without a compilation.

Models of all orders share their lower levels; only the top level differs. With Kneser-Ney a lower level counts the
distinct characters before a pair, the top level how often the pair occurs. One pass evaluates every order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mm_jax import corpus
from mm_jax.ngrams.counting import count, look_up, walk
from mm_jax.ngrams.smoothing import Smoothing, smoother
from mm_jax.streams import sizes_of
from mm_jax.vocab import Vocab, vocabulary

_FEWEST, _MORE = 6, 3  # start with 6 orders; try 3 more while the highest wins
_GAIN = 0.003  # nats per character by which a higher order must be better


def choose(
    folds: Sequence[tuple[Sequence[str], Sequence[str]]], vocab: Vocab, **given: Any
) -> tuple[dict[str, Any], dict[str, float]]:
    """Chooses the order by the loss on held-out words: the lowest within 0.003 nats per character of the best.

    Args:
      folds: pairs of lists, one to learn from and one to predict: train and dev, or the parts of a cross-validation.
      vocab: the characters.
      given: options of `ngram.fit` that are settled.

    Returns `given` with the order, and the loss of each order that was tried, by name.

    >>> options, losses = choose([(["abab", "ab"], ["abab"])], Vocab(".ab"))
    >>> options, list(losses)
    ({'order': 5}, ['order 1', 'order 2', 'order 3', 'order 4', 'order 5'])
    """
    if "order" in given:
        return dict(given), {}
    units = vocabulary(vocab).units
    longest = 1 + max(sizes_of(part, units).longest for fold in folds for part in fold)
    most = min(_FEWEST, longest)
    options = {name: given[name] for name in ("smoothing", "k") if name in given}
    while True:
        sums = np.sum([nlls(*fold, vocab, most, **options).sum(axis=1) for fold in folds], axis=0)
        means = sums / sum(sizes_of(held_out, units).total for _, held_out in folds)
        best = int(np.flatnonzero(means <= means.min() + _GAIN)[0]) + 1
        if best < most or most == longest:
            losses = {f"order {order}": float(mean) for order, mean in enumerate(means, 1)}
            return {**given, "order": best}, losses
        most = min(most + _MORE, longest)


def nlls(
    words: Sequence[str],
    held_out: Sequence[str],
    vocab: Vocab,
    most: int,
    *,
    smoothing: Smoothing = "modified-kneser-ney",
    k: float = 1.0,
) -> np.ndarray:
    """Computes the loss of the n-gram models of orders 1 to `most` on every token of held-out words.

    Args:
      words: the list that the models are fitted to.
      held_out: the list to predict.
      vocab: the characters of both.
      most: the highest order.
      smoothing: as `ngram.fit` takes it.
      k: the fake counts of "add-k".

    Returns:
      float64 [most, tokens] in nats: row m - 1 is what `ngram.fit(words, vocab, m)` gives.

    Raises ValueError as `corpus.tokens` says.

    >>> nlls(["ab", "ab"], ["ab"], Vocab(".ab"), 2, smoothing="none").round(2).tolist()
    [[1.1, 1.1, 1.1], [-0.0, -0.0, -0.0]]
    """
    smooth, size = smoother(smoothing, k), len(vocabulary(vocab))
    contexts, ids, targets = corpus.examples(held_out, vocab, most - 1)
    pairs, pair_of_token = corpus.ranked(corpus.paired(ids, targets, size, len(contexts)), len(contexts) * size)
    context, target = np.divmod(pairs, size)  # each distinct pair once
    lower: np.ndarray = np.full(len(pairs), 1 / size)  # p of each pair by the levels below
    probabilities = np.empty((most, len(pairs)))
    for m, (level, ranks, all_known) in enumerate(walk(count(words, vocab, most), contexts, size)):
        rank, known = ranks[context], all_known[context]
        at, seen = look_up(level.context.astype(np.int64) * size + level.token, rank * size + target)
        # Each level is smoothed twice: as the top level of order m + 1, and as a lower level of the orders above.
        for as_top in (True, False):
            values, backoff = smooth(level._replace(types=None) if as_top else level)
            p = np.where(known, np.where(seen, values[at], 0.0) + backoff[rank] * lower, lower)
            if as_top:
                probabilities[m] = p
            else:
                lower = p
    with np.errstate(divide="ignore"):
        return -np.log(probabilities)[:, pair_of_token]
