"""Finds a learning rate: by the lecture's range test, or by one short run for each of several rates."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from mm_jax.checks import number, random_key, whole_number
from mm_jax.models.contract import Params, model_of
from mm_jax.training import loop, population
from mm_jax.training.recipes import Recipe


class RangeTest(NamedTuple):
    """Rising learning rates, the loss at each, and a suggested rate with the reason for it.

    `losses` is float32, shaped like `rates`.

    >>> tried = RangeTest(np.array([0.1, 1.0]), np.array([2.5, 9.0]), 0.05, "half of 0.1")
    >>> tried.suggestion
    0.05
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float
    reason: str


def lr_range_test(
    params: Params,
    words: Sequence[str],
    key: Key[Array, ""],
    *,
    low: float = 1e-3,
    high: float = 1.0,
    steps: int = 1000,
    **options: Any,
) -> RangeTest:
    """Makes one run whose learning rate rises exponentially from `low` to `high`, one step a rate; one compiled call.

    Args:
      params: the start; not changed.
      words: the training list.
      key: a random key, for the minibatches.
      low: the rate of the first step.
      high: the rate of the last.
      steps: how many rates.
      options: the others of `mm_jax.Recipe`: batch_size, draw, and as optimizer a function of the learning rate.

    Returns:
      A RangeTest: rates and minibatch losses float32 [steps]. The suggestion is half the rate at which the smoothed
      loss is lowest: at that rate itself one bad minibatch can make training diverge.

    Raises ValueError for rates that are not 0 < low < high, for fewer than 10 steps (in `try_rates` 2), and as `fit`
    does.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> params = bigram.init(jax.random.key(0), Vocab(".ab"))
    >>> tried = lr_range_test(params, ["ab", "b"], jax.random.key(1), low=0.1, high=100.0, steps=50)
    >>> tried.losses.shape, bool(0.05 <= tried.suggestion <= 50)
    ((50,), True)

    Source: makemore part 2; Smith (2017), Cyclical learning rates.
    """
    _check_range(low, high, 10, steps=steps)

    def rising(t: np.ndarray) -> np.ndarray:
        return np.geomspace(low / high, 1.0, len(t))

    recipe = Recipe(steps=steps, learning_rate=high, decay=rising, **options)
    _, history = loop.fit(params, words, key, recipe)
    return _suggest(np.geomspace(low, high, steps), history.loss, smooth=max(1, steps // 20))


def try_rates(
    params: Params,
    words: Sequence[str],
    key: Key[Array, ""],
    *,
    low: float = 1e-3,
    high: float = 1.0,
    num_rates: int = 16,
    steps: int = 100,
    **options: Any,
) -> RangeTest:
    """Trains once at each of `num_rates` rates, from the same start and on the same minibatches, as one population.

    In a range test the loss at a rate depends on all rates before it; here it does not. Arguments and errors are those
    of `lr_range_test`, and:

    Args:
      num_rates: how many rates, geometrically spaced.
      steps: how many steps each.

    Returns:
      A RangeTest: rates and losses float32 [num_rates], each loss the mean over the last tenth of the steps.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> params = bigram.init(jax.random.key(0), Vocab(".ab"))
    >>> try_rates(params, ["ab", "b"], jax.random.key(1), low=0.1, high=10.0, num_rates=3, steps=20).rates.tolist()
    [0.10000000149011612, 1.0, 10.0]
    """
    _check_range(low, high, 2, num_rates=num_rates, steps=steps)
    random_key("key", key)
    model_of(params)
    rates = np.geomspace(low, high, num_rates)
    starts, keys = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (num_rates, *leaf.shape)), (params, key))
    _, losses = population.fit_population(starts, words, keys, steps=steps, learning_rate=rates.tolist(), **options)
    return _suggest(rates, losses[:, -max(1, steps // 10) :].mean(1), smooth=1)


def _check_range(low: float, high: float, least: int, **counts: int) -> None:
    """Raises ValueError unless 0 < low < high, and each of the counts is `least` or more."""
    if not 0 < number("low", low, "a positive number") < number("high", high, "a positive number") < math.inf:
        raise ValueError(f"expected 0 < low < high, got {low=}, {high=}")
    for name, count in counts.items():
        whole_number(name, count, least)


def _suggest(rates: np.ndarray, losses: np.ndarray, smooth: int) -> RangeTest:
    """Suggests half the rate at which the loss [rates], averaged over 2 * smooth + 1 neighbours, is lowest."""
    finite = np.where(np.isfinite(losses), losses, np.inf)
    padded = np.pad(finite, smooth, mode="edge")
    average = np.lib.stride_tricks.sliding_window_view(padded, 2 * smooth + 1).mean(1) if smooth > 1 else finite
    lowest = int(np.argmin(average))
    suggestion = float(rates[lowest] / 2)
    reason = f"half of {rates[lowest]:.3g}, where the loss is lowest ({average[lowest]:.3f})"
    if lowest == len(rates) - 1:
        reason += "; it still falls at the highest rate tried, so try higher ones"
    return RangeTest(rates.astype(np.float32), losses, suggestion, reason)
