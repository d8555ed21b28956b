"""Words of 200 characters, such as lines or molecules: trained, sampled, evaluated, scored, one way as the other."""

import itertools

import jax
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax.models import contract

from .conftest import drawn

LONG = 200
WORDS = [("ab" * LONG)[start : start + LONG - start % 3] for start in range(9)]
VOCAB = mm_jax.Vocab(".ab")
SIZES = {
    "gru": {"hidden_dim": 8},
    "transformer": {"num_layers": 1, "num_heads": 2, "width": 8, "max_length": LONG},
}


@pytest.fixture(scope="module", params=["ngram", *SIZES])
def trained(request):
    """A model that learned the list, in batches of fewer words than it has."""
    if request.param == "ngram":
        return mm_jax.ngram.fit(WORDS, VOCAB, order=4)
    params = drawn(getattr(mm_jax, request.param).init, VOCAB, **SIZES[request.param])
    options = {"steps": 30, "batch_size": 4, "draw": "words", "optimizer": optax.adam, "learning_rate": 0.05}
    params, history = mm_jax.fit(params, WORDS, jax.random.key(1), **options)
    assert history.loss[-1] < 0.5 * history.loss[0]
    return params


def test_evaluated_as_scored(trained):
    words = WORDS[:2]
    scored = [mm_jax.score(trained, word) for word in words]
    assert [len(each.characters) for each in scored] == [len(word) + 1 for word in words]
    mean = sum(each.nll for each in scored) / sum(len(word) + 1 for word in words)
    assert mm_jax.evaluate(trained, words).nll == pytest.approx(mean, rel=1e-5)


def test_sampled_to_their_end(trained):
    """From their 190th character on the words of the list are continued; the model alternates, as they do."""
    prefix = WORDS[0][:190]
    words = mm_jax.sample(trained, jax.random.key(0), 20, prefix=prefix, max_length=LONG)
    assert all(word.startswith(prefix) and len(word) <= LONG for word in words)
    pairs = ["".join(pair) for word in words for pair in itertools.pairwise(word[189:])]
    assert np.mean([pair in ("ab", "ba") for pair in pairs]) > 0.8
    assert len(mm_jax.sample(trained, jax.random.key(0), 20, temperature=0.0)[0]) <= LONG


def test_longer_than_the_model_reads():
    params = drawn(mm_jax.transformer.init, VOCAB, **SIZES["transformer"])
    longer, message = "a" * (LONG + 1), "has 201 characters, and this Transformer reads 200 at most: leave it out"
    for refused in (
        lambda: mm_jax.fit(params, [longer], jax.random.key(0), steps=1, draw="words"),
        lambda: mm_jax.evaluate(params, [longer]),
        lambda: mm_jax.score(params, longer),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    with pytest.raises(ValueError, match="max_length is 201: this Transformer reads 200 at most"):
        mm_jax.sample(params, jax.random.key(0), 1, max_length=LONG + 1)
    with pytest.raises(ValueError, match="max_length is 200: give no less than the 201 that the prefix has"):
        mm_jax.sample(params, jax.random.key(0), 1, prefix=longer)
    assert contract.max_length(params) == LONG
