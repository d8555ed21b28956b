"""What the commands of `mm-jax` do, once their arguments are read."""

import csv
import io
import math
import time
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console

from mm_jax import sampling, words
from mm_jax.evaluation import Evaluation, word_nlls
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.files import write_whole
from mm_jax.models.contract import Params, block_size, max_length, num_params
from mm_jax.tool import runs, terminal, trainer
from mm_jax.tool.output import fail, give, say
from mm_jax.vocab import Vocab


class Wanted(NamedTuple):
    """The conditions of `mm-jax sample` that a word must meet after it was drawn."""

    suffix: str
    contains: str
    min_length: int
    max_length: int | None
    new: bool
    distinct: bool


def train(
    path: Path,
    folder: Path,
    model: str,
    recipe: str | None,
    given: dict[str, Any],
    *,
    resume: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Learns a list into a run folder; prints the losses and ten samples. `settings` are the seed, and dedup."""
    listed = words.load_words(path)
    if settings["dedup"]:
        listed = list(dict.fromkeys(listed))
    vocab = Vocab.from_words(listed)
    split = runs.split_for(listed)
    with runs.locked(folder):
        plan = trainer.plan_for(listed, vocab, model, recipe, given, **settings)
        say(f"{len(listed):,} words with {len(vocab) - 1} different characters from {path}")
        if not split.dev:
            say("too few words for dev and test: all are learned, and nothing tells when to stop")
        say(_described(plan))
        runs.write_setup(folder, plan, split, resume)
        if plan.recipe is None:
            params = trainer.fit_by_counting(plan, split, vocab)
            runs.save_model(folder, params)
        else:
            params = _train_by_steps(folder, plan, split, vocab, resume)
    rows = _losses(params, split)
    names = sampling.sample(params, jax.random.key((plan.seed + 1) % 2**32), 10)
    if as_json:
        losses = {name: asdict(row) for name, row in rows.items()}
        give({"run": str(folder), "plan": plan.as_json(), "losses": losses, "samples": names}, True, "")
    else:
        _print_losses(rows)
        print("\n".join(names))


def _train_by_steps(folder: Path, plan: runs.Plan, split: words.Split, vocab: Vocab, resume: bool) -> Params:
    job = trainer.Trainer(folder, plan, split, vocab, resume)
    if job.finished:
        say(f"finished already, after {int(job.state.step):,} steps")
        return job.best
    if int(job.state.step):
        say(f"going on from step {int(job.state.step):,}")
        if (before := runs.read_config(folder)["cores"]) != runs.cores():
            say(f"begun on {before} core(s), going on with {runs.cores()}: the last digits may differ")
    console = Console(stderr=True, highlight=False)
    params = job.run(lambda run: terminal.watch(run, job.recipe.steps, console))
    if job.waited:
        best = job.history[-1 - job.waited][0] if job.waited < len(job.history) else 0
        say(f"dev was best at step {best:,} ({job.best_dev:.4f}), which is what is kept")
    return params


def _print_losses(rows: dict[str, Evaluation]) -> None:
    terminal.show(terminal.losses_table(rows))


def _described(plan: runs.Plan) -> str:
    """One line: the model and its options, those of a recipe only where they are not the usual ones."""
    given = plan.as_json()
    usual = {"draw", "optimizer", "decay", "steps", "batch_size", "learning_rate"}
    shown = {name: value for name, value in given.items() if name in usual or name in plan.options or value}
    shown = {name: value for name, value in shown.items() if name not in ("model", "dedup", "seed")}
    return f"{plan.model}: " + ", ".join(f"{name} {value}" for name, value in {**shown, "seed": plan.seed}.items())


def _losses(params: Params, split: words.Split) -> dict[str, Evaluation]:
    return {name: evaluate_words(params, part, seen=split.train) for name, part in split._asdict().items() if part}


def sample(folder: Path, n: int, wanted: Wanted, drawn: dict[str, Any], budget: int, seed: int, as_json: bool) -> None:
    """Draws until n words meet every condition, or the budget is spent: then what was found, and status 1."""
    run = runs.open_run(folder)
    known = frozenset(run.words)
    met: set[str] = set()
    suffix, contains = (unicodedata.normalize("NFC", text) for text in (wanted.suffix, wanted.contains))
    for text in (suffix, contains):
        run.params.vocab.encode(text)  # a character the model does not know is never drawn
    longest = math.inf if wanted.max_length is None else wanted.max_length

    def accept(word: str) -> bool:
        fits = wanted.min_length <= len(word) <= longest and word.endswith(suffix) and contains in word
        fits = fits and not (wanted.new and word in known) and not (wanted.distinct and word in met)
        met.add(word)
        return fits

    # One character more than is wanted, so that a word that was cut is told from one that ended.
    limit = _drawn_length(run.params, wanted.max_length)
    options = sampling.Options(**drawn, max_length=limit)
    found = sampling.search(run.params, jax.random.key(seed), n, accept, options, budget=budget)
    give({"words": found.words, "tried": found.tried}, as_json, "\n".join(found.words))
    say(f"{len(found.words)} of {n} words, {found.tried:,} drawn")
    if len(found.words) < n:
        fail("the conditions were met too seldom: loosen them, or raise --budget")


def _drawn_length(params: Params, longest: int | None) -> int | None:
    """The length to draw for words of at most `longest` characters: one more, as far as the model can read."""
    if longest is None:
        return None
    limit = max_length(params)
    return longest + 1 if limit is None else min(longest + 1, limit)


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


def compare(path: Path, steps: int, as_json: bool) -> None:
    """The ladder on any list."""
    from mm_jax import ladder

    listed = words.load_words(path)
    split = words.split_words(listed)
    begin = time.perf_counter()
    rungs = []
    for rung in ladder.climb(split, Vocab.from_words(listed), most_steps=steps, recipes=("tuned", "default")):
        rungs.append(rung)
        say(f"{time.perf_counter() - begin:5.1f} s  {rung.name}")
    table, rows = ladder.table_of(rungs, split)
    if as_json:
        give(rows, True, "")
    else:
        terminal.show(table)


def top(folder: Path, n: int, known: bool, as_json: bool) -> None:
    """The most probable words, exactly."""
    from mm_jax.enumeration import most_probable

    run = runs.open_run(folder)
    found = most_probable(run.params, n, exclude=() if known else run.words)
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
