"""Estimates the CPU seconds of a plan before it runs, from sizes alone: the same estimate on every machine.

    seconds = compiling and the list + nanoseconds * (numbers of the model) * (positions of training + those of dev / 3)

The nanoseconds are those of two cores of a server of 2023; a model with much work beside its products, such as
attention, declares more of them in its record. Programs that are not in the cache yet take some seconds to compile.
"""

import math
from dataclasses import replace

import jax

from mm_jax import models
from mm_jax.learning import plans, trainer
from mm_jax.learning.plans import Plan
from mm_jax.models.contract import num_params
from mm_jax.prior import adapting
from mm_jax.streams import sizes_of
from mm_jax.training import batches, stream_batches
from mm_jax.vocab import Vocab
from mm_jax.words import WordList

SECONDS = {"quick": 5.0, "normal": 40.0, "best": 900.0}  # CPU seconds that an effort promises
_LONG, _MORE = 8_000_000, 6.0  # characters of a list that gets more seconds, and how many times more at most
_COMPILING = 2.0  # seconds of a network, from the cache; a counted model compiles nothing until it is used
_FEWEST = 100  # steps
_COUNTING, _PACKING, _READING = 1.5e-6, 2.5e-6, 2e-8  # seconds for each character of the list
_OUTPUTS = 1.5e-4  # the same, of the prior's output layer


def promised(effort: str, words: WordList) -> float:
    """Returns the CPU seconds that an effort promises: in proportion to a list of over 8,000,000 characters.

    Six times as many at most; the counting of a list that lies in a file comes on top.
    """
    found = SECONDS[effort] * min(max(1.0, words.tokens / _LONG), _MORE)
    return found + _COUNTING * words.tokens if words.is_long else found


def seconds(plan: Plan, words: WordList) -> float:
    """Estimates the CPU seconds of a plan."""
    if plan.model == plans.PRIOR:
        folded = words.is_short
        numbers = size(Plan("gru"), words.vocab)  # of the same width
        position = 1e-9 * models.makeable()["gru"].nanoseconds * numbers
        return _COMPILING + position * adapting.positions(words.split.train, folded, words.vocab.units)
    if plan.model == plans.PAGE:
        return _COMPILING + _OUTPUTS * words.tokens
    if plan.recipe is None:
        return _COUNTING * words.tokens
    return start_seconds(plan, words) + plan.recipe.steps * step_seconds(plan, words)


def start_seconds(plan: Plan, words: WordList) -> float:
    """Estimates the CPU seconds beside a network's steps: it is compiled, the list is packed, dev is evaluated."""
    dev, packing = plans.dev_for_stopping(*words), _READING if _is_streamed(plan, words) else _PACKING
    evaluated = trainer.EVALUATIONS * sizes_of(dev, words.vocab.units).total
    return _COMPILING + packing * words.tokens + evaluated / 3 * _position_seconds(plan, words.vocab)


def step_seconds(plan: Plan, words: WordList) -> float:
    """Estimates the CPU seconds of one step of a network."""
    assert plan.recipe is not None  # a model made by counting has no steps
    return positions(plan, words) * _position_seconds(plan, words.vocab)


def _position_seconds(plan: Plan, vocab: Vocab) -> float:
    """Estimates the CPU seconds of one prediction in a training step."""
    return 1e-9 * models.makeable()[plan.model].nanoseconds * size(plan, vocab)


def positions(plan: Plan, words: WordList) -> int:
    """Counts the predictions of a step: those of a batch of contexts, or of rows of words with their padding."""
    recipe, train = plan.recipe, words.split.train
    assert recipe is not None  # a model made by counting has no steps
    rows = len(train) if recipe.batch_size is None else recipe.batch_size
    if recipe.draw != "words":
        return rows
    if _is_streamed(plan, words):
        return math.prod(stream_batches.shape(train, rows, words.vocab.units))
    return rows * (1 + sizes_of(train, words.vocab.units).longest)


def _is_streamed(plan: Plan, words: WordList) -> bool:
    """Returns whether the rows of a network of whole words are read from the token stream."""
    assert plan.recipe is not None  # a model made by counting has no steps
    return plan.recipe.draw == "words" and batches.is_long(words.split.train, words.vocab)


def size(plan: Plan, vocab: Vocab) -> int:
    """Counts the numbers of a network, without making it."""
    return num_params(jax.eval_shape(lambda key: plans.initial(plan, vocab, key), jax.random.key(0)))


def fitted(plan: Plan, words: WordList, budget: float) -> Plan | None:
    """Returns a network's plan with the steps that a budget of seconds allows; None if it allows too few of them.

    A hundred steps are the least: with fewer, a network is worse than counting.
    """
    assert plan.recipe is not None  # a model made by counting has no steps
    allowed = int((budget - start_seconds(plan, words)) / step_seconds(plan, words))
    if allowed >= plan.recipe.steps:
        return plan
    if allowed < _FEWEST:
        return None
    return replace(plan, recipe=plan.recipe.but(steps=allowed))
