"""The count model again, as a neural network of one layer: W (makemore part 1).

    logits = one_hot(previous) @ W = W[previous]

The lecture multiplies a one-hot row with W; the product is a row of W, and that row is taken directly. Trained to the
end without a penalty, softmax(W) is the normalised count table: the two are one model, fitted in two ways.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from mm_jax.layers.weights import check_sizes
from mm_jax.models import counts
from mm_jax.models.contract import NamedRecipe, windowed
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class Bigram:
    """One weight for each pair of characters.

    >>> params = Bigram(W=jnp.zeros((3, 3)), vocab=Vocab(".ab"))
    >>> logits(params, jnp.array([1])).tolist()
    [0.0, 0.0, 0.0]
    """

    W: Float32[Array, "vocab_size vocab_size"]  # W[i, j]: the logit of j after i
    vocab: Vocab


def init(key: Key[Array, ""], vocab: Vocab) -> Bigram:
    """Draws W from N(0, 1), as the lecture does: float32 [vocab_size, vocab_size].

    Raises ValueError for an alphabet whose square is too large a table.

    >>> init(jax.random.key(0), Vocab(".ab")).W.shape
    (3, 3)
    """
    V = check_sizes(key, vocab)
    counts.check_alphabet(vocab)
    return Bigram(W=jax.random.normal(key, (V, V), jnp.float32), vocab=vocab)


def from_counts(params: counts.Counts) -> Bigram:
    """Returns the same model as a count table, in closed form: W = log(N + smoothing), -inf where that is log 0.

    >>> table = counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    >>> jnp.exp(from_counts(table).W).round().astype(int).tolist()
    [[1, 2, 2], [1, 1, 2], [3, 1, 1]]
    """
    contexts = jnp.arange(len(params.vocab))[:, None]  # every context there is: one of each character
    return Bigram(W=jax.vmap(counts.logits, (None, 0))(params, contexts), vocab=params.vocab)


def block_size(params: Bigram) -> int:
    """Returns how many tokens a context has: 1."""
    return 1


def logits(params: Bigram, context: Int[Array, "1"]) -> Float32[Array, " vocab_size"]:
    """Returns the last character's row of W."""
    return params.W[context[0]]  # one_hot(context[0]) @ W, without the products with 0


RECIPES = {
    "tuned": NamedRecipe(
        training={"steps": 1000, "batch_size": None, "optimizer": "adam", "learning_rate": 0.3, "decay": "cosine"}
    ),
    "lecture": NamedRecipe(
        training={"steps": 100, "batch_size": None, "optimizer": "sgd", "learning_rate": 50.0, "l2": 0.01},
        rung="neural bigram, 100 steps",
    ),
}
MODEL = windowed(Bigram, block_size=block_size, logits=logits, init=init, recipes=RECIPES, pictures=("weight_table",))
