"""Checks what users pass in: word lists, numbers, random keys. Raises one ValueError that names the argument.

Imported by `mm-jax --help`, so JAX is imported only where a key is checked.
"""

import math
import numbers
import os
from collections.abc import Collection, Iterable, KeysView, Sequence, Set
from typing import Any

import numpy as np

from mm_jax.streams import WordFile

FLOAT32_MAX = float(np.finfo(np.float32).max)


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Returns `value` as an int, NumPy's integers included.

    Raises ValueError for anything but a whole number of `least` or more.

    >>> whole_number("steps", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} is {value!r}: give {least} or more, a whole number")
    return int(value)


def number(name: str, value: Any, wanted: str) -> float:
    """Returns `value`, a Python number or a 0-d array, as a float: nan and inf are for the caller to refuse.

    Raises ValueError for what is no number; `wanted` says what to give.

    >>> number("l2", np.float32(0.5), "0 or more")
    0.5
    """
    try:
        if isinstance(value, str | bytes | bool) or np.ndim(value):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {shown(value)}: give {wanted}") from None
    if math.isfinite(found) and abs(found) > FLOAT32_MAX:
        raise ValueError(f"{name} is {shown(value)}, beyond float32: give less than 3.4e38")
    return found


def positive_number(name: str, value: Any) -> float:
    """Returns `value` as a float; ValueError for anything but a finite number above 0.

    >>> positive_number("learning_rate", 1)
    1.0
    """
    if not 0 < (found := number(name, value, "a positive number")) < math.inf:
        raise ValueError(f"{name} is {value}: give a positive number")
    return found


def random_key(name: str, value: Any, *, many: bool = False) -> None:
    """Raises ValueError for anything but one typed JAX key, or with `many` an array of them, [keys].

    >>> random_key("key", 42)
    Traceback (most recent call last):
    ValueError: key is 42, of type int: give a random key, such as jax.random.key(42)
    """
    import jax

    wanted = "a random key, such as jax.random.key(42)"
    if many:
        wanted = "an array of random keys, such as jax.random.split(jax.random.key(42), 16)"
    if not isinstance(value, jax.Array):
        raise ValueError(f"{name} is {shown(value)}, of type {type(value).__name__}: give {wanted}")
    if not jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
        raise ValueError(f"{name} is an array of {value.dtype}: give {wanted}")
    if value.ndim != many:
        raise ValueError(f"{name} has shape {value.shape}: give {wanted}")


def as_list(words: Iterable[str], *, ordered: bool = True) -> Sequence[str]:
    """Returns `words` as a list; a long list, a `WordFile`, as it is.

    Raises ValueError for a single str, an empty iterable, or an element that is no str; if `ordered`, for a set too,
    whose order is another in each process. The keys and values of a dict have an order.

    >>> as_list(word for word in ("emma", "ava"))
    ['emma', 'ava']
    """
    if isinstance(words, WordFile):
        return words
    if isinstance(words, str):
        raise ValueError(f"expected a list of words, got one str: write [{words!r}]")
    if not isinstance(words, Iterable) or getattr(words, "ndim", 1) == 0:  # a random key is one, and cannot be iterated
        raise ValueError(f"expected a list of words, got {shown(words)}")
    if ordered and isinstance(words, Set) and not isinstance(words, KeysView):
        kind = type(words).__name__
        raise ValueError(f"a {kind} of words has another order in each process: give a list, such as sorted(words)")
    words = words if isinstance(words, list) else list(words)
    if not words:
        raise ValueError("an empty list of words: nothing to read")
    if others := [word for word in words if not isinstance(word, str)]:
        remedy = ": give one list, such as split.train" if isinstance(others[0], list) else ""
        raise ValueError(f"expected words as str, got {shown(others[0])}, a {type(others[0]).__name__}{remedy}")
    return words


def as_set(words: Iterable[str]) -> Collection[str]:
    """Returns a frozenset for membership tests; a long list, a `WordFile`, as it is: a pass through it for each test.

    An empty iterable is allowed. Raises ValueError for a single str.

    >>> "ava" in as_set(["emma", "ava"])
    True
    """
    if isinstance(words, str):
        raise ValueError(f"expected a list of words, got one str: write [{words!r}]")
    return words if isinstance(words, WordFile) else frozenset(words)


def counted(number: int, name: str) -> str:
    """Returns a number with what it counts, in the plural for all but 1.

    >>> counted(1, "word"), counted(2000, "word")
    ('1 word', '2,000 words')
    """
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def shown(value: Any, limit: int = 60) -> str:
    """Returns the repr of a value on one line for a message, cut at `limit` characters.

    >>> shown("emma")
    "'emma'"
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[:limit]}..."


def no_model(thing: Any) -> str:
    """Returns the message on what stands in the place of a model: a class of the user's own, or another argument."""
    name = type(thing).__name__
    if type(thing).__module__.startswith("mm_jax.") and hasattr(thing, "params"):
        return f"{name} is not a model: it holds one, give its .params"
    if type(thing).__module__.startswith(("builtins", "jax", "numpy", "mm_jax.")):
        return f"{name} is not a model: parameters come first, such as mm_jax.mlp.init(key, vocab) returns"
    return (
        f"{name} is not a model: register it once, below its functions, with "
        f"mm_jax.windowed({name}, block_size=block_size, logits=logits) or with "
        f"mm_jax.sequential({name}, start=start, advance=advance, logits=logits)"
    )


def cores() -> int:
    """Returns the number of cores that this process may use. Another number can change the last digits of a run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
