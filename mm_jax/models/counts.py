"""The count model: how often each character follows each other one (makemore part 1).

    P(next | previous) = (N[previous, next] + smoothing) / sum_j (N[previous, j] + smoothing)

Counting is `bincount` over the token stream, where the lecture adds 1 in a Python loop over bigrams. The lecture
keeps P; we keep N and the smoothing, because the counts are what was learned and the logits follow: log(N + smoothing).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Int32

from mm_jax.checks import number
from mm_jax.corpus import tokens
from mm_jax.models.contract import NamedRecipe, windowed
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab, vocabulary

MAX_CHARACTERS = 8192  # a table of 64 million cells: 256 MB


@pytree
class Counts:
    """A bigram count table and the fake counts added to every cell when it is read.

    >>> fit(["ab", "b"], Vocab(".ab")).N[0].tolist()  # what words begin with
    [0, 1, 1]
    """

    N: Int32[Array, "vocab_size vocab_size"]  # N[i, j]: how often j follows i
    smoothing: Float32[Array, ""]
    vocab: Vocab


def fit(words: Sequence[str], vocab: Vocab, smoothing: float = 0.0) -> Counts:
    """Counts every bigram of `words`, start and end included.

    Args:
      words: the list.
      vocab: its characters.
      smoothing: fake counts added to every cell. The lecture adds 1.

    Returns:
      Counts with N int32 [vocab_size, vocab_size].

    Raises ValueError as `corpus.tokens` says, for a smoothing that is negative or not finite, and for an alphabet whose
    square is too large a table.

    >>> counts = fit(["ab", "b"], Vocab(".ab"))
    >>> counts.N.tolist()
    [[0, 1, 1], [0, 0, 1], [2, 0, 0]]

    Source: makemore part 1.
    """
    check_alphabet(vocab)
    return from_table(_count_pairs(tokens(words, vocab), len(vocab)), vocab, smoothing)


def check_alphabet(vocab: Vocab) -> None:
    """Raises ValueError for an alphabet too large for a table of all pairs."""
    if len(vocabulary(vocab)) > MAX_CHARACTERS:
        raise ValueError(
            f"the alphabet has {len(vocab) - 1:,} {vocab.units}: a table of all pairs takes {MAX_CHARACTERS - 1:,}; "
            "an n-gram model of order 2 holds only the pairs that occur"
        )


def _count_pairs(stream: np.ndarray, vocab_size: int) -> np.ndarray:
    """Counts how often each token follows each: int64 [vocab_size, vocab_size]."""
    cells = vocab_size**2
    # The table is flattened, and the pair (i, j) is its cell i * vocab_size + j, so that one bincount counts all pairs.
    dtype = np.min_scalar_type(cells)  # the smallest that holds a cell's number: fewer bytes to move
    total = np.zeros(cells, np.int64)
    block = max(2**16, cells)  # pairs at a time: bincount's copies of them stay in the cache
    for start in range(0, len(stream) - 1, block):
        wide = stream[start : start + block + 1].astype(dtype)
        total += np.bincount(wide[:-1] * dtype.type(vocab_size) + wide[1:], minlength=cells)
    return total.reshape(vocab_size, vocab_size)


def from_table(N: np.ndarray, vocab: Vocab, smoothing: float = 0.0) -> Counts:
    """Makes a Counts from a table, int [vocab_size, vocab_size]; raises ValueError if it does not fit `vocab`."""
    if N.shape != (len(vocabulary(vocab)), len(vocab)) or N.min() < 0:
        raise ValueError(f"expected counts of shape {(len(vocab), len(vocab))}, none negative, got shape {N.shape}")
    if not 0 <= number("smoothing", smoothing, "0 or more fake counts a cell") < float("inf"):
        raise ValueError(f"smoothing is {smoothing}: give 0 or more fake counts a cell")
    # Converted in NumPy: a conversion on the device, or jnp.asarray, would compile a program.
    return Counts(N=jax.device_put(N.astype(np.int32)), smoothing=jax.device_put(np.float32(smoothing)), vocab=vocab)


def most_common(params: Counts, k: int) -> list[tuple[str, int]]:
    """Returns the k bigrams with the highest counts, highest first; equal ones in the order of the table.

    >>> most_common(fit(["ab", "b"], Vocab(".ab")), 2)
    [('b.', 2), ('.a', 1)]
    """
    N = np.asarray(params.N)
    occurring = np.argwhere(N)
    order = np.argsort(-N[tuple(occurring.T)], kind="stable")[:k]  # stable: ties stay in the order of the table
    return [(params.vocab.decode([i, j]), int(N[i, j])) for i, j in occurring[order].tolist()]


def block_size(params: Counts) -> int:
    """Returns how many tokens a context has: 1."""
    return 1


def logits(params: Counts, context: Int[Array, "1"]) -> Float32[Array, " vocab_size"]:
    """Returns log(N + smoothing) of the last character's row: -inf for a bigram that never occurred.

    A row without any counts is read as uniform.
    """
    # Not divided by the sum of the row: softmax does that, and logits need no normalisation.
    row = params.N[context[0]].astype(jnp.float32) + params.smoothing
    return jnp.where(row.sum() > 0, jnp.log(row), jnp.zeros_like(row))


def validate(params: Counts) -> None:
    """Raises ValueError for counts or a smoothing below 0."""
    if np.asarray(params.N).min() < 0 or not 0 <= float(params.smoothing) < float("inf"):
        raise ValueError("counts or fake counts are below 0")


MODEL = windowed(
    Counts,
    block_size=block_size,
    logits=logits,
    validate=validate,
    fit=fit,
    recipes={
        "smoothed": NamedRecipe(model={"smoothing": 1.0}, rung="counts, add 1"),
        "unsmoothed": NamedRecipe(model={"smoothing": 0.0}, rung="counts, add 0"),
    },
    pictures=("count_table",),
)
