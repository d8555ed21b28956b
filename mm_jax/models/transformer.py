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

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from mm_jax.layers.dropout import Dropout, drop_edges, drop_states, drop_tokens
from mm_jax.layers.packing import causal_mask, with_start, word_positions
from mm_jax.layers.products import affine_rows, batched_product, look_up, standardised, transposed
from mm_jax.layers.weights import check_sizes, draw
from mm_jax.models.contract import NamedRecipe, sequential
from mm_jax.pytrees import pytree, static
from mm_jax.vocab import Vocab


@pytree
class Block:
    """The arrays of one block."""

    gain1: Float32[Array, " width"]  # of the norm before attention; gain2 and shift2 are those before the MLP
    shift1: Float32[Array, " width"]
    Wqkv: Float32[Array, "width 3*width"]  # one product makes queries, keys and values of all heads
    bqkv: Float32[Array, " 3*width"]
    Wo: Float32[Array, "width width"]  # mixes what the heads found
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
    >>> vocab = mm_jax.Vocab.from_words(["emma"])
    >>> params = init(jax.random.key(0), vocab, num_layers=2, num_heads=2, width=8, max_length=5)
    >>> jax.jit(mm_jax.unroll)(params, jnp.array([1, 2])).shape
    (3, 4)
    """

    C: Float32[Array, "vocab_size width"]
    P: Float32[Array, "positions width"]  # attention has no order: without P a word is a bag
    blocks: tuple[Block, ...]
    gain: Float32[Array, " width"]
    shift: Float32[Array, " width"]
    Wu: Float32[Array, "width vocab_size"]  # GPT-2 takes C.T: here that would save 1% of the numbers
    bu: Float32[Array, " vocab_size"]
    vocab: Vocab
    num_heads: int = static()  # no shape tells it


class Cache(NamedTuple):
    """What was read of a word: the last x after all blocks, keys and values of all positions, and how many they are."""

    x: Float32[Array, " width"]
    # One array a block: a stacked one would be copied at every step. Each is laid out as its product reads it: as
    # [positions, width], as they are made, a step would lay out the whole cache anew, and take twice as long.
    keys: tuple[Float32[Array, "heads head positions"], ...]
    values: tuple[Float32[Array, "heads positions head"], ...]
    length: Int32[Array, ""]


def init(
    key: Key[Array, ""], vocab: Vocab, *, num_layers: int = 4, num_heads: int = 4, width: int = 64, max_length: int = 31
) -> Transformer:
    """Returns new parameters, float32: 205,595 numbers for 27 tokens and the default sizes.

    Matrices are drawn with a variance of 1 / fan-in, those that add to x with that over 2 * num_layers, so that x does
    not grow with depth; C with a deviation of 1/2, P of 1/10, Wu with a tenth of its own, so that the loss starts near
    ln(vocab_size). Gains are 1, shifts and biases 0.

    Args:
      key: decides every weight.
      vocab: its size is the number of embeddings and of outputs.
      num_layers: number of blocks.
      num_heads: number of attention heads, a divisor of the width.
      width: width of the residual stream x.
      max_length: longest word, in characters.

    Raises ValueError for a size below 1, and for heads that do not divide the width.
    Source: GPT-2; makemore's Transformer.

    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), num_layers=2, num_heads=2, width=8, max_length=5)
    >>> params.C.shape, params.P.shape, params.blocks[1].Wqkv.shape, params.Wu.shape
    ((4, 8), (6, 8), (8, 24), (8, 4))
    """
    V = check_sizes(key, vocab, num_layers=num_layers, num_heads=num_heads, width=width, max_length=max_length)
    _check_heads(num_heads, width)
    of_blocks, of_C, of_P, of_Wu = jax.random.split(key, 4)
    return Transformer(
        C=jax.random.normal(of_C, (V, width), jnp.float32) * 0.5,
        P=jax.random.normal(of_P, (max_length + 1, width), jnp.float32) * 0.1,  # a word is its characters first
        blocks=tuple(_block(each, width, num_layers) for each in jax.random.split(of_blocks, num_layers)),
        gain=jnp.ones(width, jnp.float32),
        shift=jnp.zeros(width, jnp.float32),
        Wu=jax.random.normal(of_Wu, (width, V), jnp.float32) * 0.1 / width**0.5,  # logits near 0
        bu=jnp.zeros(V, jnp.float32),
        vocab=vocab,
        num_heads=num_heads,
    )


def _block(key: Key[Array, ""], width: int, num_layers: int) -> Block:
    added = (0.5 / num_layers) ** 0.5  # 2 * num_layers matrices add to x: their sum has a variance of about 1
    weights = draw(
        key,
        Wqkv=((width, 3 * width), 1.0, width),
        Wo=((width, width), added, width),
        W1=((width, 4 * width), 1.0, width),
        W2=((4 * width, width), added, 4 * width),
    )
    ones, zeros = jnp.ones(width, jnp.float32), jnp.zeros(width, jnp.float32)
    return Block(
        **weights,
        gain1=ones,
        shift1=zeros,
        bqkv=jnp.zeros(3 * width, jnp.float32),
        bo=zeros,
        gain2=ones,
        shift2=zeros,
        b1=jnp.zeros(4 * width, jnp.float32),
        b2=zeros,
    )


def max_length(params: Transformer) -> int:
    """Returns the longest word that it reads, in characters."""
    return params.P.shape[-2] - 1


def validate(params: Transformer) -> None:
    """Raises ValueError for heads that do not divide the width, and for blocks of another width."""
    _check_heads(params.num_heads, params.C.shape[-1])
    if any(len(block.gain1) != params.C.shape[-1] for block in params.blocks):
        raise ValueError("its blocks have another width")


def start(params: Transformer) -> Cache:
    """Returns the state of a word's start: a cache that holds its `.`."""
    # Of fixed shape, however short the word: one program reads all of them.
    nothing = _heads(params.num_heads, jnp.zeros(params.P.shape, jnp.float32))
    keys, values = (tuple(each for _ in params.blocks) for each in (jnp.swapaxes(nothing, -1, -2), nothing))
    empty = Cache(jnp.zeros(params.P.shape[-1], jnp.float32), keys, values, jnp.int32(0))
    return advance(params, empty, jnp.int32(0))


