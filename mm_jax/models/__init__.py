"""The models, and what they have in common.

A model is a module with a class of parameters and two functions: `block_size(params)`, the length of its context, and
`logits(params, context)`, one context in, one row of logits out. Adding a model is adding its file, and a line here.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float32

from mm_jax.models import bigram, counts, mixture, mlp, ngram

MODELS = {
    counts.Counts: counts,
    bigram.Bigram: bigram,
    mlp.MLP: mlp,
    ngram.NGram: ngram,
    mixture.Mixture: mixture,
}

Params = Any  # an instance of one of the classes above


def module_of(params: Params):
    """The module of a model's functions; ValueError if `params` is not a model's parameters."""
    try:
        return MODELS[type(params)]
    except KeyError:
        known = ", ".join(cls.__name__ for cls in MODELS)
        raise ValueError(f"{type(params).__name__} is not a model: expected one of {known}") from None


def block_size(params: Params) -> int:
    """How many tokens a context of this model has."""
    return module_of(params).block_size(params)


def logits(params: Params, context) -> Float32[Array, " vocab_size"]:
    """The logits of the next token after one context.

    Args:
      params: any model's parameters.
      context: int [block_size], the tokens before, oldest first, 0 before a word's start. Use `jax.vmap` for more.

    Returns:
      float32 [vocab_size]: unnormalised log probabilities.

    Raises:
      ValueError: the context has another length, another dtype, or (outside jit) a token that is not in the vocabulary.
    """
    module = module_of(params)
    context = jnp.asarray(context)
    size = module.block_size(params)
    if context.shape != (size,) or not (size == 0 or jnp.issubdtype(context.dtype, jnp.integer)):
        raise ValueError(
            f"expected one context of {size} integer token(s), shape ({size},), got {context.dtype} of shape "
            f"{context.shape}: jax.vmap makes more of it"
        )
    known = isinstance(context, Tracer) or size == 0 or 0 <= context.min() <= context.max() < len(params.vocab)
    if not known:
        raise ValueError(f"context {context.tolist()}: tokens run from 0 to {len(params.vocab) - 1}")
    return module.logits(params, context if size else context.astype(jnp.int32))


def num_params(params: Params) -> int:
    """How many numbers the model holds."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
