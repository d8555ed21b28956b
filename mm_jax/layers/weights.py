"""Draws all initial weights of a model with one compiled program.

`jax.random.normal` compiles a program for every shape, each as long as the shortest training run takes, and each scale
would be one more: the first MLP of a process takes about 1 s in place of 2.8.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Key

from mm_jax.checks import random_key, whole_number
from mm_jax.vocab import Vocab, vocabulary

Weights = (
    tuple[tuple[int, ...], float] | tuple[tuple[int, ...], float, int]
)  # shape, gain, and the fan-in, 1 if left out


def check_sizes(key: Key[Array, ""], vocab: Vocab, **sizes: int | None) -> int:
    """Returns the number of tokens, after a check of what `init` was given; a size of None is left to the model.

    Raises ValueError, which names the argument, for a key or a vocab that is none, and for a size below 1.

    >>> check_sizes(jax.random.key(0), Vocab(".ab"), hidden_dim=8)
    3
    """
    random_key("key", key)
    for name, size in sizes.items():
        if size is not None:
            whole_number(name, size)
    return len(vocabulary(vocab))


def draw(key: Key[Array, ""], **arrays: Weights) -> dict[str, Float32[Array, "..."]]:
    """Draws arrays by name: each is (shape, gain) or (shape, gain, fan_in), and N(0, 1) * gain / sqrt(fan_in).

    The key is split into as many as there are names, in their order, so another order or number of names draws other
    weights. A gain of 0 gives zeros: biases that start there keep their place in the order. Bit for bit
    `jax.random.normal(part, shape) * gain / sqrt(fan_in)` as a rule; a compiler may multiply by the inverse.

    >>> weights = draw(jax.random.key(0), C=((27, 10), 1.0), W1=((30, 200), 1.0, 30), b1=((200,), 0.0))
    >>> {name: array.shape for name, array in weights.items()}
    {'C': (27, 10), 'W1': (30, 200), 'b1': (200,)}
    >>> round(float(weights["W1"].std()), 1), float(weights["b1"].max())  # 1 / sqrt(30) = 0.18
    (0.2, 0.0)
    """
    random_key("key", key)
    shapes, gains, fan_ins = zip(*((*array, 1)[:3] for array in arrays.values()), strict=True)
    factors = np.array([gains, np.sqrt(fan_ins)], np.float32)
    drawn = tuple(i for i, gain in enumerate(gains) if gain)
    return dict(zip(arrays, _draw(key, factors, shapes, drawn), strict=True))


@functools.partial(jax.jit, static_argnames=("shapes", "drawn"))
def _draw(
    key: Key[Array, ""],
    factors: Float32[Array | np.ndarray, "2 arrays"],  # an argument: other gains compile nothing
    shapes: tuple[tuple[int, ...], ...],
    drawn: tuple[int, ...],  # the others are zeros
) -> list[Float32[Array, "..."]]:
    arrays = [jnp.zeros(shape, jnp.float32) for shape in shapes]
    # The number at an index depends on the key and the index, not on the shape: rows of one length compile as one loop.
    longest = max(math.prod(shapes[i]) for i in drawn)
    keys = jax.random.split(key, len(shapes))[np.array(drawn)]
    rows = jax.vmap(lambda part: jax.random.normal(part, (longest,), jnp.float32))(keys)
    rows = lax.optimization_barrier(rows)  # or XLA draws them again for every array
    gain, root = factors
    for row, i in zip(rows, drawn, strict=True):
        arrays[i] = row[: math.prod(shapes[i])].reshape(shapes[i]) * gain[i] / root[i]
    return arrays
