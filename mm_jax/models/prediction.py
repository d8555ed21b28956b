"""Predicts many contexts, the prefixes of words, or every token of a list, in blocks of a fixed size.

Windowed models are evaluated once per distinct context, sequential ones on rows of whole words, combinations such as
mixtures member by member.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from mm_jax import corpus
from mm_jax.layers.unrolling import rows_at_once
from mm_jax.models import blocks, contract
from mm_jax.models.contract import Params, model_of
from mm_jax.streams import sizes_of


def log_probs(params: Params, contexts: np.ndarray) -> np.ndarray:
    """Returns the log probability of every token after the contexts: float32 [contexts, vocab_size]."""
    return model_of(params).context_log_probs(params, contexts)


def combined(params: Params, predict: Callable[[Any], np.ndarray]) -> np.ndarray | None:
    """Combines `predict(member)` of all members of a mixture [...]; returns None for a model without members."""
    model = model_of(params)
    if model.combine is None:
        return None
    return model.combine(params, [predict(member) for member in model.members(params)])


def _words_at_once(params: Params) -> int:
    """Returns how many rows of whole words one call predicts."""
    return max(1, rows_at_once(len(params.vocab)) // 4)


def log_probs_after(params: Params, prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Returns the log probability of every token after the prefixes of words: float32 [prefixes, vocab_size]."""
    if (found := combined(params, lambda member: log_probs_after(member, prefixes))) is not None:
        return found
    size = contract.block_size(params)
    if size is not None:
        padding = (0,) * size
        windows = [(padding + prefix)[len(prefix) :] for prefix in prefixes]
        return log_probs(params, np.array(windows, np.int32).reshape(len(prefixes), size))
    lengths = np.array([len(prefix) for prefix in prefixes])
    length = corpus.rounded_up(max(8, int(lengths.max())), 8)
    if (limit := contract.max_length(params)) is not None:
        length = min(length, limit)
    tokens = np.zeros((len(prefixes), length), np.int32)
    for row, prefix in zip(tokens, prefixes, strict=True):
        row[: len(prefix)] = prefix
    return corpus.in_blocks(lambda *block: _at_ends(params, *block), tokens, lengths, block=_words_at_once(params))


def log_probs_of_prefixes(params: Params, words: Sequence[str]) -> np.ndarray:
    """Returns the log probability of every token after each distinct prefix: float32 [prefixes, vocab_size].

    The prefixes are numbered as by `corpus.prefixes(words, params.vocab)`, which depends on the distinct words alone,
    not on their order or frequency.

    Raises ValueError as `corpus.tokens` says, and for words too long for the model.
    """
    words = list(dict.fromkeys(corpus.as_list(words)))
    contract.check_lengths(params, words)
    if (found := combined(params, lambda member: log_probs_of_prefixes(member, words))) is not None:
        return found
    trie = corpus.prefixes(words, params.vocab)
    if (size := contract.block_size(params)) is not None:
        examples = corpus.examples(words, params.vocab, size)
        context = np.empty(trie.distinct, np.int32)
        context[trie.ids] = examples.ids  # equal at all positions of a prefix
        return log_probs(params, examples.contexts)[context]
    rows = corpus.rows(words, params.vocab, pack=model_of(params).packs(params))
    by_prefix = np.empty((trie.distinct, len(params.vocab)), np.float32)
    block = _words_at_once(params)
    filled = np.pad(rows.targets, ((0, -len(rows.targets) % block), (0, 0)))
    for first in range(0, len(rows.targets), block):  # the logits of all rows are never held at once
        places = rows.places[first : first + block]
        logp = np.asarray(_of_positions(params, filled[first : first + block]))[: len(places)]
        by_prefix[trie.ids[places[places >= 0]]] = logp[places >= 0]
    return by_prefix


class TokenNLL:
    """Evaluates models of one kind on one list; computes once what depends on the list alone."""

    def __init__(self, words: Sequence[str], params: Params):
        """Prepares the list for models like `params`; raises ValueError as `corpus.tokens`, and for too long words."""
        words = corpus.as_list(words)
        contract.check_params(params)
        contract.check_lengths(params, words)
        size = contract.block_size(params)
        if model_of(params).combine is not None:
            self._list: _Members | _WholeWords | _Windows = _Members(words, params)
        else:
            self._list = _WholeWords(words, params) if size is None else _Windows(words, params, size)

    def __call__(self, params: Params) -> np.ndarray:
        """Returns the nll of every token in nats: float32 [tokens], inf where the model gives probability 0."""
        return -self._list.log_probs(params)[self._list.pair]

    def mean(self, params: Params) -> float:
        """Returns the mean nll of the list, in nats per character."""
        logp = -self._list.log_probs(params).astype(np.float64)
        frequency = self._list.frequency
        return float((logp[frequency > 0] * frequency[frequency > 0]).sum() / frequency.sum())


