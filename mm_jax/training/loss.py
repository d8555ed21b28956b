"""The training loss: cross entropy, and the lecture's L2 penalty."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32

from mm_jax.models.contract import Params


def loss(
    params: Params,
    predict: Callable[[Params, Any], Float32[Array, "*batch vocab_size"]],
    inputs: Any,
    weights: Float32[Array, "*batch vocab_size"],
    l2: float | Float32[Array, ""] | None = None,
) -> Float32[Array, ""]:
    """Computes the cross entropy in nats per character, plus the lecture's penalty.

    -sum_ij weights[i, j] * log softmax(predict(params, inputs)[i])[j]  +  l2 * sum over weight matrices of mean(W^2)

    Args:
      params: a model.
      predict: returns the logits at the inputs: the `predict` of the batches.
      inputs: contexts, or rows of words.
      weights: of each next token, such as its relative frequency, or one-hot rows / batch size.
      l2: strength of the penalty; None for none.

    Source: makemore parts 1 and 2.
    """
    nll = optax.softmax_cross_entropy(predict(params, inputs), weights).sum()
    return nll if l2 is None else nll + l2 * sum(jnp.mean(jnp.square(W)) for W in matrices(params))


def matrices(params: Params) -> list[Array]:
    """Returns the weight matrices that the penalty is taken of: the arrays [..., rows, columns] in fields named W..."""
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return [leaf for path, leaf in leaves if getattr(path[-1], "name", "").startswith("W")]
