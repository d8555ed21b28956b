"""Resumes a run: its options and its words come from its folder, and what is typed again has to agree."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from mm_jax import startup
from mm_jax.checks import cores
from mm_jax.learning import plans
from mm_jax.learning.plans import AUTO, Plan
from mm_jax.output import say
from mm_jax.prior import load
from mm_jax.symbols import CHARACTERS
from mm_jax.tool import runs
from mm_jax.tool.runs import TRIED, RunFolder
from mm_jax.words import WordList


def typed_in(context: Any) -> set[str]:
    """Returns the names of the options that the user typed, of a `typer.Context`; `prior` for --no-prior."""
    sources = {name: str(context.get_parameter_source(name)) for name in context.params}
    return {name.removeprefix("no_") for name, source in sources.items() if source.endswith("COMMANDLINE")}


def begun_with(folder: Path, overwrite: bool, typed: Collection[str], model: str, units: Any) -> tuple[str, Any]:
    """Returns the model, auto included, and the units of the run to resume; of those typed again, what was typed.

    With `overwrite`, of the run that is to replace the one in the folder.
    """
    run = RunFolder(folder).begun(overwrite)
    if not run.exists():
        return model, units
    plan = run.config()["plan"]
    return model if "model" in typed else plan["model"], units if "units" in typed else plan.get("units", CHARACTERS)


def plan_of(run: RunFolder, words: WordList, typed: Mapping[str, Any]) -> Plan:
    """Returns the plan of a run to resume; raises ValueError if options that are typed again differ from its own.

    Args:
      run: the folder.
      words: its list.
      typed: the options that the user gave, by name. More steps than the run was begun with make it longer.
    """
    config = run.config()
    before = config["plan"]
    if before.get("model") == AUTO:
        before = {"prior": False, **before}  # an older version had none
    before = {"units": CHARACTERS, **before}
    try:
        plan = Plan.from_json(before)
    except ValueError as error:
        raise ValueError(f"{run} cannot be resumed ({error}): it can be sampled, or train anew") from None
    given = {name: value for name, value in typed.items() if name == "model" or (name != "recipe" and value != "auto")}
    if "recipe" in typed and plan.recipe is not None:
        given |= _of_recipe(run, config, words, typed)
    if changes := runs.differences({name: before.get(name) for name in given}, given, grow=True):
        raise ValueError(f"{run} was trained with other options: {changes}; leave them out, or name another folder")
    if plan.options.get("prior") and len(words.words) <= plans.PRIOR_WORDS and finished_choice(run) is None:
        try:
            load()
        except ValueError as error:
            raise ValueError(f"{run} was begun with the prior: {error}") from None
    if plan.recipe is not None and runs.more_steps(before, given):
        return replace(plan, recipe=plan.recipe.but(steps=given["steps"]))
    return plan


def _of_recipe(run: RunFolder, config: Mapping[str, Any], words: WordList, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of a recipe that is typed again; ValueError if the run was begun with another."""
    if "recipe" in config:
        if config["recipe"] != typed["recipe"]:
            first = config["recipe"] or "none"
            raise ValueError(f"{run} was trained with other options: recipe {first} (now {typed['recipe']})")
        return {}
    # The folder of an older version does not name its recipe.
    plan, options = config["plan"], {name: value for name, value in typed.items() if name in config["plan"]}
    own = {name: value for name, value in options.items() if name not in ("model", "seed", "dedup", "units")}
    settings = {"seed": plan["seed"], "dedup": plan["dedup"]}
    key = jax.random.key(plan["seed"])
    options = plans.plan_for(words, plan["model"], typed["recipe"], own, key=key, **settings).as_json()
    return {name: value for name, value in options.items() if name != "steps" or name in typed}


def say_what_differs(run: RunFolder) -> None:
    """Says in what this machine and these versions differ from those that the run was begun with."""
    config = run.config()
    if (before := config.get("cores", cores())) != cores():
        say(f"begun on {before} core(s), resumed on {cores()}: the last digits may differ")
    made_with = config.get("made with")
    if isinstance(made_with, dict) and (changes := runs.differences(made_with, startup.made_with())):
        say(f"begun with other versions or settings: {changes}: the digits may differ")


def finished_choice(run: RunFolder) -> dict[str, Any] | None:
    """Returns what was tried and what was kept, of a run that has tried all; None for any other."""
    path = run.path / f"{TRIED}.json"
    try:
        about = json.loads(path.read_bytes())
        whole = about["finished"] is True and isinstance(about["kept"], str) and isinstance(about["tried"], list)
        return about if whole and run.has_model() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # unfinished, of an older version, or altered
        return None
