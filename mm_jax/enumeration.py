"""The most probable words of a model, exactly: best-first search over prefixes."""

import heapq
from collections.abc import Collection

import numpy as np

from mm_jax.checks import as_set, whole_number
from mm_jax.models.contract import Params, block_size, functions_of
from mm_jax.models.contract import max_length as max_length_of
from mm_jax.models.prediction import log_probs_after

_AHEAD = 255  # open prefixes whose next characters are looked up together with the likeliest one
_KEPT = 32  # next characters of a prefix that are kept at first; more are looked up again where they are asked for

Children = tuple[np.ndarray, np.ndarray]  # the likeliest tokens, best first, and their costs


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
    it is a finished word, is the next of the list: the result is exact, and the same every time. Of a prefix's children
    only the likeliest is on the heap; the next is pushed when it is popped, so a large alphabet takes little memory.

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

    Raises ValueError for k or max_length below 1, and for a prefix with a character the model does not know.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> [(word, round(p, 3)) for word, p in most_probable(counts.fit(["ab", "b"], Vocab(".ab")), 2)]
    [('ab', 0.5), ('b', 0.5)]
    """
    functions_of(params)
    whole_number("k", k)
    whole_number("max_length", max_length)
    whole_number("budget", budget, least=0)
    chars, unwanted = params.vocab.chars, as_set(exclude)
    limit = max_length_of(params)
    longest = max_length if limit is None else min(max_length, limit)
    rows = _Rows(params)
    best: list[tuple[str, float]] = []
    # Entries are (minus log probability, word, finished, prefix, which child of its parent, the parent's cost); the
    # word settles ties, the same way every time.
    heap: list[tuple[float, str, bool, tuple[int, ...], int, float]] = []

    def open_child(parent: tuple[int, ...], word: str, base: float, n: int) -> None:
        """Opens the nth likeliest of what a prefix may become; longer words than `longest` are passed over."""
        while (child := rows.child(parent, n)) is not None:
            token, cost = child
            if token == 0:
                return heapq.heappush(heap, (base + cost, word, True, parent, n, base))
            if len(word) < longest:
                return heapq.heappush(heap, (base + cost, word + chars[token], False, (*parent, token), n, base))
            n += 1

    first = tuple(params.vocab.encode(prefix).tolist())
    rows.ahead([first])
    open_child(first, prefix, _cost(params, first), 0)
    budget -= 1
    while heap and len(best) < k:
        cost, word, finished, tokens, n, base = heapq.heappop(heap)
        parent, before = (tokens, word) if finished else (tokens[:-1], word[:-1])
        rows.ahead([parent])
        open_child(parent, before, base, n + 1)
        if finished:
            if word and len(word) >= min_length and word not in unwanted:
                best.append((word, float(np.exp(-cost))))
            continue
        if (budget := budget - 1) < 0:
            break
        if not rows.has(tokens):
            rows.ahead([tokens, *(entry[3] for entry in heap[:_AHEAD] if not entry[2])])
        open_child(tokens, word, cost, 0)
    return best


def _cost(params: Params, prefix: tuple[int, ...]) -> float:
    """Minus the log probability that a word begins with a prefix."""
    if not prefix:
        return 0.0
    rows = log_probs_after(params, [prefix[:length] for length in range(len(prefix))]).astype(np.float64)
    return -float(rows[np.arange(len(prefix)), prefix].sum())


class _Rows:
    """What may follow each prefix, best first; windowed models share it among all prefixes that end alike."""

    def __init__(self, params: Params):
        self.params, self.size = params, block_size(params)
        self.known: dict[tuple[int, ...], Children] = {}

    def _seen(self, prefix: tuple[int, ...]) -> tuple[int, ...]:
        return prefix if self.size is None else prefix[max(0, len(prefix) - self.size) :] if self.size else ()

    def has(self, prefix: tuple[int, ...]) -> bool:
        """Whether the prefix was looked up."""
        return self._seen(prefix) in self.known

    def ahead(self, prefixes: list[tuple[int, ...]], kept: int = _KEPT) -> None:
        """Looks up several prefixes at once."""
        missing = sorted({self._seen(prefix) for prefix in prefixes} - self.known.keys())
        if missing:
            costs = -log_probs_after(self.params, missing)
            for each, row in zip(missing, costs, strict=True):
                self.known[each] = _best(row, kept)

    def child(self, prefix: tuple[int, ...], n: int) -> tuple[int, float] | None:
        """The nth likeliest token after a prefix, and its cost; None where there are no more."""
        seen = self._seen(prefix)
        tokens, costs = self.known[seen]
        if n >= len(tokens) and n < len(self.params.vocab) and len(tokens) and len(tokens) % _KEPT == 0:
            del self.known[seen]
            self.ahead([prefix], kept=8 * len(tokens))
            tokens, costs = self.known[seen]
        return (int(tokens[n]), float(costs[n])) if n < len(tokens) else None


def _best(costs: np.ndarray, kept: int) -> Children:
    """The `kept` possible tokens of least cost, of costs [vocab_size]; of equal ones the first."""
    if kept < len(costs):
        limit = np.partition(costs, kept - 1)[kept - 1]
        among = np.flatnonzero(costs <= limit)
    else:
        among = np.arange(len(costs))
    among = among[np.argsort(costs[among], kind="stable")][:kept]
    among = among[np.isfinite(costs[among])]
    return among.astype(np.int32), costs[among].astype(np.float64)
