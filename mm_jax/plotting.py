"""Pictures. Every function draws into a matplotlib Axes and returns it; matplotlib is imported by whoever made that.

figure, ax = matplotlib.pyplot.subplots()
mm_jax.plotting.embedding(params, ax)
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mm_jax.models.bigram import Bigram
from mm_jax.models.contract import functions_of
from mm_jax.models.counts import Counts
from mm_jax.models.mlp import MLP
from mm_jax.scoring import Score
from mm_jax.training.rates import RangeTest

Axes = Any  # matplotlib.axes.Axes, which is not imported before something is drawn
VOWELS = "aeiouy"
_KINDS = {"the end .": "black", "vowels": "tab:orange", "others": "tab:blue"}


def count_table(counts: Counts, ax: Axes) -> Axes:
    """The table of counts, the bigram and its count written in each cell, as in the lecture."""
    return _table(np.asarray(counts.N), counts.vocab.chars, ax, "{:d}")


def weight_table(params: Bigram, ax: Axes) -> Axes:
    """The probabilities that W stands for, in percent, the bigram written in each cell."""
    W = np.asarray(params.W, np.float64)
    P = np.exp(W - W.max(axis=1, keepdims=True))
    return _table(100 * P / P.sum(axis=1, keepdims=True), params.vocab.chars, ax, "{:.1f}")


def _table(values: np.ndarray, chars: str, ax: Axes, form: str) -> Axes:
    ax.imshow(values, cmap="Blues")
    limit = values.max() / 2
    for i, j in np.ndindex(values.shape):
        color = "white" if values[i, j] > limit else "0.35"
        ax.text(j, i - 0.05, chars[i] + chars[j], ha="center", va="bottom", color=color, fontsize=7)
        ax.text(j, i + 0.05, form.format(values[i, j]), ha="center", va="top", color=color, fontsize=6)
    ax.set_xticks(range(len(chars)), chars)
    ax.set_yticks(range(len(chars)), chars)
    ax.xaxis.tick_top()
    ax.set_xlabel("next character")
    ax.set_ylabel("character")
    return ax


def losses(loss: np.ndarray, ax: Axes, *, dev: Sequence[tuple[int, float]] = (), smooth: int | None = None) -> Axes:
    """Training loss by step, averaged over `smooth` steps (a hundredth of them), and dev nll where it was taken."""
    smooth = smooth or max(1, len(loss) // 100)
    rows = loss[: len(loss) // smooth * smooth].reshape(-1, smooth).mean(1)
    middles = (np.arange(len(rows)) + 0.5) * smooth
    return curves(
        list(zip(middles.tolist(), rows.tolist(), strict=True)), ax, dev=dev, label=f"training, mean of {smooth} steps"
    )


def curves(
    loss: Sequence[tuple[float, float]], ax: Axes, *, dev: Sequence[tuple[int, float]] = (), label: str = "training"
) -> Axes:
    """(step, training loss) and (step, dev nll) pairs."""
    ax.plot(*zip(*loss, strict=True), label=label)
    if dev:
        ax.plot(*zip(*dev, strict=True), "o-", markersize=3, label="dev")
    ax.set_xlabel("step")
    ax.set_ylabel("nats per character")
    ax.legend()
    return ax


def range_test(result: RangeTest, ax: Axes) -> Axes:
    """Loss against learning rate, the suggestion marked."""
    ax.semilogx(result.rates, result.losses, linewidth=0.8)
    ax.axvline(result.suggestion, color="tab:orange", label=f"suggestion {result.suggestion:.3g}: {result.reason}")
    finite = result.losses[np.isfinite(result.losses)]
    ax.set_ylim(finite.min() - 0.2, min(finite.max(), np.median(finite) * 2) + 0.2)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss, nats per character")
    ax.legend(loc="upper left", fontsize=8)
    return ax


def embedding(params: MLP, ax: Axes) -> Axes:
    """Each character where its row of C lies: the row itself if it has two numbers, else its first two components.

    The components (PCA) are labelled with the share of the variance they hold. Vowels and `.` are coloured.
    """
    C = np.asarray(params.C, np.float64)
    labels = ["C[:, 0]", "C[:, 1]"]
    if C.shape[1] != 2:
        centred = C - C.mean(axis=0)
        U, S, _ = np.linalg.svd(centred, full_matrices=False)
        share = S**2 / np.square(S).sum()
        C = np.pad(U * S, ((0, 0), (0, 2)))[:, :2]
        labels = [f"component {i + 1} ({share[i]:.0%})" if i < len(share) else "" for i in range(2)]
    kinds = ["the end ." if char == "." else "vowels" if char in VOWELS else "others" for char in params.vocab.chars]
    for kind, color in _KINDS.items():
        which = [i for i, each in enumerate(kinds) if each == kind]
        if which:
            ax.scatter(C[which, 0], C[which, 1], s=180, color=color, label=kind)
    for (x, y), char in zip(C, params.vocab.chars, strict=True):
        ax.text(x, y, char, ha="center", va="center", color="white", fontsize=9)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(fontsize=8, markerscale=0.5)
    ax.grid(alpha=0.3)
    return ax


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


def pictures_of(params: Any, history: Sequence[tuple[int, float, float]]) -> dict[str, Callable[[Axes], Axes]]:
    """What there is to draw of a model and its history, by name: functions of an Axes.

    A model's file says what: `PICTURES` holds names of functions of this module, or functions of (params, ax).
    """
    pictures: dict[str, Callable[[Axes], Axes]] = {}
    for each in getattr(functions_of(params), "PICTURES", ()):
        draw = globals()[each] if isinstance(each, str) else each
        pictures[draw.__name__] = functools.partial(draw, params)
    if history:
        dev = [(step, nll) for step, _, nll in history if math.isfinite(nll)]
        pictures["losses"] = lambda ax: curves([row[:2] for row in history], ax, dev=dev)
    return pictures
