"""The options of models and of recipes: names, types, defaults and meanings, read from signatures and docstrings."""

import dataclasses
import inspect
import typing
from typing import Any, NamedTuple

from mm_jax.models.contract import Model
from mm_jax.training.recipes import Recipe


class ModelOption(NamedTuple):
    """An option of a model or a recipe: name, type (int, float or str), default, meaning."""

    name: str
    kind: type
    default: Any
    meaning: str


def options_of(model: Model) -> dict[str, ModelOption]:
    """Returns the options that make a model: the arguments of `init` or `fit` that have a default and a type.

    >>> from mm_jax import mlp
    >>> [option.name for option in options_of(mlp.MODEL).values()]
    ['block_size', 'embedding_dim', 'hidden_dim', 'init']
    """
    make = model.init or model.fit
    if make is None:
        return {}
    meanings = _meanings(inspect.getdoc(make) or "")
    return {
        name: ModelOption(name, _kind(parameter.annotation), parameter.default, meanings.get(name, ""))
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.default is not inspect.Parameter.empty and parameter.annotation is not Any
    }


def recipe_fields() -> dict[str, ModelOption]:
    """Returns the options of a recipe."""
    meanings = _meanings(inspect.getdoc(Recipe) or "")
    return {
        field.name: ModelOption(field.name, _kind(field.type), field.default, meanings.get(field.name, ""))
        for field in dataclasses.fields(Recipe)
    }


def _kind(annotation: Any) -> type:
    """Returns the int or float of an annotation such as `int | None`; str for any other."""
    parts = typing.get_args(annotation) or (annotation,)
    return next((part for part in parts if part in (int, float)), str)


def _meanings(docstring: str) -> dict[str, str]:
    """Returns the first sentence on each argument from the section `Args:` of a docstring."""
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
