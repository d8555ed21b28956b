"""Exercise 4: backpropagation by hand, beside lecture_4_backprop. Fill the gaps, then grade them with
`pytest examples/exercises/test_4_backprop.py`.

- easy: the output layer and tanh, four gradients.
- middle: the loss, a row that is divided by its sum, the embedding: three gradients.
- hard: batch normalization, three gradients.

Each function takes the arrays of one step forward, and the gradient of the loss with respect to its result; it returns
the gradients with respect to its arguments. `dh` is d loss / d h, and has the shape of h. Use no jax.grad, jax.vjp or
jax.jacobian: they are what you are compared with, in float64.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

EPS = 1e-5


def output_layer(
    h: Float[Array, "n h"], W2: Float[Array, "h v"], dlogits: Float[Array, "n v"]
) -> tuple[Float[Array, "n h"], Float[Array, "h v"], Float[Array, " v"]]:
    """Forward: logits = h @ W2 + b2. Returns dh, dW2, db2."""
    return dlogits @ W2.T, h.T @ dlogits, dlogits.sum(axis=0)


def tanh_layer(h: Float[Array, "n h"], dh: Float[Array, "n h"]) -> Float[Array, "n h"]:
    """Forward: h = tanh(hpreact). Returns dhpreact; h is all that it needs."""
    return (1 - h**2) * dh


def cross_entropy(logits: Float[Array, "n v"], Y: Int[Array, " n"]) -> Float[Array, "n v"]:
    """Forward: loss = the mean over n of -log softmax(logits)[i, Y[i]]. Returns dlogits."""
    probs = jnp.exp(logits - logits.max(axis=1, keepdims=True))
    probs = probs / probs.sum(axis=1, keepdims=True)
    return probs.at[jnp.arange(len(Y)), Y].add(-1.0) / len(Y)


def divide_by_sum(counts: Float[Array, "n v"], dprobs: Float[Array, "n v"]) -> Float[Array, "n v"]:
    """Forward: probs = counts / counts.sum(axis=1, keepdims=True). Returns dcounts: counts is used twice."""
    total = counts.sum(axis=1, keepdims=True)
    return dprobs / total - (dprobs * counts).sum(axis=1, keepdims=True) / total**2


def embedding(C: Float[Array, "v d"], X: Int[Array, "n 3"], demb: Float[Array, "n 3 d"]) -> Float[Array, "v d"]:
    """Forward: emb = C[X]. Returns dC: a token that occurs twice in X gets both gradients."""
    return jnp.zeros_like(C).at[X].add(demb)


def batch_norm(
    hprebn: Float[Array, "n h"], gain: Float[Array, "1 h"], dhpreact: Float[Array, "n h"]
) -> tuple[Float[Array, "n h"], Float[Array, "1 h"], Float[Array, "1 h"]]:
    """Forward: bnraw = (hprebn - mean) / sqrt(var + EPS), then hpreact = gain * bnraw + bias.

    mean and var are those of the n rows, the variance with n - 1. Returns dhprebn, dgain, dbias, the last two with an
    axis of size 1 in front, as gain and bias have it.
    """
    n = len(hprebn)
    inv = (hprebn.var(axis=0, ddof=1, keepdims=True) + EPS) ** -0.5
    bnraw = (hprebn - hprebn.mean(axis=0, keepdims=True)) * inv
    dgain = (bnraw * dhpreact).sum(axis=0, keepdims=True)
    dbias = dhpreact.sum(axis=0, keepdims=True)
    return gain * inv * (dhpreact - dbias / n - bnraw * dgain / (n - 1)), dgain, dbias
