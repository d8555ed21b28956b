"""The verbs over the three units: a list whose letters are renamed to graphemes or to words gives the same numbers."""

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import conditions
from mm_jax.conditions import Conditions
from mm_jax.models import product, widened
from mm_jax.ngrams.orders import nlls

from .conftest import BUNDLED, FIRST_FIVE
from .models import zoo

KEY = jax.random.key(0)
# Sorted as the letters are: so tokens, and with them all arrays, are those of characters.
RENAMED = {
    "graphemes": lambda word: "".join(
        f"{chr(0x915 + ord(letter) - ord('a'))}\u093f" for letter in word
    ),  # with a vowel
    "words": lambda word: " ".join(2 * letter for letter in word),
}
units = pytest.mark.parametrize("units", RENAMED)
QUICK = ["mlp", "ngram"]


def both(name, units):
    """A model over characters and its words, and the same over other units."""
    words = list(FIRST_FIVE)
    renamed = [RENAMED[units](word) for word in words]
    vocab = mm_jax.Vocab.from_words(renamed, units)
    with jax.numpy_dtype_promotion("standard"):
        return zoo.model(name), words, zoo.MAKERS[name](vocab, renamed), renamed


@units
@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in zoo.EVERY if each not in QUICK)]
)
def test_every_model_gives_the_numbers_that_it_gives_over_characters(name, units, tmp_path):
    params, words, renamed_params, renamed = both(name, units)
    rename = RENAMED[units]
    known, found = mm_jax.evaluate(params, words[:3], seen=words[1:]), mm_jax.evaluate(renamed_params, renamed[:3])
    assert (found.nll, found.tokens) == (known.nll, known.tokens)
    assert found.characters == sum(map(len, renamed[:3])) + 3
    assert found.per_character * found.characters == pytest.approx(known.nll * known.tokens)
    drawn = mm_jax.sample(params, KEY, 9, max_length=8)
    assert mm_jax.sample(renamed_params, KEY, 9, max_length=8) == [rename(word) for word in drawn]
    drawn = mm_jax.sample(params, KEY, 3, max_length=8, prefix="ol")
    assert mm_jax.sample(renamed_params, KEY, 3, max_length=8, prefix=rename("ol")) == [rename(each) for each in drawn]
    mm_jax.save(renamed_params, tmp_path / "model.safetensors")
    like = renamed_params if isinstance(params, mm_jax.Network) else None
    again = mm_jax.load(tmp_path / "model.safetensors", like=like)
    assert again.vocab == renamed_params.vocab
    assert mm_jax.evaluate(again, renamed[:3]).nll == known.nll


@units
def test_the_likeliest_words_ranks_and_scores(units):
    params, _, renamed_params, _ = both("ngram", units)
    rename = RENAMED[units]
    best = mm_jax.most_probable(params, 8, prefix="a", exclude=["ava"], max_length=9)
    assert mm_jax.most_probable(renamed_params, 8, prefix=rename("a"), exclude=[rename("ava")], max_length=9) == [
        (rename(word), p) for word, p in best
    ]
    assert mm_jax.rank(renamed_params, rename("isa"), KEY, num_samples=50) == mm_jax.rank(
        params, "isa", KEY, num_samples=50
    )
    score, found = mm_jax.score(params, "ava"), mm_jax.score(renamed_params, rename("ava"))
    assert [each.nll for each in found.characters] == [each.nll for each in score.characters]
    assert [each.character for each in found.characters] == [*map(rename, "ava"), "."]
    assert "nats per symbol" in str(found) and "nats per character" in str(score)


@units
@pytest.mark.parametrize(
    "given",
    [{"suffix": "a", "contains": "i"}, {"min_distance": 2, "new": True, "distinct": True}, {"min_length": 6}],
    ids=str,
)
def test_more_of_a_list(units, given):
    """A prefix is given, so that the case of first letters, which one script of the two has, does not count."""
    words = [word.lower() for word in BUNDLED[::60] if word.isascii() and word.isalpha()]
    found = []
    for rename, vocab_units in ((str, "characters"), (RENAMED[units], units)):
        some = [rename(word) for word in words]
        params = mm_jax.ngram.fit(some, mm_jax.Vocab.from_words(some, vocab_units), 3)
        named = {name: rename(value) if name in ("suffix", "contains") else value for name, value in given.items()}
        options = {"conditions": Conditions(**named), "prefix": rename("a"), "temperature": 1.0}
        found.append(conditions.more(params, some, KEY, 6, **options))
    assert len(found[0].words) == 6
    assert found[1].words == [RENAMED[units](word) for word in found[0].words]
    assert found[1].tried == found[0].tried


