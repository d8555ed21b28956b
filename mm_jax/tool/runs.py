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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm_jax import checkpoint, words
from mm_jax.checks import cores
from mm_jax.files import remove_parts, write_whole
from mm_jax.models.contract import Params

FILES = ("model.safetensors", "state.safetensors", "config.json", "history.csv", "words.txt")


@dataclass(frozen=True)
class Plan:
    """Every choice of a run; what the user left open is chosen by `planning.plan_for`."""

    model: str
    seed: int = 0
    dedup: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of the model's `init` or `fit`
    recipe: Any = None  # a training.Recipe, which is not imported: only training needs optax; None without steps

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON values, all options side by side."""
        recipe = {} if self.recipe is None else self.recipe.as_json()
        return {"model": self.model, "seed": self.seed, "dedup": self.dedup, **self.options, **recipe}


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    folder: Path
    plan: Mapping[str, Any]  # what `Plan.as_json` wrote
    split: words.Split
    params: Params

    @property
    def words(self) -> list[str]:
        """All words of the list: train, dev, test."""
        return [*self.split.train, *self.split.dev, *self.split.test]


def split_for(listed: Sequence[str]) -> words.Split:
    """Train, dev and test; everything is train where the words are too few for three lists."""
    try:
        return words.split_words(listed)
    except ValueError:
        return words.Split(list(listed), [], [])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run folder for one process; ValueError while another has it. A killed process lets go."""
    import filelock  # asyncio comes with it

    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: name a folder to write")
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(f"{folder} is in use by another run: wait for it, or name another folder") from None
    try:
        remove_parts(folder, FILES)
        yield
    finally:
        lock.release()


def read_history(folder: Path) -> list[tuple[int, float, float]]:
    """(step, training loss, dev nll) of a run; empty where the model took no steps."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8") as file:
            return [(int(step), float(loss), float(dev)) for step, loss, dev in list(csv.reader(file))[1:]]
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} was altered or cut short ({error}): train anew") from None


def mark(plan: Mapping[str, Any], words_fingerprint: str) -> str:
    """What a model file carries, so that it is told from that of another run: SHA-256 of the plan and the words."""
    return hashlib.sha256(json.dumps([plan, words_fingerprint], sort_keys=True).encode()).hexdigest()


def save_model(folder: Path, params: Params) -> None:
    """Writes the model of the run that config.json describes."""
    config = read_config(folder)
    checkpoint.save(params, folder / "model.safetensors", mark=mark(config["plan"], config["words"]))


def fingerprint(split: words.Split) -> str:
    """SHA-256 of the split, in hexadecimal."""
    return hashlib.sha256(json.dumps(split).encode()).hexdigest()


def write_setup(folder: Path, plan: Plan, split: words.Split, resume: bool) -> None:
    """Writes words.txt and config.json; ValueError where the folder holds another run, or this one without `resume`."""
    config_path = folder / "config.json"
    config = {
        "format": checkpoint.FORMAT,
        "plan": plan.as_json(),
        "words": fingerprint(split),
        "split": {name: len(part) for name, part in split._asdict().items()},
        "cores": cores(),
    }
    if config_path.exists():
        if not resume:
            raise ValueError(
                f"{folder} holds a run already: give --resume to go on with it, --overwrite to replace it, or name "
                "another folder"
            )
        before = read_config(folder)
        if before["words"] != config["words"]:
            raise ValueError(f"{folder} was trained on another list: resume with that one, or name another folder")
        if changes := differences(before["plan"], config["plan"]):
            raise ValueError(f"{folder} was trained with other options: {changes}")
        config["cores"] = before.get("cores", config["cores"])
    write_whole(folder / "words.txt", "\n".join([*split.train, *split.dev, *split.test, ""]).encode())
    write_whole(config_path, json.dumps(config, indent=1).encode())


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The options that differ, with both values; empty where none does."""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} {before.get(name)} (now {now.get(name)})" for name in names)


def read_config(folder: Path) -> dict:
    """config.json; ValueError where there is none, where it is not what `write_setup` writes, or of a newer format."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is no run folder: make one with mm-jax train LIST --out {folder}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} was altered or cut short ({error}): train anew") from None
    kinds = {"format": int, "plan": dict, "words": str, "split": dict}
    if wrong := [
        name for name, kind in kinds.items() if not isinstance(config, dict) or type(config.get(name)) is not kind
    ]:
        raise ValueError(f"{path} was altered or cut short (its {wrong[0]} is missing or wrong): train anew")
    if config["format"] > checkpoint.FORMAT:
        raise ValueError(f"{path} has format {config['format']}: a newer mm_jax wrote it, and is needed to read it")
    sizes = [config["split"].get(name) for name in words.Split._fields]
    if not all(type(size) is int and size >= 0 for size in sizes) or not isinstance(config["plan"].get("model"), str):
        raise ValueError(f"{path} was altered (its split or its model is missing or wrong): train anew")
    return config


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def open_run(folder: Path) -> Run:
    """Reads a run folder; ValueError for what is missing or was altered."""
    config = read_config(folder)
    listed = words.load_words(folder / "words.txt")
    sizes = config["split"]
    split = words.Split(
        listed[: sizes["train"]],
        listed[sizes["train"] : sizes["train"] + sizes["dev"]],
        listed[sizes["train"] + sizes["dev"] :],
    )
    if fingerprint(split) != config["words"]:
        raise ValueError(f"{folder / 'words.txt'} was altered: train anew")
    params = checkpoint.load(folder / "model.safetensors")
    marked = checkpoint.mark_of(folder / "model.safetensors")
    if marked and marked != mark(config["plan"], config["words"]):  # files of older versions carry none
        raise ValueError(f"{folder}: model.safetensors and config.json are of two different runs: train anew")
    return Run(folder, config["plan"], split, params)
