"""The command, as a user types it: exit status, what goes to stdout and what to stderr."""

import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mm_jax
from mm_jax import models, output
from mm_jax import words as lists
from mm_jax.tool import entry, runs
from mm_jax.vocab import Vocab

from .conftest import make, train

NAMES = lists.bundled_names()
COMMANDS = ["check", "train", "sample", "score", "eval", "plot", "compare", "mix", "page", "top", "info"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_fits_80_columns(mm, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = mm(command, "--help")
    assert status == 0
    assert f"Example: mm-jax {command} " in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_the_list_of_commands_is_whole_in_80_columns(mm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = mm("--help")
    assert (status, "..." in out.replace("...", "", out.count("ARGS]..."))) == (0, False)
    assert "Example: mm-jax train towns.txt --out towns && mm-jax sample towns" in out


def test_train_has_no_option_that_text_cannot_give(mm):
    assert "--engine" not in mm("train", "--help")[1]


def test_check(mm, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"emma\nst. i\xefves\nst. ives\nzo\xc3\xab\n")  # partly UTF-8: no encoding reads it
    status, out, err = mm("check", path)
    assert (status, "line 2: byte 6 (0xef) is not UTF-8" in out) == (1, True)
    assert err == "error: 1 line cannot be read: --fix OUT writes a list without it\n"
    status, out, _ = mm("check", path, "--json", "--fix", tmp_path / "clean.txt")
    assert status == 0
    assert json.loads(out)["odd"][0]["line"] == 2
    assert (tmp_path / "clean.txt").read_text() == "emma\nst. ives\nzoë\n"


def test_train_writes_a_run_and_prints_losses_and_samples(trained):
    folder = trained / "mlp"
    assert {"model.safetensors", "state.safetensors", "config.json", "history.csv", "words.txt"} <= {
        path.name for path in folder.iterdir()
    }
    opened = runs.RunFolder(folder).open()
    assert sorted(opened.words) == sorted(mm_jax.load_words(NAMES))
    assert opened.split == mm_jax.split_words(mm_jax.load_words(NAMES))
    history = runs.RunFolder(folder).history()
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


@pytest.mark.slow
def test_sample_gives_up_with_what_it_has(mm, trained):
    status, out, err = mm("sample", trained / "ngram", "-n", 5, "--contains", "zzzz", "--budget", 500)
    assert status == 1
    assert out.strip() == ""
    assert "0 of 5 words, 500 drawn" in err
    assert "failed on the part 'zzzz': loosen it, or raise --budget" in err


def test_score(mm, trained):
    status, out, _ = mm("score", trained / "mlp", "emma", "--json")
    (found,) = json.loads(out)
    params = runs.RunFolder(trained / "mlp").open().params
    assert status == 0
    assert found["nll"] == pytest.approx(mm_jax.score(params, "emma").nll)
    train = runs.RunFolder(trained / "mlp").open().split.train
    likelier = sum(mm_jax.score(params, word).mean < found["mean"] for word in train[:40])
    assert abs(found["rank"] / found["of"] - likelier / 40) < 5 * 0.5 / 40**0.5
    words = runs.RunFolder(trained / "mlp").open().words
    means = [mm_jax.score(params, word).mean for word in words[:50]]
    assert found["likelier_than"] + found["rank"] <= len(words) + 1 and found["in_list"]
    text = mm("score", trained / "mlp", "emma")[1]
    assert (
        f"likelier, per character, than {found['likelier_than']:,} of the list's {len(words):,} words; it is in" in text
    )
    below = sum(mean > found["mean"] for mean in means)
    assert abs(found["likelier_than"] / len(words) - below / 50) < 5 * 0.5 / 50**0.5
    place = mm_jax.rank(params, "emma", jax.random.key(0))
    assert found["of_all"] == dataclasses.asdict(place) and f"of all words {place}; likelier, per character" in text


def test_an_impossible_word_has_no_rank(mm, tmp_path):
    train(make(tmp_path, ["anna", "nana"] * 9), "--out", tmp_path / "run", "--model", "counts", "--smoothing", 0, "-q")
    found = json.loads(mm("score", tmp_path / "run", "anna", "nnana", "nan", "--json")[1].splitlines()[-1])
    assert [each["of_all"] is None for each in found] == [False, False, True]
    text = mm("score", tmp_path / "run", "nan")[1]
    assert "\nthe model cannot make it; likelier, per character" in text


def test_the_oddest_of_a_file(mm, trained, tmp_path):
    path = make(tmp_path, ["maria", "anna", "xqzvk", "johan"])
    status, out, _ = mm("score", trained / "ngram", "--file", path, "-n", 2)
    assert status == 0
    assert out.splitlines()[0].endswith("xqzvk")
    assert len(out.splitlines()) == 2


def test_eval(mm, trained, tmp_path):
    status, out, _ = mm("eval", trained / "ngram", "--json")
    found = json.loads(out)
    opened = runs.RunFolder(trained / "ngram").open()
    assert status == 0
    assert found["test"]["nll"] == pytest.approx(mm_jax.evaluate(opened.params, opened.split.test).nll)
    other = make(tmp_path, ["anna", "mia"])
    assert json.loads(mm("eval", trained / "ngram", other, "--json")[1])["list.txt"]["words"] == 2
    assert "dev" in mm("eval", trained / "ngram")[1]


@pytest.mark.slow
def test_plot(mm, trained):
    status, out, _ = mm("plot", trained / "mlp")
    assert status == 0
    for path in out.split():
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert [Path(path).name for path in out.split()] == ["embedding.png", "losses.png", "words.png"]
    status, out, _ = mm("plot", trained / "ngram")
    assert (status, [Path(path).name for path in out.split()]) == (0, ["words.png"])


def test_plot_writes_every_picture_before_it_names_one(trained, tmp_path, monkeypatch):
    from mm_jax.tool import commands, pictures

    def closed(*paths, **options):
        raise BrokenPipeError

    folder = shutil.copytree(trained / "ngram", tmp_path / "run")
    monkeypatch.setattr(pictures, "draw_all", lambda run: iter([("one", b"1"), ("two", b"2")]))
    monkeypatch.setattr(commands, "print", closed, raising=False)
    with pytest.raises(BrokenPipeError):
        commands.plot(folder)
    assert [(folder / f"{name}.png").read_bytes() for name in ("one", "two")] == [b"1", b"2"]


def test_top(mm, trained):
    status, out, _ = mm("top", trained / "ngram", "-n", 5, "--json")
    found = json.loads(out)
    assert status == 0
    assert [each["probability"] for each in found] == sorted((each["probability"] for each in found), reverse=True)
    assert not {each["word"] for each in found} & set(mm_jax.load_words(NAMES))
    params = runs.RunFolder(trained / "ngram").open().params
    assert np.exp(-mm_jax.score(params, found[0]["word"]).nll) == pytest.approx(found[0]["probability"], rel=1e-4)


def test_info(mm, trained):
    found = json.loads(mm("info", trained / "mlp", "--json")[1])
    assert (found["model"], found["steps"], found["words"]["dev"]) == ("MLP", 40, 860)


@pytest.mark.slow
def test_compare(mm, tmp_path, monkeypatch):
    """Of the quick models; of all, in small, `test_the_examples_run`."""
    known = {name: model for name, model in models.makeable().items() if name in ("counts", "bigram", "mlp")}
    monkeypatch.setattr(models, "makeable", lambda: known)
    path = make(tmp_path, mm_jax.load_words(NAMES)[::30])
    rows = json.loads(mm("compare", path, "--steps", 20, "--json")[1])
    by_name = {row["model"]: float("inf") if row["dev"] is None else row["dev"] for row in rows}  # null: infinite
    assert {"counts, add 1", "neural bigram, 100 steps", "MLP, tuned"} <= set(by_name)
    assert list(by_name.values()) == sorted(by_name.values(), reverse=True)
    assert min(by_name.values()) == by_name[rows[-1]["model"]]


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["train", "none.txt", "--out", "r"], 1, "error: none.txt does not exist"),
        (["train", "LIST", "--out", "r", "--model", "mlp", "--steps", "0"], 2, "--steps"),
        (["train", "LIST", "--out", "r", "--model", "mlp", "--lr", "fast"], 2, "neither a positive number nor auto"),
        (["train", "LIST", "--out", "r", "--model", "lstm"], 2, "Invalid value for '--model': 'lstm' is not one of"),
        (["train", "LIST", "LIST", "--out", "r"], 2, "are one pattern in quotes, such as 'lists/*.txt'"),
        (["train", "LIST"], 2, "--out"),
        (["train", "LIST", "--out", "LIST"], 1, "is a file: name a folder to write"),
        (["mix", "RUN", "RUN", "--out", "OTHER"], 1, "holds a run already: name another folder"),
        (["check", "LIST", "--fix", "LIST"], 1, "is the list itself: name another file"),
        (["sample", "nowhere"], 1, "error: nowhere is no run folder"),
        (["sample", "LIST"], 1, "is a file, and no model: name a run folder, which mm-jax train makes"),
        (["sample", "RUN", "5"], 2, "-n N is the number of words"),
        (["top", "RUN", "5"], 2, "-n N is the number of words"),
        (["sample", "RUN", "-n", "ten"], 2, "Invalid value for '-n': give a whole number"),
        (["sample", "RUN", "--temperature", "-1"], 2, "Invalid value for '--temperature': give 0 or more"),
        (["sample", "RUN", "--prefix", "é"], 1, "character 1 is 'é'"),
        (["sample", "RUN", "-n", "0"], 2, "-n"),
        (["sample", "RUN", "--top-p", "90"], 1, "top_p is 90.0: give a probability above 0; 1 leaves no symbol out"),
        (["info", "LIST"], 1, "is a file: name the folder of a run, which mm-jax train makes"),
        (["score", "RUN"], 2, "either words or --file"),
        (["score", "RUN", "a.b"], 1, "'a.b': character 2 is '.'"),
        (["score", "RUN", "a.b", "b."], 1, "the model can read none of the words"),
        (["train", "LIST", "--out", "RUN"], 1, "holds a run already: give --resume"),
        (["train", "nowhere", "--out", "RUN"], 1, "holds a run already"),  # said before the list is read
        (
            ["train", "LIST", "--out", "RUN", "--resume", "--seed", "9"],
            1,
            "trained with other options: seed 0 (now 9)",
        ),
        (["train", "nowhere", "--out", "r", "--model", "GRU"], 1, "nowhere does not exist"),  # gru, in any case
        (["frobnicate"], 2, "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line_and_no_traceback(mm, trained, tmp_path, monkeypatch, args, status, message):
    monkeypatch.chdir(tmp_path)
    names = {"LIST": str(NAMES), "RUN": str(trained / "ngram"), "OTHER": str(trained / "mlp")}
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
    "long": ["ab" * 150],
}


# On lists as short as these, auto is the n-gram model alone.
TRAINED = [
    *(("auto", name) for name in ("hebrew", "one")),
    *(pytest.param("auto", name, marks=pytest.mark.weekly) for name in SMALL if name not in ("hebrew", "one")),
    *(("mlp", name) for name in ("hebrew", "emoji", "one")),
    pytest.param("mlp", "long", marks=pytest.mark.weekly),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), TRAINED)
def test_any_alphabet_any_size(mm, tmp_path, model, name):
    path = tmp_path / "list.txt"
    path.write_bytes("\r\n".join(SMALL[name]).encode())
    assert mm("check", path)[0] == 0
    steps = ["--steps", 30] if model == "mlp" else []
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--model", model, *steps)
    assert status == 0, err
    status, out, _ = mm("sample", tmp_path / "run", "-n", 5, "--budget", 1000, "--json")
    assert status == 0 or name == "long"  # a word seldom ends at just the length of the only one
    characters = set("".join(mm_jax.load_words(path)))
    assert all(set(word) <= characters for word in json.loads(out)["words"])
    assert mm("score", tmp_path / "run", mm_jax.load_words(path)[0])[0] == 0


@pytest.mark.slow
@pytest.mark.weekly
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


@pytest.mark.slow
def test_small_lists_do_not_overfit(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::80])
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--model", "mlp", "--json")
    assert status == 0
    assert "the best on dev" in err
    assert runs.RunFolder(tmp_path / "run").history()[-1][0] < json.loads(out)["plan"]["steps"]


