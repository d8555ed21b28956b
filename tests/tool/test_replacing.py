"""`mm-jax train --overwrite`: at every instant a run that can be sampled stands in the folder, or takes its place."""

import os
import random
import signal
import subprocess
import sys
import time

import jax
import pytest

import mm_jax
from mm_jax import words as lists
from mm_jax.tool import runs, train

from .conftest import make

NAMES = lists.bundled_names()


@pytest.fixture
def path(tmp_path):
    return make(tmp_path, mm_jax.load_words(NAMES)[::200])


@pytest.fixture
def run(mm, path, tmp_path):
    """A finished run of counts."""
    assert mm("train", path, "--out", tmp_path / "run", "--model", "counts", "-q")[0] == 0
    return tmp_path / "run"


def kind(folder):
    return type(runs.RunFolder(folder).open().params).__name__


def beside(folder):
    return sorted(entry.name for entry in folder.parent.iterdir() if entry.name.startswith("."))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--model", "mlp", "--hidden-dim", 10**8], "give smaller sizes"),
        (["--model", "mlp", "--optimizer", "sgd", "--weight-decay", 0.1], "sgd has no weight decay"),
        (["--model", "mlp", "--optimizer", "sgd", "--lr", 1e38, "--hidden-dim", 4, "--steps", 9], "try --lr"),
    ],
)
def test_a_run_that_fails_leaves_the_one_it_was_to_replace(mm, run, path, options, why):
    before = {entry.name: entry.read_bytes() for entry in run.iterdir()}
    status, _, err = mm("train", path, "--out", run, "--overwrite", *options)
    assert (status, why in err) == (1, True), err
    assert {entry.name: entry.read_bytes() for entry in run.iterdir()} == before


@pytest.mark.slow
def test_a_platform_that_is_not_there_leaves_the_run(run, path):
    command = [sys.executable, "-m", "mm_jax", "train", path, "--out", run, "--overwrite"]
    env = {**os.environ, "JAX_PLATFORMS": "tpu"}
    done = subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "JAX_PLATFORMS is 'tpu'" in done.stderr) == (1, True)
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert kind(run) == "Counts" and beside(run) == []


def test_what_is_not_of_the_run_stays(mm, run, path):
    (run / "letter.txt").write_text("dear")
    assert mm("train", path, "--out", run, "--overwrite", "--model", "ngram", "-q")[0] == 0
    assert (kind(run), (run / "letter.txt").read_text(), beside(run)) == ("NGram", "dear", [])


def test_a_link_to_a_run_stays_a_link(mm, run, path, tmp_path):
    (tmp_path / "link").symlink_to(run)
    assert mm("train", path, "--out", tmp_path / "link", "--overwrite", "--model", "ngram", "-q")[0] == 0
    assert (tmp_path / "link").is_symlink() and kind(run) == "NGram"


def test_the_folder_that_one_is_in_is_not_replaced(mm, run, path, monkeypatch):
    monkeypatch.chdir(run)
    status, _, err = mm("train", path, "--out", ".", "--overwrite")
    assert (status, "the folder that you are in" in err) == (1, True)
    assert kind(run) == "Counts"


def test_it_is_locked_while_it_is_replaced(mm, run, path):
    with runs.RunFolder(run).replacing(resume=False):
        assert "is in use by another run" in mm("train", path, "--out", run, "--overwrite")[2]
        assert "is in use by another run" in mm("train", path, "--out", run, "--resume")[2]
        assert mm("sample", run, "-q")[0] == 0
        (runs.RunFolder(run).begun(overwrite=True).path / "config.json").write_bytes((run / "config.json").read_bytes())


@pytest.mark.parametrize("new_is_there", [True, False])
def test_a_replacement_that_was_killed_between_its_renames_is_ended(mm, run, path, monkeypatch, new_is_there):
    """By whoever opens the run next."""
    renames, rename = [], runs.os.rename

    def killed(old, new):
        if renames:
            raise KeyboardInterrupt
        renames.append(rename(old, new))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runs.os, "rename", killed)
        with runs.RunFolder(run).replacing(resume=False) as new:
            new.write_setup(train.Plan("ngram"), runs.RunFolder(run).words(), resume=False)
            new.save_model(mm_jax.ngram.fit(["ab"], mm_jax.Vocab(".ab")))
            if not new_is_there:
                (new.path / "model.safetensors").unlink()
    assert not run.exists()
    assert kind(run) == ("NGram" if new_is_there else "Counts")
    assert mm("train", path, "--out", run, "--overwrite", "--model", "bigram", "--steps", 1, "-q")[0] == 0
    assert (kind(run), beside(run)) == ("Bigram", [])


@pytest.mark.slow
def test_a_new_run_that_was_killed_goes_on_with_both_options(mm, run, path, monkeypatch):
    options = ["--model", "mlp", "--hidden-dim", 4, "--steps", 80, "-q"]
    whole = run.with_name("whole")
    assert mm("train", path, "--out", whole, *options)[0] == 0

    def stopped(self, progress):
        taken(self, progress)
        if int(self.state.step) >= 40:
            self.save()
            raise ValueError("killed")

    taken = train.run_trainer.Trainer._take
    with monkeypatch.context() as patch:
        patch.setattr(train.run_trainer.Trainer, "_take", stopped)
        assert mm("train", path, "--out", run, *options, "--overwrite")[0] == 1
    assert kind(run) == "Counts"
    assert mm("train", "--out", run, "--overwrite", "--resume", "-q")[0] == 0
    assert beside(run) == []
    for name in ("model", "state"):
        one, other = (folder / f"{name}.safetensors" for folder in (run, whole))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--model", "ngram"], marks=pytest.mark.weekly),
        ["--model", "mlp", "--steps", "300", "--hidden-dim", "8"],
    ],
)
def test_killed_at_any_instant_a_run_is_there(run, path, tmp_path, options):
    """kill -9 while `train --overwrite` begins, trains, saves and replaces: what is opened next can be sampled.

    From the instant on at which it wrote something: before, it imports JAX, and can do no harm.
    """
    often = "from mm_jax.learning import trainer; from mm_jax.tool import entry; trainer.SAVE_SECONDS = 0; entry.main()"
    command = [sys.executable, "-c", often, "train", path, "--out", run, "--overwrite", *options]
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}

    def start():
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(list(map(str, command)), env=env, **quiet)

    def writing():
        """Returns the process when it has written something, or has ended."""
        before, process = set(beside(run)), start()
        while not set(beside(run)) - before and process.poll() is None:
            time.sleep(0.001)
        return process

    assert start().wait(timeout=120) == 0  # compiles
    process, begin = writing(), time.monotonic()
    assert process.wait(timeout=120) == 0
    seconds, rng, killed = time.monotonic() - begin, random.Random(0), 0
    for _ in range(4):
        process = writing()
        time.sleep(rng.uniform(0, 0.8 * seconds))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        opened = runs.RunFolder(run).open()
        assert len(mm_jax.sample(opened.params, jax.random.key(0), 2)) == 2
    assert killed >= 2  # or little was tried
    assert start().wait(timeout=120) == 0
    assert beside(run) == []
