"""`mm-jax sample`: draws words, and prints them with what is said of each."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mm_jax.evaluation import word_nlls
from mm_jax.models.contract import Params
from mm_jax.tool import runs
from mm_jax.tool.conditions import Wanted, draw, nearest, temperature_for
from mm_jax.tool.output import fail, give, say

_MEASURED = 20_000  # words of the list that a percentile is taken among


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
    means = np.sort(_means(params, list(listed[:_MEASURED])))
    found = []
    for word, mean in zip(drawn, _means(params, drawn), strict=True):
        close, distance = nearest(word, listed) or ("", len(word))
        above = 100 * (1 - np.searchsorted(means, mean) / len(means))
        found.append(Scored(word, float(mean), float(above), close, distance))
    return found


def _means(params: Params, listed: list[str]) -> np.ndarray:
    """Nats per character of each word: float64 [words]."""
    sums, lengths = word_nlls(params, listed)
    return sums / lengths


def sample(
    folder: Path, n: int, wanted: Wanted, drawn: dict[str, Any], budget: int, seed: int, shown: Shown, as_json: bool
) -> None:
    """Prints n words that meet every condition; with fewer, what was found, and status 1."""
    run = runs.open_run(folder)
    found = draw(run.params, run.words, n, seed, wanted, budget, **drawn)
    listed = list(found.words)
    rows: list[dict[str, Any]] = [{"word": word} for word in listed]
    if shown.scores or shown.sort:
        every = scored(run.params, listed, [*run.split.train, *run.split.dev, *run.split.test])
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
