"""Extends a model to a larger alphabet: unknown characters get probability 0 and leave the state unchanged.

Mixtures need one alphabet. With this a model of Dutch towns and one of Greek islands can be mixed.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int32

from mm_jax.models import contract
from mm_jax.models.contract import Params, sequential
from mm_jax.pytrees import pytree
from mm_jax.symbols import joined
from mm_jax.vocab import Vocab, vocabulary


@pytree
class Widened:
    """A model over a larger alphabet, with the map from its tokens to the member's."""

    member: Any
    own: Int32[Array, " vocab_size"]  # the member's token; 0 for a character that it does not know
    vocab: Vocab


def wrap(params: Params, vocab: Vocab) -> Params:
    """Returns the model over a larger alphabet; the model itself if the alphabets are equal.

    Raises ValueError for an alphabet without a character that the model knows.

    >>> import mm_jax
    >>> params = wrap(mm_jax.counts.fit(["ab"], Vocab(".ab"), smoothing=1.0), Vocab(".abé"))
    >>> jnp.exp(contract.logits(params, contract.start(params))).round(2).tolist()
    [0.25, 0.5, 0.25, 0.0]
    """
    contract.model_of(params)
    if params.vocab == vocabulary(vocab):
        return params
    if params.vocab.units != vocab.units:
        raise ValueError(f"the model's symbols are {params.vocab.units}, and not {vocab.units}")
    if lacking := set(params.vocab.symbols[1:]) - set(vocab.symbols[1:]):
        raise ValueError(f"the alphabet lacks {joined(sorted(lacking), vocab.units)!r}, which the model knows")
    place = {symbol: i for i, symbol in enumerate(params.vocab.symbols) if i}
    own = np.array([0, *(place.get(symbol, 0) for symbol in vocab.symbols[1:])], np.int32)
    return Widened(member=params, own=jax.device_put(own), vocab=vocab)


def _known(params: Widened) -> Bool[Array, " vocab_size"]:
    """Returns a mask of the tokens that the member knows; token 0, the end, is one."""
    return (params.own != 0).at[0].set(True)


def max_length(params: Widened) -> int | None:
    """Returns the member's longest word, in characters."""
    return contract.max_length(params.member)


def start(params: Widened) -> Any:
    """Returns the member's state before a word."""
    return contract.start(params.member)


def advance(params: Widened, state: Any, token: Int[Array, ""]) -> Any:
    """Returns the member's next state; an unknown token leaves the state unchanged."""
    after = contract.model_of(params.member).advance(params.member, state, params.own[token])
    return jax.tree.map(lambda old, new: jnp.where(params.own[token] != 0, new, old), state, after)


def logits(params: Widened, state: Any) -> Float32[Array, " vocab_size"]:
    """Returns the member's log p(next), -inf for characters that it does not know."""
    row = jax.nn.log_softmax(contract.logits(params.member, state))
    return jnp.where(_known(params), row[params.own], -jnp.inf)


def validate(params: Widened) -> None:
    """Raises ValueError for tokens that the member does not have, or that map to another character."""
    symbols, own = params.member.vocab.symbols, np.asarray(params.own)
    if own[0] or own.min() < 0 or own.max() >= len(symbols):
        raise ValueError("it has tokens beyond the member's vocabulary")
    if any(
        token and symbols[token] != symbol for token, symbol in zip(own.tolist(), params.vocab.symbols, strict=True)
    ):
        raise ValueError("its symbols are not the member's")


MODEL = sequential(Widened, start=start, advance=advance, logits=logits, max_length=max_length, validate=validate)
