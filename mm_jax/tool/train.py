"""`mm-jax train` and `mm-jax compare`: train models on a list, and print their losses."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from mm_jax import conditions, ladder, terminal
from mm_jax.checks import cores, counted
from mm_jax.evaluation import Evaluation
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.files import write_whole
from mm_jax.learning import candidates, plans
from mm_jax.learning.candidates import Choice
from mm_jax.learning.plans import Plan
from mm_jax.models.contract import Params
from mm_jax.ngrams.orders import nlls
from mm_jax.output import give, hushed, say
from mm_jax.shapes import PLAIN, Options
from mm_jax.tool import run_trainer
from mm_jax.tool.model_options import AUTO
from mm_jax.tool.reading import read
from mm_jax.tool.runs import TRIED, RunFolder
from mm_jax.words import Split, WordList

REPORTED = 20_000  # words of train, of dev and of test, to compute losses on after training


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
    taken: Options = PLAIN,
    **settings: Any,
) -> None:
    """Trains on a list into a run folder, and prints losses and ten samples. `settings` are seed and dedup."""
    words = read(path, taken)
    word_list = WordList.of(list(dict.fromkeys(words)) if settings["dedup"] else words)
    run = RunFolder(folder)
    if overwrite:
        run.remove()
    with run.locked():
        if model == AUTO:
            plan = Plan(model, options={"effort": effort}, **settings)
        else:
            plan = plans.plan_for(word_list, model, recipe, given, key=jax.random.key(settings["seed"]), **settings)
        characters = counted(len(word_list.vocab) - 1, "different character")
        say(f"{counted(len(word_list.words), 'word')} with {characters} from {path}")
        if resume and run.exists() and (before := run.config().get("cores", cores())) != cores():
            say(f"begun on {before} core(s), resumed on {cores()}: the last digits may differ")
        if not word_list.split.dev:
            say("too few words for dev and test: trains on all of them, without early stopping")
        run.write_setup(plan, word_list, resume)
        choice = None
        if model == AUTO:
            choice = _choose(run, plan, word_list, resume)
            params = choice.params
            say("\n".join(choice.lines()))
        else:
            say(plans.summary(plan))
            params, _ = run_trainer.train(run, plan, word_list, resume, _watch)
            run.save_model(params)
    _report(folder, plan, params, word_list.split, choice, as_json)


def _choose(run: RunFolder, plan: Plan, words: WordList, resume: bool) -> Choice:
    """Chooses a model; trains each candidate in its own folder inside that of the run, so that a killed run resumes."""

    def train_one(name: str, candidate: Plan) -> tuple[Params, bool]:
        return run_trainer.train(RunFolder(run.path / TRIED / name), candidate, words, resume, _watch)

    settings = {"seed": plan.seed, "dedup": plan.dedup}
    key = jax.random.key(plan.seed)
    choice = candidates.choose(words, plan.options["effort"], key, train_one, run.save_model, **settings)
    about = {"tried": [one.as_json() for one in choice.tried], "kept": choice.kept.name, "left out": choice.left_out}
    write_whole(run.path / f"{TRIED}.json", json.dumps(about, indent=1).encode())
    return choice


def _watch(run: Iterator[Any], steps: int) -> Iterator[Any]:
    """Shows a run on stderr."""
    return terminal.watch(run, steps, Console(stderr=True, highlight=False, quiet=hushed()))


def _report(folder: Path, plan: Plan, params: Params, split: Split, choice: Choice | None, as_json: bool) -> None:
    """Prints losses and ten samples, as text or JSON."""
    reported = Split(*(part[:REPORTED] for part in split))
    rows = {name: evaluate_words(params, part, seen=split.train) for name, part in reported._asdict().items() if part}
    if any(len(part) > REPORTED for part in split):
        say(f"losses of {REPORTED:,} words each: `mm-jax eval` computes them on all")
    warn_if_worse_than_bigram(params, rows, split)
    words = [word for part in split for word in part]
    samples = conditions.ten_new(params, words, jax.random.key((plan.seed + 1) % 2**32))
    if as_json:
        losses = {name: dataclasses.asdict(row) for name, row in rows.items()}
        result: dict[str, Any] = {"run": str(folder), "plan": plan.as_json(), "losses": losses, "samples": samples}
        if choice is not None:
            result |= {"tried": [one.as_json() for one in choice.tried], "kept": choice.kept.name}
        give(result, True, "")
        return
    terminal.show(terminal.losses_table(rows))
    if samples:
        print(f"new words at temperature {conditions.temperature_for(len(words))}, for {counted(len(words), 'word')}:")
        give(None, False, "\n".join(samples))


def warn_if_worse_than_bigram(params: Params, rows: dict[str, Evaluation], split: Split) -> None:
    """Prints a warning if bigram counts predict dev better than the model."""
    if "dev" not in rows or len(split.dev) < 2:
        return
    dev = plans.dev_for_choices(split)
    own = evaluate_words(params, dev).nll
    pairs = float(nlls(split.train, dev, params.vocab, 2)[-1].mean())
    if not own <= pairs + 0.01:  # an n-gram of order 2 is those counts, up to rounding
        say(
            f"warning: worse than bigram counts on dev ({own:.2f} against {pairs:.2f}): leave out --model to choose "
            "automatically"
        )


def compare(path: Path, steps: int, as_json: bool, taken: Options = PLAIN) -> None:
    """Fits all models and their mixtures to a list, and prints a table of their losses."""
    word_list = WordList.of(read(path, taken))
    if not word_list.split.test:
        raise ValueError(f"{counted(len(word_list.words), 'word')}: too few to compare models on, give at least 6")
    rungs = []
    for rung in ladder.fit_all(word_list, most_steps=steps, watch=_watch):
        say(f"{rung.name}: {rung.seconds:.1f} CPU s")
        rungs.append(rung)
    table, rows = ladder.table_of(rungs, word_list.split)
    if as_json:
        give(rows, True, "")
    else:
        terminal.show(table)
        print(f"lowest on dev: {rows[-1]['model']}")
