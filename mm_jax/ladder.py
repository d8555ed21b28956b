"""Every model on one list by one protocol: learned from train, compared on dev."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.table import Table

from mm_jax import data, training
from mm_jax.evaluation import evaluate
from mm_jax.models import bigram, counts, mixture, mlp, ngram, num_params
from mm_jax.recipes import Recipe
from mm_jax.sampling import sample
from mm_jax.vocab import Vocab


class Rung(NamedTuple):
    """A model that was fitted: its name, how many numbers or entries it holds, how long fitting took."""

    name: str
    params: Any
    entries: int
    seconds: float


def climb(split: data.Split, vocab: Vocab, recipes: dict[str, Recipe], orders: range = range(1, 9)) -> Iterator[Rung]:
    """Fits uniform, counts, neural bigram, n-grams, an MLP by each recipe, and mixtures, one after another.

    The mixtures' weights are fitted on one half of dev, split.dev[::2].
    """
    built: dict[str, Rung] = {}

    def rung(name: str, make: Callable[[], Any], entries: Callable[[Any], int] = num_params) -> Rung:
        begin = time.perf_counter()
        params = jax.block_until_ready(make())
        built[name] = Rung(name, params, entries(params), time.perf_counter() - begin)
        return built[name]

    empty = np.zeros((len(vocab), len(vocab)), int)
    yield rung("uniform", lambda: counts.from_table(empty, vocab, smoothing=1.0), lambda _: 0)
    for fake in (0.0, 1.0):
        yield rung(f"counts, add {fake:.0f}", lambda fake=fake: counts.fit(split.train, vocab, smoothing=fake))
    yield rung("neural bigram, 100 steps", lambda: _neural_bigram(split.train, vocab))
    for order in orders:
        yield rung(f"order {order}", lambda order=order: ngram.fit(split.train, vocab, order), ngram.num_entries)
    for name, recipe in recipes.items():
        yield rung(f"MLP, {name}", lambda recipe=recipe: _mlp(split.train, vocab, recipe))

    best = min(orders, key=lambda order: evaluate(built[f"order {order}"].params, split.dev).nll)
    every = [f"order {order}" for order in orders if order > 1]
    last = f"MLP, {list(recipes)[-1]}"
    for title, names in (
        (f"order {best} + {last}", [f"order {best}", last]),
        (f"orders {every[0][6:]} to {every[-1][6:]}", every),
        (f"orders {every[0][6:]} to {every[-1][6:]} + {last}", [*every, last]),
    ):
        members = [built[name].params for name in names]
        size = sum(built[name].entries for name in names)
        yield rung(title, lambda members=members: mixture.fit(members, split.dev[::2]), lambda _, size=size: size)


def _neural_bigram(words: list[str], vocab: Vocab) -> bigram.Bigram:
    params = bigram.init(jax.random.key(0), vocab)
    return training.fit(params, words, jax.random.key(1), steps=100, batch_size=None, learning_rate=50.0, l2=0.01)[0]


def _mlp(words: list[str], vocab: Vocab, recipe: Recipe) -> mlp.MLP:
    params = mlp.init(jax.random.key(0), vocab, init=recipe.init)
    return training.fit(params, words, jax.random.key(1), **recipe.options())[0]


def table_of(rungs: list[Rung], split: data.Split, num_samples: int = 1000) -> tuple[Table, list[dict]]:
    """Train, dev and test losses of each model and the share of its samples that are new; the same as rows for JSON."""
    known = frozenset(split.train + split.dev + split.test)
    table = Table(title="nats per character, +- the standard error by word", title_justify="left")
    for heading in ("", "entries", "s", "train", "dev", "+-", "unseen", "test", "+-", "new"):
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
        forms = ("{}", "{:,}", "{:.2f}", "{:.4f}", "{:.4f}", "{:.3f}", "{:.4f}", "{:.4f}", "{:.3f}", "{:.0%}")
        table.add_row(*(form.format(value) for form, value in zip(forms, row.values(), strict=True)))
    return table, rows
