"""`mm-jax sample`: the conditions that a word must meet, by its list and by the options; drawing and printing them."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mm_jax import sampling, words
from mm_jax.evaluation import word_means
from mm_jax.models import contract, fresh
from mm_jax.models.contract import Params
from mm_jax.output import fail, give, say
from mm_jax.tool import runs

_MEASURED = 20_000  # words of the list that a percentile is taken among
_CELLS = 2**22  # prefixes * characters, up to which a model of new words only is made: about a second


@dataclass(frozen=True)
class Wanted:
    """The conditions of `mm-jax sample` that a word must meet after it was drawn."""

    suffix: str = ""
    contains: str = ""
    min_length: int | None = None
    max_length: int | None = None
    new: bool = False
    distinct: bool = False
    min_distance: int = 0
    avoid: Path | None = None
    regex: str | None = None


def temperature_for(num_words: int) -> float:
    """The temperature that suits a list: a short one leaves a model unsure, and what it is unsure of reads badly.

    Above 0.8 words of long lists read worse too: many that were drawn like names of packages at 1 were gibberish.

    >>> temperature_for(48), temperature_for(1000), temperature_for(100_000)
    (0.5, 0.7, 0.8)
    """
    return float(np.clip(np.round(0.3 + 0.12 * np.log10(num_words), 1), 0.5, 0.8))


def lengths_for(listed: Sequence[str], prefix: str = "", least: int | None = None) -> tuple[int, int]:
    """The shortest and the longest word of a list, in characters; longer where a prefix or a least length needs it.

    No word has to be longer than eight characters for it: of a list of one long word hardly any draw would be.
    """
    sizes = [len(word) for word in listed]
    shortest = min(8, *sizes) if least is None else least
    beyond = max(len(prefix), shortest)
    return shortest, max(sizes) + (beyond if beyond >= max(sizes) else 0)


def draw(
    params: Params,
    listed: Sequence[str],
    n: int,
    seed: int,
    wanted: Wanted,
    budget: int,
    **drawn: Any,
) -> sampling.Samples:
    """Draws until n words meet every condition, or the budget is spent.

    Args:
      params: any model.
      listed: the words it learned from: they bound the lengths that are not given.
      n: how many words.
      seed: decides them.
      wanted: the conditions.
      budget: most words to draw.
      drawn: prefix, temperature and top_k, as `mm_jax.sample` takes them; a temperature of None is `temperature_for`.
    """
    listed = list(listed)
    if drawn.get("temperature") is None:
        drawn["temperature"] = temperature_for(len(listed))
    prefix = drawn.setdefault("prefix", "")
    shortest, longest = lengths_for(listed, prefix, wanted.min_length)
    if wanted.max_length is not None:
        longest = wanted.max_length
        shortest = shortest if wanted.min_length is not None else min(shortest, longest)
    if shortest > longest:
        raise ValueError(f"no word has {shortest} characters or more and {longest} or fewer: change --min-length")
    accept = _accepts(params, listed, wanted, range(shortest, longest + 1))
    limit = contract.max_length(params)
    # One character more than is wanted, so that a word that was cut is told from one that ended.
    options = sampling.SamplingOptions(**drawn, max_length=longest + 1 if limit is None else min(longest + 1, limit))
    return sampling.search(
        _of_new_words(params, listed) if wanted.new else params, jax.random.key(seed), n, accept, options, budget=budget
    )


def _of_new_words(params: Params, listed: list[str]) -> Params:
    """The model of words that are not in the list, where its table is small: else what is drawn is looked up."""
    if sum(map(len, listed)) * len(params.vocab) > _CELLS:
        return params
    return fresh.wrap(params, listed, share=0.0)


def _accepts(params: Params, listed: list[str], wanted: Wanted, lengths: range) -> Callable[[str], bool]:
    """Whether a word meets every condition; ValueError for conditions that no word can meet."""
    known, met = frozenset(listed), set()
    carriers = _carriers(params, listed)
    suffix, contains = (unicodedata.normalize("NFC", text) for text in (wanted.suffix, wanted.contains))
    for text in (suffix, contains):
        params.vocab.encode(text)  # a character the model does not know is never drawn
    avoided = [word.casefold() for word in words.load_words(wanted.avoid)] if wanted.avoid else []
    try:
        pattern = re.compile(wanted.regex or "")
    except re.error as error:
        raise ValueError(f"--regex {wanted.regex!r} is no regular expression: {error}") from None

    def accept(word: str) -> bool:
        fits = len(word) in lengths and word.endswith(suffix) and contains in word and bool(pattern.search(word))
        fits = fits and (carriers is None or carriers.issuperset(_before_marks(word)))
        fits = fits and not (wanted.new and word in known) and not (wanted.distinct and word in met)
        fits = fits and not any(part in word.casefold() for part in avoided)
        fits = fits and (wanted.min_distance < 1 or nearest(word, listed, below=wanted.min_distance) is None)
        met.add(word)
        return fits

    return accept


def _carriers(params: Params, listed: list[str]) -> frozenset[str] | None:
    """The characters that a combining mark stands behind in a list; None where the alphabet has no marks.

    A model gives every character some probability everywhere, a vowel sign at the start of a word too: on no letter, it
    cannot be read.
    """
    if not any(map(_is_mark, params.vocab.chars)):
        return None
    return frozenset(char for word in listed for char in _before_marks(word))


def _before_marks(word: str) -> list[str]:
    """What stands before each combining mark; "" before one that begins the word."""
    return [word[max(0, i - 1) : i] for i, char in enumerate(word) if _is_mark(char)]


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def nearest(word: str, listed: Sequence[str], below: int | None = None) -> tuple[str, int] | None:
    """The word of a list with the fewest edits (insert, delete or replace a character) to `word`, and their number.

    None where there is none with fewer than `below`.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    cutoff = None if below is None else below - 1
    found = process.extractOne(word, listed, scorer=Levenshtein.distance, score_cutoff=cutoff)
    return None if found is None else (found[0], int(found[1]))


