"""What the pictures share: the types of an Axes and of what is drawn, and thousands separated on an axis."""

from typing import Any

import jax
import numpy as np

Axes = Any  # matplotlib.axes.Axes, which is not imported before something is drawn
Numbers = np.ndarray | jax.Array


def separate_thousands(axis: Any) -> None:
    """Writes the numbers of an axis as 200,000 instead of 200000."""
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == round(value) else f"{value:g}")
