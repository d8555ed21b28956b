"""The fast forms against the plain ones, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mm_jax.layers import products

from ..conftest import slow


def normals(*shapes):
    random = np.random.default_rng(1)
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


def agree(function, plain, *arguments):
    """Values and gradients of a random linear function of both are the same."""

    @jax.jit
    def both(*arguments):
        out = [jax.vjp(f, *arguments) for f in (function, plain)]
        aim = np.random.default_rng(2).standard_normal(out[1][0].shape).astype(np.float32)
        return [(value, pull_back(jnp.asarray(aim))) for value, pull_back in out]

    found, expected = both(*arguments)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, expected)


@pytest.mark.parametrize(("n", "m"), [(3, 8), *slow([(8, 3), (4, 4)])])
def test_affine_rows(n, m):
    agree(products.affine_rows, lambda x, W, b: x @ W + b[None], *normals((5, n), (n, m), (m,)))


@pytest.mark.parametrize("batch", [(4, 2), *slow([((),), ((4,),)])])
def test_batched_product(batch):
    agree(products.batched_product, lambda a, b: a @ b, *normals((*batch, 3, 5), (*batch, 5, 2)))


def test_column_major_is_the_matrix():
    x, W = normals((5, 3), (3, 7))
    one = jax.vmap(lambda x, W: x @ products.column_major(W), (0, None))
    agree(one, lambda x, W: x @ W, x, W)


def test_standardised():
    def plain(x):
        return (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + 1e-5)

    (x,) = normals((6, 10))
    agree(products.standardised, plain, 3 * x + 1)


def test_look_up_and_its_zero_row():
    (table,) = normals((4, 3))
    index = jax.device_put(np.array([[2, 0], [3, -1], [2, 2]], np.int32))
    agree(lambda table: products.look_up(table, index), lambda table: products.with_zero_row(table)[index], table)
    assert jax.jit(products.look_up)(table, index)[1, 1].tolist() == [0.0, 0.0, 0.0]
