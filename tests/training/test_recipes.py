"""Recipes: the rate of each step, what can be written to a file, what is refused."""

import functools

import jax
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import models
from mm_jax.training import recipes
from mm_jax.training.recipes import Recipe

from ..conftest import LETTERS, slow


def test_rates_follow_the_decay():
    """20 steps at a peak of 2."""
    rates = {name: Recipe(steps=20, learning_rate=2.0, decay=decay).rates() for name, decay in recipes.DECAYS.items()}
    assert set(rates["constant"]) == {2.0}
    assert rates["tenth"].tolist() == pytest.approx([2.0] * 10 + [0.2] * 10)
    assert rates["cosine"][[0, 10]].tolist() == pytest.approx([2.0, 1.0]) and (np.diff(rates["cosine"]) < 0).all()
    assert rates["linear"][:3].tolist() == pytest.approx([0.0, 2.0, 2 * 0.9 / 0.95])
    assert rates["linear"][-1] == pytest.approx(2 * 0.05 / 0.95)
    assert Recipe(steps=3, optimizer=optax.adam(0.1)).rates() is None


def test_the_recipes_of_every_model_are_read_back_from_json():
    for model in models.makeable().values():
        for recipe in recipes.recipes_of(model).values():
            assert Recipe.from_json(recipe.as_json()) == recipe
            assert recipe.but(steps=7).steps == 7
            assert recipe.but(batch_size=None).batch_size is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 1, "momentum": 0.9}, "a recipe has no option momentum"),
        ({"steps": 1, "optimizer": "lion"}, "optimizer is 'lion': choose one of sgd, adam, adamw, muon"),
        ({"steps": 1, "decay": "never"}, "decay is 'never'"),
        ({}, "no recipe"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_json_that_is_no_recipe(values, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_json(values)


def test_functions_without_a_name_are_not_written():
    with pytest.raises(ValueError, match="decay cannot be written to a file: choose one of constant"):
        Recipe(steps=1, decay=lambda t: 1 - t).as_json()


def test_a_decay_gives_a_number_for_each_step():
    for decay in (lambda t: 0.5, lambda t: t[:-1], lambda t: t > 0, lambda t: t / 0.0 * t):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"decay gives .* for an array \[4\]"):
            Recipe(steps=4, decay=decay).rates()
    held = Recipe(steps=4, learning_rate=1, decay=lambda t: np.array([1, 0, 0, 1]))
    assert held.rates().tolist() == [1, 0, 0, 1]


def test_the_kinds_of_dropout_are_those_of_the_layer():
    recipe = Recipe(steps=1, drop_states=0.5)
    assert recipe.drops == ("states",)
    assert (recipe.dropout.tokens, recipe.dropout.states, recipe.dropout.edges) == (0, 0.5, 0)
    assert Recipe(steps=1).dropout is None


WORDS, VOCAB = ["ab", "abb", "b"], mm_jax.Vocab(".ab")


OTHERS = [("gru", "adamw"), ("gru", "muon"), ("transformer", "sgd"), ("transformer", "muon")]


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [("mlp", "adamw"), ("mlp", "muon"), *slow([("mlp", "sgd"), ("mlp", "adam"), *OTHERS])],
)
def test_every_optimizer_trains_under_strict_promotion(model, optimizer):
    sizes = {"num_layers": 1, "num_heads": 1, "width": 4} if model == "transformer" else {"hidden_dim": 4}
    decayed = {"weight_decay": 0.1} if optimizer in ("adamw", "muon") else {}
    values = {"steps": 3, "batch_size": 2, "learning_rate": 0.1, "decay": "linear", "draw": "words", "l2": 0.1}
    recipe = Recipe.from_json({**values, "optimizer": optimizer, **decayed})
    with jax.numpy_dtype_promotion("strict"):
        params = getattr(models, model).init(jax.random.key(0), VOCAB, **sizes)
        _, history = mm_jax.fit(params, WORDS, jax.random.key(1), recipe, dev=["ab"])
    assert np.isfinite(history.loss).all()


@pytest.mark.slow
def test_mixtures_populations_and_rates_under_strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        params = mm_jax.bigram.init(jax.random.key(0), VOCAB)
        members = [params, mm_jax.counts.fit(WORDS, VOCAB, smoothing=1.0)]
        assert float(mm_jax.mixture.fit(members, WORDS, steps=5).weights.sum()) == pytest.approx(1)
        for find in (mm_jax.lr_range_test, mm_jax.try_rates):
            assert np.isfinite(find(params, WORDS, jax.random.key(1), steps=10, optimizer=optax.adam).suggestion)


