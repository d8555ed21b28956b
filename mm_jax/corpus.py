"""Converts a word list to one token stream, and derives contexts, packed rows and the prefix trie from it.

In the stream 0, written `.`, separates words: `. e m m a . a v a .`. Bigrams are its neighbours. The context of a
position is the block_size tokens before it, with everything before the last `.` read as `.`. Packed rows are slices of
it. The lecture builds one row of X and Y for each character in nested Python loops; here the stream is the data.
"""

import itertools
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mm_jax.checks import as_list
from mm_jax.streams import WordFile
from mm_jax.symbols import CHARACTERS, cut_lines
from mm_jax.vocab import Vocab, vocabulary

_LINES = 2**14  # of a long list, cut into graphemes or words at once
_MAPPED: weakref.WeakKeyDictionary[WordFile, dict[Vocab, np.ndarray]] = weakref.WeakKeyDictionary()


class DistinctContexts(NamedTuple):
    """The examples of a word list, with each distinct context once.

    Attributes:
      contexts: int32 [distinct, block_size].
      ids: int32 [examples]; example i has the context `contexts[ids[i]]`.
      targets: int32 [examples], the next tokens.
    """

    contexts: np.ndarray
    ids: np.ndarray
    targets: np.ndarray

    def counts(self, vocab_size: int) -> np.ndarray:
        """Counts how often each token follows each distinct context: float64 [distinct, vocab_size]."""
        pairs = self.ids.astype(np.int64) * vocab_size + self.targets
        return np.bincount(pairs, minlength=len(self.contexts) * vocab_size).reshape(-1, vocab_size).astype(float)


class Rows(NamedTuple):
    """Whole words packed into rows of one length. `unroll` of `targets[r, :-1]` predicts `targets[r]`.

    Attributes:
      targets: int32 [rows, length], the tokens of the words, each with its final 0; then padding, 0.
      places: int32 [rows, length], the position of each target in the token stream (its first `.` not counted); -1 in
        the padding.
    """

    targets: np.ndarray
    places: np.ndarray


class Prefixes(NamedTuple):
    """The prefix trie of a word list: every distinct prefix, numbered by length, then parent, then last token.

    Attributes:
      ids: int32 [characters + words], the prefix before each token of the stream (its first `.` not counted).
      targets: int32 [characters + words], that token.
      distinct: the number of prefixes; 0 is the empty one.
      parents: int32 [distinct], each prefix without its last token; 0 for the empty one.
      last: int32 [distinct], the last token of each prefix; 0 for the empty one.
      levels: the prefixes of 0, 1, 2, ... tokens, as slices.
    """

    ids: np.ndarray
    targets: np.ndarray
    distinct: int
    parents: np.ndarray
    last: np.ndarray
    levels: list[slice]

    def is_word(self) -> np.ndarray:
        """Returns whether each prefix is a word of the list: bool [distinct]."""
        mask = np.zeros(self.distinct, bool)
        mask[self.ids[self.targets == 0]] = True
        return mask


def tokens(words: Sequence[str], vocab: Vocab) -> np.ndarray:
    """Returns the token stream: 0, then each word and its 0; smallest unsigned dtype, [symbols + words + 1].

    That of a long list, a `WordFile`, is a file that is mapped into memory.

    Raises ValueError for no words, one str in place of a list, an empty word, a word with the separator, or a symbol
    that the vocabulary lacks.
    """
    words = as_list(words)
    if isinstance(words, WordFile):
        return _mapped_tokens(words, vocabulary(vocab))
    if vocabulary(vocab).units != CHARACTERS:
        return _of_symbols(words, vocab)
    separator = vocab.separator
    stream = vocab.lookup(separator + separator.join(words) + separator)
    _check(stream, words, vocab)
    return stream


