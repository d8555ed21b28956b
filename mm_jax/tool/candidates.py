"""Chooses a model for a list: trains the candidates of an effort, and keeps the best on dev.

The recipes of the models name their efforts. Each candidate is trained as with `--model`, in its own folder inside that
of the run, so that a killed run resumes with its current candidate. All choices are made on dev. For a list too short
for that, cross-validation chooses an n-gram model, and networks are not tried.
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

TRIED = "tried"  # the folder of the candidates, and the stem of the file with their losses
_GAIN = 0.002  # nats per character: a mixture is kept if it beats the best model by more
_LEAST_WEIGHT = 0.02  # of a member of a mixture
_LARGEST = 8  # skip networks with over 8 times the parameters that they have for 26 letters: they take too long

Watch = Callable[[Iterator[Any], int], Iterator[Any]]


@dataclass(frozen=True)
class Tried:
    """A trained candidate: name, parameters, loss on dev with its standard error, seconds."""

    name: str
    params: Params
    dev: float
    stderr: float
    seconds: float
    is_mixture: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns its entry in the file of the run."""
        return {"model": self.name, "dev": self.dev, "stderr": self.stderr}


@dataclass(frozen=True)
class Choice:
    """The candidates, the one that was kept, and messages on models that were not tried."""

    tried: list[Tried]
    kept: Tried
    left_out: list[str]

    def lines(self) -> list[str]:
        """Returns a short table and the reason for the choice."""
        width = max(len("tried"), *(len(one.name) for one in self.tried))
        rows = [f"{'tried':{width}}  {'dev':>7}  {'+-':>6}  {'s':>6}"]
        for one in self.tried:
            mark = "  kept" if one is self.kept else ""
            dev = f"{one.dev:7.4f}  {one.stderr:6.4f}".replace("nan", "   ")  # without dev
            rows.append(f"{one.name:{width}}  {dev}  {one.seconds:6.1f}{mark}")
        return [*rows, *self.left_out, self.reason()]

    def reason(self) -> str:
        """Returns the reason for the choice, in a sentence."""
        if len(self.tried) == 1:
            return f"kept {self.kept.name}"
        best = min(self.tried, key=lambda one: one.dev)
        if best is self.kept:
            return f"kept {self.kept.name}: the lowest loss on dev"
        return f"kept {self.kept.name}: {best.name} is better by less than {_GAIN} on dev"


def plans_for(words: WordList, effort: str, **settings: Any) -> tuple[dict[str, Plan], list[str]]:
    """Returns the plans of the candidates by name, counted models first; and messages on models that are left out."""
    found: dict[str, Plan] = {}
    left_out = []
    count = len(words.words)
    candidates = [model for model in models.makeable().values() if plans.recipe_at(model, effort)]
    for model in sorted(candidates, key=lambda model: model.fit is None):
        recipe = plans.recipe_at(model, effort)
        assert recipe is not None  # as selected above
        fewest, most = max(recipe.words[0], plans.SHORT), recipe.words[1]
        if model.init is not None and count < fewest:
            left_out.append(f"not tried: {model.name}, which needs at least {fewest:,} words")
            continue
        if most is not None and count > most:
            left_out.append(f"not tried: {model.name}, too slow at this effort for more than {most:,} words")
            continue
        plan = plans.plan_for(words, model.name, None, {}, effort, **settings)
        if model.init is not None and (times := _size(plan, words.vocab) / _size(plan, _LATIN)) > _LARGEST:
            left_out.append(
                f"not tried: {model.name}, {times:.0f} times as large for {len(words.vocab) - 1:,} characters as for 26"
            )
            continue
        found[model.name] = plan
    return found, left_out


_LATIN = Vocab(".abcdefghijklmnopqrstuvwxyz")


def _size(plan: Plan, vocab: Vocab) -> int:
    """Counts the parameters of a network, without making it."""
    return num_params(jax.eval_shape(lambda key: plans.initial(plan, vocab, key), jax.random.key(0)))


def choose(folder: RunFolder, plan: Plan, words: WordList, resume: bool, watch: Watch) -> Choice:
    """Trains the candidates of `plan.options["effort"]` and writes the best model into the folder."""
    found, left_out = plans_for(words, plan.options["effort"], seed=plan.seed, dedup=plan.dedup)
    tried: list[Tried] = []
    for name, candidate in found.items():
        say(plans.summary(candidate))
        begin = time.perf_counter()
        params, finished = run_trainer.train(RunFolder(folder.path / TRIED / name), candidate, words, resume, watch)
        tried.append(evaluated(title(candidate), params, words.split, time.perf_counter() - begin))
        if tried[-1] is min(tried, key=lambda one: one.dev):
            folder.save_model(tried[-1].params)  # so that a killed run has the best so far
        if not finished:  # stopped by the user: the other candidates are left to a resumed run
            break
    tried += mixture_of(tried, words.split)
    kept = best_of(tried)
    choice = Choice(tried, kept, left_out)
    if kept.is_mixture:  # any other was saved when it was trained
        folder.save_model(kept.params)
    about = {"tried": [one.as_json() for one in tried], "kept": kept.name, "left out": left_out}
    write_whole(folder.path / f"{TRIED}.json", json.dumps(about, indent=1).encode())
    return choice


def title(plan: Plan) -> str:
    """Returns the candidate's name; that of a counted model includes its options."""
    options = plan.options.items() if plan.recipe is None else ()
    return " ".join([plan.model, *(f"{name} {value}" for name, value in options)])


def evaluated(name: str, params: Params, split: Split, seconds: float, is_mixture: bool = False) -> Tried:
    """Evaluates a candidate on dev; its loss is nan without dev."""
    if not split.dev:
        return Tried(name, params, float("nan"), float("nan"), seconds)
    found = evaluate(params, plans.dev_for_choices(split))
    return Tried(name, params, found.nll, found.stderr, seconds, is_mixture)


def mixture_of(tried: list[Tried], split: Split) -> list[Tried]:
    """Mixes the candidates with weights fitted on dev; returns no mixture for fewer than two members."""
    members = [one for one in tried if np.isfinite(one.dev)]
    dev, begin = plans.dev_for_choices(split), time.perf_counter()
    if len(members) < 2:
        return []
    weights = np.asarray(mixture.fit([one.params for one in members], dev).weights)
    members = [one for one, weight in zip(members, weights, strict=True) if weight >= _LEAST_WEIGHT]
    if len(members) < 2:
        return []
    params = mixture.fit([one.params for one in members], dev)
    shares = zip(members, np.asarray(params.weights), strict=True)
    name = " + ".join(f"{weight:.2f} {one.name}" for one, weight in shares)
    return [evaluated(name, params, split, time.perf_counter() - begin, is_mixture=True)]


def best_of(tried: list[Tried]) -> Tried:
    """Returns the candidate with the lowest loss on dev; a mixture must be lower by more than `_GAIN`."""
    return min(tried, key=lambda one: one.dev + _GAIN * one.is_mixture)