TRACED = []


def noted(factor):
    """SGD that notes each time that a program is made of it."""

    def optimizer(rate):
        if isinstance(rate, jax.core.Tracer):
            TRACED.append(factor)
        return optax.sgd(factor * rate)

    return optimizer


def trained(recipe=None, **options):
    params = mm_jax.bigram.init(jax.random.key(0), VOCAB)
    return params, mm_jax.fit(params, WORDS, jax.random.key(1), recipe, **options)[0]


def test_a_recipe_compiles_once():
    optimizer, before = noted(1.0), len(TRACED)
    first = Recipe(steps=5, optimizer=optimizer, learning_rate=0.1)
    for recipe in (first, first, first.but(learning_rate=1), first.but(decay=recipes.cosine), first.but(steps=5)):
        trained(recipe)
    trained(steps=5, optimizer=optimizer, learning_rate=0.2, decay=lambda t: 1 - t)
    assert len(TRACED) - before == 2  # the first state, and the chunk
    trained(first.but(l2=0.1))
    trained(first.but(l2=0.2))
    assert len(TRACED) - before == 3  # with a penalty it is another program, whatever its strength
    trained(first.but(steps=6))
    assert len(TRACED) - before == 4  # a chunk of another length


def test_another_number_of_steps_compiles_no_other_chunk():
    """With dev, runs of 30 and of 35 steps have chunks of one step."""
    optimizer, before = noted(1.0), len(TRACED)
    for steps in (30, 35):
        trained(steps=steps, optimizer=optimizer, learning_rate=0.1, dev=["ab"])
    assert len(TRACED) - before == 2


def test_an_optimizer_made_anew_compiles_anew():
    before = len(TRACED)
    for factor in (1.0, 0.0):
        start, end = trained(steps=3, optimizer=noted(factor), learning_rate=0.1)
        assert np.array_equal(start.W, end.W) == (factor == 0)
    assert len(TRACED) - before == 4


def test_a_changed_attribute_of_a_captured_object_has_effect():
    class Settings:
        factor = 1.0

    settings = Settings()

    def moved():
        start, end = trained(steps=3, optimizer=lambda rate: optax.sgd(rate * settings.factor), learning_rate=0.1)
        return float(np.abs(end.W - start.W).max())

    assert moved() > 0
    settings.factor = 0.0
    assert moved() == 0


def test_which_transformations_are_equal():
    adamw = {"steps": 1, "optimizer": recipes.adamw, "learning_rate": 0.1, "weight_decay": 0.1}
    ready, partial = optax.adam(0.1), functools.partial(optax.adam, b1=0.8)
    pairs = [
        (adamw, adamw | {"steps": 2, "learning_rate": 0.3, "l2": 1.0}, True),
        (adamw, adamw | {"weight_decay": 0.2}, False),
        ({"steps": 1, "optimizer": ready}, {"steps": 9, "optimizer": ready}, True),
        ({"steps": 1, "optimizer": ready}, {"steps": 1, "optimizer": optax.adam(0.1)}, False),
        (adamw | {"optimizer": partial, "weight_decay": 0.0}, adamw | {"weight_decay": 0.0}, False),
        ({"steps": 1}, {"steps": 1, "optimizer": optax.adam, "learning_rate": 0.1}, False),
    ]
    for one, other, same in pairs:
        first, second = Recipe(**one).transformation, Recipe(**other).transformation
        assert (first == second) is same
        assert not same or hash(first) == hash(second)


def test_a_long_list_keeps_its_teacher_and_has_no_table_of_contexts():
    """Its batches are read from its stream: a teacher is asked about each, and nothing is counted."""
    taught, counted = (
        Recipe(steps=9, batch_size=64, **options) for options in ({"draw": "words", "teach": 0.5}, {"draw": "contexts"})
    )
    for characters, draw in ((1_000_000, "contexts"), (10_000_000, "examples")):
        assert recipes.for_size(taught, characters, LETTERS).teach == 0.5
        assert recipes.for_size(counted, characters, LETTERS).draw == draw
