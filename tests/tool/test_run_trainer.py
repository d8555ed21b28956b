"""Training into a run folder: it stops, it goes on bit for bit, and it can be killed at any instant."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import checkpoint
from mm_jax import words as lists
from mm_jax.learning import plans
from mm_jax.tool import run_trainer, runs
from mm_jax.words import WordList

from ..conftest import slow
from .conftest import make

NAMES = lists.bundled_names()


def same(one, other):
    """Bit for bit the same files: the state, which holds the best model, and where a run has it the model's own."""
    for name in ("model", "state"):
        ours, theirs = (folder / f"{name}.safetensors" for folder in (one, other))
        assert ours.exists() == theirs.exists()
        assert (name == "model" and not ours.exists()) or ours.read_bytes() == theirs.read_bytes()
    return True


def test_a_loss_that_is_not_finite_stops_with_advice(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::80])
    options = ["--model", "mlp", "--recipe", "lecture", "--lr", "1e38", "--steps", "200", "--hidden-dim", "16"]
    status, _, err = mm("train", path, "--out", tmp_path / "run", *options)
    assert status == 1
    assert re.search(r"the loss is (nan|inf) at step \d+ with learning rate 1e\+38: try --lr 1e\+37", err)
    arrays, _ = checkpoint.read_arrays(tmp_path / "run" / "state.safetensors", "state")
    assert all(np.isfinite(array).all() for array in arrays.values())


SMALL_MLP = {"steps": 80, "batch_size": 16, "learning_rate": 0.01, "hidden_dim": 8, "embedding_dim": 2}
SMALL = {
    "bow": {"hidden_dim": 8, "embedding_dim": 4, "drop_tokens": 0.1},
    "rnn": {"hidden_dim": 8, "drop_tokens": 0.1, "drop_states": 0.1},
    "gru": {"hidden_dim": 8},
    "transformer": {"num_layers": 1, "num_heads": 2, "width": 8, "drop_tokens": 0.1, "drop_states": 0.1},
}


def stopped_at(folder, model, options, step):
    """A run that was stopped after a step, and a function that goes on with it, or with another."""
    words = WordList.of(mm_jax.load_words(NAMES)[::40])
    plan = plans.plan_for(words, model, "tuned", options, key=jax.random.key(0))

    def go(folder=folder, stop=None, resume=True, plan=plan, words=words):
        folder.mkdir(exist_ok=True)
        job = run_trainer.FolderTrainer(runs.RunFolder(folder), plan, words, resume)

        def watch(run):
            for progress in run:
                yield progress
                if stop and int(progress.state.step) >= stop:
                    break

        job.run(watch)
        return folder

    go(stop=step)
    return go


@pytest.fixture
def stopped(tmp_path):
    """An MLP's run, stopped half-way."""
    return stopped_at(tmp_path / "run", "mlp", SMALL_MLP, 40)


@pytest.mark.parametrize("model", ["rnn", *slow(["bow", "gru", "transformer"])])
def test_models_of_whole_words_resume_with_their_dropout(model, tmp_path):
    go = stopped_at(tmp_path / "run", model, SMALL[model] | {"steps": 40, "batch_size": 8}, 17)
    assert 17 <= runs.RunFolder(tmp_path / "run").history()[-1][0] < 40
    assert same(go(tmp_path / "whole", resume=False), go())


@pytest.mark.slow
def test_resuming_is_the_run_that_was_not_stopped(stopped, tmp_path):
    whole, continued = stopped(tmp_path / "whole", resume=False), stopped()
    assert same(whole, continued)
    assert (whole / "history.csv").read_text() == (continued / "history.csv").read_text()


