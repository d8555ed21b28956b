import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
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
