"""The one form every model reads: a list of words as a stream of tokens, and what is made of it.

A list of words is one stream of token ids in which 0, written `.`, separates words: `. e m m a . a v a .`. Bigrams are
its neighbours; the context of a position is the block_size tokens before it, with everything before the last `.` read
as `.`; whole words laid end to end in rows are slices of it. The lecture builds one row of X and Y for each character
in nested Python loops; here the stream is the data.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mm_jax.checks import as_list
from mm_jax.vocab import Vocab, describe


class Examples(NamedTuple):
    """The examples of a list of words, each distinct context once.

    `contexts` is int32 [distinct, block_size]; example i has context `contexts[ids[i]]` and next token `targets[i]`.
    """

    contexts: np.ndarray
    ids: np.ndarray
    targets: np.ndarray

    def counts(self, vocab_size: int) -> np.ndarray:
        """How often each token follows each distinct context: float64 [distinct, vocab_size]."""
        pairs = self.ids.astype(np.int64) * vocab_size + self.targets
        return np.bincount(pairs, minlength=len(self.contexts) * vocab_size).reshape(-1, vocab_size).astype(float)


class Rows(NamedTuple):
    """Whole words laid end to end in rows of one length.

    `targets` is int32 [rows, length]: the tokens of the words, each word's final 0 included, then 0. `unroll` of
    `targets[r, :-1]` predicts `targets[r]`. `places` is int32 [rows, length]: where in the token stream (its first `.`
    not counted) each target stands, -1 behind the last word.
    """

    targets: np.ndarray
    places: np.ndarray


class Prefixes(NamedTuple):
    """The prefix trie of a list of words: every distinct beginning of a word, the empty one first.

    `ids` is int32 [characters + words]: the prefix that stands before each token of the stream (its first `.` not
    counted). `targets` is int32, the same shape: that token.
    """

    ids: np.ndarray
    targets: np.ndarray
    distinct: int


def tokens(words: Sequence[str], vocab: Vocab) -> np.ndarray:
    """The token stream of `words`: 0, then each word and its 0; smallest unsigned dtype, [characters + words + 1].

    Raises ValueError for no words, one str in place of a list, an empty word, a word with the separator, or a character
    the vocabulary lacks.
    """
    words = as_list(words)
    separator = vocab.separator
    stream = vocab.lookup(separator + separator.join(words) + separator)
    if stream.max() == len(vocab):
        _refuse_unknown(words, vocab)
    ends = stream == 0
    if np.count_nonzero(ends) != len(words) + 1:
        word = next(word for word in words if separator in word)
        raise ValueError(
            f"{word!r} holds {separator!r}, which ends a word: take it out, or make the vocabulary from these words"
        )
    if (ends[1:] & ends[:-1]).any():
        raise ValueError("an empty word: leave it out")
    return stream


def _refuse_unknown(words: Sequence[str], vocab: Vocab) -> None:
    for number, word in enumerate(words, 1):
        if unknown := set(word) - set(vocab.chars):
            char = min(unknown, key=word.index)
            raise ValueError(
                f"word {number}, {word!r}: character {word.index(char) + 1} is {char!r}, "
                f"which is not in the vocabulary ({describe(vocab.chars[1:])})"
            )


def padded(stream: np.ndarray, block_size: int) -> np.ndarray:
    """The stream [tokens] with block_size `.` in front in place of one: every example is a slice of block_size + 1."""
    return np.concatenate([np.zeros(block_size, stream.dtype), stream[1:]])


def contexts(words: Sequence[str], vocab: Vocab, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """One row per example, as the lecture's X and Y: int32 [examples, block_size] and int32 [examples].

    >>> X, Y = contexts(["emma"], Vocab.from_words(["emma"]), 3)
    >>> X.tolist()[:3], Y.tolist()
    ([[0, 0, 0], [0, 0, 2], [0, 2, 3]], [2, 3, 3, 1, 0])
    """
    X, ids, Y = examples(words, vocab, block_size)
    return X[ids], Y


def examples(words: Sequence[str], vocab: Vocab, block_size: int) -> Examples:
    """Every example of `words` by distinct context: names.txt's 182,625 training examples have 5,438 contexts of three.

    Whatever depends on counts alone (a full-batch step, an evaluation) then runs the model once a context.
    """
    stream = tokens(words, vocab)
    distinct, ids = np.zeros((1, 0), np.int32), np.zeros(len(stream) - 1, np.int32)
    for codes, ids in suffixes(stream, len(vocab), block_size):  # noqa: B007
        rank, older = np.divmod(codes, len(vocab))
        distinct = np.concatenate([older[:, None].astype(np.int32), distinct[rank]], axis=1)
    return Examples(distinct, ids, stream[1:].astype(np.int32))


def suffixes(stream: np.ndarray, vocab_size: int, longest: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The contexts of 1, 2, ... `longest` tokens before each position, as ranks among the distinct ones.

    Yields (codes, ids): codes int [distinct], ascending, is (rank of the context without its oldest token, in the
    length before) * vocab_size + oldest token; ids int32 [positions] is the rank of each position's context. Codes
    stay below positions * vocab_size, whatever the length. What stands before a word's start reads as 0.
    """
    ids, distinct = np.zeros(len(stream) - 1, np.int32), 1
    inside = np.ones(len(ids), bool)  # whether the context so far holds no 0: what is older then reads as 0
    for back in range(1, longest + 1):
        older = np.zeros(len(ids), stream.dtype)
        older[back - 1 :] = stream[: max(0, len(ids) - back + 1)]  # none where the list is shorter than the context
        older *= inside
        inside &= older != 0
        codes, ids = ranked(paired(ids, older, vocab_size, distinct), distinct * vocab_size)
        distinct = len(codes)
        yield codes, ids


