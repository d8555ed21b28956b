"""Computes the loss of a model on words: nats per character, end token included, over every token of a list.

The lecture reports the loss of one pass as a bare figure; here it comes with a standard error, clustered by word
because the characters of a word are not independent, and beside it the loss on words that were not trained on.
"""

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mm_jax import corpus, streams, symbols
from mm_jax.checks import as_set
from mm_jax.models.contract import Params, model_of
from mm_jax.models.prediction import TokenNLL
from mm_jax.streams import WordFile, some
from mm_jax.words import Split

_WORDS = 2**17  # words evaluated at once: a list takes some 100 bytes a character while it is prepared


@dataclass(frozen=True)
class Evaluation:
    """Mean negative log likelihoods in nats per token (end token included), with their standard errors.

    A token is a character, or a symbol of the vocabulary's other units. To compare units, `per_character` divides the
    same total by the characters of the texts, blanks and one end for each word included: what a model of characters
    predicts of the same list.

    `stderr` is clustered by word; it is nan for a single word or an infinite nll. The `_unseen` figures are those
    of the words that are not in `seen`; nan without any.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> losses = evaluate(counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0), ["ab", "ba"], seen=["ab"])
    >>> losses.words, losses.tokens, losses.words_unseen, losses.nll < losses.nll_unseen
    (2, 6, 1, True)
    """

    nll: float
    stderr: float
    words: int
    tokens: int
    nll_unseen: float
    stderr_unseen: float
    words_unseen: int
    characters: int  # ends included

    @property
    def per_character(self) -> float:
        """Returns the nats per character, the end of a word counted as one."""
        return self.nll * self.tokens / self.characters


def evaluate(params: Params, words: Sequence[str], *, seen: Collection[str] = ()) -> Evaluation:
    """Computes the nll of a model over words, token-exact, with standard errors.

    Args:
      params: any model's parameters.
      words: the words to predict.
      seen: the training words, left out of the `_unseen` figures.

    Returns:
      An Evaluation, in nats per token. nll is inf where the model gives probability 0.

    Raises ValueError as `corpus.tokens` says: a character the model does not know, an empty list.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> params = counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    >>> round(evaluate(params, ["ab", "b"]).nll, 4)
    0.7095
    """
    words = corpus.as_list(words)
    sums, lengths = word_nlls(params, words)
    known = seen.among(words) if isinstance(seen, WordFile) else as_set(seen)
    new = np.fromiter((word not in known for word in words), bool, len(words))
    nll, stderr = _ratio(sums, lengths)
    nll_unseen, stderr_unseen = _ratio(sums[new], lengths[new])
    unseen = nll_unseen, stderr_unseen, int(new.sum())
    characters = streams.sizes_of(words, symbols.CHARACTERS).total
    return Evaluation(nll, stderr, len(words), int(lengths.sum()), *unseen, characters)


def word_nlls(params: Params, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Computes the nll of each word in nats, float64 [words], and its length with the end, int64 [words]."""
    words = corpus.as_list(words)
    model_of(params)
    lengths = np.fromiter(symbols.lengths(words, params.vocab.units), np.int64, len(words)) + 1
    ends = np.cumsum(lengths)
    rest = iter(words)
    parts = iter(lambda: list(itertools.islice(rest, _WORDS)), [])
    nll = np.concatenate([TokenNLL(part, params)(params) for part in parts])
    return np.add.reduceat(nll, ends - lengths, dtype=np.float64), lengths


def word_means(params: Params, words: Sequence[str]) -> np.ndarray:
    """Returns the nats per token of each word, end included: float64 [words]."""
    sums, lengths = word_nlls(params, words)
    return sums / lengths


def evaluate_split(params: Params, split: Split) -> dict[str, Evaluation]:
    """Computes the losses on train, dev and test, by name, without empty parts; `seen` is train.

    Of a train that lies in a file, on words that are spread through it.
    """
    parts = split._replace(train=some(split.train, _WORDS)) if isinstance(split.train, WordFile) else split
    return {name: evaluate(params, part, seen=split.train) for name, part in parts._asdict().items() if part}


def _ratio(sums: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """Computes the mean per token from sums and lengths [words], and its standard error by word (a ratio estimator)."""
    n, tokens = len(sums), lengths.sum()
    if n == 0:
        return math.nan, math.nan
    mean = float(sums.sum() / tokens)
    if n == 1 or not math.isfinite(mean):
        return mean, math.nan
    residuals = sums - mean * lengths
    return mean, float(np.sqrt(n / (n - 1) * np.square(residuals).sum()) / tokens)
