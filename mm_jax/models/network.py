"""Your own network, of flax.linen, flax.nnx or anything else, as a model.

    apply(variables, tokens) -> logits      int32 [length] -> float32 [length, vocab_size], causal:
                                            row t depends on tokens[: t + 1] alone

tokens[0] is the `.` that starts a word. `module.apply` of a flax.linen module is such a function; of a flax.nnx one,
`graph, variables = nnx.split(module)` makes the variables, and the function is
`lambda variables, tokens: nnx.merge(graph, variables)(tokens)`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32

from mm_jax.checks import whole_number
from mm_jax.pytrees import pytree, static
from mm_jax.vocab import Vocab


@pytree
class Network:
    """Variables of any structure, and the function that applies them to one word.

    >>> params = wrap(lambda variables, tokens: variables[tokens], jnp.zeros((3, 3)), Vocab(".ab"), max_length=8)
    >>> params.limit, params.variables.shape
    (8, (3, 3))
    """

    variables: Any
    vocab: Vocab
    apply: Callable[[Any, Array], Array] = static()
    limit: int = static()  # characters of the longest word


def wrap(
    apply: Callable[[Any, Int32[Array, " length"]], Float32[Array, "length vocab_size"]],
    variables: Any,
    vocab: Vocab,
    max_length: int = 32,
) -> Network:
    """A network of your own as a model: every verb of mm_jax takes it.

    Args:
      apply: a causal function of variables and tokens int32 [length], the first of which is 0; it returns float32
        [length, vocab_size], the logits of what follows each token. Any length up to max_length + 1.
      variables: a pytree of arrays, such as the state that `flax.nnx.split` returns. `fit` trains those that are
        floats; others, such as counters and random keys, stay as they are.
      vocab: the characters.
      max_length: the longest word, in characters.

    Returns:
      A Network.

    Raises ValueError for rows of another width or dtype, and for a network that is not causal.

    >>> vocab = Vocab(".ab")
    >>> params = wrap(lambda variables, tokens: variables["W"][tokens], {"W": jnp.zeros((3, 3))}, vocab)
    >>> logits(params, start(params)).tolist()
    [0.0, 0.0, 0.0]
    """
    apply, variables = _floats_alone(apply, variables)
    params = Network(variables=variables, vocab=vocab, apply=apply, limit=whole_number("max_length", max_length))
    length = params.limit + 1
    tokens = jnp.zeros(length, jnp.int32)
    row = jax.eval_shape(apply, variables, tokens)
    if getattr(row, "shape", None) != (length, len(vocab)) or row.dtype != jnp.float32:
        raise ValueError(
            f"apply returned {getattr(row, 'dtype', type(row).__name__)} of shape {getattr(row, 'shape', None)} for "
            f"{length} tokens: expected float32 of shape {(length, len(vocab))}, a row of logits for each token"
        )
    _check_causal(params, length)
    return params


def _floats_alone(apply: Callable[[Any, Array], Array], variables: Any) -> tuple[Callable[[Any, Array], Array], Any]:
    """The variables with None for each array that is no float, and the function of them and of tokens [length]."""
    leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, variables))
    trained = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    if all(trained):
        return apply, jax.tree.unflatten(structure, leaves)

    def apply_all(floats: Any, tokens: Array) -> Array:
        of_floats = iter(jax.tree.leaves(floats))
        both = [next(of_floats) if own else _again(leaf) for own, leaf in zip(trained, leaves, strict=True)]
        return apply(jax.tree.unflatten(structure, both), tokens)

    kept = [leaf if own else None for own, leaf in zip(trained, leaves, strict=True)]
    return apply_all, jax.tree.unflatten(structure, kept)


def _again(leaf: Array) -> Array:
    """The leaf [...]; of a random key a clone: each application reads it, which JAX's check for reused keys refuses."""
    return jax.random.clone(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _check_causal(params: Network, length: int) -> None:
    """ValueError where another later token changes an earlier row; tried with random tokens, at every position."""
    random = np.random.default_rng(0).integers(0, len(params.vocab), (2, length))
    random[1] = (random[0] + 1 + random[1] % max(1, len(params.vocab) - 1)) % len(params.vocab)  # differs everywhere
    random[:, 0] = 0
    cuts = np.arange(1, length)
    mixed = np.where(np.arange(length)[None, :] < cuts[:, None], random[0], random[1]).astype(np.int32)
    apply = jax.jit(params.apply)
    rows = np.asarray(apply(params.variables, jnp.asarray(random[0], jnp.int32)))
    for cut, tokens in zip(cuts, mixed, strict=True):
        other = np.asarray(apply(params.variables, jnp.asarray(tokens)))
        if not np.allclose(rows[:cut], other[:cut], rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ValueError(
                f"the network is not causal: another token at position {cut} changes an earlier row. Row t may depend "
                "on tokens[: t + 1] alone (mask attention, pad convolutions on the left)"
            )


def max_length(params: Network) -> int:
    """The longest word, in characters."""
    return params.limit


def packs(params: Network) -> bool:
    """`apply` reads one word."""
    return False


def start(params: Network) -> tuple[Int32[Array, " positions"], Int32[Array, ""]]:
    """The tokens read so far, `.` first, and how many they are."""
    return jnp.zeros(params.limit + 1, jnp.int32), jnp.int32(1)


def advance(
    params: Network, state: tuple[Int32[Array, " positions"], Int32[Array, ""]], token: Int[Array, ""]
) -> tuple[Int32[Array, " positions"], Int32[Array, ""]]:
    """One token more; beyond the longest word the last place is written again."""
    tokens, length = state
    place = jnp.minimum(length, params.limit)
    return lax.dynamic_update_index_in_dim(tokens, token.astype(jnp.int32), place, 0), place + 1


def logits(
    params: Network, state: tuple[Int32[Array, " positions"], Int32[Array, ""]]
) -> Float32[Array, " vocab_size"]:
    """The network's row at the last token; it is applied to the whole word each time."""
    tokens, length = state
    return params.apply(params.variables, tokens)[length - 1]


def unroll(params: Network, tokens: Int[Array, " length"]) -> Float32[Array, "length+1 vocab_size"]:
    """All rows of one word at once: what the network is made for."""
    return params.apply(params.variables, jnp.concatenate([jnp.zeros(1, jnp.int32), tokens]))
