"""Batches of whole words, packed into rows; the target at a position is the distribution of all that ever followed.

A teacher, a model whose distribution is mixed into the targets, may add to what followed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Key

from mm_jax import corpus
from mm_jax.checks import as_list
from mm_jax.models import contract
from mm_jax.models.contract import Dropout, Params, model_of
from mm_jax.models.prediction import log_probs_of_prefixes
from mm_jax.pytrees import pytree, static
from mm_jax.streams import sizes_of
from mm_jax.training.recipes import MAX_CELLS, Recipe


@pytree
class WordBatches:
    """Batches of whole words, packed into rows.

    The target at a position is the frequency of every continuation of its prefix: the same expected gradient as one
    sampled character, less variance. A prefix that occurs once has one continuation, the next token, and needs no
    entry in the table. Each row is used once an epoch.
    """

    targets: Int32[Array, "rows length"]
    prefixes: Int32[Array, "rows length"]  # the row of `following`; -1 where the target is the next token itself
    inside: Bool[Array, "rows length"]  # a mask: False behind a row's last word
    following: Float32[Array, "prefixes vocab_size"]
    scale: Float32[Array, ""]  # makes the weights of a batch sum to 1 on average
    dropout: Dropout | None  # its rates; each batch adds its own keys
    batch_size: int | None = static()
    vocab_size: int = static()

    def read(self, key: Key[Array, ""], first: int, steps: int) -> Any:
        """Returns the source itself: it is in memory, and any step can read it."""
        return self

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> Any:
        """Draws row numbers int32 [steps, batch_size], and keys [steps, batch_size] where there is dropout.

        Epochs are permutations of all rows, laid end to end: row i of step t is row t * batch_size + i of them. What is
        left over at the end of an epoch is not used.
        """
        order, noise = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        per_epoch = len(self.targets) // self.size
        first = steps[0] // per_epoch
        # The epochs that `steps` can touch: a fixed number, for shapes must not depend on the first step.
        epochs = first + jnp.arange((len(steps) - 1) // per_epoch + 2, dtype=jnp.int32)
        shuffle = jax.vmap(lambda epoch: jax.random.permutation(jax.random.fold_in(order, epoch), len(self.targets)))
        shuffled = shuffle(epochs).astype(jnp.int32)
        places = (steps % per_epoch)[:, None] * self.size + jnp.arange(self.size, dtype=jnp.int32)[None, :]
        rows = shuffled[(steps // per_epoch - first)[:, None], places]
        if self.dropout is None:
            return rows, None
        return rows, jax.vmap(lambda t: jax.random.split(jax.random.fold_in(noise, t), self.size))(steps)

    @property
    def size(self) -> int:
        """The number of rows in a batch."""
        return len(self.targets) if self.batch_size is None else min(self.batch_size, len(self.targets))

    def batch(self, choice: Any) -> tuple[Any, Float32[Array, "batch length vocab"]]:
        """Returns one step's inputs, rows of tokens and their keys, and the weights of the next tokens."""
        rows, keys = choice
        targets, prefixes = self.targets[rows], self.prefixes[rows]
        own = jax.nn.one_hot(targets, self.vocab_size, dtype=jnp.float32)
        shared = self.following[jnp.maximum(prefixes, 0)]
        weights = jnp.where((prefixes < 0)[..., None], own, shared)
        mask = self.inside[rows].astype(jnp.float32)
        return (targets[:, :-1], keys), weights * (mask * self.scale)[..., None]

    def predict(self, params: Params, inputs: Any) -> Float32[Array, "batch length vocab"]:
        """Returns the logits at each position of each row."""
        tokens, keys = inputs
        return contract.unroll_rows(params, tokens, None if self.dropout is None else replace(self.dropout, key=keys))


def pack_words(words: Sequence[str], params: Params, recipe: Recipe, table: np.ndarray | None = None) -> WordBatches:
    """Packs whole words into rows.

    `table` is the target at each prefix, float32 [prefixes, vocab_size], rows summing to 1, in the order of
    `corpus.prefixes`; None takes the frequencies of what followed. Raises ValueError for a word that is longer than the
    model can read, and as `corpus.tokens` does.
    """
    words, vocab, batch_size = as_list(words), params.vocab, recipe.batch_size
    contract.check_lengths(params, words)
    trie = corpus.prefixes(words, vocab)
    rows = corpus.rows(words, vocab, pack=model_of(params).packs(params))
    inside = rows.places >= 0
    known = _continuations(trie, len(vocab)) if table is None else (np.arange(trie.distinct, dtype=np.int32), table)
    row_of, following = known
    count = len(rows.targets) if batch_size is None else min(batch_size, len(rows.targets))
    return WordBatches(
        targets=jax.device_put(rows.targets),
        prefixes=jax.device_put(np.where(inside, row_of[trie.ids[rows.places]], -1)),
        inside=jax.device_put(inside),
        following=jax.device_put(following),
        scale=jax.device_put(np.float32(len(rows.targets) / (count * len(trie.ids)))),
        dropout=recipe.dropout,
        batch_size=batch_size,
        vocab_size=len(vocab),
    )


def teacher_targets(words: Sequence[str], teacher: Params, share: float, others: Sequence[str] = ()) -> np.ndarray:
    """Returns the target at each prefix of `words` and `others`: float32 [prefixes, vocab_size].

    share * (the teacher's distribution) + (1 - share) * (frequencies of what followed the prefix in `words`); the
    teacher's distribution alone at prefixes that only `others` have. Raises ValueError for a table too large.
    """
    every, size = [*others, *words], len(teacher.vocab)
    trie = corpus.prefixes(every, teacher.vocab)
    if trie.distinct * size > MAX_CELLS:
        raise ValueError(
            f"{trie.distinct:,} prefixes of {size:,} characters are too large a table for a teacher: give fewer words"
        )
    table = np.exp(log_probs_of_prefixes(teacher, every))
    own = slice(sizes_of(others, teacher.vocab.units).total, None)
    cells = trie.ids[own].astype(np.int64) * size + trie.targets[own]
    followed = np.bincount(cells, minlength=table.size).reshape(table.shape).astype(np.float32)
    often = followed.sum(1, keepdims=True)
    followed /= np.maximum(often, 1)
    return np.where(often > 0, np.float32(share) * table + np.float32(1 - share) * followed, table)


def _continuations(trie: corpus.Prefixes, vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the table row of each prefix, int32 [distinct], and the table of frequencies, float32 [rows, vocab_size].

    A prefix without a row has -1: it occurs once, or the table would be too large and it is not among the most frequent
    prefixes. Its target is the next token itself, which has the same expectation.
    """
    often = np.bincount(trie.ids, minlength=trie.distinct)
    most = max(1, MAX_CELLS // vocab_size)
    chosen = np.flatnonzero(often > 1)
    if len(chosen) > most:
        chosen = np.sort(chosen[np.argsort(-often[chosen], kind="stable")[:most]])
    row_of = np.full(trie.distinct, -1, np.int32)
    row_of[chosen] = np.arange(len(chosen))
    there = row_of[trie.ids] >= 0
    cells = row_of[trie.ids[there]].astype(np.int64) * vocab_size + trie.targets[there]
    table = np.bincount(cells, minlength=max(1, len(chosen)) * vocab_size).reshape(-1, vocab_size).astype(np.float32)
    return row_of, table / np.maximum(table.sum(1, keepdims=True), 1)
