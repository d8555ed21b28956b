"""The health of training: how gradients are distributed, and how far one step moves each weight matrix."""

from typing import NamedTuple

import jax
import numpy as np

from mm_jax.models.contract import Params
from mm_jax.plotting.axes import Axes

_BINS = 40  # of a distribution of gradients
_TARGET = -3.0  # log10 of update to data that the lecture calls about right


class Reading(NamedTuple):
    """What the instruments say of one weight matrix: deviations are those of a sample (n - 1), as in torch."""

    name: str  # path in the pytree, such as blocks.0.Wqkv
    shape: tuple[int, ...]
    mean: float  # of the gradient
    std: float  # of the gradient
    gradient_to_data: float  # std of the gradient / std of the weights
    update_to_data: float  # log10 of rate * std of the gradient / std of the weights


def instruments(params: Params, gradients: Params, rate: float) -> list[Reading]:
    """Computes the lecture's statistics of every weight matrix: the arrays of two axes or more, in the pytree's order.

    Args:
      params: a model, or any pytree of arrays.
      gradients: the same pytree of the same shapes. For another optimizer than SGD: its updates, with a rate of 1.
      rate: the learning rate, above 0.

    Ratios are nan where the gradient is 0 and the weights are all equal, inf or -inf where one of them is so.

    Raises ValueError for gradients of another structure or other shapes, or a rate that is not above 0.

    Source: makemore part 3.

    >>> W = np.array([[1.0, -1.0]])
    >>> [round(each.update_to_data, 3) for each in instruments({"W": W}, {"W": 0.01 * W}, 0.1)]
    [-3.0]
    """
    return [_reading(name, data, gradient, rate) for name, data, gradient in _matrices(params, gradients, rate)]


def health(params: Params, gradients: Params, rate: float, axes: Axes) -> Axes:
    """Draws two instruments of every weight matrix of a model, into two Axes.

    The left one shows how log10 |gradient| is distributed, one line a matrix: lines that lie apart say that the layers
    learn at different speeds. The right one shows log10 of update to data beside the lecture's line at -3: above it a
    matrix changes fast, below it slowly. Gradients that are exactly 0 have no logarithm; their share stands with the
    name.

    Args:
      params: a model of any kind, or any pytree of arrays; arrays of fewer than two axes are left out.
      gradients: the same pytree of the same shapes. For another optimizer than SGD: its updates, with a rate of 1.
      rate: the learning rate, above 0.
      axes: [2], the Axes to draw into.

    Raises ValueError for gradients of another structure or other shapes, or a rate that is not above 0.

    Source: makemore part 3.
    """
    left, right = axes
    matrices = _matrices(params, gradients, rate)
    sizes = [np.log10(np.abs(gradient[gradient != 0])) for _, _, gradient in matrices]
    drawn = np.concatenate([*sizes, [0.0]]) if not any(map(len, sizes)) else np.concatenate(sizes)
    edges = np.linspace(np.floor(np.quantile(drawn, 0.001)), np.ceil(drawn.max()), _BINS + 1)
    for number, ((name, data, gradient), size) in enumerate(zip(matrices, sizes, strict=True)):
        share = np.histogram(size, edges)[0] / gradient.size
        zero = "" if len(size) == gradient.size else f", {1 - len(size) / gradient.size:.0%} are 0"
        style = "-" if number < 10 else "--"  # the colours come round again
        left.plot((edges[:-1] + edges[1:]) / 2, share, style, color=f"C{number % 10}", label=f"{name}{zero}")
        reading = _reading(name, data, gradient, rate)
        if np.isfinite(reading.update_to_data):
            right.plot([reading.update_to_data], [number], "o" if number < 10 else "D", color=f"C{number % 10}")
    left.set_xlabel("log10 |gradient|")
    left.set_ylabel("share of the matrix")
    if len(matrices) <= 10:  # more would cover the picture: colours and marks are those of the right one
        left.legend(fontsize=7)
    right.axvline(_TARGET, color="black", linewidth=1)
    labels = [f"{name} {' x '.join(map(str, data.shape))}" for name, data, _ in matrices]
    right.set_yticks(range(len(matrices)), labels, fontsize=8)
    right.set_ylim(len(matrices) - 0.5, -0.5)  # the first layer on top
    right.set_xlabel("log10 (update / weights), standard deviations")
    right.grid(alpha=0.3)
    return axes


def _matrices(params: Params, gradients: Params, rate: float) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Returns (name, weights, gradient) of the arrays [..., rows, columns]; ValueError as `instruments` says."""
    if not rate > 0:
        raise ValueError(f"rate is {rate}: give the learning rate, a number above 0")
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    others, other = jax.tree.flatten(gradients)
    if structure != other or any(np.shape(a) != np.shape(b) for (_, a), b in zip(leaves, others, strict=True)):
        raise ValueError("gradients do not fit params: give what jax.grad returned for these params")
    return [
        (jax.tree_util.keystr(path, simple=True, separator="."), np.asarray(data), np.asarray(gradient))
        for (path, data), gradient in zip(leaves, others, strict=True)
        if np.ndim(data) >= 2
    ]


def _reading(name: str, data: np.ndarray, gradient: np.ndarray, rate: float) -> Reading:
    """Returns the reading of one matrix [..., rows, columns]."""
    std = float(gradient.std(ddof=1, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.float64(std) / data.std(ddof=1, dtype=np.float64)
        update = np.log10(rate * ratio)
    return Reading(name, data.shape, float(gradient.mean()), std, float(ratio), float(update))
