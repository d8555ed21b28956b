import json
import os
import subprocess
import sys
import unicodedata

import pytest

import mm_jax
from mm_jax.shapes import Options
from mm_jax.symbols import FIX
from mm_jax.tool import checking, runs

from .conftest import make

ODD = b"\xef\xbb\xbfemma\r\n  olivia \n\nst. ives\ncaf\xe9\ne\xcc\x81mile\na\x07va\nEmma\nemma"


@pytest.fixture
def odd(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_bytes(ODD)
    return path


def test_every_odd_line_is_found(odd):
    report = checking.check(odd)
    found = [(each.line, each.problem.split(":")[0]) for each in report.odd]
    assert found == [
        (1, "a byte-order mark"),
        (1, "line ends with a carriage return"),
        (2, "blanks around the word"),
        (3, "blank"),
        (5, "byte 4 (0xe9) is not UTF-8"),
        (6, "characters in pieces (not NFC)"),
        (7, "control or format characters"),
        (9, "no newline at the end of the file"),
    ]
    assert report.refused == 1
    assert report.mixed_case
    assert report.clean == ["emma", "olivia", "st. ives", "émile", "ava", "Emma", "emma"]
    assert report.changed == 1
    assert (report.words, report.distinct, report.repeated) == (7, 6, [("emma", 2)])
    assert (report.train, report.dev, report.test) == (5, 1, 1)
    assert report.alphabet["a"] == 6
    text = checking.render(report)
    assert "line 5: byte 4 (0xe9) is not UTF-8" in text
    assert all(len(line) < 200 for line in text.splitlines())


def test_the_clean_list_is_clean(odd, tmp_path):
    clean = tmp_path / "clean.txt"
    clean.write_text("\n".join([*checking.check(odd).clean, ""]), encoding="utf-8")
    report = checking.check(clean)
    assert report.odd == []
    assert "no odd lines" in checking.render(report)
    assert mm_jax.load_words(clean) == report.clean


def test_what_load_words_takes_is_what_check_says(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"  a \n\nb\r\n")
    assert mm_jax.load_words(path) == checking.check(path).clean


def test_refuses(tmp_path):
    (tmp_path / "blank.txt").write_bytes(b"\n\n")
    for path, message in ((tmp_path / "none", "does not exist"), (tmp_path, "is a directory")):
        with pytest.raises(ValueError, match=message):
            checking.check(path)
    with pytest.raises(ValueError, match="holds no words"):
        checking.check(tmp_path / "blank.txt")


def checked(tmp_path, *lines, **options):
    return checking.check(make(tmp_path, lines), Options(**options))


# Figures are those of the list that `train` takes


def test_the_figures_are_those_of_the_list_that_train_takes(mm, tmp_path):
    words = ["a\x07va", "ava", "em\tma", "mia", "noa", "ida", "lea"]
    path = make(tmp_path, words)
    report = checking.check(path)
    taken = mm_jax.load_words(path)
    assert (report.words, report.distinct, report.longest) == (7, 7, max(map(len, taken)))
    assert set(report.alphabet) == set("".join(taken)) >= {"\x07", "\t"}
    assert [report.train, report.dev, report.test] == [len(part) for part in mm_jax.split_words(taken)]
    _, out, err = mm("check", path, "--fix", tmp_path / "clean.txt")
    assert "7 words, 7 distinct" in out
    assert "wrote 7 words to" in err and "1 of them other than `mm-jax train` takes" in err


# A clean copy deletes no letter, and makes no word another


def test_a_clean_copy_keeps_what_is_unknown_or_private_and_every_format_character_of_text(tmp_path):
    flags = [
        "\U0001f3f4\U000e0067\U000e0062" + "".join(map(chr, tags)) for tags in ((0xE0065, 0xE007F), (0xE0073, 0xE007F))
    ]
    unknown = ["\U0001fae8", "\U0001fac8", "\U0010ffff", "\u0378"]  # of Unicode 15, of 17, of none
    private = ["\ue000", "\U000f0000", "\U00100000"]
    text = ["ខ្មែរ\u200bភាសា", "co\u00adop", "می\u200cخواهم", "👩\u200d🚀", "שלום\u200f", "a\u2060b", "a\u061cb"]
    words = [*flags, *unknown, *private, *text]
    report = checked(tmp_path, *words)
    assert (report.clean, report.odd, report.changed) == (words, [], 0)


@pytest.mark.parametrize("version", ["3.2.0", "current"])
def test_the_answer_does_not_hang_on_the_unicode_version(tmp_path, monkeypatch, version):
    old = unicodedata.ucd_3_2_0
    if version == "3.2.0":
        monkeypatch.setattr(checking.unicodedata, "category", old.category)
    assert old.category("\U0001f680") == "Cn"
    report = checked(tmp_path, "\U0001f680", "a\u202eb", "\U0001fae8")
    assert report.clean == ["\U0001f680", "ab", "\U0001fae8"]


CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("code", CONTROLS, ids=hex)
def test_what_is_never_text_goes_and_separators_glue_nothing(tmp_path, code):
    if chr(code) in "\n\r":
        return
    report = checked(tmp_path, f"an{chr(code)}na", "ida", "lea")
    separates = chr(code) in "\0\t" or chr(code).isspace()
    assert report.clean == ["an na" if separates else "anna", "ida", "lea"]
    assert [entry.line for entry in report.odd] == [1]
    assert ("writes a blank" in report.odd[0].action) == separates


def test_a_line_that_would_become_another_word_or_nothing_is_reported_and_stays(tmp_path):
    words = ["a\x07va", "ava", "mi\x01a", "mi\x02a", "\x07", "e\x07ve"]
    report = checked(tmp_path, *words)
    assert report.clean == [*words[:5], "eve"]
    actions = [entry.action for entry in report.odd]
    assert actions == [
        "kept, by --fix too: it would be 'ava', another word without",
        "kept, by --fix too: it would be 'mia', another word without",
        "kept, by --fix too: it would be 'mia', another word without",
        "kept, by --fix too: it would be empty without",
        "kept; --fix takes them out",
    ]


def test_blanks_side_by_side_become_one_as_lists_of_symbols_need_it(tmp_path):
    report = checked(tmp_path, "K  T", "K T", "A   B  C", "D\x07 \t E")
    assert report.clean == ["K T", "K T", "A B C", "D E"]
    assert [(entry.line, entry.problem.split(":")[0]) for entry in report.odd] == [
        (1, "blanks side by side"),
        (3, "blanks side by side"),
        (4, "control or format characters"),
    ]
    assert len(mm_jax.Vocab.from_words(report.clean, "words")) == 8


# The shape of the file


COUNTED = "Anna\t100\nBertha\t96\nClara\t92\nAnna\t4\n"


def test_a_counted_list_is_refused_with_the_way_on_and_nothing_is_written(mm, tmp_path):
    path, out_path = tmp_path / "counts.tsv", tmp_path / "clean.txt"
    path.write_text(COUNTED)
    status, out, err = mm("check", path, "--fix", out_path)
    assert (status, out_path.exists()) == (1, False)
    assert "tab-separated, 2 columns: give --column 1 for Anna, Bertha, Clara, ...; --counts 2" in out
    assert err.startswith("error: ") and "is not one word a line" in err
    assert "words" not in out.partition("shape")[0]  # no figures of a list that nobody takes
    found = json.loads(mm("check", path, "--json")[1])
    assert [(part["kind"], part["refuses"]) for part in found["shape"]] == [("columns", True)]
    status, out, err = mm("check", path, "--column", 1, "--fix", out_path)
    assert (status, out_path.read_text()) == (0, "Anna\nBertha\nClara\nAnna\n")
    assert "column 2 holds whole numbers: --counts 2" in out
    status, out, err = mm("check", path, "--column", 1, "--counts", 2, "--fix", out_path)
    assert status == 0
    assert "words count as often as the list says, in losses too: 3 words, 292 with counts" in out
    assert "--dedup" not in out
    assert mm_jax.load_words(out_path) == mm_jax.load_words(path, column=1, counts=2)


@pytest.mark.parametrize(
    ("content", "taken", "units"),
    [
        (b"emma\nst. i\xefves\nzo\xc3\xab\n", (), "characters"),
        (b"name,n\nAnna,1\nBertha,x\nClara\n", ("--column", "name", "--counts", "n"), "characters"),
        (b"K AE1 T\nAE1  T\n", ("--column", "all"), "words"),
    ],
    ids=["no UTF-8", "no count", "blanks side by side"],
)
def test_what_fix_mends_names_it_where_it_is_refused(mm, tmp_path, content, taken, units):
    path, clean = tmp_path / "list.txt", tmp_path / "clean.txt"
    path.write_bytes(content)
    status, _, err = mm("train", path, *taken, "--units", units, "--out", tmp_path / "run")
    assert status == 1 and FIX in err
    assert mm("check", path, *taken, "--fix", clean)[0] == 0
    assert len(mm_jax.Vocab.from_words(mm_jax.load_words(clean), units)) > 3


def test_check_says_which_lines_have_no_column(mm, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("name,n\nAnna,1\nBertha,x\nClara\nDora,5\n\nEmma,7\nFrieda,3\n")
    status, out, err = mm("check", path, "--column", "name", "--counts", "n")
    assert status == 1
    assert "line 3: 'x' in column 2 is no count, a whole number: refused; --fix drops the line" in out
    assert "line 4: no column 2, it has 1 column ('Clara'): refused; --fix drops the line" in out
    assert err == "error: 2 lines cannot be read: --fix OUT writes a list without them\n"
    assert mm("check", path, "--column", "name", "--counts", "n", "--fix", tmp_path / "clean")[0] == 0
    assert sorted({*mm_jax.load_words(tmp_path / "clean")}) == ["Anna", "Dora", "Emma", "Frieda"]


READERS = {
    "train": ["train", "LIST", "--out", "OUT", "--model", "counts"],
    "eval": ["eval", "RUN", "LIST", "--json"],
    "score": ["score", "RUN", "--file", "LIST", "--json"],
    "compare": ["compare", "LIST", "--steps", "1"],
}


@pytest.mark.parametrize("command", READERS)
def test_every_command_that_reads_a_list_refuses_what_check_names(mm, trained, tmp_path, command):
    path = tmp_path / "counts.tsv"
    path.write_text(COUNTED.lower())  # the model knows no capitals
    names = {"LIST": path, "OUT": tmp_path / "run", "RUN": trained / "ngram"}
    args = [names.get(arg, arg) for arg in READERS[command]]
    status, out, err = mm(*args)
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    (said,) = (finding.text for finding in checking.check(path).shape)
    assert said in err
    assert not (tmp_path / "run" / "config.json").exists()
    if command == "compare":
        return
    status, out, err = mm(*args, "--column", 1, "--counts", 2)
    assert status == 0, err
    assert "words count as often as the list says, in losses too: 3 words, 292 with counts" in err


def test_train_takes_the_words_of_a_column(mm, tmp_path):
    path = tmp_path / "list.csv"
    text = (
        "# from the office\r\n"
        + "Name;Anzahl\r\n"
        + "".join(f"Jürgen{c};{i + 1}\r\n" for i, c in enumerate("abcdefgh"))
    )
    path.write_bytes(text.encode("windows-1252"))
    options = ["--encoding", "cp1252", "--comment", "#", "--column", "Name", "--counts", "Anzahl"]
    assert mm("train", path, "--out", tmp_path / "run", "--model", "counts", *options)[0] == 0
    words = sorted(runs.RunFolder(tmp_path / "run").open().words)
    assert words == [f"Jürgen{c}" for i, c in enumerate("abcdefgh") for _ in range(i + 1)]
    status, _, err = mm("train", path, "--out", tmp_path / "run", "--dedup", *options)
    assert (status, "give either --dedup or --counts" in err) == (2, True)
    status, _, err = mm("train", path, "--out", tmp_path / "run", "--counts", "2")
    assert (status, "give the column of the words too" in " ".join(err.split())) == (2, True)


def test_train_warns_of_comments_and_takes_every_line_where_told(mm, tmp_path):
    path = make(tmp_path, ["# names", "Anna", "Bertha", "Clara", "Dora", "Emma", "Frieda", "Greta"])
    train = ["train", path, "--out", tmp_path / "run", "--model", "counts", "--overwrite", "--quiet"]
    assert f"warning: {path}: 1 line begins with #, the first is line 1: --comment '#' skips them\n" in mm(*train)[2]
    assert mm(*train, "--comment", "#")[2] == ""
    assert "# names" not in runs.RunFolder(tmp_path / "run").open().words
    assert mm(*train, "--column", "all")[2] == ""
    assert "# names" in runs.RunFolder(tmp_path / "run").open().words
    smith = make(tmp_path, [f"{name}, John" for name in ("Smith", "Miller", "Cooper", "Baker", "Brown", "Black")])
    assert mm("train", smith, *train[2:])[0] == 1
    assert mm("train", smith, *train[2:], "--column", "all")[0] == 0
    assert "Smith, John" in runs.RunFolder(tmp_path / "run").open().words


def test_a_pipe_is_read_once(tmp_path):
    code = [sys.executable, "-m", "mm_jax", "check", "-", "--column", "1", "--json"]
    done = subprocess.run(code, input=COUNTED, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["words"] == 4


def test_check_imports_no_jax(tmp_path):
    path = make(tmp_path, ["Anna,1", "Ida,2"])
    code = f"import sys\nsys.argv = ['mm-jax', 'check', {str(path)!r}, '--column', '1']\ntry:\n"
    code += (
        "    from mm_jax.__main__ import main\n    main()\nexcept SystemExit:\n    pass\nprint('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


# Results come before what is said about them


def test_the_copy_is_written_though_nobody_reads_the_report(tmp_path):
    path = make(tmp_path, ["Anna", "Ida"])
    for streams in ({"stdout": subprocess.PIPE}, {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}):
        out = tmp_path / f"clean{len(streams)}"
        command = [sys.executable, "-m", "mm_jax", "check", str(path), "--fix", str(out)]
        with subprocess.Popen(command, **streams) as process:
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        assert out.read_text() == "Anna\nIda\n"


@pytest.mark.slow
def test_a_run_is_trained_though_nobody_reads_the_messages(tmp_path):
    path = make(tmp_path, ["Anna", "Bertha", "Clara", "Dora", "Emma", "Frieda", "Greta"])
    command = [sys.executable, "-m", "mm_jax", "train", str(path), "--out", str(tmp_path / "run"), "--model", "counts"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ}) as process:
        process.stderr.close()
    assert process.returncode == 0
    assert len(runs.RunFolder(tmp_path / "run").open().words) == 7


# Words about numbers and cases


@pytest.mark.parametrize(
    ("words", "mixed"),
    [
        (["anna", "ANNE"], True),
        (["Anna", "Ida"], True),
        (["Ida", "Eva"], False),
        (["😀", "👩\u200d🚀"], False),
        (["北京", "a"], False),
        (["Ωmega", "ω"], True),
        (["ა", "Ა"], True),
        (["1", "B"], False),
    ],
)
def test_cases_are_mixed_where_a_letter_stands_in_both(tmp_path, words, mixed):
    report = checked(tmp_path, *words)
    assert report.mixed_case == mixed
    assert ("upper and lower case are mixed" in checking.render(report)) == mixed


@pytest.mark.slow
def test_one_is_not_spoken_of_in_the_plural(mm, tmp_path):
    path, run = make(tmp_path, ["a"]), tmp_path / "run"
    said = list(mm("check", path, "--fix", tmp_path / "clean"))[1:]
    said += mm("train", path, "--out", run)[1:]
    said += mm("sample", run, "-n", 1, "--max-length", 3)[1:]
    said += mm("score", run, "a")[1:]
    said += mm("eval", run, path)[1:]
    said.append(mm("compare", path)[2])
    text = "\n".join(map(str, said))
    assert "nan" not in text
    for word in ("words", "characters", "lines"):
        assert f" 1 {word}" not in f" {text}".replace("\n", " "), text
