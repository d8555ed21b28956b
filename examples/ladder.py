"""From uniform to a mixture: every model of mm_jax on one list, by one protocol.

    python examples/ladder.py

The lecture's split by word; nats per character, the end included. Everything is learned from train and chosen on dev;
the weights of the mixtures are fitted on one half of dev, and what they reach on the other half is printed as well. Test
is looked at once, when all is fitted.
"""

import argparse
import time
from pathlib import Path

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import mm_jax
from mm_jax import data
from mm_jax.models import ngram
from mm_jax.recipes import RECIPES

parser = argparse.ArgumentParser(description="Every model on one list, by one protocol.")
parser.add_argument("--data", type=Path, metavar="LIST", help="a text file, one word a line (default: names)")
parser.add_argument("--steps", type=int, help="no training takes more steps than this (default: no limit)")
parser.add_argument("--num-samples", type=int, default=1000, help="words to sample for the share of new ones")
args = parser.parse_args()

console = Console(highlight=False)
path = args.data or data.find_words()
words = mm_jax.load_words(path)
split = mm_jax.split_words(words)
vocab = mm_jax.Vocab.from_words(words)
known = frozenset(words)
console.print(f"{len(words):,} words from {path}")

fitted: dict[str, tuple] = {}  # name: (model, entries or parameters, seconds to fit)


def add(name: str, make, entries=mm_jax.num_params) -> None:
    begin = time.perf_counter()
    model = make()
    jax.block_until_ready(model)
    seconds = time.perf_counter() - begin
    fitted[name] = (model, entries(model), seconds)
    console.print(f"{name}: dev {mm_jax.evaluate(model, split.dev).nll:.4f}", style="dim")


def neural_bigram():
    params = mm_jax.bigram.init(jax.random.key(0), vocab)
    options = {"batch_size": None, "learning_rate": 50.0, "l2": 0.01}
    return mm_jax.fit(params, split.train, jax.random.key(1), steps=100, **options)[0]


def mlp(name: str):
    recipe = RECIPES[name]
    recipe = recipe.but(steps=min(recipe.steps, args.steps or recipe.steps))
    params = mm_jax.mlp.init(jax.random.key(0), vocab, init=recipe.init)
    return mm_jax.fit(params, split.train, jax.random.key(1), **recipe.options())[0]


empty = np.zeros((len(vocab), len(vocab)), int)
add("uniform", lambda: mm_jax.counts.from_table(empty, vocab, smoothing=1.0), entries=lambda _: 0)
for fake in (0, 1):
    add(f"counts, add {fake}", lambda fake=fake: mm_jax.counts.fit(split.train, vocab, smoothing=fake))
add("neural bigram, 100 steps", neural_bigram)
for order in range(1, 9):
    add(f"n-gram, order {order}", lambda order=order: ngram.fit(split.train, vocab, order), ngram.num_entries)
add("MLP, the lecture's recipe", lambda: mlp("lecture"))
add("MLP, tuned", lambda: mlp("tuned"))

half, other_half = split.dev[::2], split.dev[1::2]
model = {name: entry[0] for name, entry in fitted.items()}
best_order = min(range(1, 9), key=lambda order: mm_jax.evaluate(model[f"n-gram, order {order}"], split.dev).nll)
best = f"n-gram, order {best_order}"


def mixture(*names: str):
    members = [model[name] for name in names]
    title = "mixture: " + " + ".join(name.replace("n-gram, ", "") for name in names)
    add(title, lambda: mm_jax.ngram.mixture(members, half), lambda _: sum(fitted[n][1] for n in names))
    weights = ", ".join(f"{w:.2f}" for w in fitted[title][0].weights.tolist())
    here, there = (mm_jax.evaluate(fitted[title][0], part).nll for part in (half, other_half))
    console.print(f"  weights {weights}; on the half they were fitted on {here:.4f}, on the other {there:.4f}")


mixture(best, "MLP, tuned")
mixture(*(f"n-gram, order {order}" for order in range(2, 9)))
mixture(*(f"n-gram, order {order}" for order in range(2, 9)), "MLP, tuned")

table = Table(title="nats per character, +- the standard error by word", title_justify="left")
for heading in ("", "entries", "s", "train", "dev", "", "unseen", "test", "", "new"):
    table.add_column(heading, justify="right" if heading or table.columns else "left")
table.columns[0].justify = "left"
for name, (params, entries, seconds) in fitted.items():
    on_dev = mm_jax.evaluate(params, split.dev, seen=split.train)
    on_test = mm_jax.evaluate(params, split.test)
    samples = [word for word in mm_jax.sample(params, jax.random.key(2), args.num_samples) if word]
    new = sum(word not in known for word in samples) / max(1, len(samples))
    table.add_row(
        name,
        f"{entries:,}",
        f"{seconds:.2f}",
        f"{mm_jax.evaluate(params, split.train).nll:.4f}",
        f"{on_dev.nll:.4f}",
        f"{on_dev.stderr:.3f}",
        f"{on_dev.nll_unseen:.4f}",
        f"{on_test.nll:.4f}",
        f"{on_test.stderr:.3f}",
        f"{new:.0%}",
    )
console.print(table)
