"""Exercise 1: bigrams, beside lecture_1_bigrams. Fill the gaps, then `pytest examples/exercises/test_1_bigrams.py`.

- easy: count which character follows which.
- middle: say how well the counts predict words.
- hard: count which character follows which two, and draw words from these counts.

Token 0 is '.', which stands before and after a word; 1 to 26 are a to z.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

CHARS = ".abcdefghijklmnopqrstuvwxyz"


def tokens(word: str) -> list[int]:
    """Returns the tokens of a word with a dot on both sides: [0, 5, 13, 13, 1, 0] of "emma"."""
    return [CHARS.index(char) for char in f".{word}."]


def count_pairs(words: Sequence[str]) -> Int[Array, "27 27"]:
    """Counts pairs: N[i, j] is how often token j follows token i.

    "emma" has five: .e em mm ma a.
    """
    raise NotImplementedError


def mean_nll(N: Int[Array, "27 27"], words: Sequence[str], smoothing: float) -> float:
    """Computes the mean negative log likelihood of words, in nats: one term a pair, the end of a word included.

    `smoothing` is added to every count before a row is divided by its sum.
    """
    raise NotImplementedError


def count_triples(words: Sequence[str]) -> Int[Array, "27 27 27"]:
    """Counts triples: T[i, j, k] is how often token k follows the tokens i j.

    Two dots stand before a word, so that its first character has two before it. "emma" has five: ..e .em emm mma ma.
    """
    raise NotImplementedError


def draw_word(T: Int[Array, "27 27 27"], uniforms: Float[np.ndarray, " n"]) -> str:
    """Draws one word, without its dots, from counts of triples: each number in [0, 1) gives one character, in order.

    Lay the probabilities of the 27 tokens end to end on the line from 0 to 1: the piece that the number falls into is
    the token. A token of probability 0 has no piece: no number gives it, 0.0 neither. The word ends at token 0.
    """
    raise NotImplementedError
