"""The training loss: cross entropy of weighted targets, and the penalty on weight matrices."""

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax.training.loss import matrices

from ..conftest import LETTERS, drawn, log_softmax, loss_of


def new_mlp():
    return drawn(mm_jax.mlp.init, LETTERS, hidden_dim=16)


def test_the_penalty_is_that_of_the_weight_matrices():
    params = new_mlp()
    X, weights = np.zeros((1, 3)), np.full((1, 27), 1 / 27)
    penalty = loss_of(params, X, weights, 2.0) - loss_of(params, X, weights)
    expected = 2 * (np.mean(np.square(params.W1)) + np.mean(np.square(params.W2)))
    assert float(penalty) == pytest.approx(expected, rel=1e-4)


rows = jax.jit(mm_jax.logits)


def test_cross_entropy_is_that_of_each_target_by_its_weight():
    params, contexts = new_mlp(), np.array([[0, 0, 0], [0, 5, 13]], np.int32)
    weights = np.zeros((2, 27), np.float32)
    weights[0, 5], weights[0, 1], weights[1, 13] = 0.5, 0.25, 0.25
    logp = log_softmax([rows(params, context) for context in contexts])
    assert float(loss_of(params, contexts, weights)) == pytest.approx(-(weights * logp).sum(), rel=1e-5)


def test_matrices_are_the_fields_whose_names_begin_with_W():
    params = drawn(mm_jax.transformer.init, LETTERS, num_layers=2, num_heads=1, width=4)
    assert [each.shape for each in matrices(new_mlp())] == [(30, 16), (16, 27)]
    assert len(matrices(params)) == 2 * 4 + 1  # of each block Wqkv, Wo, W1, W2; and the output layer's
