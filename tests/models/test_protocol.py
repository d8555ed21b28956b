"""All models: the same verbs with the same signatures, and the contract of `logits`."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax.models import MODELS

from ..conftest import FIRST_FIVE, LETTERS

VOCAB = mm_jax.Vocab.from_words(FIRST_FIVE)


def every_model(vocab=VOCAB, words=FIRST_FIVE):
    table = mm_jax.counts.fit(words, vocab, smoothing=0.5)
    ngrams = mm_jax.ngram.fit(words, vocab, order=4)
    return [
        ngrams,
        mm_jax.ngram.fit(words, vocab, order=1),
        mm_jax.ngram.mixture([ngrams, table], words[:3], steps=5),
        table,
        mm_jax.bigram.init(jax.random.key(0), vocab),
        mm_jax.bigram.from_counts(table),
        mm_jax.mlp.init(jax.random.key(1), vocab, hidden_dim=16),
        mm_jax.mlp.init(jax.random.key(2), vocab, block_size=2, embedding_dim=3, hidden_dim=8, init="lecture"),
    ]


EVERY = every_model()
models = pytest.mark.parametrize("params", EVERY, ids=lambda params: type(params).__name__)


def test_every_model_is_tried():
    assert {type(params) for params in EVERY} == set(MODELS)


@pytest.mark.parametrize("module", MODELS.values(), ids=lambda module: module.__name__)
def test_signatures(module):
    assert list(inspect.signature(module.block_size).parameters) == ["params"]
    assert list(inspect.signature(module.logits).parameters) == ["params", "context"]
    if hasattr(module, "init"):
        assert list(inspect.signature(module.init).parameters)[:2] == ["key", "vocab"]
    if hasattr(module, "fit") and module is not mm_jax.mixture:  # which is fitted from models
        assert list(inspect.signature(module.fit).parameters)[:2] == ["words", "vocab"]


@models
def test_one_context_in_one_row_out(params):
    size = mm_jax.models.block_size(params)
    row = mm_jax.logits(params, np.zeros(size, np.int32))
    assert row.shape == (len(VOCAB),)
    assert row.dtype == jnp.float32
    assert np.exp(jax.nn.log_softmax(row)).sum() == pytest.approx(1, abs=1e-6)


@models
def test_vmap_and_jit_change_nothing(params):
    size = mm_jax.models.block_size(params)
    contexts = np.random.default_rng(0).integers(0, len(VOCAB), (50, size)).astype(np.int32)
    rows = jax.jit(jax.vmap(mm_jax.logits, (None, 0)))(params, contexts)
    for context, row in zip(contexts[:5], rows[:5], strict=True):
        np.testing.assert_allclose(mm_jax.logits(params, context), row, rtol=1e-5, atol=1e-6)


@models
def test_a_pytree_of_arrays_with_a_static_vocab(params):
    leaves, structure = jax.tree.flatten(params)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    again = jax.tree.unflatten(structure, leaves)
    assert type(again) is type(params)
    assert again.vocab == params.vocab
    assert mm_jax.num_params(params) == sum(np.size(leaf) for leaf in leaves)


@models
@pytest.mark.parametrize("context", [[0] * 7, [[0]], 0, [0.0], [0.5, 0.5, 0.5]])
def test_contexts_that_are_refused(params, context):
    with pytest.raises(ValueError, match="expected one context of"):
        mm_jax.logits(params, context)


@models
@pytest.mark.parametrize("token", [-1, len(VOCAB)])
def test_tokens_that_are_refused(params, token):
    if size := mm_jax.models.block_size(params):
        with pytest.raises(ValueError, match="tokens run from 0"):
            mm_jax.logits(params, [token] * size)


def test_what_is_no_model():
    with pytest.raises(ValueError, match="dict is not a model: expected one of Counts"):
        mm_jax.logits({"W": 1}, [0])


def test_parameter_counts():
    key = jax.random.key(0)
    assert mm_jax.num_params(mm_jax.mlp.init(key, LETTERS, embedding_dim=2, hidden_dim=100)) == 3481
    assert mm_jax.num_params(mm_jax.mlp.init(jax.random.clone(key), LETTERS)) == 11897
