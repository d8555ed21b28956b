"""Exercise 3: batch normalization, beside lecture_3_activations. Fill the gaps, then grade them with
`pytest examples/exercises/test_3_batchnorm.py`.

- easy: normalize a batch.
- middle: running statistics, as explicit state: it comes in, and the new one is returned.
- hard: fold the norm into the weights, which makes a plain MLP.

State is a dict: mean [h] and var [h].
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import mm_jax

EPS = 1e-5
MOMENTUM = 0.1  # the share of the new batch in the running statistics

State = dict[str, Float[Array, " h"]]


def normalize(
    x: Float[Array, "n h"], gain: Float[Array, " h"], bias: Float[Array, " h"]
) -> tuple[Float[Array, "n h"], State]:
    """Normalizes each of the h neurons over the n examples of the batch, then applies gain and bias.

    Returns y = gain * (x - mean) / sqrt(var + EPS) + bias, and {"mean": ..., "var": ...} of the batch. The variance
    divides by n - 1.
    """
    mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)
    return gain * (x - mean) / jnp.sqrt(var + EPS) + bias, {"mean": mean, "var": var}


def normalize_and_track(
    x: Float[Array, "n h"], gain: Float[Array, " h"], bias: Float[Array, " h"], state: State
) -> tuple[Float[Array, "n h"], State]:
    """Normalizes by the statistics of the batch, and returns the new running statistics beside the result.

    new = (1 - MOMENTUM) * old + MOMENTUM * batch. `state` itself stays as it is, and no gradient flows into the new
    one (`jax.lax.stop_gradient`).
    """
    y, batch = normalize(x, gain, bias)
    batch = jax.lax.stop_gradient(batch)
    return y, jax.tree.map(lambda old, new: (1 - MOMENTUM) * old + MOMENTUM * new, state, batch)


def normalize_with(
    x: Float[Array, "n h"], gain: Float[Array, " h"], bias: Float[Array, " h"], state: State
) -> Float[Array, "n h"]:
    """Normalizes by the running statistics, so that an example does not hang on the others: one alone will do."""
    return gain * (x - state["mean"]) / jnp.sqrt(state["var"] + EPS) + bias


def fold(params: dict[str, Array], state: State, vocab: mm_jax.Vocab) -> mm_jax.MLP:
    """Folds a norm into the layer in front of it, and returns an MLP that has the same logits and no norm.

    The network computes, for one context: x = C[context] joined, h = tanh(norm(x @ W1)), logits = h @ W2 + b2, where
    norm is `normalize_with`. `params`: C, W1, gain, bias, W2, b2. The MLP has b1 in place of gain and bias:
    h = tanh(x @ W1' + b1').
    """
    scale = params["gain"] / jnp.sqrt(state["var"] + EPS)
    return mm_jax.MLP(
        C=params["C"],
        W1=params["W1"] * scale,
        b1=params["bias"] - state["mean"] * scale,
        W2=params["W2"],
        b2=params["b2"],
        vocab=vocab,
    )
