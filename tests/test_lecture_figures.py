"""The figures of the two lectures, to the digits they print; the notebooks check the same, and all the others."""

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import corpus

from .conftest import FIRST_FIVE, LETTERS, loss_of, mlp_of, softmax


@pytest.fixture
def counts(table):
    return mm_jax.counts.from_table(table, LETTERS)


def test_part_1_counts(counts):
    assert mm_jax.counts.most_common(counts, 3) == [("n.", 6763), ("a.", 6640), ("an", 5438)]
    assert int(np.asarray(counts.N)[0, 1]) == 4410
    assert int((np.asarray(counts.N) > 0).sum()) == 627
    assert softmax(mm_jax.logits(counts, [0]))[1] == pytest.approx(0.1377, abs=5e-5)


def test_part_1_three_words(counts):
    total = sum(mm_jax.score(counts, word).nll for word in FIRST_FIVE[:3])
    assert total == pytest.approx(38.7856, abs=5e-5)
    assert total / 16 == pytest.approx(2.4241, abs=5e-5)


def test_part_1_andrejq(counts, table):
    assert mm_jax.score(counts, "andrejq").nll == float("inf")
    smoothed = mm_jax.counts.from_table(table, LETTERS, 1.0)
    assert mm_jax.score(smoothed, "andrejq").mean == pytest.approx(3.4834, abs=5e-5)


@pytest.mark.slow
def test_part_1_neural_net_on_emma(torch_init):
    params = mm_jax.Bigram(W=jax.device_put(torch_init["bigram_W"]), vocab=LETTERS)
    nlls = [each.nll for each in mm_jax.score(params, "emma").characters]
    np.testing.assert_allclose(nlls, [4.39927, 4.0146, 3.6234, 2.6081, 4.2012], atol=5e-5)
    X, Y = corpus.contexts(["emma"], LETTERS, 1)
    assert X[:, 0].tolist() == [0, 5, 13, 13, 1]
    weights = np.eye(27, dtype=np.float32)[Y] / 5
    gradient = jax.grad(loss_of)(params, X, weights)
    assert float(gradient.W[0, 0]) == pytest.approx(0.0121, abs=5e-5)


def test_part_2_shapes_and_losses(torch_init):
    X, Y = corpus.contexts(FIRST_FIVE, LETTERS, 3)
    assert X.shape == (32, 3)
    small, big = mlp_of(torch_init, "2_100"), mlp_of(torch_init, "10_200")
    assert np.asarray(small.C)[X].shape == (32, 3, 2)
    assert (mm_jax.num_params(small), mm_jax.num_params(big)) == (3481, 11897)
    h = np.tanh(np.asarray(small.C)[X].reshape(32, 6) @ np.asarray(small.W1) + np.asarray(small.b1))
    logits = h @ np.asarray(small.W2) + np.asarray(small.b2)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    by_hand = -np.log(p[np.arange(32), Y]).mean()
    assert mm_jax.evaluate(small, FIRST_FIVE).nll == pytest.approx(by_hand, abs=5e-4)
