"""Every picture is drawn without a display, and what is in it is checked."""

import jax
import matplotlib
import numpy as np
import pytest

import mm_jax
from mm_jax import plotting

from .conftest import FIRST_FIVE, LETTERS, drawn

matplotlib.use("agg")


@pytest.fixture
def axes():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 4))
    yield axes
    figure.canvas.draw()
    plt.close(figure)


@pytest.fixture
def ax(axes):
    return axes[0]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def labels(ticks):
    return [label.get_text() for label in ticks]


def cells(ax):
    return dict(zip(texts(ax)[::2], texts(ax)[1::2], strict=True))


@pytest.mark.slow
def test_count_table(ax):
    counts = mm_jax.counts.fit(FIRST_FIVE, LETTERS)
    assert plotting.count_table(counts, ax) is ax
    assert len(ax.texts) == 2 * 27 * 27
    assert (cells(ax)["a."], cells(ax)["zz"]) == ("5", "0")
    assert labels(ax.get_xticklabels()) == labels(ax.get_yticklabels()) == list(LETTERS.chars)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("second character", "first character")


def test_the_first_of_a_pair_is_the_row(ax):
    plotting.table(np.array([[0, 16], [1, 4]]), ["<S>", "b"], ax)
    assert cells(ax) == {"<S><S>": "0", "<S>b": "16", "b<S>": "1", "bb": "4"}
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert np.round(places["<S>b"]).tolist() == [1, 0]  # x is the column
    np.testing.assert_allclose(ax.images[0].get_array(), np.sqrt([[0, 1], [1 / 16, 1 / 4]]))


def test_text_is_light_on_dark_cells_only(ax):
    plotting.table(np.array([[100, 1], [0, 90]]), ["a", "b"], ax)
    colors = {text.get_text(): text.get_color() for text in ax.texts}
    assert colors["aa"] == colors["bb"] == "white"
    assert "white" not in (colors["ab"], colors["ba"])


def test_weight_table(ax):
    counts = mm_jax.counts.fit(["ab", "ab", "ac"], mm_jax.Vocab(".abc"))
    plotting.weight_table(mm_jax.bigram.from_counts(counts), ax)
    assert [cells(ax)[pair] for pair in (".a", "ab", "ba")] == ["100.0", "66.7", "0.0"]


def test_heat_maps_can_share_their_darkest_colour(axes):
    for ax, top in zip(axes, (0.25, 1.0, 0.5), strict=True):
        plotting.heat_map(np.array([[0.0, top], [0.0, 0.0]]), "ab", ax, limit=1.0)
        assert ax.images[0].get_clim() == (0, 1)
        assert ax.images[0].get_array()[0, 1] == pytest.approx(np.sqrt(top))


def test_one_hot(ax):
    plotting.one_hot(np.eye(27, dtype=np.float32)[[0, 5, 13]], [".", "e", "m"], LETTERS.chars, ax)
    assert [text.get_position() for text in ax.texts] == [(0.5, 0.5), (5.5, 1.5), (13.5, 2.5)]
    assert set(texts(ax)) == {"1"}
    assert labels(ax.get_xticklabels())[13] == "m\n13"
    assert labels(ax.get_yticklabels()) == [".", "e", "m"]
    assert ax.yaxis_inverted()  # the first input on top


def test_matrix_product(axes):
    left, right = np.eye(5, 4), np.arange(12.0).reshape(4, 3)
    plotting.matrix_product(left, right, (2, 1), axes, names=("X", "W", "XW"))
    np.testing.assert_allclose(axes[2].images[0].get_array(), left @ right)
    frames = [(*ax.patches[0].get_xy(), ax.patches[0].get_width(), ax.patches[0].get_height()) for ax in axes]
    assert frames == [(-0.5, 1.5, 4, 1), (0.5, -0.5, 1, 4), (0.5, 1.5, 1, 1)]
    assert [ax.get_title() for ax in axes] == ["X, 5 x 4", "W, 4 x 3", "XW, 5 x 3"]
    assert [ax.get_xlabel() for ax in axes] == ["row 2", "column 1", "entry [2, 1]"]
    assert [texts(ax) for ax in axes] == [["@"], ["="], [""]]


