"""A network of your own as a model: a flax module, or a function of anything else.

    mm_jax.network.wrap(module, vocab, key=key)         of flax.linen, made here with the key, or of flax.nnx
    mm_jax.network.wrap(apply, variables, vocab)        any function

    apply(variables, tokens) -> logits      int32 [length] -> float32 [length, vocab_size], causal:
                                            row t depends on tokens[: t + 1] alone

tokens[0] is the `.` that starts a word. A module maps tokens to logits in the same way.
"""

from collections.abc import Callable
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32, Key

from mm_jax.checks import whole_number
from mm_jax.models.contract import sequential
from mm_jax.pytrees import pytree, static
from mm_jax.vocab import Vocab, vocabulary

Apply = Callable[[Any, Array], Array]  # (variables, tokens int32 [length]) -> logits float32 [length, vocab_size]


@pytree
class Network:
    """Variables of any structure, and the function that applies them to one word.

    >>> params = wrap(lambda variables, tokens: variables[tokens], jnp.zeros((3, 3)), Vocab(".ab"), max_length=8)
    >>> params.limit, params.variables.shape
    (8, (3, 3))
    """

    variables: Any
    vocab: Vocab
    apply: Apply = static()
    limit: int = static()  # characters of the longest word


@overload
def wrap(
    module: Any, variables: Vocab, vocab: None = None, *, max_length: int = 32, key: Key[Array, ""] | None = None
) -> Network: ...


@overload
def wrap(module: Apply, variables: Any, vocab: Vocab, *, max_length: int = 32) -> Network: ...


def wrap(
    module: Any,
    variables: Any,
    vocab: Vocab | None = None,
    *,
    max_length: int = 32,
    key: Key[Array, ""] | None = None,
) -> Network:
    """Makes a model of a network of your own; every function of mm_jax takes it.

    Call it as `wrap(module, vocab, key=key)` or as `wrap(apply, variables, vocab)`.

    Args:
      module: a flax.linen or flax.nnx module, or a function `apply` of variables and tokens. It maps tokens int32
        [length], the first of which is 0, to the logits of the next token at each position, float32 [length,
        vocab_size], for any length up to max_length + 1. It is causal: row t depends on tokens[: t + 1] alone.
      variables: for a function, a pytree of arrays. `fit` trains the floats; counters and random keys stay constant.
      vocab: the characters.
      max_length: the longest word, in characters.
      key: for a flax.linen module, the key of its initial variables; an nnx module has its variables already.

    Returns:
      A Network.

    Raises ValueError for a linen module without a key, for a key without a linen module, for a `module` that is neither
    a module nor a function, for logits of another shape or dtype, and for a network that is not causal.

    >>> vocab = Vocab(".ab")
    >>> params = wrap(lambda variables, tokens: variables["W"][tokens], {"W": jnp.zeros((3, 3))}, vocab)
    >>> logits(params, start(params)).tolist()
    [0.0, 0.0, 0.0]
    """
    length = whole_number("max_length", max_length) + 1
    apply: Any = module
    if vocab is None:
        if not isinstance(variables, Vocab):
            raise ValueError(f"vocab is missing: give wrap(module, vocab, key=key), got a {type(variables).__name__}")
        vocab = variables
        apply, variables = _of_flax(module, key, length)
    elif key is not None or not callable(module):
        raise ValueError("a function comes with its variables, without a key: wrap(apply, variables, vocab)")
    apply, variables = _floats_alone(apply, variables)
    params = Network(variables=variables, vocab=vocabulary(vocab), apply=apply, limit=length - 1)
    tokens = jnp.zeros(length, jnp.int32)
    row = jax.eval_shape(apply, variables, tokens)
    if getattr(row, "shape", None) != (length, len(vocab)) or row.dtype != jnp.float32:
        raise ValueError(
            f"the network returned {getattr(row, 'dtype', type(row).__name__)} of shape {getattr(row, 'shape', None)} "
            f"for {length} tokens: expected float32 of shape {(length, len(vocab))}, a row of logits for each token"
        )
    _check_causal(params, length)
    return params


