"""Several models as one: p(w | context) = sum_k weight_k p_k(w | context).

The weights are fitted on words that no member was trained on, by gradient descent on their logits.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from mm_jax.pytree import pytree
from mm_jax.vocab import Vocab


@pytree
class Mixture:
    """Models of one vocabulary, and the logits of their weights."""

    members: tuple[Any, ...]
    scores: Float32[Array, " members"]
    vocab: Vocab

    @property
    def weights(self) -> Float32[Array, " members"]:
        """The weights: positive, summing to one."""
        return jax.nn.softmax(self.scores)


def fit(members: Sequence[Any], words: Sequence[str], *, steps: int = 500, learning_rate: float = 0.1) -> Mixture:
    """Fits the weights of a mixture by Adam, from equal ones, on the nll of every token of `words`.

    Args:
      members: models of any kind with one vocabulary.
      words: a list that no member was trained on, such as dev (or half of it).
      steps: gradient steps.
      learning_rate: of Adam, falling to 0.

    Returns:
      A Mixture, itself a model.

    Raises ValueError for fewer than two members, for different vocabularies, and for words as `data.tokens` says.
    """
    import optax  # not needed to use a mixture, and slow to import

    from mm_jax.evaluation import TokenNLL  # which reads models, and so comes after them
    from mm_jax.models import block_size

    members = tuple(members)
    if len(members) < 2 or len({member.vocab for member in members}) > 1:
        raise ValueError("a mixture needs two or more models, all of one vocabulary")
    vocab = members[0].vocab
    logp = jnp.asarray(np.stack([-TokenNLL(words, vocab, block_size(member))(member) for member in members]))
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def nll(scores):
        return -jax.nn.logsumexp(jax.nn.log_softmax(scores)[:, None] + logp, axis=0).mean()

    @jax.jit
    def descend(scores):
        def body(_, carry):
            scores, state = carry
            updates, state = optimizer.update(jax.grad(nll)(scores), state)
            return optax.apply_updates(scores, updates), state

        return jax.lax.fori_loop(0, steps, body, (scores, optimizer.init(scores)))[0]

    return Mixture(members=members, scores=descend(jnp.zeros(len(members), jnp.float32)), vocab=vocab)


def block_size(params: Mixture) -> int:
    """How many tokens a context has: the most that a member wants."""
    from mm_jax import models

    return max(models.block_size(member) for member in params.members)


def logits(params: Mixture, context: Int[Array, " block_size"]) -> Float32[Array, " vocab_size"]:
    """log p(next | context), each member given as much of the context as it wants."""
    from mm_jax import models

    rows = [
        jax.nn.log_softmax(models.logits(member, context[len(context) - models.block_size(member) :]))
        for member in params.members
    ]
    return jax.nn.logsumexp(jax.nn.log_softmax(params.scores)[:, None] + jnp.stack(rows), axis=0)
