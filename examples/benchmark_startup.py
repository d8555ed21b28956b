"""How long a start takes, beside the start of an earlier commit: both sides in turn, whole processes, medians.

    python examples/benchmark_startup.py                   # two minutes
    python examples/benchmark_startup.py --before HEAD~1

Cold: nothing that was compiled before is there. Warm: what the side itself keeps from an earlier run is.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
BEFORE = "8e169f1"  # the last commit before starts were shortened
# A row: the most that it may take, in seconds, where the row named takes so long before.
GOALS = {
    "main job, cold": (4.0, "main job, cold", 5.0),
    "main job, warm": (2.2, "main job, cold", 5.0),
    "mm-jax sample, warm": (1.2, "mm-jax sample, warm", 2.0),
}


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A folder with that commit and this checkout's names.txt; ValueError, saying why, where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "before")
        try:
            subprocess.run(
                ["git", "-C", ROOT, "worktree", "add", "--detach", place, revision],
                check=True,
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            raise ValueError("git is not installed") from None
        except subprocess.CalledProcessError as error:
            raise ValueError(f"git has no commit {revision} here: {error.stderr.strip().splitlines()[-1]}") from None
        try:
            shutil.copy(ROOT / "data" / "names.txt", place / "data" / "names.txt")
            yield place
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", place], check=False)


def seconds(root: Path, cache: Path, *command: str) -> float:
    """Wall time of one process of the package in `root`, which keeps what it compiles below `cache`."""
    ours = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    env = {name: value for name, value in os.environ.items() if name not in ours}
    env |= {"PYTHONPATH": str(root), "XDG_CACHE_HOME": str(cache)}
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} of {root} failed: {done.stderr}")
    return time.perf_counter() - begin


def measured(before: Path, rounds: int, folder: Path) -> dict[str, tuple[float, float]]:
    """The medians of each row: before, now."""
    sides = (before, ROOT)
    caches = [folder / f"cache-{i}" for i in range(2)]
    runs = [str(folder / f"run-{i}") for i in range(2)]
    main = ("examples/train_mlp.py",)
    times: dict[str, list[list[float]]] = {name: [[], []] for name in GOALS}
    for side, cache, run in zip(sides, caches, runs, strict=True):
        seconds(side, cache, "-m", "mm_jax", "train", "data/names.txt", "--out", run, "--model", "mlp", "--steps", "50")
    for i in range(-1, rounds):  # the first of a warm row makes it warm
        for k, (side, cache, run) in enumerate(zip(sides, caches, runs, strict=True)):
            warm = seconds(side, cache, "-m", "mm_jax", "sample", run), seconds(side, cache, *main)
            if i >= 0:
                times["mm-jax sample, warm"][k].append(warm[0])
                times["main job, warm"][k].append(warm[1])
                times["main job, cold"][k].append(seconds(side, folder / f"cold-{i}-{k}", *main))
    return {name: (_median(one), _median(other)) for name, (one, other) in times.items()}


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def compared(console: Console, revision: str = BEFORE, rounds: int = 5) -> list[str]:
    """Prints the table, or why there is none; returns the rows that miss their goals."""
    table = Table(
        "start", revision, "now", "ratio", "of", "at most", title=f"medians of {rounds}", title_justify="left"
    )
    missed = []
    try:
        with checked_out(revision) as before, tempfile.TemporaryDirectory() as folder:
            times = measured(before, rounds, Path(folder))
    except ValueError as error:
        console.print(f"no table of starts: {error}")
        return []
    for name, (most, row, base) in GOALS.items():
        ratio = times[name][1] / times[row][0]
        if ratio > most / base:
            missed.append(f"start: {name}")
        times_ = (f"{value:.2f} s" for value in times[name])
        table.add_row(name, *times_, f"{ratio:.2f}", f"{row}, before", f"{most / base:.2f}")
    console.print(table)
    return missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How long a start takes, beside that of an earlier commit.")
    parser.add_argument("--before", metavar="REV", default=BEFORE, help="the other side (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="processes a side and row (default: %(default)s)")
    options = parser.parse_args()
    missed = compared(Console(highlight=False), options.before, options.rounds)
    print("not reached: " + ", ".join(missed) if missed else "every start is as short as it must be")
    sys.exit(bool(missed))
