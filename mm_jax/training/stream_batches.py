"""Batches of a long list, read from its token stream: nothing in memory grows with the list.

A row is a slice of the stream. Its number gives its place, and a step's number gives its rows, in an order that is
computed (`permutation`); so a step reads a few kilobytes, wherever the list lies: in memory, or mapped from a file.

    whole words   rows of `length` tokens side by side, on a grid that each epoch shifts anew by 0 ... length - 1. Words
                  cut by a row's edge are masked. A word of n tokens, its end included, is whole in a row for
                  length - n + 1 of the `length` shifts, and so it weighs length / (length - n + 1): the expected
                  gradient is that of the whole list.
    examples      a row for each token: it and the block_size tokens before it

A short list has targets by prefix, of less variance (`whole_words`); here the target is the next token, or a teacher's
distribution at it, which is computed for the rows of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float32, Int, Int32, Key, UInt

from mm_jax.models import blocks, contract
from mm_jax.models.contract import Dropout, Params
from mm_jax.pytrees import pytree, static
from mm_jax.streams import sizes_of
from mm_jax.symbols import CHARACTERS
from mm_jax.training.loss import Targets
from mm_jax.training.permutation import permuted, secrets
from mm_jax.training.recipes import Recipe

BATCH_TOKENS = 16  # of a batch of whole words, for each of its batch_size rows: two names


@pytree
class RowsOfWords:
    """The rows of some steps, slices of a stream: what `Stream.read` gives for draw="words"."""

    rows: UInt[Array, "steps batch width"]  # the token before each row, then its targets
    scale: Float32[Array, ""]  # makes the weights of a batch sum to 1 on average
    dropout: Dropout | None  # its rates; each batch adds its own keys
    teacher: Any  # a model, or None
    share: Float32[Array, ""]  # of the teacher's distribution in the targets
    vocab_size: int = static()
    in_blocks: bool = static()  # whether targets are Targets

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> Any:
        """Returns the rows of the steps that were read, and keys [steps, batch] where there is dropout."""
        if self.dropout is None:
            return self.rows, None
        noise, size = jax.random.fold_in(key, 1), self.rows.shape[1]
        return self.rows, jax.vmap(lambda t: jax.random.split(jax.random.fold_in(noise, t), size))(steps)

    def batch(self, choice: Any) -> tuple[Any, Float32[Array, "batch length vocab"] | Targets]:
        """Returns one step's inputs, rows of tokens and their keys, and the weights of the next tokens."""
        rows, keys = choice[0].astype(jnp.int32), choice[1]
        targets = rows[:, 1:]
        if self.in_blocks:
            taught = None if self.teacher is None else blocks.states(self.teacher, targets[:, :-1])
            whole = jax.vmap(word_weights)(rows) * self.scale
            return (targets[:, :-1], keys), Targets(targets, whole, self.teacher, taught, self.share)
        weights = jax.nn.one_hot(targets, self.vocab_size, dtype=jnp.float32)
        if self.teacher is not None:
            taught = jax.nn.softmax(contract.unroll_rows(self.teacher, targets[:, :-1]))
            weights = (1 - self.share) * weights + self.share * taught
        whole = jax.vmap(word_weights)(rows)[..., None]
        # Not a product alone: in a word that is cut, a teacher may say nan.
        return (targets[:, :-1], keys), jnp.where(whole > 0, weights * (whole * self.scale), 0.0)

    def predict(self, params: Params, inputs: Any) -> Any:
        """Returns the logits at each position of each row, or for Targets the states there."""
        tokens, keys = inputs
        unroll = blocks.states if self.in_blocks else contract.unroll_rows
        return unroll(params, tokens, None if self.dropout is None else replace(self.dropout, key=keys))


