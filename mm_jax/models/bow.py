"""The bag of words, as makemore has it: a word's last character, and all of it in no order: C, W1, b1, W2, b2.

    a      = mean of C[token] over all tokens so far, the `.` before the word included      embedding_dim
    h      = tanh([C[last], a] @ W1 + b1)                                                   hidden_dim
    logits = h @ W2 + b2                                                                    vocab_size

The mean is attention without queries and keys: every edge has the same weight. makemore adds an embedding of the
position to each character's. It is left out: one `.` is in every bag, so its share says how long the word is, and no
table of positions puts a limit on that. makemore adds last character and mean; end to end, W1 can tell them apart.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Int32, Key

from mm_jax.layers.dropout import Dropout, drop_edges, drop_states, drop_tokens
from mm_jax.layers.packing import causal_mask, with_start
from mm_jax.layers.products import column_major, look_up
from mm_jax.layers.weights import check_sizes, draw
from mm_jax.models.contract import NamedRecipe, sequential
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class BagOfWords:
    """Embeddings, a tanh layer over the last one and the mean of all, an output layer.

    >>> import mm_jax
    >>> params = init(jax.random.key(0), mm_jax.Vocab(".ab"), embedding_dim=4, hidden_dim=8)
    >>> jax.jit(mm_jax.unroll)(params, jnp.array([1, 2])).shape
    (3, 3)
    """

    C: Float32[Array, "vocab_size embedding_dim"]
    W1: Float32[Array, "2*embedding_dim hidden_dim"]  # rows: those of the last character, then those of the mean
    b1: Float32[Array, " hidden_dim"]
    W2: Float32[Array, "hidden_dim vocab_size"]
    b2: Float32[Array, " vocab_size"]
    vocab: Vocab


class Bag(NamedTuple):
    """The state: what was read of a word."""

    counts: Float32[Array, " vocab_size"]  # how often each token stands in it, its `.` included
    last: Int32[Array, ""]  # the bag has no order, so the last token is kept beside it


def init(key: Key[Array, ""], vocab: Vocab, *, embedding_dim: int = 64, hidden_dim: int = 256) -> BagOfWords:
    """Returns new parameters, float32: 41,691 numbers for 27 tokens and the default widths.

    C is drawn from N(0, 1), W1 with a variance of 1 / fan-in, W2 with a tenth of that deviation, so that the loss
    starts near ln(vocab_size). Biases are 0.

    Args:
      key: decides every weight.
      vocab: its size is the number of embeddings and of outputs.
      embedding_dim: width of an embedding.
      hidden_dim: width of the tanh layer.

    Raises ValueError for a width below 1.

    Source: makemore's BoW.

    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), embedding_dim=2, hidden_dim=8)
    >>> {name: leaf.shape for name, leaf in vars(params).items() if name != "vocab"}
    {'C': (4, 2), 'W1': (4, 8), 'b1': (8,), 'W2': (8, 4), 'b2': (4,)}
    """
    V = check_sizes(key, vocab, embedding_dim=embedding_dim, hidden_dim=hidden_dim)
    D, H = embedding_dim, hidden_dim
    weights = draw(
        key,
        C=((V, D), 1.0),  # as torch's nn.Embedding
        W1=((2 * D, H), 1.0, 2 * D),  # what tanh reads has a deviation below 1: out of saturation
        W2=((H, V), 0.1, H),  # logits near 0: the loss starts near ln(vocab_size)
    )
    return BagOfWords(**weights, b1=jnp.zeros(H, jnp.float32), b2=jnp.zeros(V, jnp.float32), vocab=vocab)


def start(params: BagOfWords) -> Bag:
    """Returns the state of a word's start: a bag with its `.`."""
    return advance(params, Bag(jnp.zeros(len(params.vocab), jnp.float32), jnp.int32(0)), jnp.int32(0))


def advance(params: BagOfWords, state: Bag, token: Int[Array, ""]) -> Bag:
    """Adds one more character to the bag."""
    # Counts, not a sum of embeddings: it is the same mean, and stays exact however long the word.
    return Bag(state.counts.at[token].add(1.0), jnp.asarray(token, jnp.int32))


def logits(params: BagOfWords, state: Bag) -> Float32[Array, " vocab_size"]:
    """Computes the equation above, for one bag."""
    mean = state.counts @ params.C / state.counts.sum()
    return _output(params, _hidden(params, params.C[state.last], mean))


def unroll(
    params: BagOfWords, tokens: Int[Array, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """Computes the rows of all positions; drops characters, members of each position's bag, and entries of h."""
    inputs = with_start(tokens)
    x = look_up(params.C, drop_tokens(inputs, dropout))
    # The mean over the bag is attention in which every edge has the same weight, so it is one product of the mask.
    mask = drop_edges(causal_mask(inputs), dropout).astype(jnp.float32)
    mean = (mask / mask.sum(1, keepdims=True)) @ x
    h = drop_states(jax.vmap(_hidden, (None, 0, 0))(params, x, mean), dropout)
    return jax.vmap(_output, (None, 0))(params, h)


def _hidden(
    params: BagOfWords, last: Float32[Array, " embedding_dim"], mean: Float32[Array, " embedding_dim"]
) -> Float32[Array, " hidden_dim"]:
    return jnp.tanh(jnp.concatenate([last, mean]) @ column_major(params.W1) + params.b1)


def _output(params: BagOfWords, h: Float32[Array, " hidden_dim"]) -> Float32[Array, " vocab_size"]:
    return h @ column_major(params.W2) + params.b2


RECIPES = {
    "tuned": NamedRecipe(
        training={
            "steps": 1500,
            "batch_size": 64,
            "draw": "words",
            "optimizer": "adamw",
            "learning_rate": 0.015,
            "decay": "linear",
        },
        rung="bag of words",
    ),
}
MODEL = sequential(
    BagOfWords,
    start=start,
    advance=advance,
    logits=logits,
    unroll=unroll,
    drops=("tokens", "states", "edges"),
    name="bow",
    init=init,
    recipes=RECIPES,
)
