"""The evidence: every rung of the ladder on several splits and seeds, recipes compared in pairs, losses by size.

    python examples/evidence.py            # runs what examples/evidence.csv lacks: about ninety minutes on two cores
    python examples/evidence.py --tables   # prints the tables, and writes them and the picture where README shows them
    python examples/evidence.py --check    # runs a part of it again, and compares with the file

A run that is in the file is not run again, so that the job may be stopped and started. Each runs on one core, in a
process of its own; CPU seconds are those of its steps, compilation apart. Losses are nats per character, the end of a
word included. Split 0 is the lecture's; split s is that of the list shuffled by `random.Random(s)` first. Recipes were
chosen on dev of split 0. Test is read once, for the rungs of the ladder.
"""

import argparse
import csv
import dataclasses
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("evidence.csv")
SPLITS = SEEDS = range(5)
ORDERS = range(3, 8)  # of the n-grams
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the training words, where losses are taken by size
TOLERANCE = 2e-3  # of losses that another machine finds: rounding grows over a thousand steps
RESULTS = (
    *("steps", "numbers", "cpu_s", "train", "dev", "dev_se", "unseen", "unseen_se"),
    *("test", "test_se", "test_unseen", "corrected", "corrected_se", "commit"),
)


@dataclass(frozen=True)
class Run:
    """What decides a run, and so a row of the file. `changes` and `options`, as JSON, are of the recipe and the model.

    `table` is what the run is for: "ladder", "no repeats" (the same on the list with each word once), "pairs" (one
    option of a recipe changed), or "sizes" (`share` of the training words, from which the recipe's steps follow).
    """

    table: str
    model: str
    recipe: str = ""
    options: str = "{}"
    changes: str = "{}"
    split: int = 0
    seed: int = 0
    share: float = 1.0


# The rungs, by model and recipe; those that are counted have no seed, and "+" joins rungs of the same split and seed.
COUNTED = [("counts", '{"smoothing": 1.0}'), *(("ngram", json.dumps({"order": order})) for order in ORDERS)]
TRAINED = [("mlp", "lecture"), ("mlp", "tuned"), ("bow", "tuned"), ("rnn", "tuned"), ("gru", "short"), ("gru", "tuned"),
           ("transformer", "tuned"), ("wavenet", "tuned")]  # fmt: skip
JOINED = "ngram 6 + gru tuned + transformer tuned"
WAYS = ("mixture", "product")  # of joining them
# One option of a recipe at a time: what is in it left out, or what is not in it taken.
PAIRS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("mlp", "tuned"): [{"draw": "examples"}, {"decay": "constant"}],
    ("bow", "tuned"): [{"weight_decay": 0.01}, {"drop_tokens": 0.1}, {"teach": 0.4}],
    ("rnn", "tuned"): [{"teach": 0.0}, {"weight_decay": 0.0}, {"drop_tokens": 0.05}, {"drop_states": 0.1}],
    ("gru", "tuned"): [{"teach": 0.0}, {"drop_tokens": 0.0}, {"weight_decay": 0.0}, {"drop_states": 0.1}],
    ("transformer", "tuned"): [
        {"teach": 0.0}, {"weight_decay": 0.0}, {"drop_edges": 0.0}, {"drop_tokens": 0.1},
        {"optimizer": "adamw", "learning_rate": 0.003},
    ],
}  # fmt: skip
# Three sizes of each network; of the GRU and the transformer with few steps, as at the command's usual effort.
SIZES: dict[tuple[str, str], tuple[dict[str, Any], list[dict[str, Any]]]] = {
    ("mlp", "tuned"): (
        {"learning_rate": 0.005},
        [{"block_size": 7, "embedding_dim": 24, "hidden_dim": width} for width in (100, 400, 1600)],
    ),
    ("gru", "tuned"): ({"steps": 800}, [{"hidden_dim": width} for width in (64, 128, 256)]),
    ("transformer", "tuned"): (
        {"steps": 800},
        [{"num_layers": layers, "width": width} for layers, width in ((2, 32), (4, 64), (4, 96))],
    ),
}


