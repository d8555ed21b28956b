"""A run folder: one process holds it, whole files are in it, and it says on which machine it was begun."""

import json
import subprocess
import sys

import pytest

import mm_jax
from mm_jax import checks, files
from mm_jax import words as lists
from mm_jax.tool import resuming, runs

NAMES = lists.bundled_names()


def test_a_folder_in_use_is_refused(mm, tmp_path):
    hold = f"""
from pathlib import Path
from mm_jax.tool import runs
import time
with runs.RunFolder(Path({str(tmp_path / "run")!r})).locked():
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        status, _, err = mm("train", NAMES, "--out", tmp_path / "run", "--model", "counts")
        assert status == 1
        assert "is in use by another run" in err
        holder.kill()
    assert mm("train", NAMES, "--out", tmp_path / "run", "--model", "counts")[0] == 0


def test_a_full_disk_is_one_line(mm, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    status, _, err = mm("train", NAMES, "--out", tmp_path / "run", "--model", "counts")
    assert status == 1
    assert "No space left on device" in err


@pytest.mark.slow
def test_a_run_begun_on_another_number_of_cores_says_so(mm, tmp_path, monkeypatch):
    options = ["--out", tmp_path / "run", "--model", "mlp", "--steps", 2, "--hidden-dim", 4, "--resume"]
    path = tmp_path / "list.txt"
    path.write_text("\n".join(mm_jax.load_words(NAMES)[::200]), encoding="utf-8")
    assert "core" not in mm("train", path, *options)[2]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["cores"] == checks.cores()
    before = checks.cores()
    for module in (runs, resuming):
        monkeypatch.setattr(module, "cores", lambda: before + 5)
    said = mm("train", path, *options)[2]
    assert f"begun on {before} core(s), resumed on {before + 5}: the last digits may differ" in said
    assert json.loads((tmp_path / "run" / "config.json").read_text())["cores"] == before


@pytest.mark.parametrize(("words", "parts"), [(3, (3, 0, 0)), (20, (16, 2, 2))])
def test_a_list_too_short_for_three_is_all_learned(words, parts):
    found = lists.WordList.of([f"a{i}" for i in range(words)])
    assert tuple(map(len, found.split)) == parts
    assert len(found.words) == words and found.tokens == sum(len(word) + 1 for word in found.words)
