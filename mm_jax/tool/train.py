"""`mm-jax train` and `mm-jax compare`: learn a list, and print what came of it."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from mm_jax import ladder, terminal, words
from mm_jax.checks import cores
from mm_jax.evaluation import Evaluation
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.models.contract import Params
from mm_jax.ngrams.orders import nlls
from mm_jax.output import give, hushed, say
from mm_jax.tool import candidates, conditions, plans, run_trainer
from mm_jax.tool.model_options import AUTO
from mm_jax.tool.runs import Plan, RunFolder
from mm_jax.words import Split, WordList

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
    """Learns a list into a run folder; prints the losses and ten samples. `settings` are seed and dedup."""
    listed = words.load_words(path)
    found = WordList.of(list(dict.fromkeys(listed)) if settings["dedup"] else listed)
    run = RunFolder(folder)
    if overwrite:
        run.remove()
    with run.locked():
        if model == AUTO:
            plan = Plan(model, options={"effort": effort}, **settings)
        else:
            plan = plans.plan_for(found, model, recipe, given, **settings)
        say(f"{len(found.words):,} words with {len(found.vocab) - 1} different characters from {path}")
        if resume and run.exists() and (before := run.config().get("cores", cores())) != cores():
            say(f"begun on {before} core(s), going on with {cores()}: the last digits may differ")
        if not found.split.dev:
            say("too few words for dev and test: trains on all of them, without early stopping")
        run.write_setup(plan, found, resume)
        choice = None
        if model == AUTO:
            choice = candidates.choose(run, plan, found, resume, _watch)
            params = choice.kept.params
            say("\n".join(choice.lines()))
        else:
            say(plans.described(plan))
            params, _ = run_trainer.trained(run, plan, found, resume, _watch)
            run.save_model(params)
    _report(folder, plan, params, found.split, choice, as_json)


def _watch(run: Iterator[Any], steps: int) -> Iterator[Any]:
    return terminal.watch(run, steps, Console(stderr=True, highlight=False, quiet=hushed()))


def _report(
    folder: Path, plan: Plan, params: Params, split: Split, choice: candidates.Choice | None, as_json: bool
) -> None:
    reported = Split(*(part[:REPORTED] for part in split))
    rows = {name: evaluate_words(params, part, seen=split.train) for name, part in reported._asdict().items() if part}
    if any(len(part) > REPORTED for part in split):
        say(f"losses of {REPORTED:,} words each: `mm-jax eval` takes all")
    warn_if_it_knows_little(params, rows, split)
    listed = [word for part in split for word in part]
    found = conditions.ten_new(params, listed, (plan.seed + 1) % 2**32)
    if as_json:
        losses = {name: dataclasses.asdict(row) for name, row in rows.items()}
        result: dict[str, Any] = {"run": str(folder), "plan": plan.as_json(), "losses": losses, "samples": found}
        if choice is not None:
            result |= {"tried": [one.as_json() for one in choice.tried], "kept": choice.kept.name}
        give(result, True, "")
        return
    terminal.show(terminal.losses_table(rows))
    if found:
        print(f"new words at temperature {conditions.temperature_for(len(listed))}, for {len(listed):,} words:")
        give(None, False, "\n".join(found))


def warn_if_it_knows_little(params: Params, rows: dict[str, Evaluation], split: Split) -> None:
    """Warns of a model that predicts dev worse than counts of pairs of characters do."""
    if "dev" not in rows or len(split.dev) < 2:
        return
    dev = plans.judged_on(split)
    own = evaluate_words(params, dev).nll
    pairs = float(nlls(split.train, dev, params.vocab, 2)[-1].mean())
    if not own <= pairs + 0.01:  # an n-gram of order 2 is those counts, up to rounding
        say(
            f"warning: worse than bigram counts on dev ({own:.2f} against {pairs:.2f}): leave out --model to choose "
            "automatically"
        )


def compare(path: Path, steps: int, as_json: bool) -> None:
    """Fits every model to a list, and their mixtures, and prints one table of their losses."""
    found = WordList.of(words.load_words(path))
    if not found.split.test:
        raise ValueError(f"{len(found.words)} words are too few to compare models on: give at least 6")
    rungs = []
    for rung in ladder.fit_all(found, most_steps=steps, watch=_watch):
        say(f"{rung.name}: {rung.seconds:.1f} CPU s")
        rungs.append(rung)
    table, rows = ladder.table_of(rungs, found.split)
    if as_json:
        give(rows, True, "")
    else:
        terminal.show(table)
        print(f"lowest on dev: {rows[-1]['model']}")
