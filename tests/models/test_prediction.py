"""What a model predicts after all prefixes of a list, after contexts and after beginnings: one and the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax.layers import unrolling
from mm_jax.models import contract, prediction
from mm_jax.models.prediction import log_probs_after, log_probs_of_prefixes

from ..conftest import FIRST_FIVE, log_softmax
from .zoo import OTHERS_TO_READ, READ, VOCAB, by_steps, each_of, prefixes_of

WORDS = [*FIRST_FIVE, "ava", "a", "avo"]
PREFIXES = prefixes_of(WORDS)


@each_of(READ, slow=OTHERS_TO_READ)
def test_the_distribution_at_every_prefix(params):
    expected = log_softmax([by_steps(params, VOCAB.encode(prefix))[-1] for prefix in PREFIXES])
    encoded = [tuple(VOCAB.encode(prefix).tolist()) for prefix in PREFIXES]
    np.testing.assert_allclose(log_probs_after(params, encoded), expected, atol=1e-5)
    np.testing.assert_allclose(log_probs_of_prefixes(params, WORDS), expected, atol=1e-5)
    np.testing.assert_allclose(log_probs_of_prefixes(params, WORDS[::-1] * 2), expected, atol=1e-5)


@pytest.mark.slow
def test_more_contexts_than_a_block(monkeypatch):
    """The last block is filled up; nothing of the filling comes back."""
    params = mm_jax.mlp.init(jax.random.key(0), VOCAB, hidden_dim=4)
    contexts = np.random.default_rng(0).integers(0, len(VOCAB), (64, 3)).astype(np.int32)
    whole = prediction.log_probs(params, contexts)
    monkeypatch.setattr(unrolling, "rows_at_once", lambda vocab_size: 7)
    np.testing.assert_allclose(prediction.log_probs(params, contexts), whole, rtol=1e-6)
    alone = jax.nn.log_softmax(jax.vmap(contract.logits, (None, 0))(params, jnp.asarray(contexts)))
    np.testing.assert_allclose(whole, alone, atol=1e-6)