def test_losses(ax):
    loss = np.arange(100_000, dtype=np.float32)
    plotting.losses(loss, ax, dev=[(0, 3.0), (500, 2.5)], smooth=10_000, lines={"counting": 2.4540})
    training, dev, line = ax.lines
    np.testing.assert_allclose(training.get_ydata(), loss.reshape(10, 10_000).mean(1))
    assert list(dev.get_ydata()) == [3.0, 2.5]
    assert set(line.get_ydata()) == {2.4540}
    assert labels(ax.get_legend().texts) == ["training, mean of 10,000 steps", "dev", "counting: 2.4540"]
    assert ax.get_ylabel() == "nats per character"
    assert ax.xaxis.get_major_formatter()(20_000, None) == "20,000"


def test_losses_unsmoothed_begin_at_step_0(ax):
    plotting.losses(np.array([3.0, 2.0]), ax, smooth=1)
    assert list(ax.lines[0].get_xdata()) == [0, 1]


def test_range_test_cuts_nothing_off(ax):
    rates = np.geomspace(0.001, 1, 100)
    losses = np.linspace(3, 2, 100) + np.where(np.arange(100) > 95, 40, 0)
    plotting.range_test(mm_jax.RangeTest(rates, losses, 0.25, "because"), ax, smooth=5, shade=(0.1, 0.2))
    each, mean, suggestion = ax.lines
    assert ax.get_xscale() == ax.get_yscale() == "log"
    np.testing.assert_allclose(each.get_ydata(), losses)
    np.testing.assert_allclose(mean.get_ydata()[0], losses[:5].mean())
    assert mean.get_xdata()[0] == rates[2]  # the mean of five stands in their middle
    assert len(mean.get_xdata()) == 96
    assert list(suggestion.get_xdata()) == [0.25, 0.25]
    low, high = ax.get_ylim()
    assert low < losses.min()
    assert high > losses.max()
    shade = ax.patches[0]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((0.1, 0.2))
    assert "suggestion 0.25: because" in labels(ax.get_legend().texts)


def test_function(ax):
    plotting.function(np.log, 0.01, 1, ax, name="log(p)", marks=[0.5, 1])
    curve = ax.lines[0]
    np.testing.assert_allclose(curve.get_ydata(), np.log(curve.get_xdata()))
    assert texts(ax) == ["-0.69", "0.00"]
    assert ax.get_title() == "log(p)"


def discs(ax):
    return np.concatenate([kind.get_offsets() for kind in ax.collections])


@pytest.mark.parametrize("dim", [1, 2, 10])
def test_embedding(ax, dim):
    params = drawn(mm_jax.mlp.init, LETTERS, embedding_dim=dim, hidden_dim=4)
    plotting.embedding(params, ax)
    assert texts(ax)[:1] == ["."]
    assert [text for text in texts(ax) if len(text) == 1] == list(LETTERS.chars)
    sizes = {kind.get_label(): len(kind.get_offsets()) for kind in ax.collections}
    assert sizes == {"the end .": 1, "vowels": 6, "others": 20}
    assert ax.get_aspect() == 1
    assert np.ptp(ax.get_xlim()) == pytest.approx(np.ptp(ax.get_ylim()))
    assert ("component 1" in ax.get_xlabel()) == (dim != 2)


def embedded(C):
    params = drawn(mm_jax.mlp.init, LETTERS, embedding_dim=2, hidden_dim=4)
    return mm_jax.MLP(**{**vars(params), "C": jax.device_put(np.float32(C))})


def test_letters_that_are_apart_lie_where_C_says(ax):
    C = np.stack(np.meshgrid(np.arange(9.0), np.arange(3.0)), -1).reshape(27, 2)
    plotting.embedding(embedded(C), ax)
    np.testing.assert_allclose(sorted(map(tuple, discs(ax).round(4))), sorted(map(tuple, C)), atol=1e-4)