@pytree
class RowsOfExamples:
    """The examples of some steps: what `Stream.read` gives for draw="examples"."""

    rows: UInt[Array, "steps batch width"]
    vocab_size: int = static()

    def draw(self, key: Key[Array, ""], steps: Int32[Array, " steps"]) -> UInt[Array, "steps batch width"]:
        """Returns the examples of the steps that were read."""
        return self.rows

    def batch(
        self, choice: UInt[Array, "batch width"]
    ) -> tuple[Int[Array, "batch width-1"], Float32[Array, "batch vocab"]]:
        """Returns contexts, and one-hot next tokens divided by the number of examples."""
        contexts, following = choice[:, :-1].astype(jnp.int32), choice[:, -1]
        contexts *= lax.cumprod((contexts != 0).astype(jnp.int32), axis=1, reverse=True)
        return contexts, jax.nn.one_hot(following, self.vocab_size, dtype=jnp.float32) / len(choice)

    def predict(self, params: Params, contexts: Int[Array, "batch block_size"]) -> Float32[Array, "batch vocab"]:
        """Returns the logits after each context."""
        return jax.vmap(contract.logits, (None, 0))(params, contexts)


@dataclass(frozen=True)
class Stream:
    """A token stream on the host, and how its rows are cut and ordered: a source of batches that is no pytree.

    Args:
      tokens: as `corpus.tokens` makes them, or mapped from a file: unsigned integers [tokens].
      width: tokens of a row, those that are only read included.
      stride: from each row to the next.
      batch_size: rows of a batch; all of them where there are fewer.
      template: a RowsOfWords or RowsOfExamples without rows, which `read` adds.
      mesh: divides each batch among the devices of its first axis.
    """

    tokens: np.ndarray
    width: int
    stride: int
    batch_size: int
    template: Any
    mesh: Mesh | None = None

    @property
    def num_rows(self) -> int:
        """The number of rows in an epoch, however the grid is shifted."""
        return _num_rows(len(self.tokens), self.stride)

    @property
    def size(self) -> int:
        """The number of rows in a batch."""
        return min(self.batch_size, self.num_rows)

    def starts(self, key: Key[Array, ""], first: int, steps: int) -> Int[np.ndarray, "steps batch"]:
        """Returns where in the stream each row of some steps begins: int64 [steps, batch], negative before its start.

        Epochs are permutations of all rows, laid end to end: row i of step t is row t * batch + i of them. What is left
        over at the end of an epoch is not used.
        """
        order, per_epoch = jax.random.fold_in(key, 0), self.num_rows // self.size
        epochs, places = np.divmod(first + np.arange(steps, dtype=np.int64), per_epoch)
        found = np.empty((steps, self.size), np.int64)
        for epoch in np.unique(epochs):
            own = epochs == epoch
            drawn = secrets(order, int(epoch))
            numbers = places[own][:, None] * self.size + np.arange(self.size)
            rows = permuted(numbers, self.num_rows, drawn[:-1])
            found[own] = rows * self.stride - int(drawn[-1] % np.uint64(self.stride))
        return found + (1 + self.stride - self.width)  # the last `stride` tokens are the row's own

    def read(self, key: Key[Array, ""], first: int, steps: int) -> Any:
        """Reads what `steps` steps from step `first` on need, and moves it to the device.

        Of several processes each reads the rows of its own devices.
        """
        starts = self.starts(key, first, steps)
        if self.mesh is None:
            return replace(self.template, rows=jax.device_put(_slices(self.tokens, starts, self.width)))
        divided = NamedSharding(self.mesh, PartitionSpec(None, self.mesh.axis_names[0]))

        def own(part: Any) -> np.ndarray:
            return _slices(self.tokens, starts[part[:2]], self.width)

        rows = jax.make_array_from_callback((*starts.shape, self.width), divided, own)
        return replace(self.template, rows=rows)


