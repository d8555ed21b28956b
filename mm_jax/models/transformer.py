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
from jaxtyping import Array, Float32, Int, Int32, Key

from mm_jax.models import rows
from mm_jax.models.contract import Dropout, NamedRecipe, sequential
from mm_jax.models.weights import normals
from mm_jax.pytrees import pytree, static
from mm_jax.vocab import Vocab


@pytree
class Block:
    """The arrays of one block."""

    gain1: Float32[Array, " width"]
    shift1: Float32[Array, " width"]
    Wqkv: Float32[Array, "width 3*width"]
    bqkv: Float32[Array, " 3*width"]
    Wo: Float32[Array, "width width"]
    bo: Float32[Array, " width"]
    gain2: Float32[Array, " width"]
    shift2: Float32[Array, " width"]
    W1: Float32[Array, "width 4*width"]
    b1: Float32[Array, " 4*width"]
    W2: Float32[Array, "4*width width"]
    b2: Float32[Array, " width"]


@pytree
class Transformer:
    """Embeddings of characters and positions, blocks, a last norm, an output layer.

    >>> import mm_jax
    >>> params = init(jax.random.key(0), mm_jax.Vocab(".ab"), num_layers=1, num_heads=2, width=8)
    >>> mm_jax.unroll(params, jnp.array([1, 2])).shape
    (3, 3)
    """

    C: Float32[Array, "vocab_size width"]
    P: Float32[Array, "positions width"]
    blocks: tuple[Block, ...]
    gain: Float32[Array, " width"]
    shift: Float32[Array, " width"]
    Wu: Float32[Array, "width vocab_size"]
    bu: Float32[Array, " vocab_size"]
    vocab: Vocab
    num_heads: int = static()  # no shape tells it


class Cache(NamedTuple):
    """What was read of a word: the last x after all blocks, keys and values of all positions, and how many they are."""

    x: Float32[Array, " width"]
    keys: tuple[Float32[Array, "positions width"], ...]  # of each block: one array of all would be copied each time
    values: tuple[Float32[Array, "positions width"], ...]
    length: Int32[Array, ""]


