"""Plans a run: chooses the options of a model and of its recipe that the user did not give."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optax
from jaxtyping import Array, Key

from mm_jax import models, symbols
from mm_jax.checks import whole_number
from mm_jax.learning import sizes
from mm_jax.learning.options import options_of
from mm_jax.models.contract import Model, NamedRecipe, Params
from mm_jax.streams import WordFile, sizes_of, some
from mm_jax.symbols import CHARACTERS
from mm_jax.training import rates
from mm_jax.training.recipes import DECAYED, Recipe, for_size, options_for, recipe_options, recipes_of
from mm_jax.vocab import Vocab
from mm_jax.words import SHORT, Split, WordList

LOG = logging.getLogger("mm_jax")  # the command prints its messages

AUTO = "auto"  # in place of a model: tries several, and keeps the best
PRIOR = "prior"  # in place of a model: the bundled network, adapted to the list
PAGE = "page"  # in place of a model, and of an effort: what a page learns, n-grams and the prior's output layer
PRIOR_WORDS = 5000  # longer lists were not measured in pairs: examples/README.md
CHOICE_WORDS = 4000  # words of dev for choices
POWER_CELLS = 2**25  # symbols of dev * size of the alphabet for the powers of a product: 128 MB a member
STOPPING_CELLS = 2**23  # words of dev * size of the alphabet for early stopping: bounds the logits to compute
STOPPING_CHARACTERS = 2**15  # of dev for early stopping, of a long list
FITTED_WORDS = 200_000  # words of train to choose options with: more change nothing, and take minutes
FOLDS = 10  # of the cross-validation
_SETTINGS = ("model", "seed", "dedup", "units")  # of every plan


@dataclass(frozen=True)
class Plan:
    """All options of a run; `plan_for` chooses those that the user did not give."""

    model: str
    seed: int = 0
    dedup: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of the model's `init` or `fit`
    recipe: Recipe | None = None  # None for counting
    units: str = CHARACTERS  # of the symbols that words are cut into

    def as_json(self) -> dict[str, Any]:
        """Returns the plan as JSON values, all options in one dict."""
        recipe = {} if self.recipe is None else self.recipe.as_json()
        units = {} if self.units == CHARACTERS else {"units": self.units}  # older versions have characters alone
        return {"model": self.model, "seed": self.seed, "dedup": self.dedup, **units, **self.options, **recipe}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Plan":
        """Makes the plan of what `as_json` wrote; raises ValueError for anything else.

        >>> Plan.from_json(Plan("ngram", options={"order": 3}).as_json()).options
        {'order': 3}
        """
        rest = {name: value for name, value in values.items() if name not in _SETTINGS}
        name, seed, dedup = values.get("model"), values.get("seed", 0), values.get("dedup", False)
        units = symbols.check_units(values.get("units", CHARACTERS))
        whole_number("seed", seed, least=0)
        if name in (AUTO, PRIOR, PAGE):
            return cls(name, seed, dedup, rest, units=units)
        if name not in models.makeable():
            raise ValueError(f"{name} is no model that is trained")
        model = models.makeable()[name]
        own = {option: rest.pop(option) for option in values if option in options_of(model)}  # in the same order
        if rest and model.init is None:
            raise ValueError(f"{name} has no option {', '.join(rest)}")
        return cls(name, seed, dedup, own, None if model.init is None else Recipe.from_json(rest), units)


def recipe_at(model: Model, effort: str, words: int) -> NamedRecipe | None:
    """Returns the recipe of a model for an effort and a list of so many words; None if the effort has none.

    Of several it is that for the longest lists that are no longer than this one; of none, that for the shortest.
    """
    known = [recipe for recipe in model.recipes.values() if effort in recipe.efforts]
    known.sort(key=lambda recipe: recipe.fewest_words)
    fitting = [recipe for recipe in known if recipe.fewest_words <= words]
    return fitting[-1] if fitting else next(iter(known), None)


def plan_for(
    words: WordList,
    name: str,
    recipe: str | None,
    given: dict[str, Any],
    effort: str | None = None,
    *,
    key: Key[Array, ""],
    **settings: Any,
) -> Plan:
    """Plans a run, with defaults by the size of the list; a `learning_rate` of "auto" runs a learning rate range test.

    Args:
      words: the list.
      name: name of the model.
      recipe: name of one of its recipes; None is the first, scaled to the size of the list.
      given: options of the model and of the recipe that the user gave.
      effort: takes the model's recipe for this effort, with its number of steps; None takes `recipe`.
      key: of the learning rate range test.
      settings: seed and dedup.
    """
    model, units = models.makeable()[name], words.vocab.units
    own = {option: value for option, value in given.items() if option in options_of(model)}
    changes = {option: value for option, value in given.items() if option not in own}
    if model.init is None:
        own = {**recipe_options(model, recipe or ""), **own}
        return Plan(name, options=_counted_options(model, words, own), units=units, **settings)
    recipes = recipes_of(model)
    at_effort = None if effort is None else recipe_at(model, effort, len(words.words))
    if at_effort is None:
        chosen, options = recipes[recipe or next(iter(recipes))], recipe_options(model, recipe or next(iter(recipes)))
    else:
        chosen, options = Recipe.from_json(at_effort.training), dict(at_effort.model)
    plan = Plan(name, options=options_for(model, {**options, **own}, words.words, units), **settings)
    if recipe is None:
        chosen = for_size(chosen, words.tokens, words.vocab, longer=effort is None)
    auto = changes.get("learning_rate") == "auto"
    if auto:
        del changes["learning_rate"]
    if changes.get("optimizer", "adamw") not in DECAYED:  # the recipe's weight decay is tuned for its own optimizer
        changes.setdefault("weight_decay", 0.0)
    chosen = chosen.but(**Recipe.named(changes))
    weigh(Plan(name, options=plan.options, recipe=chosen), words)
    if auto:
        chosen = chosen.but(learning_rate=_suggested_rate(plan, words, chosen, key))
    return Plan(name, options=plan.options, recipe=chosen, units=units, **settings)


def _counted_options(model: Model, words: WordList, given: dict[str, Any]) -> dict[str, Any]:
    """Returns the options of a counted model: the best on held-out words, or those of its first recipe."""
    if model.choose is not None and words.split.dev:
        folds = folds_of(words.split)
        options, losses = model.choose(folds, words.vocab, **given)
        how = "loss on dev" if len(folds) == 1 else f"{len(folds)}-fold cross-validation loss of train and dev"
        if losses:
            LOG.info("%s: %s", how, ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
        return options
    return {**recipe_options(model, next(iter(model.recipes), "")), **given}


def dev_for_choices(split: Split) -> list[str]:
    """Returns the words of dev for choices: enough to tell models apart."""
    return split.dev[:CHOICE_WORDS]


def dev_for_powers(split: Split, vocab: Vocab) -> list[str]:
    """Returns the words of dev for the powers of a product: fewer for a large alphabet."""
    dev = dev_for_choices(split)
    return dev[: max(1, POWER_CELLS * len(dev) // (sizes_of(dev, vocab.units).total * len(vocab)))]


def dev_for_stopping(split: Split, vocab: Vocab) -> list[str]:
    """Returns the words of dev for early stopping: fewer for a large alphabet, and for long words of a long list."""
    words = min(CHOICE_WORDS, max(SHORT, STOPPING_CELLS // len(vocab)))
    if isinstance(split.train, WordFile):
        words = min(
            words, max(SHORT, STOPPING_CHARACTERS * len(split.train) // sizes_of(split.train, vocab.units).total)
        )
    return split.dev[:words]


def folds_of(split: Split) -> list[tuple[Sequence[str], list[str]]]:
    """Returns pairs (train, dev) for choices: one, or for a short list the folds of a cross-validation over both."""
    if sum(map(len, split)) >= SHORT:
        return [(some(split.train, FITTED_WORDS), dev_for_choices(split))]
    both = [*split.train, *split.dev]
    n = min(FOLDS, len(both))
    return [([word for i, word in enumerate(both) if i % n != fold], both[fold::n]) for fold in range(n)]


def _suggested_rate(plan: Plan, words: WordList, recipe: Recipe, key: Key[Array, ""]) -> float:
    """Suggests a learning rate by a range test."""
    options = {"batch_size": recipe.batch_size, "draw": recipe.draw, "optimizer": optax.adam}
    test = rates.lr_range_test(initial(plan, words.vocab, key), words.split.train, key, **options)
    return float(f"{test.suggestion:.3g}")


def initial(plan: Plan, vocab: Vocab, key: Key[Array, ""]) -> Params:
    """Returns new parameters of the planned model, before any step."""
    init = models.makeable()[plan.model].init
    assert init is not None  # the plan has a recipe
    return init(key, vocab, **plan.options)


def weigh(plan: Plan, words: WordList) -> None:
    """Says how much memory a large network takes to train; raises ValueError if this machine does not have it."""
    assert plan.recipe is not None  # counting takes what the list needs
    found = sizes.of(plan.model, plan.options, plan.recipe, words)
    text = (
        f"{plan.model}: {sizes.short(found.numbers)} numbers, which take {sizes.short(found.bytes / 1e9)} GB to train"
    )
    if found.bytes > (limit := sizes.memory()):
        raise ValueError(f"{text}; there are {sizes.short(limit / 1e9)} GB: give smaller sizes")
    if found.bytes > sizes.LARGE:
        LOG.info(text)


def summary(plan: Plan) -> str:
    """Summarises a plan in one line: the model and its options, without those of the recipe that are off."""
    always = {"draw", "optimizer", "decay", "steps", "batch_size", "learning_rate", *plan.options}
    options = {name: value for name, value in plan.as_json().items() if name in always or value}
    options = {name: value for name, value in options.items() if name not in _SETTINGS}
    return f"{plan.model}: " + ", ".join(f"{name} {value}" for name, value in {**options, "seed": plan.seed}.items())
