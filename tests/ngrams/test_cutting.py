"""Contexts that do not pay for their bytes are dropped; what remains is a model."""

import itertools

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab, checkpoint
from mm_jax.models import ngram, prediction

from ..conftest import BUNDLED, LETTERS


@pytest.mark.parametrize("smoothing", ngram.SMOOTHINGS)
def test_every_row_still_sums_to_one(smoothing):
    words = ["ab", "abc", "ab", "ba", "cabb", "a", "bcab"] * 2 + ["caba"]
    params = ngram.fit(words, Vocab(".abc"), 4, smoothing=smoothing, cut=0.05)
    ngram.validate(params)
    contexts = np.array(list(itertools.product(range(4), repeat=3)), np.int32)
    found = np.exp(prediction.log_probs(params, contexts))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_it_is_smaller_and_loses_less_than_the_orders_that_it_drops():
    held_out, words = BUNDLED[::9], [word for i, word in enumerate(BUNDLED) if i % 9]
    sizes, losses = [], []
    for cut in (0, 0.02, 0.1, 1.0, 100.0):
        params = ngram.fit(words, LETTERS, 5, cut=cut)
        ngram.validate(params)
        sizes.append(ngram.num_entries(params))
        losses.append(mm_jax.evaluate(params, held_out).nll)
    assert sizes == sorted(sizes, reverse=True) and sizes[3] < 0.5 * sizes[0]
    assert losses[1] < mm_jax.evaluate(ngram.fit(words, LETTERS, 3), held_out).nll


def test_a_context_is_kept_by_its_gain_and_by_the_longer_ones_that_end_in_it():
    # After 'ab' comes 'c', after 'bb' comes 'd'; of 'b' alone, both.
    params = ngram.fit(["abc"] * 50 + ["bbd"] * 50, Vocab(".abcd"), 3, cut=0.2)
    top = params.levels[2]
    shorter, oldest = np.divmod(np.asarray(top.codes), 5)
    held = {(int(o), int(params.levels[1].codes[s]) % 5) for s, o in zip(shorter, oldest, strict=True)}
    assert {(1, 2), (2, 2)} <= held


def test_a_cut_model_takes_half_the_bytes_a_pair(tmp_path):
    path = tmp_path / "model.safetensors"
    params = ngram.fit(BUNDLED, LETTERS, 4, cut=0.01)
    mm_jax.save(params, path)
    arrays, _ = checkpoint.read_arrays(path, "model")
    assert arrays["levels.3.values"].dtype == arrays["levels.3.backoff"].dtype == np.float16
    for held, loaded in zip(jax.tree.leaves(params), jax.tree.leaves(mm_jax.load(path)), strict=True):
        np.testing.assert_array_equal(held, loaded, strict=True)


def test_a_cut_below_zero_is_refused():
    with pytest.raises(ValueError, match="cut is -1"):
        mm_jax.ngram.fit(BUNDLED, LETTERS, 3, cut=-1)
