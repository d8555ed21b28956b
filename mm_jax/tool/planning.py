"""What is chosen for a list: the options of a model and of its recipe that the user left open."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import jax
import numpy as np
import optax

from mm_jax import models, words
from mm_jax.models import catalogue
from mm_jax.models.contract import Params
from mm_jax.tool.output import say
from mm_jax.tool.runs import Plan, split_for
from mm_jax.training import rates, whole_words
from mm_jax.training.recipes import DECAYED, Recipe, recipe_options, recipes_of
from mm_jax.vocab import Vocab

JUDGED = 4000  # words of dev that choices are made on
WATCHED = 2**23  # words of dev * characters of the alphabet that a run is stopped by: each takes rows of logits
LEARNED = 200_000  # words of train that options are chosen by: more would change none, and take minutes
SHORT = 500  # words: of a shorter list dev is too small to choose on
FOLDS = 10  # of a cross-validation
FEWEST, MOST = "from_words", "to_words"  # in a model's EFFORTS: the sizes of the lists that it is tried on
_RECIPES_FOR = 228_145  # characters of names.txt, ends included: the list that the recipes were made for
_LOGITS = 2**18  # of a batch of examples or contexts: more of a large alphabet's would take minutes


def plan_for(
    listed: Sequence[str],
    vocab: Vocab,
    model: str,
    recipe: str | None,
    given: dict[str, Any],
    effort: str | None = None,
    **settings: Any,
) -> Plan:
    """Fills in what was not given, by the size of the list; a `learning_rate` of "auto" takes a range test.

    Args:
      listed: the words.
      vocab: their characters.
      model: the name of its file.
      recipe: the name of one of the model's recipes; None is its first, fitted to the size of the list.
      given: options of the model and of the recipe.
      effort: that of the model's efforts to take, which says how long it is trained; None is its recipe alone.
      settings: seed and dedup.
    """
    module: ModuleType = getattr(models, model)
    kind = catalogue.kinds()[model]
    tried = {name: value for name, value in kind.efforts.get(effort or "", {}).items() if name not in (FEWEST, MOST)}
    own = {name: value for name, value in {**tried, **given}.items() if name in kind.options}
    changes = {name: value for name, value in given.items() if name not in own}
    if kind.made_by == "fit":
        return Plan(model, options=_chosen(module, listed, vocab, own), **settings)
    name = recipe or next(iter(recipes_of(module)))
    if "max_length" in kind.options:  # a model that reads words up to a length can read this list's
        own.setdefault("max_length", max(kind.options["max_length"].default, *map(len, listed)))
    plan = Plan(model, options={**recipe_options(module, name), **own}, **settings)
    chosen = recipes_of(module)[name]
    if recipe is None:
        ahead = Recipe.named({name: value for name, value in tried.items() if name not in own})
        chosen = for_size(chosen.but(**ahead), sum(map(len, listed)) + len(listed), vocab, longer=effort is None)
    auto = changes.get("learning_rate") == "auto"
    if auto:
        del changes["learning_rate"]
    if changes.get("optimizer", "adamw") not in DECAYED:  # the recipe's weight decay is that of its own optimizer
        changes.setdefault("weight_decay", 0.0)
    chosen = chosen.but(**Recipe.named({name: value for name, value in changes.items() if value is not None}))
    if auto:
        chosen = chosen.but(learning_rate=_found_rate(plan, split_for(listed).train, vocab, chosen))
    return Plan(model, options=plan.options, recipe=chosen, **settings)


def for_size(recipe: Recipe, characters: int, vocab: Vocab, longer: bool = True) -> Recipe:
    """A recipe for names.txt, for a list of another size: steps in proportion, and small steps for a short list.

    `longer`: whether a longer list takes more steps.
    """
    share = characters / _RECIPES_FOR
    # A short list is learned by heart before a large step is taken.
    rate = (recipe.learning_rate or 0.0) * float(np.clip(np.sqrt(characters / 50_000), 0.05, 1.0))
    most = 6000 if longer else recipe.steps
    recipe = recipe.but(steps=int(np.clip(recipe.steps * share, 300, most)), learning_rate=float(f"{rate:.2g}"))
    if characters * len(vocab) > whole_words.MAX_CELLS // 2:  # a row of counts for each context or prefix would not fit
        recipe = recipe.but(draw="examples" if recipe.draw == "contexts" else recipe.draw, teach=0.0)
    few = max(32, _LOGITS // len(vocab))
    if recipe.draw != "words" and (recipe.batch_size or 0) > few:  # the gradient of fewer is noisier: a lower rate
        rate *= np.sqrt(few / (recipe.batch_size or few))
        recipe = recipe.but(batch_size=few, learning_rate=float(f"{rate:.2g}"))
    return recipe


def _chosen(module: ModuleType, listed: Sequence[str], vocab: Vocab, given: dict[str, Any]) -> dict[str, Any]:
    """The options of a model that is made by counting: what its file chooses on held-out words, or its defaults."""
    split = split_for(listed)
    if hasattr(module, "choose") and split.dev:
        folds = folds_of(split)
        options, losses = module.choose(folds, vocab, **given)
        how = "dev" if len(folds) == 1 else f"{len(folds)} parts of train and dev, each predicted from the others"
        if losses:
            say(f"loss on {how}: " + ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
        return options
    return {**getattr(module, "DEFAULTS", {}), **given}


def judged(split: words.Split) -> list[str]:
    """The words of dev that choices are made on: enough of them to tell models apart."""
    return split.dev[:JUDGED]


def watched(split: words.Split, vocab: Vocab) -> list[str]:
    """The words of dev that a run by gradient steps is stopped by: fewer of a large alphabet."""
    return split.dev[: min(JUDGED, max(SHORT, WATCHED // len(vocab)))]


def folds_of(split: words.Split) -> list[tuple[list[str], list[str]]]:
    """What to choose by: (train, dev); of a short list ten parts of both in turn, each predicted from the others."""
    if sum(map(len, split)) >= SHORT:
        return [(split.train[:LEARNED], judged(split))]
    both = [*split.train, *split.dev]
    n = min(FOLDS, len(both))
    return [([word for i, word in enumerate(both) if i % n != fold], both[fold::n]) for fold in range(n)]


def _found_rate(plan: Plan, train: list[str], vocab: Vocab, recipe: Recipe) -> float:
    key = jax.random.key(plan.seed)
    options = {"batch_size": recipe.batch_size, "draw": recipe.draw, "optimizer": optax.adam}
    test = rates.lr_range_test(initial(plan, vocab, key), train, key, **options)
    return float(f"{test.suggestion:.3g}")


def initial(plan: Plan, vocab: Vocab, key: Any) -> Params:
    """New parameters of the planned model, before any step."""
    return getattr(models, plan.model).init(key, vocab, **plan.options)


def described(plan: Plan) -> str:
    """One line: the model and its options, those of a recipe only where they are not the usual ones."""
    given = plan.as_json()
    usual = {"draw", "optimizer", "decay", "steps", "batch_size", "learning_rate"}
    shown = {name: value for name, value in given.items() if name in usual or name in plan.options or value}
    shown = {name: value for name, value in shown.items() if name not in ("model", "dedup", "seed")}
    return f"{plan.model}: " + ", ".join(f"{name} {value}" for name, value in {**shown, "seed": plan.seed}.items())
