"""How well a model predicts words: nats per character, end token included, over every token of a list.

The lecture reports the loss of one pass as a bare figure; here it comes with a standard error, clustered by word
because the characters of a word are not independent, and beside it the same over words that were not trained on.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mm_jax import corpus
from mm_jax.checks import as_set
from mm_jax.layers.unrolling import rows_at_once
from mm_jax.models import contract, prediction
from mm_jax.models.contract import Params, model_of
from mm_jax.words import Split

_WORDS = 2**17  # evaluated at once


@dataclass(frozen=True)
class Evaluation:
    """Mean negative log likelihoods in nats per character (end token included), with their standard errors.

    `stderr` is clustered by word; it is nan for a single word or an infinite nll. The `_unseen` figures are over the
    words that are not in `seen`: nan where there are none.

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


class TokenNLL:
    """Evaluates models of one kind on one list; what depends on the list alone is computed once."""

    def __init__(self, words: Sequence[str], params: Params):
        """`params`: any model of the kind. Raises ValueError as `corpus.tokens` says, and for words too long for it."""
        words = corpus.as_list(words)
        contract.checked(params)
        contract.check_lengths(params, words)
        size = contract.block_size(params)
        if model_of(params).combine is not None:
            self._list: _Members | _WholeWords | _Windows = _Members(words, params)
        else:
            self._list = _WholeWords(words, params) if size is None else _Windows(words, params, size)

    def __call__(self, params: Params) -> np.ndarray:
        """The nll of every token of the list in order, in nats: float32 [tokens], inf where the model says never."""
        return -self._list.log_probs(params)[self._list.place]

    def mean(self, params: Params) -> float:
        """Nats per character over the whole list."""
        logp = -self._list.log_probs(params).astype(np.float64)
        often = self._list.often
        return float((logp[often > 0] * often[often > 0]).sum() / often.sum())


class _Windows:
    """The distinct (context, next token) pairs of a list, for a windowed model.

    `place` is int32 [tokens], the pair of each token; `often` int64 [pairs], how often each occurs.
    """

    def __init__(self, words: list[str], params: Params, size: int):
        self.vocab_size = len(params.vocab)
        self.contexts, ids, targets = corpus.examples(words, params.vocab, size)
        cells = len(self.contexts) * self.vocab_size
        pairs, self.place = corpus.ranked(corpus.paired(ids, targets, self.vocab_size, len(self.contexts)), cells)
        self.context, self.target = np.divmod(pairs, self.vocab_size)
        self.often = np.bincount(self.place)

    def log_probs(self, params: Params) -> np.ndarray:
        """log p of each pair: float32 [pairs]. Rows are read a block at a time, and never held all at once."""
        if (own := model_of(params).pair_log_probs) is not None:
            return own(params, self.contexts[self.context], self.target)
        logp = np.empty(len(self.context), np.float32)
        block = rows_at_once(self.vocab_size)
        for first in range(0, len(self.contexts), block):
            begin, end = np.searchsorted(self.context, [first, first + block])
            rows = prediction.log_probs(params, self.contexts[first : first + block])
            logp[begin:end] = rows[self.context[begin:end] - first, self.target[begin:end]]
        return logp


class _Members:
    """A list for a combination of models, prepared for each member; `place` and `often` as those of `_Windows`."""

    def __init__(self, words: list[str], params: Params):
        self.lists = [TokenNLL(words, member) for member in model_of(params).members(params)]
        self.place = np.arange(sum(map(len, words)) + len(words))
        self.often = np.ones(len(self.place), np.int64)

    def log_probs(self, params: Params) -> np.ndarray:
        """log p of each token: float32 [tokens]."""
        lists = iter(self.lists)
        found = prediction.combined(params, lambda member: -next(lists)(member))
        assert found is not None  # or the list was prepared for another kind of model
        return found


class _WholeWords:
    """The rows that a list is laid in, for a sequential model; `place` and `often` as those of `_Windows`."""

    def __init__(self, words: list[str], params: Params):
        longest = max(map(len, words)) + 1
        length = -(-longest // 8) * 8  # few programs
        if (limit := contract.max_length(params)) is not None:
            length = min(length, limit + 1)
        self.rows = corpus.rows(words, params.vocab, pack=model_of(params).packs(params), length=max(length, longest))
        inside = self.rows.places >= 0
        self.place = np.empty(inside.sum(), np.int64)
        self.place[self.rows.places[inside]] = np.flatnonzero(inside)
        self.often = inside.reshape(-1).astype(np.int64)

    def log_probs(self, params: Params) -> np.ndarray:
        """log p of each target of the rows: float32 [rows * length]."""
        targets = self.rows.targets
        block = max(1, rows_at_once(len(params.vocab)) // 4)
        filled = np.pad(targets, ((0, -len(targets) % block), (0, 0)))
        parts = [np.asarray(prediction.of_rows(params, filled[i : i + block])) for i in range(0, len(filled), block)]
        return np.concatenate(parts)[: len(targets)].reshape(-1)


def evaluate(params: Params, words: Sequence[str], *, seen: Collection[str] = ()) -> Evaluation:
    """The nll of a model over words, token-exact, with standard errors.

    Args:
      params: any model's parameters.
      words: what to predict.
      seen: the words that were trained on, to leave out of the `_unseen` figures.

    Returns:
      An Evaluation, in nats per character. An impossible character makes nll inf.

    Raises ValueError as `corpus.tokens` says: a character the model does not know, an empty list.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> params = counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    >>> round(evaluate(params, ["ab", "b"]).nll, 4)
    0.7095
    """
    words = corpus.as_list(words)
    sums, lengths = word_nlls(params, words)
    known = as_set(seen)
    new = np.fromiter((word not in known for word in words), bool, len(words))
    nll, stderr = _ratio(sums, lengths)
    nll_unseen, stderr_unseen = _ratio(sums[new], lengths[new])
    return Evaluation(nll, stderr, len(words), int(lengths.sum()), nll_unseen, stderr_unseen, int(new.sum()))


def word_nlls(params: Params, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The nll of each word in nats, float64 [words], and its characters with the end, int64 [words]."""
    words = corpus.as_list(words)
    lengths = np.fromiter(map(len, words), np.int64, len(words)) + 1
    ends = np.cumsum(lengths)
    # A part of a long list at a time: what is made ready for it takes some 100 bytes a character.
    parts = [words[first : first + _WORDS] for first in range(0, len(words), _WORDS)]
    nll = np.concatenate([TokenNLL(part, params)(params) for part in parts])
    return np.add.reduceat(nll, ends - lengths, dtype=np.float64), lengths


def word_means(params: Params, words: Sequence[str]) -> np.ndarray:
    """Returns the nats per character of each word, end included: float64 [words]."""
    sums, lengths = word_nlls(params, words)
    return sums / lengths


def evaluate_split(params: Params, split: Split) -> dict[str, Evaluation]:
    """Returns the losses on train, dev and test, by name, of the parts that hold words; `seen` is train."""
    return {name: evaluate(params, part, seen=split.train) for name, part in split._asdict().items() if part}


def _ratio(sums: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """Mean per token of sums and lengths [words], and its standard error by word (a ratio estimator)."""
    n, tokens = len(sums), lengths.sum()
    if n == 0:
        return math.nan, math.nan
    mean = float(sums.sum() / tokens)
    if n == 1 or not math.isfinite(mean):
        return mean, math.nan
    residuals = sums - mean * lengths
    return mean, float(np.sqrt(n / (n - 1) * np.square(residuals).sum()) / tokens)
