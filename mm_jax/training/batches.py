"""Batches: minibatches of examples, of contexts or of whole words, or the full batch.

A source of batches, `make_batches`, lies in memory, or is read from a long list (`stream_batches`):

    read(key, first, steps)  returns what the steps `first`, `first` + 1, ... read, a pytree on the device; of a source
                             in memory, which is one, itself

What is read has three functions, which are compiled:

    draw(key, steps)         draws the batches of several steps at once; step t uses only fold_in(key, t)
    batch(choice)            returns the inputs of one step, and the weights of the next tokens: float32
                             [batch, ..., vocab_size], summing to 1 on average; of a large vocabulary Targets
    predict(params, inputs)  returns the model's logits at the inputs, of the same shape; for Targets the states there
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32, Key, UInt

from mm_jax import corpus
from mm_jax.checks import as_list
from mm_jax.models import contract, ngram
from mm_jax.models.contract import Params, model_of
from mm_jax.pytrees import pytree, static
from mm_jax.streams import WordFile, sizes_of
from mm_jax.training import stream_batches, whole_words
from mm_jax.training.recipes import LONG, Recipe
from mm_jax.training.stream_batches import Stream
from mm_jax.vocab import Vocab


@pytree
class ExampleBatches:
    """Minibatches of examples, drawn uniformly with replacement, as in the lecture."""

    stream: UInt[Array, " tokens"]  # padded, so that example i is stream[i : i + block_size + 1]
    batch_size: int = static()
    block_size: int = static()
    vocab_size: int = static()

    read = whole_words.WordBatches.read

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> tuple[Array, Array]:
        """Draws contexts int32 [steps, batch_size, block_size] and next tokens int32 [steps, batch_size]."""

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
        """Returns contexts, and one-hot next tokens divided by batch_size."""
        contexts, following = choice
        return contexts, jax.nn.one_hot(following, self.vocab_size, dtype=jnp.float32) / self.batch_size

    def predict(self, params: Params, contexts: Int[Array, "batch block_size"]) -> Float32[Array, "batch vocab"]:
        """Returns the logits after each context."""
        return jax.vmap(contract.logits, (None, 0))(params, contexts)


@pytree
class ContextBatches:
    """Minibatches of distinct contexts, each with the counts of all that ever followed it.

    In a batch of examples every eighth row is the start of a word, and tells of one next letter. Here each context is
    drawn in proportion to the square root of its count (importance sampling), and weighted so that the expected
    gradient is that of the full batch. The loss is the same, its gradient has far less variance, and training takes
    several times fewer steps.
    """

    contexts: Int32[Array, "distinct block_size"]
    weights: Float32[Array, "distinct vocab_size"]
    cumulative: Float32[Array, " distinct"]
    batch_size: int = static()

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> Int32[Array, "steps batch_size"]:
        """Draws rows of `contexts` by systematic sampling: jittered, evenly spaced points of the cumulative counts."""

        def rows(t):
            jitter = jax.random.uniform(jax.random.fold_in(key, t), (self.batch_size,))
            points = (jnp.arange(self.batch_size, dtype=jnp.float32) + jitter) / self.batch_size
            return jnp.searchsorted(self.cumulative, points * self.cumulative[-1], side="right")

        return jnp.minimum(jax.vmap(rows)(steps), len(self.contexts) - 1).astype(jnp.int32)

    def batch(
        self, choice: Int32[Array, " batch"]
    ) -> tuple[Int[Array, "batch block_size"], Float32[Array, "batch vocab"]]:
        """Returns contexts, and weights whose expected loss is that of the full batch."""
        return self.contexts[choice], self.weights[choice]

    read, predict = ExampleBatches.read, ExampleBatches.predict


@pytree
class FullBatch:
    """The full batch: every distinct context, with the frequencies of what followed it.

    For the neural bigram these are the 27 rows of the count table; loss and gradient are those of all 228,146 examples.
    """

    contexts: Int32[Array, "distinct block_size"]
    weights: Float32[Array, "distinct vocab_size"]

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> tuple[()]:
        """Draws nothing: all steps have the same batch."""
        return ()

    def batch(self, choice: tuple[()]) -> tuple[Int[Array, "batch block_size"], Float32[Array, "batch vocab"]]:
        """Returns all contexts, and weights that sum to 1."""
        return self.contexts, self.weights

    read, predict = ExampleBatches.read, ExampleBatches.predict


def make_batches(words: Sequence[str], params: Params, recipe: Recipe, teacher: Params | None = None) -> Any:
    """Makes the batches that a model is trained on, on the device.

    Raises ValueError as `check` does, as `corpus.tokens` does, for words longer than the model can read, and for a
    table of contexts or prefixes that is too large.
    """
    check(params, recipe, teacher)
    vocab, size = params.vocab, contract.block_size(params)
    words = as_list(words)
    if is_streamed(words, params, recipe):
        return _stream(words, params, recipe, teacher)
    if draw_of(params, recipe) == "words":
        table = None
        if recipe.teach:
            teacher = ngram.fit(words, vocab) if teacher is None else teacher
            table = whole_words.teacher_targets(words, teacher, recipe.teach)
        return whole_words.pack_words(words, params, recipe, table)
    assert size is not None  # or `check` would have refused
    if recipe.batch_size is not None and draw_of(params, recipe) == "examples":
        stream = corpus.padded(corpus.tokens(words, vocab), size)
        return ExampleBatches(
            jax.device_put(stream), batch_size=recipe.batch_size, block_size=size, vocab_size=len(vocab)
        )
    return _distinct_contexts(words, vocab, size, recipe.batch_size)


def is_long(words: Sequence[str], vocab: Vocab) -> bool:
    """Returns whether a list is too long for tables with a row for each context or prefix."""
    return isinstance(words, WordFile) or sizes_of(words, vocab.units).total * len(vocab) > LONG


def is_streamed(words: Sequence[str], params: Params, recipe: Recipe) -> bool:
    """Returns whether batches are read from the token stream: of every file, and of a list of over `LONG` cells.

    Raises ValueError for a file whose words would all have to be in memory: to be counted, or to be laid one a row.
    """
    draw, refused = draw_of(params, recipe), ""
    if draw == "contexts" or recipe.batch_size is None:
        choose = "draw='words'" if draw == "words" else "draw='examples'"
        refused = f"draw={draw!r} with batch_size={recipe.batch_size} takes all words at once: "
        refused += f"give {choose} with a batch_size, for so long a list"
    elif draw == "words" and not model_of(params).packs(params):
        refused = (
            f"{type(params).__name__} reads one word a row, and rows of a long list hold several: give a shorter list"
        )
    if isinstance(words, WordFile):
        if refused:
            raise ValueError(refused)
        return True
    return not refused and is_long(words, params.vocab)


def _stream(words: Sequence[str], params: Params, recipe: Recipe, teacher: Params | None) -> Stream:
    """Makes batches that are read from a list's token stream."""
    tokens = corpus.tokens(words, params.vocab)
    if draw_of(params, recipe) == "examples":
        return stream_batches.stream_examples(tokens, params, recipe)
    if recipe.teach and teacher is None:
        teacher = ngram.fit(words, params.vocab)
    for model in (params,) if teacher is None else (params, teacher):
        contract.check_lengths(model, words)
    if teacher is not None and not model_of(teacher).packs(teacher):
        name = type(teacher).__name__
        raise ValueError(f"the teacher, a {name}, reads one word a row, and rows of a long list hold several")
    assert recipe.batch_size is not None  # or `is_streamed` had said so
    size, length = stream_batches.shape(words, recipe.batch_size, params.vocab.units)
    return stream_batches.stream_words(tokens, size, length, params, recipe, teacher)


