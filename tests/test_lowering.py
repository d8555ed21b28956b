"""Every compiled program of the package lowers for CPU, CUDA, ROCm and TPU, on a machine that has none but the first.

What can fail on a device that is not here, fails in lowering: a primitive without a rule for it, a callback to Python,
a custom call. Sizes play no part in that, so the models are small, and a model's programs are lowered as one.
"""

import importlib
import pkgutil

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import sampling
from mm_jax.models import contract, mlp, prediction, weights
from mm_jax.training import batches, loop, mixture, population, recipes

from .conftest import FIRST_FIVE
from .models.zoo import VOCAB, each_of, every_model

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
EVERY = every_model()
TOKENS = np.zeros((2, 8), np.int32)


def lowers(function, *args):
    """Lowers a function for all platforms at once; its arguments are arrays or shapes."""
    jax.export.export(jax.jit(function), platforms=PLATFORMS)(*args)


def drawn(params, key, temperature, top_k):
    """The programs of `sample`: the first states, the table of a small window, and a segment with and without it."""
    at = jnp.int32(0), jnp.int32(0)
    carry = sampling._begun(params, TOKENS[0], jnp.int32(2), 3)
    found = [sampling._segment(params, None, key, *at, carry, temperature, top_k)]
    if contract.block_size(params) is not None:
        table = sampling._table(params, temperature, top_k)
        found.append(sampling._segment(params, table, key, *at, carry, temperature, top_k))
    return found


def read(params):
    """The programs of `evaluate`, `score` and `most_probable`."""
    size = contract.block_size(params)
    if size is not None:
        return prediction._after_contexts(params, TOKENS[:, :size])
    ends = np.zeros(len(TOKENS), np.int32)
    return prediction.of_rows(params, TOKENS), prediction._at_ends(params, TOKENS, ends)


def test_what_a_platform_cannot_do_is_seen():
    with pytest.raises(NotImplementedError, match=r"schur.*(cuda|rocm|tpu)"):
        lowers(jax.lax.linalg.schur, np.eye(3, dtype=np.float32))


@each_of(EVERY)
def test_reading_and_drawing(params):
    def programs(params, key, temperature, top_k):
        return read(params), drawn(params, key, temperature, top_k)

    lowers(programs, params, jax.random.key(0), jnp.float32(0.5), jnp.int32(2))


def step(params, recipe):
    """Lowers the first state and the chunk of steps that `fit` compiles."""
    corpus = batches.of(FIRST_FIVE, params, recipe)
    state = loop.first_state(params, jax.random.key(0), recipe)

    def program(state, corpus, n, rates, l2):
        state = loop._fresh(state.params, state.key, 0.1, optimizer=recipe.transformation)
        return loop.chunk(state, corpus, n, rates, l2, optimizer=recipe.transformation, length=2)

    lowers(program, state, corpus, jnp.int32(2), recipe.rates(), jnp.float32(recipe.l2) if recipe.l2 else None)


TRAINED = [
    params
    for params in EVERY
    if all(jnp.issubdtype(leaf.dtype, jnp.floating) and np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
]


@each_of(TRAINED)
def test_steps_of_every_model(params):
    known = getattr(contract.functions_of(params), "DROPS", ())
    drops = {f"drop_{name}": 0.25 for name in known}
    step(
        params, mm_jax.Recipe(steps=2, batch_size=2, draw="words", optimizer=recipes.adamw, learning_rate=0.1, **drops)
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
@pytest.mark.parametrize("draw", ["examples", "contexts", "all"])
def test_steps_by_every_draw_and_optimizer(draw, optimizer):
    drawn = {"batch_size": None} if draw == "all" else {"batch_size": 2, "draw": draw}
    options = {"optimizer": recipes.OPTIMIZERS[optimizer], "learning_rate": 0.1, "l2": 0.1}
    step(mlp.init(jax.random.key(0), VOCAB, hidden_dim=8), mm_jax.Recipe(steps=2, **drawn, **options))


def test_new_weights():
    lowers(lambda key: mlp.init(key, VOCAB, hidden_dim=8), jax.random.key(0))


def test_a_population_and_a_mixture():
    recipe = mm_jax.Recipe(steps=2, batch_size=2, optimizer=optax.adam, learning_rate=0.1)
    keys, rates = jax.random.split(jax.random.key(1), 3), np.full((3, 2), 0.1, np.float32)
    params = jax.vmap(lambda key: mlp.init(key, VOCAB, hidden_dim=8))(jax.random.split(jax.random.key(0), 3))
    corpus = batches.of(FIRST_FIVE, mm_jax.member(params, 0), recipe)
    init, advance = population._compiled(recipe.transformation, 2)

    def program(params, keys, rates, logp):
        many = advance(init(params, keys, rates[:, 0]), corpus, jnp.int32(2), rates, None)
        return many, mixture._descend(logp, jnp.float32(0.1), jnp.int32(2))

    lowers(program, params, keys, rates, np.zeros((2, 9), np.float32))


def test_no_compiled_program_is_left_out():
    """A new one at the top of a module fails here until it is lowered above."""
    tried = [sampling._table, sampling._segment, loop.chunk, mixture._descend, prediction._after_contexts]
    tried += [sampling._begun, weights._drawn, loop._fresh]
    tried += [prediction.of_rows, prediction._of_positions, prediction._at_ends]
    names = [each.name for each in pkgutil.walk_packages(mm_jax.__path__, "mm_jax.") if "__main__" not in each.name]
    there = {
        id(thing): f"{name}.{attribute}"
        for name in names
        for attribute, thing in vars(importlib.import_module(name)).items()
        if isinstance(thing, jax.stages.Wrapped)
    }
    assert set(there) - {id(each) for each in tried} == set(), there
