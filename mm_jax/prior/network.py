"""The network that has read other lists: a GRU for any alphabet, and the style of a list.

    embedded = rows of a character's parts, added up          an input row, an output row and a bias for each character
    style    = tanh(mean over the list of gelu(convolution of width 3 over its characters) @ M + mb)
    GRU      : C = inputs @ A,  b1 = b1 + style @ Z,  W2 = U @ outputs.T,  b2 = biases + outputs @ (u + style @ Zo)

The style is a vector that says what the words of a list are like: it shifts the gates and the outputs. For one alphabet
and one style all of this is an ordinary `mm_jax.gru.GRU`.
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Key

from mm_jax.layers.weights import draw
from mm_jax.pytrees import pytree, static


@pytree
class Prior:
    """What was learned from other lists: rows of the parts of characters, a GRU between them, the style of a list.

    The bundled one has 1,157 parts, rows of 48, a GRU of 256, a convolution of 128 and a style of 32 numbers.
    """

    inputs: Float32[Array, "parts embedding_dim"]
    outputs: Float32[Array, "parts embedding_dim"]
    biases: Float32[Array, " parts"]
    A: Float32[Array, "embedding_dim 3*hidden_dim"]
    W1: Float32[Array, "hidden_dim 3*hidden_dim"]
    b1: Float32[Array, " 3*hidden_dim"]
    bn: Float32[Array, " hidden_dim"]
    U: Float32[Array, "hidden_dim embedding_dim"]
    u: Float32[Array, " embedding_dim"]
    K: Float32[Array, "embedding_dim 3*width"]  # what a character adds one place later, at its place, one place before
    kb: Float32[Array, " width"]
    M: Float32[Array, "width style_dim"]
    mb: Float32[Array, " style_dim"]
    Z: Float32[Array, "style_dim 3*hidden_dim"]
    Zo: Float32[Array, "style_dim embedding_dim"]
    parts: tuple[str, ...] = static()


_LEAST = 2.0**-14  # of a number in half precision that has all its bits
Embedded = tuple[Array, ...]  # input rows, output rows, biases of an alphabet: [vocab_size, ...]


def init(
    key: Key[Array, ""],
    parts: tuple[str, ...],
    *,
    hidden_dim: int = 256,
    embedding_dim: int = 48,
    width: int = 128,
    style_dim: int = 32,
) -> Prior:
    """Returns new parameters, float32, drawn by `key`, for characters made of `parts`."""
    P, d, H = len(parts), embedding_dim, hidden_dim
    weights = draw(
        key,
        inputs=((P, d), 0.25),
        outputs=((P, d), 0.25),
        A=((d, 3 * H), 1.0, d),
        W1=((H, 3 * H), 1.0, H),
        U=((H, d), 0.3, H),
        K=((d, 3 * width), 1.2, d),
        M=((width, style_dim), 3.0, width),
        Z=((style_dim, 3 * H), 0.1),
        Zo=((style_dim, d), 0.1),
    )
    return Prior(
        **weights,
        biases=jnp.zeros(P, jnp.float32),
        b1=jnp.zeros(3 * H, jnp.float32).at[H : 2 * H].set(1.0),
        bn=jnp.zeros(H, jnp.float32),
        u=jnp.zeros(d, jnp.float32),
        kb=jnp.zeros(width, jnp.float32),
        mb=jnp.zeros(style_dim, jnp.float32),
        parts=parts,
    )


def embed(
    params: Prior, ids: Int[Array | np.ndarray, "*lists chars 5"], kept: Float32[Array, " parts"] | None = None
) -> Embedded:
    """Adds up the rows of each character's parts; in training, parts with `kept` 0 are left out."""
    tables = (params.inputs, params.outputs, params.biases)
    if kept is not None:
        tables = (params.inputs * kept[:, None], params.outputs * kept[:, None], params.biases * kept)
    hot = jax.nn.one_hot(ids, len(params.parts), dtype=jnp.float32).sum(-2)  # a product's gradient is a product
    return tuple(hot @ table for table in tables)


def style(
    params: Prior, inputs: Float32[Array, "vocab_size embedding_dim"], tokens: Int[Array, " length"], length: Any
) -> Float32[Array, " style_dim"]:
    """Returns the style of a list: of the first `length` tokens, words with a 0 before and behind each; 0 for none."""
    given = (inputs @ params.K).reshape(len(inputs), 3, -1)[jnp.pad(tokens, (1, 1))]  # [length + 2, 3, width]
    activations = jax.nn.gelu(given[:-2, 0] + given[1:-1, 1] + given[2:, 2] + params.kb[None])
    length = jnp.asarray(length, jnp.float32)
    inside = (jnp.arange(len(tokens), dtype=jnp.float32) < length).astype(jnp.float32)
    mean = (activations * inside[:, None]).sum(0) / jnp.maximum(length, 1.0)
    return jnp.where(length > 0, jnp.tanh(mean @ params.M + params.mb), 0.0)


def gates(params: Prior, embedded: Embedded, style: Float32[Array, " style_dim"]) -> tuple[Array, Array]:
    """Returns C and b1 of the GRU."""
    return embedded[0] @ params.A, params.b1 + style @ params.Z


def output_biases(
    params: Prior, embedded: Embedded, style: Float32[Array, " style_dim"]
) -> Float32[Array, " vocab_size"]:
    """Returns b2 of the GRU; its W2 is U @ outputs.T."""
    return embedded[2] + embedded[1] @ (params.u + style @ params.Zo)


def to_arrays(params: Prior) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the arrays and the parts as a file holds them: a matrix in 8 bits a number, a vector in half precision.

    A row is 2^exponent * whole numbers from -127 to 127, so that half precision and float32 hold it exactly.
    """
    arrays = {}
    for name, array in vars(params).items():
        if name == "parts":
            continue
        array = np.asarray(array, np.float32)
        arrays[name] = array.astype(np.float16)
        if array.ndim == 2:
            largest = np.maximum(np.abs(array).max(1), 127 * _LEAST)
            exponents = np.ceil(np.log2(largest / 127)).astype(np.int8)
            arrays[name] = np.rint(np.ldexp(array, -exponents[:, None])).astype(np.int8)
            arrays[f"{name} exponents"] = exponents
    return arrays, {"parts": json.dumps(params.parts)}


def from_arrays(arrays: dict[str, np.ndarray], about: dict[str, str]) -> Prior:
    """Returns the parameters of a file, float32; raises ValueError or KeyError for what is no prior."""
    parts = tuple(json.loads(about["parts"]))
    found = {name: array.astype(np.float32) for name, array in arrays.items() if not name.endswith(" exponents")}
    for name, array in found.items():
        if array.ndim == 2:
            found[name] = np.ldexp(array, arrays[f"{name} exponents"][:, None])
    params = Prior(**jax.device_put(found), parts=parts)
    if params.inputs.shape[0] != len(parts) or params.outputs.shape != params.inputs.shape:
        raise ValueError("its parts and rows differ in number")
    return params
