import math

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab

from .conftest import BUNDLED, FIRST_FIVE, LETTERS, log_softmax, mlp_of
from .models.zoo import OTHERS_TO_READ, READ, by_steps, each_of


def word_nlls(params, words):
    """Sum and length of each word's nll, one character at a time."""
    out = []
    for word in words:
        tokens = params.vocab.encode(word)
        logp = log_softmax(by_steps(params, tokens))
        out.append((-sum(float(row[token]) for row, token in zip(logp, [*tokens, 0], strict=True)), len(word) + 1))
    return np.array(out)


@each_of(READ, slow=[name for name in OTHERS_TO_READ if "widened" not in name])  # to which some words are impossible
def test_against_one_word_at_a_time(params):
    seen = {"ava", "emma"}
    got = mm_jax.evaluate(params, FIRST_FIVE, seen=seen)
    sums, lengths = word_nlls(params, FIRST_FIVE).T
    mean = sums.sum() / lengths.sum()
    assert got.nll == pytest.approx(mean, rel=1e-6)
    n = len(FIRST_FIVE)
    stderr = math.sqrt(n / (n - 1) * ((sums - mean * lengths) ** 2).sum()) / lengths.sum()
    assert got.stderr == pytest.approx(stderr, rel=1e-4)
    new = np.array([word not in seen for word in FIRST_FIVE])
    assert got.nll_unseen == pytest.approx(sums[new].sum() / lengths[new].sum(), rel=1e-6)
    assert (got.words, got.tokens, got.words_unseen) == (5, 32, 3)


@pytest.mark.slow
def test_the_standard_error_is_the_spread_of_samples():
    """The nll of 300 lists drawn from the model itself varies as the standard error says, within 5 sigma."""
    words = BUNDLED
    params = mm_jax.counts.fit(words, LETTERS, 1.0)
    drawn = [word for word in mm_jax.sample(params, jax.random.key(0), 30_300) if word][:30_000]
    lists = [mm_jax.evaluate(params, drawn[i : i + 100]) for i in range(0, 30_000, 100)]
    spread, claimed = np.std([e.nll for e in lists], ddof=1), np.mean([e.stderr for e in lists])
    assert claimed / spread == pytest.approx(1, abs=5 / math.sqrt(2 * 300))


def test_an_impossible_bigram_is_inf_and_smoothing_mends_it():
    for params in (mm_jax.counts.fit(FIRST_FIVE, LETTERS), mm_jax.counts.fit(FIRST_FIVE, LETTERS, 0.0)):
        got = mm_jax.evaluate(params, ["emma", "jq"], seen=["emma"])
        assert got.nll == got.nll_unseen == math.inf
        assert math.isnan(got.stderr)
    assert mm_jax.evaluate(mm_jax.counts.fit(FIRST_FIVE, LETTERS, 1.0), ["jq"]).nll < 10


def test_nothing_unseen_is_nan():
    params = mm_jax.counts.fit(FIRST_FIVE, LETTERS, 1.0)
    got = mm_jax.evaluate(params, FIRST_FIVE, seen=FIRST_FIVE)
    assert math.isnan(got.nll_unseen)
    assert got.words_unseen == 0
    assert math.isnan(mm_jax.evaluate(params, ["ava"]).stderr)


def test_blocks_do_not_matter(torch_init):
    """More contexts than one compiled call takes: the mean over all is that over the parts."""
    words = BUNDLED
    params = mlp_of(torch_init, "2_100")
    parts = [mm_jax.evaluate(params, words[:4000]), mm_jax.evaluate(params, words[4000:])]
    expected = sum(p.nll * p.tokens for p in parts) / sum(p.tokens for p in parts)
    assert mm_jax.evaluate(params, words).nll == pytest.approx(expected, rel=1e-6)


def test_refuses():
    params = mm_jax.counts.fit(["ab"], Vocab(".ab"))
    with pytest.raises(ValueError, match="word 1, 'c'"):
        mm_jax.evaluate(params, ["c"])
    with pytest.raises(ValueError, match="empty list"):
        mm_jax.evaluate(params, [])
