"""Chooses a model for a list: trains the candidates of an effort, and keeps the best on dev.

The recipes of the models name their efforts. All choices are made on dev. For a list too short for that,
cross-validation chooses: the order of the n-grams, and the powers of their product with the bundled prior, a network
that has read other lists; networks of the list's own are not tried.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from mm_jax import models
from mm_jax.checks import as_list, random_key
from mm_jax.evaluation import evaluate
from mm_jax.learning import costs, plans, trainer
from mm_jax.learning.plans import PAGE, PRIOR, Plan
from mm_jax.models import product
from mm_jax.models.contract import Params
from mm_jax.models.ngram import NGram
from mm_jax.prior import adapting, load
from mm_jax.symbols import WORDS
from mm_jax.words import Split, WordList

LOG = logging.getLogger("mm_jax")
_GAIN = 0.002  # nats per character: a product is kept if it beats the best model by more
_LEAST_POWER = 0.02  # of a member of a product
_ADAPTED = "prior, adapted"  # name of a candidate
_SEEDS = 4  # runs of a network at the effort "best"


@dataclass(frozen=True)
class Tried:
    """A trained candidate: name, parameters, loss on dev with its standard error, seconds."""

    name: str
    params: Params = field(repr=False)
    dev: float
    stderr: float
    seconds: float
    is_product: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns its entry in the file of the run."""
        return {"model": self.name, "dev": self.dev, "stderr": self.stderr}


@dataclass(frozen=True)
class Choice:
    """The candidates, the one that was kept and why, and messages on models that were not tried."""

    tried: list[Tried]
    kept: Tried
    why: str
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
            dev = f"{one.dev:7.4f}  {one.stderr:6.4f}".replace("nan", "   ")  # without dev
            rows.append(f"{one.name:{width}}  {dev}  {one.seconds:6.1f}{mark}")
        return [*rows, *self.left_out, f"kept {self.kept.name}{self.why}"]


def plans_for(
    words: WordList, effort: str, *, key: Key[Array, ""], prior: bool = True, **settings: Any
) -> tuple[dict[str, Plan], list[str]]:
    """Returns the plans of the candidates by name, counted models first; and messages on what is left out.

    With `prior`, the bundled prior is a candidate where it helps and the seconds allow it. What is left of the seconds
    is shared among the networks; one that needs more takes fewer steps. What they leave of the effort "best" goes to
    more runs of each, with other seeds, which the product joins.
    """
    if effort == PAGE:
        order = plans.plan_for(words, "ngram", None, {}, key=key, **settings).options
        return {PAGE: Plan(PAGE, options=order, units=words.vocab.units, **settings)}, []
    found: dict[str, Plan] = {}
    networks: dict[str, Plan] = {}
    left_out = []
    for model in models.makeable().values():
        if (recipe := plans.recipe_at(model, effort, len(words.words))) is None:
            continue
        fewest = max(recipe.fewest_words, plans.SHORT)
        if model.init is not None and len(words.words) < fewest:
            left_out.append(f"not tried: {model.name}, which needs at least {fewest:,} words")
            continue
        plan = plans.plan_for(words, model.name, None, {}, effort, key=key, **settings)
        (found if model.init is None else networks)[model.name] = plan
    left = costs.promised(effort, words) - sum(costs.seconds(plan, words) for plan in found.values())
    why_not = _without_prior(words, effort, left) if prior else ""
    if why_not is None:
        order = found["ngram"].options["order"]
        options = {"order": order} if words.is_short else {}
        found[PRIOR] = Plan(PRIOR, options=options, units=words.vocab.units, **settings)
        left -= costs.seconds(found[PRIOR], words)
    elif why_not:
        left_out.append(f"not tried: prior, {why_not}")
    cheapest_first = sorted(networks, key=lambda name: costs.seconds(networks[name], words))
    for i, name in enumerate(cheapest_first):
        share = left / (len(networks) - i)
        if (plan := costs.fitted(networks[name], words, share)) is None:
            need, have = costs.seconds(networks[name], words), max(0.0, share)
            left_out.append(f"not tried: {name}, which takes about {need:,.1f} s, and {effort} gives it {have:,.1f} s")
            continue
        found[name] = plan
        left -= costs.seconds(plan, words)
    if effort == "best":
        if all(plan.recipe is None for plan in found.values()):
            left_out.append("best is the same as normal here: no network learns from so short a list")
        found |= _more_seeds({name: found[name] for name in cheapest_first if name in found}, words, left)
    return found, left_out


def _without_prior(words: WordList, effort: str, left: float) -> str | None:
    """Returns why the bundled prior is not tried, or None.

    It may take the seconds that are left, or a third of them where networks of the list's own are tried as well.
    """
    left = left if words.is_short else left / 3
    if words.vocab.units == WORDS:
        return "which knows characters, and the symbols here are words"
    if len(words.words) > plans.PRIOR_WORDS:
        return f"which helps lists of up to {plans.PRIOR_WORDS:,} words"
    if len(set(words.split.train)) < adapting.FEWEST:
        return f"which needs at least {adapting.FEWEST} different words to train on"
    if (need := costs.seconds(Plan(PRIOR), words)) > left:
        return f"which takes about {need:,.1f} s, and {effort} gives it {max(0.0, left):,.1f} s"
    try:
        load()
    except ValueError as error:
        LOG.warning("the bundled prior cannot be used: %s", error)
        return "whose file cannot be read"
    return None


def _more_seeds(networks: dict[str, Plan], words: WordList, left: float) -> dict[str, Plan]:
    """Plans more runs of each network, with other seeds, as many as the seconds left allow."""
    found: dict[str, Plan] = {}
    for number in range(2, _SEEDS + 1):
        for name, plan in networks.items():
            left -= costs.seconds(plan, words)
            if left < 0:
                return found
            found[f"{name}-{number}"] = replace(plan, seed=(plan.seed + number - 1) % 2**32)
    return found


