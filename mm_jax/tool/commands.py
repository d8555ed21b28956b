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

from mm_jax import checkpoint, data, runs, sampling
from mm_jax.cli import fail, give, say
from mm_jax.evaluation import Evaluation, word_nlls
from mm_jax.evaluation import evaluate as evaluate_words
from mm_jax.models import block_size, num_params
from mm_jax.vocab import Vocab


class Wanted(NamedTuple):
    """The conditions of `mm-jax sample`."""

    prefix: str
    suffix: str
    contains: str
    min_length: int
    max_length: int | None
    new: bool
    distinct: bool


def train(path: Path, folder: Path, plan: runs.Plan, given: dict[str, Any], *, resume: bool, as_json: bool) -> None:
    """Learns a list into a run folder; prints the losses and ten samples."""
    from mm_jax import trainer

    words = data.load_words(path)
    if plan.dedup:
        words = list(dict.fromkeys(words))
    vocab = Vocab.from_words(words)
    split = runs.split_for(words)
    with runs.locked(folder):
        plan = trainer.plan_for(words, vocab, plan, given)
        say(f"{len(words):,} words with {len(vocab) - 1} different characters from {path}")
        if not split.dev:
            say("too few words for dev and test: all are learned, and nothing tells when to stop")
        say(_described(plan))
        runs.write_setup(folder, plan, split, resume)
        if plan.model in runs.COUNTED:
            params = trainer.fit_by_counting(plan, split, vocab)
            checkpoint.save(params, folder / "model.safetensors")
        else:
            params = _train_by_steps(folder, plan, split, vocab, resume)
    rows = _losses(params, split)
    names = sampling.sample(params, jax.random.key(plan.seed + 1), 10)
    if as_json:
        found = {name: asdict(row) for name, row in rows.items()}
        give({"run": str(folder), "plan": asdict(plan), "losses": found, "samples": names}, True, "")
    else:
        _print_losses(rows)
        print("\n".join(names))


def _train_by_steps(folder: Path, plan: runs.Plan, split: data.Split, vocab: Vocab, resume: bool):
    from mm_jax import report
    from mm_jax.trainer import Trainer

    trainer = Trainer(folder, plan, split, vocab, resume)
    if trainer.finished:
        say(f"finished already, after {int(trainer.state.step):,} steps")
        return trainer.best
    if int(trainer.state.step):
        say(f"going on from step {int(trainer.state.step):,}")
    console = Console(stderr=True, highlight=False)
    params = trainer.run(lambda run: report.watch(run, plan.steps, console))
    if trainer.waited:
        best = trainer.history[-1 - trainer.waited][0] if trainer.waited < len(trainer.history) else 0
        say(f"dev was best at step {best:,} ({trainer.best_dev:.4f}), which is what is kept")
    return params


def _print_losses(rows: dict[str, Evaluation]) -> None:
    from mm_jax.report import losses_table

    Console(highlight=False).print(losses_table(rows))


def _described(plan: runs.Plan) -> str:
    options = {
        "mlp": ("recipe", "steps", "batch_size", "learning_rate", "block_size", "embedding_dim", "hidden_dim"),
        "bigram": ("steps", "learning_rate"),
        "counts": ("smoothing",),
        "ngram": ("order",),
    }[plan.model]
    return f"{plan.model}: " + ", ".join(f"{name} {getattr(plan, name)}" for name in (*options, "seed"))


def _losses(params, split: data.Split) -> dict[str, Evaluation]:
    return {name: evaluate_words(params, part, seen=split.train) for name, part in split._asdict().items() if part}


def sample(
    folder: Path, n: int, wanted: Wanted, temperature: float, top_k: int | None, budget: int, seed: int, as_json: bool
) -> None:
    """Draws until n words meet every condition, or the budget is spent: then what was found, and status 1."""
    run = runs.open_run(folder)
    known = frozenset(run.words)
    taken: set[str] = set()
    suffix, contains = (unicodedata.normalize("NFC", text) for text in (wanted.suffix, wanted.contains))
    for text in (suffix, contains):
        run.params.vocab.encode(text)  # a character the model does not know is never drawn

    longest = math.inf if wanted.max_length is None else wanted.max_length

    def accept(word: str) -> bool:
        fits = wanted.min_length <= len(word) <= longest and word.endswith(suffix) and contains in word
        fits = fits and not (wanted.new and word in known) and not (wanted.distinct and word in taken)
        taken.add(word)
        return fits

    found = sampling.search(
        run.params,
        jax.random.key(seed),
        n,
        accept,
        budget=budget,
        prefix=wanted.prefix,
        temperature=temperature,
        top_k=top_k,
        # One character more than is wanted, so that a word that was cut is told from one that ended.
        max_length=None if wanted.max_length is None else wanted.max_length + 1,
    )
    give({"words": found.words, "tried": found.tried}, as_json, "\n".join(found.words))
    say(f"{len(found.words)} of {n} words, {found.tried:,} drawn")
    if len(found.words) < n:
        fail("the conditions were met too seldom: loosen them, or raise --budget")


