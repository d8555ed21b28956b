"""What the commands of `mm-jax` do, once their arguments are read."""

import csv
import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from mm_jax import page, terminal, words
from mm_jax.evaluation import Evaluation, evaluate_split, word_means
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.files import write_whole
from mm_jax.models import widened
from mm_jax.models.contract import block_size, max_length, num_params
from mm_jax.models.mixture import Mixture
from mm_jax.output import fail, give, say
from mm_jax.page.pack import rounded
from mm_jax.tool import conditions, runs
from mm_jax.vocab import Vocab
from mm_jax.words import Split, WordList


def _print_losses(rows: dict[str, Evaluation]) -> None:
    terminal.show(terminal.losses_table(rows))


def score(folder: Path, given: list[str], as_json: bool) -> None:
    """Scores words character by character, and says where each would stand in the training list."""
    from mm_jax.scoring import score as score_word

    run = runs.RunFolder(folder).open()
    means = np.sort(word_means(run.params, run.split.train))
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


def oddest(folder: Path, path: Path, n: int, as_json: bool) -> None:
    """The words of a list that the model finds least likely, per character."""
    run = runs.RunFolder(folder).open()
    listed = _readable(run, words.load_words(path))
    means = word_means(run.params, listed)
    order = np.argsort(-means, kind="stable")[:n]
    rows = [{"word": listed[i], "mean": float(means[i])} for i in order]
    give(rows, as_json, "\n".join(f"{each['mean']:8.4f}  {each['word']}" for each in rows))


def evaluate(folder: Path, path: Path | None, as_json: bool) -> None:
    """The losses of a run on its own lists, or on another one."""
    run = runs.RunFolder(folder).open()
    rows = evaluate_split(run.params, run.split)
    if path is not None:
        rows = {path.name: evaluate_words(run.params, _readable(run, words.load_words(path)), seen=run.split.train)}
    if as_json:
        give({name: asdict(row) for name, row in rows.items()}, True, "")
    else:
        _print_losses(rows)


def plot(folder: Path) -> None:
    """Draws what the model has into the run folder."""
    from mm_jax.tool import pictures

    run = runs.RunFolder(folder).open()
    for name, picture in pictures.drawn(run):
        write_whole(folder / f"{name}.png", picture)
        print(folder / f"{name}.png")


def top(folder: Path, n: int, known: bool, prefix: str, min_length: int, as_json: bool) -> None:
    """The most probable words, exactly."""
    from mm_jax.enumeration import most_probable

    run = runs.RunFolder(folder).open()
    found = most_probable(run.params, n, exclude=() if known else run.words, prefix=prefix, min_length=min_length)
    rows = [{"word": word, "probability": p} for word, p in found]
    give(rows, as_json, "\n".join(f"{p:.3e}  {word}" for word, p in found))
    if len(found) < n:
        fail(f"{len(found)} of {n} words were found before the search grew too large")


def info(folder: Path, as_json: bool) -> None:
    """What a run folder holds."""
    run = runs.RunFolder(folder).open()
    history = run.folder.history()
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


def mix(folders: Sequence[Path], weights: Sequence[float], out: Path, as_json: bool) -> None:
    """Writes a run whose model is the weighted mean of others, character by character; its list is all their lists."""
    if out in folders:
        raise ValueError(f"{out} is one of the runs to mix: name another folder")
    opened = [runs.RunFolder(folder).open() for folder in folders]
    vocab = Vocab.from_words([run.params.vocab.chars[1:] for run in opened])
    share = [weight / math.fsum(weights) for weight in weights]
    params = Mixture(
        members=tuple(widened.wrap(run.params, vocab) for run in opened),
        scores=jnp.log(jnp.array(share, jnp.float32)),
        vocab=vocab,
    )
    train, dev, test = ([word for run in opened for word in run.split[i]] for i in range(3))
    split = Split(train, dev, test)
    plan = runs.Plan("mix", options={"runs": [str(folder) for folder in folders], "weights": list(share)})
    run = runs.RunFolder(out)
    with run.locked():
        run.write_setup(plan, WordList(split, vocab), resume=False)
        run.save_model(params)
    found = conditions.ten_new(params, [*train, *dev, *test], 1)
    parts = ", ".join(f"{each:.0%} {folder}" for each, folder in zip(share, folders, strict=True))
    say(f"{out}: {parts}; {len(vocab) - 1} different characters")
    give({"run": str(out), "weights": share, "samples": found}, as_json, "\n".join(found))


def write_page(folder: Path, out: Path, title: str | None, *, with_words: bool, half: bool, overwrite: bool) -> None:
    """Writes the page; ValueError as `page.write` says, before anything is evaluated where the file is there."""
    page.check_free(out, overwrite)
    run = runs.RunFolder(folder).open()
    params = rounded(run.params) if half else run.params
    losses = evaluate_split(params, run.split)
    labels = page.texts()["card"]
    card = {
        labels["loss"].format(name=name): labels["loss_text"].format(nll=f"{each.nll:.4f}", stderr=f"{each.stderr:.4f}")
        for name, each in losses.items()
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
        title=title or folder.resolve().name,
        with_words=with_words,
        half=half,
        card=card,
        temperature=conditions.temperature_for(len(run.words)),
        lengths=conditions.lengths_for(run.words),
        overwrite=overwrite,
    )
    say(f"wrote {out}: {out.stat().st_size / 1024:,.0f} KiB")
