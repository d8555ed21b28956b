"""Chooses a model for a list: trains the candidates of an effort, and keeps the best on dev.

The recipes of the models name their efforts. All choices are made on dev. For a list too short for that,
cross-validation chooses an n-gram model, and networks are not tried.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from mm_jax import models
from mm_jax.checks import random_key
from mm_jax.evaluation import evaluate
from mm_jax.learning import plans, trainer
from mm_jax.learning.plans import Plan
from mm_jax.models import mixture
from mm_jax.models.contract import Params, num_params
from mm_jax.vocab import Vocab
from mm_jax.words import Split, WordList

LOG = logging.getLogger("mm_jax")
EFFORTS = ("quick", "normal", "best")
_GAIN = 0.002  # nats per character: a mixture is kept if it beats the best model by more
_LEAST_WEIGHT = 0.02  # of a member of a mixture
_LARGEST = 8  # skip networks with over 8 times the parameters that they have for 26 letters: they take too long


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

    @property
    def params(self) -> Params:
        """Returns the parameters of the model that was kept."""
        return self.kept.params

    def lines(self) -> list[str]:
        """Returns a short table and the reason for the choice."""
        width = max(len("tried"), *(len(one.name) for one in self.tried))
        rows = [f"{'tried':{width}}  {'dev':>7}  {'+-':>6}  {'s':>6}"]
        for one in self.tried:
            mark = "  kept" if one is self.kept else ""
            rows.append(f"{one.name:{width}}  {one.dev:7.4f}  {one.stderr:6.4f}  {one.seconds:6.1f}{mark}")
        return [*rows, *self.left_out, self.reason()]

    def reason(self) -> str:
        """Returns the reason for the choice, in a sentence."""
        if len(self.tried) == 1:
            return f"kept {self.kept.name}"
        best = min(self.tried, key=lambda one: one.dev)
        if best is self.kept:
            return f"kept {self.kept.name}: the lowest loss on dev"
        return f"kept {self.kept.name}: {best.name} is better by less than {_GAIN} on dev"


def plans_for(
    words: WordList, effort: str, *, key: Key[Array, ""], **settings: Any
) -> tuple[dict[str, Plan], list[str]]:
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
        plan = plans.plan_for(words, model.name, None, {}, effort, key=key, **settings)
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


def learn(words: Sequence[str], key: Key[Array, ""], effort: str = "normal") -> Choice:
    """Chooses a model for a list of words: trains the candidates of an effort, and keeps the best on dev.

    Does what `mm-jax train LIST` does, without files; progress goes to the logger `mm_jax`.

    Args:
      words: the list; at least 6 words are split into train, dev and test, fewer all train.
      key: the same key, words and effort give the same model.
      effort: "quick", "normal" or "best".

    Returns:
      The models that were tried with their losses on dev; `.params` is the one that was kept.

    Raises:
      ValueError: no words, an unknown effort, a key that is no random key.

    >>> found = learn(["anna", "hanna", "nana", "anne"], jax.random.key(0), "quick")
    >>> found.kept.name
    'ngram order 3'
    >>> type(found.params).__name__
    'NGram'
    """
    random_key("key", key)
    if effort not in EFFORTS:
        raise ValueError(f"effort is {effort!r}: choose {', '.join(EFFORTS)}")
    word_list = WordList.of(words)
    return choose(word_list, effort, key, lambda _, plan: trainer.train(plan, word_list, key, trainer.unwatched))


def choose(
    words: WordList,
    effort: str,
    key: Key[Array, ""],
    train: Callable[[str, Plan], tuple[Params, bool]],
    keep: Callable[[Params], None] = lambda params: None,
    **settings: Any,
) -> Choice:
    """Trains the candidates of an effort and chooses the best.

    Args:
      words: the list.
      effort: "quick", "normal" or "best".
      key: of the candidates' plans.
      train: takes the name and the plan of a candidate, returns its parameters, and False if the user stopped it.
      keep: called with the parameters of each candidate that is the best so far, and of the mixture if it is.
      settings: seed and dedup of the plans.
    """
    found, left_out = plans_for(words, effort, key=key, **settings)
    tried: list[Tried] = []
    for name, candidate in found.items():
        LOG.info(plans.summary(candidate))
        begin = time.perf_counter()
        params, finished = train(name, candidate)
        tried.append(evaluated(title(candidate), params, words.split, time.perf_counter() - begin))
        if tried[-1] is min(tried, key=lambda one: one.dev):
            keep(tried[-1].params)  # so that a killed run has the best so far
        if not finished:  # stopped by the user: the other candidates are left to a resumed run
            break
    tried += mixture_of(tried, words.split)
    kept = best_of(tried)
    if kept.is_mixture:  # any other was kept when it was trained
        keep(kept.params)
    return Choice(tried, kept, left_out)


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
