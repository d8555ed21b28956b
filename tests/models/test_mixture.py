"""The weights of a mixture: fitted on words that no member learned."""

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab
from mm_jax.models import contract, ngram

from ..conftest import BUNDLED, LETTERS, drawn, softmax


def test_mixture_weights_and_equation():
    words = BUNDLED
    train, held_out = words[::8], words[1::8]
    members = [ngram.fit(train, LETTERS, order) for order in (2, 4)]
    members.append(drawn(mm_jax.mlp.init, LETTERS, hidden_dim=8))
    params = mm_jax.mixture.fit(members, held_out)
    weights = np.asarray(params.weights)
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    context, logits = LETTERS.encode("mar").astype(np.int32), jax.jit(contract.logits)
    expected = sum(
        w * softmax(logits(model, context[3 - contract.block_size(model) :]))
        for w, model in zip(weights, members, strict=True)
    )
    np.testing.assert_allclose(np.exp(logits(params, context)), expected, rtol=1e-4)
    best = mm_jax.evaluate(params, held_out).nll
    assert best < min(mm_jax.evaluate(model, held_out).nll for model in members)
    for i in range(3):  # no weight can be moved to advantage
        for step in (-0.05, 0.05):
            scores = np.asarray(params.scores) + np.float32(step) * np.eye(3, dtype=np.float32)[i]
            moved = mm_jax.Mixture(members=params.members, scores=jax.device_put(scores), vocab=LETTERS)
            assert mm_jax.evaluate(moved, held_out).nll > best - 1e-4


@pytest.mark.parametrize(
    ("others", "message"), [([], "two or more models"), ([ngram.fit(["a"], Vocab(".ab"))], "one vocabulary")]
)
def test_refuses(others, message):
    with pytest.raises(ValueError, match=message):
        mm_jax.mixture.fit([ngram.fit(["a"], Vocab(".a")), *others], ["a"])


def test_mixture_is_one_module_with_its_class():
    assert mm_jax.mixture.Mixture is mm_jax.Mixture
    assert "mixture" in dir(mm_jax) and "mixture" in mm_jax.__all__
    with pytest.raises(AttributeError, match="mixtur"):
        _ = mm_jax.mixtur
