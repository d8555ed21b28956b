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
JUDGED = 4000  # words of dev that choices are made on
LEARNED = 200_000  # words of train that options are chosen by: more would change none, and take minutes
SHORT = 500  # words: of a shorter list dev is too small to choose on
FOLDS = 10  # of a cross-validation
FEWEST, MOST = "from_words", "to_words"  # in a model's EFFORTS: the sizes of the lists that it is tried on
_RECIPES_FOR = 228_145  # characters of names.txt, ends included: the list that the recipes were made for


def plan_for(
    listed: Sequence[str],
    vocab: Vocab,
    model: str,
    recipe: str | None,
    given: dict[str, Any],
    effort: str | None = None,
    **settings: Any,
) -> Plan:
    """Fills in what was not given, by the size of the list; a `learning_rate` of "auto" takes a range test.

    Args:
      listed: the words.
      vocab: their characters.
      model: the name of its file.
      recipe: the name of one of the model's recipes; None is its first, fitted to the size of the list.
      given: options of the model and of the recipe.
      effort: that of the model's efforts to take, which says how long it is trained; None is its recipe alone.
      settings: seed and dedup.
    """
    module: ModuleType = getattr(models, model)
    kind = catalogue.kinds()[model]
    tried = {name: value for name, value in kind.efforts.get(effort or "", {}).items() if name not in (FEWEST, MOST)}
    own = {name: value for name, value in {**tried, **given}.items() if name in kind.options}
    changes = {name: value for name, value in given.items() if name not in own}
    if kind.made_by == "fit":
        return Plan(model, options=_chosen(module, listed, vocab, own), **settings)
    name = recipe or next(iter(recipes_of(module)))
    if "max_length" in kind.options:  # a model that reads words up to a length can read this list's
        own.setdefault("max_length", max(kind.options["max_length"].default, *map(len, listed)))
    plan = Plan(model, options={**recipe_options(module, name), **own}, **settings)
    chosen = recipes_of(module)[name]
    if recipe is None:
        ahead = Recipe.named({name: value for name, value in tried.items() if name not in own})
        chosen = for_size(chosen.but(**ahead), sum(map(len, listed)) + len(listed), vocab, longer=effort is None)
    auto = changes.get("learning_rate") == "auto"
    chosen = chosen.but(**Recipe.named({**changes, "learning_rate": None if auto else changes.get("learning_rate")}))
    if auto:
        chosen = chosen.but(learning_rate=_found_rate(plan, split_for(listed).train, vocab, chosen))
    return Plan(model, options=plan.options, recipe=chosen, **settings)


def for_size(recipe: Recipe, characters: int, vocab: Vocab, longer: bool = True) -> Recipe:
    """A recipe for names.txt, for a list of another size: steps in proportion, and small steps for a short list.

    `longer`: whether a longer list takes more steps.
    """
    share = characters / _RECIPES_FOR
    # A short list is learned by heart before a large step is taken.
    rate = (recipe.learning_rate or 0.0) * float(np.clip(np.sqrt(characters / 50_000), 0.05, 1.0))
    most = 6000 if longer else recipe.steps
    recipe = recipe.but(steps=int(np.clip(recipe.steps * share, 300, most)), learning_rate=float(f"{rate:.2g}"))
    if characters * len(vocab) > batches.MAX_CELLS // 2:  # a row of counts for each context or prefix would not fit
        recipe = recipe.but(draw="examples" if recipe.draw == "contexts" else recipe.draw, teach=0.0)
    return recipe


def _chosen(module: ModuleType, listed: Sequence[str], vocab: Vocab, given: dict[str, Any]) -> dict[str, Any]:
    """The options of a model that is made by counting: what its file chooses on held-out words, or its defaults."""
    split = split_for(listed)
    if hasattr(module, "choose") and split.dev:
        folds = folds_of(split)
        options, losses = module.choose(folds, vocab, **given)
        how = "dev" if len(folds) == 1 else f"{len(folds)} parts of train and dev, each predicted from the others"
        if losses:
            say(f"loss on {how}: " + ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
        return options
    return {**getattr(module, "DEFAULTS", {}), **given}


def judged(split: words.Split) -> list[str]:
    """The words of dev that choices are made on: enough of them to tell models apart."""
    return split.dev[:JUDGED]


def folds_of(split: words.Split) -> list[tuple[list[str], list[str]]]:
    """What to choose by: (train, dev); of a short list ten parts of both in turn, each predicted from the others."""
    if sum(map(len, split)) >= SHORT:
        return [(split.train[:LEARNED], judged(split))]
    both = [*split.train, *split.dev]
    n = min(FOLDS, len(both))
    return [([word for i, word in enumerate(both) if i % n != fold], both[fold::n]) for fold in range(n)]


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


def described(plan: Plan) -> str:
    """One line: the model and its options, those of a recipe only where they are not the usual ones."""
    given = plan.as_json()
    usual = {"draw", "optimizer", "decay", "steps", "batch_size", "learning_rate"}
    shown = {name: value for name, value in given.items() if name in usual or name in plan.options or value}
    shown = {name: value for name, value in shown.items() if name not in ("model", "dedup", "seed")}
    return f"{plan.model}: " + ", ".join(f"{name} {value}" for name, value in {**shown, "seed": plan.seed}.items())


Watch = Callable[[Iterator[loop.Progress], int], Iterator[loop.Progress]]


def trained(
    folder: Path, plan: Plan, split: words.Split, vocab: Vocab, resume: bool, watch: Watch
) -> tuple[Params, bool]:
    """Learns a list as a plan says; returns the best parameters, and whether it was not stopped before its end.

    What is learned by steps is saved in the folder on the way. `watch` shows the run, given its number of steps.
    """
    if plan.recipe is None:
        return fit_by_counting(plan, split, vocab), True
    job = Trainer(folder, plan, split, vocab, resume)
    if job.finished:
        say(f"finished already, after {int(job.state.step):,} steps")
        return job.best, True
    if int(job.state.step):
        say(f"going on from step {int(job.state.step):,}")
    params = job.run(lambda run: watch(run, job.recipe.steps))
    if job.waited:
        best = job.history[-1 - job.waited][0] if job.waited < len(job.history) else 0
        say(f"dev was best at step {best:,} ({job.best_dev:.4f}), which is what is kept")
    return params, job.finished


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
            dev=judged(self.split) or None,
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
        if (self.folder / "config.json").exists():  # a candidate among others has none: its state holds the best
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
