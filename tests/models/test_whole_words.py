"""What holds for every model that sees the whole word: one row read at once is the same as character by character."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax.layers.dropout import Dropout
from mm_jax.models import bow, contract, gru, rnn, transformer

from ..conftest import LETTERS, drawn, log_softmax, slow
from .zoo import by_steps, louder, unrolled

VOCAB = mm_jax.Vocab(".abcdef")
MODELS = {
    "bow": lambda key: bow.init(key, VOCAB, embedding_dim=5, hidden_dim=16),
    "rnn": lambda key: rnn.init(key, VOCAB, hidden_dim=16),
    "gru": lambda key: gru.init(key, VOCAB, hidden_dim=16),
    "transformer": lambda key: transformer.init(key, VOCAB, num_layers=1, num_heads=2, width=8, max_length=9),
}
ROW = np.array([3, 1, 1, 6, 0, 2, 5, 0, 0, 4, 1, 2], np.int32)  # four words, one of them empty, and the last cut off
models = pytest.mark.parametrize("params", ["transformer", *slow(["bow", "rnn", "gru"])], indirect=True)


COUNTS = {bow: 41691, rnn: 79643, gru: 225307, transformer: 205595}


@functools.cache
def loud(name):
    return louder(drawn(MODELS[name], seed=7))


@pytest.fixture
def params(request):
    return loud(request.param)


unrolled_rows = jax.jit(contract.unroll_rows)


def stepped(params, tokens):
    def read(state, token):
        return contract.advance(params, state, token), contract.logits(params, state)

    last, out = jax.lax.scan(read, contract.start(params), tokens)
    return jnp.concatenate([out, contract.logits(params, last)[None]])


@models
def test_each_word_of_a_row_is_read_alone(params):
    together = unrolled(params, ROW)
    alone = [by_steps(params, word) for word in (ROW[:4], ROW[5:7], ROW[:0], ROW[9:])]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-5, atol=1e-5)


@models
def test_a_later_character_changes_no_earlier_row(params):
    before = np.asarray(unrolled(params, ROW))
    for at in (1, 3, 6, 11):
        changed = ROW.copy()
        changed[at] = ROW[at] % 6 + 1
        after = np.asarray(unrolled(params, changed))
        np.testing.assert_array_equal(before[: at + 1], after[: at + 1])
        assert np.abs(before[at + 1] - after[at + 1]).max() > 1e-3


@models
def test_many_rows_at_once_are_each_alone(params):
    tokens = np.stack([ROW, ROW[::-1], np.roll(ROW, 3)])
    for found, row in zip(unrolled_rows(params, tokens), tokens, strict=True):
        np.testing.assert_allclose(found, unrolled(params, row), rtol=1e-5, atol=1e-5)


def test_each_row_of_many_has_its_own_noise():
    params, rates = loud("transformer"), {"tokens": 0.5, "states": 0.4, "edges": 0.3}
    tokens, key = np.stack([ROW, ROW, ROW]), jax.random.key(3)
    with jax.debug_key_reuse(False):
        keys = jax.random.split(key, 3)
        together = np.asarray(unrolled_rows(params, tokens, Dropout(key=keys, **rates)))
        for found, own in zip(together, keys, strict=True):
            np.testing.assert_allclose(found, unrolled(params, ROW, Dropout(key=own, **rates)), rtol=1e-5, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3


AIM = np.random.default_rng(1).normal(size=(2, len(ROW) + 1, len(VOCAB))).astype(np.float32)


def loss(params, tokens, aim, unroll=contract.unroll):
    return (jax.vmap(unroll, (None, 0))(params, tokens) * aim).sum()


gradient = jax.jit(jax.grad(loss))


def close(one, other, rtol):
    np.testing.assert_allclose(one, other, rtol=rtol, atol=5e-5)


@models
@pytest.mark.slow
def test_gradient_of_a_batch_is_the_sum_over_rows_and_over_a_stack_of_models(params):
    tokens = np.stack([ROW, np.roll(ROW, 5)])
    batch = jax.device_get(gradient(params, tokens, AIM))
    # Of each row twice, in the same program.
    single = jax.device_get([gradient(params, tokens[[i, i]], AIM[[i, i]]) for i in range(2)])
    jax.tree.map(lambda whole, one, other: close(2 * whole, one + other, 1e-4), batch, *single)
    two = jax.tree.map(lambda leaf: np.stack([leaf, leaf * np.float32(0.5)]), params)
    stack = jax.device_get(jax.jit(jax.vmap(jax.grad(loss), (0, None, None)))(two, tokens, AIM))
    jax.tree.map(lambda whole, part: close(part[0], whole, 1e-4), batch, stack)


@pytest.mark.parametrize("params", ["rnn", "gru"], indirect=True)
def test_gradient_is_that_of_stepping(params):
    """The backward pass of the recurrent models, which is their own, against JAX's."""
    tokens = np.stack([ROW, np.roll(ROW, 5)])
    own = gradient(params, tokens, AIM)
    plain = jax.jit(jax.grad(functools.partial(loss, unroll=stepped)))(params, tokens, AIM)
    jax.tree.map(lambda a, b: close(a, b, 2e-4), own, plain)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(plain))


@models
def test_dropout_at_rate_0_is_none(params):
    dropout = Dropout(key=jax.random.key(0), tokens=0.0, states=0.0, edges=0.0)
    np.testing.assert_array_equal(unrolled(params, ROW), unrolled(params, ROW, dropout))


@pytest.mark.parametrize(
    ("model", "drop"),
    [(gru, "states"), (transformer, "edges"), *slow([(model, drop) for model in COUNTS for drop in model.MODEL.drops])],
)
def test_dropout_is_noise_by_its_key(model, drop):
    params = loud(model.__name__.rpartition(".")[2])
    rates = {"tokens": 0.0, "states": 0.0, "edges": 0.0} | {drop: 0.5}

    def rows_of(seed):
        return np.asarray(unrolled(params, ROW, Dropout(key=jax.random.key(seed), **rates)))

    first, plain = np.asarray(rows_of(1)), np.asarray(unrolled(params, ROW))
    np.testing.assert_array_equal(rows_of(1), first)
    assert np.abs(rows_of(2) - first).max() > 1e-3
    assert np.isfinite(first).all()
    if drop != "states":  # a word's start is read whole
        starts = [0, 5, 8, 9]
        np.testing.assert_allclose(first[starts], plain[starts], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", [transformer, *slow([bow, rnn, gru])])
def test_defaults_start_near_uniform_and_hold_so_many_numbers(model):
    params = model.init(jax.random.key(3), LETTERS)
    assert contract.num_params(params) == COUNTS[model]
    log_probs = log_softmax(unrolled(params, LETTERS.lookup("emma.olivia").astype(np.int32)))
    assert np.abs(log_probs + np.log(27)).max() < 0.8
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    drawn = flat[(flat != 0) & (flat != 1)]
    assert len(np.unique(drawn)) > 0.97 * len(drawn)  # no two arrays share a key
