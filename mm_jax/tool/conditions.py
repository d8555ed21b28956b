"""`mm-jax sample`: draws words that meet all conditions, of the list and of the options, and prints them."""

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

from mm_jax import sampling
from mm_jax.checks import shown
from mm_jax.evaluation import word_means
from mm_jax.models import contract, fresh
from mm_jax.models.contract import Params
from mm_jax.output import fail, give, say
from mm_jax.tool import runs
from mm_jax.words import load_words

_RANKED = 20_000  # words of the list among which a percentile is computed
_CELLS = 2**22  # prefixes * characters up to which the model is restricted to new words: about a second


@dataclass(frozen=True)
class Conditions:
    """The conditions of `mm-jax sample` by which a drawn word is accepted or rejected."""

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
    """Returns the default temperature for a list: lower for a short one.

    Short lists get a lower temperature, because unlikely draws of an uncertain model read badly. Above 0.8 even long
    lists (package names) gave gibberish.

    >>> temperature_for(48), temperature_for(1000), temperature_for(100_000)
    (0.5, 0.7, 0.8)
    """
    return float(np.clip(np.round(0.3 + 0.12 * np.log10(num_words), 1), 0.5, 0.8))


def lengths_for(words: Sequence[str], prefix: str = "", least: int | None = None) -> tuple[int, int]:
    """Returns the default bounds of the length: those of the list, raised for a longer prefix or least length.

    The minimum is at most 8, or a list of one long word would accept hardly any sample.
    """
    sizes = [len(word) for word in words]
    shortest = min(8, *sizes) if least is None else least
    beyond = max(len(prefix), shortest)
    return shortest, max(sizes) + (beyond if beyond >= max(sizes) else 0)


def draw(
    params: Params,
    words: Sequence[str],
    n: int,
    seed: int,
    conditions: Conditions,
    budget: int,
    **options: Any,
) -> sampling.Samples:
    """Draws words until n of them meet all conditions, or the budget is spent.

    Args:
      params: any model.
      words: the training list, which gives the default lengths.
      n: number of words.
      seed: seed of all random numbers.
      conditions: what a word must meet.
      budget: bound on the number of words drawn.
      options: prefix, temperature and top_k of `mm_jax.sample`; a temperature of None is `temperature_for`.
    """
    words = list(words)
    if options.get("temperature") is None:
        options["temperature"] = temperature_for(len(words))
    prefix = options.setdefault("prefix", "")
    shortest, longest = lengths_for(words, prefix, conditions.min_length)
    if conditions.max_length is not None:
        longest = conditions.max_length
        shortest = shortest if conditions.min_length is not None else min(shortest, longest)
    if shortest > longest:
        raise ValueError(f"no word has {shortest} characters or more and {longest} or fewer: change --min-length")
    accept = _acceptance(params, words, conditions, range(shortest, longest + 1))
    limit = contract.max_length(params)
    # One character more than the longest word, so that a word that was cut there is too long and rejected.
    max_length = longest + 1 if limit is None else min(longest + 1, limit)
    drawn_from = _restricted(params, words) if conditions.new else params
    key, sampling_options = jax.random.key(seed), sampling.SamplingOptions(**options, max_length=max_length)
    return sampling.search(drawn_from, key, n, accept, sampling_options, budget=budget)


def _restricted(params: Params, words: list[str]) -> Params:
    """Restricts a model to new words if the table for it is small; otherwise words of the list are rejected later."""
    if sum(map(len, words)) * len(params.vocab) > _CELLS:
        return params
    return fresh.wrap(params, words, share=0.0)


def _acceptance(params: Params, words: list[str], conditions: Conditions, lengths: range) -> Callable[[str], bool]:
    """Returns accept(word) -> bool; raises ValueError for conditions that no word can meet."""
    known, seen = frozenset(words), set()
    carriers = _carriers(params, words)
    suffix, contains = (unicodedata.normalize("NFC", text) for text in (conditions.suffix, conditions.contains))
    for text in (suffix, contains):
        params.vocab.encode(text)  # raises ValueError for a character that the model does not know
    avoided = [word.casefold() for word in load_words(conditions.avoid)] if conditions.avoid else []
    try:
        pattern = re.compile(conditions.regex or "")
    except re.error as error:
        raise ValueError(f"--regex {conditions.regex!r} is no regular expression: {error}") from None
    except (RecursionError, OverflowError):
        text = shown(conditions.regex)
        raise ValueError(f"--regex {text} is no regular expression this program can read: it is too deep") from None

    def accept(word: str) -> bool:
        fits = len(word) in lengths and word.endswith(suffix) and contains in word and bool(pattern.search(word))
        fits = fits and (carriers is None or carriers.issuperset(_before_marks(word)))
        fits = fits and not (conditions.new and word in known) and not (conditions.distinct and word in seen)
        fits = fits and not any(part in word.casefold() for part in avoided)
        fits = fits and (
            conditions.min_distance < 1 or nearest_word(word, words, below=conditions.min_distance) is None
        )
        seen.add(word)
        return fits

    return accept


