"""Dropout of one row of words: whole input tokens, entries of a hidden layer, attention edges.

A rate is rounded to the nearest 256th, because a random number here is one byte: random bits take a good part of a
step, and a float32 would take four times as many.
"""

from math import prod

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, Key

from mm_jax.pytrees import pytree, static

TOKENS, STATES, EDGES = 0, 1000, 2000  # offsets for fold_in: token, state and edge masks use different keys


@pytree
class Dropout:
    """Dropout of one row: the key, and rates in [0, 1) for input tokens, hidden entries and attention edges."""

    key: Key[Array, ""]
    tokens: float = static()  # whole input tokens, never a word's `.`
    states: float = static()  # entries of a hidden layer
    edges: float = static()  # entries of the attention mask, never its diagonal


def random_mask(dropout: Dropout, fold: int, shape: tuple[int, ...], rate: float) -> Bool[Array, "..."]:
    """Draws True with probability `rate`, to the nearest 256th, from the key folded with `fold`."""
    words = jax.random.bits(jax.random.fold_in(dropout.key, fold), (-(-prod(shape) // 4),), jnp.uint32)
    draws = lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[: prod(shape)]
    return draws.reshape(shape) < jnp.uint8(_out_of_256(rate))


def _out_of_256(rate: float) -> int:
    return min(round(rate * 256), 255)  # 256 would drop everything


def drop_tokens(inputs: Int32[Array, " size"], dropout: Dropout | None) -> Int32[Array, " size"]:
    """Replaces dropped tokens by -1, whose embedding is zeros; never the `.` that starts a word."""
    if dropout is None or not dropout.tokens:
        return inputs
    return jnp.where(random_mask(dropout, TOKENS, inputs.shape, dropout.tokens) & (inputs != 0), -1, inputs)


def drop_states(h: Float32[Array, "..."], dropout: Dropout | None, place: int = 0) -> Float32[Array, "..."]:
    """Inverted dropout; `place` numbers the layer, so that every layer draws another mask."""
    if dropout is None or not dropout.states:
        return h
    gone = random_mask(dropout, STATES + place, h.shape, dropout.states)
    return jnp.where(gone, 0.0, h * (256 / (256 - _out_of_256(dropout.states))))


def drop_edges(mask: Bool[Array, "size size"], dropout: Dropout | None, place: int = 0) -> Bool[Array, "size size"]:
    """Drops entries of an attention mask; never the diagonal: each position attends at least to itself."""
    if dropout is None or not dropout.edges:
        return mask
    gone = random_mask(dropout, EDGES + place, mask.shape, dropout.edges)
    return mask & (~gone | jnp.eye(len(mask), dtype=bool))
