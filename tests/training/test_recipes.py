"""Recipes: the rate of each step, what can be written to a file, what is refused."""

import numpy as np
import optax
import pytest

from mm_jax import models
from mm_jax.training import recipes
from mm_jax.training.recipes import Recipe


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
            assert recipe.but(steps=7, l2=None).steps == 7


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
