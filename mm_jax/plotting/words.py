"""Words character by character: their probabilities, and the attention of a model."""

from collections.abc import Mapping

import numpy as np

from mm_jax.plotting.axes import Axes, Numbers
from mm_jax.scoring import Score


def word(score: Score, ax: Axes) -> Axes:
    """Draws the probability of each symbol of a word, and in grey that of the likeliest symbol there."""
    places = np.arange(len(score.characters))
    best = [entry.likeliest[0] for entry in score.characters]
    ax.bar(places, [p for _, p in best], color="0.85", label=f"the likeliest {score.unit} here")
    ax.bar(places, [entry.probability for entry in score.characters], width=0.5, label=f"the word's {score.unit}")
    for place, (char, p) in zip(places, best, strict=True):
        ax.text(place, p, char, ha="center", va="bottom", color="0.4")
    ax.set_xticks(places, [entry.character for entry in score.characters])
    ax.set_ylim(0, 1.05)
    ax.set_ylabel("probability")
    ax.set_title(f"{score.word}: {score.nll:.2f} nats, {score.mean:.2f} per {score.unit}", fontsize=10)
    ax.legend(fontsize=8)
    return ax


def heat(scores: Mapping[str, Score], ax: Axes, *, limit: float = 7.0) -> Axes:
    """Draws words as rows of cells, with the character and its nats in each cell; the redder, the more surprising.

    Args:
      scores: rows by name: several words of one model, or one word of several models.
      ax: the Axes to draw into.
      limit: nats of the reddest colour; characters of probability 0 are black.
    """
    longest = max(len(score.characters) for score in scores.values())
    for i, score in enumerate(scores.values()):
        for j, entry in enumerate(score.characters):
            color = _surprise(ax, entry.nll / limit) if np.isfinite(entry.nll) else "black"
            ax.add_patch(_cell(j, i, color))
            ink = "white" if entry.nll > 0.7 * limit else "black"
            size = min(12.0, 36 / max(1, len(entry.character)))  # so that it fits the cell
            ax.text(j + 0.5, i + 0.45, entry.character, ha="center", va="bottom", color=ink, fontsize=size)
            ax.text(j + 0.5, i + 0.58, f"{entry.nll:.2f}", ha="center", va="top", color=ink, fontsize=8)
        mean = f"{score.mean:.2f} per {score.unit}"
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
    """Draws attention weights: row t shows the weights of all positions when the model predicts character t.

    Args:
      weights: [length, length], rows sum to 1; row t attends to positions 0 to t.
      characters: the character read at each position, the first `.` included; [length].
      ax: the Axes to draw into.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(characters), len(characters)):
        raise ValueError(f"weights of shape {weights.shape} do not fit {len(characters)} characters")
    lower = np.where(np.tri(len(characters), dtype=bool), weights, np.nan)
    ax.imshow(lower, cmap="Blues", vmin=0, vmax=1.15)
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
    """Returns the red of a share of the limit."""
    import matplotlib  # the caller has imported it

    return matplotlib.colormaps["Reds"](min(0.9, 0.9 * share))


def _cell(x: float, y: float, color):
    """Returns a coloured square."""
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", linewidth=2)
