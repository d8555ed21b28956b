"""How many words are likelier: by counting all of them, and by what is estimated from draws."""

import collections
import itertools
from decimal import Decimal

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import ranking
from mm_jax.evaluation import word_nlls
from mm_jax.models import contract, ngram
from mm_jax.models.prediction import log_probs_after
from mm_jax.ranking import Rank
from mm_jax.vocab import decode_columns

from .conftest import FIRST_FIVE, drawn
from .models.zoo import EVERY, VOCAB, each_of

AB = mm_jax.Vocab(".ab")
SOME = ["fresh", "mixture, sequential", "ngram"]


def counted(params, words):
    """The rank of each word: all prefixes that are as likely as the least likely one are followed to their end."""
    nlls, _ = word_nlls(params, words)
    limit, found = nlls.max(), []
    level, costs, longest = [()], np.zeros(1), contract.max_length(params) or 200
    while level and len(level[0]) <= longest:
        following = costs[:, None] - log_probs_after(params, level).astype(np.float64)
        if level != [()]:  # the empty word does not count
            found.extend(following[:, 0])
        parents, chars = np.nonzero(following[:, 1:] < limit)
        costs = following[parents, chars + 1]
        level = [(*level[parent], int(char) + 1) for parent, char in zip(parents, chars, strict=True)]
    return [int((np.array(found) < nll - 1e-4).sum()) + 1 for nll in nlls]


@each_of(SOME, ".ab", slow=[name for name in EVERY if name not in SOME])
def test_the_likeliest_are_counted(params):
    words = [word for word, _ in mm_jax.most_probable(params, 12)]
    for word, truth in zip(words, counted(params, words), strict=True):
        assert mm_jax.rank(params, word, jax.random.key(0), num_samples=500) == Rank(truth, truth, truth, True)


@pytest.mark.slow
def test_95_of_100_intervals_hold_the_rank(monkeypatch):
    """Of 200 words at ranks up to 100,000, each ranked ten times, without the exact count."""
    monkeypatch.setattr(ranking, "_COUNTED", 0)
    rng = np.random.default_rng(0)
    train = ["".join(rng.choice(list("abcd"), rng.integers(1, 7))) for _ in range(60)]
    params = mm_jax.ngram.fit(train, mm_jax.Vocab(".abcd"), order=3)
    distinct = list(dict.fromkeys(mm_jax.sample(params, jax.random.key(99), 2000)))
    nlls, _ = word_nlls(params, distinct)
    words = [word for word, nll in zip(distinct, nlls, strict=True) if nll < 15][:200]
    truth = counted(params, words)
    assert len(words) == 200 and max(truth) > 20_000
    found = [mm_jax.ranking.ranks(params, words, jax.random.key(seed), num_samples=2000) for seed in range(10)]
    held = [one.low <= rank <= one.high for each in found for one, rank in zip(each, truth, strict=True)]
    assert 0.93 <= np.mean(held) <= 0.97
    assert np.mean([one.high / one.low for each in found for one in each]) < 2


def test_words_as_long_as_the_model_reads(monkeypatch):
    """Their end is not drawn: they are cut there, and must count all the same."""
    monkeypatch.setattr(ranking, "_COUNTED", 0)
    params = drawn(mm_jax.transformer.init, AB, num_layers=1, num_heads=1, width=4, max_length=4)
    every = ["".join(chars) for length in range(1, 5) for chars in itertools.product("ab", repeat=length)]
    nlls, _ = word_nlls(params, every)
    truth = [int((nlls < nll - 1e-4).sum()) + 1 for nll in nlls]
    found = mm_jax.ranking.ranks(params, every, jax.random.key(1), num_samples=20_000)
    assert [each.rank for each in found] == pytest.approx(truth, rel=0.1)
    assert np.mean([each.low <= rank <= each.high for each, rank in zip(found, truth, strict=True)]) > 0.9


