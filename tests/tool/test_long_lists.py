"""`mm-jax` on a list that lies in a file: a pattern, Parquet, or text above a limit that is lowered here."""

import json
import re
import shutil

import duckdb
import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import sources, words
from mm_jax.streams import WordFile
from mm_jax.tool import reading, run_trainer, runs

from .conftest import NAMES, make, train

SIZES = {"dev": 300, "test": 300}
GRU = ["--model", "gru", "--hidden-dim", 8, "--batch-size", 8, "--steps", 20]


@pytest.fixture(scope="module", autouse=True)
def low_limits():
    with pytest.MonkeyPatch.context() as patch:
        for module in (sources, reading, runs):
            patch.setattr(module, "LONG_BYTES", 10_000)
        patch.setattr(words, "_HELD_OUT", 300)
        yield


@pytest.fixture(scope="module")
def ngram(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long") / "ngram"
    train(NAMES, "--model", "ngram", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def gru(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long") / "gru"
    train(NAMES, *GRU, "--out", folder)
    return folder


def test_dev_and_test_are_taken_out_of_the_list_whose_order_is_kept(ngram):
    listed, split = mm_jax.load_words(NAMES), runs.RunFolder(ngram).open().split
    assert isinstance(split.train, WordFile) and len(split.dev) == len(split.test) == 300
    assert sorted([*split.train, *split.dev, *split.test]) == sorted(listed)
    assert [word for word in listed if word not in {*split.dev, *split.test}] == list(split.train)
    for part in (split.dev, split.test):  # from all parts of a sorted list
        at = np.flatnonzero(np.isin(listed, part))
        assert at[0] < len(listed) / 50 and at[-1] > len(listed) * 0.98
    assert mm_jax.load_words(ngram / "words.txt") == [*split.train, *split.dev, *split.test]
    again = mm_jax.split_words(mm_jax.open_words(NAMES))
    assert (again.dev, again.test, list(again.train)) == (split.dev, split.test, list(split.train))


def test_the_model_is_that_of_the_training_words_cut_to_the_size_of_the_list(ngram):
    run = runs.RunFolder(ngram).open()
    train, vocab = list(run.split.train), run.params.vocab
    order = json.loads((ngram / "config.json").read_text())["plan"]["order"]
    size = sum(map(len, train)) + len(train)
    expected = mm_jax.ngram.fit_within(train, vocab, order, run.split.dev, size)
    for found, same in zip(jax.tree.leaves(run.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(found, same, strict=True)
    assert (ngram / "model.safetensors").stat().st_size < 1.2 * size + 5000
    whole = mm_jax.ngram.fit(train, vocab, order)
    assert mm_jax.ngram.num_entries(run.params) < mm_jax.ngram.num_entries(whole)


def test_new_words_are_not_in_the_list(ngram, mm):
    status, out, _ = mm("sample", ngram, "-n", 200, "--new", "--temperature", 0.5)
    assert status == 0 and not {*out.split()} & {*mm_jax.load_words(NAMES)} and len(out.split()) == 200
    plain = mm("sample", ngram, "-n", 200, "--temperature", 0.5)[1]
    assert {*plain.split()} & {*mm_jax.load_words(NAMES)}


@pytest.mark.parametrize(
    "command",
    [
        ["score", "anna", "zzyzx"],
        ["eval"],
        ["info"],
        ["sample", "-n", 3, "--scores"],
        ["top", "-n", 2],
    ],
)
def test_the_other_commands_work(ngram, mm, command):
    status, out, _ = mm(command[0], ngram, *command[1:], "--json")
    assert status == 0
    found = json.loads(out)
    listed = {*mm_jax.load_words(NAMES)}
    if command[0] == "score":
        assert [row["in_list"] for row in found] == [True, False]
    elif command[0] == "eval":
        assert {name: row["words"] for name, row in found.items()} == {
            **SIZES,
            "train": len(words.load_words(NAMES)) - 600,
        }
    elif command[0] == "info":
        assert found["words"]["train"] + 600 == len(words.load_words(NAMES))
    elif command[0] == "top":
        assert len(found) == 2 and not {row["word"] for row in found} & listed
    else:
        assert [row["distance"] == 0 for row in found["scores"]] == [word in listed for word in found["words"]]


def test_a_page_is_written(ngram, mm, tmp_path):
    assert mm("page", ngram, "--out", tmp_path / "page.html")[0] == 0
    number = len(mm_jax.load_words(NAMES))
    assert re.search(rf'"learned": ?{number}\b', (tmp_path / "page.html").read_text())


def test_a_pattern_and_parquet_give_the_same_run(ngram, tmp_path):
    listed = mm_jax.load_words(NAMES)
    make(tmp_path, listed[:3000], "a.txt"), make(tmp_path, listed[3000:], "b.txt")
    duckdb.sql(f"copy (select unnest($1) as name) to '{tmp_path / 'c.parquet'}' (format parquet)", params=[listed])
    for i, source in enumerate((tmp_path / "*.txt", tmp_path / "c.parquet")):
        train(source, "--model", "ngram", "--out", tmp_path / f"run{i}")
        assert (tmp_path / f"run{i}/words.txt").read_bytes() == (ngram / "words.txt").read_bytes()
        assert (tmp_path / f"run{i}/model.safetensors").read_bytes()[-1000:] == (
            ngram / "model.safetensors"
        ).read_bytes()[-1000:]


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(gru, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def stop(self):
        save(self)
        if 0 < int(self.state.step) < 20:
            raise Stop

    save = run_trainer.FolderTrainer.save
    monkeypatch.setattr(run_trainer.FolderTrainer, "save", stop)
    monkeypatch.setattr(run_trainer.trainer, "SAVE_SECONDS", 0.0)
    with pytest.raises(Stop):
        train(NAMES, *GRU, "--out", tmp_path / "run")
    monkeypatch.undo()
    train("--resume", "--out", tmp_path / "run")
    for name in ("model.safetensors", "words.txt"):
        assert (tmp_path / "run" / name).read_bytes() == (gru / name).read_bytes()


def test_a_resume_with_a_shorter_list_is_refused(gru, tmp_path, mm):
    shutil.copytree(gru, tmp_path / "run")
    shorter = make(tmp_path, mm_jax.load_words(NAMES)[:-1])
    status, _, said = mm("train", shorter, "--resume", "--out", tmp_path / "run")
    assert status != 0 and "was trained on another list" in said
    with (tmp_path / "run/words.txt").open("r+b") as file:
        file.truncate(20_000)
    status, _, said = mm("sample", tmp_path / "run")
    assert status != 0 and "cut short" in said


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("*.none", [], "matches no file"),
        ("columns.txt", [], "is not one word a line"),
        ("list.txt", ["--dedup"], "too long to look for repeats"),
        ("list.txt", ["--effort", "page"], "too long to look for repeats"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, mm, source, options, message):
    listed = mm_jax.load_words(NAMES)
    make(tmp_path, listed), make(tmp_path, [f"{word}\t{i}" for i, word in enumerate(listed)], "columns.txt")
    status, _, said = mm("train", tmp_path / source, "--out", tmp_path / "run", *options)
    assert status != 0 and message in said
    assert not (tmp_path / "run").exists()
