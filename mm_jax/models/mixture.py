"""Several models as one: p(w | word so far) = sum_k weight_k p_k(w | word so far).

Where all members are windowed, so is the mixture: its window is the longest of theirs. Otherwise its state is the tuple
of its members' states. `mm_jax.mixture.fit`, in training/mixing.py, finds the weights.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from mm_jax.models import contract
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab


@pytree
class Mixture:
    """Models of one vocabulary, and the logits of their weights.

    >>> from mm_jax.models import counts
    >>> members = tuple(counts.fit(["ab"], Vocab(".ab"), smoothing) for smoothing in (0.0, 1.0))
    >>> Mixture(members=members, scores=jnp.zeros(2), vocab=Vocab(".ab")).weights.tolist()
    [0.5, 0.5]
    """

    members: tuple[Any, ...]
    scores: Float32[Array, " members"]
    vocab: Vocab

    @property
    def weights(self) -> Float32[Array, " members"]:
        """The weights: positive, summing to one."""
        return jax.nn.softmax(self.scores)


def block_size(params: Mixture) -> int | None:
    """The longest window of a member; None where a member sees the whole word."""
    sizes = [contract.block_size(member) for member in params.members]
    return None if None in sizes else max(size for size in sizes if size is not None)


def max_length(params: Mixture) -> int | None:
    """The longest word that all members can read."""
    limits = [limit for member in params.members if (limit := contract.max_length(member)) is not None]
    return min(limits, default=None)


def packs(params: Mixture) -> bool:
    """Whether all members read several words from one row."""
    return all(contract.packs(member) for member in params.members)


def start(params: Mixture) -> tuple[Any, ...]:
    """The states of all members before a word."""
    return tuple(contract.start(member) for member in params.members)


def advance(params: Mixture, state: tuple[Any, ...], token: Int[Array, ""]) -> tuple[Any, ...]:
    """Each member reads the token."""
    pairs = zip(params.members, state, strict=True)
    return tuple(contract.advance_inside(member, each, token) for member, each in pairs)


def logits(params: Mixture, state: Any) -> Float32[Array, " vocab_size"]:
    """log p(next): of one window, each member given as much of it as it sees; or of the tuple of states."""
    if block_size(params) is not None:
        state = [state[len(state) - (contract.block_size(member) or 0) :] for member in params.members]
    return mixed(params, [contract.logits(member, each) for member, each in zip(params.members, state, strict=True)])


def unroll(params: Mixture, tokens: Int[Array, " length"]) -> Float32[Array, "length+1 vocab_size"]:
    """log p(next) at every position: each member reads the word in its own way."""
    return mixed(params, [contract.unroll(member, tokens) for member in params.members])


def mixed(params: Mixture, rows: list[Array]) -> Float32[Array, "*positions vocab_size"]:
    """log sum_k weight_k softmax(rows_k), of one position or of all: each of the rows is [*positions, vocab_size]."""
    logp = jnp.stack([jax.nn.log_softmax(row) for row in rows], axis=-1)
    return jax.nn.logsumexp(logp + jnp.broadcast_to(jax.nn.log_softmax(params.scores), logp.shape), axis=-1)


def validate(params: Mixture) -> None:
    """ValueError for weights without members, members of another vocabulary, and scores that are not finite."""
    if not params.members or len(params.members) != len(params.scores):
        raise ValueError(f"{len(params.members)} members and {len(params.scores)} weights")
    if any(contract.functions_of(member) and member.vocab != params.vocab for member in params.members):
        raise ValueError("its members have different vocabularies")
    if not np.isfinite(params.scores).all():
        raise ValueError("its weights are not finite")