def _of_flax(module: Any, key: Key[Array, ""] | None, length: int) -> tuple[Apply, Any]:
    """Splits a flax module into its function and its variables, initialised on tokens [length]."""
    if not any(base.__module__.startswith("flax.") for base in type(module).__mro__):
        raise ValueError(f"{type(module).__name__} is no flax module: give wrap(apply, variables, vocab)")
    from flax import linen, nnx  # whoever made the module has imported it

    if isinstance(module, linen.Module):
        if key is None:
            raise ValueError("a flax.linen module needs a key for its variables: wrap(module, vocab, key=key)")
        return module.apply, module.init(key, jnp.zeros(length, jnp.int32))  # pyright: ignore[reportReturnType]
    if key is not None:
        raise ValueError("a flax.nnx module holds its variables: leave out the key")
    graph, variables = nnx.split(module)
    return lambda variables, tokens: nnx.merge(graph, variables)(tokens), variables


def _floats_alone(apply: Apply, variables: Any) -> tuple[Apply, Any]:
    """Replaces all arrays but floats by None in the variables, and closes the function over them."""
    leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, variables))
    trained = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    if all(trained):
        return apply, jax.tree.unflatten(structure, leaves)

    def apply_all(floats: Any, tokens: Array) -> Array:
        of_floats = iter(jax.tree.leaves(floats))
        both = [next(of_floats) if is_float else _again(leaf) for is_float, leaf in zip(trained, leaves, strict=True)]
        return apply(jax.tree.unflatten(structure, both), tokens)

    kept = [leaf if is_float else None for is_float, leaf in zip(trained, leaves, strict=True)]
    return apply_all, jax.tree.unflatten(structure, kept)


def _again(leaf: Array) -> Array:
    """Clones a random key [...], which JAX's check for reused keys would refuse otherwise; returns any other leaf."""
    return jax.random.clone(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _check_causal(params: Network, length: int) -> None:
    """Raises ValueError if another later token changes an earlier row; tries random tokens at every position."""
    size, random = len(params.vocab), np.random.default_rng(0)
    first, shift = random.integers(0, size, length), random.integers(0, max(1, size - 1), length)
    second = (first + 1 + shift) % size  # another token at every position
    first[0] = second[0] = 0
    apply = jax.jit(params.apply)
    rows = np.asarray(apply(params.variables, jnp.asarray(first, jnp.int32)))
    for cut in range(1, length):
        tokens = np.concatenate([first[:cut], second[cut:]])
        other = np.asarray(apply(params.variables, jnp.asarray(tokens, jnp.int32)))
        if not np.allclose(rows[:cut], other[:cut], rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ValueError(
                f"the network is not causal: another token at position {cut} changes an earlier row. Row t may depend "
                "on tokens[: t + 1] alone (mask attention, pad convolutions on the left)"
            )


def max_length(params: Network) -> int:
    """Returns the longest word, in characters."""
    return params.limit


def packs(params: Network) -> bool:
    """Returns False: `apply` reads one word."""
    return False


def start(params: Network) -> tuple[Int32[Array, " positions"], Int32[Array, ""]]:
    """Returns the tokens read so far, `.` first and padded, and their number."""
    return jnp.zeros(params.limit + 1, jnp.int32), jnp.int32(1)


def advance(
    params: Network, state: tuple[Int32[Array, " positions"], Int32[Array, ""]], token: Int[Array, ""]
) -> tuple[Int32[Array, " positions"], Int32[Array, ""]]:
    """Appends a token; beyond the longest word it overwrites the last one."""
    tokens, length = state
    place = jnp.minimum(length, params.limit)
    return lax.dynamic_update_index_in_dim(tokens, token.astype(jnp.int32), place, 0), place + 1


def logits(
    params: Network, state: tuple[Int32[Array, " positions"], Int32[Array, ""]]
) -> Float32[Array, " vocab_size"]:
    """Returns the network's last row of logits; the network is applied to the whole word at every step."""
    tokens, length = state
    return params.apply(params.variables, tokens)[length - 1]


def unroll(params: Network, tokens: Int[Array, " length"]) -> Float32[Array, "length+1 vocab_size"]:
    """Returns the logits of all positions of one word, by one application of the network."""
    return params.apply(params.variables, jnp.concatenate([jnp.zeros(1, jnp.int32), tokens]))


MODEL = sequential(
    Network, start=start, advance=advance, logits=logits, unroll=unroll, max_length=max_length, packs=packs
)