def shape(words: Sequence[str], batch_size: int, units: str = CHARACTERS) -> tuple[int, int]:
    """Returns the rows of a batch of whole words, and their length in tokens.

    A batch has BATCH_TOKENS tokens for each of the `batch_size` rows of a short list, in rows of eight words of mean
    length. A row is at least as long as two of the longest word, so that no word
    weighs more than 2.

    >>> shape(["emma", "ava", "mia"], 64)
    (30, 35)
    >>> shape(["emma", "ava", "maximiliana"] * 100 + ["a" * 99], 64)
    (6, 200)
    """
    found = sizes_of(words, units)
    eight = -(-8 * found.total // len(words))
    length = max(eight, 2 * (found.longest + 1))
    return -(-BATCH_TOKENS * batch_size // length), length


def stream_words(
    tokens: np.ndarray, batch_size: int, length: int, params: Params, recipe: Recipe, teacher: Params | None = None
) -> Stream:
    """Makes batches of whole words.

    Args:
      tokens: the stream, [tokens].
      batch_size: rows of a batch.
      length: of a row, at least that of the longest word and its end.
      params: the model.
      recipe: gives the rates of dropout, and the share of the teacher.
      teacher: a model whose distribution is mixed into the targets; None where `teach` is 0.
    """
    rows = _num_rows(len(tokens), length)
    size = min(batch_size, rows)
    template = RowsOfWords(
        rows=None,  # pyright: ignore[reportArgumentType]
        scale=jax.device_put(np.float32(rows / (size * (len(tokens) - 1)))),
        dropout=recipe.dropout,
        teacher=teacher,
        share=jax.device_put(np.float32(recipe.teach)),
        vocab_size=len(params.vocab),
        in_blocks=blocks.are_used(params) and (teacher is None or blocks.are_used(teacher)),
    )
    return Stream(tokens, width=length + 1, stride=length, batch_size=size, template=template)


def stream_examples(tokens: np.ndarray, params: Params, recipe: Recipe) -> Stream:
    """Makes batches of examples of a windowed model from a stream [tokens]: each once an epoch, in a random order."""
    size = contract.block_size(params)
    assert size is not None and recipe.batch_size is not None  # or `make_batches` would have refused
    template = RowsOfExamples(rows=None, vocab_size=len(params.vocab))  # pyright: ignore[reportArgumentType]
    return Stream(tokens, width=size + 1, stride=1, batch_size=recipe.batch_size, template=template)


def word_weights(tokens: Int32[Array, " width"]) -> Float32[Array, " width-1"]:
    """Returns the weight of each target of a row, tokens[1:]: 0 in words that are cut, and in padding.

    A word of n tokens, its 0 included, weighs length / (length - n + 1). Padding is a 0 after a 0.

    >>> word_weights(jnp.array([3, 0, 1, 0, 0, 2])).tolist()  # of the middle word only, whole in 4 of 5 shifts
    [0.0, 1.25, 1.25, 0.0, 0.0]
    """
    length = len(tokens) - 1
    index, ends = jnp.arange(length + 1, dtype=jnp.int32), tokens == 0
    start = lax.cummax(jnp.where(ends, index, -1))[:-1]  # the 0 before the word, and its own
    end = lax.cummin(jnp.where(ends, index, length + 1)[1:], reverse=True)
    n = end - start
    whole = (start >= 0) & (end <= length) & (n > 1)
    return jnp.where(whole, length / (length - n + 1).astype(jnp.float32), 0.0)


def _num_rows(tokens: int, stride: int) -> int:
    return (tokens - 1 + 2 * (stride - 1)) // stride


def _slices(tokens: np.ndarray, starts: Int[np.ndarray, "steps batch"], width: int) -> np.ndarray:
    """Copies slices out of a stream [tokens]: [steps, batch, width]; zeros before its start and behind its end."""
    last = len(tokens) - width
    if last < 0:
        found = np.zeros((*starts.shape, width), tokens.dtype)
    else:
        found = np.lib.stride_tricks.sliding_window_view(tokens, width)[np.clip(starts, 0, last)]
    for step, i in np.argwhere((starts < 0) | (starts > last)):  # few rows of an epoch
        start = int(starts[step, i])
        part = tokens[max(0, start) : max(0, start + width)]
        before = min(width, max(0, -start))
        found[step, i] = np.pad(part, (before, width - before - len(part)))
    return found
