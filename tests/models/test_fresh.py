import functools
import itertools

import jax
import numpy as np
import pytest

import mm_jax

from ..conftest import drawn, slow
from .zoo import by_steps, louder, unrolled

VOCAB = mm_jax.Vocab(".abc")
LIST = ["ab", "b", "ab", "ba", "aab", "a", "abb", "cab", "cab", "cabb"]


MEMBERS = {
    "windowed": lambda: mm_jax.ngram.fit(LIST, VOCAB, order=3, smoothing="witten-bell"),
    "sequential": lambda: louder(drawn(mm_jax.gru.init, VOCAB, seed=1, hidden_dim=8)),
    "bounded": lambda: louder(
        drawn(mm_jax.transformer.init, VOCAB, seed=2, num_layers=1, num_heads=2, width=8, max_length=7)
    ),
}
MEMBERS["mixture"] = lambda: mm_jax.Mixture(
    members=(MEMBERS["windowed"](), MEMBERS["sequential"]()), scores=jax.device_put(np.float32([0.0, 1.0])), vocab=VOCAB
)
MEMBERS = {name: functools.cache(make) for name, make in MEMBERS.items()}
members = pytest.mark.parametrize("member", ["bounded", *slow(["windowed", "sequential", "mixture"])], indirect=True)


@pytest.fixture
def member(request):
    return MEMBERS[request.param]()


def log_ps(params, words):
    return -mm_jax.evaluation.word_nlls(params, words)[0]


def some_words():
    return ["".join(chars) for length in range(1, 5) for chars in itertools.product("abc", repeat=length)]


def by_the_formula(member, share, power):
    """log P' of `some_words`, from the definition."""
    known = sorted(set(LIST))
    inside, every = log_ps(member, known), log_ps(member, some_words())
    is_known = np.isin(some_words(), known)
    S, Z = np.exp(inside).sum(), np.exp(power * inside).sum()
    with np.errstate(divide="ignore"):
        return np.where(is_known, np.log(share) + power * every - np.log(Z), np.log(1 - share) + every - np.log(1 - S))


@members
def test_words_have_the_probabilities_of_the_formula(member):
    for share, power in [(0.3, 0.5), (0.6, 1.0), (0.0, 0.5), (0.2, 0.0)]:
        params = mm_jax.fresh.wrap(member, LIST, share, power=power)
        np.testing.assert_allclose(log_ps(params, some_words()), by_the_formula(member, share, power), atol=1e-5)


@members
def test_rows_sum_to_one(member):
    """That a row read at once is one read step by step holds for every model: test_contract."""
    row = np.array([3, 1, 2, 2, 0, 1, 2, 0, 2, 2, 1], np.int32)
    rows = np.asarray(unrolled(mm_jax.fresh.wrap(member, LIST), row), np.float64)
    np.testing.assert_allclose(np.exp(rows).sum(1), 1.0, atol=1e-6)


def test_all_words_together_have_a_probability_of_one():
    # Of words of a and b up to 12 characters; what is longer has next to nothing.
    words = ["a", "b", "ab", "ba", "ab"]
    vocab = mm_jax.Vocab(".ab")
    params = mm_jax.fresh.wrap(mm_jax.counts.fit(words, vocab, smoothing=0.1), words, 0.3)
    every = ["".join(chars) for length in range(1, 13) for chars in itertools.product("ab", repeat=length)]
    logp = -mm_jax.evaluation.word_nlls(params, every)[0]
    known = np.isin(every, words)
    assert np.exp(logp[known]).sum() == pytest.approx(0.3, abs=1e-6)
    empty = np.exp(by_steps(params, [])[0, 0])
    assert np.exp(logp).sum() + empty == pytest.approx(1.0, abs=2e-3)


