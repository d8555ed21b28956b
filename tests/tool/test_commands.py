"""The command, as a user types it: exit status, what goes to stdout and what to stderr."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mm_jax
from mm_jax import checkpoint, files
from mm_jax import words as lists
from mm_jax.tool import planning, runs, trainer
from mm_jax.vocab import Vocab

NAMES = lists.bundled_names()
COMMANDS = ["check", "train", "sample", "score", "eval", "plot", "compare", "mix", "top", "info"]


def make(tmp_path, words, name="list.txt"):
    path = tmp_path / name
    path.write_text("\n".join([*words, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_fits_80_columns(mm, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = mm(command, "--help")
    assert status == 0
    assert f"Example: mm-jax {command} " in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_help_imports_no_jax():
    code = "import sys, mm_jax.tool.entry; sys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_check(mm, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"emma\nst. i\xefves\nst. ives\n")
    status, out, err = mm("check", path)
    assert (status, "line 2: byte 6 (0xef) is not UTF-8" in out) == (1, True)
    assert err == "error: 1 line(s) must be mended before training: --fix OUT does it\n"
    status, out, _ = mm("check", path, "--json", "--fix", tmp_path / "clean.txt")
    assert status == 0
    assert json.loads(out)["odd"][0]["line"] == 2
    assert (tmp_path / "clean.txt").read_text() == "emma\nst. ives\n"


def test_train_writes_a_run_and_prints_losses_and_samples(trained):
    folder = trained / "mlp"
    assert {"model.safetensors", "state.safetensors", "config.json", "history.csv", "words.txt"} <= {
        path.name for path in folder.iterdir()
    }
    opened = runs.open_run(folder)
    assert sorted(opened.words) == sorted(mm_jax.load_words(NAMES))
    assert opened.split == mm_jax.split_words(mm_jax.load_words(NAMES))
    history = runs.read_history(folder)
    assert history[-1][0] == 40
    best = min(dev for _, _, dev in history)
    assert mm_jax.evaluate(opened.params, opened.split.dev).nll == pytest.approx(best, abs=1e-9)


def test_sample_meets_every_condition(mm, trained):
    conditions = ["--prefix", "ma", "--suffix", "a", "--contains", "r", "--min-length", 4, "--max-length", 8]
    status, out, err = mm("sample", trained / "ngram", "-n", 30, *conditions, "--new", "--distinct", "--json")
    found = json.loads(out)
    words = found["words"]
    assert status == 0
    assert len(words) == len(set(words)) == 30
    known = set(mm_jax.load_words(NAMES))
    for word in words:
        assert word.startswith("ma") and word.endswith("a") and "r" in word and 4 <= len(word) <= 8, word
        assert word not in known
    assert f"30 of 30 words, {found['tried']:,} drawn" in err
    assert mm("sample", trained / "ngram", "--seed", 1)[1] == mm("sample", trained / "ngram", "--seed", 1)[1]
    assert mm("sample", trained / "ngram", "--seed", 1)[1] != mm("sample", trained / "ngram", "--seed", 2)[1]


def test_sample_gives_up_with_what_it_has(mm, trained):
    status, out, err = mm("sample", trained / "ngram", "-n", 5, "--contains", "zzzz", "--budget", 500)
    assert status == 1
    assert out.strip() == ""
    assert "0 of 5 words, 500 drawn" in err
    assert "loosen them, or raise --budget" in err


def test_score(mm, trained):
    status, out, _ = mm("score", trained / "mlp", "emma", "--json")
    (found,) = json.loads(out)
    params = runs.open_run(trained / "mlp").params
    assert status == 0
    assert found["nll"] == pytest.approx(mm_jax.score(params, "emma").nll)
    train = runs.open_run(trained / "mlp").split.train
    likelier = sum(mm_jax.score(params, word).mean < found["mean"] for word in train[:40])
    assert abs(found["rank"] / found["of"] - likelier / 40) < 5 * 0.5 / 40**0.5
    assert "likelier, per character, than all but" in mm("score", trained / "mlp", "emma")[1]


def test_the_oddest_of_a_file(mm, trained, tmp_path):
    path = make(tmp_path, ["maria", "anna", "xqzvk", "johan"])
    status, out, _ = mm("score", trained / "ngram", "--file", path, "-n", 2)
    assert status == 0
    assert out.splitlines()[0].endswith("xqzvk")
    assert len(out.splitlines()) == 2


def test_eval(mm, trained, tmp_path):
    status, out, _ = mm("eval", trained / "ngram", "--json")
    found = json.loads(out)
    opened = runs.open_run(trained / "ngram")
    assert status == 0
    assert found["test"]["nll"] == pytest.approx(mm_jax.evaluate(opened.params, opened.split.test).nll)
    other = make(tmp_path, ["anna", "mia"])
    assert json.loads(mm("eval", trained / "ngram", other, "--json")[1])["list.txt"]["words"] == 2
    assert "dev" in mm("eval", trained / "ngram")[1]


def test_plot(mm, trained):
    status, out, _ = mm("plot", trained / "mlp")
    assert status == 0
    for path in out.split():
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert [Path(path).name for path in out.split()] == ["embedding.png", "losses.png", "words.png"]
    status, out, _ = mm("plot", trained / "ngram")
    assert (status, [Path(path).name for path in out.split()]) == (0, ["words.png"])


def test_top(mm, trained):
    status, out, _ = mm("top", trained / "ngram", "-n", 5, "--json")
    found = json.loads(out)
    assert status == 0
    assert [each["probability"] for each in found] == sorted((each["probability"] for each in found), reverse=True)
    assert not {each["word"] for each in found} & set(mm_jax.load_words(NAMES))
    params = runs.open_run(trained / "ngram").params
    assert np.exp(-mm_jax.score(params, found[0]["word"]).nll) == pytest.approx(found[0]["probability"], rel=1e-4)


def test_info(mm, trained):
    found = json.loads(mm("info", trained / "mlp", "--json")[1])
    assert (found["model"], found["steps"], found["words"]["dev"]) == ("MLP", 40, 860)


@pytest.mark.slow
def test_compare(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::30])
    rows = json.loads(mm("compare", path, "--steps", 20, "--json")[1])
    by_name = {row["model"]: row["dev"] for row in rows}
    assert {"counts", "bigram", "mlp", "gru"} - {name.split()[0] for name in by_name} == set()
    assert [row["dev"] for row in rows] == sorted(by_name.values(), reverse=True)
    assert min(by_name.values()) == by_name[rows[-1]["model"]]


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["train", "none.txt", "--out", "r"], 1, "error: none.txt does not exist"),
        (["train", "LIST", "--out", "r", "--model", "mlp", "--steps", "0"], 2, "--steps"),
        (["train", "LIST", "--out", "r", "--model", "mlp", "--lr", "fast"], 2, "neither a positive number nor auto"),
        (["train", "LIST", "--out", "r", "--model", "lstm"], 2, "--model"),
        (["train", "LIST"], 2, "--out"),
        (["sample", "nowhere"], 1, "error: nowhere is no run folder"),
        (["sample", "RUN", "--temperature", "-1"], 2, "--temperature"),
        (["sample", "RUN", "--prefix", "é"], 1, "character 1 is 'é'"),
        (["sample", "RUN", "-n", "0"], 2, "-n"),
        (["score", "RUN"], 2, "either words or --file"),
        (["score", "RUN", "a.b"], 1, "no word is left that the model can read"),
        (["train", "LIST", "--out", "RUN"], 1, "holds a run already: give --resume"),
        (
            ["train", "LIST", "--out", "RUN", "--resume", "--seed", "9"],
            1,
            "trained with other options: model ngram (now auto)",
        ),
        (["frobnicate"], 2, "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line_and_no_traceback(mm, trained, tmp_path, monkeypatch, args, status, message):
    monkeypatch.chdir(tmp_path)
    names = {"LIST": str(NAMES), "RUN": str(trained / "ngram")}
    got, out, err = mm(*(names.get(arg, arg) for arg in args))
    assert (got, out) == (status, "")
    assert message in err.replace("\n", " ")
    assert "Traceback" not in err


SMALL = {
    "french": ["Saint-Étienne", "L'Haÿ-les-Roses", "Besançon", "Nîmes", "Sète", "Angoulême", "Orléans", "Évreux"],
    "greek": ["Ἀθῆναι", "Θεσσαλονίκη", "Πάτρα", "Ηράκλειο", "Λάρισα", "Βόλος", "Ρόδος", "Χανιά"],
    "kana": ["さくら", "ひなた", "あおい", "はると", "ゆい", "そうた", "みお", "れん"],
    "hebrew": ["שלום", "דוד", "שרה", "רחל", "משה", "נועה", "יעל", "אורי"],
    "emoji": ["😀😁", "👩‍🚀🚀", "🍎🍏", "🐶🐱", "😀🍎", "🚀😁", "🐱😀", "🍏🐶"],
    "spaces": ["new york", "los angeles", "san jose", "new orleans", "fort worth", "el paso", "st paul"],
    "one": ["emma"],
    "three": ["emma", "ava", "mia"],
    "ten": ["emma", "ava", "mia", "zoe", "ida", "eva", "ana", "lea", "noa", "uma"],
    "long": ["ab" * 2500],
}


# On lists as short as these, auto is the n-gram model alone.
TRAINED = [*(("auto", name) for name in SMALL), *(("mlp", name) for name in ("hebrew", "emoji", "one", "long"))]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), TRAINED)
def test_any_alphabet_any_size(mm, tmp_path, model, name):
    path = tmp_path / "list.txt"
    path.write_bytes("\r\n".join(SMALL[name]).encode())
    assert mm("check", path)[0] == 0
    steps = ["--steps", 30] if model == "mlp" else []
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--model", model, *steps)
    assert status == 0, err
    status, out, _ = mm("sample", tmp_path / "run", "-n", 5, "--json")
    assert status == 0 or (model, name) == ("mlp", "long")  # it seldom ends a word within the length of the only one
    characters = set("".join(mm_jax.load_words(path)))
    assert all(set(word) <= characters for word in json.loads(out)["words"])
    assert mm("score", tmp_path / "run", mm_jax.load_words(path)[0])[0] == 0


@pytest.mark.slow
def test_two_hundred_thousand_words(mm, tmp_path, table):
    counts = mm_jax.counts.from_table(table, Vocab(".abcdefghijklmnopqrstuvwxyz"))
    import jax

    words = [word for word in mm_jax.sample(counts, jax.random.key(0), 210_000) if word][:200_000]
    path = make(tmp_path, words)
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--model", "mlp", "--steps", 100, "--json")
    assert status == 0, err
    found = json.loads(out)["losses"]
    assert found["dev"]["nll"] < 2.8
    assert mm("sample", tmp_path / "run", "--new")[0] == 0


def test_small_lists_do_not_overfit(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::80])
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--model", "mlp", "--json")
    assert status == 0
    assert "which is what is kept" in err
    assert runs.read_history(tmp_path / "run")[-1][0] < json.loads(out)["plan"]["steps"]


def test_the_rate_can_be_found(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::80])
    options = ["--model", "mlp", "--lr", "auto", "--steps", 20, "--hidden-dim", 16]
    status, out, _ = mm("train", path, "--out", tmp_path / "run", *options, "--json")
    assert status == 0
    assert 1e-3 < json.loads(out)["plan"]["learning_rate"] < 1


def same(one, other):
    """Bit for bit the same files: the state, which holds the best model, and where a run has it the model's own."""
    for name in ("model", "state"):
        ours, theirs = (folder / f"{name}.safetensors" for folder in (one, other))
        assert ours.exists() == theirs.exists()
        assert (name == "model" and not ours.exists()) or ours.read_bytes() == theirs.read_bytes()
    return True


