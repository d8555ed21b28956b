import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import mm_jax
from mm_jax.training.muon import muon, orthogonal
from mm_jax.training.recipes import Recipe

from ..conftest import drawn, slow

VOCAB = mm_jax.Vocab(".abcdef")


def random_gradient(params, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), params)


def first_update(params, rate=0.02):
    """What one step of Muon adds to random parameters, given a random gradient."""
    optimizer = muon(rate)
    return jax.jit(lambda gradient: optimizer.update(gradient, optimizer.init(params), params)[0])(
        random_gradient(params, 1)
    )


@pytest.mark.parametrize("block", [0, *slow([1])])
def test_the_matrices_inside_move_alike_in_all_directions(block):
    params = drawn(mm_jax.transformer.init, VOCAB, num_layers=2, num_heads=2, width=16, max_length=9)
    update = first_update(params)
    for name in ("Wqkv", "Wo", "W1", "W2"):
        singular = np.linalg.svd(np.asarray(getattr(update.blocks[block], name)), compute_uv=False)
        assert singular.max() / np.quantile(singular, 0.2) < 1.65  # of the gradient itself 1.7 or more, of Wo's 4


def test_all_else_moves_as_adam_moves_it():
    """Adam's first step is alike in all entries, whatever the gradient; its rate is a tenth of Muon's."""
    params = drawn(mm_jax.transformer.init, VOCAB, num_layers=1, num_heads=2, width=16, max_length=9)
    update = first_update(params)
    for leaf in (update.C, update.P, update.Wu, update.bu, update.blocks[0].gain1, update.blocks[0].bqkv):
        np.testing.assert_allclose(np.abs(leaf), np.abs(leaf).max(), rtol=1e-3)
        assert 0.001 < np.abs(leaf).max() < 0.004


def matrices_inside(params):
    def of(path, leaf):
        inside = getattr(path[-1], "name", "") in ("Wqkv", "Wo", "W1", "W2")
        return optax.contrib.MuonDimensionNumbers(0, 1) if inside else None

    return jax.tree_util.tree_map_with_path(of, params)


def test_two_steps_are_those_of_optax():
    params = drawn(mm_jax.transformer.init, VOCAB, num_layers=1, num_heads=2, width=16, max_length=9)
    theirs = optax.contrib.muon(
        0.02,
        weight_decay=0.1,
        adam_b2=0.99,
        adam_learning_rate=0.002,
        adam_weight_decay=0.1,
        muon_weight_dimension_numbers=matrices_inside,
    )
    gradients = [random_gradient(params, seed) for seed in (3, 4)]

    def after(optimizer):
        def two_steps(trained):
            state = optimizer.init(trained)
            for gradient in gradients:
                updates, state = optimizer.update(gradient, state, trained)
                trained = optax.apply_updates(trained, updates)
            return trained

        return jax.jit(two_steps)(params)

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.debug_key_reuse(False):
        expected = after(theirs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=2e-6), after(muon(0.02, 0.1)), expected)


@pytest.mark.parametrize("shape", [(2, 5, 9), *slow([((5, 9),), ((9, 5),)])])
def test_singular_vectors_stay_and_values_near_one(shape):
    M = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    M = M / np.linalg.norm(M, axis=(-2, -1), keepdims=True)
    u, s, v = np.linalg.svd(np.asarray(M, np.float64), full_matrices=False)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    np.testing.assert_allclose(jax.jit(orthogonal)(M), (u * s[..., None, :]) @ v, atol=2e-5)


@pytest.mark.slow
def test_a_recipe_names_it():
    recipe = Recipe.from_json({"steps": 3, "optimizer": "muon", "learning_rate": 0.02, "weight_decay": 0.1})
    assert recipe.as_json()["optimizer"] == "muon"
    params = mm_jax.gru.init(jax.random.key(0), VOCAB, hidden_dim=8)
    trained, history = mm_jax.fit(params, ["abc", "fed"], jax.random.key(1), recipe)
    assert jnp.isfinite(trained.W1).all()
    assert not (trained.W1 == params.W1).all()
    assert np.isfinite(history.loss).all()
