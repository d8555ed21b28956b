"""What the ladder's parts cost at 10,000, 100,000 and 1,000,000 words, on one core and on two.

    python examples/benchmark_growth.py          # some minutes
    python examples/benchmark_growth.py --quick  # 1,000 and 10,000 words

The words are drawn anew from an n-gram model of the bundled given names: a longer list of the same kind, no copies.
Each size and number of cores is a process of its own. Memory is what a part's peak adds to what was there before it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = {"mlp": 200, "gru": 20}


def peak_of(work: Callable[..., Any], *args: Any) -> tuple[float, float, Any]:
    """Seconds, bytes that the peak of memory lies above what was held before (nan but on Linux), and the result."""
    import jax

    status, before = Path("/proc/self/status"), float("nan")
    if status.exists():
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
        before = _field(status, "VmRSS")
    begin = time.perf_counter()
    found = jax.block_until_ready(work(*args))
    taken = time.perf_counter() - begin
    return taken, (_field(status, "VmHWM") - before if status.exists() else float("nan")), found


def _field(status: Path, name: str) -> float:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return 1024 * float(line.split()[1])


def draw_words(path: Path, n: int) -> None:
    """Writes n words of the n-gram to a file."""
    import jax

    import mm_jax
    from mm_jax import words as lists

    names = mm_jax.load_words(lists.bundled_names())
    params = mm_jax.ngram.fit(names, mm_jax.Vocab.from_words(names))
    drawn = mm_jax.sample(params, jax.random.key(0), n + n // 100)
    path.write_text("\n".join([word for word in drawn if word][:n]))


def costs(path: Path, n: int) -> dict[str, tuple[float, float]]:
    """(seconds, bytes) of each part, for the first n words of a file."""
    import jax

    import mm_jax
    from mm_jax.evaluation import evaluate
    from mm_jax.training import batches, loop
    from mm_jax.training.recipes import recipes_of

    words = path.read_text().splitlines()[:n]
    vocab = mm_jax.Vocab.from_words(words)
    taken, held, pairs = peak_of(mm_jax.counts.fit, words, vocab)
    found = {"counting pairs": (taken, held)}
    mm_jax.sample(pairs, jax.random.key(0), n)  # compiles
    found["sampling from the pairs"] = peak_of(mm_jax.sample, pairs, jax.random.key(1), n)[:2]
    taken, held, params = peak_of(mm_jax.ngram.fit, words, vocab, 6)
    found["counting n-grams, order 6"] = (taken, held)
    evaluate(params, words[:100])
    found["evaluating the n-gram"] = peak_of(evaluate, params, words)[:2]
    for kind in STEPS:
        module = getattr(mm_jax, kind)
        recipe = next(iter(recipes_of(module.MODEL).values())).but(steps=3 * STEPS[kind])
        params = module.init(jax.random.key(0), vocab)
        recipe = recipe.but(teach=0.0)  # a teacher is an n-gram, which was counted above
        part = "whole words in rows, and their trie" if kind == "gru" else "distinct contexts"
        found[part] = peak_of(batches.make_batches, words, params, recipe)[:2]
        run = loop.run(loop.first_state(params, jax.random.key(1), recipe), words, recipe, interval=STEPS[kind])
        for _ in range(2):  # compiled, and what is made at the first step
            next(run)
        found[f"{STEPS[kind]} steps of the {kind.upper()}"] = peak_of(next, run)[:2]
        if kind == "mlp":
            evaluate(params, words[:100])
            found["evaluating the MLP"] = peak_of(evaluate, params, words)[:2]
    return found


def in_a_process(cores: int | None, *args: str) -> Any:
    """What a process of this file prints, on so many cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    done = subprocess.run(
        [sys.executable, __file__, *args],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None


def tables(console: Any, quick: bool = False) -> None:
    """Prints what each part costs a word, and the steps in all, by size and cores."""
    from rich.table import Table

    sizes = (1_000, 10_000) if quick else (10_000, 100_000, 1_000_000)
    cores = [each for each in (1, 2) if each <= len(os.sched_getaffinity(0))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "words.txt")
        in_a_process(None, "--draw", str(path), str(sizes[-1]))
        found = {(n, each): in_a_process(each, "--costs", str(path), str(n)) for n in sizes for each in cores}
    columns = [f"{n:,}, {each} core{'s' * (each > 1)}" for n in sizes for each in cores]
    times = Table("microseconds a word; steps: ms in all", *columns, title="words, cores", title_justify="left")
    memory = Table("bytes a word; steps: MB in all", *columns)
    for part in next(iter(found.values())):
        steps = "steps" in part
        times.add_row(part, *(f"{cost[part][0] * (1e3 if steps else 1e6 / n):.3g}" for (n, _), cost in found.items()))
        memory.add_row(part, *(f"{cost[part][1] / (1e6 if steps else n):,.0f}" for (n, _), cost in found.items()))
    console.print(times)
    console.print(memory)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the ladder's parts cost as the list grows.")
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 words")
    parser.add_argument("--draw", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--costs", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        draw_words(Path(options.draw[0]), int(options.draw[1]))
    elif options.costs:
        print(json.dumps(costs(Path(options.costs[0]), int(options.costs[1]))))
    else:
        from rich.console import Console

        tables(Console(highlight=False, width=160), options.quick)