def test_letters_on_one_spot_are_moved_apart(ax):
    C = np.random.default_rng(0).normal(size=(27, 2))
    C[5:12] = C[5]
    plotting.embedding(embedded(C), ax)
    places = discs(ax)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(27, 1)]
    assert gaps.min() >= 2 * 0.027 * np.ptp(ax.get_xlim())  # no disc covers another
    assert len(ax.lines) >= 5  # lines to the true places


def test_an_outlier_does_not_flatten_the_rest(ax):
    C = np.random.default_rng(1).normal(size=(27, 2))
    C[17] = [100, 0]
    plotting.embedding(embedded(C), ax)
    assert np.ptp(ax.get_xlim()) < 12
    x, y = next(text.get_position() for text in ax.texts if text.get_text() == "q")
    assert ax.get_xlim()[0] < x < ax.get_xlim()[1]
    assert ax.get_ylim()[0] < y < ax.get_ylim()[1]
    assert "q at (100.0, 0.0)" in texts(ax)


def test_word(ax):
    score = mm_jax.score(mm_jax.counts.fit(FIRST_FIVE, LETTERS, 1.0), "ava")
    plotting.word(score, ax)
    assert labels(ax.get_xticklabels()) == list("ava.")
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights[4:], [each.probability for each in score.characters])
    assert "ava" in ax.get_title()


def test_heat(ax):
    counts = mm_jax.counts.fit(FIRST_FIVE, LETTERS)
    scores = {word: mm_jax.score(counts, word) for word in ("ava", "avaz")}
    plotting.heat(scores, ax)
    assert texts(ax)[:2] == ["a", f"{scores['ava'].characters[0].nll:.2f}"]
    assert [text for text in texts(ax) if len(text) == 1] == list("ava.avaz.")
    assert labels(ax.get_yticklabels()) == ["ava", "avaz"]
    shades = [np.mean(patch.get_facecolor()[1:3]) for patch in ax.patches]
    nlls = [each.nll for each in scores["ava"].characters]
    assert np.argsort(nlls).tolist() == np.argsort(shades[:4])[::-1].tolist()  # the redder, the more surprising
    assert ax.patches[7].get_facecolor() == (0, 0, 0, 1)  # z never follows a


def test_attention(ax):
    weights = np.tril(np.full((3, 3), 0.2)) + np.diag([0.8, 0.6, 0.4])
    plotting.attention(weights, ".av", ax)
    shown = ax.images[0].get_array()
    assert np.isnan(np.asarray(shown.filled(np.nan))[0, 1])  # nothing ahead is drawn
    assert texts(ax) == ["1.0", "0.2", "0.8", "0.2", "0.2", "0.6"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("attends to", "after reading")


def test_attention_must_fit_its_characters(ax):
    with pytest.raises(ValueError, match=r"shape \(3, 3\) do not fit 2 characters"):
        plotting.attention(np.eye(3), ".a", ax)


def test_ladder(ax):
    counts = {name: mm_jax.counts.fit(FIRST_FIVE, LETTERS, smoothing) for name, smoothing in (("a", 1), ("b", 5))}
    rows = {name: mm_jax.evaluate(each, ["ava", "mia", "lea"], seen=["ava"]) for name, each in counts.items()}
    plotting.ladder(rows, ax)
    every, unseen = ax.containers
    np.testing.assert_allclose(every.lines[0].get_xdata(), [row.nll for row in rows.values()])
    np.testing.assert_allclose(unseen.lines[0].get_xdata(), [row.nll_unseen for row in rows.values()])
    bar = every.lines[2][0].get_segments()[0]
    assert bar[1, 0] - bar[0, 0] == pytest.approx(2 * rows["a"].stderr)
    assert labels(ax.get_yticklabels()) == ["a", "b"]
    assert ax.yaxis_inverted()
    assert f"{rows['a'].nll:.3f}" in texts(ax)
