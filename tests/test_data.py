import numpy as np
import pytest
from hypothesis import given

import mm_jax
from mm_jax import Vocab, data

from .conftest import FIRST_FIVE, LETTERS
from .test_vocab import WORDS


def brute_force(words, vocab, block_size):
    X, Y = [], []
    for word in words:
        context = [0] * block_size
        for char in [*word, "."]:
            token = vocab.chars.index(char)
            X.append(context)
            Y.append(token)
            context = [*context, token][1:] if block_size else []
    return X, Y


@given(WORDS)
@pytest.mark.parametrize("block_size", [0, 1, 2, 3, 8])
def test_contexts_against_a_loop(block_size, words):
    vocab = Vocab.from_words(words)
    X, Y = data.contexts(words, vocab, block_size)
    expected = brute_force(words, vocab, block_size)
    assert (X.tolist(), Y.tolist()) == expected
    assert X.dtype == Y.dtype == np.int32
    table = data.examples(words, vocab, block_size)
    assert table.contexts[table.ids].tolist() == X.tolist()
    assert len({tuple(row) for row in table.contexts.tolist()}) == len(table.contexts)
    assert table.counts(len(vocab)).sum() == len(Y)


def test_the_stream():
    stream = data.tokens(["emma", "ava"], LETTERS)
    assert LETTERS.decode(stream) == ".emma.ava."
    assert stream.dtype == np.uint8


def test_the_lectures_numbers(names, split):
    assert len(names) == 32033
    assert (min(map(len, names)), max(map(len, names))) == (2, 15)
    vocab = Vocab.from_words(names)
    assert vocab == LETTERS
    assert [len(data.contexts(part, vocab, 3)[0]) for part in split] == [182625, 22655, 22866]
    assert len(data.tokens(names, vocab)) - 1 == 228146
    assert len(data.examples(split.train, vocab, 3).contexts) == 5438


def test_dev_words_that_are_in_training_too(split):
    seen = set(split.train)
    assert sum(word in seen for word in split.dev) == 3203 - 2779


def test_bundled_names():
    names = mm_jax.load_words(data.bundled_names())
    assert len(names) == len(set(names)) >= 2500
    assert set("".join(names)) <= set(LETTERS.chars[1:])


def test_where_words_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_PACKAGE", tmp_path / "mm_jax")
    (tmp_path / "mm_jax").mkdir()
    (tmp_path / "mm_jax" / "given_names.txt").write_text("ada\n")
    monkeypatch.delenv("MM_JAX_DATA", raising=False)
    assert mm_jax.load_words() == ["ada"]
    downloaded = tmp_path / "cached.txt"
    downloaded.write_text("cy\n")
    monkeypatch.setattr(data, "_download", lambda: downloaded)
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
    data._download.cache_clear()
    assert data._download() is None
    assert data._download() is None
    data._download.cache_clear()
    assert tries == [(data.NAMES_URL, f"sha256:{data.NAMES_SHA256}")]
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
        (b"new york\n", ["new york"]),
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
        (b"ok\n\nst. ives\n", r"line 3: '\.'"),
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "empty list"),
        (["a", ""], "an empty word"),
        (["a.b"], "'a.b' holds '.'"),
        (["emma", "zoë"], "word 2, 'zoë': character 3 is 'ë'"),
    ],
)
def test_what_a_list_is_refused_for(words, message):
    with pytest.raises(ValueError, match=message):
        data.tokens(words, LETTERS)


def test_split_is_whole_and_needs_six_words():
    words = [str(i) for i in range(100)]
    split = mm_jax.split_words(words)
    assert [len(part) for part in split] == [80, 10, 10]
    assert sorted(split.train + split.dev + split.test) == sorted(words)
    assert all(mm_jax.split_words(words[:6]))
    with pytest.raises(ValueError, match="5 words are too few"):
        mm_jax.split_words(FIRST_FIVE)
