"""`mm-jax sample`: draws words that meet all conditions, and prints them."""

import csv
import io
import json
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.cells import cell_len, set_cell_size

from mm_jax.checkpoint import load, mark_of
from mm_jax.checks import counted
from mm_jax.conditions import Conditions, more, nearest_word, start_of
from mm_jax.evaluation import word_means
from mm_jax.models.contract import Params
from mm_jax.output import fail, finite, give, say
from mm_jax.sampling import Samples
from mm_jax.streams import some
from mm_jax.symbols import item, length
from mm_jax.tool import runs

_RANKED = 20_000  # words of the list among which a percentile is computed


def kept_by(program: str) -> Callable[[str], bool]:
    """Returns a function that runs a program with a word as its only line of input: exit status 0 keeps the word.

    Raises ValueError for a program that cannot be started.
    """
    try:
        command = shlex.split(program)
    except ValueError as error:
        raise ValueError(f"--filter {program!r} is no command: {error}") from None
    if not command:
        raise ValueError("--filter is blank: give a program")

    def accept(word: str) -> bool:
        try:
            return subprocess.run(command, input=f"{word}\n".encode(), stdout=subprocess.DEVNULL).returncode == 0
        except OSError as error:
            raise ValueError(f"--filter {program!r} cannot be run: {error.strerror}") from None

    return accept


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
    means = np.sort(word_means(params, some(words, _RANKED)))
    rows = []
    for word, mean in zip(samples, word_means(params, samples), strict=True):
        nearest, distance = nearest_word(word, words, params.vocab) or ("", length(word, params.vocab.units))
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
    """Prints n words that meet all conditions; prints fewer and exits with status 1 if the budget is spent.

    `folder` is a run, or a model that a page saved.
    """
    if folder.is_file():
        params, words, start = _saved(folder), [], _start(folder)
        if conditions.new or conditions.min_distance or display.scores or display.sort:
            raise ValueError(f"{folder} does not hold its list: leave out --new, --min-distance, --scores and --sort")
    else:
        run = runs.RunFolder(folder).open()
        params, words, start = run.params, run.words, start_of(run.words, run.params.vocab.units)
    found = {"conditions": conditions, "budget": budget, "start": start, **options}
    samples = more(params, words, jax.random.key(seed), n, **found)
    rows: list[dict[str, Any]] = [{"word": word} for word in samples.words]
    if display.scores or display.sort:
        scored = score_words(params, samples.words, words)
        if display.sort:
            scored.sort(key=lambda row: row.nats)
        rows = [asdict(row) if display.scores else {"word": row.word} for row in scored]
    result: dict[str, Any] = {"words": [row["word"] for row in rows], "tried": samples.tried}
    give(result | ({"scores": rows} if display.scores else {}), as_json, render(rows, display.form))
    each = item(params.vocab.units)
    said = f"{len(rows)} of {counted(n, each)}, {samples.tried:,} drawn"
    if options["temperature"] is None:
        said += f", temperature {start['temperature']}" + (f" for {counted(len(words), each)}" if words else "")
    say(said)
    if len(rows) < n:
        fail(_too_few(samples, budget))


def _saved(path: Path) -> Params:
    """Reads a saved model; raises ValueError for a file that is none, such as a list."""
    try:
        return load(path)
    except ValueError as error:
        if path.suffix == ".safetensors":
            raise
        raise ValueError(f"{path} is a file, and no model: name a run folder, which mm-jax train makes") from error


def _start(path: Path) -> dict[str, Any]:
    """Returns what a saved model says of its list; raises ValueError for a file without that."""
    try:
        start = json.loads(mark_of(path))
        if {"temperature", "least", "longest", "first_case"} <= start.keys():
            return start
    except (AttributeError, json.JSONDecodeError):
        pass
    raise ValueError(f"{path} is not from a page, and does not say what its list is like: give the folder of a run")


def _too_few(samples: Samples, budget: int) -> str:
    """Explains why too few words were found: the condition that rejected most."""
    if not samples.rejected:
        return f"{samples.tried:,} words were drawn, as many as --budget allows: raise it"
    if samples.tried < budget:  # greedy
        return f"the likeliest word does not meet the condition: {next(iter(samples.rejected))}"
    most = max(samples.rejected, key=lambda name: samples.rejected[name])
    share = samples.rejected[most] / samples.tried
    return f"too few words met all conditions; {share:.0%} failed on {most}: loosen it, or raise --budget"


def render(rows: list[dict[str, Any]], form: str) -> str:
    """Writes rows as text in columns, as comma- or tab-separated values with a header, or as one JSON object a line."""
    if form == "jsonl":
        return "\n".join(json.dumps(finite(row), ensure_ascii=False, allow_nan=False) for row in rows)
    if form == "text":
        if not rows or len(rows[0]) == 1:
            return "\n".join(row["word"] for row in rows)
        lines = [f"{row['nats']:6.3f}  {row['percentile']:3.0f}%  {row['word']}" for row in rows]
        ends = [f"{row['nearest']} ({row['distance']})" for row in rows]
        width = max(map(cell_len, lines))
        return "\n".join(set_cell_size(line, width) + f"  {end}" for line, end in zip(lines, ends, strict=True))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(rows[0]) if rows else ["word"], delimiter="\t" if form == "tsv" else ",", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")
