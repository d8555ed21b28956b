"""What the models that see whole words share: how a row of tokens is read, and what is left out of it in training.

A row is `. e m m a . a v a`: the first `.` is implied, and each 0 in it starts the next word. A model that reads all
positions of a row at once must not look across these starts.
"""

from math import prod

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32

from mm_jax.models.contract import Dropout

TOKENS, STATES, EDGES = 0, 1000, 2000  # what a mask is for: a key's fold, so that no two masks of a row are alike


def inputs(tokens: Int[Array, " length"]) -> Int32[Array, " length+1"]:
    """What is read: the `.` before the first word, then the tokens."""
    return jnp.concatenate([jnp.zeros(1, jnp.int32), tokens.astype(jnp.int32)])


def positions(read: Int32[Array, " size"]) -> Int32[Array, " size"]:
    """How many characters of its word are read at each position: 0 at a `.`.

    >>> positions(jnp.array([0, 5, 13, 0, 1])).tolist()
    [0, 1, 2, 0, 1]
    """
    at = jnp.arange(len(read), dtype=jnp.int32)
    return at - lax.cummax(jnp.where(read == 0, at, 0))


def edges(read: Int32[Array, " size"]) -> Bool[Array, "size size"]:
    """edges[t, s]: whether position t sees position s, which is of the same word and not later.

    >>> edges(jnp.array([0, 5, 0])).astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    at = jnp.arange(len(read), dtype=jnp.int32)
    word_start = at - positions(read)
    return (at[None, :] <= at[:, None]) & (at[None, :] >= word_start[:, None])


def look_up(table: Float32[Array, "rows width"], index: Int[Array, "*size"]) -> Float32[Array, "*size width"]:
    """table[index], zeros for an index of -1: the product with a one-hot row, as the lecture has it.

    Over a batch, the gradient of this product is one product. That of table[index] adds rows into a table one after
    another, which takes longer on a CPU.
    """
    return jax.nn.one_hot(index, table.shape[-2], dtype=jnp.float32) @ table


def product(x: Float32[Array, " n"], W: Float32[Array, "n m"]) -> Float32[Array, " m"]:
    """x @ W, with a gradient that is quick on a CPU over many rows.

    The barrier keeps W's gradient transposed until it is done: XLA's CPU products are slow on the other layout (7.2
    ms in place of 4.0 for 1,024 rows of 256 and 768).
    """
    return jnp.einsum("n,mn->m", x, lax.optimization_barrier(W.T))


def with_nothing(table: Float32[Array, "rows width"]) -> Float32[Array, "rows+1 width"]:
    """The table with a row of zeros at its end, which index -1 finds: what a token that is left out gives."""
    return jnp.concatenate([table, jnp.zeros((1, table.shape[-1]), table.dtype)])


def left_out(dropout: Dropout, fold: int, shape: tuple[int, ...], rate: float) -> Bool[Array, "..."]:
    """True with probability `rate`, to the nearest 256th: random bits take time, and a draw is a byte."""
    words = jax.random.bits(jax.random.fold_in(dropout.key, fold), (-(-prod(shape) // 4),), jnp.uint32)
    draws = lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[: prod(shape)]
    return draws.reshape(shape) < jnp.uint8(_out_of_256(rate))


def _out_of_256(rate: float) -> int:
    return min(round(rate * 256), 255)  # of 256, nothing would be left


def drop_tokens(read: Int32[Array, " size"], dropout: Dropout | None) -> Int32[Array, " size"]:
    """The tokens, with -1 for those left out, whose input is then zeros; never the `.` that starts a word."""
    if dropout is None or not dropout.tokens:
        return read
    return jnp.where(left_out(dropout, TOKENS, read.shape, dropout.tokens) & (read != 0), -1, read)


def drop_states(h: Float32[Array, "..."], dropout: Dropout | None, place: int = 0) -> Float32[Array, "..."]:
    """Entries of h left out, and the others raised so that the mean stays; each place in a model has its own number."""
    if dropout is None or not dropout.states:
        return h
    gone = left_out(dropout, STATES + place, h.shape, dropout.states)
    return jnp.where(gone, 0.0, h * (256 / (256 - _out_of_256(dropout.states))))


def drop_edges(seen: Bool[Array, "size size"], dropout: Dropout | None, place: int = 0) -> Bool[Array, "size size"]:
    """The edges without those left out; never a position's own, so that none is left without any."""
    if dropout is None or not dropout.edges:
        return seen
    gone = left_out(dropout, EDGES + place, seen.shape, dropout.edges)
    return seen & (~gone | jnp.eye(len(seen), dtype=bool))


@jax.custom_vjp
def affine(x: Float32[Array, "size n"], W: Float32[Array, "n m"], b: Float32[Array, " m"]) -> Float32[Array, "size m"]:
    """x @ W + b. Its gradient is written out, because XLA's CPU products are two to three times slower in other forms.

    That is x.T @ gradient for W; or gradient.T @ x, and transposed when it is done, where x is the wider.
    """
    return x @ W + b[None]


def _affine_back(kept, gradient):
    x, W = kept
    dW = x.T @ gradient if x.shape[1] <= gradient.shape[1] else lax.optimization_barrier(gradient.T @ x).T
    return gradient @ W.T, dW, gradient.sum(0)


affine.defvjp(lambda x, W, b: (affine(x, W, b), (x, W)), _affine_back)


@jax.custom_vjp
def standardised(x: Float32[Array, "size width"]) -> Float32[Array, "size width"]:
    """(x - mean) / sqrt(variance + 1e-5) of each row: LayerNorm before gain and shift.

    The means are products with 1 / width, and so are those of the gradient, which is written out for this reason: XLA
    adds along a row one number after another on a CPU, and multiplies many at once.
    """
    return _standardised(x)[0]


def _standardised(x):
    centred = x - _mean(x)
    scale = lax.rsqrt(_mean(centred * centred) + 1e-5)
    return centred * scale, (centred * scale, scale)


def _standardised_back(kept, gradient):
    out, scale = kept
    return (scale * (gradient - _mean(gradient) - out * _mean(gradient * out)),)


standardised.defvjp(_standardised, _standardised_back)


def _mean(x: Float32[Array, "size width"]) -> Float32[Array, "size 1"]:
    return (x @ lax.optimization_barrier(jnp.full(x.shape[1], 1 / x.shape[1], jnp.float32)))[:, None]


def of_normed(
    x: Float32[Array, "n width"],
    gain: Float32[Array, " width"],
    shift: Float32[Array, " width"],
    W: Float32[Array, "width m"],
    b: Float32[Array, " m"],
) -> Float32[Array, "n m"]:
    """norm(x) @ W + b, where gain and shift change W and b: once, and not at every position."""
    return affine(standardised(x), gain[:, None] * W, shift @ W + b)


def attend(
    num_heads: int,
    q: Float32[Array, "batch queries width"],
    keys: Float32[Array, "batch positions width"],
    values: Float32[Array, "batch positions width"],
    seen: Bool[Array, "batch queries positions"],
) -> Float32[Array, "batch queries width"]:
    """What each query looks up among the positions it sees: each head on its own part of the width."""
    q, k, v = (each.reshape(*each.shape[:2], num_heads, -1) for each in (q, keys, values))
    scores = jnp.einsum("bthc,bshc->bhts", q, k) * q.shape[-1] ** -0.5
    unseen = jnp.where(seen, 0.0, -jnp.inf)[:, None]  # added to: a choice would have to be made again for the gradient
    a = jnp.einsum("bhts,bshc->bthc", jax.nn.softmax(scores + unseen), v)
    return a.reshape(*a.shape[:2], -1)
