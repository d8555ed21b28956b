"""What a step reads: a minibatch of examples, of contexts or of whole words, or everything there is.

Each is a pytree with three functions. `draw(key, steps)` makes the choices of several steps at once, those of step t
from `fold_in(key, t)` and nothing else; `batch(choice)` turns one step's choice into inputs, and weights: how much each
next token counts, float32 [batch, ..., vocab_size], 1 in all on average; `read(params, inputs)` is what the model
predicts there, of the same shape.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32, Key, UInt

from mm_jax import corpus
from mm_jax.evaluation import log_probs_of_prefixes
from mm_jax.models import contract, ngram
from mm_jax.models.contract import Dropout, Params, functions_of
from mm_jax.pytrees import pytree, static
from mm_jax.training.recipes import Recipe
from mm_jax.vocab import Vocab

MAX_CELLS = 2**26  # of a table of float32: 256 MB


@pytree
class Examples:
    """Minibatches of examples, uniformly with replacement, as the lecture draws them."""

    stream: UInt[Array, " tokens"]  # padded, so that example i is stream[i : i + block_size + 1]
    batch_size: int = static()
    block_size: int = static()
    vocab_size: int = static()

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> tuple[Array, Array]:
        """Contexts int32 [steps, batch_size, block_size] and next tokens int32 [steps, batch_size]."""

        def example(start):
            window = lax.dynamic_slice(self.stream, (start,), (self.block_size + 1,)).astype(jnp.int32)
            alive = lax.cumprod((window[:-1] != 0).astype(jnp.int32), reverse=True)
            return window[:-1] * alive, window[-1]

        def minibatch(t):
            last = self.stream.size - self.block_size
            return jax.vmap(example)(jax.random.randint(jax.random.fold_in(key, t), (self.batch_size,), 0, last))

        return jax.vmap(minibatch)(steps)

    def batch(
        self, choice: tuple[Array, Array]
    ) -> tuple[Int[Array, "batch block_size"], Float32[Array, "batch vocab"]]:
        """One step's choice, each example with weight 1 / batch_size."""
        contexts, following = choice
        return contexts, jax.nn.one_hot(following, self.vocab_size, dtype=jnp.float32) / self.batch_size

    def read(self, params: Params, contexts: Int[Array, "batch block_size"]) -> Float32[Array, "batch vocab"]:
        """The logits after each context."""
        return jax.vmap(contract.logits, (None, 0))(params, contexts)


@pytree
class Contexts:
    """Minibatches of distinct contexts, each with all that ever followed it.

    A batch of examples meets the start of a word in every eighth row, and learns one next letter from each. Here a
    context comes with the counts of everything that followed it, is drawn in proportion to the square root of how
    often it occurs, and is weighted by what makes the gradient's expectation that of the whole list. It is the same
    loss; its gradient varies far less, and training takes several times fewer steps.
    """

    contexts: Int32[Array, "distinct block_size"]
    weights: Float32[Array, "distinct vocab_size"]
    cumulative: Float32[Array, " distinct"]
    batch_size: int = static()

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> Int32[Array, "steps batch_size"]:
        """Rows of `contexts`, by systematic sampling: evenly spaced points of the cumulative distribution, jittered."""

        def rows(t):
            jitter = jax.random.uniform(jax.random.fold_in(key, t), (self.batch_size,))
            points = (jnp.arange(self.batch_size, dtype=jnp.float32) + jitter) / self.batch_size
            return jnp.searchsorted(self.cumulative, points * self.cumulative[-1], side="right")

        return jnp.minimum(jax.vmap(rows)(steps), len(self.contexts) - 1).astype(jnp.int32)

    def batch(
        self, choice: Int32[Array, " batch"]
    ) -> tuple[Int[Array, "batch block_size"], Float32[Array, "batch vocab"]]:
        """One step's choice, weighted so that the expected loss is that of the whole list."""
        return self.contexts[choice], self.weights[choice]

    read = Examples.read


@pytree
class Everything:
    """The full batch: every distinct context with the frequencies of what followed.

    For the neural bigram these are the 27 rows of the count table: the same loss and the same gradient as all 228,146
    examples.
    """

    contexts: Int32[Array, "distinct block_size"]
    weights: Float32[Array, "distinct vocab_size"]

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> tuple[()]:
        """Nothing to choose."""
        return ()

    def batch(self, choice: tuple[()]) -> tuple[Int[Array, "batch block_size"], Float32[Array, "batch vocab"]]:
        """All contexts and weights; the weights sum to 1."""
        return self.contexts, self.weights

    read = Examples.read


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
        if keys is None:
            return jax.vmap(contract.unroll, (None, 0))(params, tokens)

        def noisy(tokens, key):
            return contract.unroll(params, tokens, Dropout(key, *self.rates))

        return jax.vmap(noisy)(tokens, keys)