def test_resuming_refuses_and_says_why(stopped, tmp_path):
    words = WordList.of(mm_jax.load_words(NAMES)[::40])
    plan = plans.plan_for(words, "mlp", "tuned", SMALL_MLP | {"learning_rate": 0.02}, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"other options: learning_rate 0.01 \(now 0.02\)"):
        stopped(plan=plan)
    with pytest.raises(ValueError, match="another list"):
        stopped(words=words._replace(split=WordList.of(mm_jax.load_words(NAMES)[::41]).split))
    path = tmp_path / "run" / "state.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(ValueError, match="cut short, altered"):
        stopped()
    path.write_bytes(content[:-5] + b"\x01" + content[-4:])
    with pytest.raises(ValueError, match="was altered"):
        stopped()
    path.write_bytes(content)
    arrays, metadata = checkpoint.read_arrays(path, "state")
    checkpoint.write_arrays(path, arrays, {**metadata, "format": str(checkpoint.FORMAT + 1)})
    with pytest.raises(ValueError, match="a newer mm_jax wrote it"):
        stopped()
    name = next(name for name in arrays if "W1" in name and "params" in name)
    checkpoint.write_arrays(path, arrays | {name: np.full_like(arrays[name], np.nan)}, metadata)
    with pytest.raises(ValueError, match="not finite"):
        stopped()


@pytest.mark.slow
def test_killed_at_any_instant(tmp_path):
    """kill -9 in the middle of training, writing or starting: the folder loads, and ends as if nothing had been."""
    path = make(tmp_path, mm_jax.load_words(NAMES)[::4])
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    options = ["--model", "mlp", "--steps", "20000", "--batch-size", "64", "--hidden-dim", "32", "--lr", "0.0003"]
    often = "from mm_jax.learning import trainer; from mm_jax.tool import entry; trainer.SAVE_SECONDS = 0; entry.main()"

    def start(folder):
        command = [sys.executable, "-c", often, "train", path, "--out", folder, "--resume", *options]
        return subprocess.Popen(list(map(str, command)), env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def saved():
        state = tmp_path / "killed" / "state.safetensors"
        return state.stat().st_mtime_ns if state.exists() else 0

    assert start(tmp_path / "whole").wait(timeout=120) == 0
    rng = random.Random(0)
    reached, startup = [], 0.0
    for kill in range(4):
        before, begin = saved(), time.monotonic()
        process = start(tmp_path / "killed")
        if kill % 2:  # at any instant of its start
            time.sleep(rng.uniform(0, startup))
        else:  # in its work, which writes all the time
            while saved() == before and process.poll() is None:
                time.sleep(0.001)
            startup = time.monotonic() - begin
            time.sleep(rng.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "killed" / "model.safetensors").exists():
            runs.RunFolder(tmp_path / "killed").open()
        if (tmp_path / "killed" / "state.safetensors").exists():
            checkpoint.read_arrays(tmp_path / "killed" / "state.safetensors", "state")
            reached.append(runs.RunFolder(tmp_path / "killed").history()[-1][0])
    assert reached == sorted(reached)
    assert len(set(reached)) >= 2  # or little was tried
    assert start(tmp_path / "killed").wait(timeout=120) == 0
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.parametrize("limit", [2**25, 10_000])
def test_a_model_of_whole_words_is_killed_and_goes_on(limit, tmp_path):
    """Its chunks are longer; that each of these models resumes bit for bit is tested above. From memory, and a file."""
    model = "transformer"
    path = make(tmp_path, mm_jax.load_words(NAMES)[::4])
    own = {**SMALL[model], "steps": 1000, "batch_size": 8, "lr": 0.0005}
    options = [text for name, value in own.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    often = f"""
from mm_jax import sources
from mm_jax.learning import trainer
from mm_jax.tool import entry, reading, runs
trainer.SAVE_SECONDS = 0
sources.LONG_BYTES = reading.LONG_BYTES = runs.LONG_BYTES = {limit}
entry.main()
"""
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}

    def start(folder):
        command = [sys.executable, "-c", often, "train", path, "--model", model, "--out", folder, "--resume", *options]
        return subprocess.Popen(list(map(str, command)), env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)

    whole = start(tmp_path / "whole")
    assert whole.communicate(timeout=300) and whole.returncode == 0
    process = start(tmp_path / "killed")
    while not (tmp_path / "killed" / "state.safetensors").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert runs.RunFolder(tmp_path / "killed").history()[-1][0] < runs.RunFolder(tmp_path / "whole").history()[-1][0]
    again = start(tmp_path / "killed")
    assert again.communicate(timeout=300) and again.returncode == 0
    assert same(tmp_path / "whole", tmp_path / "killed")
