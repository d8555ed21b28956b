"""The options of `mm-jax train` that belong to models and recipes: found in their files, not listed here."""

import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import mm_jax
from mm_jax.models import catalogue

KINDS = catalogue.kinds()
AUTO = "auto"  # the model that is found by trying
MODELS = (AUTO, *sorted(KINDS))
RECIPE_NAMES = ", ".join(dict.fromkeys(name for kind in KINDS.values() for name in kind.recipes))
RECIPE_OPTIONS = catalogue.fields_of(Path(mm_jax.__file__).parent / "training" / "recipes.py", "Recipe")
_SHORT = {"learning_rate": "--lr"}


def with_model_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, whose last parameter is **options, with one parameter for each option of a model or a recipe."""
    own = list(inspect.signature(command).parameters.values())[:-1]
    texts = {name: _meaning(name) for name in _all_names()}
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(name, text))
        for name, text in texts.items()
    ]

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        command(**arguments)

    wrapped.__signature__ = inspect.Signature([*own, *more])  # pyright: ignore[reportAttributeAccessIssue]
    wrapped.__annotations__ = {each.name: each.annotation for each in (*own, *more)}
    return wrapped


def _all_names() -> list[str]:
    models = [name for kind in KINDS.values() for name in kind.options]
    return list(dict.fromkeys([*RECIPE_OPTIONS, *models]))


def _option(name: str, text: str) -> Any:
    flag = _flag(name)
    return Annotated[str | None, typer.Option(flag, metavar="X", help=text)]


def _meaning(name: str) -> str:
    """The help of an option: whose it is, and what it means there."""
    of = [kind.name for kind in KINDS.values() if name in kind.options]
    if name in RECIPE_OPTIONS:
        return _sentence(RECIPE_OPTIONS[name].meaning) + (" Or auto." if name == "learning_rate" else "")
    same: dict[str, list[str]] = {}
    for model in of:
        same.setdefault(_sentence(KINDS[model].options[name].meaning), []).append(model)
    return " ".join(f"{', '.join(models)}: {meaning}" for meaning, models in same.items())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _flag(name: str) -> str:
    return _SHORT.get(name, "--" + name.replace("_", "-"))


def parsed_weights(text: str | None, count: int) -> list[float]:
    """The weights of `mm-jax mix`, one for each of `count` runs; typer.BadParameter for others."""
    if text is None:
        return [1.0] * count
    try:
        values = [float(each) for each in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not all(0 < value < math.inf for value in values):
        raise typer.BadParameter(f"{text!r} is not {count} positive numbers, as 1,2", param_hint="--weights")
    return values


def parsed(model: str, recipe: str | None, options: dict[str, str | None]) -> dict[str, Any]:
    """The options that were given, as values; typer.BadParameter for one that the model does not have, or no number."""
    if model == AUTO:
        for name, text in {"recipe": recipe, **options}.items():
            if text is not None:
                raise typer.BadParameter("it needs --model NAME: auto settles it itself", param_hint=_flag(name))
        return {}
    kind = KINDS[model]
    if recipe is not None and recipe not in kind.recipes:
        known = f"choose {' or '.join(kind.recipes)}" if kind.recipes else "it has none"
        raise typer.BadParameter(f"{model} has no recipe {recipe!r}: {known}", param_hint="--recipe")
    values: dict[str, Any] = {}
    for name, text in options.items():
        if text is None:
            continue
        flag = _flag(name)
        option = kind.options.get(name) or (RECIPE_OPTIONS.get(name) if kind.made_by == "init" else None)
        if option is None:
            raise typer.BadParameter(f"{model} has no such option", param_hint=flag)
        values[name] = _value(option, text, flag)
    return values


def _value(option: catalogue.Option, text: str, flag: str) -> Any:
    """The value of one option; typer.BadParameter for no number, or one out of range."""
    auto = option.name == "learning_rate" and text == "auto"
    wanted = "a whole number from 1 to 2147483647" if option.type.startswith("int") else "a number of 0 or more"
    if option.name == "learning_rate":
        wanted = "a positive number nor auto"
    try:
        value = text if auto else option.parse(text)
    except ValueError:
        value = math.nan
    least, most = (1, 2**31) if option.type.startswith("int") else (0, math.inf)
    if isinstance(value, int | float) and not (least <= value < most and (value or option.name != "learning_rate")):
        raise typer.BadParameter(f"{text!r} is {'neither' if 'nor' in wanted else 'not'} {wanted}", param_hint=flag)
    return value
