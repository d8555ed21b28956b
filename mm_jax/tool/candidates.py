"""Finds the model that suits a list: what `mm-jax train` tries at an effort, and what it keeps.

The models' recipes say what is tried, and how. Each candidate is trained as if it had been asked for alone,
in a folder of its own inside the run's, so that a run that was killed goes on with the candidate it was at. All choices
are made on dev; a list too short for that has its n-grams chosen by cross-validation, and no networks.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mm_jax import models
from mm_jax.evaluation import evaluate
from mm_jax.files import write_whole
from mm_jax.models import mixture
from mm_jax.models.contract import Params, num_params
from mm_jax.output import say
from mm_jax.tool import plans, run_trainer
from mm_jax.tool.runs import Plan, RunFolder
from mm_jax.vocab import Vocab
from mm_jax.words import Split, WordList

TRIED = "tried"  # the folder of the candidates, and the name of the file that says how they did
_GAIN = 0.002  # nats per character that a mixture must be better by than the best model alone
_LEAST_WEIGHT = 0.02  # of a member of a mixture
_LARGEST = 8  # skip networks with over 8 times the parameters that they have for 26 letters: they take too long

Watch = Callable[[Iterator[Any], int], Iterator[Any]]


@dataclass(frozen=True)
class Tried:
    """A candidate: its name, what was learned, the loss on dev with its standard error, seconds."""

    name: str
    params: Params
    dev: float
    stderr: float
    seconds: float
    is_mixture: bool = False

    def as_json(self) -> dict[str, Any]:
        """What the file of the run says of it."""
        return {"model": self.name, "dev": self.dev, "stderr": self.stderr}


@dataclass(frozen=True)
class Choice:
    """What was tried, which of it was kept, what was not tried and why."""

    tried: list[Tried]
    kept: Tried
    left_out: list[str]

    def lines(self) -> list[str]:
        """A short table, and the reason."""
        width = max(len("tried"), *(len(one.name) for one in self.tried))
        rows = [f"{'tried':{width}}  {'dev':>7}  {'+-':>6}  {'s':>6}"]
        for one in self.tried:
            mark = "  kept" if one is self.kept else ""
            rows.append(f"{one.name:{width}}  {one.dev:7.4f}  {one.stderr:6.4f}  {one.seconds:6.1f}{mark}")
        return [*rows, *self.left_out, self.reason()]

    def reason(self) -> str:
        """Why this one, in a sentence."""
        if len(self.tried) == 1:
            return f"kept {self.kept.name}"
        best = min(self.tried, key=lambda one: one.dev)
        if best is self.kept:
            return f"kept {self.kept.name}: the lowest loss on dev"
        return f"kept {self.kept.name}: {best.name} is better by less than {_GAIN} on dev"


def plans_for(words: WordList, effort: str, **settings: Any) -> tuple[dict[str, Plan], list[str]]:
    """Returns the plans of the candidates by name, counted models first; and what is left out, with the reason."""
    found: dict[str, Plan] = {}
    left_out = []
    count = len(words.words)
    known = [model for model in models.makeable().values() if plans.recipe_at(model, effort)]
    for model in sorted(known, key=lambda model: model.fit is None):
        recipe = plans.recipe_at(model, effort)
        assert recipe is not None  # or the model is not among them
        fewest, most = max(recipe.words[0], plans.SHORT), recipe.words[1]
        if model.init is not None and count < fewest:
            left_out.append(f"not tried: {model.name}, which takes {fewest:,} words or more")
            continue
        if most is not None and count > most:
            left_out.append(f"not tried: {model.name}, which at this effort has no time for more than {most:,} words")
            continue
        plan = plans.plan_for(words, model.name, None, {}, effort, **settings)
        if model.init is not None and (times := _size(plan, words.vocab) / _size(plan, _LATIN)) > _LARGEST:
            left_out.append(
                f"not tried: {model.name}, which {len(words.vocab) - 1:,} characters make {times:.0f} times as large"
            )
            continue
        found[model.name] = plan
    return found, left_out


_LATIN = Vocab(".abcdefghijklmnopqrstuvwxyz")


def _size(plan: Plan, vocab: Vocab) -> int:
    """Returns how many numbers a network would hold; it is not made for that."""
    return num_params(jax.eval_shape(lambda key: plans.initial(plan, vocab, key), jax.random.key(0)))


def choose(folder: RunFolder, plan: Plan, words: WordList, resume: bool, watch: Watch) -> Choice:
    """Trains the candidates of `plan.options["effort"]` and writes the best model into the folder."""
    found, left_out = plans_for(words, plan.options["effort"], seed=plan.seed, dedup=plan.dedup)
    tried: list[Tried] = []
    for name, candidate in found.items():
        say(plans.described(candidate))
        begin = time.perf_counter()
        params, whole = run_trainer.trained(RunFolder(folder.path / TRIED / name), candidate, words, resume, watch)
        tried.append(judged(title(candidate), params, words.split, time.perf_counter() - begin))
        if tried[-1] is min(tried, key=lambda one: one.dev):
            folder.save_model(tried[-1].params)  # the best so far, should this be killed
        if not whole:  # stopped by the user: what comes next is for another time
            break
    tried += mixture_of(tried, words.split)
    kept = best_of(tried)
    choice = Choice(tried, kept, left_out)
    if kept.is_mixture:  # all others were saved when they were the best
        folder.save_model(kept.params)
    about = {"tried": [one.as_json() for one in tried], "kept": kept.name, "left out": left_out}
    write_whole(folder.path / f"{TRIED}.json", json.dumps(about, indent=1).encode())
    return choice


def title(plan: Plan) -> str:
    """The candidate's name: with the options that were chosen where it is made by counting."""
    chosen = plan.options.items() if plan.recipe is None else ()
    return " ".join([plan.model, *(f"{name} {value}" for name, value in chosen)])


def judged(name: str, params: Params, split: Split, seconds: float, is_mixture: bool = False) -> Tried:
    """Returns a candidate with its loss on dev; nan where there is no dev."""
    if not split.dev:
        return Tried(name, params, float("nan"), float("nan"), seconds)
    found = evaluate(params, plans.judged_on(split))
    return Tried(name, params, found.nll, found.stderr, seconds, is_mixture)


def mixture_of(tried: list[Tried], split: Split) -> list[Tried]:
    """Returns the mixture of the candidates, its weights fitted on dev, where there are two or more to mix."""
    members = [one for one in tried if np.isfinite(one.dev)]
    dev, begin = plans.judged_on(split), time.perf_counter()
    if len(members) < 2:
        return []
    weights = np.asarray(mixture.fit([one.params for one in members], dev).weights)
    members = [one for one, weight in zip(members, weights, strict=True) if weight >= _LEAST_WEIGHT]
    if len(members) < 2:
        return []
    params = mixture.fit([one.params for one in members], dev)
    shares = zip(members, np.asarray(params.weights), strict=True)
    name = " + ".join(f"{weight:.2f} {one.name}" for one, weight in shares)
    return [judged(name, params, split, time.perf_counter() - begin, is_mixture=True)]


def best_of(tried: list[Tried]) -> Tried:
    """Returns the lowest loss on dev; a mixture, which comes last, only where it is better by more than a trifle."""
    return min(tried, key=lambda one: one.dev + _GAIN * one.is_mixture)
