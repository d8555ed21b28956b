"""What a model is made of, as JSON: its classes and their static fields, around arrays that are stored by name.

    {"class": "mm_jax.models.ngram:NGram", "static": {}, "fields": {"levels": [{"class": ..., "fields": ...}, ...]}}

Lists stand for tuples, {"dict": ...} for dicts, null for an array. Only classes decorated with `mm_jax.pytree` are
built from a file: those in `mm_jax.models`, and others whose module is imported already.
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
    """The name of an array in a file: its path, as `levels.2.codes`."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def describe(thing: Any, vocab: Vocab) -> Any:
    """The structure of a model or a part of one; "like" where `load` must be given a model of the same structure."""
    if is_pytree(type(thing)):
        cls, static = type(thing), type(thing).static_fields
        own = {name: getattr(thing, name) for name in static if getattr(thing, name) != vocab}
        if isinstance(other := own.get("vocab"), Vocab):  # a part over an alphabet of its own
            return describe(thing, other) | {"vocab": other.chars}
        if not all(isinstance(value, str | int | float | None) for value in own.values()):
            return "like"
        inner = {
            each.name: describe(getattr(thing, each.name), vocab) for each in fields(cls) if each.name not in static
        }
        return {"class": f"{cls.__module__}:{cls.__qualname__}", "fields": inner, "static": own}
    if type(thing) is tuple:
        return [describe(each, vocab) for each in thing]
    if type(thing) is dict and all(isinstance(key, str) for key in thing):
        return {"dict": {key: describe(each, vocab) for key, each in thing.items()}}
    return None if isinstance(thing, jax.Array | np.ndarray | np.generic) else "like"


def check_like(spec: Any, like: Params) -> None:
    """Raises ValueError where a file does not hold the kind of model that `like` is.

    Classes are compared by name, and not by module: a class of a notebook may have moved to a file.
    """
    if isinstance(spec, dict) and "fields" not in spec and "class" in spec:
        spec = _of_format_1(spec)
    held, wanted = _kind(spec), _kind(describe(like, like.vocab))
    if held != wanted:
        raise ValueError(f"it holds another model than `like`: {_differing(held, wanted)}")


def _kind(spec: Any) -> Any:
    """A description without the modules of its classes."""
    if isinstance(spec, list):
        return [_kind(part) for part in spec]
    if isinstance(spec, dict) and "dict" in spec:
        return {"dict": {key: _kind(part) for key, part in spec["dict"].items()}}
    if isinstance(spec, dict):
        inside = {key: _kind(part) for key, part in spec["fields"].items()}
        return {"class": spec["class"].rpartition(":")[2], "fields": inside, "static": spec.get("static", {})}
    return spec


def _differing(held: Any, wanted: Any) -> str:
    """Where two descriptions differ first, in words."""
    if isinstance(held, dict) and isinstance(wanted, dict) and "class" in held and "class" in wanted:
        if held["class"] != wanted["class"]:
            return f"a {held['class']}, and not a {wanted['class']}"
        for name, value in held["static"].items():
            if (other := wanted["static"].get(name)) != value:
                return f"a {held['class']} with {name} {value}, and not {other}"
        for name, part in held["fields"].items():
            if part != wanted["fields"].get(name):
                return f"{name} of {held['class']}: {_differing(part, wanted['fields'].get(name))}"
    if isinstance(held, list) and isinstance(wanted, list) and len(held) == len(wanted):
        return next(_differing(one, other) for one, other in zip(held, wanted, strict=True) if one != other)
    return "other parts"


def build(spec: Any, arrays: Mapping[str, np.ndarray], vocab: Vocab) -> Params:
    """The model that `describe` described; ValueError for what is no such description, or does not fit the arrays."""
    if isinstance(spec, dict) and "fields" not in spec and "class" in spec:
        spec = _of_format_1(spec)
    left = set(arrays)
    params = _build(spec, arrays, vocab, "", left, 0)
    if left:
        raise ValueError(f"it has an array {min(left)} that {type(params).__name__} has not")
    return params


