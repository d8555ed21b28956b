"""Training into a run folder: what is chosen for a list, what is saved on the way, when it stops, how it goes on."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mm_jax import checkpoint, data, rates, runs, training
from mm_jax.evaluation import evaluate
from mm_jax.models import Params, bigram, counts, mlp, ngram
from mm_jax.recipes import RECIPES
from mm_jax.runs import Plan, split_for
from mm_jax.vocab import Vocab

SAVE_SECONDS = 0.5  # between two states on disk
PATIENCE = 12  # evaluations on dev without a better one, then training stops
EVALUATIONS = 40  # of dev in a run


def plan_for(words: Sequence[str], vocab: Vocab, plan: Plan, given: dict[str, Any]) -> Plan:
    """Fills in what was not given, by the size of the list; `learning_rate` "auto" takes a range test."""
    characters = sum(map(len, words)) + len(words)
    chosen: dict[str, Any] = {}
    if plan.model == "mlp":
        recipe = RECIPES[plan.recipe]
        chosen = {"batch_size": recipe.batch_size, "draw": recipe.draw, "learning_rate": recipe.learning_rate}
        if plan.recipe == "tuned":  # a short list is learned by heart before a large step is taken
            scale = float(np.clip(np.sqrt(characters / 50_000), 0.05, 1.0))
            chosen["learning_rate"] = float(f"{recipe.learning_rate * scale:.2g}")
        chosen["steps"] = recipe.steps if plan.recipe == "lecture" else int(np.clip(characters // 120, 300, 6000))
        if characters * len(vocab) > 2 * 10**8:  # a row of counts for each context would not fit
            chosen["draw"] = "examples"
    elif plan.model == "bigram":
        chosen = {"steps": 1000, "learning_rate": 0.3}
    elif plan.model == "ngram":
        chosen = {"order": _best_order(split_for(words), vocab)}
    chosen |= {name: value for name, value in given.items() if value is not None}
    if chosen.get("learning_rate") == "auto":
        chosen["learning_rate"] = 0.0  # made known by the range test below
        filled = replace(plan, **chosen)
        key = jax.random.key(plan.seed)
        found = rates.lr_range_test(
            _init(filled, vocab, key),
            split_for(words).train,
            key,
            batch_size=filled.batch_size,
            draw=filled.draw,  # pyright: ignore[reportArgumentType]
            optimizer=optax.adam,
        )
        chosen["learning_rate"] = float(f"{found.suggestion:.3g}")
    return replace(plan, **chosen)


def _best_order(split: data.Split, vocab: Vocab) -> int:
    if not split.dev:
        return 3
    return min(range(2, 8), key=lambda order: evaluate(ngram.fit(split.train, vocab, order), split.dev).nll)


def _init(plan: Plan, vocab: Vocab, key) -> Params:
    if plan.model == "bigram":
        return bigram.init(key, vocab)
    return mlp.init(
        key,
        vocab,
        block_size=plan.block_size,
        embedding_dim=plan.embedding_dim,
        hidden_dim=plan.hidden_dim,
        init=RECIPES[plan.recipe].init,
    )


def fit_by_counting(plan: Plan, split: data.Split, vocab: Vocab) -> Params:
    """The models that need no steps."""
    if plan.model == "counts":
        return counts.fit(split.train, vocab, smoothing=plan.smoothing)
    return ngram.fit(split.train, vocab, plan.order)


def _copy(state: training.State) -> training.State:
    return jax.tree.map(jnp.copy, state)


class Trainer:
    """A run by gradient steps that saves as it goes, keeps what was best on dev, and stops when dev gets no better."""

    def __init__(self, folder: Path, plan: Plan, split: data.Split, vocab: Vocab, resume: bool):
        """Starts anew, or from `state.safetensors`; ValueError where that does not fit or cannot be read."""
        self.folder, self.plan, self.split = folder, plan, split
        self.fingerprint = runs.fingerprint(split)
        init_key, fit_key = jax.random.split(jax.random.key(plan.seed))
        recipe = RECIPES["tuned" if plan.model == "bigram" else plan.recipe]
        self.optimizer = recipe.schedule(plan.steps)
        params = _init(plan, vocab, init_key)
        self.state = training.start(params, fit_key, self.optimizer, plan.learning_rate)
        self.best, self.best_dev, self.waited, self.finished = params, float("inf"), 0, False
        self.history: list[tuple[int, float, float]] = []
        self.saved = time.monotonic()
        if resume and (folder / "state.safetensors").exists():
            self._restore()

    def run(self, watch: Callable[[Iterator[training.Progress]], Iterator[training.Progress]]) -> Params:
        """Trains to the end, shown by `watch`; returns the best parameters."""
        run = training.run(
            _copy(self.state),  # it reuses the buffers, and the state must be there to be saved
            self.split.train,
            steps=self.plan.steps,
            batch_size=self.plan.batch_size,
            draw=self.plan.draw,  # pyright: ignore[reportArgumentType]
            optimizer=self.optimizer,
            learning_rate=self.plan.learning_rate,
            dev=self.split.dev or None,
            every=max(1, min(1000, self.plan.steps // EVALUATIONS)),
        )
        for progress in watch(run):
            if not progress.loss.size:
                continue  # nothing was done yet
            self._take(progress)
            if self.finished:
                break
        self.finished = self.finished or int(self.state.step) >= self.plan.steps
        self.save()
        return self.best

    def _take(self, progress: training.Progress) -> None:
        step = int(progress.state.step)
        bad = np.flatnonzero(~np.isfinite(progress.loss))
        if bad.size:
            at = step - len(progress.loss) + int(bad[0])
            self.save()
            raise ValueError(
                f"the loss is {progress.loss[bad[0]]} at step {at} with learning rate {self.plan.learning_rate:g}: "
                f"try --lr {self.plan.learning_rate / 10:.2g}; {self.folder} holds the last good state"
            )
        self.state = _copy(progress.state)
        dev = float("nan") if progress.dev is None else progress.dev
        self.history.append((step, float(progress.loss.mean()), dev))
        if progress.dev is None or progress.dev < self.best_dev:
            self.best, self.best_dev, self.waited = jax.device_get(progress.state.params), dev, 0
        else:
            self.waited += 1
        self.finished = step >= self.plan.steps or self.waited >= PATIENCE
        if time.monotonic() > self.saved + SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Writes the history, the best model and the state, each whole; the state last: it says that all is there."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["step", "loss", "dev"])
        rows.writerows(self.history)
        checkpoint.write_whole(self.folder / "history.csv", text.getvalue().encode())
        checkpoint.save(self.best, self.folder / "model.safetensors")
        arrays = checkpoint.tree_to_arrays({"state": self.state, "best": self.best})
        about = {"plan": json.dumps(asdict(self.plan)), "words": self.fingerprint}
        about |= {"best_dev": repr(self.best_dev), "waited": str(self.waited), "finished": str(self.finished)}
        checkpoint.write_arrays(self.folder / "state.safetensors", arrays, {"kind": "state", **about})
        self.saved = time.monotonic()

    def _restore(self) -> None:
        path = self.folder / "state.safetensors"
        arrays, about = checkpoint.read_arrays(path, "state")
        if about["words"] != self.fingerprint:
            raise ValueError(f"{self.folder} was trained on another list: resume with that one, or name another folder")
        if (before := json.loads(about["plan"])) != (now := asdict(self.plan)):
            other = ", ".join(
                f"{name} {before.get(name)} (now {now[name]})" for name in now if before.get(name) != now[name]
            )
            raise ValueError(f"{self.folder} was trained with other options: {other}")
        try:
            found = checkpoint.tree_from_arrays({"state": self.state, "best": self.best}, arrays)
        except ValueError as error:
            raise ValueError(f"{path} does not fit: {error}") from None
        for leaf in jax.tree.leaves((found["state"].params, found["state"].opt_state)):
            if not np.isfinite(np.asarray(leaf)).all():
                raise ValueError(f"{path} holds numbers that are not finite: train anew with a lower --lr")
        self.state, self.best = found["state"], found["best"]
        self.best_dev, self.waited = float(about["best_dev"]), int(about["waited"])
        self.finished = about["finished"] == "True"
        rows = runs.read_history(self.folder)
        self.history = [row for row in rows if row[0] <= int(self.state.step)]
