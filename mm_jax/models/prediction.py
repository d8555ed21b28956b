"""Predictions of a model after many contexts, prefixes, or all prefixes of a list; computed a block at a time.

A windowed model is asked once a context; a sequential one reads rows of whole words. Each member of a mixture is read
in its own way.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from mm_jax import corpus
from mm_jax.models import contract
from mm_jax.models.contract import Params
from mm_jax.models.mixture import Mixture


def block_of(vocab_size: int) -> int:
    """Contexts in one call: fixed, so that one program serves lists of every size; at most 8 MB of rows."""
    return max(1, min(1024, 2**21 // vocab_size))


def _window(params: Params) -> int:
    return contract.block_size(params) or 0


def mixed(params: Mixture, read: Callable[[Params], np.ndarray]) -> np.ndarray:
    """log sum_k weight_k p_k, where `read` gives each member's log p [...], in the order of the members."""
    scores = np.asarray(jax.nn.log_softmax(params.scores))
    parts = (score + read(member) for score, member in zip(scores, params.members, strict=True))
    return functools.reduce(np.logaddexp, parts)


def log_probs(params: Params, contexts: np.ndarray) -> np.ndarray:
    """The log probability of every token after each of some contexts: float32 [contexts, vocab_size]."""
    if isinstance(params, Mixture):
        return mixed(params, lambda member: log_probs(member, contexts[:, contexts.shape[1] - _window(member) :]))
    if own := getattr(contract.functions_of(params), "row_log_probs", None):
        return own(params, contexts)
    block = block_of(len(params.vocab))
    filled = np.pad(contexts, ((0, -len(contexts) % block), (0, 0)))
    blocks = (filled[i : i + block] for i in range(0, len(filled), block))
    return np.concatenate([_after_contexts(params, block) for block in blocks])[: len(contexts)]


def log_probs_after(params: Params, prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """The log probability of every token after each of some beginnings of words: float32 [prefixes, vocab_size]."""
    if isinstance(params, Mixture):
        return mixed(params, lambda member: log_probs_after(member, prefixes))
    size = contract.block_size(params)
    if size is not None:
        padding = (0,) * size
        windows = [(padding + prefix)[len(prefix) :] for prefix in prefixes]
        return log_probs(params, np.array(windows, np.int32).reshape(len(prefixes), size))
    lengths = np.array([len(prefix) for prefix in prefixes])
    length = -(-max(8, int(lengths.max())) // 8) * 8
    if (limit := contract.max_length(params)) is not None:
        length = min(length, limit)
    block = max(1, block_of(len(params.vocab)) // 4)
    tokens = np.zeros((-(-len(prefixes) // block) * block, length), np.int32)
    for row, prefix in zip(tokens, prefixes, strict=False):
        row[: len(prefix)] = prefix
    ends = np.pad(lengths, (0, len(tokens) - len(lengths)))
    starts = range(0, len(tokens), block)
    parts = [np.asarray(_at_ends(params, tokens[i : i + block], ends[i : i + block])) for i in starts]
    return np.concatenate(parts)[: len(prefixes)]


def log_probs_of_prefixes(params: Params, words: Sequence[str]) -> np.ndarray:
    """The log probability of every token after each distinct prefix: float32 [prefixes, vocab_size].

    The prefixes are numbered as by `corpus.prefixes(words, params.vocab)`, which depends on what words there are, not
    on their order or how often each stands. Each member of a mixture is read in its own way, a windowed one once a
    context.

    Raises ValueError as `corpus.tokens` says, and for words too long for the model.
    """
    words = list(dict.fromkeys(corpus.as_list(words)))
    contract.check_lengths(params, words)
    if isinstance(params, Mixture):
        return mixed(params, lambda member: log_probs_of_prefixes(member, words))
    trie = corpus.prefixes(words, params.vocab)
    if (size := contract.block_size(params)) is not None:
        examples = corpus.examples(words, params.vocab, size)
        context = np.empty(trie.distinct, np.int32)
        context[trie.ids] = examples.ids  # the same at every place where a prefix stands
        return log_probs(params, examples.contexts)[context]
    rows = corpus.rows(words, params.vocab, pack=contract.packs(params))
    by_prefix = np.empty((trie.distinct, len(params.vocab)), np.float32)
    block = max(1, block_of(len(params.vocab)) // 4)
    filled = np.pad(rows.targets, ((0, -len(rows.targets) % block), (0, 0)))
    for first in range(0, len(rows.targets), block):
        places = rows.places[first : first + block]
        logp = np.asarray(_of_positions(params, filled[first : first + block]))[: len(places)]
        by_prefix[trie.ids[places[places >= 0]]] = logp[places >= 0]
    return by_prefix


@jax.jit
def _after_contexts(
    params: Params, contexts: Int[Array | np.ndarray, "contexts block_size"]
) -> Float32[Array, "contexts vocab_size"]:
    """log p of each token after each context."""
    return jax.nn.log_softmax(jax.vmap(contract.logits, (None, 0))(params, contexts))


@jax.jit
def _of_positions(
    params: Params, targets: Int[Array | np.ndarray, "rows length"]
) -> Float32[Array, "rows length vocab_size"]:
    """log p of each token at each position of rows of whole words."""
    return jax.nn.log_softmax(contract.unroll_rows(params, targets[:, :-1]))


@jax.jit
def of_rows(params: Params, targets: Int[Array | np.ndarray, "rows length"]) -> Float32[Array, "rows length"]:
    """log p of each target of rows of whole words."""
    rows = _of_positions(params, targets)
    return jnp.take_along_axis(rows, targets[..., None], axis=-1)[..., 0]


@jax.jit
def _at_ends(
    params: Params, tokens: Int[Array | np.ndarray, "rows length"], ends: Int[Array | np.ndarray, " rows"]
) -> Float32[Array, "rows vocab_size"]:
    """log p of each token after the first `ends` tokens of each row."""
    rows = contract.unroll_rows(params, tokens)
    return jax.nn.log_softmax(jnp.take_along_axis(rows, ends[:, None, None], axis=1)[:, 0])
