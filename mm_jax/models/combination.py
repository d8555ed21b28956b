"""What mixtures and products of models share: everything but how they combine their members' predictions.

Where all members are windowed, so is the combination: its window is the longest of theirs. Otherwise its state is the
tuple of its members' states.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from mm_jax.layers.unrolling import slide
from mm_jax.models import contract
from mm_jax.models.contract import Model, is_model, model_of, sequential


def combination(
    cls: type,
    *,
    mix: Callable[[Any, list[Array]], Array],
    combine_rows: Callable[[Any, list[np.ndarray]], np.ndarray],
    **others: Any,
) -> Model:
    """Registers a class with the fields `members`, a tuple of models, and `vocab`; returns its record.

    Args:
      cls: a class decorated by `mm_jax.pytree`.
      mix: (params, logits of each member, float32 [*positions, vocab_size]) -> its log p, of the same shape.
      combine_rows: the same by NumPy, of the members' log p.
      others: other fields of `Model`; `combine` where log p of a token follows from the members' log p of it.
    """

    def start(params: Any) -> Any:
        if (size := block_size(params)) is not None:
            return jnp.zeros(size, jnp.int32)
        return tuple(contract.start(member) for member in params.members)

    def advance(params: Any, state: Any, token: Int[Array, ""]) -> Any:
        if block_size(params) is not None:
            return slide(params, state, token)
        pairs = zip(params.members, state, strict=True)
        return tuple(model_of(member).advance(member, own, token) for member, own in pairs)

    def logits(params: Any, state: Any) -> Array:
        if block_size(params) is not None:  # of the window, a member reads its last tokens
            state = [_last(state, member) for member in params.members]
        return mix(params, [contract.logits(member, own) for member, own in zip(params.members, state, strict=True)])

    def unroll(params: Any, tokens: Int[Array, " length"]) -> Array:
        return mix(params, [contract.unroll(member, tokens) for member in params.members])

    def context_log_probs(params: Any, contexts: Int[np.ndarray, "contexts block_size"]) -> np.ndarray:
        found = [model_of(member).context_log_probs(member, _last(contexts, member)) for member in params.members]
        return combine_rows(params, found)

    return sequential(
        cls,
        start=start,
        advance=advance,
        logits=logits,
        unroll=unroll,
        block_size=block_size,
        context_log_probs=context_log_probs,
        members=lambda params: params.members,
        max_length=max_length,
        packs=lambda params: all(model_of(member).packs(member) for member in params.members),
        **others,
    )


def block_size(params: Any) -> int | None:
    """Returns the longest window of a member; None where a member sees the whole word."""
    sizes = [contract.block_size(member) for member in params.members]
    return None if None in sizes else max(size for size in sizes if size is not None)


def max_length(params: Any) -> int | None:
    """Returns the longest word that all members can read."""
    limits = [limit for member in params.members if (limit := contract.max_length(member)) is not None]
    return min(limits, default=None)


def check_members(members: Sequence[Any], numbers: Any, vocab: Any) -> None:
    """Raises ValueError for no members, for other than a number each, and for members of another vocabulary."""
    if not members or len(members) != len(numbers):
        raise ValueError(f"{len(members)} members and {len(numbers)} weights")
    if any(model_of(member) and member.vocab != vocab for member in members):
        raise ValueError("its members have different vocabularies")


def of_one_vocab(members: Sequence[Any], name: str) -> tuple[Any, ...]:
    """Returns the members as a tuple; raises ValueError for fewer than two, and for different vocabularies."""
    given: tuple[Any, ...] = (members,) if is_model(members) else tuple(members)  # one model is too few
    for member in given:
        model_of(member)
    if len(given) < 2 or len({member.vocab for member in given}) > 1:
        raise ValueError(f"a {name} needs two or more models, all of one vocabulary")
    return given


def _last(window: Any, member: Any) -> Any:
    """Returns the last tokens of a window int [..., block_size], as many as the member sees."""
    return window[..., window.shape[-1] - (contract.block_size(member) or 0) :]
