"""N-grams that occur rarely are dropped; what remains is a model."""

import itertools

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab
from mm_jax.models import ngram, prediction

from ..conftest import BUNDLED, LETTERS


@pytest.mark.parametrize("smoothing", ngram.SMOOTHINGS)
def test_every_row_still_sums_to_one(smoothing):
    words = ["ab", "abc", "ab", "ba", "cabb", "a", "bcab"] * 2 + ["caba"]
    params = ngram.fit(words, Vocab(".abc"), 4, smoothing=smoothing, cut=2)
    ngram.validate(params)
    contexts = np.array(list(itertools.product(range(4), repeat=3)), np.int32)
    found = np.exp(prediction.log_probs(params, contexts))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_what_is_kept_keeps_its_value():
    whole, cut = ngram.fit(BUNDLED, LETTERS, 5), ngram.fit(BUNDLED, LETTERS, 5, cut=3)
    ngram.validate(cut)
    assert ngram.num_entries(cut) < 0.5 * ngram.num_entries(whole)
    for one, other in zip(whole.levels[:2], cut.levels[:2], strict=True):  # a context of one token keeps its rank
        pairs = {
            (int(c), int(t)): float(v)
            for c, t, v in zip(ngram._table(one, LETTERS).entry_rows(), one.tokens, one.values, strict=False)
        }
        rows = one.codes.tolist()
        for c, t, v in zip(ngram._table(other, LETTERS).entry_rows(), other.tokens, other.values, strict=False):
            assert pairs[rows.index(int(other.codes[int(c)])), int(t)] == float(v)


def test_a_cut_of_one_changes_nothing_and_a_large_one_leaves_order_1():
    whole = ngram.fit(BUNDLED[:99], LETTERS, 3)
    for one, other in zip(
        jax.tree.leaves(whole), jax.tree.leaves(ngram.fit(BUNDLED[:99], LETTERS, 3, cut=1)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert len(ngram.fit(BUNDLED[:99], LETTERS, 3, cut=10**6).levels) == 1


def test_a_cut_below_one_is_refused():
    with pytest.raises(ValueError, match="cut is 0: give 1 or more"):
        mm_jax.ngram.fit(BUNDLED, LETTERS, 3, cut=0)
