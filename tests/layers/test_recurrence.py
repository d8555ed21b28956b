"""The scan with its own gradient against JAX's gradient of a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mm_jax.layers import recurrence
from mm_jax.models import gru

from ..conftest import slow

HIDDEN, VOCAB = 5, 4


def tanh_cell(x, s, h):
    return jnp.tanh(x + s)


CELLS = {"tanh": (tanh_cell, 1), "gated": (gru.cell, 3)}


def plain(cell, table, W, b, tokens, starts):
    """One row, one position after the other, as the equation has it."""
    h, out = jnp.zeros(len(W)), []
    for token, starting in zip(tokens, starts, strict=True):
        h = jnp.where(starting, 0.0, h)
        h = cell(table[token], h @ W + b, h)
        out.append(h)
    return jnp.stack(out)


def a_case(gates, size, batch):
    keys = jax.random.split(jax.random.key(size), 5)
    table = jax.random.normal(keys[0], (VOCAB + 1, gates * HIDDEN))
    W = jax.random.normal(keys[1], (HIDDEN, gates * HIDDEN)) / HIDDEN**0.5
    b = 0.5 * jax.random.normal(keys[2], (gates * HIDDEN,))
    tokens = jax.random.randint(keys[3], (batch, size), -1, VOCAB, jnp.int32)  # -1: dropped
    starts = (tokens == 0).at[:, 0].set(True)
    return (table, W, b), tokens, starts, jax.random.normal(keys[4], (batch, size, HIDDEN))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("size", "batch"), [(5, 3), *slow([(1, 1), (1, 3), (17, 1), (17, 3)])])
def test_values_and_gradients_are_those_of_a_plain_loop(name, size, batch):
    cell, gates = CELLS[name]
    weights, tokens, starts, aim = a_case(gates, size, batch)
    assert size == 1 or bool(starts[:, 1:].any())

    def own(weights):
        return recurrence.scan(cell, *weights, tokens, starts)

    def loop(weights):
        return jnp.stack([plain(cell, *weights, *row) for row in zip(tokens, starts, strict=True)])

    np.testing.assert_allclose(own(weights), loop(weights), rtol=1e-5, atol=1e-5)
    found, expected = (jax.jit(jax.grad(lambda w, f=f: (f(w) * aim).sum()))(weights) for f in (own, loop))
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-5), found, expected)


def test_nothing_passes_a_start():
    """Neither forward nor backward."""
    weights, tokens, _, aim = a_case(3, 9, 2)
    starts = jnp.zeros((2, 9), bool).at[:, [0, 5]].set(True)

    def late(table, earlier):
        tokens_ = jnp.concatenate([earlier, tokens[:, 5:]], 1)
        return (recurrence.scan(gru.cell, table, *weights[1:], tokens_, starts)[:, 5:] * aim[:, 5:]).sum()

    table = weights[0]
    value = jax.jit(jax.value_and_grad(late))
    one, other = value(table, tokens[:, :5]), value(table, (tokens[:, :5] + 1) % VOCAB)
    jax.tree.map(np.testing.assert_array_equal, one, other)
