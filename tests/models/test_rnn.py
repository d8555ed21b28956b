import flax.linen as nn
import jax
import numpy as np
import pytest

from mm_jax.models import rnn

from ..conftest import drawn
from .test_whole_words import VOCAB
from .zoo import COMPILED, array, louder, started, unrolled


def test_an_example_by_hand():
    params = rnn.RNN(
        C=array([[0.5, 0.0], [0.0, -1.0], *np.zeros((5, 2))]),
        W1=array([[1.0, 2.0], [0.0, 1.0]]),
        b1=array([0.0, 0.25]),
        W2=array(np.outer([1.0, 10.0], np.eye(7)[3])),
        b2=array(4.0 * np.eye(7)[6]),
        vocab=VOCAB,
    )
    first = np.tanh([0.5, 0.25])  # h is 0 before the `.`
    second = np.tanh([first[0], -1.0 + 2 * first[0] + first[1] + 0.25])
    found = unrolled(params, np.int32([1, 0]))
    expected = [[0, 0, 0, h[0] + 10 * h[1], 0, 0, 4.0] for h in (first, second, first)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_against_flax():
    params = jax.device_put(louder(drawn(rnn.init, VOCAB, seed=1, hidden_dim=12)))
    cell = nn.SimpleCell(12)
    weights = {"i": {"kernel": params.C, "bias": params.b1}, "h": {"kernel": params.W1}}
    h, state, apply = np.zeros(12, np.float32), started(params), jax.jit(cell.apply)
    for token in (0, 4, 2, 2, 6):
        h, _ = apply({"params": weights}, h, np.eye(len(VOCAB), dtype=np.float32)[token])
        state = state if token == 0 else COMPILED[0](params, state, np.int32(token))
        np.testing.assert_allclose(state, h, rtol=1e-5, atol=1e-6)