def runs() -> Iterator[Run]:
    """All runs."""
    for table, seeds in (("ladder", SEEDS), ("no repeats", [0])):
        for model, options in COUNTED:
            yield from (Run(table, model, options=options, split=split) for split in SPLITS)
        for model, recipe in (*TRAINED, *((way, JOINED) for way in WAYS)):
            yield from (Run(table, model, recipe, split=split, seed=seed) for seed in seeds for split in SPLITS)
    for (model, recipe), (changes, sizes) in SIZES.items():
        for split in SPLITS[:2]:
            for share in SHARES:
                yield from (
                    Run("sizes", model, recipe, json.dumps(options), json.dumps(changes), split, split, share)
                    for options in sizes
                )
    for order in ORDERS:
        options = json.dumps({"order": order})
        yield from (
            Run("sizes", "ngram", options=options, split=s, share=share) for s in SPLITS[:2] for share in SHARES
        )
    for (model, recipe), changed in PAIRS.items():
        for changes in changed:
            yield from (Run("pairs", model, recipe, "{}", json.dumps(changes), i, i) for i in SPLITS)


def equal_seconds(rows: list[dict[str, str]]) -> Iterator[Run]:
    """The runs of pairs again, with as many steps as take the recipe's own CPU seconds, where those differ."""
    from statistics import median

    taken = {key_of(row): float(row["cpu_s"]) for row in rows}
    for (model, recipe), changed in PAIRS.items():
        for changes in changed:
            ratios = []
            for i in SPLITS:
                own = taken.get(Run("ladder", model, recipe, split=i, seed=i))
                other = taken.get(Run("pairs", model, recipe, "{}", json.dumps(changes), i, i))
                if own is not None and other is not None:
                    ratios.append(own / other)
            if len(ratios) == len(SPLITS) and abs(median(ratios) - 1) > 0.05:
                steps = round(median(ratios), 2)  # of the recipe's
                again = json.dumps({**changes, "times": steps})
                yield from (Run("pairs", model, recipe, "{}", again, i, i) for i in SPLITS)


def key_of(row: dict[str, str]) -> Run:
    """The run that a row of the file is of."""
    kinds = {"split": int, "seed": int, "share": float}
    given = {each.name: row[each.name] for each in dataclasses.fields(Run)}
    return Run(**{name: kinds.get(name, str)(value) for name, value in given.items()})  # pyright: ignore


def split_of(run: Run) -> Any:
    """Train, dev and test of a run."""
    import mm_jax

    words = mm_jax.load_words()
    if run.table == "no repeats":
        words = list(dict.fromkeys(words))
    if run.split:
        random.Random(run.split).shuffle(words)
    split = mm_jax.split_words(words)
    return split._replace(train=split.train[: round(run.share * len(split.train))])


def made(run: Run, split: Any, vocab: Any, folder: Path) -> tuple[Any, int, float]:
    """The model of a run, its steps, and the CPU seconds that they took; from the folder, where it is there."""
    import jax
    from best import trained

    import mm_jax
    from mm_jax import models
    from mm_jax.training.recipes import Recipe, for_size, recipe_options, recipes_of

    module, options = getattr(models, run.model), json.loads(run.options)
    if not run.recipe:
        begin = time.process_time()
        params = module.fit(split.train, vocab, **options)
        return params, 0, time.process_time() - begin
    changes = json.loads(run.changes)
    times = changes.pop("times", 1)
    recipe = recipes_of(module.MODEL)[run.recipe].but(**Recipe.named(changes))
    recipe = recipe.but(steps=round(times * recipe.steps))
    init_key, fit_key = jax.random.split(jax.random.key(run.seed))
    params = module.init(init_key, vocab, **{**recipe_options(module.MODEL, run.recipe), **options})
    if run.table == "sizes":
        recipe = for_size(recipe, sum(map(len, split.train)) + len(split.train), vocab)
        return best_on_half_of_dev(params, split, fit_key, recipe)
    kept = folder / f"{run.table} {run.model} {run.recipe} {run.split} {run.seed}.safetensors"
    if run.table != "pairs" and kept.exists():
        return mm_jax.load(kept), recipe.steps, float("nan")
    params, seconds = trained(params, split.train, fit_key, recipe)
    if run.table != "pairs" and run.model in JOINED:
        mm_jax.save(params, kept)
    return params, recipe.steps, seconds


