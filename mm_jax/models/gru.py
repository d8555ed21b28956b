"""The gated recurrent unit of Cho et al. (2014): C, W1, b1, bn, W2, b2.

    x      = C[token] + b1                       what the character gives to three gates: x_r, x_z, x_n
    s      = h @ W1 + [0, 0, bn]                 what the state gives to them: s_r, s_z, s_n
    r      = sigmoid(x_r + s_r)                  how much of the state the new value sees
    z      = sigmoid(x_z + s_z)                  how much of the state is kept
    n      = tanh(x_n + r * s_n)                 the new value
    h      = z * h + (1 - z) * n                 hidden_dim; 0 before a word's `.` is read
    logits = h @ W2 + b2                         vocab_size

r comes after the product, as in cuDNN, PyTorch and Flax, so that one product serves all three gates; the paper resets h
before it. A character is one of few, so what it gives to the gates is a row of a table, C: makemore multiplies an
embedding with a matrix, and the product of the two is such a table.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from mm_jax.layers import recurrence
from mm_jax.layers.dropout import Dropout, drop_states, drop_tokens
from mm_jax.layers.packing import with_start
from mm_jax.layers.products import LARGE, column_major
from mm_jax.layers.weights import check_sizes, draw
from mm_jax.models.contract import NamedRecipe, sequential
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class GRU:
    """A table of what each character gives to the gates, a layer of gated units, an output layer.

    >>> import mm_jax
    >>> params = init(jax.random.key(0), mm_jax.Vocab(".ab"), hidden_dim=8)
    >>> jax.jit(mm_jax.unroll)(params, jnp.array([1, 2])).shape
    (3, 3)
    """

    C: Float32[Array, "vocab_size 3*hidden_dim"]  # columns: r, z, n; so are those of W1 and b1
    W1: Float32[Array, "hidden_dim 3*hidden_dim"]  # one matrix for three gates: one product a character
    b1: Float32[Array, " 3*hidden_dim"]
    bn: Float32[Array, " hidden_dim"]  # kept apart from b1, because r multiplies it
    W2: Float32[Array, "hidden_dim vocab_size"]
    b2: Float32[Array, " vocab_size"]
    vocab: Vocab


def init(key: Key[Array, ""], vocab: Vocab, *, hidden_dim: int | None = None) -> GRU:
    """Returns new parameters, float32: 225,307 numbers for 27 tokens and the default width.

    C is drawn with a deviation of 1/2, W1 with a variance of 1 / hidden_dim, W2 with a tenth of that deviation, so that
    the loss starts near ln(vocab_size). Biases are 0, but that of z is 1: a new network keeps most of its state, so
    that gradients reach a word's first characters.

    Args:
      key: decides every weight.
      vocab: its size is the number of rows of C and of outputs.
      hidden_dim: width of the hidden vector. None is 256, or 128 where the vocabulary has over 4,096 symbols: C holds
        3 * hidden_dim numbers for each.

    Raises ValueError for a width below 1.

    Source: Cho et al. (2014), makemore's GRU.

    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), hidden_dim=8)
    >>> {name: leaf.shape for name, leaf in vars(params).items() if name != "vocab"}
    {'C': (4, 24), 'W1': (8, 24), 'b1': (24,), 'bn': (8,), 'W2': (8, 4), 'b2': (4,)}
    """
    V = check_sizes(key, vocab, hidden_dim=hidden_dim)
    H = (128 if V > LARGE else 256) if hidden_dim is None else hidden_dim
    weights = draw(
        key,
        C=((V, 3 * H), 0.5),  # below 1: with s it makes up a gate, which then starts out of saturation
        W1=((H, 3 * H), 1.0, H),  # s has about the deviation of h
        W2=((H, V), 0.1, H),  # logits near 0: the loss starts near ln(vocab_size)
    )
    return GRU(
        **weights,
        b1=jnp.zeros(3 * H, jnp.float32).at[H : 2 * H].set(1.0),  # of z: sigmoid(1) = 0.73 of the state is kept
        bn=jnp.zeros(H, jnp.float32),
        b2=jnp.zeros(V, jnp.float32),
        vocab=vocab,
    )


def cell(
    x: Float32[Array, "*batch gate_dim"], s: Float32[Array, "*batch gate_dim"], h: Float32[Array, "*batch hidden_dim"]
) -> Float32[Array, "*batch hidden_dim"]:
    """Returns the next h: r, z, n and h of the equation."""
    x_r, x_z, x_n = jnp.split(x, 3, -1)  # not three slices: the gradient of a split is one concatenation
    s_r, s_z, s_n = jnp.split(s, 3, -1)
    r, z = jax.nn.sigmoid(x_r + s_r), jax.nn.sigmoid(x_z + s_z)
    n = jnp.tanh(x_n + r * s_n)
    return n + z * (h - n)  # z * h + (1 - z) * n with one product less


def start(params: GRU) -> Float32[Array, " hidden_dim"]:
    """Returns the state of a word's start: h after its `.`."""
    return advance(params, jnp.zeros(params.W1.shape[-2], jnp.float32), jnp.int32(0))