def test_the_share_is_that_of_good_and_turing():
    # Six words occur once, so 4 of the 10 lines repeat: (10 - 6 + 1) / (10 + 2).
    params = mm_jax.fresh.wrap(MEMBERS["windowed"](), LIST)
    assert np.exp(log_ps(params, sorted(set(LIST)))).sum() == pytest.approx(5 / 12, abs=1e-6)


@pytest.mark.parametrize("member", ["windowed", *slow(["sequential"])], indirect=True)
def test_a_share_of_nothing_draws_new_words_only(member):
    params = mm_jax.fresh.wrap(member, LIST, 0.0)
    drawn = mm_jax.sample(params, jax.random.key(3), 4000, max_length=7)
    assert not set(drawn) & set(LIST)
    assert np.isinf(mm_jax.evaluate(params, ["ab"]).nll)
    assert np.isfinite(mm_jax.evaluate(params, ["abc"]).nll)


def test_samples_occur_as_often_as_the_share_says():
    params = mm_jax.fresh.wrap(MEMBERS["windowed"](), LIST, 0.4)
    n = 4000
    known = sum(word in set(LIST) for word in mm_jax.sample(params, jax.random.key(4), n))
    assert abs(known - 0.4 * n) < 4 * np.sqrt(n * 0.4 * 0.6)  # 4 sigma


@members
def test_saved_and_loaded(member, tmp_path):
    params = mm_jax.fresh.wrap(member, LIST)
    mm_jax.save(params, tmp_path / "fresh.safetensors")
    loaded = mm_jax.load(tmp_path / "fresh.safetensors")
    assert mm_jax.evaluate(loaded, some_words()) == mm_jax.evaluate(params, some_words())


def changed(array, at, value):
    """A copy with another value at one place, by NumPy: nothing is compiled."""
    array = np.array(array)
    array[at] = value
    return jax.device_put(array)


def test_a_prefix_that_leads_to_itself_is_refused():
    params = mm_jax.fresh.wrap(MEMBERS["windowed"](), ["ab"])
    with pytest.raises(ValueError, match="prefixes are out of order"):
        mm_jax.fresh.validate(type(params)(**(vars(params) | {"first": changed(params.first, 1, 0)})))


def test_a_trie_without_any_prefix_is_refused():
    params = mm_jax.fresh.wrap(MEMBERS["windowed"](), ["ab"])
    empty = {"first": params.first[:1], "ends": params.ends[:0]}
    with pytest.raises(ValueError, match="prefixes are out of order"):
        mm_jax.fresh.validate(type(params)(**(vars(params) | empty)))


def test_a_file_with_other_tables_is_refused(tmp_path):
    params = mm_jax.fresh.wrap(MEMBERS["windowed"](), LIST)
    broken = {
        "out of order": {"first": changed(params.first, -1, 0)},
        "beyond the vocabulary": {"tokens": changed(params.tokens, 0, 7)},
        "after their end": {"tokens": changed(params.tokens, 0, 0)},
        "factors are infinite": {"ends": changed(params.ends, 0, np.inf)},
    }
    for message, changes in broken.items():
        mm_jax.save(type(params)(**(vars(params) | changes)), tmp_path / "broken.safetensors")
        with pytest.raises(ValueError, match=message):
            mm_jax.load(tmp_path / "broken.safetensors")


def test_bad_input():
    smooth, bare = MEMBERS["windowed"](), mm_jax.counts.fit(["ab"], VOCAB)
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="share is"):
            mm_jax.fresh.wrap(smooth, LIST, share)
    with pytest.raises(ValueError, match="power is"):
        mm_jax.fresh.wrap(smooth, LIST, power=-1.0)
    with pytest.raises(ValueError, match="calls a word of the list impossible"):
        mm_jax.fresh.wrap(bare, LIST)
    with pytest.raises(ValueError, match="calls all words outside the list impossible"):
        mm_jax.fresh.wrap(bare, ["ab"])
    with pytest.raises(ValueError, match="reads 7 at most"):
        mm_jax.fresh.wrap(MEMBERS["bounded"](), ["abcabcabc"])
