"""Writes a model's structure as JSON, and rebuilds the model from it: classes, static fields, places of the arrays.

    {"class": "mm_jax.models.ngram:NGram", "static": {}, "fields": {"levels": [{"class": ..., "fields": ...}, ...]}}

Lists stand for tuples, {"dict": ...} for dicts, null for an array. Only classes decorated with `mm_jax.pytree` are
built from a file: those in `mm_jax.models`, and those of modules that are imported already.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np

from mm_jax import models
from mm_jax.models.contract import Params, is_model, model_of
from mm_jax.pytrees import is_pytree
from mm_jax.vocab import Vocab

_DEEPEST = 20  # mixtures in mixtures


def name_of(path: tuple[Any, ...]) -> str:
    """Returns the name of an array in a file: its path, such as `levels.2.codes`."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def spec_of(thing: Any, vocab: Vocab) -> Any:
    """Returns the structure of a model or a part of one.

    Returns "like" for parts that a file cannot name; `load` then needs `like=`.
    """
    if is_pytree(type(thing)):
        cls, static = type(thing), type(thing).static_fields
        own = {name: getattr(thing, name) for name in static if getattr(thing, name) != vocab}
        if isinstance(other := own.get("vocab"), Vocab):  # a part with another alphabet
            return spec_of(thing, other) | {"vocab": other.as_json()}
        if not all(isinstance(value, str | int | float | None) for value in own.values()):
            return "like"
        inner = {
            entry.name: spec_of(getattr(thing, entry.name), vocab) for entry in fields(cls) if entry.name not in static
        }
        return {"class": f"{cls.__module__}:{cls.__qualname__}", "fields": inner, "static": own}
    if type(thing) is tuple:
        return [spec_of(part, vocab) for part in thing]
    if type(thing) is dict and all(isinstance(key, str) for key in thing):
        return {"dict": {key: spec_of(part, vocab) for key, part in thing.items()}}
    return None if isinstance(thing, jax.Array | np.ndarray | np.generic) else "like"


def check_like(spec: Any, like: Params) -> None:
    """Raises ValueError for a spec of another kind of model than `like`.

    Compares classes by name, without the module: a class may have moved from a notebook to a file.
    """
    if isinstance(spec, dict) and "fields" not in spec and "class" in spec:
        spec = _of_format_1(spec)
    held, expected = _kind(spec), _kind(spec_of(like, like.vocab))
    if held != expected:
        raise ValueError(f"it holds another model than `like`: {_differing(held, expected)}")


def _kind(spec: Any) -> Any:
    """Returns a spec without the modules of its classes."""
    if isinstance(spec, list):
        return [_kind(part) for part in spec]
    if isinstance(spec, dict) and "dict" in spec:
        return {"dict": {key: _kind(part) for key, part in spec["dict"].items()}}
    if isinstance(spec, dict):
        inside = {key: _kind(part) for key, part in spec["fields"].items()}
        return {"class": spec["class"].rpartition(":")[2], "fields": inside, "static": spec.get("static", {})}
    return spec


def _differing(held: Any, expected: Any) -> str:
    """Describes the first difference of two specs."""
    if isinstance(held, dict) and isinstance(expected, dict) and "class" in held and "class" in expected:
        if held["class"] != expected["class"]:
            return f"a {held['class']}, and not a {expected['class']}"
        for name, value in held["static"].items():
            if (other := expected["static"].get(name)) != value:
                return f"a {held['class']} with {name} {value}, and not {other}"
        for name, part in held["fields"].items():
            if part != expected["fields"].get(name):
                return f"{name} of {held['class']}: {_differing(part, expected['fields'].get(name))}"
    if isinstance(held, list) and isinstance(expected, list) and len(held) == len(expected):
        return next(_differing(one, other) for one, other in zip(held, expected, strict=True) if one != other)
    return "other parts"


def build(spec: Any, arrays: Mapping[str, np.ndarray], vocab: Vocab) -> Params:
    """Builds the model of a spec from its arrays; raises ValueError for a malformed spec, or one of other arrays."""
    if isinstance(spec, dict) and "fields" not in spec and "class" in spec:
        spec = _of_format_1(spec)
    left = set(arrays)
    params = _build(spec, arrays, vocab, "", left, 0)
    if left:
        raise ValueError(f"it has an array {min(left)}, which a {type(params).__name__} does not have")
    return params


