"""Samples more of a list: words that meet conditions, with defaults taken from the list.

`more` is `mm-jax sample` from code. A drawn word is accepted or rejected (rejection sampling, in `mm_jax.sampling`); a
model of a short list is first restricted to new words, so that few draws are lost.
"""

import functools
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex
from jaxtyping import Array, Key
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from mm_jax import sampling
from mm_jax.checks import as_list, shown, whole_number
from mm_jax.models import contract, fresh
from mm_jax.models.contract import Params
from mm_jax.sampling import Samples, SamplingOptions
from mm_jax.streams import WordFile, sizes_of
from mm_jax.symbols import CHARACTERS, WORDS, cut, length
from mm_jax.vocab import Vocab

BUDGET = 100_000  # words drawn
_CASES = 100_000  # words of a long list whose first letters are looked at
_CELLS = 2**22  # prefixes * characters up to which the model is restricted to new words: about a second
_VOWELS = {
    "LATIN": "aeiouyæœøıə",
    "GREEK": "αεηιουω",
    "CYRILLIC": "аеиоуыэюяієәөү",
    "ARMENIAN": "աեէըիոօ",
    "GEORGIAN": "აეიოუ",
}  # without accents
_CONSONANTS = "йў"  # and yet, without their marks, vowels
_REGEX_SECONDS = 1.0  # a pattern that takes longer for one word backtracks without end


@dataclass(frozen=True)
class Conditions:
    """What a word must meet to be accepted; every condition left out is off, or taken from the list.

    Args:
      suffix: the end of every word, in whole symbols.
      contains: a part of every word, in whole symbols.
      regex: a regular expression that matches some part of every word, as it is written.
      min_length: in symbols: characters, or what the vocabulary has; None is the list's shortest word.
      max_length: in symbols; None is the list's longest word.
      new: rejects words of the list.
      distinct: rejects repeated words.
      min_distance: the least number of edits (Levenshtein, in symbols) from every word of the list.
      avoid: rejects words that contain one of these, in any case.
      like: a word; rejects those of another length or of another `shape`, and the word itself.
      accept: a function of a word that returns True to keep it; it is asked last.

    Raises:
      ValueError: a length or a distance that is no whole number; a regex that cannot be read; an empty `like`, or one
        whose length the others exclude.

    >>> Conditions(suffix="dam", new=True).suffix
    'dam'
    """

    suffix: str = ""
    contains: str = ""
    regex: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    new: bool = False
    distinct: bool = False
    min_distance: int = 0
    avoid: Sequence[str] = ()
    like: str | None = None
    accept: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        for name, least in (("min_length", 0), ("max_length", 1), ("min_distance", 0)):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name), least)
        if isinstance(self.avoid, str):
            raise ValueError(f"avoid is one str: write [{self.avoid!r}]")
        if self.regex is not None:
            _compiled(self.regex)
        if self.like is not None and not self.like:
            raise ValueError("like is an empty word: give one that new words are to resemble")

    def size_of_like(self, units: str) -> int | None:
        """Returns the symbols of `like`, or None without; raises ValueError where the other lengths exclude it."""
        if self.like is None:
            return None
        if units == WORDS:
            raise ValueError("like compares vowels and consonants, and the symbols here are words: leave it out")
        size = len(shape(self.like, units))
        if size < (self.min_length or 0) or size > (self.max_length or size):
            raise ValueError(f"{self.like!r} has {size} {units}: leave out min_length and max_length")
        return size


def _compiled(pattern: str) -> "regex.Pattern[str]":
    """Compiles a regular expression; raises ValueError for one that cannot be read."""
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ValueError(f"regex {pattern[:60]!r} is no regular expression that can be read: {why}") from None


def shape(word: str, units: str = CHARACTERS) -> tuple[str, ...]:
    """Returns the shape of a word: for each symbol "vowel", "consonant", "letter", or what is no letter itself.

    Accents and case do not matter; y is a vowel. Letters of scripts without vowels of this kind, such as Arabic,
    Devanagari and Chinese, are "letter", and so are the marks on them: of those only the number counts.

    >>> shape("Zoë-7")
    ('consonant', 'vowel', 'vowel', '-', '7')
    """
    return tuple(map(_kind, cut(unicodedata.normalize("NFC", word), units)))


