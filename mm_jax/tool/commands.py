"""Runs the commands of `mm-jax` with their parsed arguments."""

import csv
import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import jax
import numpy as np

from mm_jax import conditions, page, terminal
from mm_jax.checks import counted
from mm_jax.evaluation import Evaluation, evaluate_split, word_means
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.files import write_whole
from mm_jax.models.contract import Params, block_size, max_length, num_params
from mm_jax.output import fail, give, say
from mm_jax.page.fitting import fitted, highest_order
from mm_jax.page.pack import rounded
from mm_jax.shapes import PLAIN, Options
from mm_jax.streams import WordFile
from mm_jax.symbols import CHARACTERS, item, lengths, symbols_of
from mm_jax.tool import runs
from mm_jax.tool.reading import read

_RANKED = 200_000  # words of a long list among which a word is ranked
_CELLS = 2**27  # logits that `top` computes by default: of 13,815 words about 5 s of CPU


def _print_losses(rows: dict[str, Evaluation]) -> None:
    """Prints a table of losses."""
    terminal.show(terminal.losses_table(rows))


def score(folder: Path, given: list[str], as_json: bool) -> None:
    """Scores words character by character, and ranks them among the training words and among all words."""
    from mm_jax.ranking import ranks
    from mm_jax.scoring import score as score_word

    run = runs.RunFolder(folder).open()
    words = run.words
    if isinstance(words, WordFile):
        means, listed = np.sort(word_means(run.params, words.spread(_RANKED))), words.among(given)
    else:
        means, listed = np.sort(word_means(run.params, words)), frozenset(words)
    results, texts, each = [], [], item(run.params.vocab.units)
    scored = [score_word(run.params, word) for word in _readable(run, given)]
    possible = [result.word for result in scored if math.isfinite(result.nll)]
    places = dict(zip(possible, ranks(run.params, possible, jax.random.key(0)) if possible else (), strict=True))
    for result in scored:
        likelier = len(means) - int(np.searchsorted(means, result.mean, side="right"))
        known = result.word in listed
        rank = int(np.searchsorted(means, result.mean)) + 1
        figures = {"mean": result.mean, "rank": rank, "likelier_than": likelier, "of": len(means), "in_list": known}
        place = places.get(result.word)
        results.append(asdict(result) | figures | {"of_all": asdict(place) if place else None})
        among = f"{likelier:,} of the list's {counted(len(means), each)}" + ("; it is in the list" if known else "")
        of_all = f"of all {each}s {place}" if place else "the model cannot make it"
        texts.append(f"{result.word}\n{result}\n{of_all}; likelier, per {result.unit}, than {among}")
    give(results, as_json, "\n\n".join(texts))


def _readable(run: runs.Run, words: Sequence[str]) -> list[str]:
    """Returns the words that the model can read, and prints the others; raises ValueError if none is left."""
    vocab, limit = run.params.vocab, max_length(run.params)
    known = frozenset(vocab.symbols[1:])
    words = [unicodedata.normalize("NFC", word) for word in words]
    kept, left_out, unknown, too_long = [], [], set(), 0
    for word, size in zip(words, lengths(words, vocab.units), strict=True):
        if lacking := set(symbols_of(word, vocab.units)) - known:
            left_out.append(word)
            unknown |= lacking
        elif limit is not None and size > limit:
            too_long += 1
        else:
            kept.append(word)
    if len(words) == len(left_out) == 1:
        vocab.encode(words[0])  # raises the error that says where
    if len(kept) < len(words):
        named = f"{', '.join(left_out[:5])}{', ...' if len(left_out) > 5 else ''}"
        what = f"{vocab.units if vocab.units == CHARACTERS else 'symbols'} that the model does not know"
        why = [f"{len(left_out):,} with {what} ({' '.join(sorted(unknown)[:20])}): {named}"] if left_out else []
        why += [f"{too_long:,} longer than the {limit} {vocab.units} it reads"] if too_long else []
        say(f"skipped of {counted(len(words), 'word')}: {'; '.join(why)}")
    if not kept:
        raise ValueError("the model can read none of the words")
    return kept


def oddest(folder: Path, path: Path, n: int, as_json: bool, taken: Options = PLAIN) -> None:
    """Prints the words of a list that are least likely per character."""
    run = runs.RunFolder(folder).open()
    words = _readable(run, read(path, taken))
    means = word_means(run.params, words)
    order = np.argsort(-means, kind="stable")[:n]
    rows = [{"word": words[i], "mean": float(means[i])} for i in order]
    give(rows, as_json, "\n".join(f"{row['mean']:8.4f}  {row['word']}" for row in rows))


def evaluate(folder: Path, path: Path | None, as_json: bool, taken: Options = PLAIN) -> None:
    """Prints the losses of a run on its own lists, or on another list."""
    run = runs.RunFolder(folder).open()
    rows = evaluate_split(run.params, run.split)
    if path is not None:
        rows = {path.name: evaluate_words(run.params, _readable(run, read(path, taken)), seen=run.split.train)}
    if as_json:
        give({name: asdict(row) for name, row in rows.items()}, True, "")
    else:
        _print_losses(rows)


