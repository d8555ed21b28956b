"""The class decorator of parameters: a frozen dataclass, registered as a JAX pytree of arrays.

A model's shapes are its configuration. So a class has arrays, the `vocab`, and the few numbers that no shape tells,
such as the number of attention heads; these are declared with `static()`.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, no_type_check

import jax
import jaxtyping
import numpy as np

T = TypeVar("T")
_STATIC = "mm_jax static"
_SHOWN, _LONGEST = 4, 80  # parts of a list, characters of a field, in a repr


def static() -> Any:
    """Declares a static field of a `pytree` class: hashable, no array, constant under `jit`.

    >>> @pytree
    ... class Halves:
    ...     W: jax.Array
    ...     parts: int = static()
    >>> jax.tree.leaves(Halves(W=1.0, parts=2))
    [1.0]
    """
    return field(metadata={_STATIC: True})


@dataclass_transform(frozen_default=True, field_specifiers=(static, field))
def pytree(cls: type[T]) -> type[T]:
    """Makes a class a frozen dataclass and registers it as a pytree.

    The field `vocab` and the fields declared with `static()` are static; all others are arrays, or trees of arrays.
    Annotations have no effect on this and may be strings.

    >>> @pytree
    ... class Uniform:
    ...     row: jax.Array
    ...     vocab: str
    >>> jax.tree.map(lambda leaf: leaf + 1, Uniform(row=1, vocab=".a"))
    Uniform(row=2, vocab='.a')
    """
    cls = dataclass(frozen=True, eq=False, repr=False)(cls)
    cls.__repr__ = _repr
    names = [entry.name for entry in fields(cls)]  # pyright: ignore[reportArgumentType]
    static_names = [entry.name for entry in fields(cls) if entry.name == "vocab" or entry.metadata.get(_STATIC)]  # pyright: ignore[reportArgumentType]
    _register(cls, tuple(name for name in names if name not in static_names), tuple(static_names))
    cls.static_fields = tuple(static_names)  # pyright: ignore[reportAttributeAccessIssue]
    # The annotated shapes are those of one model. A population, a tree of gradients, of axes or of None is an instance
    # of the class as well, so jaxtyping must not check the fields of a new instance.
    return no_type_check(cls)


def _register(cls: type, leaves: tuple[str, ...], static_names: tuple[str, ...]) -> None:
    """Registers a class with JAX by functions of its own.

    `jax.tree_util.register_dataclass` will not do: in JAX 0.10 the trees of two classes with the same fields compare as
    equal, so that a compiled function may run the program of the other class.
    """
    children_of, static_of = _getter(leaves), _getter(static_names)

    def flatten(tree: Any) -> tuple[tuple, tuple]:
        return children_of(tree), static_of(tree)

    def flatten_with_keys(tree: Any) -> tuple[tuple, tuple]:
        children, static_values = flatten(tree)
        return tuple(zip(map(jax.tree_util.GetAttrKey, leaves), children, strict=True)), static_values

    def unflatten(static_values: tuple, children: Any) -> Any:
        return cls(**dict(zip(leaves, children, strict=True)), **dict(zip(static_names, static_values, strict=True)))

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple]:
    """Returns a function that reads fields as a tuple; `attrgetter` of one name gives the bare value."""
    return attrgetter(*names) if len(names) > 1 else lambda tree: tuple([getattr(tree, name) for name in names])


def _repr(self: Any) -> str:
    """Returns the class and its fields, arrays by dtype and shape: short enough for a notebook."""
    shown = [f"{entry.name}={_brief(getattr(self, entry.name))}" for entry in fields(self)]
    return f"{type(self).__name__}({', '.join(shown)})"


def _brief(value: Any) -> str:
    """Returns a field on one line: dtype and shape of an array, the first of many parts."""
    if isinstance(value, jax.Array | np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        parts = [_brief(part) for part in value[:_SHOWN]] + ["..."] * (len(value) > _SHOWN)
        return f"[{', '.join(parts)}]" if isinstance(value, list) else f"({', '.join(parts)})"
    text = " ".join(repr(value).split())
    return text if is_pytree(type(value)) or len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def is_pytree(cls: type) -> bool:
    """Returns True if `pytree` decorated this very class; an undecorated subclass is no pytree."""
    return "static_fields" in vars(cls)


def check_arrays(thing: Any) -> None:
    """Raises ValueError for a field that holds no array, a deleted array, or one of another rank than annotated.

    One dimension more than annotated is a population.

    >>> @pytree
    ... class Row:
    ...     b: jaxtyping.Float32[jax.Array, " n"]
    >>> check_arrays(Row(b=[1.0, 2.0]))
    Traceback (most recent call last):
        ...
    ValueError: b of Row holds a float: give an array, such as jnp.asarray(...)
    """
    if is_pytree(type(thing)):
        ranks = _ranks(type(thing))
        for name in (entry.name for entry in fields(thing) if entry.name not in type(thing).static_fields):
            value = getattr(thing, name)
            for leaf in jax.tree.leaves(value, is_leaf=lambda part: is_pytree(type(part))):
                if is_pytree(type(leaf)):
                    check_arrays(leaf)
                else:
                    _check_leaf(leaf, f"{name} of {type(thing).__name__}", ranks.get(name))


def _check_leaf(leaf: Any, where: str, rank: int | None) -> None:
    """Raises ValueError as `check_arrays`; `where` names the field in the message."""
    if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
        raise ValueError(f"{where} holds a {type(leaf).__name__}: give an array, such as jnp.asarray(...)")
    if isinstance(leaf, jax.Array) and leaf.is_deleted():
        raise ValueError(f"{where} was deleted, or donated to a compiled function: copy an array to use it again")
    if rank is not None and leaf.ndim != rank:
        many = ": mm_jax.member(params, i) takes one of a population" if leaf.ndim == rank + 1 else ""
        raise ValueError(f"{where} has the shape {tuple(leaf.shape)}, where {rank} dimension(s) are expected{many}")


@functools.cache
def _ranks(cls: type) -> dict[str, int]:
    """Returns the annotated rank of each field, without fields of any rank."""
    hints = inspect.get_annotations(cls)
    arrays = {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)
    }
    return {name: len(hint.dims) for name, hint in arrays.items() if hint.index_variadic is None}