class _Windows:
    """The distinct (context, next token) pairs of a list, for a windowed model.

    `pair` is int32 [tokens], the index of each token's pair; `frequency` int64 [pairs].
    """

    def __init__(self, words: Sequence[str], params: Params, size: int):
        self.vocab_size = len(params.vocab)
        self.contexts, ids, targets = corpus.examples(words, params.vocab, size)
        cells = len(self.contexts) * self.vocab_size
        pairs, self.pair = corpus.ranked(corpus.paired(ids, targets, self.vocab_size, len(self.contexts)), cells)
        self.context, self.target = np.divmod(pairs, self.vocab_size)
        self.frequency = np.bincount(self.pair)

    def log_probs(self, params: Params) -> np.ndarray:
        """Returns log p of each pair: float32 [pairs]. Computes contexts in blocks, to bound memory."""
        if (own := model_of(params).pair_log_probs) is not None:
            return own(params, self.contexts[self.context], self.target)
        logp = np.empty(len(self.context), np.float32)
        block = rows_at_once(self.vocab_size)
        for first in range(0, len(self.contexts), block):
            begin, end = np.searchsorted(self.context, [first, first + block])
            rows = log_probs(params, self.contexts[first : first + block])
            logp[begin:end] = rows[self.context[begin:end] - first, self.target[begin:end]]
        return logp


class _Members:
    """A list prepared for every member of a combination; `pair` is the token itself, `frequency` 1."""

    def __init__(self, words: Sequence[str], params: Params):
        self.lists = [TokenNLL(words, member) for member in model_of(params).members(params)]
        self.pair = np.arange(sizes_of(words, params.vocab.units).total)
        self.frequency = np.ones(len(self.pair), np.int64)

    def log_probs(self, params: Params) -> np.ndarray:
        """Returns log p of each token: float32 [tokens]."""
        lists = iter(self.lists)
        found = combined(params, lambda member: -next(lists)(member))
        assert found is not None  # a combination, as __init__ was given
        return found


class _WholeWords:
    """A list packed into rows, for a sequential model; `pair` is the place in the rows, `frequency` 0 for padding."""

    def __init__(self, words: Sequence[str], params: Params):
        longest = sizes_of(words, params.vocab.units).longest + 1
        length = corpus.rounded_up(longest, 8)
        if (limit := contract.max_length(params)) is not None:
            length = min(length, limit + 1)
        self.rows = corpus.rows(words, params.vocab, pack=model_of(params).packs(params), length=max(length, longest))
        inside = self.rows.places >= 0
        self.pair = np.empty(inside.sum(), np.int64)
        self.pair[self.rows.places[inside]] = np.flatnonzero(inside)
        self.frequency = inside.reshape(-1).astype(np.int64)

    def log_probs(self, params: Params) -> np.ndarray:
        """Returns log p of each target of the rows: float32 [rows * length]."""
        found = corpus.in_blocks(lambda block: of_rows(params, block), self.rows.targets, block=_words_at_once(params))
        return found.reshape(-1)


@jax.jit
def _of_positions(
    params: Params, targets: Int[Array | np.ndarray, "rows length"]
) -> Float32[Array, "rows length vocab_size"]:
    """Returns log p of every token at every position of rows of whole words."""
    return jax.nn.log_softmax(contract.unroll_rows(params, jnp.asarray(targets)[:, :-1]))


@jax.jit
def of_rows(params: Params, targets: Int[Array | np.ndarray, "rows length"]) -> Float32[Array, "rows length"]:
    """Returns log p of each target of rows of whole words."""
    if blocks.are_used(params):
        states = blocks.states(params, jnp.asarray(targets)[:, :-1])
        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), (states, jnp.asarray(targets)))
        return blocks.of_positions(partial(_of_tokens, params), len(params.vocab), *flat).reshape(targets.shape)
    rows = _of_positions(params, targets)
    return jnp.take_along_axis(rows, targets[..., None], axis=-1)[..., 0]


def _of_tokens(params: Params, states: Any, tokens: Int[Array, " positions"]) -> Float32[Array, " positions"]:
    """Returns log p of one token after each state."""
    rows = jax.vmap(model_of(params).logits, (None, 0))(params, states)
    return jnp.take_along_axis(rows, tokens[:, None], axis=-1)[:, 0] - jax.nn.logsumexp(rows, axis=-1)


@jax.jit
def _at_ends(
    params: Params, tokens: Int[Array | np.ndarray, "rows length"], ends: Int[Array | np.ndarray, " rows"]
) -> Float32[Array, "rows vocab_size"]:
    """Returns log p of every token after the first `ends` tokens of each row."""
    if blocks.are_used(params):
        states = blocks.states(params, jnp.asarray(tokens))
        at_ends = jax.tree.map(lambda leaf: jax.vmap(lambda row, end: row[end])(leaf, ends), states)
        return jax.nn.log_softmax(jax.vmap(model_of(params).logits, (None, 0))(params, at_ends))
    rows = contract.unroll_rows(params, jnp.asarray(tokens))
    return jax.nn.log_softmax(jnp.take_along_axis(rows, ends[:, None, None], axis=1)[:, 0])
