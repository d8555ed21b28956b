"""Scans a recurrent layer; its custom gradient computes each weight gradient with one matrix product.

    h_t = cell(x_t, s_t, h_{t-1})      x_t = table[token_t]      s_t = h_{t-1} @ W + b      h = 0 before a `.`

JAX's own gradient of a scan adds to the gradient of W at every position: as many small products as there are positions,
each of which reads and writes all of that gradient. Here the scan back carries the gradient of h alone and returns
those of x and s at every position; the gradients of `table` and W are then one product each, over all positions of all
rows: twice as fast on a CPU, by the measurement of version 0.2.0.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from mm_jax.layers.products import LARGE, look_up, product_transposed, transposed, with_zero_row

Cell = Callable[[Array, Array, Array], Array]  # entry by entry: x and s [..., gate_dim], h [..., hidden_dim] -> next h


def scan(
    cell: Cell,
    table: Float32[Array, "rows gate_dim"],
    W: Float32[Array, "hidden_dim gate_dim"],
    b: Float32[Array, " gate_dim"],
    tokens: Int32[Array, "batch size"],
    starts: Bool[Array, "batch size"],
    bias: Float32[Array, " gate_dim"] | None = None,
) -> Float32[Array, "batch size hidden_dim"]:
    """Returns the hidden vector after each position of each row.

    Args:
      cell: the next h, from what the input and what the state give to the gates.
      table: what each token gives to the gates.
      W, b: what the state gives to them.
      tokens: the inputs, each word's `.` included; -1 for a dropped one, which gives zeros.
      starts: True where a word starts, and the state before is not seen.
      bias: added to what each token gives, a dropped one too.
    """
    # Time comes first: each step of the scan then reads and writes one block of memory.
    x = _inputs(table, bias, tokens.T)
    h: Array = scan_inputs(cell, x, W, b, starts.T)  # pyright: ignore[reportAssignmentType]
    return h.transpose(1, 0, 2)


def _inputs(
    table: Float32[Array, "rows gate_dim"], bias: Float32[Array, " gate_dim"] | None, tokens: Int32[Array, "size batch"]
) -> Float32[Array, "size batch gate_dim"]:
    """Returns what each token gives to the gates."""
    if len(table) > LARGE:  # no copy of the table
        x = look_up(table, tokens)
        return x if bias is None else x + bias[None, None]
    table = with_zero_row(table)
    if bias is not None:
        table = jax.vmap(jnp.add, (0, None))(table, bias)
    return _rows(table, tokens % len(table))


@jax.custom_vjp
def _rows(table, tokens):
    """Returns table[tokens], whose gradient is a product, not a scatter."""
    return table[tokens]


def _rows_backward(kept, gradient):
    """Returns the gradient of the table."""
    rows, tokens = kept
    gradient = gradient.reshape(-1, gradient.shape[-1])
    # The gate side, which is the wider, stands on the left: see `products`.
    return product_transposed(transposed(gradient), jax.nn.one_hot(tokens.reshape(-1), rows)), None


_rows.defvjp(lambda table, tokens: (table[tokens], (len(table), tokens)), _rows_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def scan_inputs(cell, x, W, b, starts):
    """Returns h [size, batch, hidden_dim] from x [size, batch, gate_dim] and starts [size, batch]: time comes first."""
    return _forward(cell, x, W, b, starts)[0]


def _forward(cell, x, W, b, starts):
    """Returns h, and what `_backward` needs: the arguments of each cell."""

    def step(h, inputs):
        x, start = inputs
        before = jnp.where(start[:, None], 0.0, h)
        s = before @ W + b[None]
        h = cell(x, s, before)
        return h, (h, (s, before))

    _, (h, arguments) = lax.scan(step, jnp.zeros((x.shape[1], len(W)), jnp.float32), (x, starts))
    return h, (W, starts, x, *arguments)


def _backward(cell, kept, gradient):
    """Returns the gradients of x, W and b from that of h [size, batch, hidden_dim]."""
    W, starts, *arguments = kept
    columns = transposed(W)

    def step(from_next, inputs):
        gradient, start, arguments = inputs
        _, pull = jax.vjp(cell, *arguments)  # computes the gates again: to keep them takes as long
        dx, ds, dh = pull(gradient + from_next)
        return jnp.where(start[:, None], 0.0, dh + ds @ columns), (dx, ds)

    none = jnp.zeros(gradient.shape[1:], jnp.float32)
    _, (dx, ds) = lax.scan(step, none, (gradient, starts, arguments), reverse=True)
    sums, before = (rows.reshape(-1, rows.shape[-1]) for rows in (ds, arguments[2]))
    return dx, product_transposed(transposed(sums), before), sums.sum(0), None


scan_inputs.defvjp(_forward, _backward)
