"""The neural bigram and the count table are one model, fitted in two ways."""

import jax
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax import corpus
from mm_jax.training import batches

from .conftest import BUNDLED, FIRST_FIVE, LETTERS, log_softmax, loss_of, mlp_of, softmax

COUNT_NLL, ADD_ONE_NLL = 2.4540145, 2.4545768
ALL = np.arange(27, dtype=np.int32)[:, None]  # contexts of one character
rows_of_all = jax.jit(lambda params: jax.vmap(mm_jax.logits, (None, 0))(params, ALL))


def table_loss(params, N):
    """The nll of a model of one character of context over the bigrams of a count table."""
    return float(loss_of(params, ALL, N / N.sum()))


def train_on_table(N, steps=1000):
    """Full-batch L-BFGS on the count table: W starts at 0, where the model is uniform."""
    solver = optax.lbfgs()

    def value(W):
        return loss_of(mm_jax.Bigram(W=W, vocab=LETTERS), ALL, N / N.sum())

    @jax.jit
    def descend(W):
        def body(_, carry):
            W, state = carry
            loss, gradient = optax.value_and_grad_from_state(value)(W, state=state)
            updates, state = solver.update(gradient, state, W, value=loss, grad=gradient, value_fn=value)
            return optax.apply_updates(W, updates), state

        return jax.lax.fori_loop(0, steps, body, (W, solver.init(W)))[0]

    return mm_jax.Bigram(W=descend(np.zeros((27, 27), np.float32)), vocab=LETTERS)


@pytest.mark.parametrize(("smoothing", "nll"), [(0.0, COUNT_NLL), (1.0, ADD_ONE_NLL)])
def test_count_nll(names, smoothing, nll):
    assert mm_jax.evaluate(mm_jax.counts.fit(names, LETTERS, smoothing), names).nll == pytest.approx(nll, abs=1e-6)


@pytest.mark.parametrize(("smoothing", "nll"), [(0.0, COUNT_NLL), (1.0, ADD_ONE_NLL)])
def test_count_nll_from_the_table_alone(table, smoothing, nll):
    counts = mm_jax.counts.from_table(table, LETTERS, smoothing)
    logp = log_softmax(rows_of_all(counts))
    assert -(table * np.where(table > 0, logp, 0)).sum() / table.sum() == pytest.approx(nll, abs=1e-6)


def test_trained_on_a_small_list_the_neural_bigram_is_the_count_model():
    """`fit`, full batch: Adam at 0.1 decaying to 0 over 2,000 steps, from N(0, 1)."""
    words = ["aa", "aa", "aa", "ab", "ba", "bb", "bb", "bb"]
    vocab = mm_jax.Vocab.from_words(words)
    counts = mm_jax.counts.fit(words, vocab)
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, 2000))
    params = mm_jax.bigram.init(jax.random.key(0), vocab)
    params, history = mm_jax.fit(params, words, jax.random.key(1), steps=2000, batch_size=None, optimizer=optimizer)
    assert abs(history.loss[-1] - mm_jax.evaluate(counts, words).nll) < 1e-3
    P = np.asarray(counts.N) / np.asarray(counts.N).sum(1, keepdims=True)
    np.testing.assert_allclose(softmax(params.W), P, atol=1e-2)


def test_trained_on_names_the_neural_bigram_is_the_count_model(names, table):
    """`fit`, full batch on all 228,146 bigrams: Adam at 0.3 decaying to 0 over 3,000 steps, from N(0, 1)."""
    optimizer = optax.adam(optax.cosine_decay_schedule(0.3, 3000))
    params = mm_jax.bigram.init(jax.random.key(0), LETTERS)
    params, _ = mm_jax.fit(params, names, jax.random.key(1), steps=3000, batch_size=None, optimizer=optimizer)
    assert abs(mm_jax.evaluate(params, names).nll - COUNT_NLL) < 1e-3
    P = table / table.sum(1, keepdims=True)
    np.testing.assert_allclose(softmax(params.W), P, atol=1e-3)
    drawn = [mm_jax.sample(model, jax.random.key(9), 50) for model in (params, mm_jax.counts.fit(names, LETTERS))]
    assert sum(a == b for a, b in zip(*drawn, strict=True)) >= 48  # a number between the two cumulative curves differs


