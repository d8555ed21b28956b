"""The multi-layer perceptron of Bengio et al. (2003), as makemore part 2 writes it: C, W1, b1, W2, b2.

    x      = C[context] laid end to end          block_size * embedding_dim
    h      = tanh(x @ W1 + b1)                   hidden_dim
    logits = h @ W2 + b2                         vocab_size

Written for one context; batches come from `jax.vmap`. The lecture calls emb.view(32, 6), which names a batch size and
a width that change later; here a context is flattened, whatever its size.
"""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from mm_jax.layers.products import column_major
from mm_jax.layers.weights import check_sizes, draw
from mm_jax.models.contract import NamedRecipe, windowed
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class MLP:
    """Embeddings, a tanh layer, an output layer.

    >>> import jax
    >>> params = init(jax.random.key(0), Vocab(".ab"), block_size=3, embedding_dim=2, hidden_dim=4)
    >>> params.C.shape, params.W1.shape, params.vocab.chars
    ((3, 2), (6, 4), '.ab')
    """

    C: Float32[Array, "vocab_size embedding_dim"]
    W1: Float32[Array, "fan_in hidden_dim"]  # fan_in = block_size * embedding_dim
    b1: Float32[Array, " hidden_dim"]
    W2: Float32[Array, "hidden_dim vocab_size"]
    b2: Float32[Array, " vocab_size"]
    vocab: Vocab


def init(
    key: Key[Array, ""],
    vocab: Vocab,
    *,
    block_size: int = 3,
    embedding_dim: int = 10,
    hidden_dim: int = 200,
    init: Literal["scaled", "lecture"] = "scaled",
) -> MLP:
    """Returns new parameters, float32.

    Args:
      key: decides every weight.
      vocab: its size is the number of embeddings and of outputs.
      block_size: characters of context.
      embedding_dim: width of an embedding.
      hidden_dim: width of the tanh layer.
      init: scale of the initial weights: scaled starts near ln(vocab_size), lecture near 26. "scaled" draws W1 with a
        variance of 1 / fan-in, W2 with a tenth of that deviation, and sets the biases to 0; "lecture" draws everything
        from N(0, 1).

    Raises ValueError for a size below 1 or another init.

    Source: makemore part 2; the scaled draws are those that part 3 argues for.

    >>> import jax
    >>> params = init(jax.random.key(0), Vocab.from_words(["emma"]), hidden_dim=100, embedding_dim=2)
    >>> {name: leaf.shape for name, leaf in vars(params).items() if name != "vocab"}
    {'C': (4, 2), 'W1': (6, 100), 'b1': (100,), 'W2': (100, 4), 'b2': (4,)}
    """
    V = check_sizes(key, vocab, block_size=block_size, embedding_dim=embedding_dim, hidden_dim=hidden_dim)
    if init not in ("scaled", "lecture"):
        raise ValueError(f"init is {init!r}: choose 'scaled' or 'lecture'")
    # The biases, zeros here, are named in their place: the key is split by the order of the names.
    D, H, fan_in = embedding_dim, hidden_dim, block_size * embedding_dim
    if init == "lecture":
        weights = draw(
            key,
            C=((V, D), 1.0),
            W1=((fan_in, H), 1.0),  # h is +-1 nearly everywhere: tanh is saturated, the "dead neurons" of part 3
            b1=((H,), 1.0),
            W2=((H, V), 1.0),  # logits of deviation sqrt(H): confident and wrong
            b2=((V,), 1.0),
        )
    else:
        weights = draw(
            key,
            C=((V, D), 1.0),
            W1=((fan_in, H), 1.0, fan_in),  # x @ W1 has the deviation of x, which keeps tanh out of saturation
            b1=((H,), 0.0),
            W2=((H, V), 0.1, H),  # logits near 0: the loss starts near ln(vocab_size)
            b2=((V,), 0.0),
        )
    return MLP(**weights, vocab=vocab)


def block_size(params: MLP) -> int:
    """Returns how many tokens a context has."""
    return params.W1.shape[-2] // params.C.shape[-1]  # from the end: a population has one more axis in front


def logits(params: MLP, context: Int[Array, " block_size"]) -> Float32[Array, " vocab_size"]:
    """Computes the equation above, for one context."""
    x = params.C[context].reshape(-1)  # [block_size, embedding_dim] end to end: W1 has rows of its own for each place
    h = jnp.tanh(x @ params.W1 + params.b1)
    return h @ column_major(params.W2) + params.b2


def validate(params: MLP) -> None:
    """Raises ValueError where W1 does not take whole embeddings."""
    if params.W1.shape[0] % params.C.shape[1] or not params.W1.shape[0]:
        raise ValueError(f"W1 has {params.W1.shape[0]} rows, no multiple of the {params.C.shape[1]} of an embedding")


_TUNED = {"batch_size": 320, "draw": "contexts", "optimizer": "adam", "decay": "cosine"}
_WIDE = {"block_size": 7, "embedding_dim": 24, "hidden_dim": 400}
RECIPES = {
    "tuned": NamedRecipe(training={**_TUNED, "steps": 1600, "learning_rate": 0.03}, rung="MLP, tuned"),
    "lecture": NamedRecipe(
        training={"steps": 200_000, "batch_size": 32, "draw": "examples", "learning_rate": 0.1, "decay": "tenth"},
        model={"init": "lecture"},
        rung="MLP, lecture",
    ),
    "wide-quick": NamedRecipe(
        training={**_TUNED, "steps": 600, "learning_rate": 0.005},
        model=_WIDE,
        efforts=("quick",),
        fewest_words=500,
    ),
    "wide": NamedRecipe(
        training={**_TUNED, "steps": 1600, "learning_rate": 0.005},
        model=_WIDE,
    ),
    "wide-long": NamedRecipe(
        training={**_TUNED, "steps": 3200, "learning_rate": 0.005},
        model=_WIDE,
        efforts=("best",),
        fewest_words=500,
    ),
}
MODEL = windowed(
    MLP,
    block_size=block_size,
    logits=logits,
    validate=validate,
    init=init,
    recipes=RECIPES,
    pictures=("embedding",),
)
