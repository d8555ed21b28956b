"""GPT-2's transformer (Radford et al. 2019), small: C and P, blocks of attention and MLP, an output layer.

    x      = C[token] + P[position]                      width
    in each of num_layers blocks:
        q, k, v = norm1(x) @ Wqkv + bqkv                 num_heads heads of width / num_heads each
        a       = softmax(q . k / sqrt(head)) . v        of each head, over the positions of this word up to this one
        x       = x + a @ Wo + bo
        x       = x + gelu(norm2(x) @ W1 + b1) @ W2 + b2     4 * width inside
    logits = norm(x) @ Wu + bu                           vocab_size

    norm(x) = gain * (x - mean) / sqrt(variance + 1e-5) + shift

Where an RNN folds what it read into one vector, each position here keeps a key and a value of its own, and later ones
look them up: that is the state, a cache. All positions of a word are computed at once while training. P has a row for
the word's `.` and one for each character, and so bounds a word's length.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from mm_jax.models import rows
from mm_jax.models.contract import Dropout
from mm_jax.pytrees import pytree, static
from mm_jax.vocab import Vocab

DROPS = ("tokens", "states", "edges")


@pytree
class Block:
    """The arrays of one block; in `Transformer` each has one row a block."""

    gain1: Float32[Array, "*layers width"]
    shift1: Float32[Array, "*layers width"]
    Wqkv: Float32[Array, "*layers width 3*width"]
    bqkv: Float32[Array, "*layers 3*width"]
    Wo: Float32[Array, "*layers width width"]
    bo: Float32[Array, "*layers width"]
    gain2: Float32[Array, "*layers width"]
    shift2: Float32[Array, "*layers width"]
    W1: Float32[Array, "*layers width 4*width"]
    b1: Float32[Array, "*layers 4*width"]
    W2: Float32[Array, "*layers 4*width width"]
    b2: Float32[Array, "*layers width"]


@pytree
class Transformer:
    """Embeddings of characters and positions, blocks, a last norm, an output layer."""

    C: Float32[Array, "vocab_size width"]
    P: Float32[Array, "positions width"]
    blocks: Block
    gain: Float32[Array, " width"]
    shift: Float32[Array, " width"]
    Wu: Float32[Array, "width vocab_size"]
    bu: Float32[Array, " vocab_size"]
    vocab: Vocab
    num_heads: int = static()  # no shape tells it


class Cache(NamedTuple):
    """What was read of a word: the last position's x after all blocks, each position's keys and values, their number."""

    x: Float32[Array, " width"]
    keys: Float32[Array, "num_layers positions width"]
    values: Float32[Array, "num_layers positions width"]
    length: Int32[Array, ""]


def init(
    key: Key[Array, ""],
    vocab: Vocab,
    *,
    num_layers: int = 4,
    num_heads: int = 4,
    width: int = 64,
    max_length: int = 31,
) -> Transformer:
    """New parameters, float32: 205,595 numbers for 27 tokens and the default sizes.

    Matrices are drawn with a variance of 1 / fan-in, those that add to x with that over 2 * num_layers, so that x does
    not grow with depth; C with a deviation of 1/2, P of 1/10, Wu with a tenth of its own, so that the loss starts near
    ln(vocab_size). Gains are 1, shifts and biases 0.

    Args:
      key: decides every weight.
      vocab: its size is the number of embeddings and of outputs.
      num_layers: number of blocks.
      num_heads: heads of attention; they divide the width.
      width: numbers that stand for a position between blocks.
      max_length: the longest word in characters.

    Raises ValueError for a size below 1, and for heads that do not divide the width.

    Source: GPT-2; makemore's Transformer.

    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), num_layers=2, num_heads=2, width=8, max_length=5)
    >>> params.C.shape, params.P.shape, params.blocks.Wqkv.shape, params.Wu.shape
    ((4, 8), (6, 8), (2, 8, 24), (8, 4))
    """
    if min(num_layers, num_heads, width, max_length) < 1:
        raise ValueError(f"sizes must be 1 or more, got {num_layers=}, {num_heads=}, {width=}, {max_length=}")
    _check_heads(num_heads, width)
    keys = iter(jax.random.split(key, 7))

    def normal(shape, deviation):
        return jax.random.normal(next(keys), shape, jnp.float32) * deviation

    def per_block(shape, adds=False):
        return normal((num_layers, *shape), (shape[0] * (2 * num_layers if adds else 1)) ** -0.5)

    def fill(value, size):
        return jnp.full((num_layers, size), value, jnp.float32)

    blocks = Block(
        gain1=fill(1.0, width),
        shift1=fill(0.0, width),
        Wqkv=per_block((width, 3 * width)),
        bqkv=fill(0.0, 3 * width),
        Wo=per_block((width, width), adds=True),
        bo=fill(0.0, width),
        gain2=fill(1.0, width),
        shift2=fill(0.0, width),
        W1=per_block((width, 4 * width)),
        b1=fill(0.0, 4 * width),
        W2=per_block((4 * width, width), adds=True),
        b2=fill(0.0, width),
    )
    return Transformer(
        C=normal((len(vocab), width), 0.5),
        P=normal((max_length + 1, width), 0.1),
        blocks=blocks,
        gain=jnp.ones(width, jnp.float32),
        shift=jnp.zeros(width, jnp.float32),
        Wu=normal((width, len(vocab)), 0.1 * width**-0.5),
        bu=jnp.zeros(len(vocab), jnp.float32),
        vocab=vocab,
        num_heads=num_heads,
    )


def max_length(params: Transformer) -> int:
    """The longest word that it reads, in characters."""
    return params.P.shape[-2] - 1


def validate(params: Transformer) -> None:
    """ValueError for heads that do not divide the width: the shapes of a file do not exclude them."""
    _check_heads(params.num_heads, params.C.shape[-1])


def start(params: Transformer) -> Cache:
    """The state of a word's start: a cache that holds its `.`."""
    nothing = jnp.zeros((len(params.blocks.Wo), *params.P.shape), jnp.float32)
    empty = Cache(jnp.zeros(params.P.shape[-1], jnp.float32), nothing, nothing, jnp.int32(0))
    return advance(params, empty, jnp.int32(0))


