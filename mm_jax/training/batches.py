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
from jaxtyping import Array, Float32, Int, Int32, Key, UInt

from mm_jax import corpus
from mm_jax.models import contract
from mm_jax.models.contract import Params
from mm_jax.pytrees import pytree, static
from mm_jax.training import whole_words
from mm_jax.training.recipes import Recipe


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


def of(words: Sequence[str], params: Params, recipe: Recipe, teacher: Params | None = None) -> Any:
    """`words` as what a model's steps read, on the device.

    Raises ValueError as `corpus.tokens` says, for a draw that the model cannot read, for words longer than it can read,
    for a table of contexts or prefixes too large, for dropout that the model does not know, and for a teacher of
    another vocabulary or without a share.
    """
    size, vocab = contract.block_size(params), params.vocab
    draw = recipe.draw or ("words" if size is None else "examples")
    drops = {"tokens": recipe.drop_tokens, "states": recipe.drop_states, "edges": recipe.drop_edges}
    known = contract.model_of(params).drops if draw == "words" else ()
    if unknown := [name for name, rate in drops.items() if rate and name not in known]:
        raise ValueError(
            f"{type(params).__name__} by draw={draw!r} drops no {unknown[0]}: leave drop_{unknown[0]} at 0"
        )
    if recipe.teach and draw != "words":
        raise ValueError(f"teach is {recipe.teach} and draw {draw!r}: a teacher needs draw='words'")
    if teacher is not None and not recipe.teach:
        raise ValueError("a teacher without a share in the targets: give teach, such as 0.5")
    if draw == "words":
        table = whole_words.of_teacher(words, vocab, teacher, recipe.teach) if recipe.teach else None
        return whole_words.laid(words, params, recipe, table)
    if size is None:
        raise ValueError(f"{type(params).__name__} sees the whole word: draw is {draw!r}, choose 'words'")
    if recipe.batch_size is not None and draw == "examples":
        stream = corpus.padded(corpus.tokens(words, vocab), size)
        return Examples(jax.device_put(stream), batch_size=recipe.batch_size, block_size=size, vocab_size=len(vocab))
    examples = corpus.examples(words, vocab, size)
    if examples.contexts.shape[0] * len(vocab) > whole_words.MAX_CELLS:
        raise ValueError(
            f"{len(examples.contexts):,} contexts of {len(vocab):,} characters are too large a table: draw='examples' "
            "with a batch_size needs none"
        )
    weights = examples.counts(len(vocab)) / len(examples.targets)
    contexts = jax.device_put(examples.contexts)
    if recipe.batch_size is None:
        return Everything(contexts, jax.device_put(weights.astype(np.float32)))
    chance = np.sqrt(weights.sum(1))
    chance /= chance.sum()
    weights /= recipe.batch_size * chance[:, None]
    cumulative = jax.device_put(np.cumsum(chance).astype(np.float32))
    return Contexts(contexts, jax.device_put(weights.astype(np.float32)), cumulative, batch_size=recipe.batch_size)
