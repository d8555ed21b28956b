"""Lists as people have them: what each kind of file is said to be, and that the options it is told take its words."""

import json
import re
import shlex
import tracemalloc

import pytest

import mm_jax
from mm_jax import fields, shapes
from mm_jax.shapes import Options, found

from .conftest import unchecked

NAMES = ["Zoë", "Anna", "Bertha", "Clara", "Dora", "Emma", "Frieda", "Greta", "Hanna", "Ida", "Jürgen", "Klara"]
TIMES = [90, 84, 84, 61, 50, 44, 30, 21, 13, 8, 3, 1]
PAIRS = list(zip(NAMES, TIMES, strict=True))


def lines(form, head=""):
    """A file with a line for each name, which `form` writes with {word}, {times} and {number}."""
    body = [form.format(word=word, times=times, number=i) for i, (word, times) in enumerate(PAIRS, 1)]
    return head + "".join(f"{line}\n" for line in body)


# What the file holds, what is said about it, whether it holds counts.
FILES = {
    "tsv with counts": (lines("{word}\t{times}"), "tab-separated, 2 columns", True),
    "csv with counts": (lines("{word},{times}"), "comma-separated, 2 columns", True),
    "csv with a header": (
        lines('"{word}",F,{times}', "name,gender,count\n"),
        r"3 columns \(name, gender, count\)",
        True,
    ),
    "a name with a blank": (lines("{word};{times}", "given name;how often\n"), r"\(given name, how often\)", True),
    "csv of Excel": (lines("{word};{times};Köln, am Rhein\r", "Name;Anzahl;Ort\r\n"), "semicolon-separated", True),
    "header without names": (lines("{number},{word},{times}", ",,n\n"), "under a header line", True),
    "counts first": (lines("{times},{word}"), "comma-separated", True),
    "a rank": (lines("{number},{word}"), "comma-separated", False),
    "comments above columns": (lines("{word},{times}", "# a\n# b\n"), "comma-separated", True),
    "a table in Markdown": (lines("| {word} | {times} |", "| name | n |\n|:--|--:|\n"), r"separated by \|", True),
    "commas at the end": (lines("{word},"), "words with commas after them", False),
    "commas between": (lines("{word},").rstrip(",\n") + "\n", "words with commas after them", False),
    "numbered": (lines("{number}. {word}"), "a numbered list", False),
    "bullets": (lines("- {word}"), "a list with bullets", False),
    "in quotation marks": (lines('"{word}"'), "words in quotation marks", False),
    "uniq -c": (lines("{times:>7} {word}"), "a number before each word", True),
    "frequencies": (lines("{word} {times}"), "a number behind each word", True),
    "hunspell": (lines("{word}/SM", "12\n"), "as in a hunspell dictionary", False),
    "hunspell, another number": (lines("{word}/S\tpo:noun", "99\n"), "as in a hunspell dictionary", False),
    "hunspell without flags": (lines("{word}", "12\n"), "the number of words on the first line", False),
    "one line": (", ".join(NAMES), "one line of 12 words between commas", False),
    "JSON array": (json.dumps(NAMES, indent=1), "JSON", False),
    "JSON of objects": (json.dumps([{"n": n, "name": word} for word, n in PAIRS]), r"JSON \(n, name\)", True),
    "JSON object": (json.dumps(dict(PAIRS)), "JSON", True),
    "JSON with a list inside": (json.dumps({"version": 1, "names": NAMES}), "JSON", False),
    "JSON lines": ("".join(json.dumps({"name": w, "count": n}) + "\n" for w, n in PAIRS), r"\(name, count\)", True),
}
ENCODINGS = ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252", "utf-8-sig", "utf-32"]


