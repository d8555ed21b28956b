"""Exercise 5: a WaveNet, beside lecture_5_wavenet. Fill the gaps, then `pytest examples/exercises/test_5_wavenet.py`.

- easy: join neighbours, by a reshape.
- middle: the tree over a window of eight characters.
- hard: all windows of a word in one dilated pass.

`params` is a dict: E [27, d], the embeddings; layers, three pairs W [2 d or 2 h, h] and b [h]; O [h, 27] and c [27],
the output layer.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def join(x: Float[Array, "*batch places channels"], k: int = 2) -> Float[Array, "*batch places/k k*channels"]:
    """Joins each k neighbouring places, without a loop: [..., T, C] becomes [..., T / k, k C].

    Any number of axes may stand in front.
    """
    *batch, places, channels = x.shape
    return x.reshape(*batch, places // k, k * channels)


def window_logits(params: dict[str, Any], context: Int[Array, " 8"]) -> Float[Array, " 27"]:
    """Computes the logits of the token that follows eight.

    Embed the eight; three times x = tanh(join(x) @ W + b), so that 8 places become 4, 2, 1; then the output layer.
    """
    x = params["E"][context]
    for W, b in params["layers"]:
        x = jnp.tanh(join(x) @ W + b)
    return x[0] @ params["O"] + params["c"]


def word_logits(params: dict[str, Any], tokens: Int[Array, " n"]) -> Float[Array, "n+1 27"]:
    """Computes the same for every place of a word at once: row t is what follows tokens[:t], eight dots in front of it.

    Neighbouring windows share most of their products. Embed the eight dots and the word, and let each layer join a
    place with the one 1, 2, then 4 before it: what two windows share is computed once. (Token 0 is the dot.)
    """
    x = params["E"][jnp.concatenate([jnp.zeros(8, tokens.dtype), tokens])]
    for (W, b), distance in zip(params["layers"], (1, 2, 4), strict=True):
        x = jnp.tanh(jnp.concatenate([x[:-distance], x[distance:]], axis=1) @ W + b)
    return x @ params["O"] + params["c"]
