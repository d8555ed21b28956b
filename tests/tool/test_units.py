"""`mm-jax` on lists whose symbols are graphemes or words."""

import json

import pytest

from mm_jax.tool import runs

from .conftest import make, train

HINDI = ["मीरा", "शीला", "राम", "कमला", "विमला", "शीतल", "क्षमा", "प्रिया", "श्री", "गीता"]
PHONEMES = ["K AE1 T", "B AE1 T", "K AA1 R", "B AA1 R", "T AA1 R", "R AE1 T", "K AE1 B", "T AE1 B", "B AE1 R T"]
OF = ["--model", "ngram", "--order", "3", "-q"]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Runs of phonemes, and of Hindi names as graphemes and as characters."""
    folder = tmp_path_factory.mktemp("units")
    train(make(folder, PHONEMES, "phonemes.txt"), "--units", "words", "--out", folder / "phonemes", *OF)
    train(make(folder, HINDI, "hindi.txt"), "--out", folder / "graphemes", *OF)
    train(folder / "hindi.txt", "--units", "characters", "--out", folder / "characters", *OF)
    return folder


def test_the_tool_takes_graphemes_by_itself_and_says_so(mm, learned, tmp_path):
    status, _, err = mm("train", learned / "hindi.txt", "--out", tmp_path / "run", *OF[:-1])
    assert status == 0 and "some have several characters, which are kept together: --units characters" in err
    assert "10 words with 16 different graphemes" in err
    status, _, err = mm("train", make(tmp_path, ["emma", "ava", "zoë"]), "--out", tmp_path / "latin", *OF[:-1])
    assert status == 0 and "kept together" not in err and "different characters" in err
    assert "units" not in runs.RunFolder(tmp_path / "latin").config()["plan"]  # as an older version wrote it


def test_a_run_remembers_its_units(mm, learned):
    for name, units in (("phonemes", "words"), ("graphemes", "graphemes"), ("characters", "characters")):
        run = runs.RunFolder(learned / name)
        assert run.open().params.vocab.units == run.words().vocab.units == units
        list_of = learned / ("phonemes.txt" if name == "phonemes" else "hindi.txt")
        status, _, err = mm("train", list_of, "--out", learned / name, "--resume")
        assert status == 0, err
    status, _, err = mm("train", learned / "hindi.txt", "--out", learned / "characters", "--resume", "--units", "words")
    assert status == 1 and "trained with other options: units characters (now words)" in err


def test_the_verbs_on_phonemes(mm, learned):
    run = learned / "phonemes"
    status, out, _ = mm("sample", run, "-n", 5, "--prefix", "K AE1", "--json")
    words = json.loads(out)["words"]
    assert status == 0 and len(words) == 5 and all(word.startswith("K AE1") for word in words)
    assert {symbol for word in words for symbol in word.split(" ")} <= {"K", "AE1", "T", "B", "AA1", "R"}
    status, out, _ = mm("score", run, "K AE1 R")
    assert status == 0 and "nats per symbol" in out and "AE1" in out
    assert "of all lines" in out and "per symbol, than" in out
    assert len(mm("top", run, "-n", 3)[1].splitlines()) == 3
    assert "6 words" in mm("info", run)[1]
    assert "per character" in mm("eval", run)[1] and "nats per symbol" in mm("eval", run)[1]
    assert "per character" not in mm("eval", learned / "characters")[1].replace("nats per character", "")
    losses = json.loads(mm("eval", run, "--json")[1])["train"]
    assert losses["characters"] > losses["tokens"]
    status, out, _ = mm("sample", run, "-n", 3, "--scores", "--min-distance", 1)
    assert status == 0 and len(out.splitlines()) == 3


def test_mistakes(mm, learned, tmp_path):
    for args, message in (
        (["score", "K AE2 T"], "'K AE2 T': symbol 2 is 'AE2': not in the vocabulary (it has: AA1 AE1 B K R T)"),
        (["score", "K  T"], "two blanks side by side"),
        (["score", "K ."], "symbol 2 is '.': '.' ends a word"),
        (["sample", "--prefix", "K AE2"], "symbol 2 is 'AE2'"),
        (["sample", "--like", "K AE1 T"], "the symbols here are words: leave it out"),
    ):
        status, _, err = mm(args[0], learned / "phonemes", *args[1:])
        assert status == 1 and message in err
    bad = make(tmp_path, [*PHONEMES, "K  T"])
    status, _, err = mm("train", bad, "--units", "words", "--out", tmp_path / "run")
    assert status == 1 and "'K  T' has two blanks side by side: put one blank between symbols" in err
    assert not (tmp_path / "run").exists()
    assert mm("check", bad, "--fix", tmp_path / "mended.txt")[0] == 0
    assert mm("train", tmp_path / "mended.txt", "--units", "words", "--out", tmp_path / "run", *OF)[0] == 0
    status, _, err = mm("mix", learned / "phonemes", learned / "characters", "--out", tmp_path / "both")
    assert status == 1 and "the runs' symbols are characters and words: train them with the same --units" in err


@pytest.mark.slow
def test_mix_plot_and_page(mm, learned, tmp_path):
    train(make(tmp_path, PHONEMES[::-1]), "--units", "words", "--out", tmp_path / "other", *OF)
    for more in ([], ["--both"]):
        out = tmp_path / f"mixed{len(more)}"
        status, _, err = mm("mix", learned / "phonemes", tmp_path / "other", "--out", out, *more)
        assert status == 0 and "6 " in err and mm("sample", out, "-n", 2)[0] == 0
    train(learned / "phonemes.txt", "--units", "words", "--out", tmp_path / "counts", "--model", "counts", "-q")
    for run in (tmp_path / "counts", learned / "graphemes", learned / "phonemes"):
        assert mm("plot", run)[0] == 0
    assert mm("page", learned / "phonemes", "--out", tmp_path / "page.html")[0] == 0


@pytest.mark.slow
@pytest.mark.weekly
def test_compare(mm, learned):
    status, out, _ = mm("compare", learned / "phonemes.txt", "--units", "words", "--steps", 2)
    assert status == 0 and "nats per symbol" in out


def test_check_shows_graphemes(mm, learned):
    assert "kept together, unless --units characters: graphemes of several" in mm("check", learned / "hindi.txt")[1]
    assert "graphemes" not in mm("check", learned / "phonemes.txt")[1]