def _build(spec: Any, arrays: Mapping[str, np.ndarray], vocab: Vocab, name: str, left: set[str], depth: int) -> Any:
    """The part called `name` ("" is all); its arrays are taken out of `left`."""
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
        return tuple(_build(each, arrays, vocab, f"{inside}{i}", left, depth + 1) for i, each in enumerate(spec))
    if isinstance(spec, dict) and isinstance(inner := spec.get("dict"), dict):
        return {key: _build(each, arrays, vocab, f"{inside}{key}", left, depth + 1) for key, each in inner.items()}
    if not isinstance(spec, dict) or not isinstance(spec.get("fields"), dict):
        raise ValueError("a class or function in it cannot be read from a file: give load(path, like=...)")
    cls = _class_of(spec["class"])
    vocab = Vocab(spec["vocab"]) if "vocab" in spec else vocab
    values = {
        key: _build(each, arrays, vocab, f"{inside}{key}", left, depth + 1) for key, each in spec["fields"].items()
    }
    values |= spec.get("static", {})
    if "vocab" in cls.static_fields:
        values.setdefault("vocab", vocab)
    if set(values) != {each.name for each in fields(cls)}:
        raise ValueError(f"{cls.__name__} has other fields: {', '.join(each.name for each in fields(cls))}")
    made = cls(**values)
    _check_annotations(made, vocab, name or cls.__name__)
    return made


def _class_of(identity: Any) -> Any:
    """The class `module:name`; without a module, as in files of format 1, one of `mm_jax.models`."""
    module_name, _, name = str(identity).rpartition(":")
    own = [f"{models.__name__}.{each.name}" for each in pkgutil.iter_modules(models.__path__)]
    places = [module_name] if module_name else own
    for place in places:
        module = importlib.import_module(place) if place in own else sys.modules.get(place)
        cls = getattr(module, name, None)
        if isinstance(cls, type) and is_pytree(cls):
            return cls
    raise ValueError(f"its class {identity!r} is not known here: import the module that defines it first")


def _of_format_1(spec: dict[str, Any]) -> dict[str, Any]:
    """The description that format 2 would have: format 1 told the class, and the number of levels or the members."""
    cls = _class_of(spec.get("class"))
    inner: dict[str, Any] = {each.name: None for each in fields(cls) if each.name not in cls.static_fields}
    if "members" in spec:
        inner["members"] = [_of_format_1(each) for each in spec["members"]]
    if "order" in spec:
        inner["levels"] = [_of_format_1({"class": "Level"}) for _ in range(spec["order"])]
    return {"class": spec["class"], "fields": inner}


def _check_annotations(made: Any, vocab: Vocab, name: str) -> None:
    """ValueError for an array that is not of the dtype and shape that its class declares, or that holds nan."""
    hints = inspect.get_annotations(type(made), eval_str=True)  # typing.get_type_hints heeds no_type_check
    arrays = {each.name: value for each in fields(made) if isinstance(value := getattr(made, each.name), jax.Array)}
    later: list[str] = []
    with jaxtyping.jaxtyped("context"):  # pyright: ignore[reportCallIssue]
        isinstance(np.empty(len(vocab)), jaxtyping.Shaped[np.ndarray, "vocab_size"])  # pyright: ignore  # binds the name
        for attempt in (arrays, later):
            for field in list(attempt):
                array, hint = arrays[field], hints.get(field)
                if jnp.issubdtype(array.dtype, jnp.floating) and np.isnan(array).any():
                    raise ValueError(f"{field} of {name} holds nan")
                if not (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)):
                    continue
                try:
                    fits = isinstance(array, hint)
                except jaxtyping.AnnotationError:  # its shape is computed from one that comes later
                    later.append(field)
                    continue
                if not fits:
                    raise ValueError(f"{field} of {name} is {array.dtype}{list(array.shape)}, not {hint.__name__}")


def validate(params: Params) -> None:
    """ValueError for numbers that the model's own file refuses (its `validate`), those of its parts included."""
    models_in = jax.tree.leaves(params, is_leaf=lambda part: part is not params and is_model(part))
    for part in models_in:
        if is_model(part):
            validate(part)
    model_of(params).validate(params)