def plot(folder: Path) -> None:
    """Draws the pictures of the model into the run folder."""
    from mm_jax.tool import pictures

    run = runs.RunFolder(folder).open()
    drawn = []
    for name, picture in pictures.draw_all(run):
        drawn.append(folder / f"{name}.png")
        write_whole(drawn[-1], picture)
    print(*drawn, sep="\n")  # after all are written: the reader may close the pipe after a line


def top(
    folder: Path,
    n: int,
    known: bool,
    prefix: str,
    lengths: tuple[int | None, int | None],
    budget: int | None,
    as_json: bool,
) -> None:
    """Prints the most probable words, found exactly; `lengths` are the bounds, those of the list where None."""
    from mm_jax.enumeration import most_probable

    run = runs.RunFolder(folder).open()
    least, most = conditions.lengths_for(run.words, prefix, *lengths, units=run.params.vocab.units)
    found = most_probable(
        run.params,
        n,
        exclude=() if known else run.words,
        prefix=prefix,
        min_length=least,
        max_length=most,
        budget=budget or min(50_000, _CELLS // len(run.params.vocab)),
    )
    rows = [{"word": word, "probability": p} for word, p in found]
    give(rows, as_json, "\n".join(f"{p:.3e}  {word}" for word, p in found))
    if len(found) < n:
        each = item(run.params.vocab.units)
        fail(f"{len(found)} of {n} {each}s were found before the search ended: raise --budget, or loosen the lengths")


def info(folder: Path, as_json: bool) -> None:
    """Prints what a run folder holds."""
    run = runs.RunFolder(folder).open()
    history, vocab = run.folder.history(), run.params.vocab
    facts = {
        "model": type(run.params).__name__,
        "parameters": num_params(run.params),
        "context": "the whole word" if (size := block_size(run.params)) is None else size,
        "vocabulary": vocab.chars if vocab.units == CHARACTERS else f"{len(vocab) - 1:,} {vocab.units}",
        "words": {name: len(part) for name, part in run.split._asdict().items()},
        "steps": history[-1][0] if history else 0,
        "options": dict(run.plan),
    }
    lines = io.StringIO()
    rows = csv.writer(lines, delimiter="\t", lineterminator="\n")
    for name, value in facts.items():
        cell = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        rows.writerow([name, cell])
    give(facts, as_json, lines.getvalue().rstrip())


def write_page(
    folder: Path | None, out: Path, title: str | None, *, with_words: bool, half: bool, learn: bool, overwrite: bool
) -> None:
    """Writes the page of a run, or without a run the page that learns.

    Raises ValueError as `page.write`, for options that need a run, and for an existing file before it evaluates.
    """
    page.check_free(out, overwrite)
    if folder is not None:
        _write_run(runs.RunFolder(folder).open(), out, title, with_words, half, learn, overwrite)
    elif not learn or with_words or half:
        raise ValueError("name a RUN" if learn else "name a RUN, or give --learn")
    else:
        page.write_learner(out, title=title, overwrite=overwrite)
    say(f"wrote {out}: {out.stat().st_size / 1024:,.0f} KiB")


def _write_run(
    run: runs.Run, out: Path, title: str | None, with_words: bool, half: bool, learn: bool, overwrite: bool
) -> None:
    """Writes the page of a run, with its losses on the card; of a model that is too large, a smaller one."""
    words = None if isinstance(run.words, WordFile) else run.split.train
    params, small = fitted(run.params, page.MAX_WEIGHTS, half=half, words=words)
    params = rounded(params) if small else params
    losses = evaluate_split(params, run.split)
    if small and not half:
        _say_smaller(run, params, losses)
    labels = page.texts()["card"]
    card = {
        labels["loss"].format(name=name): labels["loss_text"].format(nll=f"{row.nll:.4f}", stderr=f"{row.stderr:.4f}")
        for name, row in losses.items()
    }
    card[labels["learned"]] = labels["learned_text"].format(
        train=f"{len(run.split.train):,}", all=f"{len(run.words):,}"
    )
    card[labels["recipe"]] = ", ".join(f"{name} {value}" for name, value in run.plan.items() if value or name == "seed")
    card[labels["made"]] = labels["made_text"].format(date=date.today().isoformat(), generator=page.GENERATOR)
    page.write(
        params,
        out,
        words=run.words,
        title=title or run.folder.path.resolve().name,
        with_words=with_words,
        half=small,
        card=card,
        temperature=conditions.temperature_for(len(run.words)),
        lengths=conditions.lengths_for(run.words, units=params.vocab.units),
        learn=learn,
        overwrite=overwrite,
    )


def _say_smaller(run: runs.Run, params: Params, losses: dict[str, Evaluation]) -> None:
    """Says what was left out of a model that is too large for a page, and the loss that this costs."""
    order, whole = highest_order(params), highest_order(run.params)
    orders = f", n-grams up to order {order} in place of {whole}" if order < whole else ""
    name, row = list(losses.items())[min(1, len(losses) - 1)]
    before = evaluate_split(run.params, run.split)[name]
    each = "character" if params.vocab.units == CHARACTERS else "symbol"
    cost = f"{name} {row.nll:.4f} in place of {before.nll:.4f} nats per {each}"
    say(f"the model is too large for a page, which holds a smaller one: half precision{orders}: {cost}")
