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
    raise NotImplementedError


def tanh_layer(h: Float[Array, "n h"], dh: Float[Array, "n h"]) -> Float[Array, "n h"]:
    """Forward: h = tanh(hpreact). Returns dhpreact; h is all that it needs."""
    raise NotImplementedError


def cross_entropy(logits: Float[Array, "n v"], Y: Int[Array, " n"]) -> Float[Array, "n v"]:
    """Forward: loss = the mean over n of -log softmax(logits)[i, Y[i]]. Returns dlogits."""
    raise NotImplementedError


def divide_by_sum(counts: Float[Array, "n v"], dprobs: Float[Array, "n v"]) -> Float[Array, "n v"]:
    """Forward: probs = counts / counts.sum(axis=1, keepdims=True). Returns dcounts: counts is used twice."""
    raise NotImplementedError


def embedding(C: Float[Array, "v d"], X: Int[Array, "n 3"], demb: Float[Array, "n 3 d"]) -> Float[Array, "v d"]:
    """Forward: emb = C[X]. Returns dC: a token that occurs twice in X gets both gradients."""
    raise NotImplementedError


def batch_norm(
    hprebn: Float[Array, "n h"], gain: Float[Array, "1 h"], dhpreact: Float[Array, "n h"]
) -> tuple[Float[Array, "n h"], Float[Array, "1 h"], Float[Array, "1 h"]]:
    """Forward: bnraw = (hprebn - mean) / sqrt(var + EPS), then hpreact = gain * bnraw + bias.

    mean and var are those of the n rows, the variance with n - 1. Returns dhprebn, dgain, dbias, the last two with an
    axis of size 1 in front, as gain and bias have it.
    """
    raise NotImplementedError