@functools.cache
def _kind(symbol: str) -> str:
    """Returns the entry of one character in a `shape`, or of one grapheme by its first."""
    char = symbol[0]
    if not (char.isalpha() or _is_mark(char)):
        return symbol
    script = unicodedata.name(char, "").partition(" ")[0]
    if (vowels := _VOWELS.get(script)) is None:
        return "letter"
    base = char.lower() if char.lower() in _CONSONANTS else unicodedata.normalize("NFD", char.lower())[0]
    return "vowel" if base in vowels else "consonant"


def temperature_for(num_words: int) -> float:
    """Returns the default temperature for a list: lower for a short one.

    Short lists get a lower temperature, because unlikely draws of an uncertain model read badly. Above 0.8 even long
    lists (package names) gave gibberish.

    >>> temperature_for(48), temperature_for(1000), temperature_for(100_000)
    (0.5, 0.7, 0.8)
    """
    return float(np.clip(np.round(0.3 + 0.12 * np.log10(num_words), 1), 0.5, 0.8))


def start_of(words: Sequence[str], units: str = CHARACTERS) -> dict[str, Any]:
    """Returns what a list says of more of it: temperature, least and longest length, and the case of first letters.

    Lengths are in symbols of the units.

    A model that a page saves holds it in place of the list.

    >>> start_of(["Ede", "Utrecht"])
    {'temperature': 0.5, 'least': 3, 'longest': 7, 'first_case': 'upper'}
    """
    sampled = words.spread(_CASES) if isinstance(words, WordFile) else words
    least, most, _ = sizes_of(words, units)
    start = {"temperature": temperature_for(len(words)), "least": least, "longest": most}
    return start | {"first_case": first_case(sampled)}


def lengths_for(
    words: Sequence[str],
    prefix: str = "",
    least: int | None = None,
    most: int | None = None,
    *,
    units: str = CHARACTERS,
) -> tuple[int, int]:
    """Returns the bounds of the length: those given, else those of the list, moved to make room for the given ones.

    They are in symbols of the units.

    Raises ValueError for bounds that no word meets.

    >>> lengths_for(["ede", "utrecht"]), lengths_for(["ede", "utrecht"], prefix="amersfoort")
    ((3, 7), (3, 17))
    """
    return _bounds(start_of(words, units), prefix, least, most, units)


def _bounds(start: Mapping[str, Any], prefix: str, least: int | None, most: int | None, units: str) -> tuple[int, int]:
    """Returns what `lengths_for` does, from what `start_of` says of the list."""
    beyond = max(length(prefix, units), least or 0)
    upper = start["longest"] + (beyond if beyond >= start["longest"] else 0) if most is None else most
    lower = min(start["least"], upper) if least is None else least
    if lower > upper:
        raise ValueError(f"no word has {lower} {units} or more and {upper} or fewer: change min_length")
    return lower, upper


def first_case(words: Sequence[str]) -> str:
    """Returns "upper" or "lower" if every word of the list begins with such a letter, else "".

    >>> first_case(["Ede", "Utrecht"]), first_case(["Ede", "'s-Hertogenbosch"])
    ('upper', '')
    """
    cases = {_case(word) for word in words if word}
    return cases.pop() if len(cases) == 1 else ""


def _case(word: str) -> str:
    """Returns the case of the first letter: "upper", "lower", or "" for a character without case."""
    first = word[:1]
    return "upper" if first != first.lower() else "lower" if first != first.upper() else ""


