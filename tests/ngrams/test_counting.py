"""Every order's counts against a count in Python, in one block and in many that DuckDB adds up."""

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

import duckdb
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mm_jax
from mm_jax import Vocab
from mm_jax.ngrams import counting, grams, sql
from mm_jax.streams import WordFile

from ..conftest import BUNDLED, LETTERS

LISTS = [
    pytest.param(BUNDLED[:400], LETTERS, 6, id="names"),
    pytest.param(["Ольга", "Иван", "ёж", "Ян"], None, 3, id="Cyrillic"),
    pytest.param(["가나", "다라마", "나가"], None, 3, id="Hangul"),
    pytest.param(["st. ives", "a.b", "c"], None, 3, id="another separator"),
    pytest.param(["ab", "cab", "b"], Vocab(".cba"), 3, id="another order"),
    pytest.param(["a\x00b", 'a,"b"', "#c", "\\n", "NULL"], None, 3, id="what files quote"),
    pytest.param(["emma"], None, 9, id="one word"),
    pytest.param(["ab" * 700, "a"], None, 20, id="a very long word, and keys of two integers"),
    pytest.param([chr(0x4E00 + i) + chr(0x4E00 + i * i % 500) for i in range(500)], None, 9, id="500 characters"),
]


def expected(words, vocab, order):
    """By order: {context and token: (count, distinct characters before it)}."""
    found = [Counter() for _ in range(order + 1)]
    for word in words:
        tokens = [0] * order + [vocab.chars.index(char) for char in word] + [0]
        for end in range(order + 1, len(tokens) + 1):
            for m in range(1, order + 1):
                found[m][tuple(tokens[end - m : end])] += 1
    before = [defaultdict(set) for _ in range(order + 1)]
    for m in range(2, order + 1):
        for gram in found[m]:
            before[m - 1][gram[1:]].add(gram[0])
    return [{gram: (n, len(before[m][gram])) for gram, n in found[m].items()} for m in range(1, order + 1)]


def held(tallies, size):
    contexts = np.zeros((1, 0), np.int64)
    for m, tally in enumerate(tallies):
        if m:
            contexts = mm_jax.corpus.contexts_of(tally.codes.astype(np.int64), contexts, size)
        assert (np.diff(tally.codes) > 0).all()
        assert (np.diff(tally.context.astype(np.int64) * size + tally.token) > 0).all()
        grams_ = np.concatenate([contexts[tally.context], tally.token[:, None]], axis=1)
        types = np.zeros(len(grams_), int) if tally.types is None else tally.types
        yield dict(
            zip(map(tuple, grams_.tolist()), zip(tally.counts.tolist(), types.tolist(), strict=True), strict=True)
        )


def in_blocks(words, vocab, order, monkeypatch, size=50):
    """The tallies of a list that is counted as a long one is."""
    monkeypatch.setattr(grams, "BLOCK", size)
    monkeypatch.setattr(grams.blocks, "__defaults__", (size,))
    return list(counting.count(words, vocab, order))


@pytest.mark.parametrize(("words", "vocab", "order"), LISTS)
def test_all_orders(words, vocab, order, monkeypatch):
    vocab = vocab or Vocab.from_words(words)
    whole = list(counting.count(words, vocab, order))
    assert list(held(whole, len(vocab))) == expected(words, vocab, order)
    for one, other in zip(whole, in_blocks(words, vocab, order, monkeypatch), strict=True):
        for name in counting.Tally._fields:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=30), order=st.integers(1, 5))
def test_many_blocks_are_one(words, order):
    with pytest.MonkeyPatch.context() as patch:
        parts = in_blocks(words, Vocab(".abc"), order, patch, 3)
    for one, other in zip(counting.count(words, Vocab(".abc"), order), parts, strict=True):
        for name in counting.Tally._fields:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def test_passes_over_what_the_memory_has_no_room_for(monkeypatch):
    monkeypatch.setattr(sql, "_BYTES", 10**6)
    tallies = in_blocks(BUNDLED[:400], LETTERS, 4, monkeypatch)
    assert list(held(tallies, 27)) == expected(BUNDLED[:400], LETTERS, 4)


def test_counts_beyond_int32():
    key = np.array([1, 0, 0], np.int64)
    (tally,) = counting.tallies(grams.Grams([key], np.array([2**31, 1, 1]), 2), 1)
    assert tally.counts.tolist() == [2, 2**31]


def test_a_path_a_pattern_and_a_file_are_the_list(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(BUNDLED[:200]))
    (tmp_path / "b.txt").write_text("\n".join(BUNDLED[200:300]))
    (tmp_path / "c.txt").write_text("\n".join(BUNDLED[:300]) + "\n")
    expected = jax.tree.leaves(mm_jax.ngram.fit(BUNDLED[:300], LETTERS, 4))
    for source in (tmp_path / "c.txt", str(tmp_path / "[ab].txt"), WordFile(tmp_path / "c.txt")):
        for one, other in zip(expected, jax.tree.leaves(mm_jax.ngram.fit(source, LETTERS, 4)), strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["emma", "zoë"], "word 2, 'zoë': character 3 is 'ë': not in the vocabulary"),
        (["emma", "a.b"], "'a.b': character 2 is '.': '.' ends a word"),
    ],
)
def test_words_that_the_vocabulary_lacks(tmp_path, words, message):
    path = tmp_path / "list.txt"
    path.write_text("\n".join([*words, ""]), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        mm_jax.ngram.fit(WordFile(path), LETTERS, 3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of temporary files, empty; and a list is long from 50 tokens on."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(grams, "BLOCK", 50)
    return tmp_path


@pytest.mark.parametrize("memory", [1e-6, 0.001, 0.002])
def test_too_little_memory(memory, folder):
    with pytest.raises(ValueError, match="GB is too small: give more, or a lower order"):
        mm_jax.ngram.fit(BUNDLED, LETTERS, 5, memory=memory)
    assert list(folder.iterdir()) == []


def test_a_disk_that_fills(folder, monkeypatch):
    def full(*_):
        raise duckdb.IOException('IO Error: Could not write file "x": No space left on device')

    monkeypatch.setattr(sql, "_insert", full)
    with pytest.raises(ValueError, match="is full: set TMPDIR to a folder with more space"):
        mm_jax.ngram.fit(BUNDLED, LETTERS, 5)
    assert list(folder.iterdir()) == []


def test_killed_while_it_counts_the_next_run_gives_the_same(folder):
    """A killed process leaves a folder of temporary files, which nobody reads."""
    code = f"""
import os, signal
from mm_jax import Vocab
from mm_jax.ngrams import counting, grams, sql
grams.BLOCK = 50
sql._group = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
next(counting.count({BUNDLED[:99]!r}, Vocab({LETTERS.chars!r}), 3))
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(folder)})
    assert done.returncode == -signal.SIGKILL and len(list(folder.iterdir())) == 1
    assert list(held(counting.count(BUNDLED[:99], LETTERS, 3), 27)) == expected(BUNDLED[:99], LETTERS, 3)


def test_no_memory_at_all_is_refused(monkeypatch):
    monkeypatch.setattr(grams, "BLOCK", 50)
    with pytest.raises(ValueError, match="memory is -1: give a positive number"):
        mm_jax.ngram.fit(BUNDLED, LETTERS, 5, memory=-1)
