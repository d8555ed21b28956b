import flax.linen as nn
import jax
import numpy as np
import pytest

from mm_jax.models import contract, gru

from ..conftest import LETTERS, drawn
from .test_whole_words import ROW, VOCAB
from .zoo import COMPILED, louder, started, unrolled


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.slow
def test_the_equation_in_float64():
    params = louder(drawn(gru.init, VOCAB, hidden_dim=3))
    C, W1, b1, bn, W2, b2 = (
        np.asarray(getattr(params, name), np.float64) for name in ("C", "W1", "b1", "bn", "W2", "b2")
    )
    h, rows = np.zeros(3), unrolled(params, np.array([2, 5, 0, 1], np.int32))
    for position, token in enumerate([0, 2, 5, 0, 1]):
        if token == 0:
            h = np.zeros(3)
        x, s = C[token] + b1, h @ W1
        r, z = sigmoid(x[:3] + s[:3]), sigmoid(x[3:6] + s[3:6])
        n = np.tanh(x[6:] + r * (s[6:] + bn))
        h = (1 - z) * n + z * h
        np.testing.assert_allclose(rows[position], h @ W2 + b2, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_against_flax():
    params = jax.device_put(louder(drawn(gru.init, VOCAB, seed=1, hidden_dim=12)))
    cell = nn.GRUCell(12)
    eye = np.eye(len(VOCAB), dtype=np.float32)  # one-hot inputs: a kernel is then a table
    C, b1, W1 = (np.split(np.asarray(leaf), 3, axis=-1) for leaf in (params.C, params.b1, params.W1))
    weights = {f"i{gate}": {"kernel": C[i], "bias": b1[i]} for i, gate in enumerate("rzn")}
    weights |= {"hr": {"kernel": W1[0]}, "hz": {"kernel": W1[1]}, "hn": {"kernel": W1[2], "bias": params.bn}}
    h, apply = np.zeros(12, np.float32), jax.jit(cell.apply)
    state = started(params)
    for token in (0, 4, 2, 2, 6):
        h, _ = apply({"params": weights}, h, eye[token])
        state = state if token == 0 else COMPILED[0](params, state, np.int32(token))
        np.testing.assert_allclose(state, h, rtol=1e-5, atol=1e-6)


def test_a_new_network_keeps_most_of_its_state():
    params = gru.init(jax.random.key(0), LETTERS)
    b1 = np.asarray(params.b1)
    assert b1[:256].tolist() == [0.0] * 256
    assert b1[256:512].tolist() == [1.0] * 256


def test_one_product_for_the_weights_of_a_batch():
    """A batch's gradient of W1 is never one matrix a row, nor one a position."""
    params = drawn(gru.init, VOCAB, hidden_dim=8)
    tokens = jax.device_put(np.stack([ROW, ROW, ROW]))

    def loss(params):
        return contract.unroll_rows(params, tokens).sum()

    text = str(jax.make_jaxpr(jax.grad(loss))(params))
    assert "8,24" in text
    for shape in ("3,8,24", "13,8,24", "3,24,8", "13,24,8"):
        assert f"[{shape}]" not in text
