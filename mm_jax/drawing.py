"""Draws words on the device, many at once: the engine of `mm_jax.sample`.

A character is drawn by inversion of the cumulative distribution (CDF), with one uniform random number. All words of a
batch advance together, in compiled segments of 32 characters, until every word has ended.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from mm_jax.corpus import rounded_up
from mm_jax.layers.products import LARGE
from mm_jax.models import contract
from mm_jax.models.contract import Params, State, block_size, model_of
from mm_jax.vocab import decode_columns


@dataclass(frozen=True)
class _Limits:
    """Sizes that decide how fast words are drawn, never which words.

    Args:
      segment: characters that one compiled call draws; the host looks in between whether all words have ended.
      smallest_batch: smaller batches take as long, and each batch size compiles a program.
      largest_batch: more words at once leave the cache of a CPU.
      batch_bytes: bytes of states and logits in one batch: about the size of a cache.
      table: entries up to which the CDFs after all contexts of a windowed model are computed once, as a table.
      triangle: vocabulary size up to which a cumulative sum is a product with a triangular matrix.
    """

    segment: int = 32
    smallest_batch: int = 64
    largest_batch: int = 2**15
    batch_bytes: int = 2**24
    table: int = 2**20
    triangle: int = 256


_LIMITS = _Limits()
COLDEST = 1e-6


class Drawer:
    """Draws batches of words from one model, with one temperature, prefix and longest word."""

    def __init__(
        self,
        params: Params,
        prefix: Int[np.ndarray, " tokens"],
        temperature: float,
        top_k: int | None,
        top_p: float | None,
        max_length: int,
    ):
        """Prepares what all batches share; the arguments are those of `mm_jax.sample`, checked, the prefix encoded."""
        self.params, self.prefix, self.max_length = params, prefix, max_length
        self.batch_size = batch_size(params)
        # Greedy, a temperature of 0, is top_k = 1: with one candidate the random number has no effect.
        # So is any temperature below 1e-6: divided by less, rows that XLA computes twice differ by their rounding.
        temperature, top_k = (temperature, top_k) if temperature >= COLDEST else (1.0, 1)
        # float32 rounds smaller temperatures to 0 and far larger ones to infinity; within these bounds the draw is the
        # same as in the limit.
        self.temperature = np.float32(np.clip(temperature, 1e-30, 1e30))
        self.top_k = None if top_k is None else np.int32(min(top_k, len(params.vocab)))
        self.top_p = None if top_p is None or top_p >= 1 else np.float32(top_p)
        size = block_size(params)
        has_table = size is not None and len(params.vocab) ** (size + 1) <= _LIMITS.table
        self.table = _cdf_table(params, self.temperature, self.top_k, self.top_p) if has_table else None

    def draw(self, key: Key[Array, ""], batch: int, n: int) -> list[str]:
        """Draws `n` words, at most `batch_size`, with the key folded with the number of the batch.

        Returns fewer where graphemes become one when they are joined (`Vocab.is_text`).
        """
        # With a large vocabulary each word takes its time, and few take less than many.
        fewest = _LIMITS.smallest_batch // 8 if len(self.params.vocab) > LARGE else _LIMITS.smallest_batch
        width = max(min(fewest, self.batch_size), _width(n))
        first = len(self.prefix)
        padded = np.pad(self.prefix.astype(np.int32), (0, -first % 8))
        carry = _after_prefix(self.params, padded, np.int32(first), width)
        segments = [np.tile(self.prefix[:, None], (1, width))]
        # The counts cross jit as int32 arrays: as Python ints, each value would compile a program.
        for done in range(0, self.max_length - first, _LIMITS.segment):
            count = np.int32(min(_LIMITS.segment, self.max_length - first - done))
            options = {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p}
            carry, tokens = _segment(
                self.params, self.table, key, np.int32(batch), np.int32(done), count, carry, **options
            )
            segments.append(np.asarray(tokens))
            if not np.asarray(carry[1]).any():
                break
        return decode_columns(np.concatenate(segments)[: self.max_length, :n], self.params.vocab)


def batch_size(params: Params) -> int:
    """Computes how many words are drawn at once: as many as fit the cache, fewer for a model with large states.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> batch_size(counts.fit(["ab"], Vocab(".ab")))
    32768
    """
    state = jax.eval_shape(contract.start, params)
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) + 16 * len(params.vocab)
    return max(1, min(_LIMITS.largest_batch, _LIMITS.batch_bytes // held))


def _width(n: int) -> int:
    """Rounds up to a multiple of an eighth of a power of two, so that few batch sizes are compiled."""
    step = max(1, (1 << (n - 1).bit_length()) // 8)
    return rounded_up(n, step)


@functools.partial(jax.jit, static_argnames="width")
def _after_prefix(
    params: Params, tokens: Int32[Array | np.ndarray, " length"], count: Int32[Array | np.ndarray, ""], width: int
) -> tuple[State, Bool[Array, " width"]]:
    """Returns the states of `width` words after the first `count` tokens, and a mask of unfinished words (all True)."""
    state = contract.start(params)
    if len(tokens):
        advance = model_of(params).advance  # no token of a prefix is 0
        state = lax.fori_loop(0, count, lambda t, state: advance(params, state, jnp.asarray(tokens)[t]), state)
    return jax.tree.map(lambda leaf: jnp.tile(leaf, (width, *(1,) * leaf.ndim)), state), jnp.ones(width, bool)


def _cdf(
    params: Params,
    state: State,
    temperature: Float32[Array, ""],
    top_k: Int32[Array, ""] | None,
    top_p: Float32[Array, ""] | None,
) -> Float32[Array, " vocab_size"]:
    """Computes the cumulative distribution of the next token; with top_p its last entry is less than 1."""
    row = contract.logits(params, state)
    if top_k is not None:
        rank = jnp.argsort(jnp.argsort(-row))  # stable sorts: of equal logits the lower token ranks first
        row = jnp.where(rank < top_k, row, -jnp.inf)
    # The maximum is subtracted before the division: a low temperature would overflow otherwise.
    p = jax.nn.softmax((row - row.max()) / temperature)
    if top_p is not None:
        order = jnp.argsort(-p)  # likeliest first
        likelier = jnp.cumsum(p[order]) - p[order]  # the probability of all that are likelier
        p = p * jnp.zeros(len(p), bool).at[order].set(likelier < top_p)
    if len(row) > _LIMITS.triangle:
        return jnp.cumsum(p)
    # Seven times as fast as jnp.cumsum on a CPU. Every entry is summed in the same order, and adding 0 changes no bit.
    return jnp.matmul(p, jnp.tri(len(row)).T, precision="highest")


@jax.jit
def _cdf_table(params: Params, temperature, top_k, top_p) -> Float32[Array, "contexts vocab_size"]:
    """Computes the CDF after every context; a context's row is its number in base vocab_size."""
    size, base = block_size(params) or 0, len(params.vocab)
    numbers = jnp.arange(base**size)
    contexts = jnp.stack(jnp.unravel_index(numbers, (base,) * size), -1) if size else jnp.zeros((1, 0), int)
    return jax.vmap(lambda context: _cdf(params, context.astype(jnp.int32), temperature, top_k, top_p))(contexts)


