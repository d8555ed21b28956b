"""Types and helpers of all pictures."""

from typing import Any

import jax
import numpy as np

Axes = Any  # matplotlib.axes.Axes, without importing matplotlib
Numbers = np.ndarray | jax.Array


def separate_thousands(axis: Any) -> None:
    """Formats the ticks of an axis as 200,000 instead of 200000."""
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == round(value) else f"{value:g}")