def paired(ids: np.ndarray, tokens: np.ndarray, vocab_size: int, distinct: int) -> np.ndarray:
    """ids * vocab_size + tokens [positions], in the smaller of int32 and int64 that holds distinct * vocab_size."""
    dtype = np.int32 if distinct * vocab_size < 2**31 else np.int64
    codes = ids.astype(dtype) * dtype(vocab_size)
    codes += tokens
    return codes


def ranked(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct codes, ascending [distinct], and each code's rank, int32 [positions]; `size` is above all codes."""
    if size <= 8 * len(codes) + 1_000_000:
        there = np.zeros(size, bool)  # no sorting where the codes are dense
        there[codes] = True
        rank = np.cumsum(there, dtype=np.int32)
        rank -= 1
        return np.flatnonzero(there), rank[codes]
    bits = len(codes).bit_length()
    if bits > 31 or size >> (63 - bits):
        distinct, ranks = np.unique(codes, return_inverse=True)
        return distinct, ranks.astype(np.int32)
    # A code and its place in one number: numbers are sorted in half the time, and half the memory, of an argsort.
    keys = codes.astype(np.int64)
    keys <<= bits
    keys |= np.arange(len(codes))
    keys.sort()
    places = keys.astype(np.int32)  # the low bits
    places &= (1 << bits) - 1
    keys >>= bits
    is_first = np.append(True, keys[1:] != keys[:-1])
    rank = np.cumsum(is_first, dtype=np.int32)
    rank -= 1
    ranks = np.empty(len(codes), np.int32)
    ranks[places] = rank
    return keys[is_first].astype(codes.dtype), ranks


def prefixes(words: Sequence[str], vocab: Vocab) -> Prefixes:
    """The prefix trie: names.txt's 182,625 training examples have 50,705 distinct prefixes.

    Built one level at a time, all words at once: a prefix of t + 1 characters is a prefix of t and a character.

    >>> trie = prefixes(["ab", "a"], Vocab(".ab"))
    >>> trie.ids.tolist(), trie.targets.tolist(), trie.distinct
    ([0, 1, 2, 0, 1], [1, 2, 0, 1, 0], 3)
    """
    stream = tokens(words, vocab)
    targets = stream[1:].astype(np.int32)
    ends = np.flatnonzero(stream == 0)
    ids = np.zeros(len(targets), np.int32)
    places, here = ends[:-1], np.zeros(len(ends) - 1, np.int32)  # where the words that go on stand, and at which prefix
    distinct = level = 1
    first = 0
    while True:
        following = targets[places]
        goes_on = following != 0
        places, here, following = places[goes_on], here[goes_on], following[goes_on]
        if not len(places):
            return Prefixes(ids, targets, distinct)
        codes, rank = ranked(paired(here - first, following, len(vocab), level), level * len(vocab))
        first, level = distinct, len(codes)
        here = (first + rank).astype(np.int32)
        distinct += level
        places = places + 1
        ids[places] = here


def rows(words: Sequence[str], vocab: Vocab, *, pack: bool = True, length: int | None = None) -> Rows:
    """Lays whole words end to end in rows, so that little of a row is left empty.

    The longest word left opens a row, and the longest that still fit fill it up. Names fill 98% of their rows so, where
    a row for each word would be 45% full.

    Args:
      words: the list.
      vocab: its characters.
      pack: whether a row may hold several words.
      length: of a row; None is what the longest word and its `.` take.

    >>> rows(["ab", "a", "b"], Vocab(".ab"), length=4).targets.tolist()
    [[1, 2, 0, 0], [2, 0, 1, 0]]
    """
    stream = tokens(words, vocab)
    ends = np.flatnonzero(stream == 0)
    lengths = np.diff(ends)
    length = max(int(lengths.max()), length or 0)
    by_length: list[list[int]] = [[] for _ in range(length + 1)]
    for word, size in enumerate(lengths.tolist()):
        by_length[size].append(word)
    order, row_of = _fill(by_length, length, pack)
    row = np.repeat(row_of, lengths[order])
    place = np.arange(len(stream) - 1) - np.repeat(np.cumsum(lengths[order]) - lengths[order], lengths[order])
    place += np.repeat(ends[:-1][order], lengths[order])
    column = np.arange(len(row)) - np.searchsorted(row, np.arange(row[-1] + 1))[row]
    targets = np.zeros((row[-1] + 1, length), np.int32)
    places = np.full(targets.shape, -1, np.int32)
    targets[row, column], places[row, column] = stream[1:][place], place
    return Rows(targets, places)


def _fill(by_length: list[list[int]], length: int, pack: bool) -> tuple[np.ndarray, np.ndarray]:
    """The words in the order in which they are laid down, and the row of each, ascending: int64 [words] both."""
    order: list[int] = []
    row_of: list[int] = []
    row = 0
    for longest in range(length, 0, -1):
        while by_length[longest]:
            left, size = length, longest
            while size:
                order.append(by_length[size].pop())
                row_of.append(row)
                left -= size
                size = next((n for n in range(left, 1, -1) if by_length[n]), 0) if pack else 0
            row += 1
    return np.array(order), np.array(row_of)
