"""The options of `mm-jax train` for models and recipes: adds them to the command, and parses them.

Importing the models imports JAX, so only `mm-jax train` imports this file.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from mm_jax import models
from mm_jax.learning.options import ModelOption, options_of, recipe_fields
from mm_jax.learning.plans import AUTO

_SHORT = {"learning_rate": "--lr"}
_RECIPE = "Training, only with --model NAME (default: as its recipe says)"
_MODEL = "Sizes, only with --model NAME"


@functools.cache  # once: a second call would add the options again
def extend(command: Callable[..., None]) -> None:
    """Replaces **options, the last parameter of `train`, by a parameter for each option of a model or a recipe.

    Adds the names of all models and recipes to `--model` and `--recipe`.
    """
    makeable = models.makeable()
    recipes = dict.fromkeys(name for model in makeable.values() if model.init for name in model.recipes)
    annotations: dict[str, Any] = {
        "context": typer.Context,  # typer passes its base class, which a check of types would refuse
        "model": Annotated[
            Literal[(AUTO, *makeable)],  # pyright: ignore
            typer.Option(help="The model; auto tries several.", case_sensitive=False),
        ],
        "recipe": Annotated[
            str | None, typer.Option(metavar="NAME", help=f"A recipe of the model: {', '.join(recipes)}.")
        ],
    }
    names = dict.fromkeys([*recipe_fields(), *(name for model in makeable.values() for name in options_of(model))])
    own = [
        parameter.replace(annotation=annotations.get(parameter.name, parameter.annotation))
        for parameter in inspect.signature(command).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    more = [_keyword(name) for name in names]
    command.__signature__ = inspect.Signature([*own, *more])  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *more)}


def _keyword(name: str) -> inspect.Parameter:
    """Returns the parameter of an option, with its flag, type and help."""
    panel = _RECIPE if name in recipe_fields() else _MODEL
    option = typer.Option(_flag(name), metavar=_metavar(name), help=_meaning(name), rich_help_panel=panel)
    annotation = Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _metavar(name: str) -> str:
    """Returns the type of an option in capitals; VALUE if it differs between models."""
    tables = [recipe_fields(), *map(options_of, models.makeable().values())]
    kinds = {table[name].kind for table in tables if name in table}
    return {int: "N", float: "X", str: "NAME"}[kinds.pop()] if len(kinds) == 1 else "VALUE"


def _meaning(name: str) -> str:
    """Returns the help of an option: its models, and its meaning there."""
    if (of_recipe := recipe_fields().get(name)) is not None:
        return _sentence(of_recipe.meaning) + (" auto finds one." if name == "learning_rate" else "")
    owners: dict[str, list[str]] = {}
    for model in models.makeable().values():
        if (option := options_of(model).get(name)) is not None:
            size = "by the vocabulary" if option.default is None else option.default
            owners.setdefault(_sentence(option.meaning), []).append(f"{model.name} {size}")
    return " ".join(f"{meaning} [default: {', '.join(names)}]" for meaning, names in owners.items())


def _sentence(text: str) -> str:
    """Adds a capital and a full stop."""
    return text[:1].upper() + text[1:] + "."


def _flag(name: str) -> str:
    """Returns the flag of an option."""
    return _SHORT.get(name, "--" + name.replace("_", "-"))


def parsed(name: str, recipe: str | None, options: dict[str, str | None], prior: bool = True) -> dict[str, Any]:
    """Parses the given options; `prior` is False for --no-prior.

    Raises typer.BadParameter for an option that the model does not have, and for a value of the wrong type or range.
    """
    if name == AUTO:
        for option, text in {"recipe": recipe, **options}.items():
            if text is not None:
                raise typer.BadParameter(
                    "give it with --model NAME: auto chooses all options", param_hint=_flag(option)
                )
        return {}
    if not prior:
        raise typer.BadParameter(f"--model {name} never takes the prior: leave out --no-prior", param_hint="--no-prior")
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


def _value(option: ModelOption, text: str) -> Any:
    """Parses one option; raises typer.BadParameter for a value of the wrong type or range."""
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