def told(text):
    """The options that a finding names, as `Options` takes them."""
    named = {}
    for option, value in re.findall(r"--(column|counts|header|comment|encoding)(?: ('[^']*'|[^\s;:,]+))?", text):
        (value,) = shlex.split(value) or [""]
        if value != "all":
            named[option] = True if option == "header" else int(value) if value.isdecimal() else value
    return named


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", FILES)
def test_the_options_that_are_told_take_the_words(tmp_path, name, encoding):
    text, said, has_counts = FILES[name]
    path = write(tmp_path / "list", text, encoding)
    findings = found(path.read_bytes(), Options())
    told_here = {}
    for finding in findings:
        told_here |= told(finding.text)
    shape = next(finding for finding in findings if finding.kind not in ("encoding", "comments", "header"))
    assert shape.refuses and "\n" not in shape.text
    assert re.search(said, shape.text), shape.text
    assert ("counts" in told_here) == has_counts, shape.text
    weights = mm_jax.load_words(path, **told_here)
    assert weights == [word for word, times in PAIRS for _ in range(times if has_counts else 1)]
    told_here.pop("counts", None)
    assert mm_jax.load_words(path, **told_here) == NAMES
    assert [finding for finding in found(path.read_bytes(), Options(**told_here)) if finding.refuses] == []


