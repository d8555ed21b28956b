"""Weighs a network before it is made: its numbers, and the memory that training takes."""

import functools
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from mm_jax import models
from mm_jax.models.contract import num_params
from mm_jax.training import batches
from mm_jax.training.recipes import Recipe
from mm_jax.vocab import Vocab
from mm_jax.words import WordList

LARGE = 1e9  # bytes that are worth a line
_ITEM = 4  # bytes of a float32 or an int32
_RATE = 24  # bytes that a step's learning rate takes while the schedule is made


class Size(NamedTuple):
    """The numbers of a network, and the bytes that training it takes at least."""

    numbers: int
    bytes: int


class _Parts(NamedTuple):
    """What a network consists of, counted in numbers: parameters, optimizer state, activations at one position."""

    params: int
    opt_state: int
    active: int


def of(name: str, options: Mapping[str, Any], recipe: Recipe, words: WordList) -> Size:
    """Estimates the size of a network, without making it.

    Training holds the state twice (the steps' own, and that of the last checkpoint), and the gradient, the update and
    the best parameters so far; the activations of a batch; the contexts of the list; and a rate for each step.

    Raises ValueError for sizes that no array can have.

    >>> of("mlp", {"hidden_dim": 8}, Recipe(steps=2), WordList.of(["anna", "nana"])).numbers
    305
    """
    found = _parts(name, options, recipe, words.vocab)
    spread = words.tokens / len(words.words) if recipe.draw == "words" else 1  # positions of a row
    batch = math.ceil(words.tokens if recipe.batch_size is None else recipe.batch_size * spread)
    in_memory = recipe.draw != "words" and not batches.is_long(words.split.train, words.vocab)
    contexts = words.tokens * options.get("block_size", 0) if in_memory else 0
    held = 2 * (found.params + found.opt_state) + 3 * found.params
    numbers = held + batch * (found.active + 2 * len(words.vocab)) + contexts
    return Size(found.params, _ITEM * numbers + _RATE * recipe.steps)


def _parts(name: str, options: Mapping[str, Any], recipe: Recipe, vocab: Vocab) -> _Parts:
    """Counts the parts of a network; those of a deep one follow from two with few layers, which are quickly traced."""
    count = functools.partial(_counted, name, recipe=recipe, vocab=vocab)
    layers = options.get("num_layers", 0)
    if layers < 4:
        return count(options)
    one, two = (count({**options, "num_layers": few}) for few in (1, 2))
    return _Parts(*(first + (layers - 1) * (second - first) for first, second in zip(one, two, strict=True)))


def _counted(name: str, options: Mapping[str, Any], recipe: Recipe, vocab: Vocab) -> _Parts:
    """Counts the parts of a network by tracing it."""
    init, optimizer = models.makeable()[name].init, recipe.transformation(recipe.learning_rate)
    assert init is not None  # it has a recipe of training

    def state(key: Any) -> Any:
        params = init(key, vocab, **options)
        return params, optimizer.init(params)

    try:
        params, opt_state = jax.eval_shape(state, jax.random.key(0))
    except (TypeError, OverflowError):  # of JAX, for a side beyond int32
        raise ValueError(f"{name} of these sizes has more numbers than an array holds: give smaller sizes") from None
    shapes = [leaf.shape for leaf in jax.tree.leaves(params)]
    # A matrix [a, b] gives b activations, and so does a vector [b].
    active = sum(math.prod(shape) // (shape[-2] if len(shape) > 1 else 1) for shape in shapes)
    return _Parts(num_params(params), num_params(opt_state), active)


def memory() -> int:
    """Returns the bytes of memory of the device, or those that this process may use of the machine's."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:  # of an accelerator
        return stats["bytes_limit"]
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = Path("/sys/fs/cgroup/memory.max")  # of a container
    text = group.read_text().strip() if group.is_file() else ""
    return min(found, int(text)) if text.isdecimal() else found


def short(number: float) -> str:
    """Writes a number with its first digits.

    >>> short(11_897), short(3e16), short(0.25)
    ('11,897', '3.0e+16', '0.2')
    """
    if number >= 1e9:
        return f"{number:.1e}"
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"
