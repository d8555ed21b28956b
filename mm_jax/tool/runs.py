"""Run folders: a model, its training words, and the state that resumes training bit for bit.

model.safetensors   the parameters, best on dev so far
state.safetensors   to resume: parameters, optimizer state, step, key, the best parameters
config.json         the options, the sizes of train, dev and test, the fingerprint of words.txt, versions and settings
history.csv         step, training loss, dev nll
words.txt           the words: those of train, then of dev, then of test
tried.json          the losses of the candidates, where several were tried
tried/              their states, until the run has finished

A folder without a model is no run: the next one begins anew in it. A run that replaces another is made in a hidden
folder beside it, and takes its place when it has ended: by two renames, between which a killed process may leave no run
under the name. Whoever opens the name next ends the replacement.
"""

import contextlib
import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_jax import checkpoint, startup, words
from mm_jax.checks import cores
from mm_jax.files import copy_whole, remove_parts, write_whole
from mm_jax.learning.plans import Plan
from mm_jax.models.contract import Params
from mm_jax.output import say
from mm_jax.streams import LONG_BYTES, WordFile
from mm_jax.symbols import CHARACTERS
from mm_jax.vocab import Vocab
from mm_jax.words import Split, WordList

TRIED = "tried"  # the folder of the candidates, and the stem of the file with their losses
FILES = ("model.safetensors", "state.safetensors", "config.json", "history.csv", "words.txt", f"{TRIED}.json")


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    folder: "RunFolder"
    plan: Mapping[str, Any]  # what `Plan.as_json` wrote
    split: Split
    params: Params

    @property
    def words(self) -> Sequence[str]:
        """Returns all words of the list: train, dev, test."""
        return self.split.words


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path):
        """Takes the path of the folder, which is made when the first file is written."""
        self.path = path
        self._mark = ""  # mark of the model file of this run

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Returns True if a run was begun in the folder."""
        return (self.path / "config.json").exists()

    def has_model(self) -> bool:
        """Returns True if the folder holds a model, which nothing but `--overwrite` may replace."""
        return (self.path / "model.safetensors").exists()

    def check_free(self) -> None:
        """Raises ValueError if the folder holds a model."""
        if self.has_model():
            raise ValueError(
                f"{self} holds a run already: give --resume to go on with it, --overwrite to replace it, or name "
                "another folder"
            )

    def goes_on(self) -> bool:
        """Returns True if a run in the folder has done anything that is worth going on with."""
        return self.exists() and any((self.path / name).exists() for name in (*FILES[:2], TRIED))

    @contextmanager
    def locked(self) -> Iterator["RunFolder"]:
        """Locks the folder for this process; raises ValueError while another holds it. A killed process releases it.

        Removes what killed processes left behind.
        """
        import filelock  # imports asyncio

        self._end_replacement()
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self} is a file: name a folder to write")
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ValueError(f"{self} is in use by another run: wait for it, or name another folder") from None
        try:
            for folder in (self.path, *(self.path / TRIED).glob("*/")):
                remove_parts(folder, FILES)
            self._remove_replaced()
            yield self
        finally:
            lock.release()

    @contextmanager
    def replacing(self, resume: bool) -> Iterator["RunFolder"]:
        """Yields a folder for a run that takes the place of this one when the block has ended without an error.

        It lies beside this one, and is emptied unless `resume`. Where this one holds no model, yields this one. Raises
        ValueError for a folder with other files.
        """
        self._end_replacement()
        if self.path.is_dir() and not self.exists() and set(os.listdir(self.path)) - {".lock"}:
            raise ValueError(f"{self} holds no run, but other files: --overwrite leaves it alone; name another folder")
        if Path.cwd().is_relative_to(self._real()):
            raise ValueError(f"{self} is the folder that you are in, and cannot be replaced: go to another first")
        with self.locked():
            if not self.has_model():
                yield self
                return
            beside = RunFolder(self._beside("new"))
            with beside.locked():
                if not resume:
                    beside.clear()
                try:
                    yield beside
                except BaseException:
                    if beside.goes_on():
                        say(f"{self} is as it was; to go on with the new run give --overwrite and --resume")
                    else:
                        shutil.rmtree(beside.path)
                    raise
                self._give_way(beside)

    def begun(self, overwrite: bool) -> "RunFolder":
        """Returns the folder of the run to resume: this one, or with `overwrite` that which is to replace it."""
        self._end_replacement()
        return RunFolder(self._beside("new")) if overwrite and self.has_model() else self

    def clear(self) -> None:
        """Removes the files of a run."""
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)
        if (self.path / TRIED).exists():
            shutil.rmtree(self.path / TRIED)

    def _real(self) -> Path:
        """Returns the path without symbolic links."""
        return Path(os.path.realpath(self.path))

    def _beside(self, kind: str) -> Path:
        """Returns the hidden folder, in the same parent folder, of the run that is "new" or "old"."""
        return self._real().with_name(f".{self._real().name}.mm_jax-{kind}")

    def _give_way(self, new: "RunFolder") -> None:
        """Puts a run in the place of this one, whose other files are kept."""
        place = self._real()
        os.rename(place, self._beside("old"))
        try:
            os.rename(new.path, place)
        except FileNotFoundError:
            if not place.exists():  # or another process has ended the replacement
                raise
        self._remove_replaced()

    def _end_replacement(self) -> None:
        """Fills the place that a killed replacement left empty: with the new run, or else with the old one."""
        place, old, new = self._real(), self._beside("old"), RunFolder(self._beside("new"))
        if not old.exists() or place.exists():
            return
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            os.rename(new.path if new.exists() and new.has_model() else old, place)

    def _remove_replaced(self) -> None:
        """Removes the run that was replaced; what is not of the run moves to this one."""
        if not (old := self._beside("old")).exists():
            return
        for path in old.iterdir():
            ours = path.name in (*FILES, TRIED, ".lock") or path.name.endswith(".part")
            if not ours and not (self.path / path.name).exists():
                path.rename(self.path / path.name)
        shutil.rmtree(old)

    def write_setup(self, plan: Plan, words: WordList, resume: bool, recipe: str | None = None) -> None:
        """Writes words.txt and config.json; raises ValueError for another run, and for this one unless `resume`.

        `recipe` is the name that the user gave. A resumed run keeps what it was begun with; only its steps may grow.
        """
        config: dict[str, Any] = {
            "format": checkpoint.FORMAT - (words.vocab.units == CHARACTERS),  # which an older version can read
            "plan": plan.as_json(),
            "recipe": recipe,
            "words": fingerprint(words.split),
            "split": {name: len(part) for name, part in words.split._asdict().items()},
            "cores": cores(),
            "made with": startup.made_with(),
        }
        if self.exists() and resume:
            config = self._continued(config)
        else:
            self.check_free()
            if self.exists():
                self.clear()
        self._mark = _mark_of(config)
        if isinstance(train := words.split.train, WordFile):
            if not (self.path.exists() and train.path.parent.samefile(self.path)):  # of a resumed run it is there
                copy_whole(self.path / "words.txt", train.path)
        else:
            write_whole(self.path / "words.txt", "\n".join([*words.words, ""]).encode())
        write_whole(self.path / "config.json", json.dumps(config, indent=1).encode())

    def _continued(self, now: dict[str, Any]) -> dict[str, Any]:
        """Returns the config.json of a resumed run: what it was, with more steps; raises ValueError for another run."""
        before = self.config()
        if before["words"] != now["words"]:
            raise ValueError(f"{self} was trained on another list: resume with that one, or name another folder")
        steps, more = before["plan"].get("steps"), now["plan"].get("steps")
        if changes := differences(before["plan"], now["plan"], grow=True):
            raise ValueError(f"{self} was trained with other options: {changes}")
        if steps == more:
            return before
        return before | {"plan": before["plan"] | {"steps": more}, "first steps": before.get("first steps", steps)}

    def save_model(self, params: Params) -> None:
        """Writes the model of the run that config.json describes."""
        if not self._mark:
            self._mark = _mark_of(self.config())
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
        self._end_replacement()
        if self.path.is_file():
            beside = self.path.absolute().parent
            which = f"such as {beside}" if RunFolder(beside).exists() else "which mm-jax train makes"
            raise ValueError(f"{self} is a file: name the folder of a run, {which}")
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
        split = self._split(config)
        path = self.path / "model.safetensors"
        params, saved_mark = checkpoint.load(path), checkpoint.mark_of(path)
        if saved_mark and saved_mark != _mark_of(config):  # files of older versions have none
            raise ValueError(f"{self}: model.safetensors and config.json belong to different runs: train anew")
        return Run(self, config["plan"], split, params)

    def words(self) -> WordList:
        """Reads the words of the run; raises ValueError if they were altered."""
        config = self.config()
        split = self._split(config)
        return WordList(split, Vocab.from_words(split.words, config["plan"].get("units", CHARACTERS)))

    def _split(self, config: Mapping[str, Any]) -> Split:
        """Reads words.txt; raises ValueError if it was altered."""
        path, train, dev = self.path / "words.txt", config["split"]["train"], config["split"]["dev"]
        if path.is_file() and path.stat().st_size > LONG_BYTES:
            first = WordFile(path, train)
            split = Split(first, (apart := first.beyond())[:dev], apart[dev:])
            if fingerprint(split) == config["words"]:
                return split
        saved = words.load_words(path)
        split = Split(saved[:train], saved[train : train + dev], saved[train + dev :])
        if fingerprint(split) != config["words"]:
            raise ValueError(f"{path} was altered: train anew")
        return split


def _mark_of(config: Mapping[str, Any]) -> str:
    """Returns the mark of a run's model file: the SHA-256 of its plan, with the steps it was begun with, and its words.

    So the model is that of the run all the while that its steps grow.
    """
    plan = config["plan"] | ({"steps": config["first steps"]} if "first steps" in config else {})
    return hashlib.sha256(json.dumps([plan, config["words"]], sort_keys=True).encode()).hexdigest()


def fingerprint(split: Split) -> str:
    """Returns the SHA-256 of the split, in hexadecimal; of a long list, that of its file."""
    if isinstance(split.train, WordFile):
        return split.train.whole.digest
    return hashlib.sha256(json.dumps(split).encode()).hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], grow: bool = False) -> str:
    """Returns the options that differ, with both values, as text; empty if none does. With `grow`, steps may grow."""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    if grow and "steps" in names and more_steps(before, now):
        names.remove("steps")
    if "model" in names:  # the options of one model are none of the other's
        names = ["model"]
    shown = {name: ["none" if plan.get(name) is None else plan[name] for plan in (before, now)] for name in names}
    return ", ".join(f"{name} {old} (now {new})" for name, (old, new) in shown.items())


def more_steps(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Returns True if one plan has more steps than the other before it."""
    old, new = before.get("steps"), now.get("steps")
    return isinstance(old, int) and isinstance(new, int) and old < new


def _refuse_constant(text: str) -> float:
    """Raises ValueError for NaN and Infinity, which Python's JSON reader accepts."""
    raise ValueError(f"{text} is no number")
