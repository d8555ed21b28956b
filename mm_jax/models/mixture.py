"""Mixtures of models: p(w | word so far) = sum_k weight_k p_k(w | word so far).

`fit` finds the weights.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from mm_jax.checks import as_list, positive_number, whole_number
from mm_jax.models.combination import check_members, combination, of_one_vocab
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


def combine(params: Mixture, log_probs: Sequence[np.ndarray]) -> np.ndarray:
    """Returns log sum_k weight_k p_k from the members' log p, each float32 [...], computed by NumPy."""
    scores = np.asarray(jax.nn.log_softmax(params.scores))
    return functools.reduce(np.logaddexp, (score + logp for score, logp in zip(scores, log_probs, strict=True)))


def _mix(params: Mixture, rows: list[Array]) -> Float32[Array, "*positions vocab_size"]:
    """Computes log sum_k weight_k softmax(rows_k), of one position or of all: every row is [*positions, vocab_size]."""
    logp = jnp.stack([jax.nn.log_softmax(row) for row in rows], axis=-1)
    return jax.nn.logsumexp(logp + jnp.broadcast_to(jax.nn.log_softmax(params.scores), logp.shape), axis=-1)


def validate(params: Mixture) -> None:
    """Raises ValueError for weights that do not match the members, different vocabularies, infinite scores."""
    check_members(params.members, params.scores, params.vocab)
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
    members = of_one_vocab(members, "mixture")
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


MODEL = combination(Mixture, mix=_mix, combine_rows=combine, combine=combine, validate=validate)
