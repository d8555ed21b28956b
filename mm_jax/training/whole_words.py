"""Batches of whole words: rows of them, laid end to end, and at each position all that ever followed.

What follows a prefix may also be told by a teacher, a model whose distribution is mixed into the targets.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Key

from mm_jax import corpus
from mm_jax.models import contract, ngram
from mm_jax.models.contract import Dropout, Params, model_of
from mm_jax.models.prediction import log_probs_of_prefixes
from mm_jax.pytrees import pytree, static
from mm_jax.training.recipes import MAX_CELLS, Recipe
from mm_jax.vocab import Vocab


@pytree
class Words:
    """Whole words laid end to end in rows; at each position, all that ever followed this prefix.

    The next character of one word says little about what may follow its first two; the counts of all words that begin
    so say it all, and have the same expectation. Prefixes that occur once have nothing to add, and keep the character
    that followed. Each row is read once before any is read again.
    """

    targets: Int32[Array, "rows length"]
    prefixes: Int32[Array, "rows length"]  # the row of `following`; -1: the target itself
    inside: Bool[Array, "rows length"]  # False behind a row's last word
    following: Float32[Array, "prefixes vocab_size"]
    scale: Float32[Array, ""]  # what makes the weights of a batch 1 on average
    batch_size: int | None = static()
    vocab_size: int = static()
    rates: tuple[float, float, float] = static()

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> Any:
        """Rows int32 [steps, batch_size], in a new order each epoch; keys [steps, batch_size] where something drops."""
        order, noise = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        per_epoch = len(self.targets) // self._size()
        first = steps[0] // per_epoch
        epochs = first + jnp.arange((len(steps) - 1) // per_epoch + 2, dtype=jnp.int32)
        shuffle = jax.vmap(lambda epoch: jax.random.permutation(jax.random.fold_in(order, epoch), len(self.targets)))
        shuffled = shuffle(epochs).astype(jnp.int32)
        places = (steps % per_epoch)[:, None] * self._size() + jnp.arange(self._size(), dtype=jnp.int32)[None, :]
        rows = shuffled[(steps // per_epoch - first)[:, None], places]
        if not any(self.rates):
            return rows, None
        return rows, jax.vmap(lambda t: jax.random.split(jax.random.fold_in(noise, t), self._size()))(steps)

    def _size(self) -> int:
        return len(self.targets) if self.batch_size is None else min(self.batch_size, len(self.targets))

    def batch(self, choice: Any) -> tuple[Any, Float32[Array, "batch length vocab"]]:
        """One step's rows and their keys."""
        rows, keys = choice
        targets, prefixes = self.targets[rows], self.prefixes[rows]
        own = jax.nn.one_hot(targets, self.vocab_size, dtype=jnp.float32)
        shared = self.following[jnp.maximum(prefixes, 0)]
        weights = jnp.where((prefixes < 0)[..., None], own, shared)
        return (targets[:, :-1], keys), weights * (self.inside[rows] * self.scale)[..., None]

    def read(self, params: Params, inputs: Any) -> Float32[Array, "batch length vocab"]:
        """The logits at each position of each row."""
        tokens, keys = inputs
        return contract.unroll_rows(params, tokens, None if keys is None else Dropout(keys, *self.rates))


def laid(words: Sequence[str], params: Params, recipe: Recipe, table: np.ndarray | None = None) -> Words:
    """Whole words in rows.

    `table` is what to learn at each prefix, float32 [prefixes, vocab_size], rows summing to 1, in the order of
    `corpus.prefixes`; None is what followed it.
    """
    words, vocab, batch_size = corpus.as_list(words), params.vocab, recipe.batch_size
    contract.check_lengths(params, words)
    trie = corpus.prefixes(words, vocab)
    rows = corpus.rows(words, vocab, pack=model_of(params).packs(params))
    inside = rows.places >= 0
    known = _following(trie, len(vocab)) if table is None else (np.arange(trie.distinct, dtype=np.int32), table)
    row_of, following = known
    count = len(rows.targets) if batch_size is None else min(batch_size, len(rows.targets))
    return Words(
        targets=jax.device_put(rows.targets),
        prefixes=jax.device_put(np.where(inside, row_of[trie.ids[rows.places]], -1)),
        inside=jax.device_put(inside),
        following=jax.device_put(following),
        scale=jax.device_put(np.float32(len(rows.targets) / (count * len(trie.ids)))),
        batch_size=batch_size,
        vocab_size=len(vocab),
        rates=(recipe.drop_tokens, recipe.drop_states, recipe.drop_edges),
    )


def of_teacher(words: Sequence[str], vocab: Vocab, teacher: Params | None, share: float) -> np.ndarray:
    """`taught` by a teacher, by default a Kneser-Ney model of the words: float32 [prefixes, vocab_size].

    Raises ValueError for another vocabulary.
    """
    if teacher is None:
        teacher = ngram.fit(words, vocab)
    if model_of(teacher) and teacher.vocab != vocab:
        raise ValueError("the teacher has another vocabulary: make both from the same Vocab")
    return taught(words, teacher, share)


def taught(words: Sequence[str], teacher: Params, share: float, others: Sequence[str] = ()) -> np.ndarray:
    """What to learn at each prefix of `words` and `others`: float32 [prefixes, vocab_size].

    share * (the teacher's distribution there) + (1 - share) * (all that followed this prefix in `words`), the teacher's
    alone at prefixes that only `others` have. Raises ValueError for a table too large.
    """
    read, size = [*others, *words], len(teacher.vocab)
    trie = corpus.prefixes(read, teacher.vocab)
    if trie.distinct * size > MAX_CELLS:
        raise ValueError(
            f"{trie.distinct:,} prefixes of {size:,} characters are too large a table for a teacher: give fewer words"
        )
    table = np.exp(log_probs_of_prefixes(teacher, read))
    own = slice(sum(map(len, others)) + len(others), None)
    cells = trie.ids[own].astype(np.int64) * size + trie.targets[own]
    followed = np.bincount(cells, minlength=table.size).reshape(table.shape).astype(np.float32)
    often = followed.sum(1, keepdims=True)
    followed /= np.maximum(often, 1)
    return np.where(often > 0, np.float32(share) * table + np.float32(1 - share) * followed, table)


def _following(trie: corpus.Prefixes, vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The row of each prefix, int32 [distinct], -1 for none; and relative frequencies float32 [rows, vocab_size].

    Where the table would be too large, it holds the prefixes that occur most often: what the others learn from has the
    same expectation.
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
