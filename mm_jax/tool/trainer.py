"""Training into a run folder: what is chosen for a list, what is saved on the way, when it stops, how it goes on."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mm_jax import checkpoint, models, words
from mm_jax.evaluation import evaluate
from mm_jax.files import write_whole
from mm_jax.models import catalogue
from mm_jax.models.contract import Params
from mm_jax.tool import runs
from mm_jax.tool.output import say
from mm_jax.tool.runs import Plan, split_for
from mm_jax.training import batches, loop, rates
from mm_jax.training.recipes import Recipe, recipe_options, recipes_of
from mm_jax.vocab import Vocab

SAVE_SECONDS = 0.5  # between two states on disk
PATIENCE = 12  # evaluations on dev without a better one, then training stops
EVALUATIONS = 40  # of dev in a run
_RECIPES_FOR = 228_145  # characters of names.txt, ends included: the list that the recipes were made for


def plan_for(
    listed: Sequence[str], vocab: Vocab, model: str, recipe: str | None, given: dict[str, Any], **settings: Any
) -> Plan:
    """Fills in what was not given, by the size of the list; a `learning_rate` of "auto" takes a range test.

    Args:
      listed: the words.
      vocab: their characters.
      model: the name of its file.
      recipe: the name of one of the model's recipes; None is its first, fitted to the size of the list.
      given: options of the model and of the recipe.
      settings: seed and dedup.
    """
    module: ModuleType = getattr(models, model)
    own = {name: value for name, value in given.items() if name in catalogue.kinds()[model].options}
    changes = {name: value for name, value in given.items() if name not in own}
    if catalogue.kinds()[model].made_by == "fit":
        return Plan(model, options={**_on_dev(module, listed, vocab, own), **own}, **settings)
    name = recipe or next(iter(recipes_of(module)))
    plan = Plan(model, options={**recipe_options(module, name), **own}, **settings)
    chosen = recipes_of(module)[name]
    if recipe is None:
        chosen = _for_size(chosen, sum(map(len, listed)) + len(listed), vocab)
    auto = changes.get("learning_rate") == "auto"
    chosen = chosen.but(**Recipe.named({**changes, "learning_rate": None if auto else changes.get("learning_rate")}))
    if auto:
        chosen = chosen.but(learning_rate=_found_rate(plan, split_for(listed).train, vocab, chosen))
    return Plan(model, options=plan.options, recipe=chosen, **settings)


def _for_size(recipe: Recipe, characters: int, vocab: Vocab) -> Recipe:
    """A recipe for names.txt, for a list of another size: steps in proportion, and small steps for a short list."""
    share = characters / _RECIPES_FOR
    # A short list is learned by heart before a large step is taken.
    rate = (recipe.learning_rate or 0.0) * float(np.clip(np.sqrt(characters / 50_000), 0.05, 1.0))
    recipe = recipe.but(steps=int(np.clip(recipe.steps * share, 300, 6000)), learning_rate=float(f"{rate:.2g}"))
    if recipe.draw == "contexts" and characters * len(vocab) > 3 * batches.MAX_CELLS:
        return recipe.but(draw="examples")  # a row of counts for each context would not fit
    return recipe


def _on_dev(module: ModuleType, listed: Sequence[str], vocab: Vocab, given: dict[str, Any]) -> dict[str, Any]:
    """What the model's file leaves to be chosen: by the loss on dev, or a default where there is no dev."""
    chosen = dict(getattr(module, "DEFAULTS", {}))
    split = split_for(listed)
    for name, candidates in getattr(module, "ON_DEV", {}).items():
        if name not in given and split.dev:
            options = {**chosen, **given}
            fits = {each: module.fit(split.train, vocab, **{**options, name: each}) for each in candidates}
            chosen[name] = min(fits, key=lambda each: evaluate(fits[each], split.dev).nll)
    return chosen


def _found_rate(plan: Plan, train: list[str], vocab: Vocab, recipe: Recipe) -> float:
    key = jax.random.key(plan.seed)
    options = {"batch_size": recipe.batch_size, "draw": recipe.draw, "optimizer": optax.adam}
    test = rates.lr_range_test(_init(plan, vocab, key), train, key, **options)
    return float(f"{test.suggestion:.3g}")


def _init(plan: Plan, vocab: Vocab, key: Any) -> Params:
    return getattr(models, plan.model).init(key, vocab, **plan.options)


def fit_by_counting(plan: Plan, split: words.Split, vocab: Vocab) -> Params:
    """The models that need no steps."""
    options = dict(plan.options)
    # The longest context there is: a whole word and the separator before it. A higher order holds nothing more.
    if options.get("order", 0) > (most := max(map(len, split.train)) + 2):
        say(f"order {options['order']:,} is more than the longest word takes: {most} is taken")
        options["order"] = most
    return getattr(models, plan.model).fit(split.train, vocab, **options)


def _copy(state: loop.State) -> loop.State:
    return jax.tree.map(jnp.copy, state)


