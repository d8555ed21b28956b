"""Every compiled program of the package lowers for CPU, CUDA, ROCm and TPU, on a machine that has none but the first.

What can fail on a device that is not here, fails in lowering: a primitive without a rule for it, a callback to Python,
a custom call. Sizes play no part in that, so the models are small, and a model's programs are lowered as one.
"""

import functools
import importlib
import pkgutil

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import drawing
from mm_jax.layers import weights
from mm_jax.models import contract, gru, mixture, mlp, prediction
from mm_jax.prior import adapting, heads, network
from mm_jax.training import batches, loop, population, recipes

from .conftest import FIRST_FIVE
from .models.zoo import EVERY, TRAINED, VOCAB, each_of

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
SOME = ["mixture, sequential", "mlp"]
TOKENS = np.zeros((2, 8), np.int32)


def lowers(function, *args):
    """Lowers a function for all platforms at once; its arguments are arrays or shapes."""
    jax.export.export(jax.jit(function), platforms=PLATFORMS)(*args)


def drawn(params, key, number, temperature, top_k, top_p):
    """The programs of `sample`: where words begin, the table of a small window, and a segment with and without it."""
    carry = drawing._after_prefix(params, jnp.zeros(8, jnp.int32), number, 3)
    tables = [None]
    if contract.block_size(params) is not None:
        tables.append(drawing._cdf_table(params, temperature, top_k, top_p))
    draw = functools.partial(drawing._segment, key=key, batch=number, done=number, count=number)
    options = {"carry": carry, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    return [draw(params, table, **options) for table in tables]


def read(params):
    """The programs of `evaluate`, `score` and `most_probable`."""
    size = contract.block_size(params)
    if size is not None:
        return jax.vmap(contract.logits, (None, 0))(params, TOKENS[:, :size])
    ends = np.zeros(len(TOKENS), np.int32)
    return prediction.of_rows(params, TOKENS), prediction._at_ends(params, TOKENS, ends)


def test_what_a_platform_cannot_do_is_seen():
    with pytest.raises(NotImplementedError, match=r"schur.*(cuda|rocm|tpu)"):
        lowers(jax.lax.linalg.schur, np.eye(3, dtype=np.float32))


@each_of(SOME, slow=[name for name in EVERY if name not in SOME])
def test_reading_and_drawing(params):
    def programs(params, key, number, temperature, top_k, top_p):
        with jax.debug_key_reuse(False):
            return read(params), drawn(params, key, number, temperature, top_k, top_p)

    lowers(programs, params, jax.random.key(0), jnp.int32(0), jnp.float32(0.5), jnp.int32(2), jnp.float32(0.9))


def step(params, recipe):
    """Lowers what `fit` compiles: the first state, and a chunk of steps."""
    corpus, optimizer = batches.make_batches(FIRST_FIVE, params, recipe), recipe.transformation

    def program(params, key, corpus, n, rates, l2):
        state = loop._fresh(params, key, rates[0], optimizer=optimizer)
        return loop.chunk(state, corpus, n, rates, l2, optimizer=optimizer, length=2)

    l2 = jnp.float32(recipe.l2) if recipe.l2 else None
    lowers(program, params, jax.random.key(0), corpus, jnp.int32(2), recipe.rates(), l2)


@each_of(["gru"], slow=[name for name in TRAINED if name != "gru"])
def test_steps_of_every_model(params):
    known = contract.model_of(params).drops
    drops = {f"drop_{name}": 0.25 for name in known}
    step(
        params, mm_jax.Recipe(steps=2, batch_size=2, draw="words", optimizer=recipes.adamw, learning_rate=0.1, **drops)
    )


@pytest.mark.parametrize(
    ("draw", "optimizer"), [("examples", "sgd"), ("contexts", "adam"), ("all", "adamw"), ("examples", "muon")]
)
@pytest.mark.slow
def test_steps_by_every_draw_and_optimizer(draw, optimizer):
    drawn = {"batch_size": None} if draw == "all" else {"batch_size": 2, "draw": draw}
    options = {"optimizer": recipes.OPTIMIZERS[optimizer], "learning_rate": 0.1, "l2": 0.1}
    step(mlp.init(jax.random.key(0), VOCAB, hidden_dim=8), mm_jax.Recipe(steps=2, **drawn, **options))


@pytest.mark.slow
def test_a_population_and_a_mixture():
    recipe = mm_jax.Recipe(steps=2, batch_size=2, optimizer=optax.adam, learning_rate=0.1)
    keys, rates = jax.random.split(jax.random.key(1), 3), np.full((3, 2), 0.1, np.float32)
    params = jax.vmap(lambda key: mlp.init(key, VOCAB, hidden_dim=8))(jax.random.split(jax.random.key(0), 3))
    corpus = batches.make_batches(FIRST_FIVE, mm_jax.member(params, 0), recipe)
    init, advance = population._compiled(recipe.transformation, 2)

    def program(params, keys, rates, logp):
        many = advance(init(params, keys, rates[:, 0]), corpus, jnp.int32(2), rates, None)
        return many, mixture._descend(logp, jnp.float32(0.1), jnp.int32(2))

    lowers(program, params, keys, rates, np.zeros((2, 9), np.float32))


def test_new_weights():
    lowers(lambda key: mlp.init(key, VOCAB, hidden_dim=8), jax.random.key(0))


def test_the_prior_as_a_model_and_its_training():
    parts = ("end", "a", "b")
    own = network.init(jax.random.key(0), parts, hidden_dim=4, embedding_dim=2, width=2, style_dim=2)
    ids, rates = np.zeros((64, 5), np.int32), np.full(adapting.MOST_STEPS[False], 0.1, np.float32)
    lowers(adapting._as_gru, own, ids, np.zeros(256, np.int32), np.float32(9))
    params, targets = gru.init(jax.random.key(0), adapting._alphabet(64), hidden_dim=4), np.zeros((64, 8), np.int32)
    lowers(adapting._train, params, targets, targets == 0, np.int32(9), rates, np.int32(3), jax.random.key(0))
    lowers(heads._states, params, targets)
    layer, h = (params.W2, params.b2), np.zeros((64, 8, 4), np.float32)
    lowers(heads._descend, layer, heads._ADAM.init(layer), h, targets, targets == 0, np.int32(3))


def test_no_compiled_program_is_left_out():
    """A new one at the top of a module fails here until it is lowered above."""
    tried = [drawing._after_prefix, drawing._cdf_table, drawing._segment, loop._fresh, loop.chunk, mixture._descend]
    tried += [
        weights._draw,
        prediction.of_rows,
        prediction._of_positions,
        prediction._at_ends,
        adapting._as_gru,
        adapting._train,
        heads._states,
        heads._descend,
    ]
    names = [each.name for each in pkgutil.walk_packages(mm_jax.__path__, "mm_jax.") if "__main__" not in each.name]
    there = {
        id(thing): f"{name}.{attribute}"
        for name in names
        for attribute, thing in vars(importlib.import_module(name)).items()
        if isinstance(thing, jax.stages.Wrapped)
    }
    assert set(there) - {id(each) for each in tried} == set(), there
