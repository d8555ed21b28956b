"""Mixtures of models: p(w | word so far) = sum_k weight_k p_k(w | word so far).

Where all members are windowed, so is the mixture: its window is the longest of theirs. Otherwise its state is the tuple
of its members' states. `fit` finds the weights.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Int32

from mm_jax.checks import as_list, positive_number, whole_number
from mm_jax.layers.unrolling import slide
from mm_jax.models import contract
from mm_jax.models.contract import model_of, sequential
from mm_jax.models.prediction import TokenNLL
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
        """Returns the weights: positive, summing to one."""
        return jax.nn.softmax(self.scores)


def members(params: Mixture) -> tuple[Any, ...]:
    """Returns the models that are mixed."""
    return params.members


def block_size(params: Mixture) -> int | None:
    """Returns the longest window of a member; None where a member sees the whole word."""
    sizes = [contract.block_size(member) for member in params.members]
    return None if None in sizes else max(size for size in sizes if size is not None)


def max_length(params: Mixture) -> int | None:
    """Returns the longest word that all members can read."""
    limits = [limit for member in params.members if (limit := contract.max_length(member)) is not None]
    return min(limits, default=None)


def packs(params: Mixture) -> bool:
    """Returns whether all members read several words from one row."""
    return all(model_of(member).packs(member) for member in params.members)


def start(params: Mixture) -> Any:
    """Returns the empty window, or the states of all members before a word."""
    if (size := block_size(params)) is not None:
        return jnp.zeros(size, jnp.int32)
    return tuple(contract.start(member) for member in params.members)


def advance(params: Mixture, state: Any, token: Int[Array, ""]) -> Any:
    """Moves the window on, or lets each member read the token."""
    if block_size(params) is not None:
        return slide(params, state, token)
    pairs = zip(params.members, state, strict=True)
    return tuple(model_of(member).advance(member, own, token) for member, own in pairs)


def logits(params: Mixture, state: Any) -> Float32[Array, " vocab_size"]:
    """Returns log p(next) after a window, of which a member reads its last tokens, or after a tuple of states."""
    if block_size(params) is not None:
        state = [_last(state, member) for member in params.members]
    rows = [contract.logits(member, own) for member, own in zip(params.members, state, strict=True)]
    return _mix(params, rows)


def unroll(params: Mixture, tokens: Int[Array, " length"]) -> Float32[Array, "length+1 vocab_size"]:
    """Returns log p(next) at every position, from the members' own `unroll`."""
    return _mix(params, [contract.unroll(member, tokens) for member in params.members])


def context_log_probs(
    params: Mixture, contexts: Int[np.ndarray, "contexts block_size"]
) -> Float32[np.ndarray, "contexts vocab_size"]:
    """Returns log p of every token after many contexts, from the members' own `context_log_probs`."""
    found = [model_of(member).context_log_probs(member, _last(contexts, member)) for member in params.members]
    return combine(params, found)


def combine(params: Mixture, log_probs: Sequence[np.ndarray]) -> np.ndarray:
    """Returns log sum_k weight_k p_k from the members' log p, each float32 [...], computed by NumPy."""
    scores = np.asarray(jax.nn.log_softmax(params.scores))
    return functools.reduce(np.logaddexp, (score + logp for score, logp in zip(scores, log_probs, strict=True)))


def _mix(params: Mixture, rows: list[Array]) -> Float32[Array, "*positions vocab_size"]:
    """Computes log sum_k weight_k softmax(rows_k), of one position or of all: every row is [*positions, vocab_size]."""
    logp = jnp.stack([jax.nn.log_softmax(row) for row in rows], axis=-1)
    return jax.nn.logsumexp(logp + jnp.broadcast_to(jax.nn.log_softmax(params.scores), logp.shape), axis=-1)


def _last(window: Any, member: Any) -> Any:
    """Returns the last tokens of a window int [..., block_size], as many as the member sees."""
    return window[..., window.shape[-1] - (contract.block_size(member) or 0) :]