@jax.jit
def _segment(params: Params, table, key, batch, done, count, carry, temperature, top_k, top_p):
    """Draws `count` more characters of every word, fewer once all words have ended.

    Args:
      table: of `_cdf_table`, or None to compute every CDF from the state.
      batch: int32, folded into the key.
      done: int32, the characters drawn before, which number the random draws.
      count: int32, at most `segment`.
      carry: the states, and the mask of unfinished words.

    Returns the new carry, and the tokens int32 [segment, words], 0 after a word's end.
    """
    base, key = len(params.vocab), jax.random.fold_in(key, batch)

    def cdfs(states):
        if table is None:
            return jax.vmap(lambda state: _cdf(params, state, temperature, top_k, top_p))(states)
        index = jnp.zeros(len(states), jnp.int32)
        for i in range(states.shape[1]):
            index = index * base + states[:, i]
        return table[index]

    def body(carry):
        t, states, unfinished, tokens = carry
        cdf = cdfs(states)
        uniform = jax.random.uniform(jax.random.fold_in(key, done + t), unfinished.shape)
        # Inversion: the first token whose cumulative probability exceeds the random number. The number is scaled by the
        # last entry, which rounding leaves a little off 1. A token of probability 0 is never the first.
        token = jnp.sum(cdf <= uniform[:, None] * cdf[:, -1:], axis=1, dtype=jnp.int32)
        token = jnp.where(unfinished, token, 0)
        # `advance` without the test for token 0: the state of a word that has ended is not read again.
        states = jax.vmap(model_of(params).advance, (None, 0, 0))(params, states, token)
        return t + 1, states, unfinished & (token != 0), tokens.at[t].set(token)

    states, unfinished = carry
    carry = (jnp.int32(0), states, unfinished, jnp.zeros((_LIMITS.segment, len(unfinished)), jnp.int32))
    _, states, unfinished, tokens = lax.while_loop(lambda c: (c[0] < count) & c[2].any(), body, carry)
    return (states, unfinished), tokens
