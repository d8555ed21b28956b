"""Finds the most probable words of a model, exactly, by best-first search over prefixes."""

import heapq
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from mm_jax.checks import as_set, whole_number
from mm_jax.models.contract import Params, block_size, check_params
from mm_jax.models.contract import max_length as max_length_of
from mm_jax.models.prediction import log_probs_after

_AHEAD = 255  # open prefixes that are evaluated in one call with the likeliest one
_KEPT = 32  # next tokens that are kept of a prefix at first; where more are needed it is evaluated again

Prefix = tuple[int, ...]
Children = tuple[np.ndarray, np.ndarray]  # the likeliest tokens, best first, and their costs


class Open(NamedTuple):
    """An entry of the heap: a prefix that may be extended, or a finished word. Ordered by cost, then by word."""

    cost: float  # minus log probability
    word: str  # as characters of `Vocab.chars`; settles ties, the same way in every run
    finished: bool
    prefix: Prefix  # the tokens of `word`
    child: int  # it is the nth likeliest child of its parent
    parent_cost: float


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
    """Returns the k most probable whole words that are not in `exclude`, best first, with their probabilities.

    A prefix is never less probable than its extensions. So the likeliest entry of the heap, if it is a finished word,
    is the next of the list: the result is exact and deterministic. Only the likeliest child of a prefix is on the heap;
    the next is pushed when it is popped, so a large alphabet takes little memory.

    Args:
      params: any model's parameters.
      k: the number of words, 1 or more.
      exclude: words not to return, such as the training list.
      prefix: the beginning of every word.
      min_length: shorter words are not returned.
      max_length: longer words, in symbols, are not searched.
      budget: the number of prefixes to extend before giving up; fewer than k words are returned then, still the best.

    Returns:
      A list of (word, probability), without the empty word.

    Raises ValueError for k or max_length below 1, a budget below 0, and a prefix with a symbol the model lacks.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> [(word, round(p, 3)) for word, p in most_probable(counts.fit(["ab", "b"], Vocab(".ab")), 2)]
    [('ab', 0.5), ('b', 0.5)]
    """
    check_params(params)
    whole_number("k", k)
    whole_number("max_length", max_length)
    whole_number("budget", budget, least=0)
    vocab, unwanted = params.vocab, as_set(exclude)
    limit = max_length_of(params)
    longest = max_length if limit is None else min(max_length, limit)
    following = _Continuations(params)
    best: list[tuple[str, float]] = []
    heap: list[Open] = []

    def push_child(parent: Prefix, word: str, parent_cost: float, n: int) -> None:
        """Pushes the nth likeliest child of a prefix, or the next one that is no longer than `longest`."""
        while (child := following.child(parent, n)) is not None:
            token, cost = child
            if token == 0:
                return heapq.heappush(heap, Open(parent_cost + cost, word, True, parent, n, parent_cost))
            if len(word) < longest:
                longer = Open(parent_cost + cost, word + vocab.chars[token], False, (*parent, token), n, parent_cost)
                return heapq.heappush(heap, longer)
            n += 1

    root = tuple(vocab.encode(prefix).tolist())
    following.evaluate([root])
    push_child(root, vocab.as_chars(prefix), _cost(params, root), 0)
    budget -= 1
    while heap and len(best) < k:
        entry = heapq.heappop(heap)
        parent, before = (entry.prefix, entry.word) if entry.finished else (entry.prefix[:-1], entry.word[:-1])
        following.evaluate([parent])
        push_child(parent, before, entry.parent_cost, entry.child + 1)
        if entry.finished:
            is_word = entry.word and len(entry.word) >= min_length and vocab.is_text(parent)
            if is_word and (word := vocab.decode(parent)) not in unwanted:
                best.append((word, float(np.exp(-entry.cost))))
            continue
        if (budget := budget - 1) < 0:
            break
        if not following.has(entry.prefix):
            following.evaluate([entry.prefix, *(other.prefix for other in heap[:_AHEAD] if not other.finished)])
        push_child(entry.prefix, entry.word, entry.cost, 0)
    return best


def _cost(params: Params, prefix: Prefix) -> float:
    """Returns minus the log probability that a word begins with a prefix."""
    if not prefix:
        return 0.0
    rows = log_probs_after(params, [prefix[:length] for length in range(len(prefix))]).astype(np.float64)
    return -float(rows[np.arange(len(prefix)), prefix].sum())


class _Continuations:
    """A cache of the tokens after each prefix, best first; prefixes that a window cannot tell apart share an entry."""

    def __init__(self, params: Params):
        self.params, self.size = params, block_size(params)
        self.known: dict[Prefix, Children] = {}

    def _window(self, prefix: Prefix) -> Prefix:
        """Returns the part of a prefix that the model sees."""
        return prefix if self.size is None else prefix[max(0, len(prefix) - self.size) :]

    def has(self, prefix: Prefix) -> bool:
        """Returns whether the prefix was evaluated."""
        return self._window(prefix) in self.known

    def evaluate(self, prefixes: list[Prefix], kept: int = _KEPT) -> None:
        """Evaluates those of some prefixes that were not, in one call."""
        missing = sorted({self._window(prefix) for prefix in prefixes} - self.known.keys())
        if missing:
            costs = -log_probs_after(self.params, missing)
            for window, row in zip(missing, costs, strict=True):
                self.known[window] = _best(row, kept)

    def child(self, prefix: Prefix, n: int) -> tuple[int, float] | None:
        """Returns the nth likeliest token after a prefix, and its cost; None where there are no more."""
        window = self._window(prefix)
        tokens, costs = self.known[window]
        if n >= len(tokens) and n < len(self.params.vocab) and len(tokens) and len(tokens) % _KEPT == 0:
            del self.known[window]
            self.evaluate([prefix], kept=8 * len(tokens))
            tokens, costs = self.known[window]
        return (int(tokens[n]), float(costs[n])) if n < len(tokens) else None


def _best(costs: np.ndarray, kept: int) -> Children:
    """Returns the `kept` possible tokens of least cost, of costs [vocab_size]; of equal ones the first."""
    if kept < len(costs):
        limit = np.partition(costs, kept - 1)[kept - 1]
        among = np.flatnonzero(costs <= limit)
    else:
        among = np.arange(len(costs))
    among = among[np.argsort(costs[among], kind="stable")][:kept]
    among = among[np.isfinite(costs[among])]
    return among.astype(np.int32), costs[among].astype(np.float64)
