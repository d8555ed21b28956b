"""The instruments of the third lecture, for any model: numbers worked by hand, and what is drawn of them."""

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

import mm_jax
from mm_jax import plotting

from .conftest import LETTERS, drawn

matplotlib.use("agg")
ALTERNATING = np.array([[1.0, -1.0], [1.0, -1.0]], np.float32)  # its deviation is the root of 4 / 3


@pytest.fixture
def axes():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def labels(ticks):
    return [label.get_text() for label in ticks]


def test_instruments_by_hand():
    params = {"W": 2 * ALTERNATING, "b": np.ones(2)}
    [reading] = plotting.instruments(params, {"W": 0.02 * ALTERNATING + 1, "b": np.ones(2)}, 0.1)
    assert (reading.name, reading.shape, reading.mean) == ("W", (2, 2), 1.0)  # a bias is no matrix
    assert reading.std == pytest.approx(0.02 * np.sqrt(4 / 3), rel=1e-4)  # n - 1, as torch's std
    assert reading.gradient_to_data == pytest.approx(0.01, rel=1e-4)
    assert reading.update_to_data == pytest.approx(-3, abs=1e-4)


@pytest.mark.parametrize(
    ("W", "gradient", "update"), [(0, 1, np.inf), (1, 0, -np.inf), (0, 0, np.nan)], ids=["start", "dead", "both"]
)
def test_a_matrix_of_equal_numbers_has_no_ratio(W, gradient, update, axes):
    params, gradients = {"W": W * ALTERNATING}, {"W": gradient * ALTERNATING}
    np.testing.assert_equal(plotting.instruments(params, gradients, 1.0)[0].update_to_data, update)
    plotting.health(params, gradients, 1.0, axes)
    assert len(axes[1].lines) == 1  # the line at -3 alone


def test_health_draws_what_the_instruments_read(axes):
    params = {"C": ALTERNATING, "W": 10 * ALTERNATING}
    gradients = {"C": np.float32([[0.1, 0], [0, 0.002]]), "W": ALTERNATING}
    assert plotting.health(params, gradients, 0.1, axes) is axes
    read = plotting.instruments(params, gradients, 0.1)
    points = [line.get_xydata().tolist() for line in axes[1].lines[:-1]]
    assert points == [[[each.update_to_data, number]] for number, each in enumerate(read)]
    assert points[1] == [[pytest.approx(-2), 1]]
    assert list(axes[1].lines[-1].get_xdata()) == [-3, -3]
    assert labels(axes[1].get_yticklabels()) == ["C 2 x 2", "W 2 x 2"]
    assert axes[1].yaxis_inverted()  # the first layer on top
    assert labels(axes[0].get_legend().texts) == ["C, 50% are 0", "W"]
    shares = [line.get_ydata() for line in axes[0].lines]
    assert [share.sum() for share in shares] == pytest.approx([0.5, 1])  # zeros have no logarithm
    peaks = axes[0].lines[0].get_xdata()[shares[0] > 0]
    np.testing.assert_allclose(peaks, [-2.7, -1], atol=0.1)


@pytest.mark.parametrize(
    ("init", "options", "some"),
    [
        (mm_jax.mlp.init, {"hidden_dim": 4}, ["C", "W1", "W2"]),
        (mm_jax.gru.init, {"hidden_dim": 4}, []),
        (mm_jax.transformer.init, {"num_layers": 2, "num_heads": 2, "width": 8}, ["blocks.0.Wqkv", "blocks.1.W2"]),
    ],
    ids=["mlp", "gru", "transformer"],
)
def test_health_takes_any_model(init, options, some, axes):
    params = drawn(init, LETTERS, **options)
    gradients = jax.tree.map(lambda leaf: 0.01 * leaf + 0.001, params)
    plotting.health(params, gradients, 0.1, axes)
    matrices = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim >= 2]
    assert len(axes[0].lines) == len(matrices) == len(plotting.instruments(params, gradients, 0.1))
    assert {label.split()[0] for label in labels(axes[1].get_yticklabels())} >= set(some)
    for reading in plotting.instruments(params, gradients, 0.1):
        assert reading.gradient_to_data == pytest.approx(0.01, rel=1e-3)


def test_gradients_must_fit():
    W = {"W": jnp.ones((2, 2))}
    for gradients in ({"V": jnp.ones((2, 2))}, {"W": jnp.ones((2, 3))}):
        with pytest.raises(ValueError, match="do not fit params"):
            plotting.instruments(W, gradients, 0.1)
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="rate is"):
            plotting.instruments(W, W, rate)