def best_on_half_of_dev(params: Any, split: Any, key: Any, recipe: Any) -> tuple[Any, int, float]:
    """What was best on every second word of dev, as short lists are learned by heart; the others judge it."""
    import jax

    from mm_jax.training import loop

    run = loop.run(loop.first_state(params, key, recipe), split.train, recipe, dev=split.dev[::2])
    best = float(next(run).dev or 0)
    begin = time.process_time()
    for progress in run:
        if progress.dev is not None and progress.dev < best:
            params, best = jax.device_get(progress.state.params), progress.dev
    return params, recipe.steps, time.process_time() - begin


def joined(run: Run, split: Any, vocab: Any, folder: Path) -> dict[str, Any]:
    """The losses of a mixture or product: it is fitted on one half of dev and read on the other, both ways."""
    import numpy as np

    import mm_jax

    fit = getattr(mm_jax, run.model).fit
    members, seconds = [], 0.0
    for name in run.recipe.split(" + "):
        model, which = name.split()
        one = Run(run.table, model, split=run.split, seed=run.seed)
        one = dataclasses.replace(
            one, **({"options": f'{{"order": {which}}}'} if model == "ngram" else {"recipe": which})
        )
        params, _, taken = made(one, split, vocab, folder)
        members.append(params)
        seconds += taken
    halves = split.dev[::2], split.dev[1::2]
    found: list[Any] = []
    fresh: list[Any] = []
    for fitted, read in (halves, halves[::-1]):
        params = fit(members, fitted)
        found.append(mm_jax.evaluate(params, read, seen=split.train))
        if run.table == "ladder":
            fresh.append(mm_jax.evaluate(mm_jax.fresh.wrap(params, split.train), read))
    params = fit(members, split.dev)

    def both(each: list[Any], loss: str, error: str) -> tuple[float, float]:
        return (float(np.mean([getattr(one, loss) for one in each])),
                float(np.sqrt(np.sum([getattr(one, error) ** 2 for one in each])) / 2))  # fmt: skip

    row: dict[str, Any] = {"numbers": sum(map(size_of, members)), "cpu_s": seconds}
    row["dev"], row["dev_se"] = both(found, "nll", "stderr")
    row["unseen"], row["unseen_se"] = both(found, "nll_unseen", "stderr_unseen")
    if fresh:
        row["corrected"], row["corrected_se"] = both(fresh, "nll", "stderr")
    return row | on_test(params, split)


def on_test(params: Any, split: Any) -> dict[str, float]:
    import mm_jax

    test = mm_jax.evaluate(params, split.test, seen=split.train)
    return {"test": test.nll, "test_se": test.stderr, "test_unseen": test.nll_unseen}


def size_of(params: Any) -> int:
    from mm_jax.models.contract import model_of

    return model_of(params).num_entries(params)


def row_of(run: Run, folder: Path) -> dict[str, Any]:
    """Runs it: the row of the file."""
    import mm_jax

    split = split_of(run)
    vocab = mm_jax.Vocab.from_words(mm_jax.load_words())
    about = dataclasses.asdict(run)
    if run.model in WAYS:
        return about | joined(run, split, vocab, folder)
    params, steps, seconds = made(run, split, vocab, folder)
    judged = split.dev[1::2] if run.table == "sizes" else split.dev
    dev = mm_jax.evaluate(params, judged, seen=split.train)
    row = about | {"steps": steps, "numbers": size_of(params), "cpu_s": seconds, "dev": dev.nll, "dev_se": dev.stderr,
                   "unseen": dev.nll_unseen, "unseen_se": dev.stderr_unseen}  # fmt: skip
    if run.table == "ladder":
        row |= {"train": mm_jax.evaluate(params, split.train[:5000]).nll} | on_test(params, split)
    return row


