"""Whole words in rows, and what is learned at each prefix: what followed it, and what a teacher says."""

import functools

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import corpus
from mm_jax.models.prediction import log_probs_after, log_probs_of_prefixes
from mm_jax.training import batches, whole_words
from mm_jax.training.recipes import Recipe

from ..conftest import drawn
from ..models.zoo import prefixes_of

VOCAB = mm_jax.Vocab(".abc")
WORDS = ["ab", "abc", "ab", "ba", "cabb", "a", "bcab"]


@functools.cache
def ngrams():
    return mm_jax.ngram.fit(WORDS, VOCAB, order=3, smoothing="witten-bell")


@functools.cache
def network():
    return drawn(mm_jax.gru.init, VOCAB, seed=1, hidden_dim=8)


def targets_of(packed):
    """The target at each prefix that occurs in packed rows, by the prefix's text."""
    found = {}
    _, weights = jax.jit(lambda rows: packed.batch((rows, None)))(np.arange(len(packed.targets), dtype=np.int32))
    for row, wanted in zip(np.asarray(packed.targets), np.asarray(weights) / np.asarray(packed.scale), strict=True):
        prefix = ""
        for token, target in zip(row.tolist(), wanted, strict=True):
            if target.sum() > 0:
                found[prefix] = target
            prefix = prefix + VOCAB.chars[token] if token else ""
    return found


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_targets_are_what_followed_and_the_teacher(share):
    recipe = Recipe(steps=1, draw="words", teach=share)
    found = targets_of(batches.make_batches(WORDS, network(), recipe, ngrams()))
    assert sorted(found) == sorted(prefixes_of(WORDS))
    for prefix, target in found.items():
        followed = np.zeros(len(VOCAB))
        for word in WORDS:
            if word.startswith(prefix):
                followed[VOCAB.encode(word[len(prefix) :][:1]).tolist() or [0]] += 1
        taught = np.exp(log_probs_after(ngrams(), [tuple(VOCAB.encode(prefix).tolist())])[0])
        np.testing.assert_allclose(target, (1 - share) * followed / followed.sum() + share * taught, atol=1e-6)


def test_without_a_teacher_it_is_a_kneser_ney_model_of_the_words():
    recipe = Recipe(steps=1, draw="words", teach=0.4)
    own, given = (
        batches.make_batches(WORDS, network(), recipe, teacher) for teacher in (None, mm_jax.ngram.fit(WORDS, VOCAB))
    )
    np.testing.assert_array_equal(own.following, given.following)


def test_prefixes_of_other_words_are_learned_from_the_teacher_alone():
    table = whole_words.teacher_targets(["ab"], ngrams(), 0.25, others=["ac", "b"])
    order = prefixes_of(["ab", "ac", "b"])  # "", a, b, ab, ac
    taught = np.exp(log_probs_of_prefixes(ngrams(), ["ab", "ac", "b"]))
    followed = np.eye(4)[[*VOCAB.encode("ab").tolist(), 0]]
    for prefix, truth in zip(["", "a", "ab"], followed, strict=True):
        i = order.index(prefix)
        np.testing.assert_allclose(table[i], 0.25 * taught[i] + 0.75 * truth, atol=1e-6)
    for prefix in ("b", "ac"):
        np.testing.assert_array_equal(table[order.index(prefix)], taught[order.index(prefix)])


@pytest.mark.slow
def test_a_network_that_only_hears_its_teacher_comes_to_agree():
    trained, _ = mm_jax.fit(
        network(), WORDS, jax.random.key(2), teacher=ngrams(), teach=1.0, steps=400, batch_size=None,
        optimizer=mm_jax.training.recipes.adamw, learning_rate=0.02, draw="words",
    )  # fmt: skip
    gap = np.exp(log_probs_of_prefixes(trained, WORDS)) - np.exp(log_probs_of_prefixes(ngrams(), WORDS))
    assert np.abs(gap).max() < 0.03


def test_bad_input():
    other = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    mlp = drawn(mm_jax.mlp.init, VOCAB, hidden_dim=4)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="teacher has another vocabulary"):
        mm_jax.fit(network(), WORDS, key, steps=1, teach=0.5, teacher=other)
    with pytest.raises(ValueError, match="teacher has another vocabulary"):
        mm_jax.distil(network(), other, WORDS, key, steps=1)
    with pytest.raises(ValueError, match="give teach"):
        mm_jax.fit(network(), WORDS, key, steps=1, teacher=ngrams())
    with pytest.raises(ValueError, match="draw='words'"):
        mm_jax.fit(mlp, WORDS, key, steps=1, teach=0.5)
    with pytest.raises(ValueError, match="share from 0 to 1"):
        Recipe(steps=1, teach=1.5)


def test_too_many_prefixes_are_refused(monkeypatch):
    monkeypatch.setattr(whole_words, "MAX_CELLS", 20)
    with pytest.raises(ValueError, match="too large a table for a teacher"):
        mm_jax.fit(network(), WORDS, jax.random.key(0), steps=1, teach=0.5)
    assert corpus.prefixes(WORDS, VOCAB).distinct > 5
