"""What a step reads: every draw has the loss and the gradient of the whole list, on average."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import Recipe, corpus
from mm_jax.training import batches, loop

from ..conftest import BUNDLED, LETTERS, drawn

WORDS = BUNDLED[::20]


def new_mlp(seed=0):
    return drawn(mm_jax.mlp.init, LETTERS, seed=seed, hidden_dim=16)


def gradient(params, batch, choice):
    return jax.grad(loop.loss)(params, batch.predict, *batch.batch(choice))


def test_a_minibatch_holds_examples_of_the_list():
    batch = batches.make_batches(WORDS, new_mlp(), Recipe(steps=1, batch_size=64))
    contexts, following = jax.jit(batch.draw)(jax.random.key(0), np.arange(50, dtype=np.int32))
    X, Y = corpus.contexts(WORDS, LETTERS, 3)
    known = {(*x, y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)}
    drawn = np.concatenate([contexts, following[..., None]], -1).reshape(-1, 4)
    assert {tuple(row) for row in drawn.tolist()} <= known
    # 3,200 draws with replacement: the frequency of each next character, at 5 sigma
    p = np.bincount(Y, minlength=27) / len(Y)
    n = drawn.shape[0]
    assert np.all(np.abs(np.bincount(drawn[:, 3], minlength=27) - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1e-9)


@pytest.mark.parametrize("draw", ["contexts", pytest.param("examples", marks=pytest.mark.slow)])
def test_the_mean_gradient_of_minibatches_is_that_of_the_full_batch(draw):
    params = new_mlp(3)
    everything = batches.make_batches(WORDS, params, Recipe(steps=1, batch_size=None))
    batch = batches.make_batches(WORDS, params, Recipe(steps=1, batch_size=32, draw=draw))

    @jax.jit
    def gradients(key):
        choices = batch.draw(key, jnp.arange(400, dtype=jnp.int32))
        return gradient(params, everything, ()), jax.vmap(lambda choice: gradient(params, batch, choice))(choices)

    exact, each = jax.device_get(gradients(jax.random.key(0)))

    def sigmas(grads, mean):  # 400 gradients a leaf: their mean against the exact one
        error = np.sqrt(np.square(np.std(grads, 0) / 20).sum())
        return np.sqrt(np.square(np.mean(grads, 0) - mean).sum()) / error

    for name in ("C", "W1", "b1", "W2", "b2"):
        assert sigmas(getattr(each, name), getattr(exact, name)) < 2, name


@pytest.mark.slow
def test_contexts_have_the_smaller_variance():
    params = new_mlp(3)

    def spread(draw):
        batch = batches.make_batches(WORDS, params, Recipe(steps=1, batch_size=32, draw=draw))
        choices = batch.draw(jax.random.key(0), jnp.arange(200))
        grads = jax.jit(jax.vmap(lambda choice: gradient(params, batch, choice).W2))(choices)
        return float(np.var(grads, 0).sum())

    assert spread("contexts") < 0.5 * spread("examples")
