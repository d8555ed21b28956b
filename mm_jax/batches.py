"""What a step reads: a minibatch of examples, a minibatch of contexts, or everything there is.

Each is a pytree with two functions. `draw(key, steps)` makes the choices of several steps at once, those of step t from
`fold_in(key, t)` and nothing else; `batch(choice)` turns one step's choice into what `training.loss` takes: contexts
int32 [batch, block_size], and how much each next token counts, float32 [batch, vocab_size].
"""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32, Key, UInt

from mm_jax import data
from mm_jax.pytree import pytree
from mm_jax.vocab import Vocab

Draw = Literal["examples", "contexts"]


@pytree
class Examples:
    """Minibatches of examples, uniformly with replacement, as the lecture draws them."""

    stream: UInt[Array, " tokens"]  # padded, so that example i is stream[i : i + block_size + 1]
    batch_size: int
    block_size: int
    vocab_size: int

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
    batch_size: int

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


def of(words: Sequence[str], vocab: Vocab, block_size: int, batch_size: int | None, draw: Draw) -> Any:
    """`words` as one of the above, on the device; ValueError as `data.tokens` says, and for an unknown `draw`."""
    if draw not in ("examples", "contexts"):  # a Literal is checked by tools, not by Python
        raise ValueError(f"draw is {draw!r}: choose 'examples' or 'contexts'")
    if batch_size is not None and draw == "examples":
        stream = data.padded(data.tokens(words, vocab), block_size)
        return Examples(jnp.asarray(stream), batch_size=batch_size, block_size=block_size, vocab_size=len(vocab))
    examples = data.examples(words, vocab, block_size)
    weights = examples.counts(len(vocab)) / len(examples.targets)
    contexts = jnp.asarray(examples.contexts)
    if batch_size is None:
        return Everything(contexts, jnp.asarray(weights, jnp.float32))
    chance = np.sqrt(weights.sum(1))
    chance /= chance.sum()
    weights /= batch_size * chance[:, None]
    cumulative = jnp.asarray(np.cumsum(chance), jnp.float32)
    return Contexts(contexts, jnp.asarray(weights, jnp.float32), cumulative, batch_size=batch_size)
