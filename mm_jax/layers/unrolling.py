"""What follows from a model's own functions: a row read at once, many rows, many contexts, windows that slide.

`models.contract` fills in the records of models with these. A row of tokens is int32 [length]; its logits are float32
[length + 1, vocab_size], those at place t predict the token that follows tokens[:t].
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Int

from mm_jax.corpus import in_blocks

Unroll = Callable[..., Array]  # (params, tokens, dropout=None) -> logits


def scanned(start: Callable, advance: Callable, logits: Callable) -> Unroll:
    """Returns the `unroll` of one row by `lax.scan`; `advance` starts the next word after token 0."""

    def unroll(params: Any, tokens: Int[Array, " length"]) -> Array:
        def step(state, token):
            return advance(params, state, token), state

        last, before = lax.scan(step, start(params), tokens)
        states = jax.tree.map(lambda early, late: jnp.concatenate([early, late[None]]), before, last)
        return jax.vmap(logits, (None, 0))(params, states)  # outside the scan: one product for all positions

    return unroll


def sliding(block_size: Callable, logits: Callable) -> Unroll:
    """Returns the `unroll` of one row of a windowed model: all windows at once."""

    def unroll(params: Any, tokens: Int[Array, " length"]) -> Array:
        return jax.vmap(logits, (None, 0))(params, windows(tokens, block_size(params)))

    return unroll


def all_windows(block_size: Callable) -> Unroll:
    """Returns the `states` of a windowed model: the window before each position of many rows."""

    def states(params: Any, tokens: Int[Array, "batch length"]) -> Array:
        return jax.vmap(windows, (0, None))(tokens, block_size(params))

    return states


def of_states(states: Callable, logits: Callable) -> Unroll:
    """Returns the `unroll_rows` of a model that computes the states at all positions first."""

    def unroll_rows(params: Any, tokens: Int[Array, "batch length"], *dropout: Any) -> Array:
        return jax.vmap(jax.vmap(logits, (None, 0)), (None, 0))(params, states(params, tokens, *dropout))

    return unroll_rows


def windows(tokens: Int[Array, " length"], size: int) -> Int[Array, "length+1 size"]:
    """Returns the window before each position, with everything before the last 0 read as 0.

    >>> windows(jnp.array([1, 0, 2]), 2).tolist()
    [[0, 0], [0, 1], [0, 0], [0, 2]]
    """
    padded = jnp.concatenate([jnp.zeros(size, jnp.int32), tokens])
    found = padded[jnp.arange(len(tokens) + 1)[:, None] + jnp.arange(size)[None, :]]
    return found * lax.cumprod((found != 0).astype(jnp.int32), axis=1, reverse=True) if size else found


def checked_window(context: Any, size: int, vocab_size: int) -> Int[Array, " size"]:
    """Returns one context as an array; raises ValueError for another shape, dtype or, outside jit, token."""
    context = jnp.asarray(context)
    if context.shape != (size,) or not (size == 0 or jnp.issubdtype(context.dtype, jnp.integer)):
        raise ValueError(
            f"expected one context of {size} integer token(s), shape ({size},), got {context.dtype} of shape "
            f"{context.shape}: use jax.vmap for many"
        )
    if not (isinstance(context, Tracer) or size == 0 or 0 <= context.min() <= context.max() < vocab_size):
        raise ValueError(f"context {context.tolist()}: tokens run from 0 to {vocab_size - 1}")
    return context if size else context.astype(jnp.int32)


def slide(params: Any, window: Int[Array, " size"], token: Int[Array, ""]) -> Int[Array, " size"]:
    """Returns a window moved on by one token: the `advance` of windowed models."""
    return jnp.append(window, jnp.asarray(token, jnp.int32))[1:]


def restarting(start: Callable, advance: Callable) -> Callable:
    """Returns an `advance` that starts the next word after token 0, of one that reads tokens inside a word."""

    def either(params: Any, state: Any, token: Int[Array, ""]) -> Any:
        inside = advance(params, state, token)
        return jax.tree.map(lambda first, later: jnp.where(token == 0, first, later), start(params), inside)

    return either


def of_one_row(unroll_rows: Unroll) -> Unroll:
    """Returns `unroll` as `unroll_rows` of a batch of one."""

    def unroll(params: Any, tokens: Int[Array, " length"], *dropout: Any) -> Array:
        return unroll_rows(params, tokens[None], *jax.tree.map(lambda key: key[None], dropout))[0]

    return unroll


def without_dropout(unroll: Unroll) -> Unroll:
    """Returns an `unroll` that refuses a dropout, of one that takes none."""

    def refusing(params: Any, tokens: Int[Array, "..."], dropout: Any = None) -> Array:
        if dropout is not None:
            raise ValueError(f"{type(params).__name__} has no dropout: its record names no kind of it in `drops`")
        return unroll(params, tokens)

    return refusing


def rows_at_once(vocab_size: int) -> int:
    """Returns how many contexts one call computes: at most 8 MB of logits, and one program for lists of every size."""
    return max(1, min(1024, 2**21 // vocab_size))


def many_contexts(logits: Callable) -> Callable[[Any, np.ndarray], np.ndarray]:
    """Returns a function that computes log p of every token, [contexts, vocab_size], a block of contexts at a time."""

    @jax.jit
    def after(params: Any, contexts: Int[Array, "contexts block_size"]) -> Array:
        return jax.nn.log_softmax(jax.vmap(logits, (None, 0))(params, contexts))

    def log_probs(params: Any, contexts: Int[np.ndarray, "contexts block_size"]) -> np.ndarray:
        return in_blocks(lambda block: after(params, block), contexts, block=rows_at_once(len(params.vocab)))

    return log_probs
