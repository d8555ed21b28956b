import jax
import numpy as np
import pytest

from mm_jax import corpus, mlp

from ..conftest import FIRST_FIVE, LETTERS, loss_of, mlp_of


def one_hot(Y):
    return np.eye(27, dtype=np.float32)[Y] / np.float32(len(Y))


def reference_loss(leaves, X, Y):
    """The equation again, in float64 NumPy."""
    C, W1, b1, W2, b2 = leaves
    h = np.tanh(C[X].reshape(len(X), -1) @ W1 + b1)
    z = h @ W2 + b2
    z = z - z.max(1, keepdims=True)
    return (np.log(np.exp(z).sum(1)) - z[np.arange(len(X)), Y]).mean()


@pytest.mark.slow
def test_gradient_against_finite_differences(torch_init):
    params = mlp_of(torch_init, "2_100")
    X, Y = corpus.contexts(FIRST_FIVE, LETTERS, 3)
    gradient = jax.grad(loss_of)(params, X, one_hot(Y))
    names = ["C", "W1", "b1", "W2", "b2"]
    leaves = [np.asarray(getattr(params, name), np.float64) for name in names]
    rng = np.random.default_rng(0)
    for i, name in enumerate(names):
        for _ in range(8):
            at = tuple(rng.integers(0, size) for size in leaves[i].shape)
            moved = [[leaf.copy() for leaf in leaves] for _ in range(2)]
            moved[0][i][at] += 1e-5
            moved[1][i][at] -= 1e-5
            slope = (reference_loss(moved[0], X, Y) - reference_loss(moved[1], X, Y)) / 2e-5
            assert float(getattr(gradient, name)[at]) == pytest.approx(slope, rel=1e-3, abs=1e-5), (name, at)


def test_scaled_starts_near_uniform_and_lecture_does_not():
    X, Y = corpus.contexts(FIRST_FIVE, LETTERS, 3)
    losses = {
        init: float(loss_of(mlp.init(jax.random.key(3), LETTERS, init=init), X, one_hot(Y)))
        for init in ("scaled", "lecture")
    }
    assert losses["scaled"] == pytest.approx(np.log(27), abs=0.1)
    assert losses["lecture"] > 15


def test_init_draws_what_it_says():
    params = mlp.init(jax.random.key(0), LETTERS, hidden_dim=400, init="lecture")
    for leaf in map(np.asarray, jax.tree.leaves(params)):
        n = leaf.size  # mean and variance of n draws from N(0, 1), at 5 sigma
        assert abs(float(leaf.mean())) < 5 / n**0.5
        assert abs(float(leaf.var()) - 1) < 5 * (2 / n) ** 0.5
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    assert len(np.unique(flat)) > 0.99 * len(flat)  # no two arrays share a key
