"""`mm-jax train` and `mm-jax compare`: train models on a list, and print their losses."""

import dataclasses
import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from mm_jax import conditions, ladder, terminal
from mm_jax.checks import counted
from mm_jax.evaluation import Evaluation
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.files import write_whole
from mm_jax.learning import candidates, plans
from mm_jax.learning.plans import AUTO, PAGE, Plan
from mm_jax.models.contract import Params
from mm_jax.ngrams.orders import nlls
from mm_jax.output import give, hushed, say
from mm_jax.shapes import PLAIN, Options
from mm_jax.streams import WordFile, some
from mm_jax.symbols import GRAPHEMES, item
from mm_jax.tool import resuming, run_trainer
from mm_jax.tool.reading import read
from mm_jax.tool.runs import TRIED, RunFolder
from mm_jax.words import Split, WordList

REPORTED = 20_000  # words of train, of dev and of test, to compute losses on after training


def train(
    path: Path | None,
    folder: Path,
    model: str,
    recipe: str | None,
    given: dict[str, Any],
    *,
    effort: str,
    prior: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    taken: Options = PLAIN,
    typed: Collection[str] = (),
    units: str | None = None,
    **settings: Any,
) -> None:
    """Trains on a list into a run folder, and prints losses and ten samples. `settings` are seed and dedup.

    With `resume`, the options are those of the run, `typed` names those that the user gave again, and `path` is not
    needed.
    """
    word_list, target = None, RunFolder(folder)
    if not resume and not overwrite:
        target.check_free()  # before a long list is read, and orders are tried
    if path is not None:
        words = read(path, taken, hints=units is None)  # commas of lines of words are no columns
        if settings["dedup"] or effort == PAGE:
            if isinstance(words, WordFile):
                raise ValueError(f"{path} is too long to look for repeats: give it without them, or leave out --dedup")
            words = list(dict.fromkeys(words))
        word_list = WordList.of(words, units)
    if word_list is None and not target.begun(overwrite).exists():
        raise ValueError(f"{folder} holds no run to resume: give the LIST to learn")
    with target.replacing(resume) if overwrite else target.locked() as run:
        word_list = word_list or run.words()
        if resume and run.exists():
            resuming.say_what_differs(run)
            own = {
                "model": model,
                "recipe": recipe,
                "effort": effort,
                "prior": prior,
                "units": units,
                **settings,
                **given,
            }
            plan = resuming.plan_of(run, word_list, {name: own[name] for name in own if name in typed})
        elif model == AUTO:
            options = {"effort": effort, "prior": prior}
            plan = Plan(model, options=options, units=word_list.vocab.units, **settings)
        else:
            plan = plans.plan_for(word_list, model, recipe, given, key=jax.random.key(settings["seed"]), **settings)
        _say_words(word_list, units, path or run.path / "words.txt")
        run.write_setup(plan, word_list, resume, recipe)
        word_list = run.words() if word_list.is_long else word_list  # where the folder holds it
        params, tried = _trained(run, plan, word_list, resume)
    _report(folder, plan, params, word_list.split, tried, as_json)


def _say_words(words: WordList, units: str | None, path: Path) -> None:
    """Says what the list holds, and which units were chosen for it."""
    characters = counted(len(words.vocab) - 1, f"different {words.vocab.units.removesuffix('s')}")
    say(f"{counted(len(words.words), item(words.vocab.units))} with {characters} from {path}")
    if words.vocab.units == GRAPHEMES and units is None:
        say("some have several characters, which are kept together: --units characters takes each for itself")
    if not words.split.dev:
        say("too few words for dev and test: trains on all of them, without early stopping")


def _trained(run: RunFolder, plan: Plan, words: WordList, resume: bool) -> tuple[Params, dict[str, Any] | None]:
    """Trains in a locked folder; returns the parameters, and what was tried if a model had to be chosen."""
    if plan.model == AUTO:
        return _choose(run, plan, words, resume)
    say(plans.summary(plan))
    params, _ = run_trainer.train(run, plan, words, resume, _watch)
    run.save_model(params)
    return params, None


