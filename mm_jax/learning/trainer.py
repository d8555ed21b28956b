"""Trains one planned model on a list: keeps the best parameters on dev, and stops early."""

import logging
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from mm_jax import models
from mm_jax.learning import plans
from mm_jax.learning.plans import Plan
from mm_jax.models import ngram
from mm_jax.models.contract import Params
from mm_jax.prior import adapt, heads, interpolate, load
from mm_jax.prior.adapting import FEWEST, Interpolated
from mm_jax.streams import sizes_of
from mm_jax.symbols import CHARACTERS, WORDS
from mm_jax.training import loop
from mm_jax.words import WordList

LOG = logging.getLogger("mm_jax")
SAVE_SECONDS = 0.5  # between two checkpoints
PATIENCE = 6  # evaluations on dev without improvement before training stops
_SAYS = (
    "prior: adapted in %s steps, to the power %.2f, times the n-grams to the power %.2f; loss of words held out of "
    "train %.3f, of the n-grams alone %.3f"
)
EVALUATIONS = 20  # on dev in a run: 40 took a third of a network's time

Watch = Callable[[Iterator[loop.Progress], int], Iterator[loop.Progress]]


def unwatched(run: Iterator[loop.Progress], steps: int) -> Iterator[loop.Progress]:
    """Shows nothing."""
    return run


def made(plan: Plan, words: WordList, key: Key[Array, ""]) -> Params:
    """Makes a model whose plan has no recipe: by counting, or of the bundled prior."""
    if plan.model == plans.PAGE:
        return as_page(plan, words)
    return from_prior(plan, words, key) if plan.model == plans.PRIOR else fit_by_counting(plan, words)


def as_page(plan: Plan, words: WordList) -> Params:
    """Makes what a page makes of a list: n-grams, times the prior unless the list is too short or long for it.

    Without the prior too where the symbols are words.
    """
    train = words.split.train
    if words.vocab.units == WORDS or len(set(train)) < FEWEST or words.tokens * len(words.vocab) > heads.LARGEST:
        return ngram.fit(train, words.vocab, **plan.options)
    held = None if words.is_short else plans.dev_for_choices(words.split)
    found = heads.interpolate(load(), train, words.vocab, **plan.options, held=held)
    return _said(found)


def from_prior(plan: Plan, words: WordList, key: Key[Array, ""]) -> Params:
    """Adapts the bundled prior to a list; a short list's is multiplied with its n-grams, by cross-validation."""
    train = words.split.train
    if not words.is_short:
        return adapt(load(), train, words.vocab, key, held=plans.dev_for_choices(words.split))
    found = interpolate(load(), train, words.vocab, key, **plan.options)
    return _said(found)


def _said(found: Interpolated) -> Params:
    """Reports how n-grams and prior are multiplied; returns the product."""
    LOG.info(_SAYS, found.steps, *reversed(found.powers), found.nll, found.ngram_nll)
    return found.params


def fit_by_counting(plan: Plan, words: WordList) -> Params:
    """Makes a model by counting."""
    options = dict(plan.options)
    # The longest context is a whole word and the separator before it; a higher order counts nothing more.
    if options.get("order", 0) > (most := sizes_of(words.split.train, words.vocab.units).longest + 2):
        LOG.info("order %s is longer than any word: takes %s", f"{options['order']:,}", most)
        options["order"] = most
    if plan.model == "ngram" and words.is_long and set(options) == {"order"}:
        size = sizes_of(words.split.train, CHARACTERS).total  # a file as large as the list, about
        return ngram.fit_within(words.split.train, words.vocab, options["order"], words.split.dev, size)
    fit = models.makeable()[plan.model].fit
    assert fit is not None  # the plan has no recipe
    return fit(words.split.train, words.vocab, **options)


def train(plan: Plan, words: WordList, key: Key[Array, ""], watch: Watch) -> tuple[Params, bool]:
    """Trains by a plan, without files; returns the best parameters, and False if the user stopped it."""
    if plan.recipe is None:
        return made(plan, words, key), True
    return Trainer(plan, words, key).train(watch)