@pytest.mark.slow
def test_the_rate_can_be_found(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::80])
    options = ["--model", "mlp", "--lr", "auto", "--steps", 10, "--hidden-dim", 16]
    status, out, _ = mm("train", path, "--out", tmp_path / "run", *options, "--json")
    assert status == 0
    assert 1e-3 < json.loads(out)["plan"]["learning_rate"] < 1


@pytest.mark.slow
@pytest.mark.weekly
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.text(min_size=0, max_size=8), min_size=1, max_size=12),
    model=st.sampled_from(["auto", "mlp", "counts", "ngram"]),
)
def test_any_list_goes_through_or_is_refused_in_words(mm, tmp_path_factory, words, model):
    tmp_path = tmp_path_factory.mktemp("any")
    path = tmp_path / "list.txt"
    path.write_bytes("\n".join(words).encode("utf-8", "surrogatepass"))
    status, _, err = mm("check", path, "--column", "all", "--fix", tmp_path / "clean.txt")
    if status:
        assert "holds no words" in err
        return
    steps = ["--steps", 20] if model == "mlp" else []
    options = ["--model", model, *steps, "--column", "all"]
    status, _, err = mm("train", tmp_path / "clean.txt", "--out", tmp_path / "run", *options)
    assert status == 0, err
    opened = runs.RunFolder(tmp_path / "run").open()
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


