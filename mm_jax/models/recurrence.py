"""A recurrent layer read over a row of tokens, with a backward pass that leaves its weights to one product each.

    h_t = cell(x_t, s_t, h_{t-1})      x_t = table[token_t]      s_t = h_{t-1} @ W + b      h = 0 before a `.`

What JAX derives from a scan over this adds to the gradient of W at every position: as many small products as a row has
positions, each of which reads and writes all of that gradient. Here the scan back only carries the gradient of h; it
returns those of x and s at every position. The gradients of `table` and W are then a product each, over all positions,
and under `jax.vmap` over all rows: twice as fast on a CPU.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

Cell = Callable[[Array, Array, Array], Array]  # entry by entry: x and s [gates * hidden_dim], h [hidden_dim] -> next h


def read(
    cell: Cell,
    table: Float32[Array, "rows gate_dim"],
    W: Float32[Array, "hidden_dim gate_dim"],
    b: Float32[Array, " gate_dim"],
    tokens: Int32[Array, " size"],
    starts: Bool[Array, " size"],
) -> Float32[Array, "size hidden_dim"]:
    """The hidden vector after each position.

    Args:
      cell: the next h, from what the input and what the state give to the gates.
      table: what each token gives to the gates; the last row is for the tokens left out, which are -1.
      W, b: what the state gives to them.
      tokens: what is read, each word's `.` included.
      starts: True where a word starts, and nothing of the state before is seen.
    """
    fixed_table, fixed_W, fixed_b = lax.stop_gradient((table, W, b))

    def forward(h, at):
        token, starting = at
        before = jnp.where(starting, 0.0, h)
        x, s = fixed_table[token], before @ fixed_W + fixed_b
        h = cell(x, s, before)
        # The one-hot row is returned from here because the scan lays its results out position by position: of a batch
        # of rows, both factors of the table's gradient then have one layout, and neither is copied.
        return h, (jax.nn.one_hot(token % len(table), len(table)), starting, (before, x, s, h))

    _, (one_hot, starts, saved) = lax.scan(forward, jnp.zeros(W.shape[-2]), (tokens, starts))
    return _states(cell, _product(one_hot, table), _product(saved[0], W), b, W, starts, saved)


def _product(rows: Float32[Array, "size n"], W: Float32[Array, "n gate_dim"]) -> Float32[Array, "size gate_dim"]:
    """rows @ W, for the sake of its gradient: the scan has this value, so the compiler leaves this product out.

    The barrier is that of `rows.product`.
    """
    transposed = lax.optimization_barrier(W.T)
    return jax.vmap(lambda row: transposed @ row)(rows)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _states(cell, x, s, b, W, starts, saved):
    """The hidden vectors [size, hidden_dim] that the scan computed, as a function of x and s [size, gate_dim] and b."""
    return saved[-1]


def _forward(cell, x, s, b, W, starts, saved):
    """The value, and what `_backward` needs: W [hidden_dim, gate_dim], starts [size], h before, x and s."""
    return saved[-1], (W, starts, saved[:-1])


def _backward(cell, kept, gradients):
    """The gradients of x and s [size, gate_dim] and b [gate_dim], from those of h [size, hidden_dim]."""
    W, starts, saved = kept

    def back(from_next, at):
        gradient, starting, (before, x, s) = at
        _, pull = jax.vjp(cell, x, s, before)
        dx, ds, dh = pull(gradient + from_next)
        return jnp.where(starting, 0.0, dh + W @ ds), (dx, ds)

    _, (dx, ds) = lax.scan(back, jnp.zeros(W.shape[-2]), (gradients, starts, saved), reverse=True)
    return dx, ds, ds.sum(0), None, None, None


_states.defvjp(_forward, _backward)
