"""Chooses, for a list, the options of a model and of its recipe that the user left open."""

from typing import Any

import jax
import optax

from mm_jax import models
from mm_jax.models.contract import Model, NamedRecipe, Params
from mm_jax.output import say
from mm_jax.tool.model_options import options_of
from mm_jax.tool.runs import Plan
from mm_jax.training import rates
from mm_jax.training.recipes import DECAYED, Recipe, for_size, options_for, recipe_options, recipes_of
from mm_jax.vocab import Vocab
from mm_jax.words import Split, WordList

JUDGED = 4000  # words of dev that choices are made on
WATCHED = 2**23  # words of dev * characters of the alphabet that stop a run: each takes rows of logits
LEARNED = 200_000  # words of train that options are chosen by: more would change none, and take minutes
SHORT = 500  # words: of a shorter list dev is too small to choose on
FOLDS = 10  # of a cross-validation


def recipe_at(model: Model, effort: str) -> NamedRecipe | None:
    """Returns how the command makes a model at an effort; None where it does not try it."""
    return next((recipe for recipe in model.recipes.values() if effort in recipe.efforts), None)


def plan_for(
    words: WordList,
    name: str,
    recipe: str | None,
    given: dict[str, Any],
    effort: str | None = None,
    **settings: Any,
) -> Plan:
    """Fills in what was not given, by the size of the list; a `learning_rate` of "auto" takes a range test.

    Args:
      words: the list.
      name: what the command calls the model.
      recipe: the name of one of the model's recipes; None is its first, scaled to the size of the list.
      given: options of the model and of the recipe.
      effort: takes the model's recipe for it, which says how long it is trained; None is its first recipe.
      settings: seed and dedup.
    """
    model = models.makeable()[name]
    own = {option: value for option, value in given.items() if option in options_of(model)}
    changes = {option: value for option, value in given.items() if option not in own}
    if model.init is None:
        own = {**recipe_options(model, recipe or ""), **own}
        return Plan(name, options=_chosen(model, words, own), **settings)
    recipes = recipes_of(model)
    at_effort = None if effort is None else recipe_at(model, effort)
    if at_effort is None:
        chosen, options = recipes[recipe or next(iter(recipes))], recipe_options(model, recipe or next(iter(recipes)))
    else:
        chosen, options = Recipe.from_json(at_effort.training), dict(at_effort.model)
    plan = Plan(name, options=options_for(model, {**options, **own}, words.words), **settings)
    if recipe is None:
        chosen = for_size(chosen, words.characters, words.vocab, longer=effort is None)
    auto = changes.get("learning_rate") == "auto"
    if auto:
        del changes["learning_rate"]
    if changes.get("optimizer", "adamw") not in DECAYED:  # the recipe's weight decay is that of its own optimizer
        changes.setdefault("weight_decay", 0.0)
    chosen = chosen.but(**Recipe.named(changes))
    if auto:
        chosen = chosen.but(learning_rate=_found_rate(plan, words, chosen))
    return Plan(name, options=plan.options, recipe=chosen, **settings)


def _chosen(model: Model, words: WordList, given: dict[str, Any]) -> dict[str, Any]:
    """Returns the options of a counted model: those that held-out words choose, or those of its first recipe."""
    if model.choose is not None and words.split.dev:
        folds = folds_of(words.split)
        options, losses = model.choose(folds, words.vocab, **given)
        how = "loss on dev" if len(folds) == 1 else f"{len(folds)}-fold cross-validation loss"
        if losses:
            say(f"{how}: " + ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
        return options
    return {**recipe_options(model, next(iter(model.recipes), "")), **given}


def judged_on(split: Split) -> list[str]:
    """Returns the words of dev that choices are made on: enough of them to tell models apart."""
    return split.dev[:JUDGED]


def stopped_on(split: Split, vocab: Vocab) -> list[str]:
    """Returns the words of dev for early stopping: fewer of a large alphabet."""
    return split.dev[: min(JUDGED, max(SHORT, WATCHED // len(vocab)))]


def folds_of(split: Split) -> list[tuple[list[str], list[str]]]:
    """Returns pairs to choose by: (train, dev); of a short list the folds of a cross-validation over both."""
    if sum(map(len, split)) >= SHORT:
        return [(split.train[:LEARNED], judged_on(split))]
    both = [*split.train, *split.dev]
    n = min(FOLDS, len(both))
    return [([word for i, word in enumerate(both) if i % n != fold], both[fold::n]) for fold in range(n)]


def _found_rate(plan: Plan, words: WordList, recipe: Recipe) -> float:
    key = jax.random.key(plan.seed)
    options = {"batch_size": recipe.batch_size, "draw": recipe.draw, "optimizer": optax.adam}
    test = rates.lr_range_test(initial(plan, words.vocab, key), words.split.train, key, **options)
    return float(f"{test.suggestion:.3g}")


def initial(plan: Plan, vocab: Vocab, key: Any) -> Params:
    """Returns new parameters of the planned model, before any step."""
    init = models.makeable()[plan.model].init
    assert init is not None  # or there are no steps to take
    return init(key, vocab, **plan.options)


def described(plan: Plan) -> str:
    """Returns one line: the model and its options, those of a recipe only where they are not the usual ones."""
    given = plan.as_json()
    usual = {"draw", "optimizer", "decay", "steps", "batch_size", "learning_rate"}
    shown = {name: value for name, value in given.items() if name in usual or name in plan.options or value}
    shown = {name: value for name, value in shown.items() if name not in ("model", "dedup", "seed")}
    return f"{plan.model}: " + ", ".join(f"{name} {value}" for name, value in {**shown, "seed": plan.seed}.items())
