"""What the commands of `mm-jax` do, once their arguments are read."""

import csv
import io
import unicodedata
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mm_jax import words
from mm_jax.evaluation import Evaluation, word_nlls
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.files import write_whole
from mm_jax.models.contract import Params, block_size, max_length, num_params
from mm_jax.tool import runs, terminal
from mm_jax.tool.output import fail, give, say


def _print_losses(rows: dict[str, Evaluation]) -> None:
    terminal.show(terminal.losses_table(rows))


def _losses(params: Params, split: words.Split) -> dict[str, Evaluation]:
    return {name: evaluate_words(params, part, seen=split.train) for name, part in split._asdict().items() if part}


def score(folder: Path, given: list[str], as_json: bool) -> None:
    """Scores words character by character, and says where each would stand in the training list."""
    from mm_jax.scoring import score as score_word

    run = runs.open_run(folder)
    means = np.sort(_word_means(run, run.split.train))
    results, texts = [], []
    for word in _readable(run, given):
        scored = score_word(run.params, word)
        rank = int(np.searchsorted(means, scored.mean)) + 1
        results.append(asdict(scored) | {"mean": scored.mean, "rank": rank, "of": len(means)})
        texts.append(
            f"{scored.word}\n{scored}\nlikelier, per character, than all but {rank - 1:,} of {len(means):,} words"
        )
    give(results, as_json, "\n\n".join(texts))


def _readable(run: runs.Run, listed: list[str]) -> list[str]:
    """The words that the model can read; the others are counted and named. ValueError where none is left."""
    vocab, limit = run.params.vocab, max_length(run.params)
    known = frozenset(vocab.chars[1:])
    listed = [unicodedata.normalize("NFC", word) for word in listed]
    kept = [word for word in listed if known.issuperset(word) and (limit is None or len(word) <= limit)]
    if len(kept) < len(listed):
        left_out = [word for word in listed if not known.issuperset(word)]
        too_long = len(listed) - len(kept) - len(left_out)
        chars = " ".join(sorted(set("".join(left_out)) - known)[:20])
        named = f": {', '.join(left_out[:5])}{', ...' if len(left_out) > 5 else ''}" if left_out else ""
        why = [f"{len(left_out):,} with characters that the model does not know ({chars}){named}"] if left_out else []
        why += [f"{too_long:,} longer than the {limit} characters it reads"] if too_long else []
        say(f"skipped of {len(listed):,} words: {'; '.join(why)}")
    if not kept:
        raise ValueError("no word is left that the model can read")
    return kept


def _word_means(run: runs.Run, listed: list[str]) -> np.ndarray:
    """Nats per character of each word: float64 [words]."""
    sums, lengths = word_nlls(run.params, listed)
    return sums / lengths


def oddest(folder: Path, path: Path, n: int, as_json: bool) -> None:
    """The words of a list that the model finds least likely, per character."""
    run = runs.open_run(folder)
    listed = _readable(run, words.load_words(path))
    means = _word_means(run, listed)
    order = np.argsort(-means, kind="stable")[:n]
    rows = [{"word": listed[i], "mean": float(means[i])} for i in order]
    give(rows, as_json, "\n".join(f"{each['mean']:8.4f}  {each['word']}" for each in rows))


def evaluate(folder: Path, path: Path | None, as_json: bool) -> None:
    """The losses of a run on its own lists, or on another one."""
    run = runs.open_run(folder)
    rows = _losses(run.params, run.split)
    if path is not None:
        rows = {path.name: evaluate_words(run.params, _readable(run, words.load_words(path)), seen=run.split.train)}
    if as_json:
        give({name: asdict(row) for name, row in rows.items()}, True, "")
    else:
        _print_losses(rows)


def plot(folder: Path) -> None:
    """Draws what the model has into the run folder."""
    from mm_jax.tool import pictures

    run = runs.open_run(folder)
    for name, picture in pictures.drawn(run):
        write_whole(folder / f"{name}.png", picture)
        print(folder / f"{name}.png")


def top(folder: Path, n: int, known: bool, prefix: str, min_length: int, as_json: bool) -> None:
    """The most probable words, exactly."""
    from mm_jax.enumeration import most_probable

    run = runs.open_run(folder)
    found = most_probable(run.params, n, exclude=() if known else run.words, prefix=prefix, min_length=min_length)
    rows = [{"word": word, "probability": p} for word, p in found]
    give(rows, as_json, "\n".join(f"{p:.3e}  {word}" for word, p in found))
    if len(found) < n:
        fail(f"{len(found)} of {n} words were found before the search grew too large")


def info(folder: Path, as_json: bool) -> None:
    """What a run folder holds."""
    run = runs.open_run(folder)
    history = runs.read_history(folder)
    facts = {
        "model": type(run.params).__name__,
        "parameters": num_params(run.params),
        "context": "the whole word" if (size := block_size(run.params)) is None else size,
        "vocabulary": run.params.vocab.chars,
        "words": {name: len(part) for name, part in run.split._asdict().items()},
        "steps": history[-1][0] if history else 0,
        "options": dict(run.plan),
    }
    lines = io.StringIO()
    rows = csv.writer(lines, delimiter="\t", lineterminator="\n")
    for name, value in facts.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        rows.writerow([name, shown])
    give(facts, as_json, lines.getvalue().rstrip())
