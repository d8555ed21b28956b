"""`mm-jax sample`: what a word must meet, and what is said of it."""

import csv
import io
import json
import re

import numpy as np
import pytest

import mm_jax
from mm_jax import conditions
from mm_jax.tool import runs


@pytest.fixture
def ngram(trained):
    return trained / "ngram"


@pytest.mark.slow
def test_no_word_is_longer_or_shorter_than_the_list_has(mm, ngram):
    sizes = {len(word) for word in runs.RunFolder(ngram).open().words}
    found = json.loads(mm("sample", ngram, "-n", 100, "--temperature", 1.5, "--json")[1])["words"]
    assert min(sizes) <= min(map(len, found)) and max(map(len, found)) <= max(sizes)
    short = json.loads(mm("sample", ngram, "-n", 5, "--max-length", min(sizes), "--json")[1])["words"]
    assert [len(word) for word in short] == [min(sizes)] * 5
    assert "change min_length" in mm("sample", ngram, "--min-length", 5, "--max-length", 3)[2]
    assert conditions.lengths_for(["ab", "abcd"]) == (2, 4)
    assert conditions.lengths_for(["ab", "abcd"], prefix="xxxx") == (2, 8)
    assert conditions.lengths_for(["ab", "abcd"], least=6) == (6, 10)


def test_the_temperature_follows_the_size_and_is_printed(mm, ngram):
    assert [conditions.temperature_for(n) for n in (1, 500, 30_000, 10**7)] == [0.5, 0.6, 0.8, 0.8]
    assert "temperature 0.8 for 8,601 words" in mm("sample", ngram)[2]
    assert "temperature" not in mm("sample", ngram, "--temperature", 1)[2]


@pytest.mark.slow
def test_a_combining_mark_stands_where_the_list_has_one(mm, tmp_path):
    letters, signs = "कखगचजतदनपबम", "ािीुू"
    path = tmp_path / "list.txt"
    words = [a + sign + b for a in letters for b in letters for sign in signs][::2]
    path.write_text("\n".join(words), encoding="utf-8")
    assert mm("train", path, "--out", tmp_path / "run", "--model", "ngram", "--order", 1, "-q")[0] == 0
    found = json.loads(mm("sample", tmp_path / "run", "-n", 50, "--temperature", 2, "--json")[1])
    assert len(found["words"]) == 50 and found["tried"] > 50  # the model itself puts signs anywhere
    for word in found["words"]:
        assert all(
            before in letters for before, sign in zip(["", *word], word, strict=False) if sign in signs and before
        )
        assert word[0] not in signs
    path.write_text("\n".join([*words, signs[0] + "क"] * 2), encoding="utf-8")
    assert mm("train", path, "--out", tmp_path / "odd", "--model", "ngram", "--order", 1, "-q")[0] == 0
    found = json.loads(mm("sample", tmp_path / "odd", "-n", 200, "--temperature", 2, "--json")[1])["words"]
    assert any(word[0] in signs for word in found)


@pytest.mark.slow
def test_words_far_from_the_list(mm, ngram):
    options = ["-n", 8, "--min-distance", 3, "--min-length", 6, "--scores", "--json"]
    rows = json.loads(mm("sample", ngram, *options)[1])["scores"]
    listed = runs.RunFolder(ngram).open().words
    assert len(rows) == 8
    for row in rows:
        least = min(edits(row["word"], word) for word in listed)
        assert least == row["distance"] == edits(row["word"], row["nearest"]) >= 3


