"""Trains any of the models that learn by gradient steps, and prints new names.

python examples/train.py --model gru            # also bigram, mlp, bow, rnn, transformer
python examples/train.py --model transformer --data my_list.txt --steps 500
"""

import argparse
import sys
import time
from pathlib import Path

import jax
from rich.console import Console

import mm_jax
from mm_jax import models
from mm_jax import words as lists
from mm_jax.models import catalogue
from mm_jax.tool import startup
from mm_jax.tool.terminal import losses_table, watch
from mm_jax.training import loop
from mm_jax.training.recipes import recipe_options, recipes_of

MODELS = [name for name, kind in catalogue.kinds().items() if kind.made_by == "init"]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains a model on a list of words, and prints new ones.")
    parser.add_argument("--model", choices=MODELS, default="gru", help="what to train (default: %(default)s)")
    parser.add_argument("--recipe", help="the name of one of the model's recipes (default: its first)")
    parser.add_argument("--data", type=Path, metavar="LIST", help="a text file, one word a line (default: names)")
    parser.add_argument("--steps", type=int, help="default: the recipe's")
    parser.add_argument("--batch-size", type=int, help="default: the recipe's")
    parser.add_argument("--lr", type=float, help="peak learning rate (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=42, help="decides every random number (default: %(default)s)")
    parser.add_argument("--num-samples", type=int, default=20, help="new names to print (default: %(default)s)")
    return parser.parse_args()


def main(args: argparse.Namespace, console: Console) -> None:
    module = getattr(models, args.model)
    recipes = recipes_of(module)
    name = args.recipe or next(iter(recipes))
    if name not in recipes:
        raise ValueError(f"{args.model} has no recipe {name!r}: choose {' or '.join(recipes)}")
    given = {"steps": args.steps, "batch_size": args.batch_size, "learning_rate": args.lr}
    recipe = recipes[name].but(**{name: value for name, value in given.items() if value is not None})
    path = args.data or lists.find_words()
    words = mm_jax.load_words(path)
    split = mm_jax.split_words(words)
    vocab = mm_jax.Vocab.from_words(words)
    console.print(f"{len(words):,} words with {len(vocab) - 1} different characters from {path}")

    init_key, fit_key, sample_key = jax.random.split(jax.random.key(args.seed), 3)
    params = module.init(init_key, vocab, **recipe_options(module, name))
    console.print(f"{args.model}: {mm_jax.num_params(params):,} parameters, recipe '{name}' with seed {args.seed}")
    state = loop.first_state(params, fit_key, recipe)
    begin = None
    for progress in watch(loop.run(state, split.train, recipe, dev=split.dev), recipe.steps, console):
        state = progress.state
        begin = time.process_time() if begin is None else begin
    params = state.params
    console.print(f"{time.process_time() - (begin or 0):.0f} CPU seconds after compilation, dev losses included")

    rows = {part: mm_jax.evaluate(params, each, seen=split.train) for part, each in split._asdict().items()}
    console.print(losses_table(rows))
    known = set(words)
    console.print(f"\n{args.num_samples} samples (* is in the list):")
    for word in mm_jax.sample(params, sample_key, args.num_samples):
        console.print(f"{word} *" if word in known else word, markup=False, highlight=False)


if __name__ == "__main__":
    startup.prepare()
    try:
        main(options(), Console(highlight=False))
    except ValueError as error:
        sys.exit(f"error: {error}")
