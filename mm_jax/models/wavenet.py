"""The WaveNet of van den Oord et al. (2016) as makemore part 5 builds it: a tree that joins two neighbours at a time.

    x      = C[context]                                    block_size = 2 ** num_layers rows
    in each layer:
        x  = tanh(x, two rows end to end, @ W + b)         half as many rows
    logits = x @ Wu + bu                                   of the one row that is left

Where the MLP squeezes all characters into one layer at once, this one meets them pair by pair. A row of layer k tells
of 2 ** k characters, and the windows at the places of a word have most of these rows in common. So a whole word is one
pass: each layer joins a place with the one 1, 2, 4, ... before it, a convolution that is dilated.

    x      = C[. and the word]                             a row for each place
    in layer k = 0, 1, ...:
        x_t = tanh((x_{t - 2^k} and x_t end to end) @ W + b)

Before a word stand dots, as far as a window reaches: their rows are that of the `.` itself, in every layer, not zeros.
The lecture has batch norm in every layer; trained, it folds into W and b, and is this model. The recipe
below does without. The paper's gates, residual and skip connections are left out, as in the lecture.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from mm_jax.layers.dropout import Dropout, drop_tokens
from mm_jax.layers.packing import with_start, word_positions
from mm_jax.layers.products import column_major, look_up
from mm_jax.layers.weights import check_sizes, draw
from mm_jax.models.contract import NamedRecipe, windowed
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class Layer:
    """The arrays of one layer: it joins two rows."""

    W: Float32[Array, "fan_in hidden_dim"]  # fan_in = 2 * width of a row: the earlier of the two comes first
    b: Float32[Array, " hidden_dim"]


@pytree
class WaveNet:
    """Embeddings, layers that join two rows each, an output layer.

    >>> import jax
    >>> params = init(jax.random.key(0), Vocab(".ab"), num_layers=2, embedding_dim=2, hidden_dim=4)
    >>> block_size(params), [layer.W.shape for layer in params.layers]
    (4, [(4, 4), (8, 4)])
    """

    C: Float32[Array, "vocab_size embedding_dim"]
    layers: tuple[Layer, ...]
    Wu: Float32[Array, "hidden_dim vocab_size"]
    bu: Float32[Array, " vocab_size"]
    vocab: Vocab


def init(
    key: Key[Array, ""], vocab: Vocab, *, num_layers: int = 3, embedding_dim: int = 24, hidden_dim: int = 128
) -> WaveNet:
    """Returns new parameters, float32: 76,195 numbers for 27 tokens and the default sizes.

    Args:
      key: decides every weight.
      vocab: its size is the number of embeddings and of outputs.
      num_layers: of the tree; a context has 2 ** num_layers characters.
      embedding_dim: width of an embedding.
      hidden_dim: width of a joined row.

    Raises ValueError for a size below 1, and for more than 16 layers.

    Source: makemore part 5, whose 76,579 numbers include a gain for each of the 384 units, of batch norm.

    >>> import jax
    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), num_layers=2, embedding_dim=3, hidden_dim=8)
    >>> params.C.shape, params.layers[0].W.shape, params.layers[1].W.shape, params.Wu.shape
    ((4, 3), (6, 8), (16, 8), (8, 4))
    """
    V = check_sizes(key, vocab, num_layers=num_layers, embedding_dim=embedding_dim, hidden_dim=hidden_dim)
    if num_layers > 16:
        raise ValueError(f"num_layers is {num_layers}: a context of {2**num_layers:,} characters, give 16 or fewer")
    D, H = embedding_dim, hidden_dim
    fan_ins = [2 * D] + [2 * H] * (num_layers - 1)
    weights = draw(
        key,
        C=((V, D), 1.0),
        Wu=((H, V), 0.1, H),  # logits near 0: the loss starts near ln(vocab_size)
        **{f"W{k}": ((fan_in, H), 1.0, fan_in) for k, fan_in in enumerate(fan_ins)},  # keeps tanh out of saturation
    )
    zeros = jnp.zeros(H, jnp.float32)
    layers = tuple(Layer(W=weights[f"W{k}"], b=zeros) for k in range(num_layers))
    return WaveNet(C=weights["C"], layers=layers, Wu=weights["Wu"], bu=jnp.zeros(V, jnp.float32), vocab=vocab)


def block_size(params: WaveNet) -> int:
    """Returns how many tokens a context has."""
    return 2 ** len(params.layers)


def logits(params: WaveNet, context: Int[Array, " block_size"]) -> Float32[Array, " vocab_size"]:
    """Computes the tree of one context."""
    x = params.C[context]
    for layer in params.layers:
        x = jnp.tanh(x.reshape(len(x) // 2, -1) @ layer.W + layer.b[None])  # row i: rows 2i and 2i + 1, end to end
    return x[0] @ column_major(params.Wu) + params.bu


def unroll(
    params: WaveNet, tokens: Int[Array, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """Computes the rows of all positions in one dilated pass; drops characters."""
    inputs = with_start(tokens)
    place = word_positions(inputs)
    x = look_up(params.C, drop_tokens(inputs, dropout))
    for k, layer in enumerate(params.layers):
        # Row 0 is that of a `.`, which sees dots alone: what stands there before any word.
        earlier = jnp.where((place >= 2**k)[:, None], jnp.roll(x, 2**k, axis=0), x[:1])
        x = jnp.tanh(jnp.concatenate([earlier, x], axis=1) @ layer.W + layer.b[None])
    return x @ column_major(params.Wu) + params.bu[None]


def validate(params: WaveNet) -> None:
    """Raises ValueError where a layer does not take two rows of the one below, or the output layer one of the last."""
    width = params.C.shape[1]
    if not params.layers:
        raise ValueError("layers is empty: a WaveNet has 1 or more")
    for k, layer in enumerate(params.layers):
        if layer.W.shape[0] != 2 * width:
            raise ValueError(f"W of layer {k} has {layer.W.shape[0]} rows, not twice the width {width} below it")
        width = layer.W.shape[1]
    if params.Wu.shape[0] != width:
        raise ValueError(f"Wu has {params.Wu.shape[0]} rows, and the last layer {width} columns")


RECIPES = {
    "tuned": NamedRecipe(
        training={
            "steps": 800,
            "batch_size": 64,
            "draw": "words",  # the dilated pass: a place of a word costs 0.6 of a window
            "optimizer": "muon",
            "learning_rate": 0.06,
            "decay": "linear",
            "weight_decay": 0.1,
            "teach": 0.5,
        },
        rung="WaveNet",
    ),
}
MODEL = windowed(
    WaveNet,
    block_size=block_size,
    logits=logits,
    unroll=unroll,
    drops=("tokens",),
    validate=validate,
    init=init,
    recipes=RECIPES,
    pictures=("embedding",),
)
