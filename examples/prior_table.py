"""Measures what the bundled prior gains on lists that it has not read: examples/prior.csv, its table, its picture.

    python examples/prior_table.py --corpora lists.json   # measures what prior.csv lacks, and prints its table
    python examples/evidence.py --tables                  # writes the table and the picture

The lists are those that prior_lists.py holds out. Of each, a fifth of the words is not seen; the rest is given to
`mm_jax.prior.interpolate`, all of it or the first 20, 50, ... words. Losses are nats per character of the words not
seen; the n-grams are those of `mm-jax train`, of the order that cross-validation chooses. Lists in Latin script are
measured in lower case too, and the first ten lists with each letter replaced by one of Linear B, a script of which the
prior has seen nothing.
"""

import argparse
import csv
import multiprocessing
import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from prior_lists import List, all_lists, split

import mm_jax
from mm_jax import prior
from mm_jax.models.ngram import MODEL as NGRAM
from mm_jax.prior import adapting, heads

FILE = Path(__file__).with_name("prior.csv")
PICTURE = Path(__file__).parent / "pictures" / "prior.png"
SIZES = (20, 50, 100, 200)  # no list held out has 500 words and a fifth more
UNKNOWN = 10  # lists in Linear B
CHANGED = ("LOWER", "LINEAR")  # the same lists in lower case, and in Linear B
LOSSES = ("ngram", "as_it_is", "adapted", "product", "page")
COLUMNS = ("list", "script", "words", "given", "order", *LOSSES, "steps", "cpu_s")
Row = dict[str, Any]


def tasks(held: list[List]) -> Iterator[tuple[List, int]]:
    """Yields lists, and how many of their words are given; 0 for four fifths of them."""
    latin = [entry for entry in held if entry.script == "LATIN"]
    for entry in held:
        yield entry, 0
    for entry in held[:UNKNOWN]:
        letters = sorted({char for word in entry.words for char in word if char.isalpha()})
        names = str.maketrans({char: chr(0x10000 + i) for i, char in enumerate(letters)})
        yield List(f"{entry.name} in Linear B", entry.family, [w.translate(names) for w in entry.words], "LINEAR"), 0
    for entry in latin:
        lowered = list(dict.fromkeys(word.lower() for word in entry.words))
        yield List(f"{entry.name} in lower case", entry.family, lowered, "LOWER"), 0
    for size in SIZES:
        for entry in latin:
            if len(entry.words) >= 1.25 * size:
                yield entry, size