class Trainer:
    """A run by gradient steps that saves as it goes, keeps what was best on dev, and stops when dev gets no better."""

    def __init__(self, folder: Path, plan: Plan, split: words.Split, vocab: Vocab, resume: bool):
        """Starts anew, or from `state.safetensors`; ValueError where that does not fit or cannot be read."""
        assert plan.recipe is not None  # or there are no steps to take
        self.folder, self.plan, self.recipe, self.split = folder, plan, plan.recipe, split
        self.fingerprint = runs.fingerprint(split)
        init_key, fit_key = jax.random.split(jax.random.key(plan.seed))
        params = _init(plan, vocab, init_key)
        self.state = loop.first_state(params, fit_key, self.recipe)
        self.best, self.best_dev, self.waited, self.finished = params, float("inf"), 0, False
        self.history: list[tuple[int, float, float]] = []
        self.saved = time.monotonic()
        if resume and (folder / "state.safetensors").exists():
            self._restore()

    def run(self, watch: Callable[[Iterator[loop.Progress]], Iterator[loop.Progress]]) -> Params:
        """Trains to the end, shown by `watch`; returns the best parameters."""
        run = loop.run(
            _copy(self.state),  # it reuses the buffers, and the state must be there to be saved
            self.split.train,
            self.recipe,
            dev=self.split.dev or None,
            interval=max(1, min(1000, self.recipe.steps // EVALUATIONS)),
        )
        for progress in watch(run):
            if not progress.loss.size:  # nothing was done yet; where all becomes worse, the start is what is kept
                if progress.dev is not None and not self.history:
                    self.best_dev = progress.dev
                continue
            self._take(progress)
            if self.finished:
                break
        self.finished = self.finished or int(self.state.step) >= self.recipe.steps
        self.save()
        if self.split.dev and self.waited >= len(self.history) > 0 and self.history[-1][1] > self.best_dev:
            raise ValueError(
                f"the loss rose from {self.best_dev:.4g} before the first step to {self.history[-1][1]:.4g}, with "
                f"learning rate {self.recipe.learning_rate:g}: try --lr {(self.recipe.learning_rate or 0) / 10:.2g}"
            )
        return self.best

    def _take(self, progress: loop.Progress) -> None:
        step = int(progress.state.step)
        bad = np.flatnonzero(~np.isfinite(progress.loss))
        if bad.size:
            at = step - len(progress.loss) + int(bad[0])
            self.save()
            raise ValueError(
                f"the loss is {progress.loss[bad[0]]} at step {at} with learning rate {self.recipe.learning_rate:g}: "
                f"try --lr {(self.recipe.learning_rate or 0) / 10:.2g}; {self.folder} holds the last good state"
            )
        self.state = _copy(progress.state)
        dev = float("nan") if progress.dev is None else progress.dev
        self.history.append((step, float(progress.loss.mean()), dev))
        if progress.dev is None or progress.dev < self.best_dev:
            self.best, self.best_dev, self.waited = jax.device_get(progress.state.params), dev, 0
        else:
            self.waited += 1
        self.finished = step >= self.recipe.steps or self.waited >= PATIENCE
        if time.monotonic() > self.saved + SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Writes the history, the best model and the state, each whole; the state last: it says that all is there."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["step", "loss", "dev"])
        rows.writerows(self.history)
        write_whole(self.folder / "history.csv", text.getvalue().encode())
        runs.save_model(self.folder, self.best)
        arrays = checkpoint.tree_to_arrays({"state": self.state, "best": self.best})
        about = {"plan": json.dumps(self.plan.as_json()), "words": self.fingerprint}
        about |= {"best_dev": repr(self.best_dev), "waited": str(self.waited), "finished": str(self.finished)}
        checkpoint.write_arrays(self.folder / "state.safetensors", arrays, {"kind": "state", **about})
        self.saved = time.monotonic()

    def _restore(self) -> None:
        path = self.folder / "state.safetensors"
        arrays, about = checkpoint.read_arrays(path, "state")
        try:
            fingerprint, before, finished = about["words"], json.loads(about["plan"]), about["finished"] == "True"
            best_dev, waited = float(about["best_dev"]), int(about["waited"])
            if not isinstance(before, dict):
                raise TypeError("its plan is no object")
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path} was altered ({type(error).__name__}: {error}): train anew") from None
        if fingerprint != self.fingerprint:
            raise ValueError(f"{self.folder} was trained on another list: resume with that one, or name another folder")
        if changes := runs.differences(before, self.plan.as_json()):
            raise ValueError(f"{self.folder} was trained with other options: {changes}")
        try:
            read = checkpoint.tree_from_arrays({"state": self.state, "best": self.best}, arrays)
        except ValueError as error:
            raise ValueError(f"{path} does not fit: {error}") from None
        for leaf in jax.tree.leaves((read["state"].params, read["state"].opt_state)):
            if not np.isfinite(np.asarray(leaf)).all():
                raise ValueError(f"{path} holds numbers that are not finite: train anew with a lower --lr")
        self.state, self.best = read["state"], read["best"]
        self.best_dev, self.waited, self.finished = best_dev, waited, finished
        rows = runs.read_history(self.folder)
        self.history = [row for row in rows if row[0] <= int(self.state.step)]
