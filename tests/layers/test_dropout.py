import jax
import numpy as np
import pytest

from mm_jax.layers import dropout
from mm_jax.layers.dropout import Dropout

N = 20_000
random_mask = jax.jit(dropout.random_mask, static_argnums=(1, 2, 3))
drop_states = jax.jit(dropout.drop_states, static_argnames="place")


def test_masks_have_their_rate_and_are_not_alike():
    rates = Dropout(key=jax.random.key(5), tokens=0.25, states=0.1, edges=0.2)
    gone = np.asarray(random_mask(rates, dropout.TOKENS, (N,), 0.25))
    assert abs(float(gone.mean()) - 0.25) < 5 * (0.25 * 0.75 / N) ** 0.5
    assert not (gone == np.asarray(random_mask(rates, dropout.STATES, (N,), 0.25))).all()
    assert random_mask(rates, 0, (3, 5), 0.9999).shape == (3, 5)


def test_states_keep_their_mean_and_places_differ():
    rates = Dropout(key=jax.random.key(6), tokens=0.0, states=0.1, edges=0.0)
    h = np.asarray(drop_states(np.ones(N, np.float32), rates))
    assert abs(float(h.mean()) - 1) < 5 * (0.1 / 0.9 / N) ** 0.5
    assert not (h == np.asarray(drop_states(np.ones(N, np.float32), rates, place=1))).all()


def test_edges_keep_the_diagonal():
    rates = Dropout(key=jax.random.key(7), tokens=0.0, states=0.0, edges=0.2)
    mask = np.asarray(jax.jit(dropout.drop_edges)(np.tril(np.ones((99, 99), bool)), rates))
    assert np.diagonal(mask).all()
    below = mask[np.tril_indices(99, -1)]
    assert abs(float(below.mean()) - 0.8) < 5 * (0.16 / below.size) ** 0.5


def test_tokens_keep_the_start_of_each_word():
    inputs = np.array([0, 3, 1, 0, 2] * 100, np.int32)
    rates = Dropout(key=jax.random.key(8), tokens=0.5, states=0.0, edges=0.0)
    shown = np.asarray(jax.jit(dropout.drop_tokens)(inputs, rates))
    assert (shown[inputs == 0] == 0).all()
    assert set(np.unique(shown)) == {-1, 0, 1, 2, 3}


@pytest.mark.parametrize("rates", [None, Dropout(key=jax.random.key(0), tokens=0.0, states=0.0, edges=0.0)])
def test_a_rate_of_0_drops_nothing(rates):
    inputs, mask, h = jax.device_put((np.int32([0, 3]), np.eye(2, dtype=bool), np.ones(2, np.float32)))
    assert dropout.drop_tokens(inputs, rates) is inputs
    assert dropout.drop_edges(mask, rates) is mask
    assert dropout.drop_states(h, rates) is h