@pytest.mark.parametrize("name", ["check", "train", "sample", "compare", "mix", "score", "eval", "plot", "page", "top"])
def test_every_command_says_what_it_does_where_it_is_silent(mm, trained, tmp_path, monkeypatch, name):
    """Each is given something to wait for: the first thing that it does takes a tenth of a second."""
    monkeypatch.setattr(output, "SILENCE", 0.02)
    monkeypatch.setattr(lists, "read_bytes", lambda path: time.sleep(0.1) or 1 / 0)
    monkeypatch.setattr(runs.RunFolder, "config", lambda folder: time.sleep(0.1) or 1 / 0)
    more = {
        "train": ["--out", tmp_path / "run"],
        "mix": [trained / "ngram", "--out", tmp_path / "run"],
        "page": ["--out", tmp_path / "page.html"],
        "score": ["anna"],
    }
    first = NAMES if name in ("check", "train", "compare") else trained / "mlp"
    monkeypatch.setattr(sys, "argv", ["mm-jax", name, *map(str, [first, *more.get(name, [])])])
    said = []
    monkeypatch.setattr(output, "print", lambda *args, **kwargs: said.append(args[0]), raising=False)
    with pytest.raises(ZeroDivisionError):
        entry.main()
    assert any(line.endswith(" ...") for line in said)