def _check(stream: np.ndarray, words: Sequence[str], vocab: Vocab, before: int = 0) -> None:
    """Raises ValueError where a stream, 0 and the tokens of words, [symbols + words + 1], holds other than words.

    `before` words of the list come before these.
    """
    ends = stream == 0
    if stream.max() < len(vocab) and np.count_nonzero(ends) == len(words) + 1 and not (ends[1:] & ends[:-1]).any():
        return
    for number, word in enumerate(words, before + 1):
        if not word:
            raise ValueError(f"word {number:,} is an empty word: leave it out")
        try:
            vocab.encode(word)
        except ValueError as error:
            raise ValueError(f"word {number:,}, {error}") from None
    raise ValueError("the words are not in NFC, as characters in a vocabulary are: use unicodedata.normalize")


def _of_symbols(words: Sequence[str], vocab: Vocab, before: int = 0) -> np.ndarray:
    """Returns `tokens`, [symbols + words + 1], of symbols that are no characters; `before` words precede them."""
    found = vocab.lookup_symbols(itertools.chain("\n", cut_lines(words, vocab.units)))
    _check(found, words, vocab, before)
    return found


def _mapped_tokens(words: WordFile, vocab: Vocab) -> np.ndarray:
    """Returns `tokens` of a long list, [symbols + words + 1], mapped from a file without a name."""
    made = _MAPPED.setdefault(words, {})
    if vocab not in made:
        made[vocab] = _write_tokens(words, vocab)
    return made[vocab]


def _write_tokens(words: WordFile, vocab: Vocab) -> np.ndarray:
    """Writes the token stream of a long list, [symbols + words + 1], to a file without a name, and maps it."""
    if vocab.units == CHARACTERS and set(words.chars) - set(vocab.chars[1:]):
        _check(np.full(1, len(vocab)), words, vocab)
    with tempfile.TemporaryFile() as file:
        try:
            file.write(bytes(vocab.dtype.itemsize))  # the first separator
            before = 0  # words of the list
            for block in words.blocks():
                if vocab.units == CHARACTERS:
                    file.write(vocab.lookup(block.decode().replace("\n", vocab.separator)).data)
                    continue
                lines = block.decode().split("\n")[:-1]
                for first in range(0, len(lines), _LINES):
                    file.write(_of_symbols(lines[first : first + _LINES], vocab, before + first)[1:].data)
                before += len(lines)
            file.flush()
        except OSError as error:
            raise ValueError(f"the tokens of {words.path} cannot be written: {error.strerror}") from None
        return np.memmap(file, vocab.dtype, "r")


def padded(stream: np.ndarray, block_size: int) -> np.ndarray:
    """Returns the stream [tokens] with block_size zeros in front, not one: an example is a slice of block_size + 1."""
    return np.concatenate([np.zeros(block_size, stream.dtype), stream[1:]])


