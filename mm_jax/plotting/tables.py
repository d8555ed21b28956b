"""Tables: counts or probabilities of pairs of characters, one-hot rows, the product of two matrices."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from mm_jax.models.bigram import Bigram
from mm_jax.models.counts import Counts
from mm_jax.plotting.axes import Axes, Numbers
from mm_jax.symbols import joined


def count_table(counts: Counts, ax: Axes) -> Axes:
    """Draws the table of counts, with the bigram and its count in each cell, as in the lecture."""
    return table(np.asarray(counts.N), counts.vocab.symbols, ax, joint=joined(("", ""), counts.vocab.units))


def weight_table(params: Bigram, ax: Axes) -> Axes:
    """Draws the probabilities softmax(W) in percent, with the bigram in each cell."""
    W = np.asarray(params.W, np.float64)
    P = np.exp(W - W.max(axis=1, keepdims=True))
    joint = joined(("", ""), params.vocab.units)
    return table(100 * P / P.sum(axis=1, keepdims=True), params.vocab.symbols, ax, form="{:.1f}", joint=joint)


def table(values: Numbers, tokens: Sequence[str], ax: Axes, *, form: str = "{:d}", joint: str = "") -> Axes:
    """Draws a square table, with the pair above and the value below in each cell.

    Args:
      values: numbers [tokens, tokens]; row i is the first of a pair, column j the second.
      tokens: a name for each row and column, such as `vocab.symbols`.
      ax: the Axes to draw into; a third of an inch a cell keeps the text readable.
      form: format of a value.
      joint: stands between the tokens of a pair.

    The colour is the square root of the value: by the value itself a few cells would be dark, all others white.
    """
    values = np.asarray(values)
    shade = np.sqrt(values / values.max())
    ax.imshow(shade, cmap="Blues", vmax=1.15)  # leaves out the darkest blue: no text is readable on it
    for i, j in np.ndindex(values.shape):
        # Black is readable on all but the darkest blues; cells that hold nothing stay in the background.
        color = "white" if shade[i, j] > 0.7 else "black" if values[i, j] > 0 else "0.7"
        ax.text(j, i - 0.02, f"{tokens[i]}{joint}{tokens[j]}", ha="center", va="bottom", color=color, fontsize=8.5)
        ax.text(j, i + 0.02, form.format(values[i, j]), ha="center", va="top", color=color, fontsize=8.5)
    _label(ax, tokens)
    ax.tick_params(length=0)
    return ax


def heat_map(values: Numbers, tokens: Sequence[str], ax: Axes, *, limit: float | None = None) -> Axes:
    """Draws a square table as colours alone, by the square root of the values.

    `limit` is the value of the darkest colour, by default the maximum; give one limit to pictures that are compared.
    """
    values = np.asarray(values)
    ax.imshow(np.sqrt(values), cmap="Blues", vmin=0, vmax=math.sqrt(values.max() if limit is None else limit))
    _label(ax, tokens)
    ax.tick_params(length=0, labelsize=7)
    return ax


def _label(ax: Axes, tokens: Sequence[str]) -> None:
    """Labels rows and columns with the tokens."""
    ax.set_xticks(range(len(tokens)), list(tokens))
    ax.set_yticks(range(len(tokens)), list(tokens))
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    unit = "character" if max(map(len, tokens)) == 1 else "symbol"
    ax.set_xlabel(f"second {unit}")
    ax.set_ylabel(f"first {unit}")


def one_hot(rows: Numbers, inputs: Sequence[str], tokens: Sequence[str], ax: Axes) -> Axes:
    """Draws one-hot rows, one for each input: the cell that holds 1 is dark.

    Args:
      rows: [inputs, tokens] of zeros and ones.
      inputs: label of each row.
      tokens: label of each column.
      ax: the Axes to draw into.
    """
    rows = np.asarray(rows)
    ax.pcolormesh(rows, cmap="Blues", edgecolors="0.85", linewidth=0.5, vmin=0, vmax=1.15)
    for i, j in np.argwhere(rows > 0):
        ax.text(j + 0.5, i + 0.5, f"{rows[i, j]:g}", ha="center", va="center", color="white", fontsize=9)
    ax.set_xticks(np.arange(len(tokens)) + 0.5, [f"{token}\n{i}" for i, token in enumerate(tokens)], fontsize=8)
    ax.set_yticks(np.arange(len(inputs)) + 0.5, list(inputs))
    ax.invert_yaxis()
    ax.set_aspect("equal")
    ax.tick_params(length=0)
    return ax


def matrix_product(
    left: Numbers,
    right: Numbers,
    cell: tuple[int, int],
    axes: Iterable[Axes],
    *,
    names: tuple[str, str, str] = ("left", "right", "product"),
) -> Iterable[Axes]:
    """Draws left @ right = product side by side, and frames one entry of the product with its row and column.

    Args:
      left: [rows, inner].
      right: [inner, columns].
      cell: (row, column) of the entry to frame.
      axes: three Axes.
      names: titles of the three matrices.
    """
    left, right = np.asarray(left), np.asarray(right)
    row, column = cell
    parts = [
        (left, 0, row, left.shape[1], 1, f"row {row}", "@"),
        (right, column, 0, 1, right.shape[0], f"column {column}", "="),
        (left @ right, column, row, 1, 1, f"entry [{row}, {column}]", ""),
    ]
    for ax, name, (values, x, y, width, height, marked, sign) in zip(axes, names, parts, strict=True):
        limit = np.abs(values).max()
        ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.add_patch(_frame((x - 0.5, y - 0.5), width, height))
        ax.set_title(f"{name}, {values.shape[0]} x {values.shape[1]}", fontsize=10)
        ax.set_xlabel(marked, fontsize=10)
        ax.text(1.03, 0.5, sign, transform=ax.transAxes, fontsize=15, va="center")
        ax.set_xticks([])
        ax.set_yticks([])
    return axes


def _frame(corner: tuple[float, float], width: float, height: float):
    """Returns a black rectangle."""
    from matplotlib.patches import Rectangle  # the caller has imported matplotlib

    return Rectangle(corner, width, height, fill=False, edgecolor="black", linewidth=2, clip_on=False)