def measure(entry: List, given: int) -> Row:
    """Measures one list."""
    words = [word for word in entry.words if "." not in word]
    random.Random(5).shuffle(words)
    test, train = words[: len(words) // 5], words[len(words) // 5 :]
    train = train[: given or None]
    vocab = mm_jax.Vocab.from_words(words)
    folds = [([word for i, word in enumerate(train) if i % 10 != fold], train[fold::10]) for fold in range(10)]
    assert NGRAM.choose is not None
    order = NGRAM.choose(folds, vocab)[0]["order"]
    params, key = prior.load(), jax.random.key(0)
    loss: Callable[[Any], float] = lambda model: mm_jax.evaluate(model, test).nll  # noqa: E731
    row: Row = {"list": entry.name, "script": entry.script, "words": len(words), "given": given, "order": order}
    row["ngram"] = loss(mm_jax.ngram.fit(train, vocab, order=order))
    row["as_it_is"] = loss(prior.restrict(params, train, vocab))
    begin = time.process_time()
    found = prior.interpolate(params, train, vocab, key, order=order)
    row["cpu_s"], row["steps"], row["product"] = time.process_time() - begin, found.steps, loss(found.params)
    row["adapted"] = loss(adapting.train_on(prior.restrict(params, train, vocab), train, found.steps, key))
    row["page"] = loss(heads.interpolate(params, train, vocab, order).params)
    return row


def write(path: Path) -> None:
    """Measures what the file lacks, and adds a row as each is measured."""
    done = {(row["list"], row["given"]) for row in read()}
    _, held = split(all_lists(path))
    with FILE.open("a", newline="", encoding="utf-8") as file:
        writer: Any = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        left = [task for task in tasks(held) if (task[0].name, task[1]) not in done]
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            for row in pool.map(measure, *zip(*left, strict=True)) if left else ():
                writer.writerow({name: f"{x:.5g}" if isinstance(x, float) else x for name, x in row.items()})
                file.flush()
                print(
                    f"{row['list']}, {row['given'] or row['words']} words: {row['ngram']:.3f} -> {row['product']:.3f}"
                )


def read() -> list[Row]:
    """Reads the file; none yet is no rows."""
    if not FILE.exists():
        return []
    with FILE.open(newline="", encoding="utf-8") as file:
        texts = {"list", "script"}
        return [{name: x if name in texts else float(x) for name, x in row.items()} for row in csv.DictReader(file)]


def table(rows: list[Row]) -> Iterator[str]:
    """Yields the lines of the table by size and script."""
    yield "| lists | number | n-grams | as it is | adapted | product | gain, +- | worse by over 0.01 | a page |"
    yield "|--|--|--|--|--|--|--|--|--|"
    whole = [row for row in rows if row["given"] == 0]
    latin = [row for row in whole if row["script"] == "LATIN"]
    yield line("Latin script, 30 to 600 words", latin)
    for size in SIZES:
        if given := [row for row in rows if row["given"] == size]:
            yield line(f"the same, {size} words given", given)
    yield line("the same, in lower case", (row for row in whole if row["script"] == "LOWER"))
    others = [row for row in whole if row["script"] not in ("LATIN", *CHANGED)]
    yield line("eight other scripts", others)
    for script in dict.fromkeys(row["script"] for row in others):
        yield line(script.capitalize(), (row for row in others if row["script"] == script))
    yield line("a script never seen", (row for row in whole if row["script"] == "LINEAR"))
    behind = np.array([row["page"] - row["product"] for row in latin])
    below = sum(row["page"] < row["ngram"] for row in latin)
    error = behind.std(ddof=1) / len(behind) ** 0.5
    yield ""
    yield f"A page is {behind.mean():.3f} +- {error:.3f} behind the product on the {len(latin)} lists in Latin script,"
    yield f"and below the n-grams on {below} of them."


def line(name: str, rows: Iterable[Row]) -> str:
    """Returns a line of the table: means over lists; the gain with its standard error, in pairs."""
    rows = list(rows)
    *means, page = (f"{np.mean([row[column] for row in rows]):.3f}" for column in LOSSES)
    gains = np.array([row["ngram"] - row["product"] for row in rows])
    error = f"{gains.std(ddof=1) / len(gains) ** 0.5:.3f}" if len(gains) > 1 else "?"
    gain = f"{gains.mean():.3f}, {error} | {(gains < -0.01).sum()}"
    return f"| {name} | {len(rows)} | {' | '.join(means)} | {gain} | {page} |"


def draw(rows: list[Row]) -> None:
    """Draws the gain against the number of words given."""
    figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
    for script, color in (("LATIN", "tab:blue"), ("other", "tab:orange")):
        chosen = [
            row for row in rows if (row["script"] == "LATIN") == (script == "LATIN") and row["script"] not in CHANGED
        ]
        given = [row["given"] or 0.8 * row["words"] for row in chosen]
        label = "Latin script" if script == "LATIN" else "eight other scripts"
        ax.scatter(given, [row["ngram"] - row["product"] for row in chosen], s=14, alpha=0.6, color=color, label=label)
    ax.axhline(0, color="gray", linewidth=0.8)
    ax.set(xscale="log", xlabel="words given", ylabel="nats per character gained")
    ax.set_xticks([20, 50, 100, 200, 500], labels=["20", "50", "100", "200", "500"])
    ax.minorticks_off()
    ax.set_title("what other lists tell of a new one: n-grams alone, and times the prior", fontsize=10)
    ax.legend()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="a checkout of dariusk/corpora, or a JSON file")
    write(parser.parse_args().corpora)
    print("\n".join(table(read())))
