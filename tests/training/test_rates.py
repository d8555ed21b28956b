import jax
import numpy as np
import optax
import pytest

import mm_jax

from ..conftest import BUNDLED, LETTERS, drawn, slow

WORDS = BUNDLED[::20]


def new_mlp():
    return drawn(mm_jax.mlp.init, LETTERS, hidden_dim=16)


def test_the_range_test_takes_the_steps_it_says():
    """Step i of the test is a step of SGD at rates[i]: the same as `fit` under that schedule."""
    params = new_mlp()
    before = jax.device_get(params)
    found = mm_jax.lr_range_test(params, WORDS, jax.random.key(1), low=0.01, high=1.0, steps=20)
    np.testing.assert_allclose(found.rates, np.geomspace(0.01, 1, 20), rtol=1e-6)
    schedule = optax.sgd(lambda t: 0.01 * 100.0 ** (t / 19))
    _, history = mm_jax.fit(params, WORDS, jax.random.key(1), steps=20, optimizer=schedule)
    np.testing.assert_allclose(found.losses, history.loss, rtol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(params), strict=True))


def test_a_rate_tried_is_a_run_at_that_rate():
    params = new_mlp()
    found = mm_jax.try_rates(params, WORDS, jax.random.key(1), low=0.01, high=1.0, num_rates=4, steps=20)
    for rate, loss in zip(found.rates, found.losses, strict=True):
        _, history = mm_jax.fit(params, WORDS, jax.random.key(1), steps=20, learning_rate=float(rate))
        assert loss == pytest.approx(history.loss[-2:].mean(), rel=1e-4)


@pytest.mark.parametrize("test", [mm_jax.try_rates, *slow([mm_jax.lr_range_test])])
def test_the_suggestion_is_below_the_rates_that_blow_up(test):
    found = test(new_mlp(), WORDS, jax.random.key(1), low=1e-3, high=1e3, steps=100)
    assert 0.01 < found.suggestion < 3
    assert f"half of {2 * found.suggestion:.3g}" in found.reason
    assert not found.losses[-1] < found.losses[np.searchsorted(found.rates, found.suggestion)]


def test_a_loss_that_still_falls_says_so():
    found = mm_jax.try_rates(new_mlp(), WORDS, jax.random.key(1), low=1e-4, high=1e-2, num_rates=4)
    assert "still falls" in found.reason


@pytest.mark.parametrize("options", [{"low": 0.0}, {"low": 2.0}, {"high": float("inf")}, {"steps": 1}], ids=str)
@pytest.mark.parametrize("test", [mm_jax.lr_range_test, mm_jax.try_rates])
def test_refuses(test, options):
    with pytest.raises(ValueError, match=r"expected 0 < low < high|steps is 1: give"):
        test(new_mlp(), WORDS, jax.random.key(0), **options)