def read_rows(path: Path = FILE) -> list[dict[str, str]]:
    """The rows of the file; none where it is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def written(row: dict[str, Any]) -> dict[str, str]:
    """A row as the file has it: six digits of a loss, and nothing for what was not taken."""
    return {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in row.items()}


def _on_one_core(cores: Any) -> None:
    os.sched_setaffinity(0, {cores.get()})


def results(wanted: list[Run], jobs: int, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of runs as they end, each on a core of its own."""
    spawn = multiprocessing.get_context("spawn")  # JAX's threads do not outlive a fork
    cores = spawn.Manager().Queue()
    for core in sorted(os.sched_getaffinity(0))[:jobs]:
        cores.put(core)
    with ProcessPoolExecutor(jobs, spawn, _on_one_core, (cores,)) as pool:
        try:
            for done in as_completed([pool.submit(row_of, run, folder) for run in wanted]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # where one failed, the others are for another time


def append(row: dict[str, Any]) -> None:
    """Writes a row at the end of the file."""
    new = not FILE.exists()
    with FILE.open("a", newline="") as file:
        names = [each.name for each in dataclasses.fields(Run)] + list(RESULTS)
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(written(row))


def run_all(jobs: int, folder: Path, most: int | None) -> None:
    """Runs what the file lacks."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=FILE.parent, capture_output=True, text=True)
    folder.mkdir(parents=True, exist_ok=True)
    for more in (runs, lambda: equal_seconds(read_rows())):
        there = {key_of(row) for row in read_rows()}
        wanted = [run for run in dict.fromkeys(more()) if run not in there][:most]
        print(f"{len(there)} runs are there, {len(wanted)} to go", flush=True)
        for n, row in enumerate(results(wanted, jobs, folder)):
            append(row | {"commit": commit.stdout.strip()})
            print(f"{n + 1}/{len(wanted)} {row['table']} {row['model']} {row['recipe']} {row['options']} "
                  f"{row['changes']} split {row['split']} seed {row['seed']} share {row['share']}: "
                  f"dev {row['dev']:.4f}, {row['cpu_s']:.0f} CPU s", flush=True)  # fmt: skip


def check(jobs: int, folder: Path) -> int:
    """Runs two rungs on two splits with two seeds again: 0 where they equal the file."""
    parts = [("ngram", "", '{"order": 6}'), ("mlp", "tuned", "{}")]
    wanted = [Run("ladder", model, recipe, options, split=split, seed=seed if recipe else 0)
              for model, recipe, options in parts for split in SPLITS[:2] for seed in SEEDS[:2]]  # fmt: skip
    there = {key_of(row): row for row in read_rows()}
    wrong = 0
    for row in results(list(dict.fromkeys(wanted)), jobs, folder):
        before = float(there[key_of(written(row))]["dev"])
        equal = abs(row["dev"] - before) < TOLERANCE
        wrong += not equal
        print(f"{row['model']} split {row['split']} seed {row['seed']}: dev {row['dev']:.6f}, "
              f"in the file {before:.6f}: {'equal' if equal else 'NOT equal'}")  # fmt: skip
    return int(bool(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Every rung on several splits and seeds; recipes in pairs; sizes.")
    parser.add_argument("--tables", action="store_true", help="print the tables of what is there, and write them")
    parser.add_argument("--check", action="store_true", help="run a part again, and compare with the file")
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: one a core)"
    )
    parser.add_argument("--most", type=int, metavar="N", help="stop after N runs")
    parser.add_argument("--models", type=Path, default=Path("runs/evidence"), help="keep models to join (%(default)s)")
    args = parser.parse_args()
    if args.tables:
        from evidence_tables import write

        write()
    elif args.check:
        sys.exit(check(args.jobs, args.models))
    else:
        run_all(args.jobs, args.models, args.most)
