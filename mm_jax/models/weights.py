"""The random numbers that new weights are made of, all of a model from one compiled program.

`jax.random.normal` compiles a program for every shape, each as long as the shortest training run takes; each scale
would be one more.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Key


def normals(
    key: Key[Array, ""],
    *shapes: tuple[int, ...],
    times: tuple[float, ...] | None = None,
    over: tuple[float, ...] | None = None,
) -> list[Float32[Array, "..."]]:
    """Arrays of numbers from N(0, 1), multiplied by `times` and divided by `over`, one factor of each an array.

    Bit for bit what `jax.random.normal(part, shape) * times / over` gives for the parts of the key, split into as many.

    >>> key = jax.random.key(0)
    >>> [array.shape for array in normals(key, (2, 3), (4,), times=(1, 0.5))]
    [(2, 3), (4,)]
    """
    ones = (1.0,) * len(shapes)
    return _drawn(key, np.array([times or ones, over or ones], np.float32), shapes)


@functools.partial(jax.jit, static_argnums=2)
def _drawn(key: Key[Array, ""], factors: Float32[Array | np.ndarray, "2 arrays"], shapes: tuple[tuple[int, ...], ...]):
    sizes = [math.prod(shape) for shape in shapes]
    # The number at a place depends on the key and on the place, not on the shape: rows of one length are one loop.
    rows = jax.vmap(lambda part: jax.random.normal(part, (max(sizes),), jnp.float32))(
        jax.random.split(key, len(shapes))
    )
    rows = lax.optimization_barrier(rows)  # not drawn again for every array
    times, over = factors
    return [
        rows[i, :size].reshape(shape) * times[i] / over[i]
        for i, (size, shape) in enumerate(zip(sizes, shapes, strict=True))
    ]
