"""How the MLP is trained: the lecture's recipe, and one that is better in a hundredth of the steps."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import optax

from mm_jax.batches import Draw


@dataclass(frozen=True)
class Recipe:
    """All that `fit` wants to know: `fit(params, words, key, **recipe.options())`.

    `schedule(steps)` returns a function of the peak learning rate that makes the optimizer.
    """

    steps: int
    batch_size: int
    draw: Draw
    init: Literal["scaled", "lecture"]
    learning_rate: float
    schedule: Callable[[int], Callable[[Any], optax.GradientTransformation]]

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(f"steps is {self.steps} and batch_size is {self.batch_size}: give 1 or more of both")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"the learning rate is {self.learning_rate}: give a positive number")

    def but(self, **changes) -> "Recipe":
        """The recipe with other values where they are not None."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})

    def options(self) -> dict[str, Any]:
        """Keyword arguments of `mm_jax.fit` and `training.run`."""
        return {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "draw": self.draw,
            "optimizer": self.schedule(self.steps),
            "learning_rate": self.learning_rate,
        }


@functools.cache  # the same function for the same steps, or jit would compile again
def _sgd_then_a_tenth(steps: int):
    return lambda rate: optax.sgd(optax.piecewise_constant_schedule(rate, {steps // 2: 0.1}))


@functools.cache
def _adam_cosine(steps: int):
    return lambda rate: optax.adam(optax.cosine_decay_schedule(rate, steps))


# 0.1 for the first half of the steps and 0.01 for the second. Source: makemore part 2.
_LECTURE = Recipe(200_000, 32, "examples", "lecture", 0.1, _sgd_then_a_tenth)
_TUNED = Recipe(1_600, 320, "contexts", "scaled", 0.03, _adam_cosine)
RECIPES = {"lecture": _LECTURE, "tuned": _TUNED}
