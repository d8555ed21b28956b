"""The training loss: cross entropy, and the lecture's L2 penalty."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Int32

from mm_jax.models import blocks
from mm_jax.models.contract import Params, State, model_of
from mm_jax.pytrees import pytree


@pytree
class Targets:
    """The next tokens of a large vocabulary, in place of a row of weights for each: rows are made a block at a time.

    The rows of a position are weight * ((1 - share) * one-hot token + share * the teacher's distribution).
    """

    tokens: Int32[Array, "*batch"]
    weights: Float32[Array, "*batch"]
    teacher: Any  # a model, or None
    taught: State  # the teacher's states at all positions, or None
    share: Float32[Array, ""]

    def nll(self, params: Params, states: State) -> Float32[Array, ""]:
        """Computes the cross entropy, as `optax.softmax_cross_entropy` of all rows would; `states` are the model's."""
        size, places = len(params.vocab), self.tokens.ndim

        def of_block(states: State, tokens: Array, taught: State) -> Array:
            wanted = jax.nn.one_hot(tokens, size, dtype=jnp.float32)
            if self.teacher is not None:
                known = jax.nn.softmax(jax.vmap(model_of(self.teacher).logits, (None, 0))(self.teacher, taught))
                wanted = (1 - self.share) * wanted + self.share * known
            return optax.softmax_cross_entropy(jax.vmap(model_of(params).logits, (None, 0))(params, states), wanted)

        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[places:]), (states, self.tokens, self.taught))
        each = blocks.of_positions(of_block, size, *flat)
        # A word that is cut has the weight 0; its teacher may say nan.
        return jnp.where(self.weights.reshape(-1) > 0, each * self.weights.reshape(-1), 0.0).sum()


def loss(
    params: Params,
    predict: Callable[[Params, Any], Float32[Array, "*batch vocab_size"]],
    inputs: Any,
    weights: Float32[Array, "*batch vocab_size"] | Targets,
    l2: float | Float32[Array, ""] | None = None,
) -> Float32[Array, ""]:
    """Computes the cross entropy in nats per character, plus the lecture's penalty.

    -sum_ij weights[i, j] * log softmax(predict(params, inputs)[i])[j]  +  l2 * sum over weight matrices of mean(W^2)

    Args:
      params: a model.
      predict: returns the logits at the inputs: the `predict` of the batches; for Targets the states there.
      inputs: contexts, or rows of words.
      weights: of each next token, such as its relative frequency, or one-hot rows / batch size; Targets, where the
        vocabulary is large, compute logits a block at a time.
      l2: strength of the penalty; None for none.

    Source: makemore parts 1 and 2.
    """
    if isinstance(weights, Targets):
        nll = weights.nll(params, predict(params, inputs))
    else:
        nll = optax.softmax_cross_entropy(predict(params, inputs), weights).sum()
    return nll if l2 is None else nll + l2 * sum(jnp.mean(jnp.square(W)) for W in matrices(params))


def matrices(params: Params) -> list[Array]:
    """Returns the weight matrices that the penalty is taken of: the arrays [..., rows, columns] in fields named W..."""
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return [leaf for path, leaf in leaves if getattr(path[-1], "name", "").startswith("W")]
