"""Every model on one list by one protocol: learned from train, compared on dev."""

import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.table import Table

from mm_jax import models
from mm_jax.evaluation import evaluate
from mm_jax.models import catalogue, counts
from mm_jax.models.contract import Params, num_params
from mm_jax.sampling import sample
from mm_jax.training import loop, mixing
from mm_jax.training.recipes import recipe_options, recipes_of
from mm_jax.vocab import Vocab
from mm_jax.words import Split


class Rung(NamedTuple):
    """A fitted model: its name, its number of parameters or table entries, the CPU seconds that fitting took."""

    name: str
    params: Params
    entries: int
    seconds: float


def fit_all(
    split: Split, vocab: Vocab, *, most_steps: int | None = None, recipes: Sequence[str] | None = None
) -> Iterator[Rung]:
    """Fits uniform, then what each model's file puts on the ladder, then mixtures, one after another.

    Args:
      split: train is learned from; the mixtures' weights are fitted on one half of dev, split.dev[::2].
      vocab: the characters.
      most_steps: no training takes more steps.
      recipes: the names of the recipes to try; None is all.
    """
    empty = np.zeros((len(vocab), len(vocab)), int)
    yield _rung("uniform", lambda: counts.from_table(empty, vocab, smoothing=1.0), lambda _: 0)
    fitted: dict[str, list[Rung]] = {}
    for name, kind in catalogue.kinds().items():
        module = getattr(models, name)
        for title, options in getattr(module, "RUNGS", {name: {}}).items():
            recipe = options.get("recipe") or next(iter(recipes_of(module)))
            if kind.made_by == "init" and recipes is not None and recipe not in recipes and recipe != _only(module):
                continue
            make = _by_steps if kind.made_by == "init" else _by_counting
            entries = getattr(module, "num_entries", num_params)
            rung = _rung(title, lambda: make(module, split, vocab, options, most_steps), entries)  # noqa: B023
            fitted.setdefault(name, []).append(rung)
            yield rung
    yield from _mixtures(fitted, split)


def _only(module: ModuleType) -> str | None:
    """The recipe of the model's only rung; None where there are several."""
    rungs = list(getattr(module, "RUNGS", {"": {}}).values())
    return rungs[0].get("recipe") or next(iter(recipes_of(module))) if len(rungs) == 1 else None


def _rung(name: str, make: Callable[[], Params], entries: Callable[[Any], int] = num_params) -> Rung:
    begin = time.process_time()
    params = jax.block_until_ready(make())
    return Rung(name, params, entries(params), time.process_time() - begin)


def _by_counting(
    module: ModuleType, split: Split, vocab: Vocab, options: dict[str, Any], most_steps: int | None
) -> Params:
    return module.fit(split.train, vocab, **options)


def _by_steps(
    module: ModuleType, split: Split, vocab: Vocab, options: dict[str, Any], most_steps: int | None
) -> Params:
    own = dict(options)
    name = own.pop("recipe", None) or next(iter(recipes_of(module)))
    recipe = recipes_of(module)[name]
    if most_steps is not None:
        recipe = recipe.but(steps=min(recipe.steps, most_steps))
    params = module.init(jax.random.key(0), vocab, **{**recipe_options(module, name), **own})
    return loop.fit(params, split.train, jax.random.key(1), recipe)[0]


def _mixtures(fitted: dict[str, list[Rung]], split: Split) -> Iterator[Rung]:
    """The best of each kind by dev, the two best kinds and all kinds; then all of the kind with the most rungs."""
    dev = {rung.name: evaluate(rung.params, split.dev).nll for rungs in fitted.values() for rung in rungs}
    best = sorted((min(rungs, key=lambda rung: dev[rung.name]) for rungs in fitted.values()), key=lambda r: dev[r.name])
    best = [rung for rung in best if np.isfinite(dev[rung.name])]
    series = [rung for rung in max(fitted.values(), key=len) if np.isfinite(dev[rung.name])]
    for members in (best[:2], best[:3], best, series):
        if len(members) > 1:
            entries = sum(rung.entries for rung in members)
            title = " + ".join(rung.name for rung in members) if len(members) < 4 else _span(members, best)
            yield _rung(title, lambda: mixing.fit([r.params for r in members], split.dev[::2]), lambda _: entries)  # noqa: B023


def _span(members: list[Rung], best: list[Rung]) -> str:
    return "the best of each kind" if members == best else f"{members[0].name} to {members[-1].name}"


def table_of(rungs: list[Rung], split: Split, num_samples: int = 1000) -> tuple[Table, list[dict[str, Any]]]:
    """Train, dev and test losses of each model and the share of its samples that are new; the same as rows for JSON.

    The model that is worst on dev comes first, the best last.
    """
    known = frozenset(split.train + split.dev + split.test)
    table = Table(title="nats per character, +- the standard error by word", title_justify="left")
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
