"""Models side by side: a ladder of losses."""

from collections.abc import Mapping

import numpy as np

from mm_jax.evaluation import Evaluation
from mm_jax.plotting.axes import Axes


def ladder(rows: Mapping[str, Evaluation], ax: Axes) -> Axes:
    """Draws a row for each model, the first at the top: its loss on a list, and (hollow) its loss on unseen words.

    Error bars are one standard error to each side. Losses are in nats per character, end included.
    """
    places = np.arange(len(rows))
    for shift, label, fill, pairs in (
        (-0.12, "all words", "C0", [(row.nll, row.stderr) for row in rows.values()]),
        (
            0.12,
            "words not in the training list",
            "white",
            [(r.nll_unseen, r.stderr_unseen) for r in rows.values()],
        ),
    ):
        losses, errors = np.array(pairs).T
        if np.isfinite(losses).any():
            ax.errorbar(losses, places + shift, xerr=errors, fmt="o", color="C0", markerfacecolor=fill, capsize=3,
                        label=label)  # fmt: skip
    for place, row in zip(places, rows.values(), strict=True):
        ax.text(row.nll, place - 0.22, f"{row.nll:.3f}", ha="center", va="bottom", fontsize=8)
    ax.set_yticks(places, list(rows))
    ax.set_ylim(len(rows) - 0.4, -0.7)
    ax.set_xlabel("nats per character")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize=8)
    return ax
