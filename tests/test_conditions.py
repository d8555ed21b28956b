"""More of a list: every condition holds, defaults are the list's, and what rejected is known."""

import jax
import pytest

import mm_jax
from mm_jax import conditions
from mm_jax.conditions import Conditions

from .conftest import BUNDLED, FIRST_FIVE

KEY = jax.random.key(3)
TOWNS = ["Haarlem", "Arnhem", "Almelo", "Hengelo", "Helmond", "Wolvega", "Deventer", "Zwolle", "Sneek", "Meppel"]


@pytest.fixture(scope="module")
def ngram():
    words = BUNDLED[::20]
    return mm_jax.ngram.fit(words, mm_jax.Vocab.from_words(words), 4), words


def drawn(ngram, **given):
    params, words = ngram
    return conditions.more(params, words, KEY, 12, conditions=Conditions(**given)).words


def test_every_condition_holds(ngram):
    known = set(ngram[1])
    holds = {
        ("suffix", "a"): lambda word: word.endswith("a"),
        ("contains", "nn"): lambda word: "nn" in word,
        ("regex", "^m.*[aeiou]$"): lambda word: word[0] == "m" and word[-1] in "aeiou",
        ("min_length", 7): lambda word: len(word) >= 7,
        ("max_length", 4): lambda word: len(word) <= 4,
        ("new", True): lambda word: word not in known,
        ("avoid", ("AN", "ie")): lambda word: "an" not in word and "ie" not in word,
        ("accept", str.isascii): str.isascii,
    }
    for (name, value), holding in holds.items():
        words = drawn(ngram, **{name: value})
        assert len(words) == 12 and all(map(holding, words)), name
    assert len(set(drawn(ngram, distinct=True))) == 12
    assert all(conditions.nearest_word(word, ngram[1], ngram[0].vocab)[1] >= 2 for word in drawn(ngram, min_distance=2))


def test_lengths_are_those_of_the_list():
    words = ["abcdefg", "bcdefga", "cdefgab"] * 10
    params = mm_jax.ngram.fit(words, mm_jax.Vocab.from_words(words), 2)
    assert {len(word) for word in conditions.more(params, words, KEY, 200).words} == {7}
    assert conditions.lengths_for(["x" * 17]) == (17, 17)


def test_first_letters_are_those_of_the_list():
    params = mm_jax.ngram.fit(TOWNS, mm_jax.Vocab.from_words(TOWNS), 1)
    assert all(word[0].isupper() for word in conditions.more(params, TOWNS, KEY, 50).words)
    mixed = [*TOWNS, "'t Harde"]
    params = mm_jax.ngram.fit(mixed, mm_jax.Vocab.from_words(mixed), 1)
    assert any(word[0].islower() for word in conditions.more(params, mixed, KEY, 50).words)
    assert all(word.startswith("el") for word in conditions.more(params, TOWNS, KEY, 5, prefix="el").words)
    assert [conditions.first_case(words) for words in (["a", "b"], ["東京"], ["A", "b"], ["ß"])] == [
        "lower",
        "",
        "",
        "lower",
    ]


def test_what_rejects_is_counted(ngram):
    params, words = ngram
    found = conditions.more(params, words, KEY, 5, conditions=Conditions(accept=lambda word: False), budget=200)
    assert found.words == [] and found.tried == 200
    assert sum(found.rejected.values()) == 200
    assert max(found.rejected, key=found.rejected.get) == "the filter"


def test_greedy_draws_are_not_repeated_for_ever(ngram):
    params, words = ngram
    found = conditions.more(params, words, KEY, 3, conditions=Conditions(min_length=14), temperature=0.0)
    assert found.words == [] and found.tried == 3
    assert dict(found.rejected) == {f"a length of 14 to {max(map(len, words)) + 14}": 3}
    assert conditions.more(params, words, KEY, 3, conditions=Conditions(min_length=14), temperature=1e-9).tried == 3


def test_a_greatest_length_below_the_list_moves_the_least():
    assert conditions.lengths_for(["abcd", "abcdef"], most=2) == (2, 2)
    assert conditions.lengths_for(["abcd", "abcdef"]) == (4, 6)


def test_empty_words_are_left_out_unless_asked_for():
    params = mm_jax.ngram.fit(FIRST_FIVE, mm_jax.Vocab.from_words(FIRST_FIVE), 1)
    assert "" in mm_jax.sample(params, KEY, 300, min_length=0)
    words = mm_jax.sample(params, KEY, 300)
    assert len(words) == 300 and "" not in words
    assert min(map(len, mm_jax.sample(params, KEY, 300, min_length=3))) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"regex": "("}, "no regular expression"),
        ({"regex": "(?:" * 5000 + ")" * 5000}, "no regular expression"),
        ({"min_length": 5, "max_length": 3}, "no word has 5 characters"),
        ({"min_length": -1}, "min_length is -1"),
        ({"avoid": "an"}, "avoid is one str"),
        ({"suffix": "é"}, "é"),
    ],
    ids=["bracket", "nested", "lengths", "negative", "one str", "unknown"],
)
def test_refuses(ngram, given, message):
    with pytest.raises(ValueError, match=message):
        drawn(ngram, **given)


def test_a_pattern_without_end_is_stopped(ngram, monkeypatch):
    monkeypatch.setattr(conditions, "_REGEX_SECONDS", 0.05)
    pattern = conditions._compiled("(a|aa)+b$")
    with pytest.raises(ValueError, match="took over"):
        conditions._matches(pattern, "a" * 60)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("mary", "lisa", True),
        ("mary", "anna", False),
        ("zoë", "Lia", True),
        ("jean-luc", "teos-nad", True),
        ("jean-luc", "teosinad", False),
        ("мой", "кот", True),
        ("ёлка", "икра", True),
        ("ёлка", "йода", False),
        ("άννα", "ίλλη", True),
        ("さくら", "ひなた", True),
        ("さくら", "ゆい", False),
        ("शीला", "मीरा", True),
    ],
)
def test_shapes(one, other, alike):
    assert (conditions.shape(one) == conditions.shape(other)) is alike


def test_like_a_word(ngram):
    words = drawn(ngram, like="marina", distinct=True)
    assert len(words) == 12 and "marina" not in words
    assert all([char in "aeiouy" for char in word] == [False, True] * 3 for word in words)
    short = ["ab", "ba"]
    params = mm_jax.ngram.fit(short, mm_jax.Vocab(".ab"), 1)
    alone = conditions.more(params, short, KEY, 2, conditions=Conditions(like="abb"), budget=1000)
    assert alone.words == [] and "the shape of 'abb'" in alone.rejected  # which it alone has
    longer = mm_jax.ngram.fit([*short, "ae"], mm_jax.Vocab(".abe"), 1)
    found = conditions.more(longer, short, KEY, 9, conditions=Conditions(like="abb"), budget=10_000).words
    assert set(found) == {"ebb"}  # of three characters, where the list has two at most


def test_like_refuses(ngram):
    for given, message in (
        ({"like": ""}, "like is an empty word: give one that new words are to resemble"),
        ({"like": "anna", "min_length": 5}, "'anna' has 4 characters: leave out min_length and max_length"),
        ({"like": "anna", "max_length": 3}, "'anna' has 4 characters: leave out min_length and max_length"),
        ({"like": "ann7"}, "character 4 is '7'"),
    ):
        with pytest.raises(ValueError, match=message):
            drawn(ngram, **given)
