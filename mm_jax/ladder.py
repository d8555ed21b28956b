"""Compares all models on one list: trained on train, compared on dev."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.table import Table

from mm_jax import models
from mm_jax.evaluation import evaluate
from mm_jax.models import counts, mixture
from mm_jax.models.contract import Model, NamedRecipe, Params
from mm_jax.sampling import sample
from mm_jax.symbols import CHARACTERS
from mm_jax.training import loop
from mm_jax.training.recipes import Recipe, for_size, options_for
from mm_jax.words import Split, WordList

Watch = Callable[[Iterator[loop.Progress], int], Iterator[loop.Progress]]


class Rung(NamedTuple):
    """A fitted model: its name, its number of parameters or table entries, the CPU seconds that fitting took."""

    name: str
    params: Params
    entries: int
    seconds: float


def fit_all(words: WordList, *, most_steps: int | None = None, watch: Watch | None = None) -> Iterator[Rung]:
    """Fits the uniform model, then every recipe with a `rung`, then mixtures; yields a Rung for each model.

    Args:
      words: models train on train, with early stopping on dev; the weights of mixtures are fitted on one half of dev,
        split.dev[::2].
      most_steps: bound on the steps of every training.
      watch: wraps a run to show it; its second argument is the number of steps.
    """
    empty = np.zeros((len(words.vocab), len(words.vocab)), int)
    yield _rung("uniform", lambda: counts.from_table(empty, words.vocab, smoothing=1.0), lambda _: 0)
    fitted: dict[str, list[Rung]] = {}
    for model in models.makeable().values():
        for recipe in model.recipes.values():
            if recipe.rung:
                rung = _rung(recipe.rung, lambda: _fit(model, recipe, words, most_steps, watch), model.num_entries)  # noqa: B023
                fitted.setdefault(model.name, []).append(rung)
                yield rung
    yield from _mixtures(fitted, words.split)


def _rung(name: str, make: Callable[[], Params], entries: Callable[[Any], int]) -> Rung:
    """Makes a model and measures the CPU time."""
    begin = time.process_time()
    params = jax.block_until_ready(make())
    return Rung(name, params, entries(params), time.process_time() - begin)


def _fit(model: Model, recipe: NamedRecipe, words: WordList, most_steps: int | None, watch: Watch | None) -> Params:
    """Fits a model by a recipe scaled to the list; gradient steps stop early, at the lowest dev loss."""
    if model.fit is not None:
        return model.fit(words.split.train, words.vocab, **recipe.model)
    assert model.init is not None  # `makeable` returns models with an `init` or a `fit`
    training = for_size(Recipe.from_json(recipe.training), words.tokens, words.vocab)
    if most_steps is not None:
        training = training.but(steps=min(training.steps, most_steps))
    options = options_for(model, recipe.model, words.words, words.vocab.units)
    params = model.init(jax.random.key(0), words.vocab, **options)
    run = loop.run(
        loop.first_state(params, jax.random.key(1), training), words.split.train, training, dev=words.split.dev
    )
    best = np.inf
    for progress in run if watch is None else watch(run, training.steps):
        if progress.dev is not None and progress.dev < best:
            params, best = jax.device_get(progress.state.params), progress.dev
    return jax.device_put(params)


def _mixtures(fitted: dict[str, list[Rung]], split: Split) -> Iterator[Rung]:
    """Mixes the 2 best, the 3 best and all kinds of models, each by its best on dev; then all of the largest kind."""
    dev = {rung.name: evaluate(rung.params, split.dev).nll for rungs in fitted.values() for rung in rungs}
    best = sorted((min(rungs, key=lambda rung: dev[rung.name]) for rungs in fitted.values()), key=lambda r: dev[r.name])
    best = [rung for rung in best if np.isfinite(dev[rung.name])]
    series = [rung for rung in max(fitted.values(), key=len) if np.isfinite(dev[rung.name])]
    for members in (best[:2], best[:3], best, series):
        if len(members) > 1:
            entries = sum(rung.entries for rung in members)
            title = " + ".join(rung.name for rung in members) if len(members) < 4 else _span(members, best)
            yield _rung(title, lambda: mixture.fit([r.params for r in members], split.dev[::2]), lambda _: entries)  # noqa: B023


def _span(members: list[Rung], best: list[Rung]) -> str:
    """Returns a short title for a mixture of many models."""
    return "the best of each kind" if members == best else f"{members[0].name} to {members[-1].name}"


def table_of(rungs: list[Rung], split: Split, num_samples: int = 1000) -> tuple[Table, list[dict[str, Any]]]:
    """Returns a table of losses, and of the share of samples that are new; and the same as rows for JSON.

    The rows are sorted by the loss on dev, the best last.
    """
    known = frozenset([*split.train, *split.dev, *split.test])
    unit = "character" if rungs[0].params.vocab.units == CHARACTERS else "symbol"
    table = Table(title=f"nats per {unit}, +- the standard error by word", title_justify="left")
    for heading in ("", "entries", "CPU s", "train", "dev", "+-", "unseen", "test", "+-", "new"):
        table.add_column(heading, justify="right" if table.columns else "left")
    rows = []
    for rung in rungs:
        train, dev, test = (evaluate(rung.params, part, seen=split.train) for part in split)
        words = [word for word in sample(rung.params, jax.random.key(2), num_samples) if word]
        new = sum(word not in known for word in words) / max(1, len(words))
        row = {
            "model": rung.name,
            "entries": rung.entries,
            "seconds": rung.seconds,
            "train": train.nll,
            "dev": dev.nll,
            "dev_stderr": dev.stderr,
            "dev_unseen": dev.nll_unseen,
            "test": test.nll,
            "test_stderr": test.stderr,
            "new": new,
        }
        rows.append(row)
    rows.sort(key=lambda row: -row["dev"])
    forms = ("{}", "{:,}", "{:.2f}", "{:.4f}", "{:.4f}", "{:.3f}", "{:.4f}", "{:.4f}", "{:.3f}", "{:.0%}")
    for row in rows:
        table.add_row(*(form.format(value) for form, value in zip(forms, row.values(), strict=True)))
    return table, rows
