import jax
import jax.numpy as jnp
import numpy as np

from mm_jax.models import bow

from .test_whole_words import VOCAB
from .zoo import unrolled


def test_an_example_by_hand():
    params = bow.BagOfWords(
        C=jnp.array([[4.0], [1.0], [-2.0], [0.0], [0.0], [0.0], [0.0]]),
        W1=jnp.array([[1.0, 0.0], [0.0, 0.5]]),  # h = tanh of the last character, and of half the mean
        b1=jnp.array([0.0, 0.25]),
        W2=jnp.zeros((2, 7)).at[0, 0].set(1.0).at[1, 1].set(1.0),
        b2=jnp.zeros(7),
        vocab=VOCAB,
    )
    found = unrolled(params, jnp.array([1, 2, 2, 0, 1], jnp.int32))[:, :2]
    last = [4.0, 1.0, -2.0, -2.0, 4.0, 1.0]
    mean = [4.0, 5 / 2, 3 / 3, 1 / 4, 4.0, 5 / 2]
    expected = np.stack([np.tanh(last), np.tanh(0.5 * np.array(mean) + 0.25)], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_bag_has_no_order():
    params = bow.init(jax.random.key(0), VOCAB, embedding_dim=4, hidden_dim=8)
    one, other = (unrolled(params, jnp.array(word, jnp.int32))[-1] for word in ([1, 5, 5, 3, 2], [5, 3, 1, 5, 2]))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    last_differs = unrolled(params, jnp.array([2, 5, 5, 3, 1], jnp.int32))[-1]
    assert float(jnp.abs(one - last_differs).max()) > 1e-3


def test_the_bag_counts():
    params = bow.init(jax.random.key(0), VOCAB, embedding_dim=4, hidden_dim=8)
    state = bow.start(params)
    for token in (5, 5, 3):
        state = bow.advance(params, state, jnp.int32(token))
    assert state.counts.tolist() == [1, 0, 0, 1, 0, 2, 0]
    assert int(state.last) == 3
