"""Trains into a run folder: saves checkpoints, stops early, resumes."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from mm_jax import checkpoint, models
from mm_jax.files import write_whole
from mm_jax.models.contract import Params
from mm_jax.output import say
from mm_jax.tool import plans, runs
from mm_jax.tool.runs import Plan, RunFolder
from mm_jax.training import loop
from mm_jax.words import WordList

SAVE_SECONDS = 0.5  # between two checkpoints
PATIENCE = 12  # evaluations on dev without improvement before training stops
EVALUATIONS = 40  # on dev in a run


def fit_by_counting(plan: Plan, words: WordList) -> Params:
    """Makes a model by counting."""
    options = dict(plan.options)
    # The longest context is a whole word and the separator before it; a higher order counts nothing more.
    if options.get("order", 0) > (most := max(map(len, words.split.train)) + 2):
        say(f"order {options['order']:,} is longer than any word: takes {most}")
        options["order"] = most
    fit = models.makeable()[plan.model].fit
    assert fit is not None  # the plan has no recipe
    return fit(words.split.train, words.vocab, **options)


Watch = Callable[[Iterator[loop.Progress], int], Iterator[loop.Progress]]


def train(folder: RunFolder, plan: Plan, words: WordList, resume: bool, watch: Watch) -> tuple[Params, bool]:
    """Trains by a plan; returns the best parameters, and False if the user stopped it.

    Saves gradient training in the folder as it goes. `watch(run, steps)` shows the run.
    """
    if plan.recipe is None:
        return fit_by_counting(plan, words), True
    job = Trainer(folder, plan, words, resume)
    if job.finished:
        say(f"finished before, after {int(job.state.step):,} steps")
        return job.best, True
    if int(job.state.step):
        say(f"resumes at step {int(job.state.step):,}")
    params = job.run(lambda run: watch(run, job.recipe.steps))
    if job.waited:
        best = job.history[-1 - job.waited][0] if job.waited < len(job.history) else 0
        say(f"keeps step {best:,}, the best on dev ({job.best_dev:.4f})")
    return params, job.finished


def _copy(state: loop.State) -> loop.State:
    """Copies a state, whose buffers the training loop donates."""
    return jax.tree.map(jnp.copy, state)


class Trainer:
    """Gradient training with checkpoints, which keeps the best parameters on dev and stops early."""

    def __init__(self, folder: RunFolder, plan: Plan, words: WordList, resume: bool):
        """Starts a run, or resumes from `state.safetensors`; raises ValueError if that does not fit."""
        assert plan.recipe is not None  # a model made by counting has none
        self.folder, self.plan, self.recipe, self.words = folder, plan, plan.recipe, words
        self.fingerprint = runs.fingerprint(words.split)
        init_key, fit_key = jax.random.split(jax.random.key(plan.seed))
        params = plans.initial(plan, words.vocab, init_key)
        self.state = loop.first_state(params, fit_key, self.recipe)
        self.best, self.best_dev, self.waited, self.finished = params, float("inf"), 0, False
        self.history: list[tuple[int, float, float]] = []
        self.saved = time.monotonic()
        if resume and (folder.path / "state.safetensors").exists():
            self._restore()

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
            if (
                not progress.loss.size
            ):  # before the first step: the initial parameters are kept if no step improves on them
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
                f"try --lr {(self.recipe.learning_rate or 0) / 10:.2g}; {self.folder} holds the last good state"
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

    def save(self) -> None:
        """Writes the history, the best model and the state; the state last: it vouches for the others."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["step", "loss", "dev"])
        rows.writerows(self.history)
        write_whole(self.folder.path / "history.csv", text.getvalue().encode())
        if self.folder.exists():  # the folder of a candidate is no run: its state holds the best model
            self.folder.save_model(self.best)
        arrays = checkpoint.tree_to_arrays({"state": self.state, "best": self.best})
        about = {"plan": json.dumps(self.plan.as_json()), "words": self.fingerprint}
        about |= {"best_dev": repr(self.best_dev), "waited": str(self.waited), "finished": str(self.finished)}
        checkpoint.write_arrays(self.folder.path / "state.safetensors", arrays, {"kind": "state", **about})
        self.saved = time.monotonic()

    def _restore(self) -> None:
        """Reads `state.safetensors`; raises ValueError if it is unreadable, or of another list or plan."""
        path = self.folder.path / "state.safetensors"
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
        rows = self.folder.history()
        self.history = [row for row in rows if row[0] <= int(self.state.step)]