def validate(params: Mixture) -> None:
    """Raises ValueError for weights that do not match the members, different vocabularies, infinite scores."""
    if not params.members or len(params.members) != len(params.scores):
        raise ValueError(f"{len(params.members)} members and {len(params.scores)} weights")
    if any(model_of(member) and member.vocab != params.vocab for member in params.members):
        raise ValueError("its members have different vocabularies")
    if not np.isfinite(params.scores).all():
        raise ValueError("its weights are not finite")


def fit(members: Sequence[Any], words: Sequence[str], *, steps: int = 500, learning_rate: float = 0.1) -> Mixture:
    """Fits the weights of a mixture: Adam from equal weights, on the nll of every token of `words`.

    Args:
      members: models of any kinds with one vocabulary.
      words: a list that no member was trained on, such as dev (or half of it).
      steps: gradient steps.
      learning_rate: of Adam, falling to 0.

    Returns:
      A Mixture, itself a model.

    Raises ValueError for fewer than two members, for different vocabularies, for words as `corpus.tokens` says, and for
    a character of `words` to which every member gives probability 0 (only unsmoothed count models do).

    >>> import mm_jax
    >>> words, vocab = ["ab", "abb", "b"], mm_jax.Vocab(".ab")
    >>> members = [mm_jax.counts.fit(words, vocab, smoothing=1.0), mm_jax.ngram.fit(words, vocab, order=3)]
    >>> fit(members, ["ab", "abb"]).weights.shape
    (2,)
    """
    members = tuple(members)
    for member in members:
        model_of(member)
    if len(members) < 2 or len({member.vocab for member in members}) > 1:
        raise ValueError("a mixture needs two or more models, all of one vocabulary")
    whole_number("steps", steps)
    positive_number("learning_rate", learning_rate)
    words = as_list(words)
    # exp(-99) in place of 0, so that a member that gives a token probability 0 leaves the others' gradient finite.
    logp = np.maximum(np.stack([-TokenNLL(words, member)(member) for member in members]), -99.0)
    if (logp.max(axis=0) <= -99.0).any():
        raise ValueError("no member expects one of the characters: smooth the counts, or leave the word out")
    scores = _descend(jnp.asarray(logp), jnp.float32(learning_rate), jnp.int32(steps))
    return Mixture(members=members, scores=scores, vocab=members[0].vocab)


def _nll(scores: Float32[Array, " members"], logp: Float32[Array, "members tokens"]) -> Float32[Array, ""]:
    """Computes the mean nll of the mixture over all tokens."""
    return -jax.nn.logsumexp(jax.nn.log_softmax(scores)[:, None] + logp, axis=0).mean()


@jax.jit
def _descend(
    logp: Float32[Array, "members tokens"], learning_rate: Float32[Array, ""], steps: Int32[Array, ""]
) -> Float32[Array, " members"]:
    """Returns the logits of the weights after `steps` steps."""
    import optax  # slow to import, and only `fit` needs it

    def body(t, carry):
        scores, state = carry
        rate = learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * t.astype(jnp.float32) / steps.astype(jnp.float32)))
        gradient = jax.grad(_nll)(scores, logp)
        with jax.numpy_dtype_promotion("standard"):  # Adam counts its steps in int32
            updates, state = optax.adam(rate).update(gradient, state)
        return optax.apply_updates(scores, updates), state

    start = jnp.zeros(len(logp), jnp.float32)
    return jax.lax.fori_loop(0, steps, body, (start, optax.adam(learning_rate).init(start)))[0]


MODEL = sequential(
    Mixture,
    start=start,
    advance=advance,
    logits=logits,
    unroll=unroll,
    block_size=block_size,
    context_log_probs=context_log_probs,
    members=members,
    combine=combine,
    max_length=max_length,
    packs=packs,
    validate=validate,
)
