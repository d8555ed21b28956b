"""One word, character by character: how likely a model holds it, and where the model looks."""

from collections.abc import Mapping

import numpy as np

from mm_jax.plotting.axes import Axes, Numbers
from mm_jax.scoring import Score


def word(score: Score, ax: Axes) -> Axes:
    """The probability of each character of a word, and in grey that of the likeliest one in its place."""
    places = np.arange(len(score.characters))
    best = [each.likeliest[0] for each in score.characters]
    ax.bar(places, [p for _, p in best], color="0.85", label="the likeliest character here")
    ax.bar(places, [each.probability for each in score.characters], width=0.5, label="the word's character")
    for place, (char, p) in zip(places, best, strict=True):
        ax.text(place, p, char, ha="center", va="bottom", color="0.4")
    ax.set_xticks(places, [each.character for each in score.characters])
    ax.set_ylim(0, 1.05)
    ax.set_ylabel("probability")
    ax.set_title(f"{score.word}: {score.nll:.2f} nats, {score.mean:.2f} per character", fontsize=10)
    ax.legend(fontsize=8)
    return ax


def heat(scores: Mapping[str, Score], ax: Axes, *, limit: float = 7.0) -> Axes:
    """Words as rows of cells, the redder the more surprising; in each cell the character and its nats.

    Args:
      scores: by the name of the row: several words of one model, or one word of several models.
      ax: where to draw.
      limit: the nats of the reddest colour; what is impossible is black.
    """
    longest = max(len(score.characters) for score in scores.values())
    for i, score in enumerate(scores.values()):
        for j, each in enumerate(score.characters):
            color = _surprise(ax, each.nll / limit) if np.isfinite(each.nll) else "black"
            ax.add_patch(_cell(j, i, color))
            ink = "white" if each.nll > 0.7 * limit else "black"
            ax.text(j + 0.5, i + 0.45, each.character, ha="center", va="bottom", color=ink, fontsize=12)
            ax.text(j + 0.5, i + 0.58, f"{each.nll:.2f}", ha="center", va="top", color=ink, fontsize=8)
        mean = f"{score.mean:.2f} per character"
        ax.text(len(score.characters) + 0.2, i + 0.5, mean, va="center", fontsize=8, color="0.3")
    ax.set_xlim(0, longest + 3)
    ax.set_ylim(len(scores), 0)
    ax.set_yticks(np.arange(len(scores)) + 0.5, list(scores))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal")
    return ax


def attention(weights: Numbers, characters: str, ax: Axes) -> Axes:
    """Where each place of a word looks: row t is what is read to predict character t, dark columns are attended to.

    Args:
      weights: [length, length], rows sum to 1; row t attends to places 0 to t.
      characters: what was read at each place, the first `.` included; as many as there are rows.
      ax: where to draw.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(characters), len(characters)):
        raise ValueError(f"weights of shape {weights.shape} do not fit {len(characters)} characters")
    shown = np.where(np.tri(len(characters), dtype=bool), weights, np.nan)
    ax.imshow(shown, cmap="Blues", vmin=0, vmax=1.15)
    for i, j in zip(*np.tril_indices(len(characters)), strict=True):
        if weights[i, j] >= 0.095:
            color = "white" if weights[i, j] > 0.6 else "black"
            ax.text(j, i, f"{weights[i, j]:.1f}", ha="center", va="center", color=color, fontsize=7)
    ax.set_xticks(range(len(characters)), list(characters))
    ax.set_yticks(range(len(characters)), list(characters))
    ax.tick_params(length=0)
    ax.set_xlabel("attends to")
    ax.set_ylabel("after reading")
    return ax


def _surprise(ax: Axes, share: float):
    import matplotlib  # the caller has it already

    return matplotlib.colormaps["Reds"](min(0.9, 0.9 * share))


def _cell(x: float, y: float, color):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", linewidth=2)
