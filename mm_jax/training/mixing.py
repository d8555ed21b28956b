"""Fits the weights of a mixture by gradient descent on their logits. `mm_jax.mixture` is this module."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32, Int32

from mm_jax.checks import as_list, positive_number, whole_number
from mm_jax.evaluation import TokenNLL
from mm_jax.models.contract import model_of
from mm_jax.models.mixture import Mixture
from mm_jax.training.recipes import Transformation

__all__ = ["Mixture", "fit"]

_ADAM = Transformation(optax.adam)


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
    a character of `words` that every member gives probability 0 (only an unsmoothed count model does).

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

    def body(t, carry):
        scores, state = carry
        rate = learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * t.astype(jnp.float32) / steps.astype(jnp.float32)))
        updates, state = _ADAM(rate).update(jax.grad(_nll)(scores, logp), state, scores)
        return optax.apply_updates(scores, updates), state

    start = jnp.zeros(len(logp), jnp.float32)
    return jax.lax.fori_loop(0, steps, body, (start, _ADAM(learning_rate).init(start)))[0]
