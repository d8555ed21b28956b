"""Training on more than one device: batches are divided among them, everything else is on each of them whole.

`fit(..., mesh=jax.make_mesh((4,), ("batch",)))` divides every batch among the devices of the mesh's first axis, and jit
adds up their gradients: the losses are those of one device, but for the order of float32 sums. On two hosts the same
script runs on both, with

    jax.distributed.initialize("first-host:1234", num_processes=2, process_id=0)   # 1 on the second host

as its first line and `jax.make_mesh((jax.device_count(),), ("batch",))`; both end with the same parameters. Four
devices in one process, and two processes, are run by tests/training/test_sharding.py.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def automatic(mesh: Mesh) -> Mesh:
    """The mesh with axes over which jit decides what is communicated; `jax.make_mesh` makes explicit ones."""
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))


def divide(batch: Any, mesh: Mesh) -> Any:
    """Gives each device of the mesh's first axis its rows of a batch; jit then adds up what each finds."""
    return lax.with_sharding_constraint(batch, NamedSharding(mesh, PartitionSpec(mesh.axis_names[0])))


def divisible(corpus: Any, batch_size: int | None, mesh: Mesh) -> Any:
    """The corpus, its full batch filled up with rows of weight 0 to what the mesh's first axis divides."""
    devices = mesh.shape[mesh.axis_names[0]]
    if batch_size is not None:
        if batch_size % devices:
            raise ValueError(
                f"batch_size is {batch_size}: give a multiple of the {devices} devices of the mesh's first axis"
            )
        return corpus
    return jax.tree.map(lambda rows: jnp.pad(rows, ((0, -len(rows) % devices), (0, 0))), corpus)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """A copy of every leaf on every device of the mesh, those of other processes included."""
    whole = NamedSharding(mesh, PartitionSpec())

    def spread(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(spread(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jax.make_array_from_callback(leaf.shape, whole, np.asarray(leaf).__getitem__)

    return jax.tree.map(spread, tree)
