"""Trains any of the models that learn by gradient steps, and prints new names.

python examples/train.py --model gru            # also bigram, mlp, wavenet, bow, rnn, transformer
python examples/train.py --model transformer --data my_list.txt --steps 500

The main job, `train_mlp.py`, is this file for one model: `main` is the same.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

import mm_jax
from mm_jax import models, startup
from mm_jax import words as lists
from mm_jax.evaluation import evaluate_split
from mm_jax.models.contract import Model
from mm_jax.terminal import losses_table, watch
from mm_jax.training import loop
from mm_jax.training.recipes import for_size, options_for, recipe_options, recipes_of


def parser(description: str, model: Model) -> argparse.ArgumentParser:
    """The options of both programs."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--data", type=Path, metavar="LIST", help="a text file, one word a line (default: names)")
    found.add_argument("--recipe", help=f"how to train (default: {next(iter(recipes_of(model)))})")
    found.add_argument("--steps", type=int, help="default: the recipe's")
    found.add_argument("--batch-size", type=int, help="default: the recipe's")
    found.add_argument("--lr", type=float, help="peak learning rate (default: the recipe's)")
    found.add_argument("--seed", type=int, default=42, help="decides every random number (default: %(default)s)")
    found.add_argument("--num-samples", type=int, default=20, help="new names to print (default: %(default)s)")
    return found


def main(
    args: argparse.Namespace,
    model: Model,
    console: Console,
    options: dict[str, Any] | None = None,
    lecture: dict[str, str] | None = None,
) -> None:
    """Trains a model, keeps what is best on dev, and prints its losses and samples.

    `options` are those of the model's `init`; `lecture` the losses to print beside those of names.txt.
    """
    if args.num_samples < 0:
        raise ValueError(f"--num-samples is {args.num_samples}: give 0 or more")
    recipes = recipes_of(model)
    name = args.recipe or next(iter(recipes))
    if name not in recipes:
        raise ValueError(f"{model.name} has no recipe {name!r}: choose {' or '.join(recipes)}")
    path = args.data or lists.find_words()
    words = lists.WordList.of(mm_jax.load_words(path))
    if not words.split.test:
        raise ValueError(f"{len(words.words)} words are too few to split into train, dev and test: give at least 6")
    train, dev, _ = words.split
    console.print(f"{len(words.words):,} words with {len(words.vocab) - 1} different characters from {path}")
    recipe = recipes[name]
    if name == next(iter(recipes)):  # the others are taken as they are, such as the lecture's
        recipe = for_size(recipe, words.tokens, words.vocab)
    given = {"steps": args.steps, "batch_size": args.batch_size, "learning_rate": args.lr}
    recipe = recipe.but(**{option: value for option, value in given.items() if value is not None})

    init_key, fit_key, sample_key = jax.random.split(jax.random.key(args.seed), 3)
    assert model.init is not None  # both programs offer models with an `init` only
    own = {**recipe_options(model, name), **(options or {})}
    params = model.init(init_key, words.vocab, **options_for(model, own, words.words, words.vocab.units))
    console.print(f"{mm_jax.num_params(params):,} parameters, recipe '{name}' with seed {args.seed}")
    state = loop.first_state(params, fit_key, recipe)
    step, best_step, best_dev = 0, 0, float("inf")
    evaluated = partial(mm_jax.evaluate, params, dev)
    sampled = partial(mm_jax.sample, params, sample_key, args.num_samples)
    with startup.precompile(evaluated, sampled):  # of the untrained model: the programs are those of the trained one
        for progress in watch(loop.run(state, train, recipe, dev=dev), recipe.steps, console):
            step = int(progress.state.step)
            if progress.dev is not None and progress.dev < best_dev:  # a short list is overfitted at some step
                params, best_step, best_dev = jax.device_get(progress.state.params), step, progress.dev
    if best_step < step:
        console.print(f"keeps step {best_step:,}, the best on dev ({best_dev:.4f})")

    rows = evaluate_split(params, words.split)
    console.print(losses_table(rows, lecture if lists.is_names(path) else None))
    known = set(words.words)
    console.print(f"\n{args.num_samples} samples (* is in the list):")
    for word in mm_jax.sample(params, sample_key, args.num_samples):
        console.print(f"{word} *" if word in known else word, markup=False, highlight=False)


def run(job: Any) -> None:
    """Calls `job` with a console; a user's mistake is one line, and status 1."""
    startup.prepare()
    try:
        job(Console(highlight=False))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    known = {name: model for name, model in models.makeable().items() if model.init}
    asked = argparse.ArgumentParser(add_help=False)
    asked.add_argument("--model", choices=known, default="gru", help="what to train (default: %(default)s)")
    chosen = known[asked.parse_known_args()[0].model]
    options = parser("Trains a model on a list of words, and prints new ones.", chosen)
    options.add_argument("--model", choices=known, default="gru", help="what to train (default: %(default)s)")
    run(partial(main, options.parse_args(), chosen))