def init(
    key: Key[Array, ""], vocab: Vocab, *, num_layers: int = 4, num_heads: int = 4, width: int = 64, max_length: int = 31
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
    >>> params.C.shape, params.P.shape, params.blocks[1].Wqkv.shape, params.Wu.shape
    ((4, 8), (6, 8), (8, 24), (8, 4))
    """
    if min(num_layers, num_heads, width, max_length) < 1:
        raise ValueError(f"sizes must be 1 or more, got {num_layers=}, {num_heads=}, {width=}, {max_length=}")
    _check_heads(num_heads, width)
    of_blocks, of_C, of_P, of_Wu = jax.random.split(key, 4)
    return Transformer(
        C=jax.random.normal(of_C, (len(vocab), width), jnp.float32) * 0.5,
        P=jax.random.normal(of_P, (max_length + 1, width), jnp.float32) * 0.1,
        blocks=tuple(_block(each, width, num_layers) for each in jax.random.split(of_blocks, num_layers)),
        gain=jnp.ones(width, jnp.float32),
        shift=jnp.zeros(width, jnp.float32),
        Wu=jax.random.normal(of_Wu, (width, len(vocab)), jnp.float32) * 0.1 / width**0.5,
        bu=jnp.zeros(len(vocab), jnp.float32),
        vocab=vocab,
        num_heads=num_heads,
    )


def _block(key: Key[Array, ""], width: int, num_layers: int) -> Block:
    shapes = (width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)
    variances = 1.0, 0.5 / num_layers, 1.0, 0.5 / num_layers
    scales = tuple((variance / fan_in) ** 0.5 for variance, (fan_in, _) in zip(variances, shapes, strict=True))
    Wqkv, Wo, W1, W2 = normals(key, *shapes, times=scales)

    def fill(value, size):
        return jnp.full(size, value, jnp.float32)

    return Block(
        gain1=fill(1.0, width),
        shift1=fill(0.0, width),
        Wqkv=Wqkv,
        bqkv=fill(0.0, 3 * width),
        Wo=Wo,
        bo=fill(0.0, width),
        gain2=fill(1.0, width),
        shift2=fill(0.0, width),
        W1=W1,
        b1=fill(0.0, 4 * width),
        W2=W2,
        b2=fill(0.0, width),
    )


def max_length(params: Transformer) -> int:
    """The longest word that it reads, in characters."""
    return params.P.shape[-2] - 1


def validate(params: Transformer) -> None:
    """ValueError for heads that do not divide the width, and blocks of another width."""
    _check_heads(params.num_heads, params.C.shape[-1])
    if any(len(block.gain1) != params.C.shape[-1] for block in params.blocks):
        raise ValueError("its blocks have another width")


def start(params: Transformer) -> Cache:
    """The state of a word's start: a cache that holds its `.`."""
    nothing = tuple(jnp.zeros(params.P.shape, jnp.float32) for _ in params.blocks)
    empty = Cache(jnp.zeros(params.P.shape[-1], jnp.float32), nothing, nothing, jnp.int32(0))
    return advance(params, empty, jnp.int32(0))


def advance(params: Transformer, state: Cache, token: Int[Array, ""]) -> Cache:
    """The cache with one more position: its x passes all blocks, each of which sees the keys and values before."""
    x, at = (params.C[token] + params.P[state.length])[None], state.length
    seen = jnp.arange(len(params.P)) <= at
    keys, values = [], []
    for block, k_before, v_before in zip(params.blocks, state.keys, state.values, strict=True):
        q, k, v = _queries_keys_values(block, x)
        keys.append(lax.dynamic_update_slice_in_dim(k_before, k, at, 0))
        values.append(lax.dynamic_update_slice_in_dim(v_before, v, at, 0))
        a = rows.attend(params.num_heads, q[None], keys[-1][None], values[-1][None], seen[None, None])[0]
        x = x + _project(block, a)
        x = x + _mlp(block, x)
    return Cache(x[0], tuple(keys), tuple(values), at + 1)


def logits(params: Transformer, state: Cache) -> Float32[Array, " vocab_size"]:
    """The output layer, for the last position."""
    return _head(params, state.x[None])[0]


def unroll(
    params: Transformer, tokens: Int[Array, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """The rows of all positions at once; `dropout` leaves out characters, edges, and entries of what is added to x."""
    return unroll_rows(params, tokens[None], jax.tree.map(lambda key: key[None], dropout))[0]


def unroll_rows(
    params: Transformer, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 vocab_size"]:
    """`unroll` of many rows of tokens. All but attention works on each position alone: x is [batch * size, width]."""
    read = jax.vmap(rows.inputs)(tokens)
    batch, size = read.shape
    shown = jax.vmap(rows.drop_tokens)(read, dropout).reshape(-1)
    x = rows.look_up(params.C, shown) + rows.look_up(params.P, jax.vmap(rows.positions)(read).reshape(-1))
    edges = jax.vmap(rows.edges)(read)

    def dropped(added, place):
        added = added.reshape(batch, size, -1)
        return jax.vmap(rows.drop_states, (0, 0, None))(added, dropout, place).reshape(batch * size, -1)

    for i, block in enumerate(params.blocks):
        q, k, v = (each.reshape(batch, size, -1) for each in _queries_keys_values(block, x))
        a = rows.attend(params.num_heads, q, k, v, jax.vmap(rows.drop_edges, (0, 0, None))(edges, dropout, i))
        x = x + dropped(_project(block, a.reshape(x.shape)), 2 * i)
        x = x + dropped(_mlp(block, x), 2 * i + 1)
    return _head(params, x).reshape(batch, size, -1)


def _check_heads(num_heads: int, width: int) -> None:
    if width % num_heads:
        raise ValueError(f"{num_heads} heads do not divide a width of {width}: choose a width that is a multiple")


def _queries_keys_values(block: Block, x: Float32[Array, "n width"]) -> list[Float32[Array, "n width"]]:
    return jnp.split(rows.of_normed(x, block.gain1, block.shift1, block.Wqkv, block.bqkv), 3, 1)


def _project(block: Block, a: Float32[Array, "n width"]) -> Float32[Array, "n width"]:
    return rows.affine(a, block.Wo, block.bo)


def _mlp(block: Block, x: Float32[Array, "n width"]) -> Float32[Array, "n width"]:
    return rows.affine(
        jax.nn.gelu(rows.of_normed(x, block.gain2, block.shift2, block.W1, block.b1)), block.W2, block.b2
    )


def _head(params: Transformer, x: Float32[Array, "n width"]) -> Float32[Array, "n vocab_size"]:
    return rows.of_normed(x, params.gain, params.shift, params.Wu, params.bu)


_TUNED = {
    "batch_size": 48,
    "draw": "words",
    "optimizer": "muon",
    "learning_rate": 0.03,
    "decay": "linear",
    "weight_decay": 0.1,
    "drop_edges": 0.1,
    "teach": 0.5,
}
# Alone it is behind the GRU below 25,000 words (examples/README.md, how losses fall with data and size); their mixture
# is ahead of both from 2,000 words on.
RECIPES = {
    "tuned": NamedRecipe(
        training={**_TUNED, "steps": 2400}, efforts=("best",), words=(2000, 400_000), rung="transformer"
    ),
    "normal": NamedRecipe(training={**_TUNED, "steps": 600}, efforts=("normal",), words=(2000, 40_000)),
}
MODEL = sequential(
    Transformer,
    start=start,
    advance=advance,
    logits=logits,
    unroll=unroll,
    unroll_rows=unroll_rows,
    max_length=max_length,
    drops=("tokens", "states", "edges"),
    validate=validate,
    init=init,
    recipes=RECIPES,
)
