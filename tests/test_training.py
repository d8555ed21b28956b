import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import batches, data, training

from .conftest import FIRST_FIVE, LETTERS

WORDS = mm_jax.load_words(data.bundled_names())[::20]
ADAM = optax.adam(0.01)


def new_mlp(seed=0):
    return mm_jax.mlp.init(jax.random.key(seed), LETTERS, hidden_dim=16)


def equal(one, other):
    return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))


def run_to(state, steps, every=20, **options):
    for progress in training.run(state, WORDS, steps=steps, every=every, **options):
        state = progress.state
    return state


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 32, "optimizer": ADAM},
        {"batch_size": 32, "draw": "contexts", "optimizer": ADAM},
        {"batch_size": None, "optimizer": ADAM},
        {"optimizer": optax.sgd, "learning_rate": 0.1, "l2": 0.01},
    ],
    ids=["examples", "contexts", "full", "sgd"],
)
def test_a_run_stopped_anywhere_and_continued_is_the_same_run(options):
    def fresh():
        return training.start(new_mlp(), jax.random.key(1), options["optimizer"], options.get("learning_rate"))

    whole = run_to(fresh(), 45, **options)
    for stop in (1, 2, 19, 20, 21, 44):
        kept = jax.device_get(run_to(fresh(), stop, **options).params), int(stop)
        state = fresh()
        state = run_to(state, stop, **options)
        assert int(state.step) == kept[1]
        state = run_to(state, 45, **options)
        assert equal(state.params, whole.params), stop
        assert equal(state.opt_state, whole.opt_state), stop


def test_the_same_key_gives_the_same_run_whatever_the_chunks():
    def trained(every):
        state = training.start(new_mlp(), jax.random.key(1), ADAM)
        return run_to(state, 30, every=every, optimizer=ADAM).params

    assert equal(trained(30), trained(7))


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
    X, Y = data.contexts(FIRST_FIVE, LETTERS, 3)
    weights = jnp.asarray(np.eye(27, dtype=np.float32)[Y] / np.float32(len(Y)))
    assert history.loss[0] == pytest.approx(float(training.loss(params, jnp.asarray(X), weights, 0.1)), rel=1e-6)


def test_the_penalty_is_that_of_the_weight_matrices():
    params = new_mlp()
    X, weights = jnp.zeros((1, 3), jnp.int32), jnp.full((1, 27), 1 / 27)
    penalty = training.loss(params, X, weights, 2.0) - training.loss(params, X, weights)
    expected = 2 * (np.mean(np.square(params.W1)) + np.mean(np.square(params.W2)))
    assert float(penalty) == pytest.approx(expected, rel=1e-4)


def test_a_minibatch_holds_examples_of_the_list():
    corpus = batches.of(WORDS, LETTERS, 3, 64, "examples")
    contexts, following = corpus.draw(jax.random.key(0), jnp.arange(50))
    X, Y = data.contexts(WORDS, LETTERS, 3)
    known = {(*x, y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)}
    drawn = np.concatenate([contexts, following[..., None]], -1).reshape(-1, 4)
    assert {tuple(row) for row in drawn.tolist()} <= known
    # 3,200 draws with replacement: the frequency of each next character, at 5 sigma
    p = np.bincount(Y, minlength=27) / len(Y)
    n = drawn.shape[0]
    assert np.all(np.abs(np.bincount(drawn[:, 3], minlength=27) - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1e-9)


@pytest.mark.parametrize("draw", ["examples", "contexts"])
def test_the_mean_gradient_of_minibatches_is_that_of_the_full_batch(draw):
    params = new_mlp(3)
    everything = batches.of(WORDS, LETTERS, 3, None, "examples")
    exact = jax.grad(training.loss)(params, *everything.batch(()))
    corpus = batches.of(WORDS, LETTERS, 3, 32, draw)
    choices = corpus.draw(jax.random.key(0), jnp.arange(400))
    each = jax.jit(jax.vmap(lambda choice: jax.grad(training.loss)(params, *corpus.batch(choice))))(choices)

    def sigmas(grads, mean):  # 400 gradients a leaf: their mean against the exact one
        error = np.sqrt(np.square(np.std(grads, 0) / 20).sum())
        return np.sqrt(np.square(np.mean(grads, 0) - mean).sum()) / error

    for name in ("C", "W1", "b1", "W2", "b2"):
        assert sigmas(getattr(each, name), getattr(exact, name)) < 2, name


def test_contexts_have_the_smaller_variance():
    params = new_mlp(3)

    def spread(draw):
        corpus = batches.of(WORDS, LETTERS, 3, 32, draw)
        choices = corpus.draw(jax.random.key(0), jnp.arange(200))
        grads = jax.jit(jax.vmap(lambda choice: jax.grad(training.loss)(params, *corpus.batch(choice)).W2))(choices)
        return float(np.var(grads, 0).sum())

    assert spread("contexts") < 0.5 * spread("examples")


def test_one_program_for_every_rate_and_every_length():
    traces = []

    def optimizer(rate):
        traces.append(rate)
        return optax.sgd(rate)

    for rate, steps in itertools.product((0.1, 0.2, np.float32(0.3), 1), (3, 5)):
        run_to(
            training.start(new_mlp(), jax.random.key(0), optax.sgd, 0.1),
            steps,
            optimizer=optimizer,
            learning_rate=float(rate),
            l2=float(rate),
        )
    assert len(traces) == 1


def test_the_rate_takes_effect():
    params = new_mlp()
    slow, fast = (
        mm_jax.fit(params, WORDS, jax.random.key(0), steps=1, batch_size=None, learning_rate=rate)[0].W2 - params.W2
        for rate in (0.1, 0.2)
    )
    np.testing.assert_allclose(2 * slow, fast, rtol=1e-3, atol=1e-6)


def test_the_schedule_takes_effect():
    optimizer = optax.sgd(optax.piecewise_constant_schedule(0.1, {10: 0.0}))
    params, _ = mm_jax.fit(new_mlp(), WORDS, jax.random.key(0), steps=10, optimizer=optimizer)
    more, _ = mm_jax.fit(new_mlp(), WORDS, jax.random.key(0), steps=20, optimizer=optimizer)
    assert equal(params, more)
    assert not equal(params, new_mlp())


def test_without_jit_it_is_the_same():
    def losses():
        return mm_jax.fit(new_mlp(), FIRST_FIVE, jax.random.key(0), steps=2, batch_size=2)[1].loss

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
