"""A run folder: a model, what it learned from, and what is needed to go on training it, bit for bit.

model.safetensors   the parameters, best on dev so far
state.safetensors   what resuming needs: parameters, optimizer state, step, key, the best parameters
config.json         the options, the sizes of train, dev and test, the fingerprint of words.txt
history.csv         step, training loss, dev nll
words.txt           the words: those of train, then of dev, then of test
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from mm_jax import checkpoint, data
from mm_jax.models import Params

COUNTED = ("counts", "ngram")  # models that take no steps


@dataclass(frozen=True)
class Plan:
    """Every option of a run; what the user left open is chosen by `trainer.plan_for`."""

    model: str
    seed: int = 0
    dedup: bool = False
    steps: int = 0
    batch_size: int | None = None
    draw: str = "examples"
    learning_rate: float = 0.0
    recipe: str = "tuned"
    block_size: int = 3
    embedding_dim: int = 10
    hidden_dim: int = 200
    order: int = 0
    smoothing: float = 1.0


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    folder: Path
    plan: Plan
    split: data.Split
    params: Params

    @property
    def words(self) -> list[str]:
        """All words of the list."""
        return [*self.split.train, *self.split.dev, *self.split.test]


def split_for(words: Sequence[str]) -> data.Split:
    """Train, dev and test; everything is train where the words are too few for three lists."""
    try:
        return data.split_words(words)
    except ValueError:
        return data.Split(list(words), [], [])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run folder for one process; ValueError while another has it. A killed process lets go."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(f"{folder} is in use by another run: wait for it, or name another folder") from None
    try:
        yield
    finally:
        lock.release()


def read_history(folder: Path) -> list[tuple[int, float, float]]:
    """(step, training loss, dev nll) of a run; empty where the model took no steps."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [(int(step), float(loss), float(dev)) for step, loss, dev in list(csv.reader(file))[1:]]


def fingerprint(split: data.Split) -> str:
    """What changes when the words do, or their order, or which are train."""
    return hashlib.sha256(json.dumps(split).encode()).hexdigest()


def write_setup(folder: Path, plan: Plan, split: data.Split, resume: bool) -> None:
    """Writes words.txt and config.json; ValueError where the folder holds another run, or this one without `resume`."""
    config_path = folder / "config.json"
    config = {
        "format": checkpoint.FORMAT,
        "plan": asdict(plan),
        "words": fingerprint(split),
        "split": {name: len(part) for name, part in split._asdict().items()},
    }
    if config_path.exists():
        if not resume:
            raise ValueError(f"{folder} holds a run already: give --resume to go on with it, or name another folder")
        before = read_config(folder)
        if before["words"] != config["words"]:
            raise ValueError(f"{folder} was trained on another list: resume with that one, or name another folder")
        if before["plan"] != config["plan"]:
            differs = [
                f"{k} {v} (now {config['plan'][k]})" for k, v in before["plan"].items() if v != config["plan"].get(k)
            ]
            raise ValueError(f"{folder} was trained with other options: {', '.join(differs)}")
    checkpoint.write_whole(folder / "words.txt", "\n".join([*split.train, *split.dev, *split.test, ""]).encode())
    checkpoint.write_whole(config_path, json.dumps(config, indent=1).encode())


def read_config(folder: Path) -> dict:
    """config.json; ValueError where there is none, where it is no JSON, or of a newer format."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        newer = config["format"] > checkpoint.FORMAT
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is no run folder: make one with mm-jax train LIST --out {folder}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} was altered or cut short ({error}): train anew") from None
    if newer:
        raise ValueError(f"{path} has format {config['format']}: a newer mm_jax wrote it, and is needed to read it")
    return config


def open_run(folder: Path) -> Run:
    """Reads a run folder; ValueError for what is missing or was altered."""
    config = read_config(folder)
    words = data.load_words(folder / "words.txt")
    sizes = config["split"]
    split = data.Split(
        words[: sizes["train"]],
        words[sizes["train"] : sizes["train"] + sizes["dev"]],
        words[sizes["train"] + sizes["dev"] :],
    )
    if fingerprint(split) != config["words"]:
        raise ValueError(f"{folder / 'words.txt'} was altered: train anew")
    params = checkpoint.load(folder / "model.safetensors")
    return Run(folder, Plan(**config["plan"]), split, params)
