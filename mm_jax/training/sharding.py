"""Training on several devices: batches are divided among them (data parallelism), everything else is replicated.

`fit(..., mesh=jax.make_mesh((4,), ("batch",)))` divides every batch among the devices of the mesh's first axis, and jit
sums their gradients: the losses are those of one device up to the order of float32 sums. On two hosts run the same
script on both, with

    jax.distributed.initialize("first-host:1234", num_processes=2, process_id=0)   # 1 on the second host

as its first line and `jax.make_mesh((jax.device_count(),), ("batch",))`; both end with the same parameters.
tests/training/test_sharding.py runs four devices in one process, and two processes.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from mm_jax.training.batches import FullBatch
from mm_jax.training.stream_batches import BATCH_TOKENS, RowsOfWords, Stream
from mm_jax.training.whole_words import WordBatches


def automatic(mesh: Mesh) -> Mesh:
    """Returns the mesh with automatic axes: jit places the communication. The axes of `jax.make_mesh` are explicit."""
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))


def divide(batch: Any, mesh: Mesh) -> Any:
    """Divides the rows of a batch among the devices of the mesh's first axis; jit then sums their gradients."""
    return lax.with_sharding_constraint(batch, NamedSharding(mesh, PartitionSpec(mesh.axis_names[0])))


def divisible(source: Any, mesh: Mesh) -> Any:
    """Pads a full batch of contexts with rows of weight 0 to a multiple of the devices on the mesh's first axis.

    Raises ValueError where a minibatch, or a full batch of whole words, is no multiple.
    """
    devices = mesh.shape[mesh.axis_names[0]]
    if isinstance(source, FullBatch):
        return jax.tree.map(lambda rows: jnp.pad(rows, ((0, -len(rows) % devices), (0, 0))), source)
    size = source.size if isinstance(source, WordBatches | Stream) else source.batch_size
    if size % devices:
        multiple = f"a multiple of the {devices} devices of the mesh's first axis"
        if isinstance(source, Stream) and isinstance(source.template, RowsOfWords):
            better = (size // devices + 1) * devices * source.stride // BATCH_TOKENS
            told = f"batch_size={better} makes them {multiple}"
            raise ValueError(f"a batch of so long a list has {size} rows of {source.stride} tokens: {told}")
        raise ValueError(f"batch_size is {size}: give {multiple}")
    return source


def spread(source: Any, mesh: Mesh) -> Any:
    """Copies a source of batches to every device of the mesh; a stream stays on the host, and is read row by row.

    Raises ValueError as `divisible`.
    """
    source = divisible(source, mesh)
    if isinstance(source, Stream):
        return dataclasses.replace(source, template=replicate(source.template, mesh), mesh=mesh)
    return replicate(source, mesh)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copies every leaf to every device of the mesh, those of other processes included."""
    whole = NamedSharding(mesh, PartitionSpec())

    def spread(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(spread(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jax.make_array_from_callback(leaf.shape, whole, np.asarray(leaf).__getitem__)

    return jax.tree.map(spread, tree)
