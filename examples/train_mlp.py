"""Trains the MLP of makemore part 2 on a list of names, and prints new ones.

python examples/train_mlp.py                        # about as good as 11,897 parameters get, in seconds
python examples/train_mlp.py --recipe lecture       # the lecture's 200,000 steps of SGD
python examples/train_mlp.py --data my_list.txt     # a list of your own, one word a line
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import jax
from rich.console import Console

import mm_jax
from mm_jax import words as lists
from mm_jax.tool import startup
from mm_jax.tool.planning import for_size
from mm_jax.tool.terminal import losses_table, watch
from mm_jax.training import loop
from mm_jax.training.recipes import recipe_options, recipes_of

RECIPES = recipes_of(mm_jax.mlp)
LECTURE = {"train": "2.12", "dev": "2.17"}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Trains an MLP on a list of words, character by character, and prints new ones."
    )
    parser.add_argument("--data", type=Path, metavar="LIST", help="a text file, one word a line (default: names)")
    parser.add_argument("--recipe", choices=RECIPES, default="tuned", help="how to train (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="default: the recipe's")
    parser.add_argument("--batch-size", type=int, help="default: the recipe's")
    parser.add_argument("--lr", type=float, help="peak learning rate (default: the recipe's)")
    parser.add_argument("--block-size", type=int, default=3, help="characters of context (default: %(default)s)")
    parser.add_argument("--embedding-dim", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--hidden-dim", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=42, help="decides every random number (default: %(default)s)")
    parser.add_argument("--num-samples", type=int, default=20, help="new names to print (default: %(default)s)")
    return parser.parse_args()


def main(args: argparse.Namespace, console: Console) -> None:
    if args.num_samples < 0:
        raise ValueError(f"--num-samples is {args.num_samples}: give 0 or more")
    path = args.data or lists.find_words()
    words = mm_jax.load_words(path)
    split = mm_jax.split_words(words)
    vocab = mm_jax.Vocab.from_words(words)
    console.print(f"{len(words):,} words with {len(vocab) - 1} different characters from {path}")
    recipe = RECIPES[args.recipe]
    if args.recipe == next(iter(RECIPES)):  # the lecture's is taken as it is
        recipe = for_size(recipe, sum(map(len, words)) + len(words), vocab)
    given = {"steps": args.steps, "batch_size": args.batch_size, "learning_rate": args.lr}
    recipe = recipe.but(**{name: value for name, value in given.items() if value is not None})

    init_key, fit_key, sample_key = jax.random.split(jax.random.key(args.seed), 3)
    params = mm_jax.mlp.init(
        init_key,
        vocab,
        block_size=args.block_size,
        embedding_dim=args.embedding_dim,
        hidden_dim=args.hidden_dim,
        **recipe_options(mm_jax.mlp, args.recipe),
    )
    console.print(f"{mm_jax.num_params(params):,} parameters, recipe '{args.recipe}' with seed {args.seed}")

    state = loop.first_state(params, fit_key, recipe)
    step, best_step, best_dev = 0, 0, float("inf")
    evaluated = partial(mm_jax.evaluate, params, split.dev)
    sampled = partial(mm_jax.sample, params, sample_key, args.num_samples)
    with startup.ahead(evaluated, sampled):  # of the untrained model: the programs are those of the trained one
        for progress in watch(loop.run(state, split.train, recipe, dev=split.dev), recipe.steps, console):
            step = int(progress.state.step)
            if progress.dev is not None and progress.dev < best_dev:  # a short list is learned by heart at some step
                params, best_step, best_dev = jax.device_get(progress.state.params), step, progress.dev
    if best_step < step:
        console.print(f"dev was best at step {best_step:,} ({best_dev:.4f}), which is what is kept")

    rows = {name: mm_jax.evaluate(params, part, seen=split.train) for name, part in split._asdict().items()}
    console.print(losses_table(rows, LECTURE if lists.is_names(path) else None))

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
