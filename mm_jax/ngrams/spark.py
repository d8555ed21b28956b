"""Counts n-grams where a list is spread over many machines: by a Spark session of the user's.

One query cuts the words into n-grams of the highest order, groups them and packs each into integers, as
`mm_jax.ngrams.grams` does. Its result, the distinct n-grams, is all that comes back.
"""

import os
from typing import Any

from mm_jax.ngrams.grams import Grams, packing
from mm_jax.streams import WordFile
from mm_jax.symbols import CHARACTERS
from mm_jax.vocab import Vocab, listing

# Line ends stand before a word's start and after its end, so no character of a word can be taken for either.
_QUERY = """
select {keys}, n
from (select substr(padded, place, {order}) as gram, count(*) as n
      from (select padded, explode(sequence(1, length(padded) - {order} + 1)) as place
            from (select repeat(chr(10), {order} - 1) || word || chr(10) as padded from {words}))
      group by 1)"""


def counted(source: Any, vocab: Vocab, order: int, session: Any) -> Grams:
    """Counts the n-grams of one order in a Spark session.

    Args:
      source: a list that lies in a file, or a path or pattern that the session can read: text in NFC, one word a line,
        or Parquet with one column of strings. Blanks around a word and blank lines are left out.
      vocab: its characters.
      order: characters of an n-gram.
      session: a `pyspark.sql.SparkSession`.

    Raises:
      ValueError: nothing to read, symbols other than characters, a character that the vocabulary lacks, a session
        that was stopped.

    >>> counted("words.txt", Vocab(".ab"), 2, session=None)
    Traceback (most recent call last):
        ...
    ValueError: engine is a NoneType: give a SparkSession that runs
    """
    if not isinstance(source, str | os.PathLike | WordFile):
        raise ValueError(f"Spark reads files: give a path or a pattern, not a {type(source).__name__}")
    if not hasattr(session, "sql"):
        raise ValueError(f"engine is a {type(session).__name__}: give a SparkSession that runs")
    if vocab.units != CHARACTERS:
        raise ValueError(f"Spark counts characters, and the symbols are {vocab.units}: leave out engine")
    if isinstance(source, WordFile):
        source.check_unchanged()
    try:
        words = _words(source, session)
        _check(words, vocab, source)
        query = _QUERY.format(keys=_keys(len(vocab), order), order=order, words="{words}")
        table = session.sql(query, args={"chars": "\n" + vocab.chars[1:]}, words=words).toArrow()
    except ValueError:
        raise
    except Exception as error:  # of Spark, of the JVM, of the connection to it
        raise ValueError(f"Spark cannot count {source}: {_reason(error, session)}") from None
    if isinstance(source, WordFile):
        source.check_unchanged()
    *keys, counts = (column.to_numpy() for column in table.columns)
    return Grams(keys, counts, len(vocab))


def _reason(error: Exception, session: Any) -> str:
    """Returns one line for an error of Spark, or of the connection to it."""
    try:
        session.range(1).count()
    except Exception:
        return "its session is gone: start another one"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _words(source: str | os.PathLike | WordFile, session: Any) -> Any:
    """Returns a frame with one column, `word`; raises ValueError where Parquet has none, or several, of strings."""
    path = str(source.path if isinstance(source, WordFile) else source)
    frame = session.read.parquet(path) if path.endswith(".parquet") else session.read.text(path)
    names = [name for name, kind in frame.dtypes if kind == "string"]
    if len(names) != 1:
        raise ValueError(f"{source} has {len(names)} columns of strings, not one: it has {', '.join(frame.columns)}")
    if isinstance(source, WordFile):
        frame = frame.limit(len(source))  # its file may go on
    name = names[0].replace("`", "``")
    return frame.selectExpr(f"regexp_replace(`{name}`, '^\\\\s+|\\\\s+$', '') as word").where("word != ''")


def _check(words: Any, vocab: Vocab, source: Any) -> None:
    """Raises ValueError for no words, and for a word with the separator or a character that the vocabulary lacks."""
    if words.isEmpty():
        raise ValueError(f"{source} holds no words: it should have one on each line")
    session = words.sparkSession
    rest = session.sql("select word, translate(word, :known, '') as rest from {words}",
                       args={"known": vocab.chars[1:]}, words=words)  # fmt: skip
    if unknown := rest.where("rest != ''").first():
        word, char = unknown.word, unknown.rest[0]
        why = "which ends a word" if char == vocab.separator else f"not in the vocabulary ({listing(vocab.chars[1:])})"
        raise ValueError(f"{word!r}: character {word.index(char) + 1} is {char!r}, {why}")


def _keys(vocab_size: int, order: int) -> str:
    """Returns the SQL of the columns of `Grams.keys`; the parameter `chars` begins with a line end, token 0."""
    bits, per = packing(vocab_size)
    tokens = [f"(locate(substr(gram, {order - j}, 1), :chars) - 1)" for j in range(order)]
    shifted = [f"shiftleft(cast({token} as bigint), {bits * (j % per)})" for j, token in enumerate(tokens)]
    return ", ".join(" | ".join(shifted[begin : begin + per]) for begin in range(0, order, per))
