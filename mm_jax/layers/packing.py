"""Packed rows: several words laid end to end in one row of tokens; their positions and their attention mask.

A row is `. e m m a . a v a`: the first `.` is implied, and each 0 in `tokens` starts the next word. A model that reads
all positions of a row at once must not look across these starts.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Int32


def with_start(tokens: Int[Array, " length"]) -> Int32[Array, " length+1"]:
    """Returns what a model reads: the `.` before the first word, then the tokens.

    >>> with_start(jnp.array([5, 13, 0, 1])).tolist()
    [0, 5, 13, 0, 1]
    """
    return jnp.concatenate([jnp.zeros(1, jnp.int32), tokens.astype(jnp.int32)])


def word_positions(inputs: Int32[Array, " size"]) -> Int32[Array, " size"]:
    """Returns the offset of each position in its word: 0 at a `.`.

    >>> word_positions(jnp.array([0, 5, 13, 0, 1])).tolist()
    [0, 1, 2, 0, 1]
    """
    index = jnp.arange(len(inputs), dtype=jnp.int32)
    return index - lax.cummax(jnp.where(inputs == 0, index, 0))


def causal_mask(inputs: Int32[Array, " size"]) -> Bool[Array, "size size"]:
    """Returns the attention mask: mask[t, s] is True where s is in the same word as t, and not later.

    >>> causal_mask(jnp.array([0, 5, 0])).astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    index = jnp.arange(len(inputs), dtype=jnp.int32)
    word_start = index - word_positions(inputs)
    return (index[None, :] <= index[:, None]) & (index[None, :] >= word_start[:, None])
