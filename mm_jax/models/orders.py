"""How well n-gram models of every order predict held-out words, from one count of the list and without a compilation.

A model of order m is the lower orders of any higher model, under a top level of its own: with Kneser-Ney a lower level
counts what stood before a pair, the top one how often it occurred. So one pass over the levels gives every order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mm_jax import corpus
from mm_jax.models.smoothing import SMOOTHINGS, Smoothing
from mm_jax.models.tally import looked_up, tally
from mm_jax.vocab import Vocab

_FEWEST, _MORE = 6, 3  # orders that are looked at first, and then each time while the highest is the best
_GAIN = 0.003  # nats per character that a higher order must be better by


def choose(
    folds: Sequence[tuple[Sequence[str], Sequence[str]]], vocab: Vocab, **given: Any
) -> tuple[dict[str, Any], dict[str, float]]:
    """The order to take, by the loss on held-out words: the lowest within 0.003 of the best.

    Args:
      folds: pairs of lists, one to learn from and one to predict: train and dev, or the parts of a cross-validation.
      vocab: the characters.
      given: options of `ngram.fit` that are settled.

    Returns `given` with the order, and the loss of each order that was looked at, by name.

    >>> options, losses = choose([(["abab", "ab"], ["abab"])], Vocab(".ab"))
    >>> options, list(losses)
    ({'order': 5}, ['order 1', 'order 2', 'order 3', 'order 4', 'order 5'])
    """
    if "order" in given:
        return dict(given), {}
    longest = 1 + max(len(word) for fold in folds for part in fold for word in part)
    most = min(_FEWEST, longest)
    smoothing = given.get("smoothing", "modified-kneser-ney")
    while True:
        sums = np.sum([nlls(*fold, vocab, most, smoothing=smoothing).sum(axis=1) for fold in folds], axis=0)
        means = sums / sum(len(word) + 1 for _, held_out in folds for word in held_out)
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
) -> np.ndarray:
    """The loss of the n-gram models of orders 1 to `most` on every token of held-out words.

    Args:
      words: the list that the models are fitted to.
      held_out: the list to predict.
      vocab: the characters of both.
      most: the highest order.
      smoothing: as `ngram.fit` takes it.

    Returns:
      float64 [most, tokens] in nats: row m - 1 is what `ngram.fit(words, vocab, m)` gives.

    Raises ValueError as `corpus.tokens` says.

    >>> nlls(["ab", "ab"], ["ab"], Vocab(".ab"), 2, smoothing="none").round(2).tolist()
    [[1.1, 1.1, 1.1], [-0.0, -0.0, -0.0]]
    """
    smooth, base = SMOOTHINGS[smoothing], len(vocab)
    contexts, ids, targets = corpus.examples(held_out, vocab, most - 1)
    pairs, place = corpus.ranked(corpus.paired(ids, targets, base, len(contexts)), len(contexts) * base)
    context, target = np.divmod(pairs, base)  # each distinct pair once
    below: np.ndarray = np.full(len(pairs), 1 / base)
    rank, known = np.zeros(len(contexts), np.int64), np.ones(len(contexts), bool)
    probabilities = np.empty((most, len(pairs)))
    for m, level in enumerate(tally(words, vocab, most)):
        if m:
            rank, there = looked_up(level.codes, rank * base + contexts[:, -m])
            known &= there
        at, seen = looked_up(level.context.astype(np.int64) * base + level.token, rank[context] * base + target)
        seen &= known[context]

        mixed = []
        for counted, top in ((level._replace(types=level.counts), True), (level, False)):
            values, backoff = smooth(counted, base, top=top, k=1.0)
            row = np.where(seen, values[at], 0.0) + backoff[rank[context]] * below
            mixed.append(np.where(known[context], row, below))
        probabilities[m], below = mixed
    with np.errstate(divide="ignore"):
        return -np.log(probabilities)[:, place]
