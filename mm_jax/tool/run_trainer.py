"""Trains into a run folder: saves checkpoints, and resumes bit for bit."""

import csv
import io
import json
import logging
from typing import Any

import jax
import numpy as np

from mm_jax import checkpoint
from mm_jax.files import write_whole
from mm_jax.learning import trainer
from mm_jax.learning.plans import Plan
from mm_jax.learning.trainer import Trainer, Watch
from mm_jax.models.contract import Params
from mm_jax.tool import runs
from mm_jax.tool.runs import RunFolder
from mm_jax.training.recipes import constant
from mm_jax.words import WordList

LOG = logging.getLogger("mm_jax")


def train(folder: RunFolder, plan: Plan, words: WordList, resume: bool, watch: Watch) -> tuple[Params, bool]:
    """Trains by a plan; returns the best parameters, and False if the user stopped it.

    Saves gradient training in the folder as it goes. `watch(run, steps)` shows the run.
    """
    if plan.recipe is None:
        if resume and folder.exists() and folder.has_model():
            LOG.info("counted before")
            return folder.open().params, True
        return trainer.made(plan, words, jax.random.key(plan.seed)), True
    return FolderTrainer(folder, plan, words, resume).train(watch)


class FolderTrainer(Trainer):
    """Gradient training with checkpoints in a run folder."""

    def __init__(self, folder: RunFolder, plan: Plan, words: WordList, resume: bool):
        """Starts a run, or resumes from `state.safetensors`; raises ValueError if that does not fit."""
        super().__init__(plan, words, jax.random.key(plan.seed))
        self.folder, self.fingerprint = folder, runs.fingerprint(words.split)
        if resume and (folder.path / "state.safetensors").exists():
            self._restore()

    def save(self) -> None:
        """Writes the history, the best model and the state; the state last: it vouches for the others.

        A model that no step has improved is none: where training fails at once, the next run begins anew.
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["step", "loss", "dev"])
        rows.writerows(self.history)
        write_whole(self.folder.path / "history.csv", text.getvalue().encode())
        improved = self.waited < len(self.history)
        if improved and self.folder.exists():  # the folder of a candidate is no run: its state holds the best model
            self.folder.save_model(self.best)
        arrays = checkpoint.tree_to_arrays({"state": self.state, "best": self.best})
        about = {"plan": json.dumps(self.plan.as_json()), "words": self.fingerprint}
        about |= {"best_dev": repr(self.best_dev), "waited": str(self.waited), "finished": str(self.finished)}
        checkpoint.write_arrays(self.folder.path / "state.safetensors", arrays, {"kind": "state", **about})

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
        if changes := runs.differences(self._completed(before), self.plan.as_json(), grow=True):
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
        if runs.more_steps(before, self.plan.as_json()):
            self._grow(before["steps"])

    def _completed(self, before: dict[str, Any]) -> dict[str, Any]:
        """Adds the options that a plan of an older version lacks."""
        try:
            return Plan.from_json(before).as_json()
        except ValueError:  # of a much older one
            return before

    def _grow(self, before: int) -> None:
        """Goes on beyond the steps that were planned at first; says what becomes of the learning rate."""
        step, recipe = int(self.state.step), self.recipe
        self.finished = self.waited >= trainer.PATIENCE
        if self.finished:
            LOG.info("it stopped early, because dev did not improve: more steps change nothing")
        elif recipe.decay is not constant and step < recipe.steps:
            old, new = recipe.but(steps=before).rates(), recipe.rates()
            assert old is not None and new is not None  # the rate is a number in a file
            LOG.info(
                "the learning rate follows %s steps from now on, in place of %s: at step %s it goes from %.2g to %.2g",
                *(f"{number:,}" for number in (recipe.steps, before, step)),
                *(float(rates[min(step, len(rates) - 1)]) for rates in (old, new)),
            )
