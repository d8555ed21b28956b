"""Long lists: text and Parquet files read into one file, and the list that lies there."""

import gc
import os
import unicodedata
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_jax import corpus, sources, streams
from mm_jax.sources import open_words
from mm_jax.streams import WordFile
from mm_jax.vocab import Vocab
from mm_jax.words import load_words

LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def written(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def parquet(path, query):
    duckdb.sql(f"copy ({query}) to '{path}' (format parquet)")
    return path


@given(lines=st.lists(LINES, min_size=1, max_size=20), block=st.integers(1, 40))
def test_the_words_are_those_that_load_words_reads(lines, block, tmp_path_factory):
    path = written(tmp_path_factory.mktemp("list") / "list.txt", "\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_BLOCK", block)
        patch.setattr(streams, "_BLOCK", block)
        try:
            expected = load_words(path)
        except ValueError:
            with pytest.raises(ValueError, match="holds no words"):
                open_words(path)
            return
        words = open_words(path)
        assert list(words) == expected
        assert len(words) == len(expected)
        assert words.characters == sum(map(len, expected)) + len(expected)
        assert (words.shortest, words.longest) == (min(map(len, expected)), max(map(len, expected)))
        assert words.chars == "".join(sorted(set("".join(expected))))
        vocab = Vocab.from_words(words)
        assert vocab == Vocab.from_words(expected)
        assert np.array_equal(corpus.tokens(words, vocab), corpus.tokens(expected, vocab))


def test_line_ends_of_all_kinds_and_byte_order_marks(tmp_path):
    path = written(tmp_path / "list.txt", "\ufeffemma\r\nava\rmia\n\n \u00a0 \nÅsa  ".encode())
    assert list(open_words(path)) == ["emma", "ava", "mia", unicodedata.normalize("NFC", "Åsa")]


def test_a_pattern_takes_its_files_in_order(tmp_path):
    for name in ("b", "a"):
        written(tmp_path / f"{name}.txt", f"{name}a\n{name}b")
    assert list(open_words(tmp_path / "*.txt")) == ["aa", "ab", "ba", "bb"]


def test_parquet_gives_its_column_of_strings(tmp_path):
    path = parquet(
        tmp_path / "list.parquet", "select * from (values (1, ' emma'), (2, null), (3, 'ava')) as t(n, name)"
    )
    assert list(open_words(path)) == ["emma", "ava"]


def test_a_word_file_is_a_sequence_of_the_first_lines(tmp_path):
    words = open_words(written(tmp_path / "list.txt", "emma\nava\nmia\n"))
    assert words[1] == "ava" and words[-1] == "mia" and words[1:] == ["ava", "mia"]
    assert "ava" in words and "av" not in words and words.among(["mia", "eve", "av"]) == {"mia"}
    two = WordFile(words.path, 2)
    assert list(two) == ["emma", "ava"] and two.size == len("emma\nava\n") and "mia" not in two
    assert two.chars == "aemv" and two.longest == 4
    assert two.digest != words.digest == WordFile(words.path).digest
    with pytest.raises(ValueError, match="holds 3 words, not 4: it was cut short"):
        WordFile(words.path, 4)


def test_words_are_spread_through_the_list(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_BLOCK", 37)
    listed = [f"word{i}" for i in range(100)]
    words = open_words(written(tmp_path / "list.txt", "\n".join(listed)))
    assert words.spread(10) == listed[::10]
    assert words.spread(30) == listed[::4]
    assert streams.some(listed, 10) == listed[:10]


def test_the_temporary_folder_goes_with_the_list(tmp_path):
    words = open_words(written(tmp_path / "list.txt", "emma\n"))
    folder = words.path.parent
    corpus.tokens(words, Vocab(".aem"))
    assert folder.is_dir()
    del words
    gc.collect()
    assert not folder.exists()


def test_a_change_of_the_file_is_noticed(tmp_path):
    words = open_words(written(tmp_path / "list.txt", "emma\nava\n"))
    os.utime(words.path, ns=(1, 1))
    with pytest.raises(ValueError, match="has changed while it was read"):
        list(words)


@pytest.mark.parametrize(
    ("files", "source", "message"),
    [
        ({}, "*.txt", "matches no file"),
        ({}, "none.txt", "does not exist"),
        ({"a.txt": "emma"}, ".", "is a directory: name its files"),
        ({"a.txt": " \n\n"}, "a.txt", "holds no words"),
        ({"a.txt": "emma\n\ngar\xe7on".encode("latin-1")}, "a.txt", r"line 3: byte 4 \(0xe7\) is not UTF-8"),
        ({"a.txt": "emma", "b.parquet": ""}, "*", r"mixes text and Parquet \(a.txt, b.parquet\)"),
        ({"a.parquet": "emma"}, "a.parquet", "cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, files, source, message):
    for name, text in files.items():
        written(tmp_path / name, text)
    before = set(Path(os.environ.get("TMPDIR", "/tmp")).glob("mm_jax-*"))
    with pytest.raises(ValueError, match=message):
        open_words(tmp_path / source)
    assert set(Path(os.environ.get("TMPDIR", "/tmp")).glob("mm_jax-*")) <= before


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("select 1 as n", None, r"no column of strings: it has n \(INTEGER\)"),
        ("select 'a' as x, 'b' as y", None, r"several columns of strings, so give one: it has x \(VARCHAR\), y"),
        ("select 'a' as x", "y", r"no column of strings y: it has x \(VARCHAR\)"),
        ("select 'a' || chr(10) || 'b' as x", None, "holds a line break"),
    ],
)
def test_parquet_without_the_column_is_refused(tmp_path, query, column, message):
    with pytest.raises(ValueError, match=message):
        open_words(parquet(tmp_path / "list.parquet", query), column=column)


def test_a_character_that_the_vocabulary_lacks_is_named_with_its_word(tmp_path):
    words = open_words(written(tmp_path / "list.txt", "emma\neva\n"))
    with pytest.raises(ValueError, match="word 2, 'eva': character 2 is 'v'"):
        corpus.tokens(words, Vocab(".aem"))