def test_a_list_in_another_encoding_is_named(tmp_path):
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "windows-1252", "latin-1", "utf-32"):
        path = write(tmp_path / "list", "\n".join(NAMES), encoding)
        (finding,) = found(path.read_bytes(), Options())
        assert finding.refuses
        assert mm_jax.load_words(path, **told(finding.text)) == NAMES
    for start in (b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"):
        assert [finding.kind for finding in found(start + bytes(40), Options())] == ["no text"]


PLAIN = {
    "names": "\n".join(NAMES),
    "one": "Anna",
    "one with a comma": "Smith, John",
    "dashes and blanks": "Saint-Denis\nNew York\nAix-en-Provence\nLos Angeles\nSt. Ives\n",
    "commas in some": "New York, NY\nBoston\nParis, TX\nRome\nOslo\n",
    "hashtags": "".join(f"#{name}\n" for name in NAMES),
    "keycaps": "#\ufe0f\u20e3\n😀\n😁\n🎉\n",
    "brackets": "[]\n[[]]\n[][]\n",
    "numbers": "5\n7\n11\n13\n17\n19\n",
    "dates": "1990-01-02\n1991-03-04\n",
    "molecules": "CCO\nC1=CC=CC=C1\n[Na+].[Cl-]\n",
    "moves": "1. e4 e5 2. Nf3\n1. d4 d5\n1. c4\n",
    "Chinese": "北京\n上海\n",
    "decimals": "1.5\n2.5\n3.5\n",
    "emoticons": ":-)\n:-(\n8-)\n:D\n",
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_list_is_left_alone(tmp_path, name):
    path = write(tmp_path / "list", PLAIN[name])
    assert found(path.read_bytes(), Options()) == []
    words = [line for line in PLAIN[name].split("\n") if line]
    assert mm_jax.load_words(path) == mm_jax.load_words(path, column="all") == words


@pytest.mark.parametrize("name", FILES)
def test_without_options_every_line_is_a_word_as_before(tmp_path, name):
    text = FILES[name][0]
    expected = [line.strip() for line in text.split("\n") if line.strip()]
    path = write(tmp_path / "list", text)
    assert mm_jax.load_words(path) == mm_jax.load_words(path, column="all") == expected
    assert found(path.read_bytes(), Options(column="all")) == []


DOUBTFUL = {
    "comments": ("# names\n#!comment: v1\n" + lines("{word}"), "2 lines begin with #, the first is line 1"),
    "a comment": ("; names\n" + lines("{word}"), "1 line begins with ;"),
    "slashes": (lines("{word}") + "// the end\n", "1 line begins with //"),
    "a header": ("Name\n" + lines("{word}"), "line 1 looks like a header, 'Name'"),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_comment_or_a_header_is_a_warning(tmp_path, name):
    text, said = DOUBTFUL[name]
    path = write(tmp_path / "list", text)
    (finding,) = found(path.read_bytes(), Options())
    assert said in finding.text and not finding.refuses
    assert mm_jax.load_words(path, **told(finding.text)) == NAMES
    assert found(path.read_bytes(), Options(**told(finding.text))) == []


def test_what_is_not_evident_is_only_suspected():
    """Addresses and spacecraft; half of the lines with commas; many words on one line."""
    for text in (
        "Apollo 11\nApollo 12\nApollo 8\nApollo 17\n",
        "12 High Street\n8 Mill Lane\n221 Baker Street\n",
        "dog, hound, cur\ncat\ncow, kine\nhorse, nag, steed, mare\n",
        "Anna Bertha Clara Dora Emma",
    ):
        (finding,) = found(text.encode(), Options())
        assert not finding.refuses
        assert "each line is a word, but perhaps" in finding.text


def test_a_column_leaves_a_header_and_counts_open():
    text = lines("{word},{times}", "name,n\n").encode()
    assert [finding.kind for finding in found(text, Options(column=1))] == ["header", "counts"]
    assert [finding.kind for finding in found(text, Options(column=1, header=True))] == ["counts"]
    (finding,) = found(text, Options(column="name"))
    assert "--counts n " in finding.text
    assert found(text, Options(column="name", counts="n")) == []
    years = "name,born\nAnna,1985\nIda,1985\n"
    assert mm_jax.shapes.expanded(shapes.take(years.splitlines(), Options(column="name"))) == ["Anna", "Ida"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,1\nb,2\n", {"column": 3}, "line 1: no column 3, it has 2 columns"),
        ("a,1\nb,2\nc\nd,1", {"column": 2}, "line 3: no column 2, it has 1 column"),
        ("name,n\nb,2\n", {"column": "nam"}, "no column is named 'nam': the first line has name, n"),
        ("a,1\nb,x\nc,2\n", {"column": 1, "counts": 2}, "line 2: 'x' in column 2 is no count"),
        ("a,1\nb,-2\nc,2\n", {"column": 1, "counts": 2}, "line 2: '-2' in column 2 is no count"),
        ("a,0\nb,0\n", {"column": 1, "counts": 2}, "holds no words"),
        ("# a\n", {"comment": "#"}, "holds no words"),
        ("name\n", {"header": True}, "holds no words"),
        ("a,1\n", {"column": 0}, "column is 0: give the number of a column, from 1 on, or its name"),
        ("a,1\n", {"column": ""}, "column is ''"),
        ("a,1\n", {"counts": 2}, "counts stand in a column of their own: give the column of the words too"),
        ("a,1\n", {"column": 1, "counts": 1}, "column 1 cannot hold both"),
        ("a,1\n", {"comment": " "}, "comment is blank"),
        ("a,1\n", {"encoding": "utf-99"}, "encoding 'utf-99' is not known"),
        ("a,1\n", {"encoding": "rot13"}, "encoding 'rot13' is not known"),
        ("é\n", {"encoding": "ascii"}, r"line 1: byte 1 of the file \(0xc3\) is not ascii"),
    ],
)
def test_options_that_do_not_fit(tmp_path, text, options, message):
    with pytest.raises(ValueError, match=message):
        mm_jax.load_words(write(tmp_path / "list", text), **options)


def test_columns_with_marks_and_line_ends_inside(tmp_path):
    text = 'name,n\n"Smith, John",2\n"a ""b"" c",1\n"two\nlines",1\n"1,000",1\n'
    words = ["Smith, John", 'a "b" c', "two lines", "1,000"]
    assert mm_jax.load_words(write(tmp_path / "list", text), column="name") == words
    stray = '"Anna,1\nBertha,2\nC"lara,3\nDora,5\n'  # a mark that is never closed
    assert mm_jax.load_words(write(tmp_path / "list", stray), column=1) == ['"Anna', "Bertha", 'C"lara', "Dora"]
    escaped = "4\nand\\/or/S\nround about/SM\nKöln\nst. ives po:noun\n"
    assert mm_jax.load_words(write(tmp_path / "list", escaped), column=1) == [
        "and/or",
        "round about",
        "Köln",
        "st. ives",
    ]


def test_a_column_is_taken_where_no_shape_is_seen(tmp_path):
    """Of one line, of separators in few lines, below the line that tells Excel its separator."""
    for text, words in (
        ("Anna,100\n", ["Anna"]),
        ("Anna,1\nIda\nLea\nMia\n", ["Anna", "Ida", "Lea", "Mia"]),
        ("Anna\t1\nIda, x\nLea\nMia\n", ["Anna", "Ida, x", "Lea", "Mia"]),
        ("sep=;\nAnna;1\nIda;4\n", ["Anna", "Ida"]),
        ("Anna\nIda\n", ["Anna", "Ida"]),
    ):
        assert mm_jax.load_words(write(tmp_path / "list", text), column=1) == words
    (finding,) = found(b"Anna\t1\nIda\nLea\n", Options())
    assert finding.text.startswith("1 line with a tab inside, first line 1: --column 1 takes what is before it")
    assert not finding.refuses


def test_counts_are_references_to_one_string(tmp_path):
    tracemalloc.start()
    raw = b"Bartholomew\t1,000,000\nAnna\t1\n"
    words = mm_jax.words.words_of(raw, tmp_path / "list", Options(column=1, counts=2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(words) == 1_000_001 and words[0] is words[999_999]
    assert peak < 30e6
    for count in ("20000001", "9" * 18):
        with pytest.raises(ValueError, match=r"more than 20,000,000 words .* divide the counts, by"):
            mm_jax.load_words(write(tmp_path / "list", f"Anna\t{count}\nIda\t1\n"), column=1, counts=2)
    with pytest.raises(ValueError, match="or 256 MiB: divide the counts, by 4 or more"):
        mm_jax.load_words(write(tmp_path / "list", f"{'Anna' * 250}\t1000000\nIda\t1\n"), column=1, counts=2)


def test_hostile_json_is_no_list(tmp_path):
    for text in ("[" * 100_000 + "]" * 100_000, "[]", "{}", "[[], []]", "[1,", '{"a": {"b": [1]}}', "[null]"):
        found(text.encode(), Options())
        assert mm_jax.load_words(write(tmp_path / "list", text)) == [text]


@pytest.mark.parametrize(
    "unordered",
    [set, frozenset, lambda words: dict.fromkeys(words).keys() & {*words}],
    ids=["set", "frozenset", "of keys"],
)
def test_a_set_of_words_is_refused_where_its_order_decides(unordered):
    """Unchecked: the type checker refuses it before."""
    words = ["emma", "olivia", "ava", "isabella", "sophia", "mia"]
    vocab = mm_jax.Vocab.from_words(words)
    counts = mm_jax.counts.fit(words, vocab, smoothing=1.0)
    with unchecked():
        assert mm_jax.Vocab.from_words(unordered(words)).chars == ".abehilmopsv"
        assert len(mm_jax.split_words(dict.fromkeys(words).keys()).train) == 4
        for verb in (
            mm_jax.split_words,
            mm_jax.words.WordList.of,
            lambda found: mm_jax.ngram.fit(found, vocab, 2),
            lambda found: mm_jax.evaluate(counts, found),
        ):
            said = r"of words has another order in each process: give a list, such as sorted\(words\)"
            with pytest.raises(ValueError, match=said):
                verb(unordered(words))


def test_columns_that_stand_below_each_other():
    """As in lists of a census: names, shares, ranks."""
    lines = [
        f"{name:15}{share:5.3f} {total:6.3f} {rank:6}"
        for rank, (name, share, total) in enumerate(
            [("SMITH", 1.006, 1.006), ("JOHNSON", 0.81, 1.816), ("ST JOHN", 0.699, 2.515)], 1
        )
    ]
    body = list(enumerate(lines, 1))
    kind = fields.kind_of(body)
    assert kind.evident and kind.title == "aligned by blanks"
    assert [row.fields[0] for row in kind.rows(body)] == ["SMITH", "JOHNSON", "ST JOHN"]
    assert fields.kind_of([(1, "New  York"), (2, "Boston"), (3, "Salem"), (4, "Troy")]) is None


def test_codes_are_passed_over():
    rows = [
        fields.Row(n, list(entry)) for n, entry in enumerate([("IS", "Iceland"), ("IE", "Ireland"), ("AZ", "Peru")])
    ]
    assert shapes._word_column(rows) == 1
    assert shapes._word_column([fields.Row(n, [code, "7"]) for n, code in enumerate(["IS", "IE"])]) == 0
    assert shapes._word_column([fields.Row(n, [word, "IS"]) for n, word in enumerate(["Iceland", "Ireland"])]) == 0
