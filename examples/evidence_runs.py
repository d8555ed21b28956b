"""One run of the evidence: its list, its model, its losses."""

import dataclasses
import functools
import importlib
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from evidence_plan import JOINED, NAMES_TXT, WAYS, Run

JUDGED = 5_000  # words of dev, at most, of lists other than names.txt


@functools.cache
def words_of(data: str) -> list[str]:
    """Returns a list by its name, without its units; most come out of packages of PyPI."""
    if data == NAMES_TXT:
        import mm_jax

        return mm_jax.load_words()
    if data in ("letters", "phonemes"):
        import phonemes

        return [pair[data == "phonemes"] for pair in phonemes.pairs(phonemes.find())]
    found = []
    for locale in {"Devanagari names": ("hi_IN", "mr_IN", "ne_NP"), "Tamil names": ("ta_IN",)}[data]:
        try:
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        except ModuleNotFoundError:
            raise SystemExit("faker is not installed: pip install faker==40.63.0") from None
        found += [*provider.first_names, *provider.last_names]
    return list(dict.fromkeys(name.strip() for name in found))


def lists_of(run: Run) -> tuple[Any, Any]:
    """Train, dev and test of a run, and the symbols of the whole list."""
    import mm_jax

    data, _, units = run.data.partition(" by ")
    words = words_of(data)
    vocab = mm_jax.Vocab.from_words(words, units or "characters")
    words = list(dict.fromkeys(words)) if run.table == "no repeats" else list(words)
    if run.split:
        random.Random(run.split).shuffle(words)
    split = mm_jax.split_words(words)
    split = split._replace(train=split.train[: round(run.share * len(split.train))])
    return (split if data == NAMES_TXT else split._replace(dev=split.dev[:JUDGED])), vocab


def made(run: Run, split: Any, vocab: Any, folder: Path) -> tuple[Any, int, float]:
    """The model of a run, its steps, and the CPU seconds that they took; from the folder, where it is there."""
    import jax
    from best import trained

    import mm_jax
    from mm_jax import models
    from mm_jax.streams import sizes_of
    from mm_jax.training.recipes import Recipe, for_size, recipe_options, recipes_of

    module, options = getattr(models, run.model), json.loads(run.options)
    if not run.recipe:
        if run.table == "units":
            options, _ = module.MODEL.choose([(split.train, split.dev[::2])], vocab)
        begin = time.process_time()
        params = module.fit(split.train, vocab, **options)
        return params, 0, time.process_time() - begin
    changes = json.loads(run.changes)
    times, stream = changes.pop("times", 1), changes.pop("stream", False)
    recipe = recipes_of(module.MODEL)[run.recipe].but(**Recipe.named(changes))
    recipe = recipe.but(steps=round(times * recipe.steps))
    init_key, fit_key = jax.random.split(jax.random.key(run.seed))
    params = module.init(init_key, vocab, **{**recipe_options(module.MODEL, run.recipe), **options})
    if run.table in ("sizes", "units"):
        symbols = sizes_of(split.train, vocab.units).total
        sized = for_size(recipe, symbols, vocab)
        # All units have equal steps: rows are as long as the longest word, and so a step reads as many words of each.
        recipe = sized if run.table == "sizes" else sized.but(steps=recipe.steps)
        return best_on_half_of_dev(params, split, fit_key, recipe)
    kept = folder / f"{run.table} {run.model} {run.recipe} {run.split} {run.seed}.safetensors"
    if run.table != "pairs" and kept.exists():
        return mm_jax.load(kept), recipe.steps, float("nan")
    params, seconds = trained(params, in_a_file(split.train) if stream else split.train, fit_key, recipe)
    if run.table != "pairs" and run.model in JOINED:
        mm_jax.save(params, kept)
    return params, recipe.steps, seconds


def in_a_file(words: list[str]) -> Any:
    """The words as a list that lies in a file, and is read in slices of its stream."""
    import mm_jax

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write("\n".join([*words, ""]))
        file.flush()
        return mm_jax.open_words(file.name)