def contexts(words: Sequence[str], vocab: Vocab, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lecture's X and Y, one row per example: int32 [examples, block_size] and int32 [examples].

    >>> X, Y = contexts(["emma"], Vocab.from_words(["emma"]), 3)
    >>> X.tolist()[:3], Y.tolist()
    ([[0, 0, 0], [0, 0, 2], [0, 2, 3]], [2, 3, 3, 1, 0])
    """
    X, ids, Y = examples(words, vocab, block_size)
    return X[ids], Y


def examples(words: Sequence[str], vocab: Vocab, block_size: int) -> DistinctContexts:
    """Returns every example by distinct context: the 182,625 training examples of names.txt have 5,438 of three tokens.

    Whatever depends on counts alone (a full-batch step, an evaluation) then runs the model once a context.

    >>> examples(["aaa"], Vocab(".a"), 1)[:2]
    (array([[0],
           [1]], dtype=int32), array([0, 1, 1, 1], dtype=int32))
    """
    stream = tokens(words, vocab)
    distinct, ids = np.zeros((1, 0), np.int32), np.zeros(len(stream) - 1, np.int32)
    for codes, ids in suffixes(stream, len(vocab), block_size):  # noqa: B007
        distinct = contexts_of(codes, distinct, len(vocab))
    return DistinctContexts(distinct, ids, stream[1:].astype(np.int32))


def suffixes(stream: np.ndarray, vocab_size: int, longest: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (codes, ids) for the contexts of 1, 2, ... `longest` tokens before each position.

    codes, int [distinct], are the sorted ids of the distinct contexts; id = rank of the shorter context (without its
    oldest token) * vocab_size + oldest token. ids, int32 [positions], are the ranks in codes. So codes stay below
    positions * vocab_size, whatever the length. Positions before a word's start read as 0.

    >>> [(codes.tolist(), ids.tolist()) for codes, ids in suffixes(np.array([0, 1, 1, 0]), 2, 2)]
    [([0, 1], [0, 1, 1]), ([0, 2, 3], [0, 1, 2])]
    """
    return grown(older(stream, longest), vocab_size)


def older(stream: np.ndarray, longest: int) -> Iterator[np.ndarray]:
    """Yields the token 1, 2, ... `longest` places before each position of a stream [positions + 1]: [positions] each.

    >>> [tokens.tolist() for tokens in older(np.array([0, 1, 2, 0]), 2)]
    [[0, 1, 2], [0, 0, 1]]
    """
    inside = np.ones(len(stream) - 1, bool)  # whether the context so far holds no 0: what is older then reads as 0
    for length in range(1, longest + 1):
        found = np.zeros(len(inside), stream.dtype)
        found[length - 1 :] = stream[: max(0, len(inside) - length + 1)]  # empty where the list is shorter than that
        found *= inside
        inside &= found != 0
        yield found


def grown(columns: Iterable[np.ndarray], vocab_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (codes, ids) as `suffixes`, for contexts that each of the columns [positions] makes one token longer.

    >>> [(codes.tolist(), ids.tolist()) for codes, ids in grown([np.array([0, 1, 1]), np.array([0, 0, 1])], 2)]
    [([0, 1], [0, 1, 1]), ([0, 2, 3], [0, 1, 2])]
    """
    ids, distinct = None, 1
    for tokens in columns:
        ids = np.zeros(len(tokens), np.int32) if ids is None else ids
        codes, ids = ranked(paired(ids, tokens, vocab_size, distinct), distinct * vocab_size)
        distinct = len(codes)
        yield codes, ids


def contexts_of(codes: np.ndarray, shorter: np.ndarray, vocab_size: int) -> np.ndarray:
    """Returns the contexts of `suffixes`' codes [distinct], the oldest token first: [distinct, length].

    `shorter` are the contexts of one token less, [distinct there, length - 1], whose dtype the result has.

    >>> contexts_of(np.array([0, 2, 3]), np.array([[0], [1]]), 2).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    rank, oldest = np.divmod(codes, vocab_size)
    return np.concatenate([oldest[:, None].astype(shorter.dtype), shorter[rank]], axis=1)


def paired(ids: np.ndarray, tokens: np.ndarray, vocab_size: int, distinct: int) -> np.ndarray:
    """Returns ids * vocab_size + tokens [positions]: int32 where distinct * vocab_size fits it, else int64."""
    dtype = np.int32 if distinct * vocab_size < 2**31 else np.int64
    codes = ids.astype(dtype) * dtype(vocab_size)
    codes += tokens
    return codes


def ranked(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct codes, ascending [distinct], and the rank of each code, int32 [positions].

    `size` is above all codes.

    >>> ranked(np.array([7, 3, 7]), 8)
    (array([3, 7]), array([1, 0, 1], dtype=int32))
    """
    if size <= 8 * len(codes) + 1_000_000:
        occurs = np.zeros(size, bool)  # no sorting where the codes are dense
        occurs[codes] = True
        rank = np.cumsum(occurs, dtype=np.int32)
        rank -= 1
        return np.flatnonzero(occurs), rank[codes]
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
    """Builds the prefix trie: the 182,625 training examples of names.txt have 50,705 distinct prefixes.

    It is built one level at a time, all words at once: a prefix of t + 1 tokens is a prefix of t and a token.

    >>> trie = prefixes(["ab", "a"], Vocab(".ab"))
    >>> trie.ids.tolist(), trie.targets.tolist(), trie.distinct
    ([0, 1, 2, 0, 1], [1, 2, 0, 1, 0], 3)
    >>> trie.parents.tolist(), trie.last.tolist(), trie.levels
    ([0, 0, 1], [0, 1, 2], [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)])
    """
    stream = tokens(words, vocab)
    size, targets = len(vocab), stream[1:].astype(np.int32)
    starts = np.flatnonzero(stream == 0)[:-1]
    ids = np.zeros(len(targets), np.int32)
    places, here = starts, np.zeros(len(starts), np.int32)  # stream positions of unfinished words, and their prefixes
    level = slice(0, 1)
    levels, parents, last = [level], [np.zeros(1, np.int32)], [np.zeros(1, np.int32)]
    while True:
        following = targets[places]
        goes_on = following != 0
        places, here, following = places[goes_on], here[goes_on], following[goes_on]
        if not len(places):
            return Prefixes(ids, targets, level.stop, np.concatenate(parents), np.concatenate(last), levels)
        wide = level.stop - level.start
        codes, rank = ranked(paired(here - level.start, following, size, wide), wide * size)
        parent, token = np.divmod(codes, size)
        parents.append((level.start + parent).astype(np.int32))
        last.append(token.astype(np.int32))
        level = slice(level.stop, level.stop + len(codes))
        levels.append(level)
        here = (level.start + rank).astype(np.int32)
        places = places + 1
        ids[places] = here


def rows(words: Sequence[str], vocab: Vocab, *, pack: bool = True, length: int | None = None) -> Rows:
    """Packs whole words into rows with little padding.

    The longest word left opens a row, and the longest that still fit fill it up. So rows of names are 98% full, where
    rows of one word each would be 45% full.

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
    cells, count = _fill(lengths, length, pack)
    # A word starts in its cell, and its tokens follow in the cells after it.
    positions = np.arange(len(stream) - 1)
    cell = positions + np.repeat(cells - ends[:-1], lengths)
    targets = np.zeros((count, length), np.int32)
    places = np.full((count, length), -1, np.int32)
    targets.reshape(-1)[cell], places.reshape(-1)[cell] = stream[1:], positions
    return Rows(targets, places)


def _fill(lengths: np.ndarray, length: int, pack: bool) -> tuple[np.ndarray, int]:
    """Returns where each word of these lengths [words] starts, row * length + column, int64 [words]; and the rows."""
    by_length: list[list[int]] = [[] for _ in range(length + 1)]
    for word, size in enumerate(lengths.tolist()):
        by_length[size].append(word)
    cells = [0] * len(lengths)
    row = 0
    for longest in range(length, 0, -1):
        while by_length[longest]:
            column, size = 0, longest
            while size:
                cells[by_length[size].pop()] = row * length + column
                column += size
                fitting = range(length - column, 1, -1) if pack else ()
                size = next((size for size in fitting if by_length[size]), 0)
            row += 1
    return np.array(cells), row


def in_blocks(function: Callable[..., Any], *arrays: np.ndarray, block: int) -> np.ndarray:
    """Calls a function on `block` rows of some arrays [rows, ...] at a time, and concatenates its results [rows, ...].

    The last block is padded with zeros, and the padding cut off again: a compiled function sees one shape, and so one
    program serves lists of every size.

    >>> in_blocks(lambda x, y: x * 10 + len(y), np.arange(3), np.zeros((3, 5)), block=2).tolist()
    [2, 12, 22]
    """
    rows = len(arrays[0])
    padded = [np.pad(array, [(0, -rows % block), *[(0, 0)] * (array.ndim - 1)]) for array in arrays]
    parts = [function(*(array[i : i + block] for array in padded)) for i in range(0, rows, block)]
    return np.concatenate([np.asarray(part) for part in parts])[:rows]


def rounded_up(number: int, multiple: int) -> int:
    """Returns the least multiple that is not below the number: few shapes, so few programs.

    >>> rounded_up(9, 8), rounded_up(8, 8)
    (16, 8)
    """
    return -(-number // multiple) * multiple