def advance(params: Transformer, state: Cache, token: Int[Array, ""]) -> Cache:
    """The cache with one more position: its x passes all blocks, each of which sees the keys and values before."""
    seen = jnp.arange(len(params.P)) <= state.length

    def through(x, layer):
        block, keys, values = layer
        q, k, v = _queries_keys_values(block, x)
        keys = lax.dynamic_update_index_in_dim(keys, k, state.length, 0)
        values = lax.dynamic_update_index_in_dim(values, v, state.length, 0)
        x = x + _attend(params.num_heads, q, keys, values, seen) @ block.Wo + block.bo
        return x + _mlp(block, x), (keys, values)

    x = params.C[token] + params.P[state.length]
    x, (keys, values) = lax.scan(through, x, (params.blocks, state.keys, state.values))
    return Cache(x, keys, values, state.length + 1)


def logits(params: Transformer, state: Cache) -> Float32[Array, " vocab_size"]:
    """The output layer, for the last position."""
    return _head(params, state.x)


def unroll(
    params: Transformer, tokens: Int[Array, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """The rows of all positions at once; `dropout` leaves out characters, edges, and entries of what is added to x."""
    read = rows.inputs(tokens)
    look_up = jax.vmap(rows.look_up, (None, 0))
    x = look_up(params.C, rows.drop_tokens(read, dropout)) + look_up(params.P, rows.positions(read))
    edges = rows.edges(read)

    def through(x, layer):
        block, place = layer
        q, k, v = jax.vmap(_queries_keys_values, (None, 0))(block, x)
        seen = rows.drop_edges(edges, dropout, place)
        a = jax.vmap(_attend, (None, 0, None, None, 0))(params.num_heads, q, k, v, seen)
        a = jax.vmap(lambda a: rows.product(a, block.Wo) + block.bo)(a)
        x = x + rows.drop_states(a, dropout, 2 * place)
        return x + rows.drop_states(jax.vmap(_mlp, (None, 0))(block, x), dropout, 2 * place + 1), None

    x, _ = lax.scan(through, x, (params.blocks, jnp.arange(len(params.blocks.Wo))), unroll=True)
    return jax.vmap(_head, (None, 0))(params, x)


def _check_heads(num_heads: int, width: int) -> None:
    if width % num_heads:
        raise ValueError(f"{num_heads} heads do not divide a width of {width}: choose a width that is a multiple")


def _queries_keys_values(block: Block, x: Float32[Array, " width"]) -> list[Float32[Array, " width"]]:
    return jnp.split(rows.product(_norm(x, block.gain1, block.shift1), block.Wqkv) + block.bqkv, 3)


def _attend(
    num_heads: int,
    q: Float32[Array, " width"],
    keys: Float32[Array, "positions width"],
    values: Float32[Array, "positions width"],
    seen: Bool[Array, " positions"],
) -> Float32[Array, " width"]:
    """What one position looks up among those it sees: each head on its own part of the width."""
    q, keys, values = (each.reshape(*each.shape[:-1], num_heads, -1) for each in (q, keys, values))
    scores = jnp.einsum("hc,shc->hs", q, keys) * q.shape[-1] ** -0.5
    weights = jax.nn.softmax(jnp.where(seen[None, :], scores, -jnp.inf))
    return jnp.einsum("hs,shc->hc", weights, values).reshape(-1)


def _mlp(block: Block, x: Float32[Array, " width"]) -> Float32[Array, " width"]:
    return (
        rows.product(_gelu(rows.product(_norm(x, block.gain2, block.shift2), block.W1) + block.b1), block.W2) + block.b2
    )


def _norm(
    x: Float32[Array, " width"], gain: Float32[Array, " width"], shift: Float32[Array, " width"]
) -> Float32[Array, " width"]:
    centred = x - x.mean()
    return gain * centred * lax.rsqrt((centred * centred).mean() + 1e-5) + shift


def _head(params: Transformer, x: Float32[Array, " width"]) -> Float32[Array, " vocab_size"]:
    return rows.product(_norm(x, params.gain, params.shift), params.Wu) + params.bu


def _gelu(x: Float32[Array, " n"]) -> Float32[Array, " n"]:
    """GPT-2's, 0.5 * x * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 * x^3), as x * sigmoid(2 * u)."""
    return x * jax.nn.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
