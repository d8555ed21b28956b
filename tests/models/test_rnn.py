import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mm_jax.models import rnn

from .test_whole_words import VOCAB
from .zoo import COMPILED, unrolled


def test_an_example_by_hand():
    params = rnn.RNN(
        C=jnp.zeros((7, 2)).at[0].set(jnp.array([0.5, 0.0])).at[1].set(jnp.array([0.0, -1.0])),
        W1=jnp.array([[1.0, 2.0], [0.0, 1.0]]),
        b1=jnp.array([0.0, 0.25]),
        W2=jnp.zeros((2, 7)).at[:, 3].set(jnp.array([1.0, 10.0])),
        b2=jnp.zeros(7).at[6].set(4.0),
        vocab=VOCAB,
    )
    first = np.tanh([0.5, 0.25])  # h is 0 before the `.`
    second = np.tanh([first[0], -1.0 + 2 * first[0] + first[1] + 0.25])
    found = unrolled(params, jnp.array([1, 0], jnp.int32))
    expected = [[0, 0, 0, h[0] + 10 * h[1], 0, 0, 4.0] for h in (first, second, first)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_against_flax():
    params = rnn.init(jax.random.key(1), VOCAB, hidden_dim=12)
    params = jax.tree.map(lambda leaf: leaf + 0.2 * jax.random.normal(jax.random.key(leaf.size), leaf.shape), params)
    cell = nn.SimpleCell(12)
    weights = {"i": {"kernel": params.C, "bias": params.b1}, "h": {"kernel": params.W1}}
    h, state, apply = jnp.zeros(12), rnn.start(params), jax.jit(cell.apply)
    for token in (0, 4, 2, 2, 6):
        h, _ = apply({"params": weights}, h, np.eye(len(VOCAB), dtype=np.float32)[token])
        state = state if token == 0 else COMPILED[0](params, state, np.int32(token))
        np.testing.assert_allclose(state, h, rtol=1e-5, atol=1e-6)