def test_a_loss_that_is_not_finite_stops_with_advice(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::80])
    options = ["--model", "mlp", "--recipe", "lecture", "--lr", "1e30", "--steps", "200", "--hidden-dim", "16"]
    status, _, err = mm("train", path, "--out", tmp_path / "run", *options)
    assert status == 1
    assert re.search(r"the loss is (nan|inf) at step \d+ with learning rate 1e\+30: try --lr 1e\+29", err)
    arrays, _ = checkpoint.read_arrays(tmp_path / "run" / "state.safetensors", "state")
    assert all(np.isfinite(array).all() for array in arrays.values())


SMALL_MLP = {"steps": 80, "batch_size": 16, "learning_rate": 0.01, "hidden_dim": 8, "embedding_dim": 2}


@pytest.fixture
def stopped(tmp_path):
    """A run that was stopped half-way, and a function that goes on with it, or with another."""
    words = mm_jax.load_words(NAMES)[::40]
    split, vocab = runs.split_for(words), Vocab.from_words(words)
    plan = planning.plan_for(words, vocab, "mlp", "tuned", SMALL_MLP)

    def go(folder=tmp_path / "run", stop=None, resume=True, plan=plan, split=split):
        folder.mkdir(exist_ok=True)
        job = trainer.Trainer(folder, plan, split, vocab, resume)

        def watch(run):
            for progress in run:
                yield progress
                if stop and int(progress.state.step) >= stop:
                    break

        job.run(watch)
        return folder

    go(stop=40)
    return go


