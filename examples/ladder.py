"""From uniform to a mixture: every model of mm_jax on one list, by one protocol.

    python examples/ladder.py

The lecture's split by word; nats per character, the end included. Everything is learned from train; training stops
and choices are made on dev; the weights of the mixtures are fitted on one half of dev, and what they reach on the other
half is printed as well. Test is looked at once, when all is fitted.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

import mm_jax
from mm_jax import ladder
from mm_jax import words as lists


def main(args: argparse.Namespace, console: Console) -> None:
    path = args.data or lists.find_words()
    words = mm_jax.load_words(path)
    split = mm_jax.split_words(words)
    console.print(f"{len(words):,} words from {path}")
    rungs = []
    for rung in ladder.fit_all(lists.WordList.of(words), most_steps=args.steps):
        rungs.append(rung)
        line = f"{rung.name}: dev {mm_jax.evaluate(rung.params, split.dev).nll:.4f}"
        if isinstance(rung.params, mm_jax.Mixture):
            here, there = (mm_jax.evaluate(rung.params, split.dev[i::2]).nll for i in range(2))
            weights = " ".join(f"{weight:.2f}" for weight in rung.params.weights.tolist())
            line += f" ({here:.4f} on the half that fitted the weights, {there:.4f} on the other; weights {weights})"
        console.print(line, style="dim")
    console.print(ladder.table_of(rungs, split, args.num_samples)[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Every model on one list, by one protocol.")
    parser.add_argument("--data", type=Path, metavar="LIST", help="a text file, one word a line (default: names)")
    parser.add_argument("--steps", type=int, help="no training takes more steps than this (default: no limit)")
    parser.add_argument("--num-samples", type=int, default=1000, help="words to sample for the share of new ones")
    try:
        main(parser.parse_args(), Console(highlight=False))
    except ValueError as error:
        sys.exit(f"error: {error}")
