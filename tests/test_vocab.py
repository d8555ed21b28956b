import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_jax import Vocab

CHARS = st.characters(exclude_characters=".", exclude_categories=("Cs",))
WORDS = st.lists(st.text(CHARS, min_size=1, max_size=12), min_size=1, max_size=20)


def test_the_lectures_ids():
    vocab = Vocab.from_words(["zebra", "alphabet"])
    assert vocab.chars == ".abehlprtz"
    assert vocab.encode("zab").tolist() == [9, 1, 2]
    assert vocab.decode([0, 1, 0]) == ".a."


@given(WORDS)
def test_decode_is_the_inverse_of_encode(words):
    import unicodedata

    words = [unicodedata.normalize("NFC", word) for word in words]
    vocab = Vocab.from_words(words)
    for word in words:
        assert vocab.decode(vocab.encode(word)) == word
        assert vocab.encode(word).dtype == np.int32


def test_hashable_and_immutable():
    assert hash(Vocab(".ab")) == hash(Vocab(".ab"))
    assert Vocab(".ab") == Vocab.from_words(["ba"])
    with pytest.raises(AttributeError):
        Vocab(".ab").chars = ".a"


def test_separator_comes_first_even_before_smaller_code_points():
    assert Vocab.from_words(["new york", "o'hara", "jean-luc"]).chars.startswith(". '-a")


def test_the_separator_is_a_character_that_no_word_holds():
    words = ["st. ives", "a|b", "a/b", "a_b", "␃"]
    vocab = Vocab.from_words(words)
    assert vocab.separator not in "".join(words)
    assert vocab.chars[1:] == "".join(sorted(set("".join(words))))
    assert [vocab.decode(vocab.encode(word)) for word in words] == words
    with pytest.raises(ValueError, match="ends a word and cannot stand in one"):
        vocab.encode(vocab.separator)


def test_encoding_normalises():
    assert Vocab.from_words(["é"]).encode("é").tolist() == [1]


@pytest.mark.parametrize(("size", "dtype"), [(2, np.uint8), (255, np.uint8), (256, np.uint16), (300, np.uint16)])
def test_smallest_dtype_has_room_for_unknown(size, dtype):
    vocab = Vocab("." + "".join(chr(0x4E00 + i) for i in range(size - 1)))
    assert vocab.lookup("a" + vocab.chars).tolist() == [size, *range(size)]
    assert vocab.lookup("a").dtype == dtype


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocab("ab"), "starts with"),
        (lambda: Vocab(".aa"), "each character once"),
        (lambda: Vocab.from_words([]), "empty list"),
        (lambda: Vocab("|.|"), "each character once"),
        (lambda: Vocab(".ab").encode("abc"), "character 3 is 'c': not in the vocabulary"),
        (lambda: Vocab(".ab").encode("a😀"), "character 2 is '😀'"),
        (lambda: Vocab(".ab").encode("a.b"), "cannot stand in one"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_list_may_hold_the_separator():
    vocab = Vocab.from_words(["st. ives", "a|b"])
    assert vocab.separator == "/"
    assert vocab.decode(vocab.encode("st. ives")) == "st. ives"
