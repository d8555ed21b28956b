"""What the evidence is made of: every run of examples/evidence.py, and the rows of its file."""

import csv
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("evidence.csv")
SPLITS = SEEDS = range(5)
ORDERS = range(3, 8)  # of the n-grams
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the training words, where losses are taken by size
NAMES_TXT, NAMES_TRAIN = "names.txt", 25_626  # the lecture's list, and its training words
RESULTS = (
    *("steps", "numbers", "cpu_s", "train", "dev", "dev_se", "per_character", "per_word", "unseen", "unseen_se"),
    *("test", "test_se", "test_unseen", "corrected", "corrected_se", "commit"),
)


@dataclass(frozen=True)
class Run:
    """What decides a run, and so a row of the file. `changes` and `options`, as JSON, are of the recipe and the model.

    `table` is what the run is for: "ladder", "no repeats" (the same on the list with each word once), "pairs" (one
    option of a recipe changed), "sizes" (`share` of the training words, from which the recipe's steps follow) or
    "units" (one list cut into symbols of several kinds). `data` is the list, as "phonemes by words" with its units.
    Two changes are no options of a recipe: `times` multiplies its steps, `stream` reads the list from a file.
    """

    table: str
    model: str
    recipe: str = ""
    options: str = "{}"
    changes: str = "{}"
    split: int = 0
    seed: int = 0
    share: float = 1.0
    data: str = NAMES_TXT

    def but(self, i: int, table: str = "", **changes: Any) -> "Run":
        """Returns the run with split and seed i, of another table, with more changes of its recipe."""
        every = json.dumps({**json.loads(self.changes), **changes})
        return dataclasses.replace(self, table=table or self.table, changes=every, split=i, seed=i)


# The rungs, by model and recipe; those that are counted have no seed, and "+" joins rungs of the same split and seed.
COUNTED = [("counts", '{"smoothing": 1.0}'), *(("ngram", json.dumps({"order": order})) for order in ORDERS)]
TRAINED = [("mlp", "lecture"), ("mlp", "tuned"), ("bow", "tuned"), ("rnn", "tuned"), ("gru", "short"), ("gru", "tuned"),
           ("transformer", "tuned"), ("wavenet", "tuned")]  # fmt: skip
JOINED = "ngram 6 + gru tuned + transformer tuned"
WAYS = ("mixture", "product")  # of joining them
# One option of a recipe at a time: what is in it left out, or what is not in it taken. Of the recipe for lists that no
# network learns by heart 500 steps, less than an epoch of the phonemes.
_FEW = Run("pairs", "gru", "tuned", changes='{"steps": 800}')
_LONG = Run("pairs", "gru", "long", changes='{"steps": 500}')
_PHONEMES = dataclasses.replace(_LONG, data="phonemes by words")
PAIRS: dict[Run, list[dict[str, Any]]] = {
    Run("ladder", "mlp", "tuned"): [{"draw": "examples"}, {"decay": "constant"}],
    Run("ladder", "bow", "tuned"): [{"weight_decay": 0.01}, {"drop_tokens": 0.1}, {"teach": 0.4}],
    Run("ladder", "wavenet", "tuned"): [
        {"teach": 0.0}, {"weight_decay": 0.0}, {"learning_rate": 0.03}, {"optimizer": "adamw", "learning_rate": 0.01},
    ],
    Run("ladder", "rnn", "tuned"): [
        {"teach": 0.0}, {"weight_decay": 0.0}, {"drop_tokens": 0.05}, {"drop_states": 0.1}
    ],
    Run("ladder", "gru", "tuned"): [
        {"teach": 0.0}, {"drop_tokens": 0.0}, {"weight_decay": 0.0}, {"drop_states": 0.1}
    ],
    Run("ladder", "transformer", "tuned"): [
        {"teach": 0.0}, {"weight_decay": 0.0}, {"drop_edges": 0.0}, {"drop_tokens": 0.1},
        {"optimizer": "adamw", "learning_rate": 0.003},
    ],
    _FEW: [{"stream": True}, {"teach": 0.0}],
    _FEW.but(0, teach=0.0): [{"stream": True}],
    Run("pairs", "gru", "normal"): [{"teach": 0.5}, {"drop_tokens": 0.1}, {"batch_size": 64, "steps": 800}],
    _LONG: [{"stream": True}],
    _PHONEMES: [
        {"optimizer": "adamw", "learning_rate": 0.01}, {"learning_rate": 0.05}, {"teach": 0.5}, {"drop_tokens": 0.1}
    ],
}  # fmt: skip
# Three sizes of each network; of the GRU and the transformer with few steps, as at the command's usual effort.
SIZES: dict[tuple[str, str], tuple[dict[str, Any], list[dict[str, Any]]]] = {
    ("mlp", "tuned"): (
        {"learning_rate": 0.005},
        [{"block_size": 7, "embedding_dim": 24, "hidden_dim": width} for width in (100, 400, 1600)],
    ),
    ("gru", "tuned"): ({"steps": 800}, [{"hidden_dim": width} for width in (64, 128, 256)]),
    ("transformer", "tuned"): (
        {"steps": 800},
        [{"num_layers": layers, "width": width} for layers, width in ((2, 32), (4, 64), (4, 96))],
    ),
}
SAME = 0.1  # CPU seconds that differ by less are the same: cores are shared
# Lists, each cut into symbols of several kinds, and the share of the training words that is taken.
UNITS: list[tuple[list[str], float]] = [
    (["phonemes by characters", "phonemes by words", "letters by characters"], 0.1),
    (["Devanagari names by characters", "Devanagari names by graphemes"], 1.0),
    (["Tamil names by characters", "Tamil names by graphemes"], 1.0),
]


