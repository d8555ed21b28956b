"""`mm-jax train` and `mm-jax compare`: a list is learned, and what came of it is said."""

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mm_jax import ladder, words
from mm_jax.evaluation import Evaluation
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.models import catalogue
from mm_jax.models.contract import Params, num_params
from mm_jax.ngrams.orders import nlls
from mm_jax.tool import choosing, conditions, planning, runs, terminal, trainer
from mm_jax.tool.model_options import AUTO
from mm_jax.tool.output import give, hushed, say
from mm_jax.vocab import Vocab

REPORTED = 20_000  # words of train, dev and test each that losses are taken over after training


def train(
    path: Path,
    folder: Path,
    model: str,
    recipe: str | None,
    given: dict[str, Any],
    *,
    effort: str,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Learns a list into a run folder; prints the losses and ten samples. `settings` are the seed, and dedup."""
    listed = words.load_words(path)
    if settings["dedup"]:
        listed = list(dict.fromkeys(listed))
    vocab = Vocab.from_words(listed)
    split = runs.split_for(listed)
    if overwrite:
        _empty(folder)
    with runs.locked(folder):
        if model == AUTO:
            plan = runs.Plan(model, options={"effort": effort}, **settings)
        else:
            plan = planning.plan_for(listed, vocab, model, recipe, given, **settings)
        say(f"{len(listed):,} words with {len(vocab) - 1} different characters from {path}")
        if resume and (folder / "config.json").exists():
            _say_if_other_cores(runs.read_config(folder).get("cores", runs.cores()))
        if not split.dev:
            say("too few words for dev and test: all are learned, and nothing tells when to stop")
        runs.write_setup(folder, plan, split, resume)
        choice = None
        if model == AUTO:
            choice = choosing.choose(folder, plan, listed, split, vocab, resume, _watch)
            params = choice.kept.params
            say("\n".join(choice.lines()))
        else:
            say(planning.described(plan))
            params, _ = trainer.trained(folder, plan, split, vocab, resume, _watch)
            runs.save_model(folder, params)
    _report(folder, plan, params, split, choice, as_json)


def _say_if_other_cores(before: int) -> None:
    if before != runs.cores():
        say(f"begun on {before} core(s), going on with {runs.cores()}: the last digits may differ")


def _empty(folder: Path) -> None:
    """Removes a run, to make another in its place; ValueError for a folder that holds something else."""
    if not folder.exists():
        return
    if not (folder / "config.json").exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds no run, but other files: --overwrite leaves it alone; name another folder")
    with runs.locked(folder):
        shutil.rmtree(folder)


def _watch(run: Any, steps: int) -> Any:
    return terminal.watch(run, steps, Console(stderr=True, highlight=False, quiet=hushed()))


def _report(
    folder: Path, plan: runs.Plan, params: Params, split: words.Split, choice: choosing.Choice | None, as_json: bool
) -> None:
    parts = {name: part[:REPORTED] for name, part in split._asdict().items() if part}
    rows = {name: evaluate_words(params, part, seen=split.train) for name, part in parts.items()}
    if any(len(part) > REPORTED for part in split):
        say(f"losses of {REPORTED:,} words each: `mm-jax eval` takes all")
    warn_if_it_knows_little(params, rows, split)
    listed = [*split.train, *split.dev, *split.test]
    wanted = conditions.Wanted(new=True, distinct=True)
    found = conditions.draw(params, listed, 10, (plan.seed + 1) % 2**32, wanted, 10_000).words
    if as_json:
        losses = {name: dataclasses.asdict(row) for name, row in rows.items()}
        result: dict[str, Any] = {"run": str(folder), "plan": plan.as_json(), "losses": losses, "samples": found}
        if choice is not None:
            result |= {"tried": [each.as_json() for each in choice.tried], "kept": choice.kept.name}
        give(result, True, "")
        return
    terminal.show(terminal.losses_table(rows))
    if found:
        print(f"new words at temperature {conditions.temperature_for(len(listed))}, for {len(listed):,} words:")
        give(None, False, "\n".join(found))


def warn_if_it_knows_little(params: Params, rows: dict[str, Evaluation], split: words.Split) -> None:
    """Says so where a model predicts dev worse than counts of pairs of characters do."""
    if "dev" not in rows or len(split.dev) < 2:
        return
    dev = planning.judged(split)
    own = evaluate_words(params, dev).nll
    pairs = float(nlls(split.train, dev, params.vocab, 2)[-1].mean())
    if not own <= pairs + 0.01:  # an n-gram of order 2 is those counts, up to rounding
        say(
            f"warning: this model knows little: its loss on dev is {own:.2f}, and counts of pairs of characters reach "
            f"{pairs:.2f}; leave --model out to let the best be found"
        )


def compare(path: Path, steps: int, effort: str, as_json: bool) -> None:
    """Every model on a list, each trained as `mm-jax train` would, and their mixture."""
    listed = words.load_words(path)
    vocab, split = Vocab.from_words(listed), words.split_words(listed)
    tried: list[choosing.Tried] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in catalogue.kinds():
            plan = planning.plan_for(listed, vocab, name, None, {}, effort)
            if plan.recipe is not None:
                plan = dataclasses.replace(plan, recipe=plan.recipe.but(steps=min(steps, plan.recipe.steps)))
            say(planning.described(plan))
            begin = time.process_time()
            params, whole = trainer.trained(Path(folder) / name, plan, split, vocab, False, _watch)
            tried.append(choosing.judged(choosing.title(plan), params, split, time.process_time() - begin))
            if not whole:
                break
    tried += choosing.mixed(tried, split)
    rungs = [ladder.Rung(each.name, each.params, num_params(each.params), each.seconds) for each in tried]
    table, rows = ladder.table_of(rungs, split)
    if as_json:
        give(rows, True, "")
    else:
        terminal.show(table)
        best = choosing.best_of([each for each in tried if np.isfinite(each.dev)])
        print(f"`mm-jax train` would keep {best.name}")
