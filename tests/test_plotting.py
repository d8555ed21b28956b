"""Every picture is drawn without a display, and what is in it is checked."""

import jax
import matplotlib
import numpy as np
import pytest

import mm_jax
from mm_jax import plotting

from .conftest import FIRST_FIVE, LETTERS

matplotlib.use("agg")


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()
    plt.close(figure)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_count_table(ax):
    counts = mm_jax.counts.fit(FIRST_FIVE, LETTERS)
    assert plotting.count_table(counts, ax) is ax
    assert len(ax.texts) == 2 * 27 * 27
    cells = dict(zip(texts(ax)[::2], texts(ax)[1::2], strict=True))
    assert cells["a."] == "5"
    assert cells["zz"] == "0"
    assert [label.get_text() for label in ax.get_xticklabels()] == list(LETTERS.chars)
    assert (np.asarray(ax.images[0].get_array()) == np.asarray(counts.N)).all()


def test_weight_table(ax):
    counts = mm_jax.counts.fit(["ab", "ab", "ac"], mm_jax.Vocab(".abc"))
    plotting.weight_table(mm_jax.bigram.from_counts(counts), ax)
    cells = dict(zip(texts(ax)[::2], texts(ax)[1::2], strict=True))
    assert (cells[".a"], cells["ab"], cells["ba"]) == ("100.0", "66.7", "0.0")


def test_losses(ax):
    loss = np.arange(1000, dtype=np.float32)
    plotting.losses(loss, ax, dev=[(0, 3.0), (500, 2.5)], smooth=100)
    training, dev = ax.lines
    np.testing.assert_allclose(training.get_ydata(), loss.reshape(10, 100).mean(1))
    assert list(dev.get_ydata()) == [3.0, 2.5]
    assert ax.get_ylabel() == "nats per character"


def test_range_test(ax):
    rates = np.geomspace(0.001, 1, 30)
    result = mm_jax.RangeTest(rates, np.linspace(3, 2, 30), 0.25, "because")
    plotting.range_test(result, ax)
    assert ax.get_xscale() == "log"
    assert list(ax.lines[1].get_xdata()) == [0.25, 0.25]
    assert "suggestion 0.25: because" in ax.get_legend().texts[0].get_text()


@pytest.mark.parametrize("dim", [1, 2, 10])
def test_embedding(ax, dim):
    params = mm_jax.mlp.init(jax.random.key(0), LETTERS, embedding_dim=dim, hidden_dim=4)
    plotting.embedding(params, ax)
    assert texts(ax) == list(LETTERS.chars)
    sizes = {kind.get_label(): len(kind.get_offsets()) for kind in ax.collections}
    assert sizes == {"the end .": 1, "vowels": 6, "others": 20}
    points = np.array([text.get_position() for text in ax.texts])
    C = np.asarray(params.C)
    if dim == 2:
        np.testing.assert_allclose(points, C)
    else:  # components: centred, uncorrelated, the first with the larger variance
        np.testing.assert_allclose(points.mean(0), 0, atol=1e-6)
        np.testing.assert_allclose((points[:, 0] * points[:, 1]).mean(), 0, atol=1e-6)
        assert points[:, 0].var() >= points[:, 1].var()
        assert "component 1" in ax.get_xlabel()


def test_word(ax):
    score = mm_jax.score(mm_jax.counts.fit(FIRST_FIVE, LETTERS, 1.0), "ava")
    plotting.word(score, ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == list("ava.")
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights[4:], [each.probability for each in score.characters])
    assert "ava" in ax.get_title()
