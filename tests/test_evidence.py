"""The evidence: its tables say what its files say, nothing is left to run, and a run is of the list that it names."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import mm_jax

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Makes the scripts importable."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_the_tables_are_those_of_their_files():
    import evidence_tables

    for mark, (path, text) in evidence_tables.parts().items():
        shown = path.read_text(encoding="utf-8").split(f"<!-- {mark}: begin -->\n")[1].split(f"<!-- {mark}: end -->")[0]
        assert shown == text + "\n", f"{mark}: python examples/evidence.py --tables"


def test_nothing_is_left_to_run():
    from evidence_plan import equal_seconds, key_of, read_rows, runs

    rows = read_rows()
    there = {key_of(row) for row in rows}
    assert len(there) == len(rows)
    assert {*runs(), *equal_seconds(rows)} <= there


def rows_of(losses, column="dev"):
    """Rows by run, as they are read from the file, from the losses of runs."""
    return {
        run: {name: str(value) for name, value in asdict(run).items()} | {"cpu_s": seconds, "numbers": 7, column: loss}
        for run, (loss, seconds) in losses.items()
    }


def test_a_table_of_pairs_by_hand(monkeypatch):
    """Differences of 0.1, 0.2, 0.3, 0.4, 0.5 have the mean 0.3 and the standard error sqrt(0.1 / 4 / 5)."""
    import evidence_tables
    from evidence_plan import Run

    own = Run("pairs", "gru", "normal", changes='{"teach": 0.0}', data="letters by characters")
    monkeypatch.setattr(evidence_tables, "PAIRS", {own: [{"stream": True}, {"steps": 3}]})
    losses = {own.but(i): (2.0 - i, 4.0) for i in range(5)}
    losses |= {own.but(i, stream=True): (2.1 - 0.9 * i, 6.0 + i) for i in range(5)}
    losses |= {own.but(i, stream=True, times=0.5): (2.0 - i - 0.01, 4.0) for i in range(5)}
    losses |= {replace(own, data="names.txt").but(i, stream=True): (9.0, 1.0) for i in range(5)}
    *_, line = evidence_tables.pairs_table(rows_of(losses)).splitlines()
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "GRU, normal, `teach=0.0`, letters by characters",
        "from a stream",
        "**+0.3000 +- 0.0707**",
        "2.00",
        "**-0.0100 +- 0.0000**",
        "5",
    ]


def test_a_table_of_units_by_hand(monkeypatch):
    import evidence_tables
    from evidence_plan import Run

    lists = ["names by characters", "names by graphemes"]
    monkeypatch.setattr(evidence_tables, "UNITS", [(lists, 1.0)])
    losses = {
        Run("units", "ngram", split=i, data=data): (10.0 + i + more * (1 + i), 2.0)
        for data, more in zip(lists, (0.0, 1.0), strict=True)
        for i in range(3)
    }
    rows = {run: row | {"dev": 2.0, "per_character": 1.5} for run, row in rows_of(losses, "per_word").items()}
    *_, first, second = evidence_tables.units_table(rows).splitlines()
    assert first == "| names | characters | n-gram | 7 | 2.0 | 2.000 | 1.500 | 11.000 |  |"
    assert second == "| names | graphemes | n-gram | 7 | 2.0 | 2.000 | 1.500 | 13.000 | **+2.000 +- 0.577** |"


def test_a_run_of_units_is_of_the_list_that_it_names(monkeypatch, tmp_path):
    """The same words in the same split, whatever they are cut into; a word's loss is that of its symbols."""
    import evidence_runs
    from evidence_plan import Run

    first = ["\u0939\u093f", "\u0928\u0940", "\u0915", "\u092e\u093e"]  # hi, ni, ka, ma: three of two characters
    names = [one + two for one in first for two in (*first, "\u0930\u093e", "\u0932")] * 3
    monkeypatch.setattr(evidence_runs, "words_of", lambda data: {"names": names}[data])
    runs = [Run("units", "ngram", split=2, data=f"names by {units}") for units in ("characters", "graphemes")]
    (one, vocab), (other, clusters) = (evidence_runs.lists_of(run) for run in runs)
    assert one == other and sorted([*one.words]) == sorted(names)
    assert "\u0939\u093f" in clusters.symbols and "\u0939\u093f" not in vocab.symbols
    for run, read in zip(runs, (vocab, clusters), strict=True):
        row = evidence_runs.row_of(run, tmp_path)
        judged = one.dev[1::2]
        symbols = sum(len(mm_jax.symbols.cut(word, read.units)) + 1 for word in judged)
        assert row["per_word"] == pytest.approx(row["dev"] * symbols / len(judged))
        assert row["per_character"] == pytest.approx(row["dev"] * symbols / sum(len(word) + 1 for word in judged))


@pytest.mark.slow
def test_a_list_from_a_stream_is_learned_as_well(monkeypatch, tmp_path):
    import evidence_runs
    from evidence_plan import Run

    monkeypatch.setattr(evidence_runs, "words_of", lambda data: mm_jax.words.load_words(mm_jax.words.bundled_names()))
    own = Run("pairs", "gru", "normal", '{"hidden_dim": 8}', json.dumps({"steps": 100, "learning_rate": 0.05}))
    one, other = (evidence_runs.row_of(run, tmp_path) for run in (own, own.but(0, stream=True)))
    assert one["steps"] == other["steps"] == 100 and one["numbers"] == other["numbers"]
    assert one["dev"] != other["dev"] and abs(one["dev"] - other["dev"]) < 0.1 and one["dev"] < 2.9
