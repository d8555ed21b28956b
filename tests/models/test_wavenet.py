import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import corpus
from mm_jax.layers import unrolling
from mm_jax.layers.dropout import Dropout
from mm_jax.models import wavenet

from ..conftest import FIRST_FIVE, LETTERS, drawn, loss_of
from .zoo import COMPILED, VOCAB, array, louder

TOKENS = np.int32([5, 1, 2, 2, 3, 4, 6, 1, 5, 2, 0, 3, 3, 0, 0, 1, 2])  # words of 10, 2, 0 and 2 characters
ROWS = unrolling.sliding(wavenet.block_size, wavenet.logits)  # the windows, one by one


def made(vocab=VOCAB, **sizes):
    return louder(drawn(wavenet.init, vocab, seed=1, **{"num_layers": 3, "embedding_dim": 4, "hidden_dim": 6, **sizes}))


def reference(params, context):
    """The tree of one context, in float64 NumPy: even and odd places side by side."""
    x = np.asarray(params.C, np.float64)[context]
    for layer in params.layers:
        x = np.tanh(np.concatenate([x[::2], x[1::2]], 1) @ np.asarray(layer.W, np.float64) + layer.b)
    return x[0] @ np.asarray(params.Wu, np.float64) + params.bu


def test_an_example_by_hand():
    params = wavenet.WaveNet(
        C=array([[0.5], [-1.0], [0.25]]),
        layers=(
            wavenet.Layer(W=array([[1.0], [2.0]]), b=array([0.25])),
            wavenet.Layer(W=array([[3.0], [-1.0]]), b=array([0.0])),
        ),
        Wu=array([[0.0, 1.0, 10.0]]),
        bu=array([4.0, 0.0, 0.0]),
        vocab=mm_jax.Vocab(".ab"),
    )
    first, second = np.tanh(0.5 + 2 * 0.5 + 0.25), np.tanh(-1.0 + 2 * 0.25 + 0.25)  # of `..` and `ab`
    h = np.tanh(3 * first - second)
    np.testing.assert_allclose(mm_jax.logits(params, [0, 0, 1, 2]), [4.0, h, 10 * h], rtol=1e-5)


def test_against_numpy():
    params = made()
    for context in np.random.default_rng(0).integers(0, len(VOCAB), (5, 8)):
        np.testing.assert_allclose(COMPILED[1](params, context), reference(params, context), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("num_layers", [1, 2, 3, 4])
def test_one_dilated_pass_is_the_windows(num_layers):
    """In packed rows too, where no window may see another word; and so are the gradients."""
    params = made(num_layers=num_layers)
    weights = np.random.default_rng(1).standard_normal((len(TOKENS) + 1, len(VOCAB))).astype(np.float32)

    def total(params, unroll):
        rows = unroll(params, jnp.asarray(TOKENS))
        return (weights * rows).mean(), rows

    program = jax.jit(jax.grad(total, has_aux=True), static_argnums=1)
    (slopes, rows), (expected_slopes, expected) = program(params, wavenet.unroll), program(params, ROWS)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-6)
    for one, other in zip(jax.tree.leaves(slopes), jax.tree.leaves(expected_slopes), strict=True):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_the_place_of_every_character_counts():
    params, program = made(), jax.jit(wavenet.logits)
    plain = program(params, np.arange(8) % len(VOCAB))
    for place in range(8):
        context = np.arange(8) % len(VOCAB)
        context[place] = (context[place] + 3) % len(VOCAB)
        assert np.abs(program(params, context) - plain).max() > 1e-4, place


def test_a_dropped_character_has_zeros_as_its_embedding():
    params = made(num_layers=1)
    dropout = Dropout(key=jax.random.key(0), tokens=0.5, states=0.0, edges=0.0)
    found = jax.jit(wavenet.unroll)(params, TOKENS, dropout)
    rows = np.concatenate([params.C, np.zeros((1, 4), np.float32)])  # row -1
    inputs = [0, *TOKENS]
    dropped = np.asarray(wavenet.drop_tokens(jnp.int32(inputs), dropout))
    assert (dropped == -1).any()
    for t, token in enumerate(dropped):
        before = dropped[t - 1] if inputs[t] else 0  # before a word's `.` stand dots, whatever was dropped there
        h = np.tanh(np.concatenate([rows[before], rows[token]]) @ params.layers[0].W + params.layers[0].b)
        np.testing.assert_allclose(found[t], h @ params.Wu + params.bu, rtol=1e-4, atol=1e-5)


def test_starts_near_uniform():
    X, Y = corpus.contexts(FIRST_FIVE, LETTERS, 8)
    weights = np.eye(27, dtype=np.float32)[Y] / np.float32(len(Y))
    loss = float(loss_of(wavenet.init(jax.random.key(3), LETTERS), X, weights))
    assert loss == pytest.approx(np.log(27), abs=0.1)


def test_the_size_of_the_lecture():
    """Its 76,579 numbers are these and a gain for each unit, of batch norm."""
    assert mm_jax.num_params(drawn(wavenet.init, LETTERS)) == 76_579 - 3 * 128


def test_sizes_that_are_refused():
    with pytest.raises(ValueError, match="131,072 characters"):
        wavenet.init(jax.random.key(0), VOCAB, num_layers=17)
    params = made()
    with pytest.raises(ValueError, match="1 or more"):
        wavenet.validate(dataclasses.replace(params, layers=()))
    with pytest.raises(ValueError, match="W of layer 1 has 8 rows, not twice the width 6"):
        wavenet.validate(dataclasses.replace(params, layers=(params.layers[0], params.layers[0])))
    with pytest.raises(ValueError, match="Wu has 5 rows, and the last layer 6 columns"):
        wavenet.validate(dataclasses.replace(params, Wu=params.Wu[:5]))
