"""The options of `mm-jax train` that belong to models and recipes: read from their records, not listed here.

Importing the models takes JAX, so `entry` imports this file for `mm-jax train` alone.
"""

import dataclasses
import functools
import inspect
import math
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import typer

from mm_jax import models
from mm_jax.models.contract import Model
from mm_jax.training.recipes import Recipe

AUTO = "auto"  # the model that is found by trying
_SHORT = {"learning_rate": "--lr"}


class Option(NamedTuple):
    """An option of a model or a recipe: its name, the number it is (int, float, or str for text), default, meaning."""

    name: str
    kind: type
    default: Any
    meaning: str


def options_of(model: Model) -> dict[str, Option]:
    """Returns the options that make a model: the arguments of its `init` or `fit` that have a default.

    >>> [option.name for option in options_of(models.mlp.MODEL).values()]
    ['block_size', 'embedding_dim', 'hidden_dim', 'init']
    """
    make = model.init or model.fit
    if make is None:
        return {}
    meanings = _meanings(inspect.getdoc(make) or "")
    return {
        name: Option(name, _kind(parameter.annotation), parameter.default, meanings.get(name, ""))
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def recipe_fields() -> dict[str, Option]:
    """Returns the options of a recipe."""
    meanings = _meanings(inspect.getdoc(Recipe) or "")
    return {
        field.name: Option(field.name, _kind(field.type), field.default, meanings.get(field.name, ""))
        for field in dataclasses.fields(Recipe)
    }


def _kind(annotation: Any) -> type:
    """int or float where that is what is annotated, None aside; else str."""
    parts = typing.get_args(annotation) or (annotation,)
    return next((part for part in parts if part in (int, float)), str)


def _meanings(docstring: str) -> dict[str, str]:
    """The first sentence on each argument, of a docstring's section `Args:`."""
    meanings: dict[str, str] = {}
    name = ""
    for line in docstring.partition("Args:\n")[2].partition("\n\n")[0].splitlines():
        text = line.strip()
        if line.startswith("  ") and not line.startswith("    ") and ":" in text:
            name, _, text = text.partition(":")
            meanings[name] = text.strip()
        elif name:
            meanings[name] += " " + text
    return {name: text.split(". ")[0].rstrip(".") for name, text in meanings.items()}


@functools.cache  # once: the second call would find the options there
def extend(command: Callable[..., None]) -> None:
    """Gives `train`, whose last parameter is **options, one parameter for each option of a model or a recipe.

    Its `--model` and `--recipe` are told the names that there are.
    """
    known = models.makeable()
    recipes = dict.fromkeys(name for model in known.values() if model.init for name in model.recipes)
    annotations: dict[str, Any] = {
        "model": Annotated[Literal[(AUTO, *known)], typer.Option(help="What to train; auto finds the best.")],  # pyright: ignore
        "recipe": Annotated[str | None, typer.Option(metavar="NAME", help=f"How to train: {', '.join(recipes)}.")],
    }
    names = dict.fromkeys([*recipe_fields(), *(name for model in known.values() for name in options_of(model))])
    own = [
        parameter.replace(annotation=annotations.get(parameter.name, parameter.annotation))
        for parameter in inspect.signature(command).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    more = [_keyword(name) for name in names]
    command.__signature__ = inspect.Signature([*own, *more])  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *more)}


def _keyword(name: str) -> inspect.Parameter:
    annotation = Annotated[str | None, typer.Option(_flag(name), metavar="X", help=_meaning(name))]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _meaning(name: str) -> str:
    """The help of an option: whose it is, and what it means there."""
    if (of_recipe := recipe_fields().get(name)) is not None:
        return _sentence(of_recipe.meaning) + (" Or auto." if name == "learning_rate" else "")
    owners: dict[str, list[str]] = {}
    for model in models.makeable().values():
        if (option := options_of(model).get(name)) is not None:
            owners.setdefault(_sentence(option.meaning), []).append(model.name)
    return " ".join(f"{', '.join(names)}: {meaning}" for meaning, names in owners.items())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _flag(name: str) -> str:
    return _SHORT.get(name, "--" + name.replace("_", "-"))


def parsed(name: str, recipe: str | None, options: dict[str, str | None]) -> dict[str, Any]:
    """Returns the options that were given, as values.

    Raises typer.BadParameter for an option that the model does not have, and for a value that is no such number.
    """
    if name == AUTO:
        for option, text in {"recipe": recipe, **options}.items():
            if text is not None:
                raise typer.BadParameter("it needs --model NAME: auto settles it itself", param_hint=_flag(option))
        return {}
    model = models.makeable()[name]
    if recipe is not None and recipe not in model.recipes:
        raise typer.BadParameter(
            f"{name} has no recipe {recipe!r}: choose {' or '.join(model.recipes)}", param_hint="--recipe"
        )
    takes = {**(recipe_fields() if model.init else {}), **options_of(model)}
    values: dict[str, Any] = {}
    for option, text in options.items():
        if text is None:
            continue
        if option not in takes:
            raise typer.BadParameter(f"{name} has no such option", param_hint=_flag(option))
        values[option] = _value(takes[option], text)
    return values


def _value(option: Option, text: str) -> Any:
    """The value of one option; typer.BadParameter for no number, or one out of range."""
    is_rate = option.name == "learning_rate"
    if option.kind is str or (is_rate and text == "auto"):
        return text
    try:
        value = option.kind(text)
    except ValueError:
        value = math.nan
    least, below = (1, 2**31) if option.kind is int else (0, math.inf)
    if least <= value < below and (value or not is_rate):
        return value
    if option.kind is int:
        why = "is not a whole number from 1 to 2147483647"
    else:
        why = "is neither a positive number nor auto" if is_rate else "is not a number of 0 or more"
    raise typer.BadParameter(f"{text!r} {why}", param_hint=_flag(option.name))