def test_far_less_likely_than_what_is_drawn():
    """No draw is near: the interval reaches from the words that were drawn to 1 / p, and says so."""
    params = mm_jax.ngram.fit(FIRST_FIVE, VOCAB, order=3)
    found = mm_jax.rank(params, "h" * 300, jax.random.key(0), num_samples=200)
    assert found.low < found.high < Decimal(mm_jax.score(params, "h" * 300).nll + 0.01).exp()
    assert str(found).startswith("between the ") and "e+" in str(found)


def test_refuses():
    params, key = mm_jax.counts.fit(FIRST_FIVE, VOCAB), jax.random.key(0)
    for word, message in {
        "": "an empty word: nothing to rank",
        "ab": "the model cannot make 'ab', to which it gives probability 0: it has no rank",
        "az": "character 2 is 'z'",
    }.items():
        with pytest.raises(ValueError, match=message):
            mm_jax.rank(params, word, key)
    with pytest.raises(ValueError, match="num_samples is 0"):
        mm_jax.rank(params, "ava", key, num_samples=0)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Rank(1, 1, 1, True), "the likeliest"),
        (Rank(111, 111, 111, True), "the 111th likeliest"),
        (Rank(1052, 1000, 1100, False), "about the 1,100th likeliest, +- 5%"),
        (Rank(10, 1, 100, False), "between the 1st and the 100th likeliest"),
        (Rank(3 * 10**400, 29 * 10**399, 31 * 10**399, False), "about the 3.0e+400th likeliest, +- 3%"),
    ],
)
def test_in_words(found, text):
    assert str(found) == text


@pytest.mark.parametrize("order", [1, 3])
def test_ngrams_draw_by_themselves_what_they_say(order):
    """Chi square of 20,000 draws by the model's own way, which lists of many symbols take, over all likely words."""
    params = mm_jax.ngram.fit(["ab", "abba", "b", "ba", "ab"], AB, order)
    number = 20_000
    drawn = decode_columns(ngram.draw(params, np.random.default_rng(1), number, 200), AB)
    counts = collections.Counter(drawn)
    likely = mm_jax.most_probable(params, 40)
    expected = np.array([number * p for _, p in likely])
    observed = np.array([counts[word] for word, _ in likely])
    assert expected.min() > 5
    squares = ((observed - expected) ** 2 / expected).sum()
    assert abs(squares - len(likely)) < 4 * (2 * len(likely)) ** 0.5


@pytest.mark.slow
def test_a_rank_among_thousands_of_symbols_is_that_of_letters(monkeypatch):
    """The same model, drawn from by itself and by `sample`."""
    params = mm_jax.ngram.fit(FIRST_FIVE, VOCAB, 3)
    words = ["emma", "avia", "sabella"]
    usual = mm_jax.ranking.ranks(params, words, jax.random.key(0), num_samples=4000)
    monkeypatch.setattr(ranking, "LARGE", 1)
    own = mm_jax.ranking.ranks(params, words, jax.random.key(0), num_samples=4000)
    assert own != usual or all(one.exact for one in own)
    assert all(one.low <= other.high and other.low <= one.high for one, other in zip(own, usual, strict=True))


def test_few_words_are_drawn_where_each_takes_long(monkeypatch):
    """Among thousands of symbols, unless the model draws by itself; a number that is given is kept."""
    asked = []

    def drawn_words(params, key, num_samples, longest):
        asked.append(num_samples)
        return np.full((2, num_samples), 50.0)

    monkeypatch.setattr(ranking, "_drawn", drawn_words)
    models = mm_jax.ngram.fit(FIRST_FIVE, VOCAB, 2), mm_jax.bigram.init(jax.random.key(0), VOCAB)
    for large in (ranking.LARGE, 1):
        monkeypatch.setattr(ranking, "LARGE", large)
        for params in models:
            mm_jax.rank(params, "emma", jax.random.key(0))
    mm_jax.rank(models[1], "emma", jax.random.key(0), num_samples=70)
    assert asked == [20_000, 20_000, 20_000, 500, 70]
