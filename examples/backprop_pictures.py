"""The pictures of `lecture_4_backprop`: the chain of steps, the forces on the logits, differences by variable.

Each function draws into a matplotlib Axes and returns it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")
WIDTH, GAP, HEIGHT = 0.9, 1.22, 2.7  # of a box; from box to box; from row to row


def chain(reads: Mapping[str, Sequence[str]], at: Mapping[str, Any], ax: Axes, rows: Sequence[int]) -> Axes:
    """Draws the steps of a forward pass as boxes in rows, with shapes, and in colour the values that two steps read.

    Args:
      reads: for each step what it reads.
      at: every value by name; its shape is written over its box, and under it, for its gradient has the same.
      ax: where to draw.
      rows: how many steps to draw in each row.
    """
    places = {}
    for row, size in enumerate(rows):
        start = sum(rows[:row])
        places |= {name: (column * GAP, -row * HEIGHT) for column, name in enumerate(list(reads)[start : start + size])}
    forks = [name for name in reads if sum(name in inputs for inputs in reads.values()) > 1]
    for name, inputs in reads.items():
        x, y = places[name]
        colour = COLOURS[forks.index(name)] if name in forks else "0.35"
        _box(ax, name, np.shape(at[name]), x, y, colour)
        others = [each for each in inputs if each not in reads]
        ax.text(x, y + 0.62, ", ".join(others), ha="center", va="bottom", fontsize=9, style="italic")
        for source in inputs:
            if source in reads:
                _arrow(ax, places[source], (x, y), COLOURS[forks.index(source)] if source in forks else "0.35")
    below = -(len(rows) - 1) * HEIGHT
    ax.text(8 * GAP, below + 0.3, "forward: shape of the value", ha="right", va="bottom", fontsize=9, color="0.3")
    ax.text(8 * GAP, below - 0.3, "backward: of its gradient d", ha="right", va="top", fontsize=9, color="tab:purple")
    ax.set_xlim(-0.7, max(rows) * GAP - 0.4)
    ax.set_ylim(below - 1.0, 1.1)
    ax.axis("off")
    return ax


def _box(ax: Axes, name: str, shape: tuple[int, ...], x: float, y: float, colour: str) -> None:
    """Draws a box with its name, the shape above it (forward) and the gradient's below it (backward)."""
    style = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": colour, "linewidth": 1.6}
    ax.text(x, y, name, ha="center", va="center", fontsize=8, bbox=style, zorder=3)
    text = str(shape).replace(",)", ")") if shape else "()"
    ax.text(x, y + 0.3, text, ha="center", va="bottom", fontsize=8.5, color="0.3")
    ax.text(x, y - 0.3, f"d: {text}", ha="center", va="top", fontsize=8.5, color="tab:purple")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """Draws an arrow: straight to the next box, in an arc below over others, down to the next row."""
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "color": colour, "linewidth": 1.4, "zorder": 1}
    (x, y), (u, v) = start, end
    half = WIDTH / 2
    if y != v:  # out at the right end of a row, in from above at the left end of the next
        ax.plot([x + half, x + 0.6, x + 0.6, u, u], [y, y, y - 1.15, y - 1.15, v + 1.0], color=colour, linewidth=1.4)
        ax.add_patch(FancyArrowPatch((u, v + 1.2), (u, v + 0.9), shrinkA=0, shrinkB=0, **style))
        return
    if u - x < 1.5 * GAP:
        ax.add_patch(FancyArrowPatch((x + half, y), (u - half, v), shrinkA=0, shrinkB=0, **style))
        return
    line = f"arc3,rad={0.6 / (u - x)}"  # as deep for each
    ax.add_patch(FancyArrowPatch((x, y - 0.56), (u, v - 0.56), connectionstyle=line, shrinkA=0, shrinkB=0, **style))


def forces(row: Any, chars: str, target: int, ax: Axes) -> Axes:
    """Draws the forces on one row of logits as arrows: up at the target, down at the others.

    Args:
      row: float [V], the gradient at the logits times n; the force is its opposite.
      chars: the character of each logit.
      target: index of the one that came.
      ax: where to draw.
    """
    force, x = -np.asarray(row), np.arange(len(chars))
    colours = ["tab:green" if i == target else "tab:red" for i in x]
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.quiver(x, 0 * x, 0 * x, force, color=colours, angles="xy", scale_units="xy", scale=1, width=0.004)
    ax.text(target + 0.5, force[target] * 0.85, f"{force[target]:+.2f}, pulled up", color="tab:green")
    down = f"{force.sum() - force[target]:+.2f} all together, pushed down"
    ax.text(0.99, 0.06, down, color="tab:red", ha="right", transform=ax.transAxes)
    ax.set_xticks(x, chars)
    ax.set_ylim(min(force.min() * 1.5, -0.25), force.max() * 1.1)
    ax.set_ylabel("force on the logit")
    return ax


def differences(found: Mapping[str, Mapping[str, float]], limits: Mapping[str, float], ax: Axes) -> Axes:
    """Draws the largest difference of each gradient on a logarithmic axis; a cross at the left edge is no difference.

    Args:
      found: for each dtype, the difference by variable.
      limits: for each dtype, the greatest difference allowed: a dashed line.
      ax: where to draw.
    """
    least = 1e-21
    for number, (dtype, by_name) in enumerate(found.items()):
        y = np.arange(len(by_name))
        off = np.array(list(by_name.values()))
        colour = f"C{number}"
        ax.plot(off[off > 0], y[off > 0], "o", color=colour, label=dtype)
        ax.plot(np.full((off == 0).sum(), least * 3**number), y[off == 0], "x", color=colour, markersize=6)
        ax.axvline(limits[dtype], color=colour, linestyle="--", linewidth=1, label=f"limit {limits[dtype]:.0e}")
        ax.set_yticks(y, list(by_name))
    ax.set_xscale("log")
    ax.set_xlim(least / 3, 1e-5)
    ax.invert_yaxis()
    ax.set_xlabel("largest difference from jax.vjp (crosses at the left edge: none)")
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax
