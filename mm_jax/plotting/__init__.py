"""Pictures. Every function draws into a matplotlib Axes and returns it; the caller imports matplotlib.

figure, ax = matplotlib.pyplot.subplots()
mm_jax.plotting.embedding(params, ax)

tables.py: tables of pairs, one-hot rows, a matrix product. curves.py: losses and functions. letters.py: the embedding.
words.py: words and their scores. ladder.py: models side by side. health.py: gradients and updates of any model.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from mm_jax.models.contract import model_of
from mm_jax.plotting.axes import Axes as Axes
from mm_jax.plotting.curves import curves as curves
from mm_jax.plotting.curves import function as function
from mm_jax.plotting.curves import losses as losses
from mm_jax.plotting.curves import range_test as range_test
from mm_jax.plotting.health import Reading as Reading
from mm_jax.plotting.health import health as health
from mm_jax.plotting.health import instruments as instruments
from mm_jax.plotting.ladder import ladder as ladder
from mm_jax.plotting.letters import embedding as embedding
from mm_jax.plotting.tables import count_table as count_table
from mm_jax.plotting.tables import heat_map as heat_map
from mm_jax.plotting.tables import matrix_product as matrix_product
from mm_jax.plotting.tables import one_hot as one_hot
from mm_jax.plotting.tables import table as table
from mm_jax.plotting.tables import weight_table as weight_table
from mm_jax.plotting.words import attention as attention
from mm_jax.plotting.words import heat as heat
from mm_jax.plotting.words import word as word


def pictures_of(params: Any, history: Sequence[tuple[int, float, float]]) -> dict[str, Callable[[Axes], Axes]]:
    """Returns the pictures of a model and its history, by name: functions of an Axes.

    They are the `pictures` of the model's record: names of functions of this package, or functions of (params, ax).
    """
    pictures: dict[str, Callable[[Axes], Axes]] = {}
    for picture in model_of(params).pictures:
        draw = globals()[picture] if isinstance(picture, str) else picture
        pictures[draw.__name__] = functools.partial(draw, params)
    if history:
        dev = [(step, nll) for step, _, nll in history if math.isfinite(nll)]
        pictures["losses"] = lambda ax: curves([row[:2] for row in history], ax, dev=dev)
    return pictures
