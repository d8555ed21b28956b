"""Ranks a word: how many words are likelier under a model, of all that it can make.

Exact for the likeliest words, which are enumerated; all others by sampling. Of n words drawn from the model, each with
probability p_i, the number of words likelier than p is estimated by

    N = 1/n * sum over the p_i > p of 1 / p_i

since a word is drawn n p_i times on average, and counts 1 / (n p_i) each time.

Source: Dell'Amico and Filippone (2015), Monte Carlo strength evaluation, who rank passwords so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import jax
import numpy as np
from jaxtyping import Array, Key

from mm_jax.checks import as_list, whole_number
from mm_jax.enumeration import most_probable
from mm_jax.evaluation import word_nlls
from mm_jax.layers.products import LARGE
from mm_jax.models import contract
from mm_jax.models.contract import Params, check_params
from mm_jax.models.prediction import log_probs_after
from mm_jax.sampling import MAX_LENGTH, sample
from mm_jax.symbols import lengths
from mm_jax.vocab import decode_columns

_DRAWN, _FEW = 20_000, 500  # words; few of thousands of symbols, each of which takes a row of them all
_COUNTED = 1000  # words are enumerated where no more than these may be likelier
_PREFIXES = 20_000  # of that enumeration
_EQUAL = 1e-4  # nats: probabilities that differ by less are equal, however float32 rounds them
_DEVIATIONS = 1.96  # of a 95% interval


@dataclass(frozen=True)
class Rank:
    """The place of a word among all words of a model, 1 for the likeliest, and its 95% interval.

    `str` says it in words.

    >>> print(Rank(23, 23, 23, exact=True))
    the 23rd likeliest
    >>> print(Rank(2_312_345, 2_240_000, 2_380_000, exact=False))
    about the 2,300,000th likeliest, +- 3%
    """

    rank: int
    low: int
    high: int
    exact: bool

    def __str__(self) -> str:
        if self.exact:
            return f"the {_ordinal(self.rank)} likeliest" if self.rank > 1 else "the likeliest"
        low, rank, high = map(Decimal, (self.low, self.rank, self.high))  # of any size, where a float overflows
        if high > 2 * low:
            return f"between the {_rounded(low)} and the {_rounded(high)} likeliest"
        return f"about the {_rounded(rank)} likeliest, +- {100 * ((high / low).sqrt() - 1):.0f}%"


def rank(params: Params, word: str, key: Key[Array, ""], *, num_samples: int | None = None) -> Rank:
    """Finds how many words are likelier than one, of all that the model can make.

    Counted are the words that end, of 1 to 200 characters, or as many as the word has if that is more, or up to the
    model's own limit. Words of equal probability share a rank.

    Args:
      params: any model's parameters.
      word: the word to rank.
      key: decides the words that are drawn.
      num_samples: how many; the interval is narrower by the square root of it. None is 20,000; of models with more than
        4,096 symbols 500, but of n-gram models, which draw without a row of all symbols.

    Returns:
      A Rank: exact if it is below a thousand or so, else estimated, with a 95% interval. The interval is wide for words
      that are far less likely than any that was drawn.

    Raises ValueError for an empty word, a character that the model does not know, a word longer than it reads, a word
    to which it gives probability 0, and num_samples below 1.

    >>> import jax, mm_jax
    >>> params = mm_jax.counts.fit(["ab", "ab", "b"], mm_jax.Vocab(".ab"))
    >>> rank(params, "b", jax.random.key(0)).rank
    2
    """
    return ranks(params, [word], key, num_samples=num_samples)[0]


def ranks(params: Params, words: Sequence[str], key: Key[Array, ""], *, num_samples: int | None = None) -> list[Rank]:
    """Ranks many words by the same draws; arguments and errors are those of `rank`."""
    slow = check_params(params).draw is None and len(params.vocab) > LARGE
    num_samples = (_FEW if slow else _DRAWN) if num_samples is None else whole_number("num_samples", num_samples)
    words = [params.vocab.decode(params.vocab.encode(word)) for word in as_list(words)]
    if not all(words):
        raise ValueError("an empty word: nothing to rank")
    nlls, _ = word_nlls(params, words)
    if (impossible := next((word for word, nll in zip(words, nlls, strict=True) if np.isinf(nll)), None)) is not None:
        raise ValueError(f"the model cannot make {impossible!r}, to which it gives probability 0: it has no rank")
    longest = contract.max_length(params) or max(MAX_LENGTH, *lengths(words, params.vocab.units))
    drawn = _drawn(params, key, num_samples, longest)
    found = [_estimated(nll, *drawn) for nll in nlls]
    if few := [each.high for each in found if each.high <= _COUNTED]:
        best = most_probable(params, max(few) + 1, max_length=longest, budget=_PREFIXES)
        costs = -np.log([p for _, p in best])
        found = [_counted(nll, costs) or each for nll, each in zip(nlls, found, strict=True)]
    return found


def _drawn(params: Params, key: Key[Array, ""], num_samples: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns minus log p of drawn words, and minus log of the probability of drawing them: float64 [num_samples]."""
    words = [word for word in _words(params, key, num_samples, longest) if word]
    nlls, drawing = np.full((2, num_samples), np.inf)  # the empty word does not count
    if words:
        nlls[: len(words)], lengths = word_nlls(params, words)
        drawing[: len(words)] = nlls[: len(words)]
        # A word that was cut was drawn whether it would have ended there or not.
        if len(cut := np.flatnonzero(lengths == longest + 1)):
            prefixes = [tuple(params.vocab.encode(words[i]).tolist()) for i in cut]
            drawing[cut] += log_probs_after(params, prefixes)[:, 0]
    return nlls, drawing