def _choose(run: RunFolder, plan: Plan, words: WordList, resume: bool) -> tuple[Params, dict[str, Any]]:
    """Chooses a model; returns its parameters, and what `tried.json` holds.

    Each candidate is trained in its own folder inside that of the run, so that a killed run resumes. The folders are
    removed when all have been trained.
    """
    if resume and (about := resuming.finished_choice(run)) is not None:
        say(f"finished before: kept {about['kept']}")
        _remove_tried(run)
        return run.open().params, about
    all_finished = True

    def train_one(name: str, candidate: Plan) -> tuple[Params, bool]:
        nonlocal all_finished
        params, finished = run_trainer.train(RunFolder(run.path / TRIED / name), candidate, words, resume, _watch)
        all_finished &= finished
        return params, finished

    settings = {"seed": plan.seed, "dedup": plan.dedup, "prior": plan.options.get("prior", False)}
    key = jax.random.key(plan.seed)
    choice = candidates.choose(words, plan.options["effort"], key, train_one, run.save_model, **settings)
    about = {"tried": [one.as_json() for one in choice.tried], "kept": choice.kept.name, "left out": choice.left_out}
    about["finished"] = all_finished
    write_whole(run.path / f"{TRIED}.json", json.dumps(about, indent=1).encode())
    if all_finished:
        _remove_tried(run)
    say("\n".join(choice.lines()))
    return choice.params, about


def _remove_tried(run: RunFolder) -> None:
    """Removes the states of the candidates, which a finished run no longer needs."""
    if (run.path / TRIED).exists():
        shutil.rmtree(run.path / TRIED)


def _watch(run: Iterator[Any], steps: int) -> Iterator[Any]:
    """Shows a run on stderr."""
    return terminal.watch(run, steps, Console(stderr=True, highlight=False, quiet=hushed()))


def _report(
    folder: Path, plan: Plan, params: Params, split: Split, tried: dict[str, Any] | None, as_json: bool
) -> None:
    """Prints losses and ten samples, as text or JSON."""
    most = REPORTED if not isinstance(split.train, WordFile) else _reported(split.train)
    reported = Split(some(split.train, most), split.dev[:most], split.test[:most])
    rows = {name: evaluate_words(params, part, seen=split.train) for name, part in reported._asdict().items() if part}
    if any(len(part) > most for part in split):
        say(f"losses of {most:,} {item(params.vocab.units)}s each: `mm-jax eval` computes them on all")
    warn_if_worse_than_bigram(params, rows, split, chosen=plan.model == AUTO)
    samples = conditions.ten_new(params, split.words, jax.random.key((plan.seed + 1) % 2**32))
    if as_json:
        losses = {name: dataclasses.asdict(row) for name, row in rows.items()}
        result: dict[str, Any] = {"run": str(folder), "plan": plan.as_json(), "losses": losses, "samples": samples}
        if tried is not None:
            result |= {"tried": tried["tried"], "kept": tried["kept"]}
        give(result, True, "")
        return
    terminal.show(terminal.losses_table(rows))
    if samples:
        number, each = sum(map(len, split)), item(params.vocab.units)
        print(f"new {each}s at temperature {conditions.temperature_for(number)}, for {counted(number, each)}:")
        give(None, False, "\n".join(samples))


def _reported(words: WordFile) -> int:
    """Returns how many words of a long list to compute losses on: fewer of long words."""
    return min(REPORTED, 8 * REPORTED * len(words) // words.characters)


def warn_if_worse_than_bigram(params: Params, rows: dict[str, Evaluation], split: Split, chosen: bool) -> None:
    """Prints a warning if bigram counts predict dev better than the model, which was `chosen` or named by the user."""
    if "dev" not in rows or len(split.dev) < 2:
        return
    dev = plans.dev_for_choices(split)
    own = evaluate_words(params, dev).nll
    pairs = float(nlls(some(split.train, plans.FITTED_WORDS), dev, params.vocab, 2)[-1].mean())
    if not own <= pairs + 0.01:  # an n-gram of order 2 is those counts, up to rounding
        advice = "more words would help" if chosen else "leave out --model to choose automatically"
        say(f"warning: worse than bigram counts on dev ({own:.2f} against {pairs:.2f}): {advice}")


def compare(path: Path, steps: int, as_json: bool, taken: Options = PLAIN, units: str | None = None) -> None:
    """Fits all models and their mixtures to a list, and prints a table of their losses."""
    word_list = WordList.of(read(path, taken, hints=units is None), units)
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
