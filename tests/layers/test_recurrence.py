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
    random = np.random.default_rng(size)
    shapes = (VOCAB + 1, gates * HIDDEN), (HIDDEN, gates * HIDDEN), (gates * HIDDEN,), (batch, size, HIDDEN)
    table, W, b, aim = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    tokens = random.integers(-1, VOCAB, (batch, size), dtype=np.int32)  # -1: dropped
    starts = tokens == 0
    starts[:, 0] = True
    return jax.device_put(((table, W / np.float32(HIDDEN**0.5), b / 2), tokens, starts, aim))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("size", "batch"), [(5, 3), *slow([(1, 1), (1, 3), (17, 1), (17, 3)])])
def test_values_and_gradients_are_those_of_a_plain_loop(name, size, batch):
    cell, gates = CELLS[name]
    weights, tokens, starts, aim = a_case(gates, size, batch)
    assert size == 1 or np.asarray(starts)[:, 1:].any()

    def own(weights):
        return recurrence.scan(cell, *weights, tokens, starts)

    def loop(weights):
        table = jnp.concatenate([weights[0], jnp.zeros_like(weights[0][:1])])  # of a dropped token, -1
        return jnp.stack([plain(cell, table, *weights[1:], *row) for row in zip(tokens, starts, strict=True)])

    @jax.jit
    def both(weights):
        out = [jax.vjp(f, weights) for f in (own, loop)]
        return [(value, pull_back(aim)) for value, pull_back in out]

    found, expected = both(weights)
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-5), found, expected)


def test_nothing_passes_a_start():
    """Neither forward nor backward."""
    weights, tokens, _, aim = a_case(3, 9, 2)
    tokens = np.asarray(tokens)
    starts = np.zeros((2, 9), bool)
    starts[:, [0, 5]] = True

    def late(table, earlier):
        tokens_ = jnp.concatenate([earlier, tokens[:, 5:]], 1)
        return (recurrence.scan(gru.cell, table, *weights[1:], tokens_, jnp.asarray(starts))[:, 5:] * aim[:, 5:]).sum()

    table = weights[0]
    value = jax.jit(jax.value_and_grad(late))
    one, other = value(table, tokens[:, :5]), value(table, (tokens[:, :5] + 1) % VOCAB)
    jax.tree.map(np.testing.assert_array_equal, one, other)