def estimate(found: Mapping[str, Plan], words: WordList) -> str:
    """Says what will be tried, and how long that takes by the estimate."""
    total = sum(costs.seconds(plan, words) for plan in found.values())
    return f"tries {', '.join(found)}: about {max(1.0, total):,.0f} s of CPU"


def learn(
    words: Sequence[str], key: Key[Array, ""], effort: str = "normal", *, prior: bool = True, units: str | None = None
) -> Choice:
    """Chooses a model for a list of words: trains the candidates of an effort, and keeps the best on dev.

    Does what `mm-jax train LIST` does, without files; progress goes to the logger `mm_jax`.

    Args:
      words: the list; at least 6 words are split into train, dev and test, fewer all train.
      key: the same key, words and effort give the same model.
      effort: "quick", "normal", "best", or "page": what makemore.html makes of the list, each word taken once.
      prior: whether to try the bundled prior, a network that has read other lists.
      units: "characters", "graphemes" or "words", as `Vocab.from_words` takes them; None takes graphemes where one of
        the list has several characters, else characters.

    Returns:
      The models that were tried with their losses on dev; `.params` is the one that was kept.

    Raises:
      ValueError: no words, an unknown effort or unit, a key that is no random key; words as `Vocab.from_words`.

    >>> found = learn(["anna", "hanna", "nana", "anne"], jax.random.key(0), "quick", prior=False)
    >>> found.kept.name
    'ngram order 3'
    >>> type(found.params).__name__
    'NGram'
    """
    random_key("key", key)
    if effort not in (*costs.SECONDS, PAGE):
        raise ValueError(f"effort is {effort!r}: choose {', '.join((*costs.SECONDS, PAGE))}")
    word_list = WordList.of(list(dict.fromkeys(as_list(words))) if effort == PAGE else words, units)

    def train(name: str, plan: Plan) -> tuple[Params, bool]:
        own = jax.random.fold_in(key, plan.seed) if plan.seed else key  # of another run of the same network
        return trainer.train(plan, word_list, own, trainer.unwatched)

    return choose(word_list, effort, key, train, prior=prior)


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
      keep: called with the parameters of each candidate that is the best so far, and of the product if it is.
      settings: prior, and seed and dedup of the plans.
    """
    found, left_out = plans_for(words, effort, key=key, **settings)
    LOG.info(estimate(found, words))
    tried: list[Tried] = []
    for name, candidate in found.items():
        LOG.info(plans.summary(candidate))
        begin = time.perf_counter()
        params, finished = train(name, candidate)
        if candidate.model == PRIOR and isinstance(params, NGram):
            left_out.append("not kept: prior, since cross-validation gives the n-grams all the weight")
            continue
        tried.append(evaluated(title(name, candidate), params, words.split, time.perf_counter() - begin))
        of_short = words.is_short and candidate.model == PRIOR  # cross-validation has chosen it
        if of_short or tried[-1] is min(tried, key=lambda one: one.dev):
            keep(tried[-1].params)  # so that a killed run has the best so far
        if not finished:  # stopped by the user: the other candidates are left to a resumed run
            break
    if words.is_short and tried[-1].name == _ADAPTED:
        return Choice(tried, tried[-1], ": the lowest loss in cross-validation, on new words", left_out)
    tried += product_of(tried, words.split)
    kept, why = best_of(tried)
    if kept.is_product:  # any other was kept when it was trained
        keep(kept.params)
    return Choice(tried, kept, why, left_out)


def title(name: str, plan: Plan) -> str:
    """Returns the candidate's name; that of a counted model includes its options."""
    if plan.model == PRIOR:
        return _ADAPTED
    options = plan.options.items() if plan.recipe is None else ()
    return " ".join([name, *(f"{option} {value}" for option, value in options)])


def evaluated(name: str, params: Params, split: Split, seconds: float, is_product: bool = False) -> Tried:
    """Evaluates a candidate on dev; its loss is nan without dev."""
    if not split.dev:
        return Tried(name, params, float("nan"), float("nan"), seconds)
    found = evaluate(params, plans.dev_for_choices(split))
    return Tried(name, params, found.nll, found.stderr, seconds, is_product)


def product_of(tried: list[Tried], split: Split) -> list[Tried]:
    """Multiplies the candidates, with powers fitted on dev; returns no product for fewer than two members."""
    members = [one for one in tried if np.isfinite(one.dev)]
    begin = time.perf_counter()
    if len(members) < 2:
        return []
    dev = plans.dev_for_powers(split, members[0].params.vocab)
    powers = np.asarray(product.fit([one.params for one in members], dev).powers)
    members = [one for one, power in zip(members, powers, strict=True) if power >= _LEAST_POWER]
    if len(members) < 2:
        return []
    params = product.fit([one.params for one in members], dev)
    powers = zip(members, np.asarray(params.powers), strict=True)
    name = " x ".join(f"{one.name} ^ {power:.2f}" for one, power in powers)
    return [evaluated(name, params, split, time.perf_counter() - begin, is_product=True)]


def best_of(tried: list[Tried]) -> tuple[Tried, str]:
    """Returns the candidate with the lowest loss on dev, and why; a product must be lower by more than `_GAIN`."""
    kept = min(tried, key=lambda one: one.dev + _GAIN * one.is_product)
    best = min(tried, key=lambda one: one.dev)
    if len(tried) == 1:
        return kept, ""
    if best is kept:
        return kept, ": the lowest loss on dev"
    return kept, f": {best.name} is better by less than {_GAIN} on dev"