def ten_new(params: Params, listed: Sequence[str], seed: int) -> list[str]:
    """Returns ten new words, or as many as are found: what a command shows of a model that it made."""
    return draw(params, listed, 10, seed, Wanted(new=True, distinct=True), 10_000).words


@dataclass(frozen=True)
class Shown:
    """How the words are printed."""

    form: str = "text"
    scores: bool = False
    sort: bool = False


@dataclass(frozen=True)
class Scored:
    """A word as `--scores` shows it: nats per character, the percentage of the list less likely, its nearest word."""

    word: str
    nats: float
    percentile: float
    nearest: str
    distance: int


def scored(params: Params, drawn: list[str], listed: Sequence[str]) -> list[Scored]:
    """What `--scores` says of each word; the percentile is among the list's words, by nats per character."""
    if not drawn:
        return []
    means = np.sort(word_means(params, list(listed[:_MEASURED])))
    found = []
    for word, mean in zip(drawn, word_means(params, drawn), strict=True):
        close, distance = nearest(word, listed) or ("", len(word))
        above = 100 * (1 - np.searchsorted(means, mean) / len(means))
        found.append(Scored(word, float(mean), float(above), close, distance))
    return found


def sample(
    folder: Path, n: int, wanted: Wanted, drawn: dict[str, Any], budget: int, seed: int, shown: Shown, as_json: bool
) -> None:
    """Prints n words that meet every condition; with fewer, what was found, and status 1."""
    run = runs.RunFolder(folder).open()
    found = draw(run.params, run.words, n, seed, wanted, budget, **drawn)
    listed = list(found.words)
    rows: list[dict[str, Any]] = [{"word": word} for word in listed]
    if shown.scores or shown.sort:
        every = scored(run.params, listed, run.words)
        if shown.sort:
            every.sort(key=lambda each: each.nats)
        rows = [asdict(each) if shown.scores else {"word": each.word} for each in every]
    result: dict[str, Any] = {"words": [row["word"] for row in rows], "tried": found.tried}
    give(result | ({"scores": rows} if shown.scores else {}), as_json, render(rows, shown.form))
    used = drawn["temperature"]
    chosen = "" if used is not None else f", temperature {temperature_for(len(run.words))} for {len(run.words):,} words"
    say(f"{len(listed)} of {n} words, {found.tried:,} drawn{chosen}")
    if len(listed) < n:
        fail("the conditions were met too seldom: loosen them, or raise --budget")


def render(rows: list[dict[str, Any]], form: str) -> str:
    """The rows as plain text in columns, comma- or tab-separated values with a header, or one JSON object a line."""
    if form == "jsonl":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    if form == "text":
        if not rows or len(rows[0]) == 1:
            return "\n".join(row["word"] for row in rows)
        lines = [f"{row['nats']:6.3f}  {row['percentile']:3.0f}%  {row['word']}" for row in rows]
        ends = [f"{row['nearest']} ({row['distance']})" for row in rows]
        width = max(map(len, lines))
        return "\n".join(f"{line:{width}}  {end}" for line, end in zip(lines, ends, strict=True))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(rows[0]) if rows else ["word"], delimiter="\t" if form == "tsv" else ",", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")
