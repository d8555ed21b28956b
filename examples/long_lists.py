"""Counts n-grams of 10^6, 10^7 and 10^8 words, drawn anew, from a file to a fitted model: time, memory, disk.

    python examples/long_lists.py                                  # some ten minutes, and 2 GB of disk
    python examples/long_lists.py --words 1000000 --engine spark   # needs pip install -e '.[spark]', and Java

The words are drawn from an n-gram model of the bundled given names: a longer list of the same kind. Each size is a
process of its own. Time is of the processor, user and system, from the start of the process to the fitted model; memory
is the peak of resident memory, the pages of mapped files included. What Spark's Java takes is told apart.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ORDER = 6


def draw(path: Path, number: int) -> None:
    """Writes words of an n-gram of order 4 to a file, a million at a time."""
    import jax

    import mm_jax
    from mm_jax import words as lists

    names = mm_jax.load_words(lists.bundled_names())
    params = mm_jax.ngram.fit(names, mm_jax.Vocab.from_words(names), order=4)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for block in range(-(-number // 1_000_000)):
            wanted = min(1_000_000, number - block * 1_000_000)
            file.write("\n".join([*mm_jax.sample(params, jax.random.key(block), wanted), ""]))
    part.rename(path)


def measure(path: Path, engine: str, memory: float) -> dict[str, float]:
    """Returns what fitting the list of a file takes."""
    import mm_jax
    from mm_jax.streams import WordFile

    words = WordFile(path)
    vocab = mm_jax.Vocab.from_words(words)
    if engine == "spark":
        from pyspark.sql import SparkSession

        session = SparkSession.builder.master("local[2]").config("spark.driver.memory", "3g").getOrCreate()
        params = mm_jax.ngram.fit(words, vocab, ORDER, engine=session)
        session.stop()
    else:
        params = mm_jax.ngram.fit(words, vocab, ORDER, memory=memory)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    mm_jax.save(params, model := path.with_suffix(".safetensors"))
    saved = model.stat().st_size
    model.unlink()
    return {
        "words": len(words),
        "text": words.size,
        "seconds": own.ru_utime + own.ru_stime,
        "other": children.ru_utime + children.ru_stime,
        "memory": own.ru_maxrss * 1024,
        "entries": mm_jax.ngram.num_entries(params),
        "model": saved,
    }


def in_a_process(path: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(path), "--engine", options.engine]
    command += ["--memory", str(options.memory)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def row(engine: str, found: dict[str, Any]) -> str:
    cells = [f"{found['words']:,}", engine, f"{found['text'] / 1e6:,.0f}", f"{found['entries']:,}"]
    cells += [f"{found['seconds']:,.0f}" + (f" + {found['other']:,.0f} of Java" if engine == "spark" else "")]
    cells += [f"{found['memory'] / 1e9:.2f}", f"{found['model'] / 1e6:,.0f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, nargs="+", default=[10**6, 10**7, 10**8])
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    parser.add_argument("--folder", type=Path, help="where the lists are drawn to, and stay; else a temporary folder")
    parser.add_argument("--memory", type=float, default=1.0, help="GB for DuckDB")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.engine, options.memory)))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.folder or Path(temporary)
            os.makedirs(folder, exist_ok=True)
            print("| words | engine | text, MB | n-grams | CPU s | peak, GB | model, MB |\n|--|--|--|--|--|--|--|")
            for number in options.words:
                path = folder / f"drawn_{number}.txt"
                if not path.exists():
                    draw(path, number)
                print(row(options.engine, in_a_process(path, options)), flush=True)
