"""Cuts a text into symbols, of one of three units, and counts them.

characters   code points, as in the lecture
graphemes    what a reader takes for one character: a letter with its accents or vowel signs, a joined emoji, a flag
             (extended grapheme clusters)
words        what stands between single blanks: the words of a verse, the phonemes of a word, the moves of a game

Source: Unicode Standard Annex 29, Unicode text segmentation; `regex` follows it.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

FIX = "`mm-jax check LIST --fix OUT`"  # what mends a list
UNITS = CHARACTERS, GRAPHEMES, WORDS = ("characters", "graphemes", "words")
_BESIDE = ("a{}", "{}a", "ᄀ{}", "🇦{}")  # a character that joins others joins one of these


def check_units(units: str) -> str:
    """Returns the units; raises ValueError for any but the three."""
    if units not in UNITS:
        raise ValueError(f"units is {units!r}: choose one of {', '.join(UNITS)}")
    return units


def item(units: str) -> str:
    """Returns what an item of a list is called: a line where its symbols are words, else a word."""
    return "line" if units == WORDS else "word"


def cut(text: str, units: str) -> Sequence[str]:
    """Cuts a text into symbols.

    Raises ValueError for blanks doubled or at an end, where the symbols are words.

    >>> cut("naïve", "characters"), cut("हिन्दी", "graphemes"), cut("K AE1 T", "words")
    ('naïve', ['हि', 'न्दी'], ['K', 'AE1', 'T'])
    """
    found = symbols_of(text, units) if text else ()
    if units == WORDS and "" in found:
        where = "a blank at an end" if text != text.strip(" ") else "two blanks side by side"
        raise ValueError(f"{_short(text)} has {where}: put one blank between symbols (in a list {FIX} does)")
    return found


def symbols_of(text: str, units: str) -> Sequence[str]:
    """Cuts a text into symbols as `cut`, without a check: "" stands between two blanks."""
    if units == CHARACTERS:
        return text
    return text.split(" ") if units == WORDS else _clusters()(text)


def cut_lines(lines: Iterable[str], units: str) -> Iterator[str]:
    """Yields the symbols of lines, which are not checked, and a line break after each line.

    >>> list(cut_lines(["K AE1 T", "AE1 T"], "words"))
    ['K', 'AE1', 'T', '\\n', 'AE1', 'T', '\\n']
    """
    for line in lines:
        yield from symbols_of(line, units)
        yield "\n"


def joined(symbols: Iterable[str], units: str) -> str:
    """Joins symbols to a text, the inverse of `cut`."""
    return (" " if units == WORDS else "").join(symbols)


def lengths(words: Iterable[str], units: str) -> Iterator[int]:
    """Yields the number of symbols of each text, without its end.

    >>> list(lengths(["K AE1 T", ""], "words"))
    [3, 0]
    """
    if units == CHARACTERS:
        return map(len, words)
    if units == GRAPHEMES:
        clusters = _clusters()
        return (len(word) if word.isascii() else len(clusters(word)) for word in words)
    return (word.count(" ") + 1 if word else 0 for word in words)


def length(word: str, units: str) -> int:
    """Returns the number of symbols of one text."""
    return len(word) if units == CHARACTERS else next(iter(lengths([word], units)))


def has_clusters(words: Iterable[str], chars: Iterable[str]) -> bool:
    """Returns whether some grapheme of the words has several characters; `chars` are their distinct characters.

    >>> has_clusters(["हिन्दी"], "हिन्दी"), has_clusters(["naïve"], "naïve")
    (True, False)
    """
    clusters = _clusters()
    if not any(len(clusters(beside.format(char))) == 1 for char in chars for beside in _BESIDE):
        return False
    return any(number < len(word) for word, number in zip(words, lengths(words, GRAPHEMES), strict=True))


@functools.cache
def _clusters() -> Callable[[str], list[str]]:
    """Returns the function that cuts a text into graphemes."""
    import regex  # takes 20 ms, and most lists do without

    return regex.compile(r"\X").findall


def _short(text: str, limit: int = 60) -> str:
    """Returns the repr of a text, cut at so many characters."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}..."
