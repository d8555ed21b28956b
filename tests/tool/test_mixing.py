"""`mm-jax mix`: several runs as one, of any alphabets."""

import json
import shutil

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax.models import widened
from mm_jax.tool import runs

from ..models.zoo import by_steps, unrolled
from .conftest import make, train

LATIN = ["anna", "mia", "ida", "lena", "emma", "nora", "lina", "mina"]
KANA = ["さくら", "ひなた", "あおい", "はると", "ゆい", "そうた", "みお", "れん"]


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Two runs, of Latin and of Japanese names."""
    folder = tmp_path_factory.mktemp("two")
    for name, words in (("latin", LATIN), ("kana", KANA)):
        train(make(folder, words, f"{name}.txt"), "--out", folder / name, "--model", "ngram", "--order", 3, "-q")
    return folder


@pytest.fixture
def two(two_runs, tmp_path):
    """A copy of them, to write beside."""
    return shutil.copytree(two_runs, tmp_path / "two")


@pytest.mark.slow
def test_a_mixture_is_the_weighted_mean_at_every_character(mm, two):
    status, out, err = mm("mix", two / "latin", two / "kana", "--weights", "1,3", "--out", two / "both", "--json")
    assert status == 0, err
    assert json.loads(out)["weights"] == [0.25, 0.75]
    both, latin, kana = (runs.RunFolder(two / name).open() for name in ("both", "latin", "kana"))
    assert sorted(both.words) == sorted(LATIN + KANA)
    assert set(both.params.vocab.chars[1:]) == set("".join(LATIN + KANA))
    first = np.exp(by_steps(both.params, [])[0])
    for run, weight in ((latin, 0.25), (kana, 0.75)):
        p = np.exp(by_steps(run.params, [])[0])
        for char, mine in zip(run.params.vocab.chars[1:], p[1:], strict=True):
            assert first[both.params.vocab.chars.index(char)] == pytest.approx(weight * mine, abs=1e-6)
    assert first.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_a_mixed_run_is_a_run(mm, two):
    assert mm("mix", two / "latin", two / "kana", "--out", two / "both")[0] == 0
    assert len(mm("sample", two / "both", "-n", 4, "--new")[1].splitlines()) == 4
    for command in ("eval", "info", "top"):
        assert mm(command, two / "both")[0] == 0
    assert mm("mix", two / "both", two / "kana", "--out", two / "again")[0] == 0
    assert mm("sample", two / "again", "-n", 1)[0] == 0


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["latin", "--out", "both"], 2, "two runs or more"),
        (["latin", "kana", "--weights", "1", "--out", "both"], 2, "not 2 positive numbers"),
        (["latin", "kana", "--weights", "1,-1", "--out", "both"], 2, "not 2 positive numbers"),
        (["latin", "nowhere", "--out", "both"], 1, "no run folder"),
        (["latin", "kana", "--out", "kana"], 1, "one of the runs to mix"),
    ],
)
def test_mistakes(mm, two, monkeypatch, args, status, message):
    monkeypatch.chdir(two)
    got, out, err = mm("mix", *args)
    assert (got, out) == (status, "")
    assert message in err


@pytest.mark.slow
def test_widened_reads_past_what_it_does_not_know():
    vocab = mm_jax.Vocab(".abé")
    own = mm_jax.ngram.fit(["ab", "ba", "aab"], mm_jax.Vocab(".ab"), order=3)
    wide = widened.wrap(own, vocab)
    tokens = np.array([1, 3, 2, 0, 3, 1], np.int32)
    rows = np.exp(unrolled(wide, tokens))
    known = np.exp(unrolled(own, np.array([1, 2, 0, 1], np.int32)))
    np.testing.assert_allclose(rows[:, 3], 0)
    np.testing.assert_allclose(rows[[0, 1, 3, 4, 6], :3], known, rtol=1e-5)
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
    assert widened.wrap(own, own.vocab) is own
    with pytest.raises(ValueError, match="lacks 'b'"):
        widened.wrap(own, mm_jax.Vocab(".a"))
    assert set("".join(mm_jax.sample(wide, jax.random.key(0), 200))) == {"a", "b"}


DUTCH, SPANISH = ["anna", "jan", "kees", "sanne", "els", "lina"], ["ana", "juan", "inés", "lina", "elena", "sancho"]


def test_both_multiplies_the_runs_at_every_character(mm, tmp_path):
    for name, words in (("dutch", DUTCH), ("spanish", SPANISH)):
        train(make(tmp_path, words, f"{name}.txt"), "--out", tmp_path / name, "--model", "ngram", "--order", 2, "-q")
    names = [tmp_path / name for name in ("dutch", "spanish")]
    status, out, err = mm("mix", *names, "--both", "--out", tmp_path / "both", "--json")
    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["weights"] == [1.0, 1.0] and "7 shared characters" in err
    both, dutch, spanish = (runs.RunFolder(tmp_path / name).open() for name in ("both", "dutch", "spanish"))
    shared = set(dutch.params.vocab.chars) & set(spanish.params.vocab.chars)
    assert sorted(both.words) == sorted(word for word in DUTCH + SPANISH if shared.issuperset(word))
    product = dict.fromkeys(both.params.vocab.chars, 0.0) | dict.fromkeys(shared, 1.0)
    for run in (dutch, spanish):
        for char, p in zip(run.params.vocab.chars, np.exp(by_steps(run.params, [])[0]), strict=True):
            product[char] *= p
    found = np.exp(by_steps(both.params, [])[0])
    np.testing.assert_allclose(found, np.array(list(product.values())) / sum(product.values()), rtol=1e-4)
    assert mm("sample", tmp_path / "both", "-n", 3, "--new")[0] == 0
    assert mm("mix", tmp_path / "both", names[0], "--out", tmp_path / "again")[0] == 0
    assert mm("page", tmp_path / "both", "--out", tmp_path / "both.html")[0] == 0


@pytest.mark.slow
def test_both_of_alphabets_without_a_common_word_is_refused(mm, two):
    status, _, err = mm("mix", two / "latin", two / "kana", "--both", "--out", two / "both")
    assert status == 1 and "no word of the runs is of symbols that all of them know" in err
    assert not (two / "both").exists()


@pytest.mark.slow
def test_runs_of_other_alphabets_are_mixed_with_a_warning_and_shown_by_a_page(mm, two):
    status, _, err = mm("mix", two / "latin", two / "kana", "--out", two / "mixed")
    assert (status, "warning: the runs share 0 of 9 characters" in err) == (0, True), err
    assert mm("page", two / "mixed", "--out", two / "page.html")[0] == 0
    status, _, err = mm("mix", two / "latin", two / "mixed", "--out", two / "again")
    assert (status, "warning" in err) == (0, False), err
