import itertools

import jax
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import Recipe, corpus
from mm_jax.training import loop, recipes

from ..conftest import BUNDLED, FIRST_FIVE, LETTERS, drawn, equal, loss_of

WORDS = BUNDLED[::20]
ADAM = optax.adam(0.01)


def new_mlp(seed=0):
    return drawn(mm_jax.mlp.init, LETTERS, seed=seed, hidden_dim=16)


def run_to(state, recipe, interval=20):
    for progress in loop.run(state, WORDS, recipe, interval=interval):
        state = progress.state
    return state


RECIPES = {
    "examples": Recipe(steps=45, batch_size=32, optimizer=ADAM),
    "contexts": Recipe(steps=45, batch_size=32, draw="contexts", optimizer=ADAM),
    "words": Recipe(steps=45, batch_size=8, draw="words", optimizer=optax.adam, learning_rate=0.01),
    "full": Recipe(steps=45, batch_size=None, optimizer=ADAM),
    "sgd": Recipe(steps=45, l2=0.01),
}


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(RECIPES[name], id=name, marks=pytest.mark.slow if name in ("full", "sgd", "contexts") else ())
        for name in RECIPES
    ],
)
def test_a_run_stopped_anywhere_and_continued_is_the_same_run(recipe):
    def fresh():
        return loop.first_state(new_mlp(), jax.random.key(1), recipe)

    whole = run_to(fresh(), recipe)
    for stop in (1, 19, 20, 21, 44):
        state = run_to(fresh(), recipe.but(steps=stop))
        assert int(state.step) == stop
        assert equal(run_to(state, recipe), whole), stop


def test_a_decay_goes_on_where_it_was_left():
    """The rate is a function of t / steps: the run is left at step 20 of 45, not planned for 20."""
    recipe = Recipe(steps=45, optimizer=optax.adam, learning_rate=0.01, decay=recipes.cosine)
    whole = run_to(loop.first_state(new_mlp(), jax.random.key(1), recipe), recipe)
    for progress in loop.run(loop.first_state(new_mlp(), jax.random.key(1), recipe), WORDS, recipe, interval=20):
        if int(progress.state.step) == 20:
            break
    assert equal(run_to(progress.state, recipe), whole)


def test_the_same_key_gives_the_same_run_whatever_the_chunks():
    recipe = RECIPES["examples"]
    one, other = (
        run_to(loop.first_state(new_mlp(), jax.random.key(1), recipe), recipe, interval) for interval in (45, 7)
    )
    assert equal(one, other)


def test_fit_leaves_its_arguments_alone_and_is_reproducible():
    params = new_mlp()
    before = jax.device_get(params)
    first = mm_jax.fit(params, WORDS, jax.random.key(5), steps=20)
    second = mm_jax.fit(params, WORDS, jax.random.key(5), steps=20)
    other = mm_jax.fit(params, WORDS, jax.random.key(6), steps=20)
    assert equal(params, before)
    assert equal(first[0], second[0])
    assert not equal(first[0], other[0])


def test_history():
    _, history = mm_jax.fit(new_mlp(), WORDS, jax.random.key(0), steps=50, dev=FIRST_FIVE)
    assert history.loss.shape == (50,)
    assert history.loss.dtype == np.float32
    assert history.dev[0][0] == 0
    assert history.dev[-1][0] == 50
    assert history.dev[0][1] == pytest.approx(mm_jax.evaluate(new_mlp(), FIRST_FIVE).nll, abs=1e-6)
    assert np.all(history.loss > 0)


def test_each_loss_is_that_which_its_step_started_from():
    params = new_mlp()
    _, history = mm_jax.fit(params, FIRST_FIVE, jax.random.key(0), steps=3, batch_size=None, l2=0.1)
    X, Y = corpus.contexts(FIRST_FIVE, LETTERS, 3)
    weights = np.eye(27, dtype=np.float32)[Y] / np.float32(len(Y))
    assert history.loss[0] == pytest.approx(float(loss_of(params, X, weights, 0.1)), rel=1e-6)


TRACED = []


def noted_sgd(rate):
    """Notes each time that a program is made of it."""
    if isinstance(rate, jax.core.Tracer):
        TRACED.append(rate)
    return optax.sgd(rate)


def test_one_program_for_every_rate_decay_and_length():
    before = len(TRACED)
    for rate, steps, decay in itertools.product((0.1, 0.2, 1), (3, 5), (recipes.constant, recipes.cosine)):
        recipe = Recipe(steps=steps, optimizer=noted_sgd, learning_rate=rate, l2=rate, decay=decay)
        run_to(loop.first_state(new_mlp(), jax.random.key(0), recipe), recipe)
    assert len(TRACED) - before == 2  # the first state, and the chunk


def test_the_rate_takes_effect():
    params = new_mlp()
    slow, fast = (
        np.asarray(mm_jax.fit(params, WORDS, jax.random.key(0), steps=1, batch_size=None, learning_rate=rate)[0].W2)
        - np.asarray(params.W2)
        for rate in (0.1, 0.2)
    )
    np.testing.assert_allclose(2 * slow, fast, rtol=1e-3, atol=1e-6)


def test_the_schedule_takes_effect():
    optimizer = optax.sgd(optax.piecewise_constant_schedule(0.1, {10: 0.0}))
    params, _ = mm_jax.fit(new_mlp(), WORDS, jax.random.key(0), steps=10, optimizer=optimizer)
    more, _ = mm_jax.fit(new_mlp(), WORDS, jax.random.key(0), steps=20, optimizer=optimizer)
    assert equal(params, more)
    assert not equal(params, new_mlp())


@pytest.mark.slow
def test_without_jit_it_is_the_same():
    """Of the smallest model: every operation is a program of its own."""
    params = mm_jax.bigram.init(jax.random.key(0), LETTERS)

    def losses():
        return mm_jax.fit(params, FIRST_FIVE, jax.random.key(0), steps=2, batch_size=2)[1].loss

    compiled = losses()
    with jax.disable_jit():
        np.testing.assert_allclose(losses(), compiled, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": -5}, "steps is -5"),
        ({"steps": 1, "batch_size": 0}, "batch_size is 0"),
        ({"steps": 1, "optimizer": optax.adam}, "with learning_rate a function of it"),
        ({"steps": 1, "optimizer": ADAM, "learning_rate": 0.1}, "give an optax optimizer"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mm_jax.fit(new_mlp(), WORDS, jax.random.key(0), **options)


def test_models_that_are_refused():
    counts = mm_jax.counts.fit(FIRST_FIVE, LETTERS)
    with pytest.raises(ValueError, match="not fitted by gradient steps"):
        mm_jax.fit(counts, WORDS, jax.random.key(0), steps=1)
    with pytest.raises(ValueError, match="not all finite"):
        mm_jax.fit(mm_jax.bigram.from_counts(counts), WORDS, jax.random.key(0), steps=1)
