"""What makes a class a model's parameters: a frozen dataclass that JAX sees as a pytree of arrays.

A model's shapes are its configuration, so nothing but arrays is stored, and the `vocab` that decodes them.
"""

from dataclasses import dataclass, fields
from typing import TypeVar, dataclass_transform, no_type_check

import jax

from mm_jax.vocab import Vocab

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def pytree(cls: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass, registered as a pytree; fields of type Vocab or int are static."""
    cls = dataclass(frozen=True, eq=False)(cls)
    every = fields(cls)  # pyright: ignore[reportArgumentType]
    static = [field.name for field in every if field.type in (Vocab, int)]
    jax.tree_util.register_dataclass(cls, [field.name for field in every if field.name not in static], static)
    # The shapes in the annotations are those of one model. A stack of models, or a tree of gradients, of axes or of
    # None, is an instance of the class as well, so the fields are not checked when one is built.
    return no_type_check(cls)
