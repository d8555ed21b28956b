"""How well a model predicts words: nats per character, end token included, over every token of a list.

The lecture reports the loss of one pass as a bare figure; here it comes with a standard error, clustered by word
because the characters of a word are not independent, and beside it the same over words that were not trained on.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from mm_jax import data
from mm_jax.models import Params, block_size, logits
from mm_jax.vocab import Vocab

_BLOCK = 1024  # contexts a call: one compiled program for lists of every size


@dataclass(frozen=True)
class Evaluation:
    """Mean negative log likelihoods in nats per character (end token included), with their standard errors.

    `stderr` is clustered by word; it is nan for a single word or an infinite nll. The `_unseen` figures are over the
    words that are not in `seen`: nan where there are none.
    """

    nll: float
    stderr: float
    words: int
    tokens: int
    nll_unseen: float
    stderr_unseen: float
    words_unseen: int


class TokenNLL:
    """A list of words, made ready for evaluating one model after another on it."""

    def __init__(self, words: Sequence[str], vocab: Vocab, block_size: int):
        """Raises ValueError as `data.tokens` says."""
        self.examples = data.examples(words, vocab, block_size)

    def __call__(self, params: Params) -> np.ndarray:
        """The nll of every token of the list in order, in nats: float32 [tokens], inf where the model says never."""
        return -self.log_probs(params)[self.examples.ids, self.examples.targets]

    def log_probs(self, params: Params) -> np.ndarray:
        """The log probability of every token after each distinct context of `examples`: float32 [distinct, vocab]."""
        return log_probs(params, self.examples.contexts)

    def mean(self, params: Params) -> float:
        """Nats per character over the whole list."""
        return float(np.mean(self(params), dtype=np.float64))


def log_probs(params: Params, contexts: np.ndarray) -> np.ndarray:
    """The log probability of every token after each of some contexts: float32 [contexts, vocab_size]."""
    filled = np.pad(contexts, ((0, -len(contexts) % _BLOCK), (0, 0)))
    blocks = (filled[i : i + _BLOCK] for i in range(0, len(filled), _BLOCK))
    return np.concatenate([_log_probs(params, block) for block in blocks])[: len(contexts)]


@jax.jit
def _log_probs(params: Params, contexts: jax.Array) -> jax.Array:
    return jax.nn.log_softmax(jax.vmap(logits, (None, 0))(params, contexts))


def evaluate(params: Params, words: Sequence[str], *, seen: Collection[str] = ()) -> Evaluation:
    """The nll of a model over words, token-exact, with standard errors.

    Args:
      params: any model's parameters.
      words: what to predict.
      seen: the words that were trained on, to leave out of the `_unseen` figures.

    Returns:
      An Evaluation, in nats per character. An impossible character makes nll inf.

    Raises ValueError as `data.tokens` says: a character the model does not know, an empty list.

    >>> from mm_jax.models import counts
    >>> params = counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    >>> round(evaluate(params, ["ab", "b"]).nll, 4)
    0.7095
    """
    sums, lengths = word_nlls(params, words)
    known = frozenset(seen)
    new = np.fromiter((word not in known for word in words), bool, len(words))
    nll, stderr = _ratio(sums, lengths)
    nll_unseen, stderr_unseen = _ratio(sums[new], lengths[new])
    return Evaluation(nll, stderr, len(words), int(lengths.sum()), nll_unseen, stderr_unseen, int(new.sum()))


def word_nlls(params: Params, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The nll of each word in nats, float64 [words], and its characters with the end, int64 [words]."""
    token_nll = TokenNLL(words, params.vocab, block_size(params))(params).astype(np.float64)
    lengths = np.fromiter(map(len, words), np.int64, len(words)) + 1
    return np.add.reduceat(token_nll, np.concatenate([[0], np.cumsum(lengths)[:-1]])), lengths


def _ratio(sums: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """Mean per token and its standard error, the words being the independent draws (a ratio estimator)."""
    n, tokens = len(sums), lengths.sum()
    if n == 0:
        return math.nan, math.nan
    mean = float(sums.sum() / tokens)
    if n == 1 or not math.isfinite(mean):
        return mean, math.nan
    residuals = sums - mean * lengths
    return mean, float(np.sqrt(n / (n - 1) * np.square(residuals).sum()) / tokens)
