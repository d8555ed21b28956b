"""Packs a model as plain data: its structure as in a saved file, and all arrays in one little-endian block of bytes.

    structure   {"class": "mm_jax.models.mlp:MLP", "fields": {"C": null, ...}, "static": {}}    see `mm_jax.structure`
    arrays      {"C": {"dtype": "f4", "shape": [27, 10], "at": 0}, ...}     `at`: offset in bytes

Integers take the smallest dtype that holds them. The engine's `unpack` reads the block.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mm_jax import structure
from mm_jax.checkpoint import tree_to_arrays
from mm_jax.models.contract import Params, model_of

_MODELS = Path(__file__).with_name("models")
_HALF_MAX = 65504.0  # the largest float16


def rounded(params: Params) -> Params:
    """Rounds every float of a model to float16, as a page in half precision does, and returns it as float32.

    Raises ValueError for a number too large for float16.

    >>> import mm_jax
    >>> table = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=0.1)
    >>> float(rounded(table).smoothing)
    0.0999755859375
    """

    def to_half(leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        array = np.asarray(leaf, np.float32)
        largest = np.abs(array[np.isfinite(array)]).max(initial=0.0)
        if largest > _HALF_MAX:
            raise ValueError(f"the model holds {largest:g}, too large for half precision: leave out half")
        return jax.device_put(array.astype(np.float16).astype(np.float32))

    return jax.tree.map(to_half, params)


def spec_of(params: Params) -> Any:
    """Returns the structure of a model; raises ValueError for a kind of model that no page knows."""
    model_of(params)
    spec = structure.spec_of(params, params.vocab)
    sources(spec)
    return spec


def sources(spec: Any) -> list[Path]:
    """Returns the JavaScript files of a model and of the models inside it; raises ValueError for a kind without one."""
    files = {f"mm_jax.models.{path.stem}": path for path in sorted(_MODELS.glob("*.js"))}
    paths = {}
    for name in _classes(spec):
        module, _, cls = name.partition(":")
        if module not in files:
            kinds = ", ".join(path.stem for path in files.values())
            raise ValueError(f"a page cannot show a {cls or 'network of your own'}: it knows the models {kinds}")
        paths[files[module]] = None
    return list(paths)


def _classes(spec: Any) -> Iterator[str]:
    """Yields the classes in a spec, and "like" for a part that no file can name."""
    if isinstance(spec, dict):
        if "class" in spec:
            yield spec["class"]
        for part in (spec["fields"] if "class" in spec else spec["dict"]).values():
            yield from _classes(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from _classes(part)
    elif spec is not None:
        yield str(spec)


def packed(params: Params, *, half: bool = False) -> tuple[dict[str, dict[str, Any]], bytes]:
    """Packs a model's arrays: returns dtype, shape and offset by name, and the bytes. `half` stores float16.

    >>> import mm_jax
    >>> table = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"))
    >>> packed(table)[0]["N"], len(packed(table)[1])
    ({'dtype': 'u1', 'shape': [3, 3], 'at': 0}, 16)
    """
    block = bytearray()
    arrays = {}
    for name, array in tree_to_arrays(params).items():
        is_float = np.issubdtype(array.dtype, np.floating)
        values = array.astype(np.dtype("<f2" if half else "<f4") if is_float else _smallest(array))
        block.extend(bytes(-len(block) % values.itemsize))
        arrays[name] = {"dtype": values.dtype.str[1:], "shape": list(values.shape), "at": len(block)}
        block.extend(values.tobytes())
    return arrays, bytes(block)


def _smallest(values: np.ndarray) -> np.dtype:
    """Returns the smallest little-endian integer dtype that holds all values."""
    if not values.size:
        return np.dtype("u1")
    return np.promote_types(np.min_scalar_type(values.min()), np.min_scalar_type(values.max())).newbyteorder("<")
