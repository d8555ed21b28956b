import pytest

import mm_jax
from mm_jax import words as word_lists

from .conftest import BUNDLED, FIRST_FIVE, LETTERS


def test_dev_words_that_are_in_training_too(split):
    seen = set(split.train)
    assert sum(word in seen for word in split.dev) == 3203 - 2779


def test_bundled_names():
    assert len(BUNDLED) == len(set(BUNDLED)) >= 2500
    assert set("".join(BUNDLED)) <= set(LETTERS.chars[1:])


def test_where_words_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(word_lists, "_PACKAGE", tmp_path / "mm_jax")
    monkeypatch.setattr(word_lists, "_DATA", tmp_path / "data")
    (tmp_path / "mm_jax").mkdir()
    (tmp_path / "mm_jax" / "given_names.txt").write_text("ada\n")
    monkeypatch.delenv("MM_JAX_DATA", raising=False)
    assert mm_jax.load_words() == ["ada"]
    downloaded = tmp_path / "cached.txt"
    downloaded.write_text("cy\n")
    monkeypatch.setattr(word_lists, "_download", lambda: downloaded)
    assert mm_jax.load_words() == ["cy"]
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "names.txt").write_text("eve\n")
    monkeypatch.setenv("MM_JAX_DATA", str(tmp_path / "env"))
    assert mm_jax.load_words() == ["eve"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "names.txt").write_text("dan\n")
    assert mm_jax.load_words() == ["dan"]


def test_a_failed_download_says_so_once(monkeypatch, caplog):
    import pooch

    tries = []

    def retrieve(url, known_hash, *args, **kwargs):
        tries.append((url, known_hash))
        raise ConnectionError("no network")

    monkeypatch.undo()
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    word_lists._download.cache_clear()
    assert word_lists._download() is None
    assert word_lists._download() is None
    word_lists._download.cache_clear()
    assert tries == [(word_lists.NAMES_URL, f"sha256:{word_lists.NAMES_SHA256}")]
    assert [record.message for record in caplog.records if "put names.txt into data/" in record.message]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"emma\nava", ["emma", "ava"]),
        (b"emma\r\nava\r\n", ["emma", "ava"]),
        (b"emma\rava\r", ["emma", "ava"]),
        (b"\xef\xbb\xbfemma\n", ["emma"]),
        (b"\n  emma \t\n\n\xc2\xa0ava\n", ["emma", "ava"]),
        ("é\n".encode(), ["é"]),
        (b"new york\nst. ives\n", ["new york", "st. ives"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\nc\xef\xbb\xbfd\n", ["a", "b", "cd"]),
        (b"ava\nava\n", ["ava", "ava"]),
    ],
)
def test_what_is_accepted(tmp_path, raw, expected):
    path = tmp_path / "list.txt"
    path.write_bytes(raw)
    assert mm_jax.load_words(path) == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "holds no words"),
        (b"\n \r\n", "holds no words"),
        (b"ok\nab\xff\n", r"line 2: byte 6 of the file \(0xff\) is not UTF-8"),
        (b"\xef\xbb\xbfok\n\xe9mile\n", r"line 2: byte 7 of the file \(0xe9\)"),
    ],
)
def test_what_a_file_is_refused_for(tmp_path, raw, message):
    path = tmp_path / "list.txt"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        mm_jax.load_words(path)


def test_paths_that_are_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        mm_jax.load_words(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="is a directory"):
        mm_jax.load_words(tmp_path)


def test_split_is_whole_and_needs_six_words():
    words = [str(i) for i in range(100)]
    split = mm_jax.split_words(words)
    assert [len(part) for part in split] == [80, 10, 10]
    assert sorted(split.train + split.dev + split.test) == sorted(words)
    assert all(mm_jax.split_words(words[:6]))
    with pytest.raises(ValueError, match="5 words are too few"):
        mm_jax.split_words(FIRST_FIVE)
