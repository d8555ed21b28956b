"""Models and training states as safetensors files: no pickle, readable by anything that reads the format.

A file holds arrays under their own names (`C`, `W1`, `levels.2.codes`), and in its metadata what they are: format
version, model, vocabulary, package version, and a checksum over all of that. A file that is cut short or altered is
refused. Every file is written whole: to a temporary file in the same folder, synced, and renamed.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

import mm_jax
from mm_jax.models import MODELS, Params
from mm_jax.models.mixture import Mixture
from mm_jax.models.ngram import Level, NGram
from mm_jax.vocab import Vocab

FORMAT = 1


def save(params: Params, path: str | os.PathLike) -> None:
    """Writes any model to a safetensors file.

    Args:
      params: the model's parameters.
      path: the file; folders above it are made.

    Raises OSError where the disk refuses (full, read-only): what was there before is still there.
    """
    arrays, spec = _to_arrays(params)
    write_arrays(path, arrays, {"kind": "model", "model": json.dumps(spec), "vocab": params.vocab.chars})


def load(path: str | os.PathLike) -> Params:
    """Reads a model that `save` wrote, with an older version of mm_jax or this one.

    Raises ValueError for a file that is missing, altered, cut short, no model of mm_jax, or of a newer format.
    """
    arrays, metadata = read_arrays(path, "model")
    return _from_arrays(arrays, json.loads(metadata["model"]), Vocab(metadata["vocab"]))


def _to_arrays(params: Params, prefix: str = "") -> tuple[dict[str, np.ndarray], dict]:
    """Arrays by name, and what they make up: the model's class, and that of each part."""
    spec: dict = {"class": type(params).__name__}
    if isinstance(params, Mixture):
        parts = [_to_arrays(member, f"{prefix}members.{i}.") for i, member in enumerate(params.members)]
        spec["members"] = [part[1] for part in parts]
        arrays = {name: array for part in parts for name, array in part[0].items()}
        return arrays | {f"{prefix}scores": np.asarray(params.scores)}, spec
    if isinstance(params, NGram):
        spec["order"] = len(params.levels)
        named = {
            f"levels.{i}.{name}": leaf for i, level in enumerate(params.levels) for name, leaf in vars(level).items()
        }
    else:
        named = {name: leaf for name, leaf in vars(params).items() if name != "vocab"}
    return {prefix + name: np.asarray(leaf) for name, leaf in named.items()}, spec


def _from_arrays(arrays: Mapping[str, np.ndarray], spec: dict, vocab: Vocab, prefix: str = "") -> Params:
    classes = {cls.__name__: cls for cls in MODELS}
    cls = classes[spec["class"]]

    def leaf(name):
        return jnp.asarray(arrays[prefix + name])

    if cls is Mixture:
        parts = (_from_arrays(arrays, each, vocab, f"{prefix}members.{i}.") for i, each in enumerate(spec["members"]))
        return Mixture(members=tuple(parts), scores=leaf("scores"), vocab=vocab)
    if cls is NGram:
        names = list(Level.__dataclass_fields__)  # pyright: ignore[reportAttributeAccessIssue]
        levels = (Level(**{n: leaf(f"levels.{i}.{n}") for n in names}) for i in range(spec["order"]))
        return NGram(levels=tuple(levels), vocab=vocab)
    names = [name for name in cls.__dataclass_fields__ if name != "vocab"]
    return cls(**{name: leaf(name) for name in names}, vocab=vocab)


def tree_to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Any pytree as arrays by path; keys as their data."""
    return {jax.tree_util.keystr(path): _plain(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def tree_from_arrays(like: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The pytree that `tree_to_arrays` took apart, in the shape of `like`; ValueError where they do not match."""
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    if {jax.tree_util.keystr(path) for path, _ in paths} != set(arrays):
        raise ValueError("it belongs to another model or optimizer")
    leaves = []
    for path, leaf in paths:
        found = arrays[jax.tree_util.keystr(path)]
        if found.shape != _plain(leaf).shape or found.dtype != _plain(leaf).dtype:
            raise ValueError("it belongs to a model of other sizes")
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        leaves.append(jax.random.wrap_key_data(jnp.asarray(found)) if is_key else jnp.asarray(found))
    return jax.tree_util.tree_unflatten(structure, leaves)


def _plain(leaf: Any) -> np.ndarray:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def write_arrays(path: str | os.PathLike, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes arrays and metadata, with format, version and checksum added, whole or not at all."""
    arrays = {name: np.ascontiguousarray(array) if array.ndim else array for name, array in arrays.items()}
    metadata = {"format": str(FORMAT), "package": f"mm_jax {mm_jax.__version__}", **metadata}
    metadata["sha256"] = _checksum(arrays, metadata)
    write_whole(path, safetensors.numpy.save(arrays, metadata))


def read_arrays(path: str | os.PathLike, kind: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What `write_arrays` wrote; ValueError for anything else."""
    path = Path(path)
    try:
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ValueError(f"{path} does not exist") from None
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: it is cut short, altered, or no safetensors file ({error})") from None
    if metadata.get("format", "").isdigit() and int(metadata["format"]) > FORMAT:
        raise ValueError(f"{path} has format {metadata['format']}: a newer mm_jax wrote it, and is needed to read it")
    if _checksum(arrays, metadata) != metadata.get("sha256"):
        raise ValueError(f"{path} was altered, or mm_jax did not write it: its checksum is wrong")
    if metadata.get("kind") != kind:
        raise ValueError(f"{path} holds a {metadata.get('kind')}, not a {kind}")
    return arrays, metadata


def _checksum(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    described = {name: [str(array.dtype), array.shape] for name, array in arrays.items()}
    rest = {name: value for name, value in metadata.items() if name != "sha256"}
    digest.update(json.dumps([described, rest], sort_keys=True).encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file so that whoever reads it, whenever, finds the old content or the new, and all of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
