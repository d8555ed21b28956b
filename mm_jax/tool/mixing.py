"""`mm-jax mix`: several runs as one, as a mixture or as a product."""

import math
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import typer

from mm_jax import conditions
from mm_jax.models import product, widened
from mm_jax.models.mixture import Mixture
from mm_jax.output import give, say
from mm_jax.symbols import cut
from mm_jax.tool import runs
from mm_jax.vocab import Vocab
from mm_jax.words import Split, WordList


def parsed(text: str | None, count: int) -> list[float]:
    """Parses the weights of `count` runs; raises typer.BadParameter for anything else."""
    try:
        values = [1.0] * count if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not all(0 < value < math.inf for value in values):
        raise typer.BadParameter(f"{text!r} is not {count} positive numbers, such as 1,2", param_hint="--weights")
    return values


def mix(folders: Sequence[Path], weights: Sequence[float], out: Path, as_json: bool, both: bool = False) -> None:
    """Writes a run whose model is the weighted mixture of others, and whose list joins their lists.

    With `both` it is their product, the weights are its powers, and its list is the words of letters that all know.
    """
    if out in folders:
        raise ValueError(f"{out} is one of the runs to mix: name another folder")
    if runs.RunFolder(out).has_model():
        raise ValueError(f"{out} holds a run already: name another folder")
    opened = [runs.RunFolder(folder).open() for folder in folders]
    units, *others = sorted({run.params.vocab.units for run in opened})
    if others:
        raise ValueError(f"the runs' symbols are {' and '.join([units, *others])}: train them with the same --units")
    known = [frozenset(run.params.vocab.symbols[1:]) for run in opened]
    vocab = Vocab.from_words(sorted(frozenset.union(*known)), units)
    members = [widened.wrap(run.params, vocab) for run in opened]
    if both:
        params = product.of(members, weights)
        shares = list(weights)
    else:
        shares = [weight / math.fsum(weights) for weight in weights]
        params = Mixture(members=tuple(members), scores=jnp.log(jnp.array(shares, jnp.float32)), vocab=vocab)
    shared = frozenset.intersection(*known)
    train, dev, test = (
        [word for run in opened for word in run.split[i] if not both or shared.issuperset(cut(word, units))]
        for i in range(3)
    )
    if not (train or dev or test):
        raise ValueError("no word of the runs is of symbols that all of them know: mix them without --both")
    options = {"runs": [str(folder) for folder in folders], "weights": shares} | ({"both": True} if both else {})
    run = runs.RunFolder(out)
    with run.locked():
        plan = runs.Plan("mix", options=options, units=units)
        run.write_setup(plan, WordList(Split(train, dev, test), vocab), resume=False)
        run.save_model(params)
    if not both and 2 * len(shared) < (fewest := min(map(len, known))):
        say(f"warning: the runs share {len(shared)} of {fewest} {units}: a word may go on in another alphabet")
    found = conditions.ten_new(params, [*train, *dev, *test], jax.random.key(1))
    unit = "{:g} x" if both else "{:.0%}"
    parts = ", ".join(f"{unit.format(share)} {folder}" for share, folder in zip(shares, folders, strict=True))
    say(f"{out}: {parts}; {len(shared) if both else len(vocab) - 1} {'shared' if both else 'different'} {units}")
    give({"run": str(out), "weights": shares, "samples": found}, as_json, "\n".join(found))