def advance(params: GRU, state: Float32[Array, " hidden_dim"], token: Int[Array, ""]) -> Float32[Array, " hidden_dim"]:
    """Returns h after one more character."""
    return cell(params.C[token] + params.b1, state @ params.W1 + _state_bias(params), state)


def logits(params: GRU, state: Float32[Array, " hidden_dim"]) -> Float32[Array, " vocab_size"]:
    """Computes the output layer."""
    return state @ column_major(params.W2) + params.b2


def states(
    params: GRU, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 hidden_dim"]:
    """Returns h at every position as the output layer reads it; drops characters, and entries of h."""
    inputs = jax.vmap(with_start)(tokens)  # [batch, length + 1]: the first `.` is implied
    shown = jax.vmap(drop_tokens)(inputs, dropout)
    h = recurrence.scan(cell, params.C, params.W1, _state_bias(params), shown, inputs == 0, params.b1)
    return jax.vmap(drop_states)(h, dropout)  # only what the output layer reads: the state itself is passed on whole


def _state_bias(params: GRU) -> Float32[Array, " gate_dim"]:
    """Returns [0, 0, bn]: biases of r and z are b1's, since x and s are added there."""
    return jnp.concatenate([jnp.zeros_like(params.bn), jnp.zeros_like(params.bn), params.bn])


_TUNED = {
    "batch_size": 64,
    "draw": "words",
    "optimizer": "adamw",
    "learning_rate": 0.015,
    "decay": "linear",
    "weight_decay": 0.1,
    "drop_tokens": 0.1,
    "teach": 0.5,
}
_LONG = {**_TUNED, "optimizer": "muon", "learning_rate": 0.02, "weight_decay": 0.01, "drop_tokens": 0.0, "teach": 0.0}
# On short lists it beats n-grams and MLPs: examples/README.md, how losses fall with data and size.
RECIPES = {
    "tuned": NamedRecipe(training={**_TUNED, "steps": 2400}, efforts=("best",), fewest_words=500, rung="GRU"),
    "short": NamedRecipe(training={**_TUNED, "steps": 700, "batch_size": 32, "drop_tokens": 0.0}, rung="GRU, short"),
    # It is multiplied with Kneser-Ney, which need not teach it as much as where it stands alone.
    "normal": NamedRecipe(
        training={**_TUNED, "batch_size": 32, "teach": 0.2, "drop_tokens": 0.05, "steps": 1600},
        efforts=("normal",),
        fewest_words=500,
    ),
    # A list that no network learns by heart: nothing is dropped, the teacher does not help, Muon
    # pays for its time: 0.607 in place of 0.626 on MOSES' molecules (4,000 steps, 284 and 255 CPU s).
    "long": NamedRecipe(training={**_LONG, "steps": 20_000}, efforts=("normal", "best"), fewest_words=1_000_000),
}
MODEL = sequential(
    GRU,
    start=start,
    advance=advance,
    logits=logits,
    states=states,
    drops=("tokens", "states"),
    init=init,
    recipes=RECIPES,
)
