"""Curves: losses by step, losses by learning rate, and the functions of one number that the lectures show."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mm_jax.plotting.axes import Axes, Numbers, separate_thousands
from mm_jax.training.rates import RangeTest

_LEVELS = (1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100)  # ticks of a logarithmic axis of losses


def losses(
    loss: Numbers,
    ax: Axes,
    *,
    dev: Sequence[tuple[int, float]] = (),
    smooth: int | None = None,
    lines: Mapping[str, float] | None = None,
) -> Axes:
    """Draws the training loss, averaged over `smooth` steps (by default a hundredth of all), and (step, dev nll) pairs.

    `lines` are horizontal lines by name, such as the loss of another model.
    """
    loss = np.asarray(loss)
    smooth = smooth or max(1, len(loss) // 100)
    rows = loss[: len(loss) // smooth * smooth].reshape(-1, smooth).mean(1)
    middles = (np.arange(len(rows)) + 0.5) * smooth if smooth > 1 else np.arange(len(rows))
    label = f"training, mean of {smooth:,} steps" if smooth > 1 else "training"
    pairs = list(zip(middles.tolist(), rows.tolist(), strict=True))
    return curves(pairs, ax, dev=dev, label=label, lines=lines)


def curves(
    loss: Sequence[tuple[float, float]],
    ax: Axes,
    *,
    dev: Sequence[tuple[int, float]] = (),
    label: str = "training",
    lines: Mapping[str, float] | None = None,
) -> Axes:
    """Draws (step, training loss) and (step, dev nll) pairs; `lines` are horizontal lines by name."""
    ax.plot(*zip(*loss, strict=True), label=label)
    if dev:
        ax.plot(*zip(*dev, strict=True), "o-", markersize=3, label="dev")
    for number, (name, level) in enumerate((lines or {}).items()):
        ax.axhline(level, color=f"C{number + 2}", linestyle="--", linewidth=1, label=f"{name}: {level:.4f}")
    ax.set_xlabel("step")
    ax.set_ylabel("nats per character")
    separate_thousands(ax.xaxis)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def range_test(
    result: RangeTest, ax: Axes, *, smooth: int | None = None, shade: tuple[float, float] | None = None
) -> Axes:
    """Draws the loss against the learning rate: single steps faint, a running mean over `smooth` rates, the suggestion.

    `smooth` is a fiftieth of the rates if None. `shade` marks a range of rates, such as the lecture's 0.1 to 0.2. Both
    axes are logarithmic, so that the picture shows both the valley and the diverging losses.
    """
    smooth = smooth or max(1, len(result.rates) // 50)
    ax.plot(result.rates, result.losses, linewidth=0.6, alpha=0.4, label="one step each")
    if smooth > 1:
        window = np.ones(smooth) / smooth
        middle = slice((smooth - 1) // 2, (smooth - 1) // 2 + len(result.rates) - smooth + 1)
        mean = np.convolve(result.losses, window, mode="valid")
        ax.plot(result.rates[middle], mean, color="C0", linewidth=2, label=f"mean of {smooth} neighbours")
    if shade:
        ax.axvspan(*shade, color="tab:green", alpha=0.15, label=f"{shade[0]:g} to {shade[1]:g}")
    ax.axvline(result.suggestion, color="tab:orange", label=f"suggestion {result.suggestion:.3g}: {result.reason}")
    ax.set_xscale("log")
    ax.set_yscale("log")
    finite = result.losses[np.isfinite(result.losses)]
    low, high = float(finite.min()), float(finite.max())
    ax.set_ylim(low / 1.05, high * 1.05)
    levels = [level for level in _LEVELS if low <= level <= high]
    ax.set_yticks(levels, [f"{level:g}" for level in levels])
    ax.minorticks_off()
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss, nats per character")
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left", fontsize=8)  # below the curve, which comes from the upper left
    return ax


def function(
    f: Callable[[np.ndarray], np.ndarray],
    low: float,
    high: float,
    ax: Axes,
    *,
    name: str,
    marks: Sequence[float] = (),
) -> Axes:
    """Draws a function of one number from `low` to `high`, and writes its values at `marks`.

    The values stand to the upper left of their marks, where an increasing curve leaves room.

    Args:
      f: takes and returns an array [points].
      low: left end of the curve.
      high: right end.
      ax: the Axes to draw into.
      name: the title, such as "log(p)".
      marks: numbers to mark on the curve.
    """
    x = np.linspace(low, high, 500)
    ax.plot(x, f(x))
    for mark in marks:
        value = float(f(np.array([mark]))[0])
        ax.plot([mark], [value], "o", color="tab:orange", markersize=5)
        ax.annotate(f"{value:.2f}", (mark, value), xytext=(-4, 3), textcoords="offset points", ha="right", fontsize=8)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set_title(name, fontsize=11)
    ax.margins(x=0.12, y=0.1)
    ax.grid(alpha=0.3)
    return ax