def _build(spec: Any, arrays: Mapping[str, np.ndarray], vocab: Vocab, name: str, left: set[str], depth: int) -> Any:
    """Builds the part called `name` ("" is the whole model), and removes the names of its arrays from `left`."""
    if depth > 2 * _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    inside = f"{name}." if name else ""
    if spec is None:
        if name not in arrays:
            raise ValueError(f"it lacks the array {name}")
        left.discard(name)
        array = jax.device_put(arrays[name])
        if array.dtype != arrays[name].dtype:
            raise ValueError(f"{name} is {arrays[name].dtype}, which JAX would read as {array.dtype}")
        return array
    if isinstance(spec, list):
        return tuple(_build(part, arrays, vocab, f"{inside}{i}", left, depth + 1) for i, part in enumerate(spec))
    if isinstance(spec, dict) and isinstance(inner := spec.get("dict"), dict):
        return {key: _build(part, arrays, vocab, f"{inside}{key}", left, depth + 1) for key, part in inner.items()}
    if not isinstance(spec, dict) or not isinstance(spec.get("fields"), dict):
        raise ValueError("a class or function in it cannot be read from a file: give load(path, like=...)")
    cls = _class_of(spec["class"])
    vocab = Vocab.from_json(spec["vocab"]) if "vocab" in spec else vocab
    values = {
        key: _build(part, arrays, vocab, f"{inside}{key}", left, depth + 1) for key, part in spec["fields"].items()
    }
    values |= spec.get("static", {})
    if "vocab" in cls.static_fields:
        values.setdefault("vocab", vocab)
    if set(values) != (names := {entry.name for entry in fields(cls)}):
        raise ValueError(f"{cls.__name__} has other fields: {', '.join(sorted(names))}")
    made = cls(**values)
    _check_annotations(made, vocab, name or cls.__name__)
    return made


def _class_of(identity: Any) -> Any:
    """Finds the class `module:name`; without a module, as in files of format 1, searches `mm_jax.models`."""
    module_name, _, name = str(identity).rpartition(":")
    own = [f"{models.__name__}.{module.name}" for module in pkgutil.iter_modules(models.__path__)]
    places = [module_name] if module_name else own
    for place in places:
        module = importlib.import_module(place) if place in own else sys.modules.get(place)
        cls = getattr(module, name, None)
        if isinstance(cls, type) and is_pytree(cls):
            return cls
    raise ValueError(f"its class {identity!r} is not known here: import the module that defines it first")


def _of_format_1(spec: dict[str, Any]) -> dict[str, Any]:
    """Converts a spec of format 1, which gave the class, and the number of levels or the members, to format 2."""
    cls = _class_of(spec.get("class"))
    inner: dict[str, Any] = {entry.name: None for entry in fields(cls) if entry.name not in cls.static_fields}
    if "members" in spec:
        inner["members"] = [_of_format_1(member) for member in spec["members"]]
    if "order" in spec:
        inner["levels"] = [_of_format_1({"class": "Level"}) for _ in range(spec["order"])]
    return {"class": spec["class"], "fields": inner}


def _check_annotations(made: Any, vocab: Vocab, name: str) -> None:
    """Raises ValueError for an array of another dtype or shape than its class declares, or that holds nan.

    Dimensions are bound in the order of the fields. A shape that is computed from a dimension of a later field, such as
    "2*hidden_dim", fails at first; such fields are put off and checked in a second pass.
    """
    hints = inspect.get_annotations(type(made), eval_str=True)  # typing.get_type_hints returns {} after no_type_check
    arrays = {entry.name: value for entry in fields(made) if isinstance(value := getattr(made, entry.name), jax.Array)}
    put_off: list[str] = []
    with jaxtyping.jaxtyped("context"):  # pyright: ignore[reportCallIssue]
        isinstance(np.empty(len(vocab)), jaxtyping.Shaped[np.ndarray, "vocab_size"])  # pyright: ignore  # binds vocab_size
        for attempt in (arrays, put_off):
            for field in list(attempt):
                array, hint = arrays[field], hints.get(field)
                if jnp.issubdtype(array.dtype, jnp.floating) and np.isnan(array).any():
                    raise ValueError(f"{field} of {name} holds nan")
                if not (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)):
                    continue
                try:
                    fits = isinstance(array, hint)
                except jaxtyping.AnnotationError:
                    put_off.append(field)
                    continue
                if not fits:
                    raise ValueError(f"{field} of {name} is {array.dtype}{list(array.shape)}, not {hint.__name__}")


def validate(params: Params) -> None:
    """Raises ValueError for numbers that the `validate` of the model or of a model inside it refuses."""
    parts = jax.tree.leaves(params, is_leaf=lambda part: part is not params and is_model(part))
    for part in parts:
        if is_model(part):
            validate(part)
    model_of(params).validate(params)