def draw_of(params: Params, recipe: Recipe) -> str:
    """Returns what the batches are made of: the recipe's draw, or what None stands for."""
    return recipe.draw or ("words" if contract.block_size(params) is None else "examples")


def check(params: Params, recipe: Recipe, teacher: Params | None = None) -> None:
    """Raises ValueError where a model cannot be trained by a recipe.

    That is for a draw that the model cannot read, for a kind of dropout that it does not have, for a teacher of another
    vocabulary, and for a teacher without a share in the targets.
    """
    draw, name = draw_of(params, recipe), type(params).__name__
    if draw != "words" and contract.block_size(params) is None:
        raise ValueError(f"{name} sees the whole word: draw is {draw!r}, choose 'words'")
    known = contract.model_of(params).drops if draw == "words" else ()
    if unknown := [kind for kind in recipe.drops if kind not in known]:
        raise ValueError(f"{name} by draw={draw!r} drops no {unknown[0]}: leave drop_{unknown[0]} at 0")
    if recipe.teach and draw != "words":
        raise ValueError(f"teach is {recipe.teach} and draw {draw!r}: a teacher needs draw='words'")
    if teacher is not None:
        if not recipe.teach:
            raise ValueError("a teacher without a share in the targets: give teach, such as 0.5")
        check_teacher(teacher, params)


def check_teacher(teacher: Params, params: Params) -> None:
    """Raises ValueError for what is no model, and for a teacher that has another vocabulary than `params`."""
    if contract.model_of(teacher) and contract.model_of(params) and teacher.vocab != params.vocab:
        raise ValueError("the teacher has another vocabulary: make both from the same Vocab")


def _distinct_contexts(
    words: Sequence[str], vocab: Vocab, block_size: int, batch_size: int | None
) -> FullBatch | ContextBatches:
    """Makes batches of distinct contexts, with the counts of what followed them."""
    examples = corpus.examples(words, vocab, block_size)
    if examples.contexts.shape[0] * len(vocab) > whole_words.MAX_CELLS:
        raise ValueError(
            f"{len(examples.contexts):,} contexts of {len(vocab):,} characters are too large a table: draw='examples' "
            "with a batch_size needs none"
        )
    weights = examples.counts(len(vocab)) / len(examples.targets)
    contexts = jax.device_put(examples.contexts)
    if batch_size is None:
        return FullBatch(contexts, jax.device_put(weights.astype(np.float32)))
    # Drawn in proportion to the square root of its count, a context's weight is divided by how often it is drawn.
    chance = np.sqrt(weights.sum(1))
    chance /= chance.sum()
    weights /= batch_size * chance[:, None]
    cumulative = jax.device_put(np.cumsum(chance).astype(np.float32))
    return ContextBatches(contexts, jax.device_put(weights.astype(np.float32)), cumulative, batch_size=batch_size)
