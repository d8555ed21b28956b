"""Recipes: the rate of each step, what can be written to a file, what is refused; and Muon."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import models
from mm_jax.models import catalogue
from mm_jax.training import recipes
from mm_jax.training.recipes import Recipe, muon

VOCAB = mm_jax.Vocab(".abcdef")


def first_update(params, rate=0.02):
    """What one step of Muon adds to random parameters, given a random gradient."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    gradient = tree.unflatten([jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)])
    optimizer = muon(rate)
    return optimizer.update(gradient, optimizer.init(params), params)[0]


@pytest.mark.parametrize("block", [0, 1])
def test_the_matrices_inside_move_alike_in_all_directions(block):
    params = mm_jax.transformer.init(jax.random.key(0), VOCAB, num_layers=2, num_heads=2, width=16, max_length=9)
    update = first_update(params)
    for name in ("Wqkv", "Wo", "W1", "W2"):
        singular = np.linalg.svd(np.asarray(getattr(update.blocks[block], name)), compute_uv=False)
        assert singular.max() / np.quantile(singular, 0.2) < 1.65  # of the gradient itself 1.7 or more, of Wo's 4


def test_all_else_moves_as_adam_moves_it():
    """Adam's first step is alike in all entries, whatever the gradient; its rate is a tenth of Muon's."""
    params = mm_jax.transformer.init(jax.random.key(0), VOCAB, num_layers=1, num_heads=2, width=16, max_length=9)
    update = first_update(params)
    for leaf in (update.C, update.P, update.Wu, update.bu, update.blocks[0].gain1, update.blocks[0].bqkv):
        np.testing.assert_allclose(np.abs(leaf), np.abs(leaf).max(), rtol=1e-3)
        assert 0.001 < np.abs(leaf).max() < 0.004


def test_a_recipe_names_it():
    recipe = Recipe.from_json({"steps": 3, "optimizer": "muon", "learning_rate": 0.02, "weight_decay": 0.1})
    assert recipe.as_json()["optimizer"] == "muon"
    params = mm_jax.gru.init(jax.random.key(0), VOCAB, hidden_dim=8)
    trained, history = mm_jax.fit(params, ["abc", "fed"], jax.random.key(1), recipe)
    assert jnp.isfinite(trained.W1).all()
    assert not (trained.W1 == params.W1).all()
    assert np.isfinite(history.loss).all()


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
    for name in catalogue.kinds():
        for recipe in recipes.recipes_of(getattr(models, name)).values():
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
