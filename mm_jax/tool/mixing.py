"""`mm-jax mix`: several runs as one, which makes words that are something of each."""

import math
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp

from mm_jax.models import widened
from mm_jax.models.mixture import Mixture
from mm_jax.tool import conditions, runs
from mm_jax.tool.output import give, say
from mm_jax.vocab import Vocab
from mm_jax.words import Split


def mix(folders: Sequence[Path], weights: Sequence[float], out: Path, as_json: bool) -> None:
    """Writes a run whose model is the weighted mean of others, character by character; its list is all their lists."""
    if out in folders:
        raise ValueError(f"{out} is one of the runs to mix: name another folder")
    opened = [runs.open_run(folder) for folder in folders]
    vocab = Vocab.from_words([run.params.vocab.chars[1:] for run in opened])
    share = [weight / math.fsum(weights) for weight in weights]
    params = Mixture(
        members=tuple(widened.wrap(run.params, vocab) for run in opened),
        scores=jnp.log(jnp.array(share, jnp.float32)),
        vocab=vocab,
    )
    train, dev, test = ([word for run in opened for word in run.split[i]] for i in range(3))
    split = Split(train, dev, test)
    plan = runs.Plan("mix", options={"runs": [str(folder) for folder in folders], "weights": list(share)})
    with runs.locked(out):
        runs.write_setup(out, plan, split, resume=False)
        runs.save_model(out, params)
    wanted = conditions.Wanted(new=True, distinct=True)
    found = conditions.draw(params, [*train, *dev, *test], 10, 1, wanted, 10_000).words
    parts = ", ".join(f"{each:.0%} {folder}" for each, folder in zip(share, folders, strict=True))
    say(f"{out}: {parts}; {len(vocab) - 1} different characters")
    give({"run": str(out), "weights": share, "samples": found}, as_json, "\n".join(found))