def test_trained_on_the_table_the_neural_bigram_is_the_count_model(table):
    """L-BFGS, from W = 0, where names.txt is not there."""
    params = train_on_table(table)
    assert abs(table_loss(params, table) - COUNT_NLL) < 1e-3
    np.testing.assert_allclose(softmax(params.W), table / table.sum(1, keepdims=True), atol=3e-3)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_from_counts_is_the_same_model_exactly(table, smoothing):
    counts = mm_jax.counts.from_table(table, LETTERS, smoothing)
    bigram = mm_jax.bigram.from_counts(counts)
    np.testing.assert_array_equal(rows_of_all(counts), rows_of_all(bigram))
    assert mm_jax.evaluate(counts, FIRST_FIVE) == mm_jax.evaluate(bigram, FIRST_FIVE)
    assert mm_jax.sample(counts, jax.random.key(0), 100) == mm_jax.sample(bigram, jax.random.key(0), 100)


def test_one_hot_rows_looked_up_rows_and_the_count_table_give_one_loss_and_gradient():
    words = BUNDLED[::20]
    X, Y = corpus.contexts(words, LETTERS, 1)  # float32 sums over more rows differ by more than 1e-6
    W = np.random.default_rng(0).standard_normal((27, 27)).astype(np.float32)
    everything = batches.make_batches(words, mm_jax.Bigram(W=W, vocab=LETTERS), mm_jax.Recipe(steps=1, batch_size=None))

    def nll(rows):
        return optax.softmax_cross_entropy_with_integer_labels(rows, Y).mean()

    one_hot = np.eye(27, dtype=np.float32)[X[:, 0]]
    ways = [
        jax.value_and_grad(lambda W: nll(one_hot @ W)),
        jax.value_and_grad(lambda W: nll(W[X[:, 0]])),
        jax.value_and_grad(
            lambda W: loss_of(mm_jax.Bigram(W=W, vocab=LETTERS), everything.contexts, everything.weights)
        ),
    ]
    assert everything.contexts.shape == (27, 1)
    (loss, gradient), *others = [jax.jit(way)(W) for way in ways]
    for other_loss, other_gradient in others:
        assert float(other_loss) == pytest.approx(float(loss), abs=1e-6)
        np.testing.assert_allclose(other_gradient, gradient, atol=1e-6)


def test_the_emma_example(torch_init):
    params = mm_jax.Bigram(W=jax.device_put(torch_init["bigram_W"]), vocab=LETTERS)
    _, history = mm_jax.fit(params, ["emma"], jax.random.key(0), steps=3, batch_size=None, learning_rate=0.1)
    np.testing.assert_allclose(history.loss, [3.76930, 3.74921, 3.72916], atol=1e-4)


def test_the_first_hundred_steps_on_all_words(torch_init, names):
    params = mm_jax.Bigram(W=jax.device_put(torch_init["bigram_W"]), vocab=LETTERS)
    _, history = mm_jax.fit(params, names, jax.random.key(0), steps=100, batch_size=None, learning_rate=50.0, l2=0.01)
    np.testing.assert_allclose(history.loss[[0, 1, 10, 50, 99]], [3.7686, 3.3788, 2.6965, 2.5099, 2.4901], atol=1e-4)


def test_mlp_losses_at_the_torch_init(torch_init, names):
    assert mm_jax.evaluate(mlp_of(torch_init, "2_100"), FIRST_FIVE).nll == pytest.approx(17.7697, abs=1e-4)
    assert mm_jax.evaluate(mlp_of(torch_init, "10_200"), names).nll == pytest.approx(26.0063, abs=1e-4)


def test_mlp_overfits_32_examples(torch_init):
    _, history = mm_jax.fit(
        mlp_of(torch_init, "2_100"), FIRST_FIVE, jax.random.key(0), steps=1000, batch_size=None, learning_rate=0.1
    )
    assert history.loss[0] == pytest.approx(mm_jax.evaluate(mlp_of(torch_init, "2_100"), FIRST_FIVE).nll, abs=1e-4)
    assert history.loss[999] == pytest.approx(0.256, abs=0.002)