def best_on_half_of_dev(params: Any, split: Any, key: Any, recipe: Any) -> tuple[Any, int, float]:
    """What was best on every second word of dev, as short lists are learned by heart; the others judge it."""
    import jax

    from mm_jax.training import loop

    run = loop.run(loop.first_state(params, key, recipe), split.train, recipe, dev=split.dev[::2])
    best = float(next(run).dev or 0)
    begin = time.process_time()
    for progress in run:
        if progress.dev is not None and progress.dev < best:
            params, best = jax.device_get(progress.state.params), progress.dev
    return params, recipe.steps, time.process_time() - begin


def joined(run: Run, split: Any, vocab: Any, folder: Path) -> dict[str, Any]:
    """The losses of a mixture or product: it is fitted on one half of dev and read on the other, both ways."""
    import numpy as np

    import mm_jax

    fit = getattr(mm_jax, run.model).fit
    members, seconds = [], 0.0
    for name in run.recipe.split(" + "):
        model, which = name.split()
        one = Run(run.table, model, split=run.split, seed=run.seed)
        one = dataclasses.replace(
            one, **({"options": f'{{"order": {which}}}'} if model == "ngram" else {"recipe": which})
        )
        params, _, taken = made(one, split, vocab, folder)
        members.append(params)
        seconds += taken
    halves = split.dev[::2], split.dev[1::2]
    found: list[Any] = []
    fresh: list[Any] = []
    for fitted, read in (halves, halves[::-1]):
        params = fit(members, fitted)
        found.append(mm_jax.evaluate(params, read, seen=split.train))
        if run.table == "ladder":
            fresh.append(mm_jax.evaluate(mm_jax.fresh.wrap(params, split.train), read))
    params = fit(members, split.dev)

    def both(each: list[Any], loss: str, error: str) -> tuple[float, float]:
        return (float(np.mean([getattr(one, loss) for one in each])),
                float(np.sqrt(np.sum([getattr(one, error) ** 2 for one in each])) / 2))  # fmt: skip

    row: dict[str, Any] = {"numbers": sum(map(size_of, members)), "cpu_s": seconds}
    row["dev"], row["dev_se"] = both(found, "nll", "stderr")
    row["unseen"], row["unseen_se"] = both(found, "nll_unseen", "stderr_unseen")
    if fresh:
        row["corrected"], row["corrected_se"] = both(fresh, "nll", "stderr")
    return row | on_test(params, split)


def on_test(params: Any, split: Any) -> dict[str, float]:
    import mm_jax

    test = mm_jax.evaluate(params, split.test, seen=split.train)
    return {"test": test.nll, "test_se": test.stderr, "test_unseen": test.nll_unseen}


def size_of(params: Any) -> int:
    from mm_jax.models.contract import model_of

    return model_of(params).num_entries(params)


def row_of(run: Run, folder: Path) -> dict[str, Any]:
    """Runs it: the row of the file."""
    import mm_jax

    split, vocab = lists_of(run)
    about = dataclasses.asdict(run)
    if run.model in WAYS:
        return about | joined(run, split, vocab, folder)
    params, steps, seconds = made(run, split, vocab, folder)
    judged = split.dev[1::2] if run.table in ("sizes", "units") else split.dev
    dev = mm_jax.evaluate(params, judged, seen=split.train)
    row = about | {"steps": steps, "numbers": size_of(params), "cpu_s": seconds, "dev": dev.nll, "dev_se": dev.stderr,
                   "unseen": dev.nll_unseen, "unseen_se": dev.stderr_unseen}  # fmt: skip
    if run.table == "units":
        row |= {"per_character": dev.per_character, "per_word": dev.nll * dev.tokens / dev.words}
    if run.table == "ladder":
        row |= {"train": mm_jax.evaluate(params, split.train[:5000]).nll} | on_test(params, split)
    return row