def score(folder: Path, words: list[str], as_json: bool) -> None:
    """Scores words character by character, and says where each would stand in the training list."""
    from mm_jax.scoring import score as score_word

    run = runs.open_run(folder)
    means = np.sort(_word_means(run, run.split.train))
    results, texts = [], []
    for word in words:
        scored = score_word(run.params, word)
        rank = int(np.searchsorted(means, scored.mean)) + 1
        results.append(asdict(scored) | {"mean": scored.mean, "rank": rank, "of": len(means)})
        texts.append(
            f"{scored.word}\n{scored}\nlikelier, per character, than all but {rank - 1:,} of {len(means):,} words"
        )
    give(results, as_json, "\n\n".join(texts))


def _word_means(run: runs.Run, words: list[str]) -> np.ndarray:
    sums, lengths = word_nlls(run.params, words)
    return sums / lengths


def oddest(folder: Path, path: Path, n: int, as_json: bool) -> None:
    """The words of a list that the model finds least likely, per character."""
    run = runs.open_run(folder)
    words = data.load_words(path)
    means = _word_means(run, words)
    order = np.argsort(-means, kind="stable")[:n]
    found = [{"word": words[i], "mean": float(means[i])} for i in order]
    give(found, as_json, "\n".join(f"{each['mean']:8.4f}  {each['word']}" for each in found))


def evaluate(folder: Path, path: Path | None, as_json: bool) -> None:
    """The losses of a run on its own lists, or on another one."""
    run = runs.open_run(folder)
    rows = _losses(run.params, run.split)
    if path is not None:
        rows = {path.name: evaluate_words(run.params, data.load_words(path), seen=run.split.train)}
    if as_json:
        give({name: asdict(row) for name, row in rows.items()}, True, "")
    else:
        _print_losses(rows)


def plot(folder: Path) -> None:
    """Draws what the model has into the run folder."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from mm_jax import plotting

    run = runs.open_run(folder)
    pictures = plotting.pictures_of(run.params, runs.read_history(folder))
    if not pictures:
        fail(f"a model of kind {run.plan.model} has nothing to draw")
    for name, draw in pictures.items():
        size = max(5.0, 0.45 * len(run.params.vocab)) if name in ("counts", "weights") else 5.0
        figure, ax = plt.subplots(figsize=(max(8.0, size), size), layout="constrained")
        draw(ax)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=100)
        plt.close(figure)
        checkpoint.write_whole(folder / f"{name}.png", picture.getvalue())
        print(folder / f"{name}.png")


def compare(path: Path, steps: int, as_json: bool) -> None:
    """The ladder on any list."""
    from mm_jax import ladder
    from mm_jax.recipes import RECIPES

    words = data.load_words(path)
    split = data.split_words(words)
    begin = time.perf_counter()
    rungs = []
    for rung in ladder.climb(split, Vocab.from_words(words), {"tuned": RECIPES["tuned"].but(steps=steps)}):
        rungs.append(rung)
        say(f"{time.perf_counter() - begin:5.1f} s  {rung.name}")
    table, rows = ladder.table_of(rungs, split)
    if as_json:
        give(rows, True, "")
    else:
        Console(highlight=False).print(table)


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
        "context": block_size(run.params),
        "vocabulary": run.params.vocab.chars,
        "words": {name: len(part) for name, part in run.split._asdict().items()},
        "steps": history[-1][0] if history else 0,
        "options": asdict(run.plan),
    }
    lines = io.StringIO()
    rows = csv.writer(lines, delimiter="\t", lineterminator="\n")
    for name, value in facts.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        rows.writerow([name, shown])
    give(facts, as_json, lines.getvalue().rstrip())
