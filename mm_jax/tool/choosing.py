"""Which model suits a list: what `mm-jax train` tries at an effort, and what it keeps.

The models' files say what is tried, and how (`EFFORTS`). Each candidate is trained as if it had been asked for alone,
in a folder of its own inside the run's, so that a run that was killed goes on with the candidate it was at. All choices
are made on dev; a list too short for that has its n-grams chosen by cross-validation, and no networks.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mm_jax import models, words
from mm_jax.evaluation import evaluate
from mm_jax.files import write_whole
from mm_jax.models import catalogue
from mm_jax.models.contract import Params, num_params
from mm_jax.tool import planning, runs, trainer
from mm_jax.tool.output import say
from mm_jax.tool.runs import Plan
from mm_jax.training import mixing
from mm_jax.vocab import Vocab

TRIED = "tried"  # the folder of the candidates, and the name of the file that says how they did
_GAIN = 0.002  # nats per character that a mixture must be better by than the best model alone
_LEAST_WEIGHT = 0.02  # of a member of a mixture
_SLOWEST = 8  # times the numbers that a network holds for an alphabet of 26: above that it takes too long

Watch = Callable[[Iterator[Any], int], Iterator[Any]]


@dataclass(frozen=True)
class Tried:
    """A candidate: its name, what was learned, the loss on dev with its standard error, seconds."""

    name: str
    params: Params
    dev: float
    stderr: float
    seconds: float

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
        width = max(len("tried"), *(len(each.name) for each in self.tried))
        rows = [f"{'tried':{width}}  {'dev':>7}  {'+-':>6}  {'s':>6}"]
        for each in self.tried:
            mark = "  kept" if each is self.kept else ""
            rows.append(f"{each.name:{width}}  {each.dev:7.4f}  {each.stderr:6.4f}  {each.seconds:6.1f}{mark}")
        return [*rows, *self.left_out, self.reason()]

    def reason(self) -> str:
        """Why this one, in a sentence."""
        if len(self.tried) == 1:
            return f"kept {self.kept.name}"
        best = min(self.tried, key=lambda each: each.dev)
        if best is self.kept:
            return f"kept {self.kept.name}: the lowest loss on dev"
        return f"kept {self.kept.name}: {best.name} is better by less than {_GAIN} on dev"


def plans(listed: Sequence[str], vocab: Vocab, effort: str, **settings: Any) -> tuple[dict[str, Plan], list[str]]:
    """The plans of the candidates by name, those made by counting first; and what is left out, with the reason."""
    found: dict[str, Plan] = {}
    left_out = []
    kinds = [kind for kind in catalogue.kinds().values() if effort in kind.efforts]
    for kind in sorted(kinds, key=lambda kind: kind.made_by):
        fewest = max(kind.efforts[effort].get(planning.FEWEST, 0), planning.SHORT)
        most = kind.efforts[effort].get(planning.MOST, len(listed))
        if kind.made_by == "init" and len(listed) < fewest:
            left_out.append(f"not tried: {kind.name}, which takes {fewest:,} words or more")
            continue
        if len(listed) > most:
            left_out.append(f"not tried: {kind.name}, which at this effort has no time for more than {most:,} words")
            continue
        plan = planning.plan_for(listed, vocab, kind.name, None, {}, effort, **settings)
        if kind.made_by == "init" and (times := _size(plan, vocab) / _size(plan, _LATIN)) > _SLOWEST:
            left_out.append(
                f"not tried: {kind.name}, which {len(vocab) - 1:,} characters make {times:.0f} times as large"
            )
            continue
        found[kind.name] = plan
    return found, left_out


_LATIN = Vocab(".abcdefghijklmnopqrstuvwxyz")


def _size(plan: Plan, vocab: Vocab) -> int:
    """How many numbers a network would hold; it is not made for that."""
    init = getattr(models, plan.model).init
    return num_params(jax.eval_shape(lambda key: init(key, vocab, **plan.options), jax.random.key(0)))


def choose(
    folder: Path, plan: Plan, listed: list[str], split: words.Split, vocab: Vocab, resume: bool, watch: Watch
) -> Choice:
    """Trains the candidates of `plan.options["effort"]` and writes the best model into the folder."""
    settings = {"seed": plan.seed, "dedup": plan.dedup}
    found, left_out = plans(listed, vocab, plan.options["effort"], **settings)
    tried: list[Tried] = []
    for name, each in found.items():
        say(planning.described(each))
        begin = time.perf_counter()
        params, whole = trainer.trained(folder / TRIED / name, each, split, vocab, resume, watch)
        tried.append(judged(title(each), params, split, time.perf_counter() - begin))
        if tried[-1] is min(tried, key=lambda one: one.dev):
            runs.save_model(folder, tried[-1].params)  # the best so far, should this be killed
        if not whole:  # stopped by the user: what comes next is for another time
            break
    tried += mixed(tried, split)
    kept = best_of(tried)
    choice = Choice(tried, kept, left_out)
    if isinstance(kept.params, mixing.Mixture):  # all others were saved when they were the best
        runs.save_model(folder, kept.params)
    about = {"tried": [each.as_json() for each in tried], "kept": kept.name, "left out": left_out}
    write_whole(folder / f"{TRIED}.json", json.dumps(about, indent=1).encode())
    return choice


def title(plan: Plan) -> str:
    """The candidate's name: with the options that were chosen where it is made by counting."""
    chosen = plan.options.items() if plan.recipe is None else ()
    return " ".join([plan.model, *(f"{name} {value}" for name, value in chosen)])


def judged(name: str, params: Params, split: words.Split, seconds: float) -> Tried:
    """A candidate with its loss on dev; nan where there is no dev."""
    if not split.dev:
        return Tried(name, params, float("nan"), float("nan"), seconds)
    found = evaluate(params, planning.judged(split))
    return Tried(name, params, found.nll, found.stderr, seconds)


def mixed(tried: list[Tried], split: words.Split) -> list[Tried]:
    """The mixture of the candidates, its weights fitted on dev, where there are two or more to mix."""
    members = [each for each in tried if np.isfinite(each.dev)]
    dev, begin = planning.judged(split), time.perf_counter()
    if len(members) < 2:
        return []
    weights = np.asarray(mixing.fit([each.params for each in members], dev).weights)
    members = [each for each, weight in zip(members, weights, strict=True) if weight >= _LEAST_WEIGHT]
    if len(members) < 2:
        return []
    params = mixing.fit([each.params for each in members], dev)
    shares = zip(members, np.asarray(params.weights), strict=True)
    name = " + ".join(f"{weight:.2f} {each.name}" for each, weight in shares)
    return [judged(name, params, split, time.perf_counter() - begin)]


def best_of(tried: list[Tried]) -> Tried:
    """The lowest loss on dev; a mixture, which comes last, only where it is better by more than a trifle."""
    return min(tried, key=lambda each: each.dev + _GAIN * isinstance(each.params, mixing.Mixture))
