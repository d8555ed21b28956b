"""What holds for every model that sees the whole word: one row read at once is the same as character by character."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax.layers.dropout import Dropout
from mm_jax.models import bow, contract, gru, rnn, transformer

from ..conftest import LETTERS

VOCAB = mm_jax.Vocab(".abcdef")
MODELS = {
    "bow": lambda key: bow.init(key, VOCAB, embedding_dim=5, hidden_dim=16),
    "rnn": lambda key: rnn.init(key, VOCAB, hidden_dim=16),
    "gru": lambda key: gru.init(key, VOCAB, hidden_dim=16),
    "transformer": lambda key: transformer.init(key, VOCAB, num_layers=2, num_heads=2, width=8, max_length=9),
}
ROW = jnp.array([3, 1, 1, 6, 0, 2, 5, 0, 0, 4, 1, 2], jnp.int32)  # four words, one of them empty, and the last cut off
models = pytest.mark.parametrize("params", [make(jax.random.key(7)) for make in MODELS.values()], ids=list(MODELS))


def louder(params):
    """The output layer starts near 0; its differences are to be seen here."""
    return jax.tree.map(lambda leaf: leaf * 3.0, params)


def stepped(params, tokens):
    def read(state, token):
        return contract.advance(params, state, token), contract.logits(params, state)

    last, out = jax.lax.scan(read, contract.start(params), tokens)
    return jnp.concatenate([out, contract.logits(params, last)[None]])


unrolled = jax.jit(contract.unroll)


@models
def test_unroll_is_stepping(params):
    params = louder(params)
    np.testing.assert_allclose(unrolled(params, ROW), jax.jit(stepped)(params, ROW), rtol=1e-5, atol=1e-5)


@models
def test_each_word_of_a_row_is_read_alone(params):
    params = louder(params)
    together = unrolled(params, ROW)
    alone = [contract.unroll(params, word) for word in (ROW[:4], ROW[5:7], ROW[:0], ROW[9:])]
    np.testing.assert_allclose(together, jnp.concatenate(alone), rtol=1e-5, atol=1e-5)


@models
def test_a_later_character_changes_no_earlier_row(params):
    params = louder(params)
    for at in (1, 3, 6, 11):
        changed = ROW.at[at].set(ROW[at] % 6 + 1)
        before, after = unrolled(params, ROW), unrolled(params, changed)
        np.testing.assert_array_equal(before[: at + 1], after[: at + 1])
        assert float(jnp.abs(before[at + 1] - after[at + 1]).max()) > 1e-3


@models
def test_many_rows_at_once_are_each_alone(params):
    tokens = jnp.stack([ROW, ROW[::-1], jnp.roll(ROW, 3)])
    for found, row in zip(jax.jit(contract.unroll_rows)(params, tokens), tokens, strict=True):
        np.testing.assert_allclose(found, contract.unroll(params, row), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("drop", ["tokens", "states", "edges"])
def test_each_row_of_many_has_its_own_noise(drop):
    params = louder(MODELS["transformer"](jax.random.key(7)))
    rates = {"tokens": 0.0, "states": 0.0, "edges": 0.0} | {drop: 0.5}
    tokens, key = jnp.stack([ROW, ROW, ROW]), jax.random.key(3)
    with jax.debug_key_reuse(False):
        together = jax.jit(contract.unroll_rows)(params, tokens, Dropout(key=jax.random.split(key, 3), **rates))
        for found, own in zip(together, jax.random.split(key, 3), strict=True):
            np.testing.assert_allclose(found, unrolled(params, ROW, Dropout(key=own, **rates)), rtol=1e-5, atol=1e-5)


@models
def test_gradient_of_a_batch_is_the_sum_over_rows_and_over_a_stack_of_models(params):
    tokens = jnp.stack([ROW, jnp.roll(ROW, 5)])
    aim = jax.random.normal(jax.random.key(1), (2, len(ROW) + 1, len(VOCAB)))

    def loss(params, tokens, aim):
        return (jax.vmap(contract.unroll, (None, 0))(params, tokens) * aim).sum()

    gradient = jax.jit(jax.grad(loss))
    batch = gradient(params, tokens, aim)
    single = [gradient(params, tokens[i : i + 1], aim[i : i + 1]) for i in range(2)]
    jax.tree.map(lambda whole, *parts: np.testing.assert_allclose(whole, sum(parts), 1e-4, 1e-5), batch, *single)
    two = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf * 0.5]), params)
    stack = jax.jit(jax.vmap(jax.grad(loss), (0, None, None)))(two, tokens, aim)
    jax.tree.map(lambda whole, part: np.testing.assert_allclose(part[0], whole, 1e-4, 1e-5), batch, stack)


@models
def test_gradient_is_that_of_stepping(params):
    """Of the recurrent models this is the backward pass of their own against JAX's."""
    params = louder(params)
    aim = jax.random.normal(jax.random.key(2), (len(ROW) + 1, len(VOCAB)))
    with jax.debug_key_reuse(False):
        own = jax.jit(jax.grad(lambda params: (contract.unroll(params, ROW) * aim).sum()))(params)
        plain = jax.jit(jax.grad(lambda params: (stepped(params, ROW) * aim).sum()))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), own, plain)
    assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(plain))


@models
def test_dropout_at_rate_0_is_none(params):
    dropout = Dropout(key=jax.random.key(0), tokens=0.0, states=0.0, edges=0.0)
    np.testing.assert_array_equal(contract.unroll(params, ROW), contract.unroll(params, ROW, dropout))


@pytest.mark.parametrize(
    ("model", "drop"), [(model, drop) for model in (bow, rnn, gru, transformer) for drop in model.MODEL.drops]
)
def test_dropout_is_noise_by_its_key(model, drop):
    params = louder(MODELS[model.__name__.rpartition(".")[2]](jax.random.key(7)))
    rates = {"tokens": 0.0, "states": 0.0, "edges": 0.0} | {drop: 0.5}

    def rows_of(seed):
        return unrolled(params, ROW, Dropout(key=jax.random.key(seed), **rates))

    np.testing.assert_array_equal(rows_of(1), rows_of(1))
    assert float(jnp.abs(rows_of(1) - rows_of(2)).max()) > 1e-3
    plain = unrolled(params, ROW)
    assert np.isfinite(rows_of(1)).all()
    if drop != "states":  # a word's start is read whole
        for start in (0, 5, 8, 9):
            np.testing.assert_allclose(rows_of(1)[start], plain[start], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", [bow, rnn, gru, transformer])
def test_defaults_start_near_uniform(model):
    params = model.init(jax.random.key(3), LETTERS)
    tokens = jnp.asarray(LETTERS.lookup("emma.olivia"), jnp.int32)
    log_probs = jax.nn.log_softmax(contract.unroll(params, tokens))
    assert float(jnp.abs(log_probs + np.log(27)).max()) < 0.8
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    drawn = flat[(flat != 0) & (flat != 1)]
    assert len(np.unique(drawn)) > 0.97 * len(drawn)  # no two arrays share a key


@pytest.mark.parametrize(
    ("model", "count"), [(bow, 41691), (rnn, 79643), (gru, 225307), (transformer, 205595)], ids=lambda x: str(x)[-30:]
)
def test_parameter_counts(model, count):
    assert contract.num_params(model.init(jax.random.key(0), LETTERS)) == count
