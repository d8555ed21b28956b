import pytest

import mm_jax
from mm_jax.tool import checking

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
