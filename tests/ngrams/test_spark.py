"""Counting in a Spark session of two threads: the same counts. Needs pyspark, the extra `spark`, and Java."""

import shutil

import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab
from mm_jax.ngrams import counting, spark
from mm_jax.streams import WordFile

from ..conftest import BUNDLED, LETTERS

LISTS = {
    "names": (BUNDLED, 6),
    "other scripts": (["Ольга", "ёж", "가나다", "é😀a", "😀b"], 3),
    "a separator in words": (["st. ives", "a.b", 'say "a", b', "it's"], 4),
    "keys of two integers": (["abcdefghijklmnopq" * 3, "abc"], 20),
}


@pytest.fixture(scope="module")
def session():
    pyspark = pytest.importorskip("pyspark.sql", reason="pyspark is missing: pip install 'mm_jax[spark]'")
    if not shutil.which("java"):
        pytest.skip("Java is missing, which Spark runs on")
    builder = pyspark.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    found = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield found
    found.stop()


def same(one, other):
    for a, b in zip(one, other, strict=True):
        for name in counting.Tally._fields:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), strict=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of pyspark and pandas
@pytest.mark.parametrize("name", LISTS)
def test_the_counts_are_those_of_one_machine(session, tmp_path, name):
    words, order = LISTS[name]
    vocab, path = Vocab.from_words(words), tmp_path / "list.txt"
    path.write_text("\n".join(["", *words, "  "]), encoding="utf-8")
    same(counting.tallies(spark.counted(path, vocab, order, session), order), counting.count(words, vocab, order))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_parquet_a_pattern_and_the_beginning_of_a_file(session, tmp_path):
    words = BUNDLED[:300]
    session.createDataFrame([(word, 1) for word in words], ["name", "n"]).write.parquet(f"{tmp_path}/list.parquet")
    for i in (0, 1):
        (tmp_path / f"part{i}.txt").write_text("\n".join(words[150 * i :][:150]))
    (tmp_path / "long.txt").write_text("\n".join([*words, "zoe", ""]))
    for source in (f"{tmp_path}/list.parquet", f"{tmp_path}/part*.txt", WordFile(tmp_path / "long.txt", len(words))):
        same(counting.tallies(spark.counted(source, LETTERS, 3, session), 3), counting.count(words, LETTERS, 3))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_what_is_refused_and_the_session_goes_last(session, tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "list.txt").write_text("emma\nzo\u00eb\na.b")
    frame = session.createDataFrame([("a", "b")], ["one", "two"])
    frame.write.parquet(f"{tmp_path}/two.parquet")
    for source, vocab, message in [
        ("nowhere.txt", LETTERS, "PATH_NOT_FOUND"),
        ("empty.txt", LETTERS, "holds no words"),
        ("two.parquet", LETTERS, "2 columns of strings, not one: it has one, two"),
        ("list.txt", LETTERS, "not in the vocabulary|which ends a word"),
        ("list.txt", Vocab(".abemoz\u00eb"), "'a.b': character 2 is '.', which ends a word"),
    ]:
        with pytest.raises(ValueError, match=message):
            mm_jax.ngram.fit(tmp_path / source, vocab, 3, engine=session)
    session.stop()
    with pytest.raises(ValueError, match="its session is gone: start another one"):
        mm_jax.ngram.fit(tmp_path / "list.txt", LETTERS, 3, engine=session)


@pytest.mark.parametrize(
    ("source", "engine", "message"),
    [("list.txt", "spark", "engine is a str: give a SparkSession"), (["emma"], None, "Spark reads files")],
)
def test_what_is_no_session_and_no_file(source, engine, message):
    with pytest.raises(ValueError, match=message):
        spark.counted(source, LETTERS, 3, engine)
