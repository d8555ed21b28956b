"""Logits of a large vocabulary, a block of positions at a time: those of all positions are never held at once.

A step on lines of text has some 3,000 positions: with 20,000 symbols their logits take 240 MB, and as much again for
each array that a gradient adds. So the model reads the rows first, which gives its state at each position (a hidden
vector, a window), and the output layer follows for some positions at a time, forwards and, computed again, backwards.
A vocabulary of characters goes without.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from mm_jax.layers.dropout import Dropout
from mm_jax.layers.products import LARGE
from mm_jax.layers.unrolling import rows_at_once
from mm_jax.models.contract import Params, State, model_of


def states(params: Params, tokens: Int[Array, "batch length"], dropout: Dropout | None = None) -> State:
    """Returns what `logits` reads at every position of a batch of rows: arrays [batch, length + 1, ...]; see `Model`.

    >>> import mm_jax
    >>> states(mm_jax.ngram.fit(["ab"], mm_jax.Vocab(".ab"), order=2), jnp.array([[1, 2]])).tolist()
    [[[0], [1], [2]]]
    """
    model = model_of(params)
    assert model.states is not None  # as `are_used` has said
    return model.states(params, tokens, dropout)


def are_used(params: Params) -> bool:
    """Returns whether the logits of many positions are computed some at a time: where the vocabulary is large."""
    return len(params.vocab) > LARGE and model_of(params).states is not None


def of_positions(function: Callable[..., Array], vocab_size: int, *rows: Any) -> Any:
    """Calls a compiled function on some positions of pytrees of arrays [positions, ...] at a time.

    It returns a number for each position; their gradients compute each block's logits again, so that those of one block
    are all that is held.

    >>> of_positions(lambda x: 2 * x, 2**21, jnp.arange(3.0)).tolist()
    [0.0, 2.0, 4.0]
    """
    positions = len(jax.tree.leaves(rows)[0])
    size = min(positions, rows_at_once(vocab_size))

    def blocks(leaf: Array) -> Array:
        padded = jnp.concatenate([leaf, jnp.zeros((-positions % size, *leaf.shape[1:]), leaf.dtype)])
        return padded.reshape(-1, size, *leaf.shape[1:])

    found = lax.map(jax.checkpoint(lambda block: function(*block)), jax.tree.map(blocks, rows))
    return found.reshape(-1)[:positions]