def advance(params: Transformer, state: Cache, token: Int[Array, ""]) -> Cache:
    """Appends a position to the cache: its x passes all blocks, each of which sees the keys and values before."""
    x, place = (params.C[token] + params.P[state.length])[None], state.length
    mask = jnp.arange(len(params.P)) <= place  # behind it, the cache holds zeros
    keys, values = [], []
    for block, k_before, v_before in zip(params.blocks, state.keys, state.values, strict=True):
        q, k, v = (_heads(params.num_heads, each) for each in _queries_keys_values(block, x))
        keys.append(lax.dynamic_update_slice_in_dim(k_before, jnp.swapaxes(k, 1, 2), place, 2))
        values.append(lax.dynamic_update_slice_in_dim(v_before, v, place, 1))
        a = _attend(q[None], keys[-1][None], values[-1][None], mask[None, None])[0]
        x = x + affine_rows(a, block.Wo, block.bo)
        x = x + _mlp(block, x)
    return Cache(x[0], tuple(keys), tuple(values), place + 1)


def logits(params: Transformer, state: Cache) -> Float32[Array, " vocab_size"]:
    """Computes the output layer, for the last position."""
    return _output(params, state.x[None])[0]


def unroll_rows(
    params: Transformer, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 vocab_size"]:
    """Computes the rows of all positions at once."""
    x = _last_x(params, tokens, dropout)
    return _output(params, x.reshape(-1, x.shape[-1])).reshape(*x.shape[:2], -1)


def states(params: Transformer, tokens: Int[Array, "batch length"], dropout: Dropout | None = None) -> Cache:
    """Returns a cache for each position that holds its x alone: all that `logits` reads."""
    x = _last_x(params, tokens, dropout)
    return Cache(x, (), (), jnp.zeros(x.shape[:2], jnp.int32))


def _last_x(
    params: Transformer, tokens: Int[Array, "batch length"], dropout: Dropout | None
) -> Float32[Array, "batch length+1 width"]:
    """Returns x after all blocks; drops characters, edges, and entries of what is added to x."""
    inputs = jax.vmap(with_start)(tokens)
    batch, size = inputs.shape
    # All but attention works on each position alone: x is [batch * size, width], so each product is a single one.
    shown = jax.vmap(drop_tokens)(inputs, dropout).reshape(-1)
    x = look_up(params.C, shown) + look_up(params.P, jax.vmap(word_positions)(inputs).reshape(-1))
    mask = jax.vmap(causal_mask)(inputs)
    place = itertools.count()  # numbers what is added to x, so that each has a dropout mask of its own

    def dropped(added):
        added = added.reshape(batch, size, -1)
        return jax.vmap(drop_states, (0, 0, None))(added, dropout, next(place)).reshape(batch * size, -1)

    for i, block in enumerate(params.blocks):
        rows = (each.reshape(batch, size, -1) for each in _queries_keys_values(block, x))
        q, k, v = (_heads(params.num_heads, each) for each in rows)
        a = _attend(q, transposed(k), v, jax.vmap(drop_edges, (0, 0, None))(mask, dropout, i))
        x = x + dropped(affine_rows(a.reshape(x.shape), block.Wo, block.bo))
        x = x + dropped(_mlp(block, x))
    return x.reshape(batch, size, -1)


def _check_heads(num_heads: int, width: int) -> None:
    if width % num_heads:
        raise ValueError(f"{num_heads} heads do not divide a width of {width}: choose a width that is a multiple")


def _heads(
    num_heads: int, x: Float32[Array, "*batch positions width"]
) -> Float32[Array, "*batch heads positions head"]:
    """Gives each head its part of the width: each is one of a batch of products."""
    return jnp.swapaxes(x.reshape(*x.shape[:-1], num_heads, -1), -2, -3)


def _attend(
    q: Float32[Array, "batch heads queries head"],
    keys: Float32[Array, "batch heads head positions"],
    values: Float32[Array, "batch heads positions head"],
    mask: Bool[Array, "batch queries positions"],
) -> Float32[Array, "batch queries width"]:
    """Computes attention: softmax(q . k / sqrt(head)) . v of each head, over the positions that the mask shows."""
    # A product of two vectors of N(0, 1) has the deviation sqrt(head): divided by it, softmax does not start as a max.
    scores = batched_product(q, keys) * q.shape[-1] ** -0.5
    scores = scores + jnp.where(mask, 0.0, -jnp.inf)[:, None]  # adding -inf needs no select in the backward pass
    a = jnp.swapaxes(batched_product(jax.nn.softmax(scores), values), 1, 2)
    return a.reshape(*a.shape[:2], -1)


def _norm_affine(
    x: Float32[Array, "n width"],
    gain: Float32[Array, " width"],
    shift: Float32[Array, " width"],
    W: Float32[Array, "width m"],
    b: Float32[Array, " m"],
) -> Float32[Array, "n m"]:
    """Computes norm(x) @ W + b."""
    # (gain * y + shift) @ W + b = y @ (gain * W) + (shift @ W + b): done once to W and b, and not at every position.
    return affine_rows(standardised(x), gain[:, None] * W, shift @ W + b)


def _queries_keys_values(block: Block, x: Float32[Array, "n width"]) -> list[Float32[Array, "n width"]]:
    return jnp.split(_norm_affine(x, block.gain1, block.shift1, block.Wqkv, block.bqkv), 3, 1)


def _mlp(block: Block, x: Float32[Array, "n width"]) -> Float32[Array, "n width"]:
    inside = jax.nn.gelu(_norm_affine(x, block.gain2, block.shift2, block.W1, block.b1))
    return affine_rows(inside, block.W2, block.b2)


def _output(params: Transformer, x: Float32[Array, "n width"]) -> Float32[Array, "n vocab_size"]:
    return _norm_affine(x, params.gain, params.shift, params.Wu, params.bu)


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
    "tuned": NamedRecipe(training={**_TUNED, "steps": 2400}, efforts=("best",), fewest_words=2000, rung="transformer"),
}
MODEL = sequential(
    Transformer,
    start=start,
    advance=advance,
    logits=logits,
    unroll_rows=unroll_rows,
    states=states,
    max_length=max_length,
    drops=("tokens", "states", "edges"),
    validate=validate,
    init=init,
    recipes=RECIPES,
    nanoseconds=0.45,  # attention beside its products
)
