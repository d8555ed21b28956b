"""The bundled prior: characters by their parts, a GRU for any list, adapted by cross-validation."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import checkpoint, corpus, prior
from mm_jax.learning import candidates, plans
from mm_jax.models.gru import GRU
from mm_jax.models.prediction import TokenNLL, log_probs_of_prefixes
from mm_jax.prior import adapting, characters, network
from mm_jax.words import WordList

from .conftest import slow

TOWNS = [
    *("Amsterdam", "Rotterdam", "Utrecht", "Eindhoven", "Groningen", "Tilburg", "Almere"),
    *("Breda", "Nijmegen", "Apeldoorn", "Haarlem", "Arnhem", "Zaanstad", "Amersfoort"),
    *("Maastricht", "Dordrecht", "Leiden", "Zoetermeer", "Zwolle", "Deventer", "Delft"),
    *("Alkmaar", "Heerlen", "Venlo", "Leeuwarden", "Hilversum"),
]
VOCAB = mm_jax.Vocab.from_words(TOWNS)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def found():
    return prior.interpolate(prior.load(), TOWNS, VOCAB, KEY, order=4)


@pytest.mark.parametrize(
    ("char", "parts"),
    [
        ("e", ("e", "kind L LATIN")),
        ("É", ("e", "\u0301", "capital", "kind L LATIN")),
        ("Ω", ("ω", "capital", "kind L GREEK")),
        ("가", ("\u1100", "\u1161", "kind Lo HANGUL")),
        ("ガ", ("カ", "\u3099", "kind Lo KATAKANA")),
        ("İ", ("I", "\u0307", "kind L LATIN")),  # its lower case is two characters
        ("ﷺ", None),  # its decomposition has 18 characters
        (" ", (" ", "kind Zs")),
        ("\U00010000", ("\U00010000", "kind Lo LINEAR")),
    ],
)
def test_parts_of_a_character(char, parts):
    found = characters.parts_of(char)
    assert len(found) <= characters.MOST
    assert parts is None or found == parts


def test_rows_of_parts():
    parts = ("end", "e", "\u0301", "capital", "kind L LATIN")
    ids = characters.vocab_part_ids(parts, mm_jax.Vocab(".eÉx"))
    assert ids.tolist() == [[0, -1, -1, -1, -1], [1, 4, -1, -1, -1], [1, 2, 3, 4, -1], [4, -1, -1, -1, -1]]


def test_a_restricted_prior_is_the_gru_of_its_equations():
    params = prior.load()
    words, vocab = ["Éa", "ae7"], mm_jax.Vocab.from_words(["Éa", "ae7"])
    found = prior.restrict(params, words, vocab)
    hot = np.zeros((len(vocab), len(params.parts)))
    for row, char in enumerate(vocab.chars):
        for part in ["end"] if char == "." else characters.parts_of(char):
            hot[row, params.parts.index(part)] = 1
    inputs, outputs = hot @ np.asarray(params.inputs), hot @ np.asarray(params.outputs)
    stream = [0, *vocab.encode("Éa"), 0, *vocab.encode("ae7"), 0]
    K = np.asarray(params.K).reshape(len(params.K), 3, -1)
    around = [0, *stream, 0]
    convolved = [sum(inputs[around[t + i]] @ K[:, i] for i in range(3)) for t in range(len(stream))]
    style = np.tanh(
        np.asarray(jax.nn.gelu(np.array(convolved) + np.asarray(params.kb))).mean(0) @ np.asarray(params.M) + params.mb
    )
    expected = {
        "C": inputs @ np.asarray(params.A),
        "b1": params.b1 + style @ np.asarray(params.Z),
        "W2": np.asarray(params.U) @ outputs.T,
        "b2": hot @ np.asarray(params.biases) + outputs @ (params.u + style @ np.asarray(params.Zo)),
    }
    for name, array in expected.items():
        np.testing.assert_allclose(getattr(found, name), array, atol=2e-5, err_msg=name)
    assert (found.W1 == params.W1).all() and found.vocab == vocab


def test_what_is_as_it_is_serves_as_a_model_of_any_alphabet():
    for words in (TOWNS, ["αβγ", "Άλφα"], ["가나", "나다"], ["\U0001f600", "x\U0001f601"]):
        model = prior.restrict(prior.load(), words, vocab := mm_jax.Vocab.from_words(words))
        rows = jax.nn.softmax(mm_jax.unroll(model, jax.numpy.array(vocab.encode(words[0]))))
        np.testing.assert_allclose(rows.sum(-1), 1, atol=1e-5)


def test_renaming_changes_no_prediction():
    model = prior.restrict(prior.load(), TOWNS, VOCAB)
    np.testing.assert_allclose(adapting.nlls(model, TOWNS), TokenNLL(TOWNS, model)(model), atol=1e-5)
    general, renamed = adapting.general(model, TOWNS)
    back = adapting.particular(general, VOCAB)
    assert len(general.vocab) == 64 and renamed[0] != TOWNS[0]
    for name in ("C", "W1", "b1", "bn", "W2", "b2"):
        assert (getattr(back, name) == getattr(model, name)).all()


@pytest.mark.slow
def test_adapting_learns_the_list_and_follows_the_key():
    before = prior.restrict(prior.load(), TOWNS, VOCAB)
    after = adapting.train_on(before, TOWNS, 20, KEY)
    assert mm_jax.evaluate(after, TOWNS).nll < mm_jax.evaluate(before, TOWNS).nll - 0.2
    again, other = (adapting.train_on(before, TOWNS, 20, key) for key in (KEY, jax.random.key(1)))
    assert (after.W1 == again.W1).all() and not (after.W1 == other.W1).all()
    assert adapting.train_on(before, TOWNS, 0, KEY) is before


@pytest.mark.slow
def test_adapt_chooses_the_steps_on_held_out_words():
    model = prior.adapt(prior.load(), TOWNS[:20], VOCAB, KEY, held=TOWNS[20:])
    before = prior.restrict(prior.load(), TOWNS[:20], VOCAB)
    tried = [adapting.train_on(before, TOWNS[:20], steps, KEY) for steps in adapting.steps_for(TOWNS[:20], False)]
    assert isinstance(model, GRU) and model.vocab == VOCAB
    assert mm_jax.evaluate(model, TOWNS[20:]).nll == min(mm_jax.evaluate(one, TOWNS[20:]).nll for one in tried)


@pytest.mark.slow
def test_it_adapts_under_strict_promotion(found):
    with jax.numpy_dtype_promotion("strict"):
        again = prior.interpolate(prior.load(), TOWNS, VOCAB, KEY, order=4)
    assert (again.steps, again.nll) == (found.steps, pytest.approx(found.nll, abs=1e-4))


@pytest.mark.parametrize(
    ("held", "said"),
    [("Delft", "one str"), ([], "empty list"), ([""], "is an empty word"), (["\u00d8rsted"], "not in the vocabulary")],
)
def test_held_words_are_checked(held, said):
    for call in (
        lambda: prior.adapt(prior.load(), TOWNS, VOCAB, KEY, held=held),
        lambda: prior.heads.interpolate(prior.load(), TOWNS, VOCAB, 3, held=held),
    ):
        with pytest.raises(ValueError, match=said):
            call()


def test_an_empty_word_is_named_before_too_few_are():
    with pytest.raises(ValueError, match="is an empty word"):
        prior.interpolate(prior.load(), ["", "", "", "a"], VOCAB, KEY)


def test_too_few_words_to_hold_any_out():
    few = ["anna", "hanna", "nana"] * 2
    model = prior.adapt(prior.load(), few, vocab := mm_jax.Vocab.from_words(few), KEY)
    assert (model.b1 == prior.restrict(prior.load(), few, vocab).b1).all()
    with pytest.raises(ValueError, match="at least 4 distinct words"):
        prior.interpolate(prior.load(), few, vocab, KEY, order=3)


def test_a_product_beats_the_ngrams_on_words_held_out(found):
    assert found.nll < found.ngram_nll - 0.15
    assert min(found.powers) > adapting.LEAST_POWER
    assert isinstance(found.params, mm_jax.Product) and found.params.vocab == VOCAB


def test_cross_validation_holds_words_out_and_equal_ones_together():
    words = [*TOWNS, *TOWNS[:5]]
    folds = adapting.folds_of(words)
    assert sorted(word for _, held in folds for word in held) == sorted(words)
    for train, held in folds:
        assert sorted(train + held) == sorted(words) and not set(train) & set(held)


@pytest.mark.parametrize(("distinct", "folds"), [(63, 4), (64, 2)])
def test_of_many_words_two_folds_of_four_are_tried(distinct, folds):
    words = [chr(0x4E00 + i) for i in range(distinct)] * 2
    found = adapting.folds_of(words)
    assert len(found) == folds
    assert [len(held) for _, held in found] == [2 * len(range(i, distinct, 4)) for i in range(folds)]
    low, high = adapting.steps_for(words)[1:]
    assert adapting.positions(words) == (folds * (low + high) + high) * 8 * (adapting.POSITIONS // 8)


def test_steps_and_powers_are_chosen_on_the_words_of_all_folds():
    """Two folds of two words; a prior that knows the words after 5 steps, and n-grams that know nothing."""
    held, vocab = [["ab", "abb"], ["ba"]], mm_jax.Vocab(".ab")
    knowing = [mm_jax.counts.fit(words, vocab, smoothing=0.1) for words in held]
    shapes = [(corpus.prefixes(words, vocab).distinct, 3) for words in held]
    flat = [np.full(shape, -np.log(3), np.float32) for shape in shapes]
    rows = [log_probs_of_prefixes(model, words) for model, words in zip(knowing, held, strict=True)]
    steps, powers, nll, ngram_nll = adapting.choose(held, vocab, flat, {0: flat, 5: rows})
    assert steps == 5 and ngram_nll == pytest.approx(np.log(3)) and nll < ngram_nll
    assert powers[0] == pytest.approx(0.3, abs=1e-6)  # nothing depends on it, and it stays where it is pulled
    sums = [row * powers[1] for row in rows]
    sums = [row - np.log(np.exp(row).sum(1, keepdims=True)) for row in sums]
    tries = [corpus.prefixes(words, vocab) for words in held]
    found = [-row[trie.ids, trie.targets] for row, trie in zip(sums, tries, strict=True)]
    assert nll == pytest.approx(np.concatenate(found).mean(), abs=1e-5)


@pytest.mark.parametrize(
    ("nlls", "ngram_nll", "steps"),
    [
        ({0: 2.5, 16: 2.0, 40: 2.09}, 3.0, 40),  # gives up 0.09 of 1.0
        ({0: 2.5, 16: 2.0, 40: 2.11}, 3.0, 16),
        ({0: 2.0, 16: 2.05, 40: 2.2}, 3.0, 16),
        ({0: 2.4, 16: 2.3, 40: 2.301}, 2.2, 16),  # no gain
    ],
)
def test_the_most_steps_that_keep_the_gain(nlls, ngram_nll, steps):
    assert adapting.most_that_keep(nlls, ngram_nll) == steps


def test_a_prior_that_does_not_help_is_left_out():
    held, vocab = [["ab", "abb"]], mm_jax.Vocab(".ab")
    rows = log_probs_of_prefixes(mm_jax.counts.fit(held[0], vocab, smoothing=0.1), held[0])
    against = 9 * np.log(1 - np.exp(rows)).astype(np.float32)  # says the opposite
    steps, powers, nll, ngram_nll = adapting.choose(held * 100, vocab, [rows] * 100, {4: [against] * 100})
    assert (steps, powers.tolist(), nll) == (4, [1.0, 0.0], ngram_nll)
    members = [mm_jax.ngram.fit(TOWNS, VOCAB, order=order) for order in (2, 3)]
    assert adapting.multiply(members, np.array([1.0, 0.0])) is members[0]
    both: Any = adapting.multiply(members, np.array([0.3, 0.8]))
    assert both.members == tuple(members) and both.powers.tolist() == pytest.approx([0.3, 0.8])


def test_the_product_is_an_ordinary_model(found, tmp_path):
    mm_jax.save(found.params, tmp_path / "m.safetensors")
    again = mm_jax.load(tmp_path / "m.safetensors")
    assert mm_jax.sample(again, KEY, 3) == mm_jax.sample(found.params, KEY, 3)
    assert mm_jax.evaluate(again, TOWNS).nll == mm_jax.evaluate(found.params, TOWNS).nll


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_file_is_named_and_train_goes_on_without_it(damage, tmp_path, monkeypatch, caplog):
    path = tmp_path / "prior.safetensors"
    if damage == "cut":
        path.write_bytes(prior.PATH.read_bytes()[:1000])
    if damage == "other":
        arrays, about = checkpoint.read_arrays(prior.PATH, "prior")
        del arrays["K"]
        checkpoint.write_arrays(path, arrays, {"kind": "prior", "parts": about["parts"]})
    monkeypatch.setattr(prior, "PATH", path)
    with pytest.raises(ValueError, match=r"prior\.safetensors"):
        prior.load()
    found = mm_jax.learn(TOWNS, KEY, "quick")
    assert found.kept.name.startswith("ngram order")
    assert "not tried: prior, whose file cannot be read" in found.left_out
    assert "prior.safetensors" in caplog.text


def test_a_file_holds_rows_of_whole_numbers_times_a_power_of_two():
    params = prior.load()
    arrays, about = network.to_arrays(params)
    again = network.from_arrays(arrays, about)
    for name, array in vars(params).items():
        if name != "parts":
            assert (getattr(again, name) == array).all(), name
            assert (np.float16(array) == array).all(), name  # a page keeps them in half precision
    rows = np.array([[1.0, -0.503, 0.0], [1e-6, 0.0, 0.0], [0.0, -127.0, 1.0]], np.float32)
    odd = network.to_arrays(replace(params, U=rows))[0]
    assert odd["U"].tolist() == [[64, -32, 0], [0, 0, 0], [0, -127, 1]]
    assert odd["U exponents"].tolist() == [-6, -14, 0]
    assert prior.PATH.stat().st_size < 0.45e6


@pytest.mark.slow
def test_train_keeps_the_prior_where_cross_validation_does(caplog):
    found = mm_jax.learn(TOWNS, KEY, "quick")
    assert [one.name for one in found.tried] == [found.tried[0].name, "prior, adapted"]
    assert found.kept.name == "prior, adapted" and "cross-validation" in found.lines()[-1]
    without = mm_jax.learn(TOWNS, KEY, "quick", prior=False)
    assert without.kept.name == found.tried[0].name


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["anna"], "needs at least 4 different words"),
        (["anna", "bea", "eva"], "needs at least 4 different words"),
        (["anna"] * 20, "needs at least 4 different words"),
        ([f"{i:05d}" for i in range(plans.PRIOR_WORDS + 1)], "helps lists of up to"),
    ],
)
def test_lists_that_the_prior_is_not_tried_on(words, why):
    found, left_out = candidates.plans_for(WordList.of(words), "quick", key=KEY)
    assert plans.PRIOR not in found
    assert any(f"not tried: prior, which {why}" in line for line in left_out)


@pytest.mark.parametrize(
    "words", slow([["\U0001f600\U0001f601", "\U0001f602", "\U0001f603\U0001f600", "\U0001f604"] * 3])
)
def test_an_alphabet_with_nothing_in_common(words):
    found = mm_jax.learn(words, KEY, "quick")
    assert np.isfinite(found.kept.dev)
