"""Run folders: a model, its training words, and the state that resumes training bit for bit.

model.safetensors   the parameters, best on dev so far
state.safetensors   to resume: parameters, optimizer state, step, key, the best parameters
config.json         the options, the sizes of train, dev and test, the fingerprint of words.txt
history.csv         step, training loss, dev nll
words.txt           the words: those of train, then of dev, then of test
"""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_jax import checkpoint, words
from mm_jax.checks import cores
from mm_jax.files import remove_parts, write_whole
from mm_jax.learning.plans import Plan
from mm_jax.models.contract import Params
from mm_jax.words import Split, WordList

TRIED = "tried"  # the folder of the candidates, and the stem of the file with their losses
FILES = ("model.safetensors", "state.safetensors", "config.json", "history.csv", "words.txt")


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    folder: "RunFolder"
    plan: Mapping[str, Any]  # what `Plan.as_json` wrote
    split: Split
    params: Params

    @property
    def words(self) -> list[str]:
        """Returns all words of the list: train, dev, test."""
        return [word for part in self.split for word in part]


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path):
        """Takes the path of the folder, which is made when the first file is written."""
        self.path = path
        self._mark = ""  # mark of the model file of this run

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Returns True if the folder holds a run."""
        return (self.path / "config.json").exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder for this process; raises ValueError while another holds it. A killed process releases it."""
        import filelock  # imports asyncio

        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self} is a file: name a folder to write")
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ValueError(f"{self} is in use by another run: wait for it, or name another folder") from None
        try:
            remove_parts(self.path, FILES)
            yield
        finally:
            lock.release()

    def remove(self) -> None:
        """Removes the run, to write another; raises ValueError for a folder with other files."""
        if not self.path.exists():
            return
        if not self.exists() and any(self.path.iterdir()):
            raise ValueError(f"{self} holds no run, but other files: --overwrite leaves it alone; name another folder")
        with self.locked():
            shutil.rmtree(self.path)

    def write_setup(self, plan: Plan, words: WordList, resume: bool) -> None:
        """Writes words.txt and config.json; raises ValueError for another run, and for this one unless `resume`."""
        config = {
            "format": checkpoint.FORMAT,
            "plan": plan.as_json(),
            "words": fingerprint(words.split),
            "split": {name: len(part) for name, part in words.split._asdict().items()},
            "cores": cores(),
        }
        if self.exists():
            if not resume:
                raise ValueError(
                    f"{self} holds a run already: give --resume to go on with it, --overwrite to replace it, or name "
                    "another folder"
                )
            before = self.config()
            if before["words"] != config["words"]:
                raise ValueError(f"{self} was trained on another list: resume with that one, or name another folder")
            if changes := differences(before["plan"], config["plan"]):
                raise ValueError(f"{self} was trained with other options: {changes}")
            config["cores"] = before.get("cores", config["cores"])
        self._mark = mark(config["plan"], config["words"])
        write_whole(self.path / "words.txt", "\n".join([*words.words, ""]).encode())
        write_whole(self.path / "config.json", json.dumps(config, indent=1).encode())

    def save_model(self, params: Params) -> None:
        """Writes the model of the run that config.json describes."""
        if not self._mark:
            config = self.config()
            self._mark = mark(config["plan"], config["words"])
        checkpoint.save(params, self.path / "model.safetensors", mark=self._mark)

    def history(self) -> list[tuple[int, float, float]]:
        """Returns (step, training loss, dev nll) of the run; empty for a model made by counting."""
        path = self.path / "history.csv"
        if not path.exists():
            return []
        try:
            with path.open(encoding="utf-8") as file:
                return [(int(step), float(loss), float(dev)) for step, loss, dev in list(csv.reader(file))[1:]]
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path} was altered or cut short ({error}): train anew") from None

    def config(self) -> dict:
        """Reads config.json; raises ValueError if it is missing, altered, or of a newer format."""
        path = self.path / "config.json"
        try:
            config = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(f"{self} is no run folder: make one with mm-jax train LIST --out {self}") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} was altered or cut short ({error}): train anew") from None
        kinds = {"format": int, "plan": dict, "words": str, "split": dict}
        if wrong := [
            name for name, kind in kinds.items() if not isinstance(config, dict) or type(config.get(name)) is not kind
        ]:
            raise ValueError(f"{path} was altered or cut short (its {wrong[0]} is missing or wrong): train anew")
        if config["format"] > checkpoint.FORMAT:
            raise ValueError(f"{path} has format {config['format']}: a newer mm_jax wrote it, and is needed to read it")
        sizes = [config["split"].get(name) for name in Split._fields]
        if not all(type(size) is int and size >= 0 for size in sizes) or not isinstance(
            config["plan"].get("model"), str
        ):
            raise ValueError(f"{path} was altered (its split or its model is missing or wrong): train anew")
        return config

    def open(self) -> Run:
        """Reads the run; raises ValueError for missing or altered files."""
        config = self.config()
        saved = words.load_words(self.path / "words.txt")
        train, dev = config["split"]["train"], config["split"]["dev"]
        split = Split(saved[:train], saved[train : train + dev], saved[train + dev :])
        if fingerprint(split) != config["words"]:
            raise ValueError(f"{self.path / 'words.txt'} was altered: train anew")
        path = self.path / "model.safetensors"
        params, saved_mark = checkpoint.load(path), checkpoint.mark_of(path)
        if saved_mark and saved_mark != mark(config["plan"], config["words"]):  # files of older versions have none
            raise ValueError(f"{self}: model.safetensors and config.json belong to different runs: train anew")
        return Run(self, config["plan"], split, params)


def mark(plan: Mapping[str, Any], words_fingerprint: str) -> str:
    """Returns the mark of a run's model file: the SHA-256 of its plan and its words."""
    return hashlib.sha256(json.dumps([plan, words_fingerprint], sort_keys=True).encode()).hexdigest()


def fingerprint(split: Split) -> str:
    """Returns the SHA-256 of the split, in hexadecimal."""
    return hashlib.sha256(json.dumps(split).encode()).hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Returns the options that differ, with both values, as text; empty if none does."""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} {before.get(name)} (now {now.get(name)})" for name in names)


def _refuse_constant(text: str) -> float:
    """Raises ValueError for NaN and Infinity, which Python's JSON reader accepts."""
    raise ValueError(f"{text} is no number")