def runs() -> Iterator[Run]:
    """All runs."""
    for table, seeds in (("ladder", SEEDS), ("no repeats", [0])):
        for model, options in COUNTED:
            yield from (Run(table, model, options=options, split=split) for split in SPLITS)
        for model, recipe in (*TRAINED, (WAYS[0], JOINED)):
            yield from (Run(table, model, recipe, split=split, seed=seed) for seed in seeds for split in SPLITS)
    yield from (Run("ladder", WAYS[1], JOINED, split=split, seed=seed) for seed in SEEDS[:3] for split in SPLITS)
    for (model, recipe), (changes, sizes) in SIZES.items():
        for split in SPLITS[:2]:
            for share in SHARES:
                yield from (
                    Run("sizes", model, recipe, json.dumps(options), json.dumps(changes), split, split, share)
                    for options in sizes
                )
    for order in ORDERS:
        options = json.dumps({"order": order})
        yield from (
            Run("sizes", "ngram", options=options, split=s, share=share) for s in SPLITS[:2] for share in SHARES
        )
    for own, changed in PAIRS.items():
        for i in SPLITS:  # one beside the other, for seconds that compare
            yield own.but(i)
            yield from (own.but(i, "pairs", **changes) for changes in changed)
    for lists, share in UNITS:
        for data in lists:
            yield from (Run("units", "ngram", split=i, share=share, data=data) for i in SPLITS)
            changes = json.dumps({"steps": 300})
            yield from (Run("units", "gru", "tuned", "{}", changes, i, i, share, data) for i in SPLITS)


def equal_seconds(rows: list[dict[str, str]]) -> Iterator[Run]:
    """The runs of pairs again, with as many steps as take the recipe's own CPU seconds, where those differ."""
    from statistics import median

    taken = {key_of(row): float(row["cpu_s"]) for row in rows}
    for own, changed in PAIRS.items():
        for changes in changed:
            pairs = [(taken.get(own.but(i)), taken.get(own.but(i, "pairs", **changes))) for i in SPLITS]
            ratios = [one / other for one, other in pairs if one is not None and other is not None]
            if len(ratios) == len(SPLITS) and abs(median(ratios) - 1) > SAME:
                steps = round(median(ratios), 2)  # of the recipe's
                yield from (own.but(i, "pairs", **changes, times=steps) for i in SPLITS)


def key_of(row: dict[str, str]) -> Run:
    """The run that a row of the file is of."""
    kinds = {"split": int, "seed": int, "share": float}
    given = {each.name: row[each.name] for each in dataclasses.fields(Run)}
    return Run(**{name: kinds.get(name, str)(value) for name, value in given.items()})  # pyright: ignore


def read_rows(path: Path = FILE) -> list[dict[str, str]]:
    """The rows of the file; none where it is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
