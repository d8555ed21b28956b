"""Adds up n-grams in SQL: in DuckDB on one machine, in a Spark session on many."""

import os
import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from mm_jax.checks import cores, positive_number
from mm_jax.ngrams.grams import Grams

MEMORY = 1.0  # GB
_BYTES = 64  # of memory that a row takes while it is grouped
_FETCHED = 2**22  # rows fetched at once


def summed(parts: Iterable[Grams], memory: float = MEMORY) -> Grams:
    """Adds up the counts of equal n-grams in DuckDB, in a temporary folder, which is removed.

    Args:
      parts: n-grams of one order; one that is in several of them is one n-gram of the result. At least one part.
      memory: GB that DuckDB may take. The parts are on disk, and are grouped in as many passes as this asks for.

    Raises:
      ValueError: the memory is too small, or the disk is full.

    >>> from mm_jax.ngrams import grams
    >>> part = grams.of(np.array([0, 1, 1, 0]), 2, 1)
    >>> sum(summed([part, part]).counts)
    np.int64(6)
    """
    import duckdb  # takes 0.1 s

    positive_number("memory", memory)
    with tempfile.TemporaryDirectory(prefix="mm_jax-") as folder:
        try:
            with duckdb.connect(os.path.join(folder, "grams.duckdb")) as connection:
                _set(connection, memory, folder)
                size, columns = _insert(connection, parts)
                _group(connection, columns, memory)
                return Grams(*_fetched(connection, columns), size)
        except duckdb.Error as error:
            raise ValueError(f"the n-grams cannot be counted: {_reason(error, memory, folder)}") from None


def _set(connection: Any, memory: float, folder: str) -> None:
    folder = folder.replace("'", "''")
    connection.execute(f"set temp_directory = '{folder}/spilled'")
    connection.execute(f"set threads = {cores()}")
    connection.execute("set preserve_insertion_order = false")
    connection.execute(f"set memory_limit = '{int(memory * 1e6)}KB'")


def _insert(connection: Any, parts: Iterable[Grams]) -> tuple[int, list[str]]:
    """Writes parts to a table; returns their vocab_size, and the names of the columns of keys."""
    size, columns = 0, []
    for part in parts:
        if not columns:
            size, columns = part.vocab_size, [f"k{i}" for i in range(len(part.keys))]
            connection.execute(f"create table parts ({' bigint, '.join([*columns, 'n'])} bigint)")
        block = {**dict(zip(columns, part.keys, strict=True)), "n": part.counts}
        connection.execute("insert into parts select * from block")  # DuckDB finds the local variable
        del block, part
    return size, columns


def _group(connection: Any, columns: list[str], memory: float) -> None:
    """Groups the table of parts, so many rows at once as the memory has room for."""
    (rows,) = connection.execute("select count(*) from parts").fetchone()
    passes = -(-rows * _BYTES // int(memory * 1e9))
    keys = ", ".join(columns)
    for i in range(passes):
        query = f"select {keys}, sum(n)::bigint as n from parts where hash({keys}) % {passes} = {i} group by {keys}"
        connection.execute(f"create table grams as {query}" if i == 0 else f"insert into grams {query}")
    connection.execute("drop table parts")


def _fetched(connection: Any, columns: list[str]) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the columns of keys and the counts [grams] of the grouped table."""
    (rows,) = connection.execute("select count(*) from grams").fetchone()
    found = {name: np.empty(rows, np.int64) for name in [*columns, "n"]}
    for begin in range(0, rows, _FETCHED):
        block = f"select * from grams where rowid >= {begin} and rowid < {begin + _FETCHED}"
        for name, values in connection.execute(block).fetchnumpy().items():
            found[name][begin : begin + len(values)] = values
    return [found[name] for name in columns], found["n"]


def _reason(error: Exception, memory: float, folder: str) -> str:
    """Returns one line for an error of DuckDB, with its remedy where there is one."""
    text = " ".join(str(error).split())
    if "No space left" in text or "max_temp_directory_size" in text:
        return f"the disk of {os.path.dirname(folder)} is full: set TMPDIR to a folder with more space"
    if any(sign in text for sign in ("Out of Memory", "failed to pin", "allocate")):
        return f"memory of {memory:g} GB is too small: give more, or a lower order"
    return text[:200]