def of(words: Sequence[str], params: Params, recipe: Recipe, teacher: Params | None = None) -> Any:
    """`words` as what a model's steps read, on the device.

    Raises ValueError as `corpus.tokens` says, for a draw that the model cannot read, for words longer than it can read,
    for a table of contexts or prefixes too large, for dropout that the model does not know, and for a teacher of
    another vocabulary or without a share.
    """
    size, vocab = contract.block_size(params), params.vocab
    draw = recipe.draw or ("words" if size is None else "examples")
    drops = {"tokens": recipe.drop_tokens, "states": recipe.drop_states, "edges": recipe.drop_edges}
    known = getattr(contract.functions_of(params), "DROPS", ()) if draw == "words" else ()
    if unknown := [name for name, rate in drops.items() if rate and name not in known]:
        raise ValueError(
            f"{type(params).__name__} by draw={draw!r} drops no {unknown[0]}: leave drop_{unknown[0]} at 0"
        )
    if recipe.teach and draw != "words":
        raise ValueError(f"teach is {recipe.teach} and draw {draw!r}: a teacher needs draw='words'")
    if teacher is not None and not recipe.teach:
        raise ValueError("a teacher without a share in the targets: give teach, such as 0.5")
    if draw == "words":
        table = _of_teacher(words, vocab, teacher, recipe.teach) if recipe.teach else None
        return laid(words, params, recipe, table)
    if size is None:
        raise ValueError(f"{type(params).__name__} sees the whole word: draw is {draw!r}, choose 'words'")
    if recipe.batch_size is not None and draw == "examples":
        stream = corpus.padded(corpus.tokens(words, vocab), size)
        return Examples(jnp.asarray(stream), batch_size=recipe.batch_size, block_size=size, vocab_size=len(vocab))
    examples = corpus.examples(words, vocab, size)
    if examples.contexts.shape[0] * len(vocab) > MAX_CELLS:
        raise ValueError(
            f"{len(examples.contexts):,} contexts of {len(vocab):,} characters are too large a table: draw='examples' "
            "with a batch_size needs none"
        )
    weights = examples.counts(len(vocab)) / len(examples.targets)
    contexts = jnp.asarray(examples.contexts)
    if recipe.batch_size is None:
        return Everything(contexts, jnp.asarray(weights, jnp.float32))
    chance = np.sqrt(weights.sum(1))
    chance /= chance.sum()
    weights /= recipe.batch_size * chance[:, None]
    cumulative = jnp.asarray(np.cumsum(chance), jnp.float32)
    return Contexts(contexts, jnp.asarray(weights, jnp.float32), cumulative, batch_size=recipe.batch_size)


def laid(words: Sequence[str], params: Params, recipe: Recipe, table: np.ndarray | None = None) -> Words:
    """Whole words in rows.

    `table` is what to learn at each prefix, float32 [prefixes, vocab_size], rows summing to 1, in the order of
    `corpus.prefixes`; None is what followed it.
    """
    words, vocab, batch_size = corpus.as_list(words), params.vocab, recipe.batch_size
    contract.check_lengths(params, words)
    trie = corpus.prefixes(words, vocab)
    rows = corpus.rows(words, vocab, pack=contract.packs(params))
    inside = rows.places >= 0
    known = _following(trie, len(vocab)) if table is None else (np.arange(trie.distinct, dtype=np.int32), table)
    row_of, following = known
    count = len(rows.targets) if batch_size is None else min(batch_size, len(rows.targets))
    return Words(
        targets=jnp.asarray(rows.targets),
        prefixes=jnp.asarray(np.where(inside, row_of[trie.ids[rows.places]], -1)),
        inside=jnp.asarray(inside),
        following=jnp.asarray(following),
        scale=jnp.asarray(np.float32(len(rows.targets) / (count * len(trie.ids)))),
        batch_size=batch_size,
        vocab_size=len(vocab),
        rates=(recipe.drop_tokens, recipe.drop_states, recipe.drop_edges),
    )


def _of_teacher(words: Sequence[str], vocab: Vocab, teacher: Params | None, share: float) -> np.ndarray:
    if teacher is None:
        teacher = ngram.fit(words, vocab)
    if functions_of(teacher) and teacher.vocab != vocab:
        raise ValueError("the teacher has another vocabulary: make both from the same Vocab")
    return taught(words, teacher, share)


def taught(words: Sequence[str], teacher: Params, share: float, others: Sequence[str] = ()) -> np.ndarray:
    """What to learn at each prefix of `words` and `others`: float32 [prefixes, vocab_size].

    share * (the teacher's distribution there) + (1 - share) * (all that followed this prefix in `words`), the teacher's
    alone at prefixes that only `others` have. Raises ValueError for a table too large.
    """
    every, size = [*others, *words], len(teacher.vocab)
    trie = corpus.prefixes(every, teacher.vocab)
    if trie.distinct * size > MAX_CELLS:
        raise ValueError(
            f"{trie.distinct:,} prefixes of {size:,} characters are too large a table for a teacher: give fewer words"
        )
    table = np.exp(log_probs_of_prefixes(teacher, every))
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
