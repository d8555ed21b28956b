"""The embedding: a scatter plot of the characters."""

import numpy as np

from mm_jax.models.mlp import MLP
from mm_jax.plotting.axes import Axes

VOWELS = "aeiouy"
_KINDS = {"the end .": "black", "vowels": "tab:orange", "others": "tab:blue"}
_RADIUS = 0.027  # of a letter's disc, as a share of the side of the square


def embedding(params: MLP, ax: Axes) -> Axes:
    """Draws each character at its row of C if that has two numbers, else at its first two principal components.

    The axes of a PCA are labelled with their share of the variance. Vowels and `.` are coloured. Discs that would
    overlap are moved apart, with a line to the true place. An outlier is drawn at the border, with its coordinates, so
    that the others are not squeezed into a corner. The picture is square and both axes have one scale, so that
    distances compare.
    """
    C, labels = _plane(np.asarray(params.C, np.float64))
    chars = params.vocab.symbols
    centre, half = _square(C)
    inside = np.clip(C, centre - 0.94 * half, centre + 0.94 * half)
    outside = np.abs(C - centre).max(axis=1) > half
    radius = _RADIUS * 2 * half
    places = _apart(inside, 2.1 * radius, centre, 0.96 * half)
    for target, place in zip(inside, places, strict=True):
        if np.linalg.norm(target - place) > radius:  # a shorter line is hidden by the disc
            ax.plot(*zip(target, place, strict=True), color="0.5", linewidth=0.8, zorder=1)
    kinds = np.array(["the end ." if char == "." else "vowels" if char in VOWELS else "others" for char in chars])
    for kind, color in _KINDS.items():
        which = np.flatnonzero(kinds == kind)
        if len(which):
            ax.scatter(places[which, 0], places[which, 1], s=190, color=color, label=kind, zorder=2)
    for i, char in enumerate(chars):
        bold = {"fontsize": 15, "fontweight": "bold"} if char == "." else {"fontsize": min(9, 18 / len(char))}
        ax.text(*places[i], char, ha="center", va="center_baseline", color="white", zorder=3, **bold)
        if outside[i]:
            note = f"{char} at ({C[i, 0]:.1f}, {C[i, 1]:.1f})"
            side = -1 if places[i, 0] > centre[0] else 1
            ax.annotate(note, places[i], xytext=(side * 12, 0), textcoords="offset points", fontsize=7.5,
                        ha="right" if side < 0 else "left", va="center")  # fmt: skip
    ax.set_xlim(centre[0] - half, centre[0] + half)
    ax.set_ylim(centre[1] - half, centre[1] + half)
    ax.set_aspect("equal")
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(fontsize=8, markerscale=0.5, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    ax.grid(alpha=0.3)
    return ax


def _plane(C: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Projects the characters to the plane, float64 [chars, 2]; returns the labels of both axes too."""
    if C.shape[1] == 2:
        return C, ["C[:, 0]", "C[:, 1]"]
    centred = C - C.mean(axis=0)
    U, S, _ = np.linalg.svd(centred, full_matrices=False)
    share = S**2 / np.square(S).sum()
    labels = [f"component {i + 1} ({share[i]:.0%})" if i < len(share) else "" for i in range(2)]
    return np.pad(U * S, ((0, 0), (0, 2)))[:, :2], labels


def _square(C: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns centre [2] and half side of the square around the points [chars, 2], without a few outliers."""
    low, high = np.quantile(C, [0.25, 0.75], axis=0)
    near = (np.abs(C - (low + high) / 2) <= 3 * (high - low) + 1e-9).all(axis=1)
    inside = C[near] if near.sum() >= len(C) * 0.8 else C
    low, high = inside.min(axis=0), inside.max(axis=0)
    return (low + high) / 2, float((high - low).max() / 2 * 1.12 + 1e-9)


def _apart(points: np.ndarray, distance: float, centre: np.ndarray, half: float) -> np.ndarray:
    """Moves points [chars, 2] inside the square until all distances are at least `distance`."""
    # Equal points have no direction to move apart: each gets a small fixed offset of its own.
    turns = np.arange(len(points)) * 2.4
    points = points + 1e-6 * distance * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    for _ in range(500):
        delta = points[:, None] - points[None]
        gap = np.sqrt(np.square(delta).sum(-1)) + np.eye(len(points)) * 1e9
        if gap.min() >= distance:
            break
        push = np.clip(1.02 * distance - gap, 0, None) / gap / 2
        points = np.clip(points + (push[:, :, None] * delta).sum(1), centre - half, centre + half)
    return points
