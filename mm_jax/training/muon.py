"""Muon: the step of a matrix turned into the nearest one that moves alike in all directions.

    M = momentum of the gradient, with Nesterov's look ahead, divided by its norm
    U = Q M      Q = p(A5) p(A4) p(A3) p(A2) p(A1)      p(A) = 3.4445 - 4.775 A + 2.0315 A A
                 A1 = M M^T, and A of each next step is that of p(A) M: p(A) A p(A)
    W = W - rate * (sqrt(max(1, columns / rows)) * U + decay * W)

p(A) M has the singular vectors of M, and singular values closer to 1. Optax takes these five steps on M itself; on A,
the smaller square, they take a third of the time for the matrices of a transformer, and M is multiplied once.

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
    """Muon for the matrices inside a network, and AdamW (Nesterov's too) at a tenth of the rate for all else.

    The arrays in fields whose names begin with W are such matrices, with those of several layers stacked or not;
    embeddings, output layers and biases are not.
    """
    inner = optax.chain(
        optax.contrib.scale_by_muon(ns_steps=0, weight_dimension_numbers=_axes),  # M
        optax.stateless(lambda updates, _: jax.tree.map(_scaled, updates)),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(learning_rate),
    )
    others = optax.adamw(0.1 * learning_rate, b2=0.99, weight_decay=weight_decay, nesterov=True)
    return optax.partition({True: inner, False: others}, _is_inner)


def orthogonal(M: Float32[Array, "*stack rows columns"]) -> Float32[Array, "*stack rows columns"]:
    """M with singular values between about 0.7 and 1.2, but those that are nearly 0; its Frobenius norm is 1 or less.

    >>> M = jnp.array([[0.6, 0.0, 0.0], [0.0, 0.0, 0.3]])
    >>> orthogonal(M).round(1)
    Array([[0.7, 0. , 0. ],
           [0. , 0. , 1.1]], dtype=float32)
    """
    if M.shape[-2] > M.shape[-1]:
        return lax.optimization_barrier(orthogonal(lax.optimization_barrier(M.mT))).mT  # or a copy at each product
    A = M @ M.mT
    Q = identity = jnp.broadcast_to(jnp.eye(M.shape[-2], dtype=M.dtype), A.shape)
    for step in range(5):
        p = 3.4445 * identity - 4.775 * A + 2.0315 * (A @ A)
        A, Q = p @ A @ p, p @ Q if step else p
    return Q @ M


def _scaled(M: Float32[Array, "*stack rows columns"]) -> Float32[Array, "*stack rows columns"]:
    return max(1.0, M.shape[-1] / M.shape[-2]) ** 0.5 * orthogonal(M)


def _is_inner(params: Any) -> Any:
    """For each array whether it is a matrix inside the network."""
    size = len(params.vocab)

    def of(path, leaf):
        return leaf.ndim > 1 and getattr(path[-1], "name", "").startswith("W") and size not in leaf.shape[-2:]

    return jax.tree_util.tree_map_with_path(of, params)


def _axes(params: Any) -> Any:
    """What Optax takes for the rows and columns of each matrix."""
    return jax.tree.map(lambda leaf: optax.contrib.MuonDimensionNumbers(leaf.ndim - 2, leaf.ndim - 1), params)
