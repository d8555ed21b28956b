"""What makes a class a model's parameters: a frozen dataclass that JAX sees as a pytree of arrays.

A model's shapes are its configuration, so nothing but arrays is stored, the `vocab` that decodes them, and the few
numbers that no shape can tell, such as a number of attention heads: these are declared with `static()`.
"""

import functools
import inspect
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform, no_type_check

import jax
import jaxtyping
import numpy as np

T = TypeVar("T")
_STATIC = "mm_jax static"


def static() -> Any:
    """Declares a field of a `pytree` class that is part of its type, not an array: hashable, and fixed under `jit`.

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
    """Class decorator: a frozen dataclass, registered as a pytree.

    The field `vocab` and the fields declared with `static()` are static; all others are arrays, or trees of arrays.
    The annotations play no part in this: they may be strings.

    >>> @pytree
    ... class Uniform:
    ...     row: jax.Array
    ...     vocab: str
    >>> jax.tree.map(lambda leaf: leaf + 1, Uniform(row=1, vocab=".a"))
    Uniform(row=2, vocab='.a')
    """
    cls = dataclass(frozen=True, eq=False)(cls)
    names = [each.name for each in fields(cls)]  # pyright: ignore[reportArgumentType]
    unchanging = [each.name for each in fields(cls) if each.name == "vocab" or each.metadata.get(_STATIC)]  # pyright: ignore[reportArgumentType]
    jax.tree_util.register_dataclass(cls, [name for name in names if name not in unchanging], unchanging)
    cls.static_fields = tuple(unchanging)  # pyright: ignore[reportAttributeAccessIssue]
    # The shapes in the annotations are those of one model. A stack of models, or a tree of gradients, of axes or of
    # None, is an instance of the class as well, so the fields are not checked when one is built.
    return no_type_check(cls)


def is_pytree(cls: type) -> bool:
    """Whether `pytree` decorated this very class; a subclass that it did not decorate is no pytree of its own."""
    return "static_fields" in vars(cls)


def check_arrays(thing: Any) -> None:
    """Raises ValueError, naming it, for a field that holds no array, a deleted one, or one of too many dimensions.

    The annotations say how many dimensions a field has; one more is a population.

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
        for name in (each.name for each in fields(thing) if each.name not in type(thing).static_fields):
            value = getattr(thing, name)
            for leaf in jax.tree.leaves(value, is_leaf=lambda part: is_pytree(type(part))):
                if is_pytree(type(leaf)):
                    check_arrays(leaf)
                else:
                    _check_leaf(leaf, f"{name} of {type(thing).__name__}", ranks.get(name))


def _check_leaf(leaf: Any, where: str, rank: int | None) -> None:
    if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
        raise ValueError(f"{where} holds a {type(leaf).__name__}: give an array, such as jnp.asarray(...)")
    if isinstance(leaf, jax.Array) and leaf.is_deleted():
        raise ValueError(f"{where} was deleted, or donated to a compiled function: keep a copy of what you use again")
    if rank is not None and leaf.ndim != rank:
        many = ": mm_jax.member(params, i) takes one of a population" if leaf.ndim == rank + 1 else ""
        raise ValueError(f"{where} has the shape {tuple(leaf.shape)}, where {rank} dimension(s) are expected{many}")


@functools.cache
def _ranks(cls: type) -> dict[str, int]:
    """How many dimensions the annotations of a class say that its fields have."""
    hints = inspect.get_annotations(cls)
    arrays = {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)
    }
    return {name: len(hint.dims) for name, hint in arrays.items() if hint.index_variadic is None}