def _carriers(params: Params, words: list[str]) -> frozenset[str] | None:
    """Returns the characters that carry a combining mark in the list; None for an alphabet without marks.

    A smoothed model gives every character some probability everywhere, and may put a mark (such as a vowel sign) where
    it is unreadable, for example at the start of a word.
    """
    if not any(map(_is_mark, params.vocab.chars)):
        return None
    return frozenset(char for word in words for char in _before_marks(word))


def _before_marks(word: str) -> list[str]:
    """Returns the character before each combining mark; "" for a mark that begins the word."""
    return [word[max(0, i - 1) : i] for i, char in enumerate(word) if _is_mark(char)]


def _is_mark(char: str) -> bool:
    """Returns True for a combining mark."""
    return unicodedata.category(char).startswith("M")


def nearest_word(word: str, words: Sequence[str], below: int | None = None) -> tuple[str, int] | None:
    """Returns the word of a list with the least edit distance (Levenshtein) to `word`, and that distance.

    Returns None if no distance is less than `below`.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    cutoff = None if below is None else below - 1
    found = process.extractOne(word, words, scorer=Levenshtein.distance, score_cutoff=cutoff)
    return None if found is None else (found[0], int(found[1]))


def ten_new(params: Params, words: Sequence[str], seed: int) -> list[str]:
    """Draws ten new distinct words, fewer if 10,000 draws hold no more."""
    return draw(params, words, 10, seed, Conditions(new=True, distinct=True), 10_000).words


@dataclass(frozen=True)
class Display:
    """Options of printing: the format, with scores or not, sorted by likelihood or not."""

    form: str = "text"
    scores: bool = False
    sort: bool = False


@dataclass(frozen=True)
class ScoredWord:
    """A row of `--scores`: nats per character, percentage of the list that is less likely, nearest word of the list."""

    word: str
    nats: float
    percentile: float
    nearest: str
    distance: int


def score_words(params: Params, samples: list[str], words: Sequence[str]) -> list[ScoredWord]:
    """Computes the rows of `--scores`; percentiles are among the list, by nats per character."""
    if not samples:
        return []
    means = np.sort(word_means(params, list(words[:_RANKED])))
    rows = []
    for word, mean in zip(samples, word_means(params, samples), strict=True):
        nearest, distance = nearest_word(word, words) or ("", len(word))
        percentile = 100 * (1 - np.searchsorted(means, mean) / len(means))
        rows.append(ScoredWord(word, float(mean), float(percentile), nearest, distance))
    return rows


def sample(
    folder: Path,
    n: int,
    conditions: Conditions,
    options: dict[str, Any],
    budget: int,
    seed: int,
    display: Display,
    as_json: bool,
) -> None:
    """Prints n words that meet all conditions; prints fewer and exits with status 1 if the budget is spent."""
    run = runs.RunFolder(folder).open()
    samples = draw(run.params, run.words, n, seed, conditions, budget, **options)
    rows: list[dict[str, Any]] = [{"word": word} for word in samples.words]
    if display.scores or display.sort:
        scored = score_words(run.params, samples.words, run.words)
        if display.sort:
            scored.sort(key=lambda row: row.nats)
        rows = [asdict(row) if display.scores else {"word": row.word} for row in scored]
    result: dict[str, Any] = {"words": [row["word"] for row in rows], "tried": samples.tried}
    give(result | ({"scores": rows} if display.scores else {}), as_json, render(rows, display.form))
    default = f", temperature {temperature_for(len(run.words))} for {len(run.words):,} words"
    say(f"{len(rows)} of {n} words, {samples.tried:,} drawn{'' if options['temperature'] is not None else default}")
    if len(rows) < n:
        fail("too few words met all conditions: loosen them, or raise --budget")


def render(rows: list[dict[str, Any]], form: str) -> str:
    """Writes rows as text in columns, as comma- or tab-separated values with a header, or as one JSON object a line."""
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
