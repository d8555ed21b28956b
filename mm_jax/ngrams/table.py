"""A sparse table, as n-gram models and prefix tries keep one: rows of (token, value) laid end to end (CSR)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32


class Table(NamedTuple):
    """Row i is `tokens[first[i] : first[i + 1]]`, ascending, and the values at the same places.

    A model's fields are the arrays; a Table is made of them where one is read, and is not stored itself.

    Attributes:
      first: the offsets of the rows, and the end of the last.
      tokens: padded by vocab_size, so that a slice of vocab_size from any row's offset is inside.
      values: padded as well.
      vocab_size: the columns of the table.

    >>> table = Table.of(np.array([0, 0, 2]), np.array([0, 2, 1]), np.array([0.5, 0.25, 1.0]), rows=3, vocab_size=3)
    >>> table.first.tolist(), [table.row(i).tolist() for i in range(3)]
    ([0, 2, 2, 3], [[0.5, 0.0, 0.25], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    """

    first: Int32[Array, "rows+1"]
    tokens: Int32[Array, " padded_entries"]
    values: Float32[Array, " padded_entries"]
    vocab_size: int

    @classmethod
    def of(
        cls,
        row: Int[np.ndarray, " entries"],
        token: Int[np.ndarray, " entries"],
        value: np.ndarray,
        *,
        rows: int,
        vocab_size: int,
    ) -> "Table":
        """Makes a table of entries [entries] that are ordered by row, then token."""
        first = np.searchsorted(row, np.arange(rows + 1)).astype(np.int32)
        tokens = np.pad(token, (0, vocab_size)).astype(np.int32)
        values = np.pad(value, (0, vocab_size)).astype(np.float32)
        # Converted in NumPy, then moved: `jnp.asarray` compiles a program for each new shape.
        first, tokens, values = jax.device_put((first, tokens, values))
        return cls(first, tokens, values, vocab_size)

    def row(self, i: Int32[Array, ""] | int) -> Float32[Array, " vocab_size"]:
        """Returns row i with a value for each token, 0 where it has none; i may be traced."""
        _, tokens, inside = self._slice(i)
        values = lax.dynamic_slice(self.values, (self.first[i],), (self.vocab_size,))
        return jnp.zeros(self.vocab_size, jnp.float32).at[tokens].add(jnp.where(inside, values, 0.0))

    def find(self, i: Int32[Array, ""] | int, token: Int[Array, ""] | int) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
        """Returns where a token of row i stands in `tokens`, and whether the row has it; both may be traced."""
        begin, tokens, inside = self._slice(i)
        same = inside & (tokens == jnp.int32(token))
        return begin + jnp.argmax(same).astype(jnp.int32), same.any()

    def _slice(
        self, i: Int32[Array, ""] | int
    ) -> tuple[Int32[Array, ""], Int32[Array, " vocab_size"], Bool[Array, " vocab_size"]]:
        """Returns the offset of row i, the vocab_size tokens from there, and a mask of those that are the row's own."""
        begin = self.first[i]
        inside = jnp.arange(self.vocab_size, dtype=jnp.int32) < self.first[i + 1] - begin
        return begin, lax.dynamic_slice(self.tokens, (begin,), (self.vocab_size,)), inside

    def entry_rows(self) -> Int[np.ndarray, " entries"]:
        """Returns the row of each entry, int32 [entries]."""
        first = np.asarray(self.first)
        return np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))

    def check(self, name: str) -> None:
        """Raises ValueError, with the table's name, where its arrays are no table of this form."""
        first, tokens, size = np.asarray(self.first), np.asarray(self.tokens), self.vocab_size
        if (
            len(tokens) != len(self.values)
            or first[0] != 0
            or first[-1] != len(tokens) - size
            or (np.diff(first) < 0).any()
        ):
            raise ValueError(f"{name} is out of order")
        if tokens.min() < 0 or tokens.max() >= size:
            raise ValueError(f"{name} has tokens beyond the vocabulary")
        rows = self.entry_rows().astype(np.int64)
        if (np.diff(rows * size + tokens[: len(rows)]) <= 0).any():
            raise ValueError(f"{name} has the tokens of a row twice or out of order")