def test_resuming_is_the_run_that_was_not_stopped(stopped, tmp_path):
    whole, continued = stopped(tmp_path / "whole", resume=False), stopped()
    assert same(whole, continued)
    assert (whole / "history.csv").read_text() == (continued / "history.csv").read_text()


def test_resuming_refuses_and_says_why(stopped, tmp_path):
    words = mm_jax.load_words(NAMES)[::40]
    plan = planning.plan_for(words, Vocab.from_words(words), "mlp", "tuned", SMALL_MLP | {"learning_rate": 0.02})
    with pytest.raises(ValueError, match=r"other options: learning_rate 0.01 \(now 0.02\)"):
        stopped(plan=plan)
    with pytest.raises(ValueError, match="another list"):
        stopped(split=runs.split_for(mm_jax.load_words(NAMES)[::41]))
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
    checkpoint.write_arrays(path, arrays, {**metadata, "format": "3"})
    with pytest.raises(ValueError, match="a newer mm_jax wrote it"):
        stopped()
    name = next(name for name in arrays if "W1" in name and "params" in name)
    checkpoint.write_arrays(path, arrays | {name: np.full_like(arrays[name], np.nan)}, metadata)
    with pytest.raises(ValueError, match="not finite"):
        stopped()


def test_a_folder_in_use_is_refused(mm, tmp_path):
    hold = f"""
from pathlib import Path
from mm_jax.tool import runs
import time
with runs.locked(Path({str(tmp_path / "run")!r})):
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
def test_killed_at_ten_instants(tmp_path):
    """kill -9 in the middle of training, writing or starting: the folder loads, and ends as if nothing had been."""
    path = make(tmp_path, mm_jax.load_words(NAMES)[::4])
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    options = ["--model", "mlp", "--steps", "20000", "--batch-size", "64", "--hidden-dim", "32", "--lr", "0.0003"]
    often = "from mm_jax.tool import entry, trainer; trainer.SAVE_SECONDS = 0; entry.main()"

    def start(folder):
        command = [sys.executable, "-c", often, "train", path, "--out", folder, "--resume", *options]
        return subprocess.Popen(list(map(str, command)), env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def saved():
        state = tmp_path / "killed" / "state.safetensors"
        return state.stat().st_mtime_ns if state.exists() else 0

    assert start(tmp_path / "whole").wait(timeout=120) == 0
    rng = random.Random(0)
    reached, startup = [], 0.0
    for kill in range(10):
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
            runs.open_run(tmp_path / "killed")
        if (tmp_path / "killed" / "state.safetensors").exists():
            checkpoint.read_arrays(tmp_path / "killed" / "state.safetensors", "state")
            reached.append(runs.read_history(tmp_path / "killed")[-1][0])
    assert reached == sorted(reached)
    assert len(set(reached)) >= 3  # or little was tried
    assert start(tmp_path / "killed").wait(timeout=120) == 0
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.text(min_size=0, max_size=8), min_size=1, max_size=12),
    model=st.sampled_from(["auto", "mlp", "counts", "ngram"]),
)
def test_any_list_goes_through_or_is_refused_in_words(mm, tmp_path_factory, words, model):
    tmp_path = tmp_path_factory.mktemp("any")
    path = tmp_path / "list.txt"
    path.write_bytes("\n".join(words).encode("utf-8", "surrogatepass"))
    status, _, err = mm("check", path, "--fix", tmp_path / "clean.txt")
    if status:
        assert "holds no words" in err
        return
    steps = ["--steps", 20] if model == "mlp" else []
    status, _, err = mm("train", tmp_path / "clean.txt", "--out", tmp_path / "run", "--model", model, *steps)
    assert status == 0, err
    opened = runs.open_run(tmp_path / "run")
    kept = mm_jax.load_words(tmp_path / "clean.txt")
    assert sorted(opened.words) == sorted(kept)
    mm_jax.save(opened.params, tmp_path / "again.safetensors")
    again = mm_jax.load(tmp_path / "again.safetensors")
    assert again.vocab == opened.params.vocab
    assert mm("sample", tmp_path / "run", "-n", 3, "--min-length", 0)[0] == 0
    for word in kept[:3]:
        status, out, _ = mm("score", tmp_path / "run", "--json", "--", word)
        assert status == 0
        assert json.loads(out)[0]["word"] == word