def edits(a, b):
    """Levenshtein's distance, as the textbook has it."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def test_avoid_and_regex(mm, ngram, tmp_path):
    path = tmp_path / "avoid.txt"
    path.write_text("AN\nie\n")
    options = ["-n", 15, "--avoid", path, "--regex", "^[bm].*[aeiou]$"]
    found = json.loads(mm("sample", ngram, *options, "--json")[1])["words"]
    assert len(found) == 15
    assert all(re.search("^[bm].*[aeiou]$", word) and "an" not in word and "ie" not in word for word in found)
    status, out, err = mm("sample", ngram, "--regex", "(")
    assert (status, out) == (1, "")
    assert "regex '(' is no regular expression" in err


def test_scores_are_those_of_the_model_in_the_order_asked_for(mm, ngram):
    opened = runs.RunFolder(ngram).open()
    rows = json.loads(mm("sample", ngram, "-n", 9, "--scores", "--sort", "--json")[1])["scores"]
    nats = [row["nats"] for row in rows]
    assert nats == sorted(nats)
    means = [mm_jax.score(opened.params, word).mean for word in opened.words[:300]]
    for row in rows:
        assert row["nats"] == pytest.approx(mm_jax.score(opened.params, row["word"]).mean, abs=1e-5)
        share = np.mean([mean > row["nats"] for mean in means])
        assert abs(row["percentile"] / 100 - share) < 5 * 0.5 / 300**0.5
    text = mm("sample", ngram, "-n", 9, "--scores", "--sort")[1]
    assert re.match(r" +\d\.\d{3} +\d+%  \w+ +\w+ \(\d+\)\n", text)


def test_formats_hold_the_same_words(mm, ngram):
    words = mm("sample", ngram, "-n", 5)[1].splitlines()
    tables = {form: mm("sample", ngram, "-n", 5, "--format", form)[1] for form in ("csv", "tsv", "jsonl")}
    assert [row["word"] for row in csv.DictReader(io.StringIO(tables["csv"]))] == words
    assert [row["word"] for row in csv.DictReader(io.StringIO(tables["tsv"]), delimiter="\t")] == words
    assert [json.loads(line)["word"] for line in tables["jsonl"].splitlines()] == words
    assert mm("sample", ngram, "--format", "csv", "--json")[0] == 2


def test_seeds_are_said(mm, ngram):
    assert "seed 0, the same words every time" in mm("sample", ngram)[2]
    assert "same words" not in mm("sample", ngram, "--seed", 0)[2]
    _, first, said = mm("sample", ngram, "--random")
    seed = re.search(r"--seed (\d+) gives the same words again", said).group(1)
    assert mm("sample", ngram, "--seed", seed)[1] == first != mm("sample", ngram, "--random")[1]
    assert mm("sample", ngram, "--random", "--seed", 1)[0] == 2


def test_quiet_leaves_results_and_errors(mm, ngram):
    status, out, err = mm("sample", ngram, "-n", 3, "--quiet")
    assert (status, len(out.splitlines()), err) == (0, 3, "")
    assert mm("sample", ngram, "--contains", "zzzz", "--budget", 100, "-q")[2].startswith("error: ")


@pytest.mark.slow
def test_new_words_of_a_short_list_are_drawn_without_waste(mm, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("anna\nanne\nhanna\nhanne\njanna\n")
    assert mm("train", path, "--out", tmp_path / "run", "--quiet")[0] == 0
    found = json.loads(mm("sample", tmp_path / "run", "-n", 20, "--new", "--json")[1])
    lengths = [len(word) for word in found["words"]]
    assert not set(found["words"]) & set(mm_jax.load_words(path))
    assert 4 <= min(lengths) <= max(lengths) <= 5
    assert found["tried"] < 170  # rejection of words of the list alone takes 195


@pytest.mark.slow
def test_top_with_conditions(mm, ngram):
    rows = json.loads(mm("top", ngram, "-n", 5, "--prefix", "ma", "--min-length", 5, "--json")[1])
    params = runs.RunFolder(ngram).open().params
    assert len(rows) == 5
    for row in rows:
        assert row["word"].startswith("ma") and len(row["word"]) >= 5
        assert row["probability"] == pytest.approx(np.exp(-mm_jax.score(params, row["word"]).nll), rel=1e-4)
    every = mm_jax.most_probable(params, 400)
    known = set(runs.RunFolder(ngram).open().words)
    wanted = [word for word, _ in every if word.startswith("ma") and len(word) >= 5 and word not in known]
    assert wanted[:1] == [rows[0]["word"]]


def test_a_regular_expression_that_is_too_deep_is_refused(mm, trained):
    deep = "(?:" * 2000 + "a" + ")" * 2000
    status, _, err = mm("sample", trained / "ngram", "--regex", deep)
    assert (status, "no regular expression that can be read" in err, len(err) < 300) == (1, True, True)


def test_a_budget_below_what_is_asked_for_and_a_filter_that_is_none(mm, ngram):
    status, _, err = mm("sample", ngram, "-n", 5, "--budget", 2, "--min-length", 0, "--max-length", 50)
    assert status == 1 and "2 words were drawn, as many as --budget allows" in err
    assert "--filter is blank" in mm("sample", ngram, "--filter", " ")[2]
    assert "is no command" in mm("sample", ngram, "--filter", "grep 'a")[2]


def test_like_a_word(mm, ngram):
    status, out, err = mm("sample", ngram, "--like", "marina", "-n", 4, "--new")
    assert status == 0, err
    assert [len(word) for word in out.split()] == [6] * 4
    status, _, err = mm("sample", ngram, "--like", "")
    assert status == 1 and "like is an empty word" in err
    status, _, err = mm("sample", ngram, "--like", "hmmmmmmmmm", "--budget", 200)
    assert status == 1 and "failed on the shape of 'hmmmmmmmmm'" in err
