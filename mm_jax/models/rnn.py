"""The recurrent network of Elman (1990) and Mikolov et al. (2010), as makemore has it: C, W1, b1, W2, b2.

    h      = tanh(C[token] + h @ W1 + b1)        hidden_dim; 0 before a word's `.` is read
    logits = h @ W2 + b2                         vocab_size

The MLP reads a window of embeddings; here one vector carries what was read, however long ago. makemore lays embedding
and h end to end and multiplies both with a matrix: what the character's part gives is a row of a table, C.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from mm_jax.models import recurrence, rows
from mm_jax.models.contract import Dropout, NamedRecipe, sequential
from mm_jax.models.weights import normals
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class RNN:
    """What each character gives to the hidden vector, what the vector before gives to it, an output layer.

    >>> import mm_jax
    >>> params = init(jax.random.key(0), mm_jax.Vocab(".ab"), hidden_dim=8)
    >>> mm_jax.unroll(params, jnp.array([1, 2])).shape
    (3, 3)
    """

    C: Float32[Array, "vocab_size hidden_dim"]
    W1: Float32[Array, "hidden_dim hidden_dim"]
    b1: Float32[Array, " hidden_dim"]
    W2: Float32[Array, "hidden_dim vocab_size"]
    b2: Float32[Array, " vocab_size"]
    vocab: Vocab


def init(key: Key[Array, ""], vocab: Vocab, *, hidden_dim: int = 256) -> RNN:
    """New parameters, float32: 79,643 numbers for 27 tokens and the default width.

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
    if hidden_dim < 1:
        raise ValueError(f"sizes must be 1 or more, got {hidden_dim=}")
    shapes = (len(vocab), hidden_dim), (hidden_dim, hidden_dim), (hidden_dim, len(vocab))
    C, W1, W2 = normals(key, *shapes, times=(0.5, 1, 0.1), over=(1, hidden_dim**0.5, hidden_dim**0.5))
    return RNN(
        C=C,
        W1=W1,
        b1=jnp.zeros(hidden_dim, jnp.float32),
        W2=W2,
        b2=jnp.zeros(len(vocab), jnp.float32),
        vocab=vocab,
    )


def cell(
    x: Float32[Array, " hidden_dim"], s: Float32[Array, " hidden_dim"], h: Float32[Array, " hidden_dim"]
) -> Float32[Array, " hidden_dim"]:
    """The next h, from what the character (x) and the vector before (s) give to it; of h itself nothing is kept."""
    return jnp.tanh(x + s)


def start(params: RNN) -> Float32[Array, " hidden_dim"]:
    """The state of a word's start: h after its `.`. makemore learns it as an array of its own; C has a row for it."""
    return advance(params, jnp.zeros(params.W1.shape[-2], jnp.float32), jnp.int32(0))


def advance(params: RNN, state: Float32[Array, " hidden_dim"], token: Int[Array, ""]) -> Float32[Array, " hidden_dim"]:
    """h after one more character."""
    return cell(params.C[token], state @ params.W1 + params.b1, state)


def logits(params: RNN, state: Float32[Array, " hidden_dim"]) -> Float32[Array, " vocab_size"]:
    """The output layer."""
    return rows.product(state, params.W2) + params.b2


def unroll(
    params: RNN, tokens: Int[Array, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """The rows of all positions; `dropout` leaves out characters, and entries of h where the output layer reads it."""
    read = rows.inputs(tokens)
    table, shown = rows.with_nothing(params.C), rows.drop_tokens(read, dropout)
    h = recurrence.read(cell, table, params.W1, params.b1, shown, read == 0)
    return jax.vmap(logits, (None, 0))(params, rows.drop_states(h, dropout))


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
    unroll=unroll,
    drops=("tokens", "states"),
    init=init,
    recipes=RECIPES,
)
