"""Models and training states as safetensors files: no pickle, readable by anything that reads the format.

A file holds arrays by name (`C`, `W1`, `levels.2.codes`, `members.0.W`), and in its metadata the format version, the
model's structure, vocabulary, package version, and a checksum over all of that. A file that is cut short or altered is
refused, and so is a file whose content is no model. Equal models make equal bytes.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

import mm_jax
from mm_jax import structure
from mm_jax.files import write_whole
from mm_jax.models.contract import Params, check_params
from mm_jax.symbols import CHARACTERS
from mm_jax.vocab import Vocab

FORMAT = 4  # of files with symbols other than characters; 3 of those with packed integers; others have format 2


def save(params: Params, path: str | os.PathLike, *, mark: str = "") -> None:
    """Writes any model to a safetensors file.

    Args:
      params: the model's parameters.
      path: the file; missing folders are made.
      mark: a text to keep with it, such as a fingerprint of the training words; `mark_of` reads it.

    Raises OSError if the disk is full or read-only; an old file stays. Raises ValueError for `params`
    that are no model.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "model.safetensors")
    >>> save(mm_jax.counts.fit(["ab"], Vocab(".ab")), path)
    >>> load(path).N.tolist()
    [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    """
    check_params(params)
    spec = json.dumps(structure.spec_of(params, params.vocab), sort_keys=True)
    about = {"kind": "model", "model": spec, "vocab": params.vocab.chars} | ({"mark": mark} if mark else {})
    if params.vocab.units != CHARACTERS:
        about["symbols"] = json.dumps(params.vocab.as_json(), ensure_ascii=False)
    arrays, packed = _packed(tree_to_arrays(params))
    write_arrays(path, arrays, about | ({"packed": json.dumps(packed, sort_keys=True)} if packed else {}))


def mark_of(path: str | os.PathLike) -> str:
    """Returns the `mark` that a file was saved with, or ""; raises ValueError as `load`."""
    return read_arrays(_file(path), "model")[1].get("mark", "")


def _file(path: str | os.PathLike) -> Path:
    """Returns the file of a model: of a run folder, the one in it; raises ValueError for a folder without one."""
    path = Path(path)
    if not path.is_dir():
        return path
    if not (path / "model.safetensors").exists():
        raise ValueError(f"{path} is a folder without a model: name a file, or a folder that mm-jax train wrote")
    return path / "model.safetensors"


def load(path: str | os.PathLike, like: Params | None = None) -> Params:
    """Reads a model that `save` wrote, with an older version of mm_jax or this one.

    Args:
      path: the file, or a run folder that `mm-jax train` wrote.
      like: a model of the same kind, such as a newly made one; needed if a file cannot name a class, a function or a
        container of the model (a network of your own).

    Returns:
      The model.

    Raises ValueError for a file that is missing, unreadable, altered, cut short, no model of mm_jax, or of a newer
    format; for a folder without a model; for arrays of other names, shapes, dtypes or ranges than those of its class.

    >>> load("nowhere.safetensors")
    Traceback (most recent call last):
        ...
    ValueError: nowhere.safetensors does not exist
    """
    path = _file(path)
    arrays, metadata = read_arrays(path, "model")
    try:
        arrays = _unpacked(arrays, metadata)
        vocab = Vocab.from_json(json.loads(metadata["symbols"]) if "symbols" in metadata else metadata["vocab"])
        if like is not None:
            if like.vocab != vocab:
                raise ValueError("it has another vocabulary than `like`")
            structure.check_like(json.loads(metadata["model"]), like)
            params = tree_from_arrays(like, arrays)
        else:
            params = structure.build(json.loads(metadata["model"]), arrays, vocab)
        structure.validate(params)
        return params
    except KeyError as error:
        raise ValueError(f"{path} is no model: it lacks {error.args[0]}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no model that this version can read: {error}") from None


def tree_to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Flattens a pytree to arrays by path, such as `levels.2.codes`; random keys become their data."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {structure.name_of(path): _plain(leaf) for path, leaf in leaves}


def tree_from_arrays(like: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Rebuilds the pytree of `tree_to_arrays` in the structure of `like`; raises ValueError if they do not match."""
    paths, treedef = jax.tree_util.tree_flatten_with_path(like)
    if {structure.name_of(path) for path, _ in paths} != set(arrays):
        raise ValueError("it belongs to another model or optimizer")
    leaves = []
    for path, leaf in paths:
        array, expected = arrays[structure.name_of(path)], _plain(leaf)
        if array.shape != expected.shape or array.dtype != expected.dtype:
            raise ValueError("it belongs to a model of other sizes")
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        moved = jax.device_put(array)
        leaves.append(jax.random.wrap_key_data(moved) if is_key else moved)
    return jax.tree_util.tree_unflatten(treedef, leaves)


def _packed(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns arrays with the numbers of long tables in fewer bytes, and how each such array was packed.

    An int32 array [entries] without negative numbers becomes the smallest unsigned dtype ("whole"), an ascending one
    its differences ("steps"); float32 numbers [entries] that float16 can hold become that ("half"). So an n-gram takes
    5 bytes in a file in place of 8, of a cut model 3; its context 6 in place of 12.
    """
    found, how = dict(arrays), {}
    for name, array in arrays.items():
        if array.ndim != 1 or not array.size:
            continue
        if array.dtype == np.float32 and np.array_equal(array, _half(array)):
            found[name], how[name] = _half(array), "half"
        if array.dtype != np.int32 or array.min() < 0:
            continue
        steps = np.diff(array, prepend=np.int32(0))
        smaller = steps if steps.min() >= 0 else array
        dtype = np.min_scalar_type(int(smaller.max()))
        if dtype.itemsize < array.itemsize:
            found[name], how[name] = smaller.astype(dtype), "steps" if smaller is steps else "whole"
    return found, how


def _half(array: np.ndarray) -> np.ndarray:
    """Returns an array [entries] as float16, infinite where that cannot hold it."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


def _unpacked(arrays: dict[str, np.ndarray], metadata: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Returns the arrays that `_packed` was given; raises ValueError for metadata that it does not write."""
    how = json.loads(metadata.get("packed", "{}"))
    if not isinstance(how, dict) or not all(name in arrays and how[name] in ("steps", "whole", "half") for name in how):
        raise ValueError("it says of arrays that it lacks how they are packed")
    for name, way in how.items():
        if way == "half":
            arrays[name] = arrays[name].astype(np.float32)
            continue
        array = arrays[name].astype(np.int64)
        array = np.cumsum(array) if way == "steps" else array
        if array.ndim != 1 or array.max(initial=0) > np.iinfo(np.int32).max:
            raise ValueError(f"the numbers of {name} are beyond int32")
        arrays[name] = array.astype(np.int32)
    return arrays


def _plain(leaf: Any) -> np.ndarray:
    """Returns a leaf as a NumPy array, a random key as its data."""
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def write_arrays(path: str | os.PathLike, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes arrays and metadata atomically, with format, version and checksum added."""
    arrays = {name: np.ascontiguousarray(array) if array.ndim else array for name, array in arrays.items()}
    newest = "4" if "symbols" in metadata else "3" if "packed" in metadata else "2"
    metadata = {"format": newest, "package": f"mm_jax {mm_jax.__version__}", **metadata}
    metadata["sha256"] = _checksum(arrays, metadata)
    write_whole(path, _parts(arrays, metadata))


def _parts(arrays: Mapping[str, np.ndarray], metadata: dict[str, str]) -> list[bytes | memoryview]:
    """Returns the header of a safetensors file and the memory of the arrays, which the library would copy twice.

    safetensors supplies the dtype names. Names are sorted, because its own order changes between calls.
    """
    empty = safetensors.numpy.save({name: np.empty(0, array.dtype) for name, array in arrays.items()}, metadata)
    header = json.loads(empty[8 : 8 + int.from_bytes(empty[:8], "little")])
    names, end = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)), 0
    for name in names:
        begin, end = end, end + arrays[name].nbytes
        header[name] |= {"shape": list(arrays[name].shape), "data_offsets": [begin, end]}
    metadata_first = {"__metadata__": dict(sorted(header.pop("__metadata__").items()))}
    text = json.dumps(metadata_first | dict(sorted(header.items())), ensure_ascii=False, separators=(",", ":"))
    encoded = text.encode("utf-8", "surrogatepass")
    encoded += b" " * (-len(encoded) % 8)
    memory = [arrays[name].reshape(-1).view(np.uint8).data for name in names]
    return [len(encoded).to_bytes(8, "little") + encoded, *memory]


def read_arrays(path: str | os.PathLike, kind: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads arrays and metadata that `write_arrays` wrote; raises ValueError for any other file."""
    path = Path(path)
    try:
        path.open("rb").close()  # safetensors says less about why it cannot
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path} does not exist") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from None
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: it is cut short, altered, or no safetensors file ({error})") from None
    version = metadata.get("format", "")
    if version.isdecimal() and (len(version) > 4 or int(version) > FORMAT):
        raise ValueError(f"{path} has format {version}: a newer mm_jax wrote it, and is needed to read it")
    if _checksum(arrays, metadata) != metadata.get("sha256"):
        raise ValueError(f"{path} was altered, or mm_jax did not write it: its checksum is wrong")
    if version not in ("1", "2", "3", "4"):
        raise ValueError(f"{path} has format {version!r}, which no mm_jax writes")
    if metadata.get("kind") != kind:
        raise ValueError(f"{path} holds a {metadata.get('kind')}, not a {kind}")
    return arrays, metadata


def _checksum(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Returns the SHA-256 of names, dtypes, shapes, metadata and contents."""
    digest = hashlib.sha256()
    shapes = {name: [str(array.dtype), array.shape] for name, array in arrays.items()}
    rest = {name: value for name, value in metadata.items() if name != "sha256"}
    digest.update(json.dumps([shapes, rest], sort_keys=True).encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
