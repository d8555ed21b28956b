import numpy as np

from mm_jax.models import bow

from ..conftest import drawn
from .test_whole_words import VOCAB
from .zoo import COMPILED, array, started, unrolled


def test_an_example_by_hand():
    params = bow.BagOfWords(
        C=array([[4.0], [1.0], [-2.0], [0.0], [0.0], [0.0], [0.0]]),
        W1=array([[1.0, 0.0], [0.0, 0.5]]),  # h = tanh of the last character, and of half the mean
        b1=array([0.0, 0.25]),
        W2=array(np.eye(2, 7)),
        b2=array(np.zeros(7)),
        vocab=VOCAB,
    )
    found = np.asarray(unrolled(params, np.int32([1, 2, 2, 0, 1])))[:, :2]
    last = [4.0, 1.0, -2.0, -2.0, 4.0, 1.0]
    mean = [4.0, 5 / 2, 3 / 3, 1 / 4, 4.0, 5 / 2]
    expected = np.stack([np.tanh(last), np.tanh(0.5 * np.array(mean) + 0.25)], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_bag_has_no_order():
    params = drawn(bow.init, VOCAB, embedding_dim=4, hidden_dim=8)
    one, other = (np.asarray(unrolled(params, np.int32(word)))[-1] for word in ([1, 5, 5, 3, 2], [5, 3, 1, 5, 2]))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    last_differs = np.asarray(unrolled(params, np.int32([2, 5, 5, 3, 1])))[-1]
    assert np.abs(one - last_differs).max() > 1e-3


def test_the_bag_counts():
    params = drawn(bow.init, VOCAB, embedding_dim=4, hidden_dim=8)
    state, advance = started(params), COMPILED[0]
    for token in (5, 5, 3):
        state = advance(params, state, np.int32(token))
    assert state.counts.tolist() == [1, 0, 0, 1, 0, 2, 0]
    assert int(state.last) == 3
