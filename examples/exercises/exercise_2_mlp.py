"""Exercise 2: the MLP, beside lecture_2_mlp. Fill the gaps, then `pytest examples/exercises/test_2_mlp.py`.

- easy: the logits of one context.
- middle: the loss of a batch, with `jax.vmap`, and its softmax by hand.
- hard: the training loop as one program, with `jax.lax.scan`.

`params` is a dict of the lecture's arrays: C [27, d], W1 [3 d, h], b1 [h], W2 [h, 27], b2 [27].
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Params = dict[str, Array]


def logits(params: Params, context: Int[Array, " 3"]) -> Float[Array, " 27"]:
    """Computes the logits of the next token: embed the three tokens, join them, a tanh layer, an output layer."""
    raise NotImplementedError


def loss(params: Params, X: Int[Array, "n 3"], Y: Int[Array, " n"]) -> Float[Array, ""]:
    """Computes the mean negative log likelihood of the targets Y after the contexts X.

    Use `logits` as it is, for one context, and `jax.vmap`. Write the softmax yourself, without jax.nn, such that it is
    finite for logits of 1,000 too: exp(1000) is inf in float32.
    """
    raise NotImplementedError


def train(
    params: Params, X: Int[Array, "n 3"], Y: Int[Array, " n"], rows: Int[Array, "steps batch"], rate: float
) -> tuple[Params, Float[Array, " steps"]]:
    """Takes one step of gradient descent for each row of `rows`, the indexes of a minibatch.

    Returns the last parameters and the losses, each before its step. Use `jax.lax.scan`: a Python loop would make a
    program that grows with the number of steps.
    """
    raise NotImplementedError