def more(
    params: Params,
    words: Sequence[str],
    key: Key[Array, ""],
    num_samples: int = 20,
    *,
    conditions: Conditions = Conditions(),
    prefix: str = "",
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    budget: int = BUDGET,
    start: Mapping[str, Any] | None = None,
) -> Samples:
    """Draws words until num_samples of them meet all conditions, or the budget is spent: more of a list.

    Words begin with a letter of the case that all words of the list begin with, unless a prefix is given. A combining
    mark follows only characters that carry one in the list.

    Args:
      params: any model of the list.
      words: the list: it gives the default temperature and lengths, and what is new.
      key: the same key gives the same words.
      num_samples: the number of words.
      conditions: what every word must meet.
      prefix: the beginning of every word.
      temperature: divides the logits; None is 0.5 to 0.8, by the length of the list.
      top_k: draws only among the k likeliest symbols.
      top_p: draws only among the likeliest symbols that have this probability together.
      budget: the number of words to draw, accepted or not.
      start: what `start_of` says of a list that is not there; `words` are none then.

    Returns:
      The accepted words, fewer than num_samples if the budget is spent; the number of words drawn; and for each
      condition the number of words that it rejected.

    Raises:
      ValueError: as `sample`; conditions that no word can meet.

    >>> import jax, mm_jax
    >>> towns = ["Haarlem", "Arnhem", "Almelo", "Hengelo", "Helmond"]
    >>> params = mm_jax.ngram.fit(towns, mm_jax.Vocab.from_words(towns), order=4)
    >>> more(params, towns, jax.random.key(2), 2, conditions=Conditions(new=True)).words
    ['Almond', 'Harnhem']
    """
    if not isinstance(conditions, Conditions):
        raise ValueError(f"conditions is {shown(conditions)}: give mm_jax.Conditions(new=True, ...)")
    words = as_list(words) if start is None else words
    contract.check_params(params)
    units = params.vocab.units
    start = start or start_of(words, units)
    size = conditions.size_of_like(units)
    least, most = _bounds(start, prefix, size or conditions.min_length, size or conditions.max_length, units)
    accept = _Acceptance(params, words, conditions, range(least, most + 1), "" if prefix else start["first_case"])
    limit = contract.max_length(params)
    # One character more than the longest word, so that a word that was cut there is too long and rejected.
    max_length = most + 1 if limit is None else min(most + 1, limit)
    drawn_from = _restricted(params, words) if conditions.new else params
    temperature = float(start["temperature"] if temperature is None else temperature)
    options = SamplingOptions(prefix=prefix, temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
    # Greedy draws are all the same word: as many as are asked for are enough.
    budget = min(budget, num_samples) if options.greedy else budget
    found = sampling.search(drawn_from, key, num_samples, accept, options, budget=budget)
    return found._replace(rejected=accept.rejected)


def _restricted(params: Params, words: Sequence[str]) -> Params:
    """Restricts a model to new words if the table for it is small; otherwise words of the list are rejected later."""
    if (sizes_of(words, params.vocab.units).total - len(words)) * len(params.vocab) > _CELLS:
        return params
    return fresh.wrap(params, words, share=0.0)


class _Acceptance:
    """Accepts or rejects drawn words, and counts what rejected them."""

    def __init__(self, params: Params, words: Sequence[str], conditions: Conditions, lengths: range, case: str):
        """Raises ValueError for a suffix, a part or a `like` with a symbol that the model does not know."""
        self.rejected: Counter[str] = Counter()
        units, of_words = params.vocab.units, params.vocab.units == WORDS
        # A word as one character for each symbol: what is counted and compared below.
        coded = str if units == CHARACTERS else functools.lru_cache(maxsize=1)(params.vocab.as_chars)
        suffix, contains = map(params.vocab.as_chars, (conditions.suffix, conditions.contains))
        like = unicodedata.normalize("NFC", conditions.like or "")
        params.vocab.encode(like)
        wanted = () if of_words else shape(like, units)
        seen, carriers = set(), _carriers(params, words)
        self._file = words if isinstance(words, WordFile) and conditions.new else None
        self._known = set() if isinstance(words, WordFile) else frozenset(words)  # of a WordFile: those drawn
        edge = " " if of_words else ""  # so that a part of a symbol is not found
        avoided = [f"{edge}{word.casefold()}{edge}" for word in conditions.avoid]
        pattern = None if conditions.regex is None else _compiled(conditions.regex)
        distance = conditions.min_distance

        def first_time(word: str) -> bool:
            return not (word in seen or seen.add(word))

        def is_avoided(word: str) -> bool:
            folded = f"{edge}{word.casefold()}{edge}"
            return any(part in folded for part in avoided)

        def is_far(word: str) -> bool:
            return nearest_word(word, words, params.vocab, below=distance) is None

        tests = {
            f"the shape of {like!r}": like and (lambda word: word != like and shape(word, units) == wanted),
            f"a length of {lengths.start} to {lengths.stop - 1}": lambda word: len(coded(word)) in lengths,
            f"the suffix {conditions.suffix!r}": suffix and (lambda word: coded(word).endswith(suffix)),
            f"the part {conditions.contains!r}": contains and (lambda word: contains in coded(word)),
            f"the list's first letters, in {case} case": case and (lambda word: _case(word) == case),
            "the list's combining marks": carriers and (lambda word: carriers.issuperset(_before_marks(word))),
            "words that are new": conditions.new and (lambda word: word not in self._known),
            "words to avoid": avoided and (lambda word: not is_avoided(word)),
            "the regex": pattern and (lambda word: _matches(pattern, word)),
            f"a distance of {distance}": distance and is_far,
            "words that are distinct": conditions.distinct and first_time,
            "the filter": conditions.accept,
        }
        self.tests = {name: test for name, test in tests.items() if test}

    def __call__(self, words: Sequence[str]) -> Iterator[bool]:
        """Returns for each word whether it meets all conditions."""
        if self._file is not None:
            self._known = self._file.among(words)
        return map(self._accepts, words)

    def _accepts(self, word: str) -> bool:
        """Returns True for a word that meets all conditions; counts the first that another does not meet."""
        failed = next((name for name, test in self.tests.items() if not test(word)), None)
        if failed is not None:
            self.rejected[failed] += 1
        return failed is None


def _matches(pattern: "regex.Pattern[str]", word: str) -> bool:
    """Returns True if the pattern matches some part of a word; raises ValueError if that takes too long."""
    try:
        return bool(pattern.search(word, timeout=_REGEX_SECONDS))
    except TimeoutError:
        raise ValueError(
            f"regex {pattern.pattern[:60]!r} took over {_REGEX_SECONDS:.0f} s for a word ({word[:40]}): make it simpler"
        ) from None


def _carriers(params: Params, words: Sequence[str]) -> frozenset[str] | None:
    """Returns the characters that carry a combining mark in the list; None for an alphabet without marks.

    A smoothed model gives every character some probability everywhere, and may put a mark (such as a vowel sign) where
    it is unreadable, for example at the start of a word.
    """
    if params.vocab.units != CHARACTERS or not any(map(_is_mark, params.vocab.chars)):
        return None
    return frozenset(char for word in words for char in _before_marks(word))


def _before_marks(word: str) -> list[str]:
    """Returns the character before each combining mark; "" for a mark that begins the word."""
    return [word[max(0, i - 1) : i] for i, char in enumerate(word) if _is_mark(char)]


def _is_mark(char: str) -> bool:
    """Returns True for a combining mark."""
    return unicodedata.category(char).startswith("M")


def nearest_word(word: str, words: Sequence[str], vocab: Vocab, *, below: int | None = None) -> tuple[str, int] | None:
    """Returns the word of a list with the least edit distance (Levenshtein) to `word`, and that distance in symbols.

    Returns None if no distance is less than `below`.
    """
    cutoff = None if below is None else below - 1
    coded = None if vocab.units == CHARACTERS else vocab.as_chars
    found = process.extractOne(word, words, scorer=Levenshtein.distance, score_cutoff=cutoff, processor=coded)
    return None if found is None else (found[0], int(found[1]))


def ten_new(params: Params, words: Sequence[str], key: Key[Array, ""]) -> list[str]:
    """Draws ten new distinct words, fewer if 10,000 draws hold no more."""
    return more(params, words, key, 10, conditions=Conditions(new=True, distinct=True), budget=10_000).words