def _words(params: Params, key: Key[Array, ""], num_samples: int, longest: int) -> list[str]:
    """Draws words; with thousands of symbols as the model can by itself, if it can, for `sample` would take minutes."""
    draw = contract.model_of(params).draw
    if draw is None or len(params.vocab) <= LARGE:
        return sample(params, key, num_samples, min_length=0, max_length=longest)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return decode_columns(draw(params, rng, num_samples, longest), params.vocab)


def _estimated(nll: float, drawn_nlls: np.ndarray, drawing: np.ndarray) -> Rank:
    """Estimates the rank of a word from draws: all in units of 1 / p, the most that a draw can count."""
    counts = np.where(drawn_nlls < nll - _EQUAL, np.exp(np.minimum(drawing - nll, 0.0)), 0.0)
    likelier, low = _mean(counts, -_DEVIATIONS)
    # One more draw, of the largest value, stands for what was not drawn: without it, an interval from few words that
    # count much is too short.
    high = min(_mean(np.append(counts, 1.0), _DEVIATIONS)[1], 1.0)
    most = Decimal(float(nll)).exp()  # 1 / p, which may be beyond float64
    return Rank(*(1 + round(Decimal(float(share)) * most) for share in (likelier, low, high)), exact=False)


def _mean(counts: np.ndarray, deviations: float) -> tuple[float, float]:
    """Returns the mean, and the mean moved by some of its standard errors on a scale of logarithms."""
    mean = counts.mean()
    error = counts.std() / len(counts) ** 0.5
    return mean, mean * np.exp(deviations * error / mean) if mean else 0.0


def _counted(nll: float, costs: np.ndarray) -> Rank | None:
    """Counts the likelier words of an enumeration, best first; returns None if it ended before the word."""
    likelier = int((costs < nll - _EQUAL).sum())
    return Rank(*[likelier + 1] * 3, exact=True) if likelier < len(costs) else None


def _ordinal(number: int) -> str:
    """Returns 1st, 2nd, 3rd, 4th, 11th, ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _rounded(number: Decimal) -> str:
    """Returns the ordinal of a number with two digits that are not 0; of a very large one as a power."""
    return _ordinal(int(round(number, 1 - number.adjusted()))) if number < 10**15 else f"{number:.1e}th"