def _copy(state: loop.State) -> loop.State:
    """Copies a state, whose buffers the training loop donates."""
    return jax.tree.map(jnp.copy, state)


class Trainer:
    """Gradient training that keeps the best parameters on dev and stops early.

    A subclass that overrides `save` writes checkpoints.
    """

    def __init__(self, plan: Plan, words: WordList, key: Key[Array, ""]):
        """Makes new parameters; all random numbers of the run follow from the key."""
        assert plan.recipe is not None  # a model made by counting has none
        self.plan, self.recipe, self.words = plan, plan.recipe, words
        init_key, fit_key = jax.random.split(key)
        params = plans.initial(plan, words.vocab, init_key)
        self.state = loop.first_state(params, fit_key, self.recipe)
        self.best, self.best_dev, self.waited, self.finished = params, float("inf"), 0, False
        self.history: list[tuple[int, float, float]] = []  # step, training loss, dev nll
        self.saved = time.monotonic()

    def save(self) -> None:
        """Does nothing; a subclass writes a checkpoint."""

    def train(self, watch: Watch) -> tuple[Params, bool]:
        """Trains to the end; returns the best parameters, and False if the user stopped it.

        `watch(run, steps)` shows the run.
        """
        if self.finished:
            LOG.info("finished before, after %s steps", f"{int(self.state.step):,}")
            return self.best, True
        if int(self.state.step):
            LOG.info("resumes at step %s", f"{int(self.state.step):,}")
        params = self.run(lambda run: watch(run, self.recipe.steps))
        if self.waited:
            best = self.history[-1 - self.waited][0] if self.waited < len(self.history) else 0
            LOG.info("keeps step %s, the best on dev (%.4f)", f"{best:,}", self.best_dev)
        return params, self.finished

    def run(self, watch: Callable[[Iterator[loop.Progress]], Iterator[loop.Progress]]) -> Params:
        """Trains to the end, shown by `watch`, and returns the best parameters."""
        run = loop.run(
            _copy(self.state),  # the loop donates its buffers, and `save` needs the state
            self.words.split.train,
            self.recipe,
            dev=plans.dev_for_stopping(*self.words) or None,
            interval=max(1, min(1000, self.recipe.steps // EVALUATIONS)),
        )
        for progress in watch(run):
            if not progress.loss.size:  # before the first step: initial parameters are kept if no step improves on them
                if progress.dev is not None and not self.history:
                    self.best_dev = progress.dev
                continue
            self._take(progress)
            if self.finished:
                break
        self.finished = self.finished or int(self.state.step) >= self.recipe.steps
        self.save()
        if self.words.split.dev and self.waited >= len(self.history) > 0 and self.history[-1][1] > self.best_dev:
            raise ValueError(
                f"the loss rose from {self.best_dev:.4g} before the first step to {self.history[-1][1]:.4g}, with "
                f"learning rate {self.recipe.learning_rate:g}: try --lr {(self.recipe.learning_rate or 0) / 10:.2g}"
            )
        return self.best

    def _take(self, progress: loop.Progress) -> None:
        """Records a chunk of steps; raises ValueError for a loss that is not finite."""
        step = int(progress.state.step)
        bad = np.flatnonzero(~np.isfinite(progress.loss))
        if bad.size:
            at = step - len(progress.loss) + int(bad[0])
            self.save()
            raise ValueError(
                f"the loss is {progress.loss[bad[0]]} at step {at} with learning rate {self.recipe.learning_rate:g}: "
                f"try --lr {(self.recipe.learning_rate or 0) / 10:.2g}"
            )
        self.state = _copy(progress.state)
        dev = float("nan") if progress.dev is None else progress.dev
        self.history.append((step, float(progress.loss.mean()), dev))
        if progress.dev is None or progress.dev < self.best_dev:
            self.best, self.best_dev, self.waited = self.state.params, dev, 0
        else:
            self.waited += 1
        self.finished = step >= self.recipe.steps or self.waited >= PATIENCE
        if time.monotonic() > self.saved + SAVE_SECONDS:
            self.save()
            self.saved = time.monotonic()