def test_conditions_of_words_are_of_whole_symbols():
    words = ["K AE1 T", "K AE10 T", "AE1 K T", "T K AE1"]
    params = mm_jax.ngram.fit(words, mm_jax.Vocab.from_words(words, "words"), 2)

    def drawn(**given):
        return set(conditions.more(params, words, KEY, 40, conditions=Conditions(**given), budget=400).words)

    assert all("AE1" in word.split() for word in drawn(contains="AE1"))
    assert all(word.split()[-1] == "AE1" for word in drawn(suffix="AE1"))
    assert any("AE10" in word for word in drawn(avoid=["ae1"]))
    assert not any("AE1" in word.split() for word in drawn(avoid=["ae1"]))
    assert all(len(word.split()) == 3 for word in drawn(min_length=3, max_length=3))
    with pytest.raises(ValueError, match="'AE': symbol 1 is 'AE'"):
        drawn(contains="AE")
    with pytest.raises(ValueError, match="like compares vowels and consonants, and the symbols here are words"):
        drawn(like="K AE1 T")
    assert conditions.nearest_word("K AE1 K", words, params.vocab) == ("K AE1 T", 1)


def test_like_counts_graphemes():
    words = ["मीरा", "शीला", "राम", "कमला"]
    params = mm_jax.ngram.fit(words, mm_jax.Vocab.from_words(words, "graphemes"), 2)
    found = conditions.more(params, words, KEY, 10, conditions=Conditions(like="मीरा"), budget=400).words
    assert found and all(len(params.vocab.encode(word)) == 2 for word in found)


@units
def test_training(units):
    """By gradient steps, of both ways of batches; a prediction of orders."""
    rename = RENAMED[units]
    words = [*FIRST_FIVE, "mia", "ida", "lena"]
    renamed = [rename(word) for word in words]
    vocabs = mm_jax.Vocab.from_words(words), mm_jax.Vocab.from_words(renamed, units)
    for model, draw in ((mm_jax.mlp, "contexts"), (mm_jax.gru, "words")):
        losses = []
        for vocab, some in zip(vocabs, (words, renamed), strict=True):
            params = model.init(jax.random.key(1), vocab, hidden_dim=8)
            losses.append(mm_jax.fit(params, some, KEY, steps=3, batch_size=4, draw=draw, learning_rate=0.1)[1].loss)
        np.testing.assert_array_equal(*losses)
    np.testing.assert_array_equal(nlls(words, words[:3], vocabs[0], 3), nlls(renamed, renamed[:3], vocabs[1], 3))


def test_models_of_different_units_do_not_mix():
    one, two = (
        mm_jax.counts.fit(["ab"], mm_jax.Vocab.from_words(["ab"], each)) for each in ("characters", "graphemes")
    )
    with pytest.raises(ValueError, match="a product needs two or more models, all of one vocabulary"):
        product.of([one, two])
    with pytest.raises(ValueError, match="the model's symbols are graphemes, and not characters"):
        widened.wrap(two, mm_jax.Vocab(".abc"))


def test_a_model_of_more_words_is_a_model_of_some():
    words = ["in the beginning", "the end"]
    vocab = mm_jax.Vocab.from_words([*words, "a b"], "words")
    params = mm_jax.counts.fit(words, mm_jax.Vocab.from_words(words, "words"), smoothing=1.0)
    wider = widened.wrap(params, vocab)
    assert mm_jax.evaluate(wider, words).nll == pytest.approx(mm_jax.evaluate(params, words).nll)


def test_arpa_names_symbols(tmp_path):
    words = ["K AE1 T", "<s> T", "T <unk>"]
    mm_jax.ngram.to_arpa(
        mm_jax.ngram.fit(words, mm_jax.Vocab.from_words(words, "words"), 2), path := tmp_path / "a.arpa"
    )
    lines = [line.split("\t")[1] for line in path.read_text().splitlines() if "\t" in line]
    assert {"K", "AE1", "K AE1", "AE1 T", "<s>", "</s>", "U+003CU+0073U+003E"} <= set(lines)
    assert "<unk>" not in lines


def test_the_prior_knows_graphemes_by_their_parts():
    words = ["मीरा", "शीला", "राम", "कमला", "विमला", "शीतल"]
    vocab = mm_jax.Vocab.from_words(words, "graphemes")
    params = mm_jax.prior.restrict(mm_jax.prior.load(), words, vocab)
    assert params.vocab == vocab and np.isfinite(mm_jax.evaluate(params, words).nll)
    # In two symbols of one letter it sees one part; in one of another letter none of these.
    parts = [mm_jax.prior.characters.parts_of(symbol) for symbol in ("शी", "श", "म")]
    assert parts[0][0] == parts[1][0] != parts[2][0]
    with pytest.raises(ValueError, match="the symbols here are words"):
        mm_jax.prior.restrict(mm_jax.prior.load(), ["K T"], mm_jax.Vocab.from_words(["K T"], "words"))
