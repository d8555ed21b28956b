"""Scans a recurrent layer; its custom gradient computes each weight gradient with one matrix product.

    h_t = cell(x_t, s_t, h_{t-1})      x_t = table[token_t]      s_t = W^T h_{t-1} + b      h = 0 before a `.`

JAX's own gradient of a scan adds to the gradient of W at every position: as many small products as there are positions,
each of which reads and writes all of that gradient. Here the scan back carries the gradient of h alone, and returns
those of x and s at every position; the gradients of `table` and W are then one product each.

Inside, time comes first and the rows of the batch last: [size, gates, batch]. W then stands on the left of the product
of each position, and only h, the small side, is copied into blocks (see `products`).
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from mm_jax.layers.products import transposed

Cell = Callable[[Array, Array, Array], Array]  # entry by entry: x and s [gates * hidden_dim, batch], h -> next h


def scan(
    cell: Cell,
    table: Float32[Array, "rows gate_dim"],
    W: Float32[Array, "hidden_dim gate_dim"],
    b: Float32[Array, " gate_dim"],
    tokens: Int32[Array, "batch size"],
    starts: Bool[Array, "batch size"],
) -> Float32[Array, "batch size hidden_dim"]:
    """Returns the hidden vector after each position of each row.

    Args:
      cell: the next h, from what the input and what the state give to the gates; it splits along the first axis.
      table: what each token gives to the gates.
      W, b: what the state gives to them.
      tokens: the inputs, each word's `.` included; -1 for a dropped one, which finds the last row.
      starts: True where a word starts, and the state before is not seen.
    """
    x = _columns_of(table, tokens.T % len(table))
    h: Array = _states(cell, x, W, b, ~starts.T)  # pyright: ignore[reportAssignmentType]
    return h.transpose(2, 0, 1)


@jax.custom_vjp
def _columns_of(table: Float32[Array, "rows gate_dim"], tokens: Int32[Array, "size batch"]) -> Array:
    """Returns the rows of the table as columns: float32 [size, gate_dim, batch]."""
    columns = transposed(table)
    one_hot = (jnp.arange(len(table))[None, :, None] == tokens[:, None, :]).astype(jnp.float32)
    return lax.map(lambda column: columns @ column, one_hot)


def _columns_back(kept, gradient):
    """The gradient of the table [rows, gate_dim]: one product over all positions of all rows."""
    table, tokens = kept
    one_hot = jax.nn.one_hot(tokens.reshape(-1), len(table))
    return transposed(_one_axis(gradient) @ one_hot), None


_columns_of.defvjp(lambda table, tokens: (_columns_of(table, tokens), (table, tokens)), _columns_back)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _states(cell: Cell, x: Array, W: Array, b: Array, keep: Array) -> Array:
    """Returns h [size, hidden_dim, batch] from x [size, gate_dim, batch] and keep [size, batch], False at starts."""
    return _forward(cell, x, W, b, keep)[0]


def _forward(cell, x, W, b, keep):
    """Returns h, and what `_backward` needs: before is h where it is seen, `pull` the gradient of each cell."""
    columns = transposed(W)

    def step(h, inputs):
        x, keep = inputs
        before = jnp.where(keep[None], h, 0.0)
        h, pull = jax.vjp(cell, x, columns @ before + b[:, None], before)
        return h, (h, before, pull)

    _, (h, before, pulls) = lax.scan(step, jnp.zeros((len(W), x.shape[2]), jnp.float32), (x, keep))
    return h, (W, keep, before, pulls)


def _backward(cell, kept, gradient):
    """Returns the gradients of x, W and b from that of h [size, hidden_dim, batch]."""
    W, keep, before, pulls = kept

    def step(from_next, inputs):
        gradient, keep, pull = inputs
        # The barrier keeps XLA from computing both once more where they are stored.
        dx, ds, dh = lax.optimization_barrier(pull(gradient + from_next))
        return jnp.where(keep[None], dh + W @ ds, 0.0), (dx, ds)

    none = jnp.zeros(gradient.shape[1:], jnp.float32)
    _, (dx, ds) = lax.scan(step, none, (gradient, keep, pulls), reverse=True)
    ds = _one_axis(ds)
    before = lax.optimization_barrier(before.transpose(0, 2, 1).reshape(ds.shape[1], -1))
    return dx, transposed(ds @ before), ds.sum(1), None


_states.defvjp(_forward, _backward)


def _one_axis(columns: Float32[Array, "size width batch"]) -> Float32[Array, "width positions"]:
    """Returns all positions of all rows along one axis."""
    return lax.optimization_barrier(columns.transpose(1, 0, 2).reshape(columns.shape[1], -1))
