"""The recurrent network of Elman (1990) and Mikolov et al. (2010), as makemore has it: C, W1, b1, W2, b2.

    h      = tanh(C[token] + h @ W1 + b1)        hidden_dim; 0 before a word's `.` is read
    logits = h @ W2 + b2                         vocab_size

The MLP reads a window of embeddings; here one vector carries what was read, however long ago. makemore lays embedding
and h end to end and multiplies both with a matrix: what the character's part gives is a row of a table, C.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from mm_jax.layers import recurrence
from mm_jax.layers.dropout import Dropout, drop_states, drop_tokens
from mm_jax.layers.packing import with_start
from mm_jax.layers.products import column_major
from mm_jax.layers.weights import check_sizes, draw
from mm_jax.models.contract import NamedRecipe, sequential
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class RNN:
    """A table of input vectors, a recurrent layer, an output layer.

    >>> import mm_jax
    >>> params = init(jax.random.key(0), mm_jax.Vocab(".ab"), hidden_dim=8)
    >>> mm_jax.unroll(params, jnp.array([1, 2])).shape
    (3, 3)
    """

    C: Float32[Array, "vocab_size hidden_dim"]  # what a character gives to h: as wide as h, no product needed
    W1: Float32[Array, "hidden_dim hidden_dim"]
    b1: Float32[Array, " hidden_dim"]  # C could hold it, but for dropped characters, which give 0
    W2: Float32[Array, "hidden_dim vocab_size"]
    b2: Float32[Array, " vocab_size"]
    vocab: Vocab


def init(key: Key[Array, ""], vocab: Vocab, *, hidden_dim: int = 256) -> RNN:
    """Returns new parameters, float32: 79,643 numbers for 27 tokens and the default width.

    C is drawn with a deviation of 1/2, W1 with a variance of 1 / hidden_dim, so that h neither fades nor grows from
    character to character, W2 with a tenth of that deviation, so that the loss starts near ln(vocab_size); biases are
    0.

    Args:
      key: decides every weight.
      vocab: its size is the number of rows of C and of outputs.
      hidden_dim: width of the hidden vector.

    Raises ValueError for a width below 1.

    Source: makemore's RNN.

    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), hidden_dim=8)
    >>> {name: leaf.shape for name, leaf in vars(params).items() if name != "vocab"}
    {'C': (4, 8), 'W1': (8, 8), 'b1': (8,), 'W2': (8, 4), 'b2': (4,)}
    """
    V, H = check_sizes(key, vocab, hidden_dim=hidden_dim), hidden_dim
    weights = draw(
        key,
        C=((V, H), 0.5),  # below 1: with h @ W1 it makes up what tanh reads, which then starts out of saturation
        W1=((H, H), 1.0, H),  # h neither fades nor grows from character to character
        W2=((H, V), 0.1, H),  # logits near 0: the loss starts near ln(vocab_size)
    )
    return RNN(**weights, b1=jnp.zeros(H, jnp.float32), b2=jnp.zeros(V, jnp.float32), vocab=vocab)


def start(params: RNN) -> Float32[Array, " hidden_dim"]:
    """Returns the state of a word's start: h after its `.`. makemore learns it as an array; C has a row for it."""
    return advance(params, jnp.zeros(params.W1.shape[-2], jnp.float32), jnp.int32(0))


def advance(params: RNN, state: Float32[Array, " hidden_dim"], token: Int[Array, ""]) -> Float32[Array, " hidden_dim"]:
    """Returns h after one more character."""
    # The lecture multiplies a one-hot row with a matrix; that product is a row of C.
    return jnp.tanh(params.C[token] + state @ params.W1 + params.b1)


def logits(params: RNN, state: Float32[Array, " hidden_dim"]) -> Float32[Array, " vocab_size"]:
    """Computes the output layer."""
    return state @ column_major(params.W2) + params.b2


def states(
    params: RNN, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 hidden_dim"]:
    """Returns h at every position as the output layer reads it; drops characters, and entries of h."""
    inputs = jax.vmap(with_start)(tokens)  # [batch, length + 1]: the first `.` is implied
    shown = jax.vmap(drop_tokens)(inputs, dropout)
    # Its cell has no gate that keeps a part of the state itself: all of it comes through s = h @ W1 + b1.
    h = recurrence.scan(lambda x, s, h: jnp.tanh(x + s), params.C, params.W1, params.b1, shown, inputs == 0)
    return jax.vmap(drop_states)(h, dropout)  # only what the output layer reads: the state itself is passed on whole


RECIPES = {
    "tuned": NamedRecipe(
        training={
            "steps": 2000,
            "batch_size": 64,
            "draw": "words",
            "optimizer": "adamw",
            "learning_rate": 0.01,
            "decay": "linear",
            "weight_decay": 0.1,
            "teach": 0.4,
        },
        rung="RNN",
    ),
}
MODEL = sequential(
    RNN,
    start=start,
    advance=advance,
    logits=logits,
    states=states,
    drops=("tokens", "states"),
    init=init,
    recipes=RECIPES,
)
