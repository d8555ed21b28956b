"""The ladder: every rung that the models' files declare, and one table of them."""

import numpy as np
import pytest

import mm_jax
from mm_jax import ladder, models
from mm_jax.words import WordList

from .conftest import BUNDLED, LETTERS


@pytest.fixture(scope="module")
def rungs():
    """Of the models that take no time."""
    words = WordList(mm_jax.split_words(BUNDLED[::40]), LETTERS)
    known = {name: model for name, model in models.makeable().items() if name in ("counts", "bigram", "ngram")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "makeable", lambda: known)
        return list(ladder.fit_all(words, most_steps=3)), words.split


@pytest.mark.slow
def test_rungs_are_those_that_the_files_declare(rungs):
    names = [rung.name for rung in rungs[0]]
    made = (mm_jax.bigram.MODEL, mm_jax.counts.MODEL, mm_jax.ngram.MODEL)
    declared = [recipe.rung for model in made for recipe in model.recipes.values() if recipe.rung]
    assert names[: 1 + len(declared)] == ["uniform", *declared]
    mixtures = [rung for rung in rungs[0][1 + len(declared) :]]
    assert mixtures and all(isinstance(rung.params, mm_jax.Mixture) for rung in mixtures)


def test_entries_are_what_a_model_holds(rungs):
    by_name = {rung.name: rung for rung in rungs[0]}
    assert by_name["uniform"].entries == 0
    assert by_name["neural bigram, 100 steps"].entries == 27 * 27
    pairs = {pair for word in rungs[1].train for pair in zip(f".{word}", f"{word}.", strict=True)}
    firsts = {char for word in rungs[1].train for char in f"{word}."}
    assert by_name["order 2"].entries == len(pairs) + len(firsts)


@pytest.mark.slow
def test_the_table_ends_in_the_best(rungs):
    """Of a few rungs: each draws words, by programs of its own."""
    some, split = rungs[0][::4], rungs[1]
    _, rows = ladder.table_of(some, split, num_samples=50)
    dev = [row["dev"] for row in rows]
    assert dev == sorted(dev, reverse=True) and len(rows) == len(some) > 2
    for rung, row in ((each, row) for each in some for row in rows if row["model"] == each.name):
        assert row["dev"] == mm_jax.evaluate(rung.params, split.dev).nll
    uniform = next(row for row in rows if row["model"] == "uniform")
    assert uniform["test"] == pytest.approx(np.log(27), abs=1e-6)
