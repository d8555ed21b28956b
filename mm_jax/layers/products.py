"""Matrix products and norms in the forms that XLA computes fastest on a CPU; the results are those of the plain forms.

The fast form sums over the last axis of the left side and the first of the right. XLA folds a transposition into a
product, which may give a slow form again; a barrier keeps the two apart. Figures are of one core and jaxlib 0.10.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int

LARGE = 2**12  # symbols: of a larger vocabulary, neither rows for all symbols nor logits of all positions are held


def transposed(W: Float32[Array, "*batch n m"]) -> Float32[Array, "*batch m n"]:
    """Returns W.T laid out anew in memory, and XLA cannot undo it: the barrier is the only way to say so."""
    return lax.optimization_barrier(jnp.swapaxes(W, -1, -2))


def product_transposed(a: Float32[Array, "n k"], b: Float32[Array, "k m"]) -> Float32[Array, "m n"]:
    """Returns (a @ b).T; XLA would compute b.T @ a.T, a slow form: two to five times as long in the GRU's gradient.

    >>> product_transposed(jnp.array([[1.0], [2.0]]), jnp.array([[3.0, 4.0, 5.0]])).tolist()
    [[3.0, 6.0], [4.0, 8.0], [5.0, 10.0]]
    """
    return lax.optimization_barrier(a @ b).T


def column_major(W: Float32[Array, "n m"]) -> Float32[Array, "n m"]:
    """Returns W itself, with its columns one after another in memory: for `x @ column_major(W)`.

    W's gradient over many rows x is then transposed too, a faster form where W has few columns: 0.056 ms in place of
    0.088 for 768 rows of 64 and 27.

    >>> (jnp.ones(2) @ column_major(jnp.array([[1.0, 2.0], [3.0, 4.0]]))).tolist()
    [4.0, 6.0]
    """
    return transposed(W).T if W.shape[-1] <= LARGE else W


@jax.custom_vjp
def batched_product(a: Float32[Array, "*batch n k"], b: Float32[Array, "*batch k m"]) -> Float32[Array, "*batch n m"]:
    """Returns a @ b, of attention's many small matrices; the gradient transposes in memory first.

    XLA has no fast form for a batch of products that sum over the first axis of both: 3% of a transformer's step.

    >>> batched_product(jnp.ones((1, 2, 3)), jnp.ones((1, 3, 1))).tolist()
    [[[3.0], [3.0]]]
    """
    return a @ b


batched_product.defvjp(
    lambda a, b: (batched_product(a, b), (a, b)),
    lambda kept, gradient: (gradient @ transposed(kept[1]), transposed(kept[0]) @ gradient),
)


@jax.custom_vjp
def affine_rows(
    x: Float32[Array, "size n"], W: Float32[Array, "n m"], b: Float32[Array, " m"]
) -> Float32[Array, "size m"]:
    """Returns x @ W + b of many rows. Its gradient is written out, in the faster of two forms for W.

    0.38 ms in place of 0.60 for 768 rows of 256 and 64.

    >>> affine_rows(jnp.ones((2, 1)), jnp.array([[3.0, 4.0]]), jnp.ones(2)).tolist()
    [[4.0, 5.0], [4.0, 5.0]]
    """
    return x @ W + b[None]


def _affine_rows_back(kept, gradient):
    x, W = kept
    # The narrower of x and the gradient stands on the left.
    dW = x.T @ gradient if x.shape[1] <= gradient.shape[1] else product_transposed(gradient.T, x)
    return gradient @ W.T, dW, gradient.sum(0)


affine_rows.defvjp(lambda x, W, b: (affine_rows(x, W, b), (x, W)), _affine_rows_back)


def look_up(table: Float32[Array, "rows width"], index: Int[Array, "*size"]) -> Float32[Array, "*size width"]:
    """Returns table[index], zeros for an index of -1, as the product with one-hot rows, the lecture's form.

    Over a batch, the gradient of this product is one product. That of table[index] adds rows into a table one after
    another, which takes longer on a CPU; only a table of a large vocabulary is indexed.

    >>> look_up(jnp.array([[1.0], [2.0]]), jnp.array([1, -1, 0])).tolist()
    [[2.0], [0.0], [1.0]]
    """
    if table.shape[-2] > LARGE:
        return jnp.where((index < 0)[..., None], 0.0, table[jnp.maximum(index, 0)])
    return jax.nn.one_hot(index, table.shape[-2], dtype=jnp.float32) @ table


def with_zero_row(table: Float32[Array, "rows width"]) -> Float32[Array, "rows+1 width"]:
    """Appends a zero row, so that index -1 (a dropped token) finds zeros.

    >>> with_zero_row(jnp.ones((1, 2)))[-1].tolist()
    [0.0, 0.0]
    """
    return jnp.concatenate([table, jnp.zeros((1, table.shape[-1]), table.dtype)])


@jax.custom_vjp
def standardised(x: Float32[Array, "size width"]) -> Float32[Array, "size width"]:
    """Returns (x - mean) / sqrt(variance + 1e-5) of each row: LayerNorm before gain and shift.

    The gradient is written out, and means are products with 1 / width: JAX's own gradient of the plain form makes a
    transformer's step 5 to 9% longer.

    >>> standardised(jnp.array([[1.0, 3.0]])).round(3).tolist()
    [[-1.0, 1.0]]
    """
    return _standardised(x)[0]


def _standardised(x):
    centred = x - _mean(x)
    scale = lax.rsqrt(_mean(centred * centred) + 1e-5)
    return centred * scale, (centred * scale, scale)


def _standardised_back(kept, gradient):
    out, scale = kept
    return (scale * (gradient - _mean(gradient) - out * _mean(gradient * out)),)


standardised.defvjp(_standardised, _standardised_back)


def _mean(x: Float32[Array, "size width"]) -> Float32[Array, "size 1"]:
    return (x @ lax.optimization_barrier(jnp.full(x.shape[1], 1 / x.shape[1], jnp.float32)))[:, None]
