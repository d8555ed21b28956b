"""Learns documents, one a line, word by word: the loss of each order and model, and ten new lines to read.

    python examples/documents.py                                  # writes verses.txt
    mm-jax train verses.txt --units words --out runs/verses       # from then on a list like any other
    mm-jax sample runs/verses --prefix "In the"

The documents are the 31,102 verses of the King James Bible, which apt fetches: the packages bible-kjv, whose command
prints them, and bible-kjv-text (public domain). --text FILE takes another text. A comma is a word of its own here:
marks are set apart by blanks, so that `earth` and `earth,` are one word.
"""

import argparse
import logging
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

import mm_jax
from mm_jax import terminal
from mm_jax.learning import candidates, plans
from mm_jax.ngrams.orders import nlls
from mm_jax.words import WordList

ORDERS, VERSES = 6, 31_102


def fetched() -> list[str]:
    """Returns the verses of Debian's packages, without installing them."""

    def call(folder: str, *command: str) -> str:
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=120).stdout

    with tempfile.TemporaryDirectory() as folder:
        try:
            call(folder, "apt-get", "download", "bible-kjv", "bible-kjv-text")
            for package in Path(folder).glob("*.deb"):
                call(folder, "dpkg-deb", "-x", package.name, ".")
            text = call(folder, "usr/bin/bible", "-f", "-p", "usr/lib", "gen1:1-rev22:21")
        except (OSError, subprocess.SubprocessError) as error:
            raise SystemExit(f"apt cannot fetch the verses ({error}): give --text FILE, one document a line") from None
    verses = [line.split(" ", 1)[1] for line in text.splitlines()]  # Ge1:1 In the beginning
    if len(verses) != VERSES:
        raise SystemExit(f"the packages hold {len(verses):,} verses, not {VERSES:,}: give --text FILE")
    return verses


def apart(line: str) -> str:
    """Sets marks apart from words: `earth.` to `earth .`."""
    return " ".join(re.sub(r"([,.:;?!()])", r" \1 ", line).split())


def table_of(words: WordList, tried: list[Any]) -> Table:
    """Returns the nats per word and per character of dev, by order and by model."""
    dev = plans.dev_for_choices(words.split)
    table = Table(title=f"nats on {len(dev):,} lines of dev", title_justify="left")
    for heading in ("", "per word", "per character"):
        table.add_column(heading, justify="right" if table.columns else "left")
    characters = sum(map(len, dev)) + len(dev)
    for order, row in enumerate(nlls(words.split.train, dev, words.vocab, ORDERS), 1):
        table.add_row(f"n-gram of order {order}", f"{row.mean():.4f}", f"{row.sum() / characters:.4f}")
    for one in tried:
        found = mm_jax.evaluate(one.params, dev)
        table.add_row(one.name, f"{found.nll:.4f}", f"{found.per_character:.4f}")
    return table


def main(args: argparse.Namespace) -> None:
    """Writes the list, learns it, prints the table and ten lines."""
    lines = fetched() if args.text is None else mm_jax.load_words(args.text)
    lines = [apart(line) for line in lines]
    args.out.write_text("\n".join([*lines, ""]), encoding="utf-8")
    words = WordList.of(lines, "words")
    print(f"{args.out}: {len(lines):,} lines, {words.tokens:,} words with ends, {len(words.vocab) - 1:,} different")
    choice = candidates.learn(lines, jax.random.key(0), args.effort, units="words")
    terminal.show(table_of(words, choice.tried))
    for line in mm_jax.sample(choice.params, jax.random.key(1), 10, exclude=lines):
        print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a text with one document on each line, in place of the verses")
    parser.add_argument("--out", type=Path, default=Path("verses.txt"), help="the list to write")
    parser.add_argument("--effort", default="normal", help="quick, normal or best")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        main(parser.parse_args())
    except ValueError as error:
        raise SystemExit(f"documents.py: {error}") from None
