"""Compares functions by what they do, so that one made twice by Python is compiled once.

`jax.jit` compiles anew for a static argument that it has not seen. `lambda rate: optax.adam(rate)`, written in a call
that is made twice, is a new object each time, and so is every `optax.adam(0.01)`. Such functions are told apart here by
what they do: their code, and all that their code refers to.
"""

import functools
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any


class Same:
    """A function that equals another which was made of the same code and refers to equal things."""

    def __init__(self, function: Any):
        """`function`: any callable; one whose references cannot be compared equals itself alone."""
        self.function = function
        try:
            self._what: Any = _what(function, ())
            hash(self._what)
        except (TypeError, RecursionError):
            self._what = id(function)

    def __call__(self, *args: Any) -> Any:
        """Calls the function."""
        return self.function(*args)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._what == other._what

    def __hash__(self) -> int:
        return hash(self._what)


def _what(thing: Any, inside: tuple[int, ...]) -> Any:
    """A hashable key, equal for two objects that behave alike; TypeError where there is none."""
    if id(thing) in inside:
        return "itself"
    inside = (*inside, id(thing))
    if isinstance(thing, FunctionType) and "<" not in thing.__qualname__:
        return thing  # neither a lambda nor made inside a function: made once
    if isinstance(thing, FunctionType):
        cells = tuple(_what(cell.cell_contents, inside) for cell in thing.__closure__ or ())
        named = tuple(_what(thing.__globals__.get(name), inside) for name in _names(thing.__code__))
        defaults = (_what(thing.__defaults__, inside), _what(thing.__kwdefaults__, inside))
        return FunctionType, thing.__code__, thing.__module__, cells, named, defaults
    if isinstance(thing, MethodType):
        return MethodType, _what(thing.__func__, inside), _what(thing.__self__, inside)
    if isinstance(thing, functools.partial):
        return functools.partial, _what(thing.func, inside), _what(thing.args, inside), _what(thing.keywords, inside)
    if isinstance(thing, tuple | list):
        return type(thing), tuple(_what(each, inside) for each in thing)
    if isinstance(thing, dict):
        return dict, tuple((name, _what(each, inside)) for name, each in thing.items())
    if isinstance(thing, type | ModuleType | BuiltinFunctionType):
        return thing
    hash(thing)  # TypeError: an array, say, which may change where it stands
    return type(thing), thing


def _names(code: CodeType) -> tuple[str, ...]:
    """The global names and attributes that code refers to, that of functions inside it included."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return code.co_names + tuple(name for each in inner for name in _names(each))
