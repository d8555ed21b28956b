"""The most probable words of a model, exactly: best-first search over prefixes."""

import heapq
from collections.abc import Collection

import numpy as np

from mm_jax.evaluation import log_probs_after
from mm_jax.models.contract import Params, block_size
from mm_jax.models.contract import max_length as max_length_of
from mm_jax.numbers import whole_number

_AHEAD = 255  # open prefixes whose next characters are looked up together with the likeliest one


def most_probable(
    params: Params,
    k: int,
    *,
    exclude: Collection[str] = (),
    prefix: str = "",
    min_length: int = 1,
    max_length: int = 100,
    budget: int = 200_000,
) -> list[tuple[str, float]]:
    """The k most probable whole words that are not in `exclude`, best first, with their probabilities.

    A prefix is never less probable than what it becomes. So the likeliest of all open prefixes and finished words, if
    it is a finished word, is the next of the list: the result is exact, and the same every time.

    Args:
      params: any model's parameters.
      k: how many, 1 or more.
      exclude: words not to return, such as the training list.
      prefix: what every word begins with.
      min_length: shorter words are not returned.
      max_length: longer words are not looked at.
      budget: how many prefixes to extend before giving up; fewer than k words come back then, still the best.

    Returns:
      A list of (word, probability); the empty word is left out.

    Raises ValueError for k below 1, and for a prefix with a character the model does not know.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> [(word, round(p, 3)) for word, p in most_probable(counts.fit(["ab", "b"], Vocab(".ab")), 2)]
    [('ab', 0.5), ('b', 0.5)]
    """
    whole_number("k", k)
    size, chars, unwanted = block_size(params), params.vocab.chars, frozenset(exclude)
    limit = max_length_of(params)
    longest = max_length if limit is None else min(max_length, limit)
    known: dict[tuple[int, ...], np.ndarray] = {}
    found: list[tuple[str, float]] = []

    def seen_of(prefix: tuple[int, ...]) -> tuple[int, ...]:
        """What the model sees of a prefix: windowed models share a row among all that end alike."""
        return prefix if size is None else prefix[max(0, len(prefix) - size) :] if size else ()

    # Entries are (minus log probability, word, finished, prefix); the word settles ties, the same way every time.
    first = tuple(params.vocab.encode(prefix).tolist())
    heap: list[tuple[float, str, bool, tuple[int, ...]]] = [(_cost(params, first), prefix, False, first)]
    while heap and len(found) < k:
        cost, word, finished, read = heapq.heappop(heap)
        if finished:
            if word and len(word) >= min_length and word not in unwanted:
                found.append((word, float(np.exp(-cost))))
            continue
        if (budget := budget - 1) < 0:
            break
        if seen_of(read) not in known:
            ahead = {seen_of(read), *(seen_of(entry[3]) for entry in heap[:_AHEAD] if not entry[2])} - known.keys()
            rows = log_probs_after(params, sorted(ahead))
            known.update(zip(sorted(ahead), rows.astype(np.float64), strict=True))
        row = known[seen_of(read)]
        if size is None:
            del known[read]  # no other prefix will ask for it
        for token in np.flatnonzero(np.isfinite(row)).tolist():
            if token == 0:
                heapq.heappush(heap, (cost - row[0], word, True, ()))
            elif len(word) < longest:
                heapq.heappush(heap, (cost - row[token], word + chars[token], False, (*read, token)))
    return found


def _cost(params: Params, prefix: tuple[int, ...]) -> float:
    """Minus the log probability that a word begins with a prefix."""
    if not prefix:
        return 0.0
    rows = log_probs_after(params, [prefix[:length] for length in range(len(prefix))]).astype(np.float64)
    return -float(rows[np.arange(len(prefix)), prefix].sum())
