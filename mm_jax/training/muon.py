"""Muon: orthogonalises the momentum of each weight matrix by five Newton-Schulz steps.

    M = Nesterov momentum of the gradient, divided by its Frobenius norm
    U = Q M      Q = p(A5) p(A4) p(A3) p(A2) p(A1)      p(A) = 3.4445 - 4.775 A + 2.0315 A A
                 A1 = M M^T, and the next A is p(A) A p(A), that of p(A) M
    W = W - rate * (sqrt(max(1, columns / rows)) * U + decay * W)

p(A) M has the singular vectors of M, and singular values closer to 1. `optax.contrib.muon` takes the same steps on M
itself. Here they are taken on the smaller square A, and M is multiplied once. For the default transformer that is an
update of 6.0 in place of 10.0 CPU ms, and a whole step (batches of 48 rows, median of 12 pairs) of 24 in place of 28:
11%. After 300 steps dev is 2.0260 both ways (three seeds, differences of at most 0.00002). Momentum is Optax's.

Source: Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax import lax
from jaxtyping import Array, Float32


def muon(learning_rate: Any, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Makes Muon for the hidden matrices of a network, and Nesterov AdamW at a tenth of the rate for all else.

    A hidden matrix is an array [..., rows, columns] in a field whose name begins with W, of which no side is the
    vocabulary. Embeddings, output layers and biases are not.
    """
    hidden = optax.chain(
        optax.contrib.scale_by_muon(ns_steps=0, weight_dimension_numbers=_axes),  # M
        optax.stateless(lambda updates, _: jax.tree.map(_scaled, updates)),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(learning_rate),
    )
    others = optax.adamw(0.1 * learning_rate, b2=0.99, weight_decay=weight_decay, nesterov=True)
    return optax.partition({True: hidden, False: others}, _is_hidden)


def orthogonal(M: Float32[Array, "*stack rows columns"]) -> Float32[Array, "*stack rows columns"]:
    """Moves the singular values of M to about 0.7 to 1.2; values near 0 stay. M has a Frobenius norm of 1 or less.

    >>> M = jnp.array([[0.6, 0.0, 0.0], [0.0, 0.0, 0.3]])
    >>> orthogonal(M).round(1)
    Array([[0.7, 0. , 0. ],
           [0. , 0. , 1.1]], dtype=float32)
    """
    if M.shape[-2] > M.shape[-1]:  # barriers: or XLA copies M.mT for every product
        return lax.optimization_barrier(orthogonal(lax.optimization_barrier(M.mT))).mT
    A = M @ M.mT
    Q = identity = jnp.broadcast_to(jnp.eye(M.shape[-2], dtype=M.dtype), A.shape)
    for step in range(5):
        p = 3.4445 * identity - 4.775 * A + 2.0315 * (A @ A)
        A, Q = p @ A @ p, p @ Q if step else p
    return Q @ M


def _scaled(M: Float32[Array, "*stack rows columns"]) -> Float32[Array, "*stack rows columns"]:
    """Orthogonalises M, with a larger step for wide matrices."""
    return max(1.0, M.shape[-1] / M.shape[-2]) ** 0.5 * orthogonal(M)


def _is_hidden(params: Any) -> Any:
    """Returns a tree of bools: whether an array is a hidden matrix."""
    size = len(params.vocab)

    def of(path, leaf):
        return leaf.ndim > 1 and getattr(path[-1], "name", "").startswith("W") and size not in leaf.shape[-2:]

    return jax.tree_util.tree_map_with_path(of, params)


def _axes(params: Any) -> Any:
    """Returns the row and column axes of each matrix, as Optax takes them."""
    return jax.tree.map(lambda leaf: optax.contrib.MuonDimensionNumbers(leaf.ndim - 2, leaf.ndim - 1), params)
