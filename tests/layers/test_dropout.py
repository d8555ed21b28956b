import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mm_jax.layers import dropout
from mm_jax.layers.dropout import Dropout

N = 20_000


def test_masks_have_their_rate_and_are_not_alike():
    rates = Dropout(key=jax.random.key(5), tokens=0.25, states=0.1, edges=0.2)
    gone = dropout.random_mask(rates, dropout.TOKENS, (N,), 0.25)
    assert abs(float(gone.mean()) - 0.25) < 5 * (0.25 * 0.75 / N) ** 0.5
    assert not (np.asarray(gone) == np.asarray(dropout.random_mask(rates, dropout.STATES, (N,), 0.25))).all()
    assert dropout.random_mask(rates, 0, (3, 5), 0.9999).shape == (3, 5)


def test_states_keep_their_mean_and_places_differ():
    rates = Dropout(key=jax.random.key(6), tokens=0.0, states=0.1, edges=0.0)
    h = dropout.drop_states(jnp.ones((N,)), rates)
    assert abs(float(h.mean()) - 1) < 5 * (0.1 / 0.9 / N) ** 0.5
    assert not (h == dropout.drop_states(jnp.ones((N,)), rates, place=1)).all()


def test_edges_keep_the_diagonal():
    rates = Dropout(key=jax.random.key(7), tokens=0.0, states=0.0, edges=0.2)
    mask = dropout.drop_edges(jnp.tril(jnp.ones((99, 99), bool)), rates)
    assert bool(jnp.diagonal(mask).all())
    below = mask[np.tril_indices(99, -1)]
    assert abs(float(below.mean()) - 0.8) < 5 * (0.16 / below.size) ** 0.5


def test_tokens_keep_the_start_of_each_word():
    inputs = jnp.array([0, 3, 1, 0, 2] * 100, jnp.int32)
    shown = dropout.drop_tokens(inputs, Dropout(key=jax.random.key(8), tokens=0.5, states=0.0, edges=0.0))
    assert (shown[inputs == 0] == 0).all()
    assert set(np.unique(shown)) == {-1, 0, 1, 2, 3}


@pytest.mark.parametrize("rates", [None, Dropout(key=jax.random.key(0), tokens=0.0, states=0.0, edges=0.0)])
def test_a_rate_of_0_drops_nothing(rates):
    inputs, mask, h = jnp.array([0, 3], jnp.int32), jnp.eye(2, dtype=bool), jnp.ones(2)
    assert dropout.drop_tokens(inputs, rates) is inputs
    assert dropout.drop_edges(mask, rates) is mask
    assert dropout.drop_states(h, rates) is h
