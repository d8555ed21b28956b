"""Texts cut into symbols; vocabularies of graphemes and of words; and that no grapheme is ever torn."""

import itertools
import unicodedata

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mm_jax
from mm_jax import Vocab, corpus, streams, symbols
from mm_jax.sources import open_words

PHONEMES = ["K AE1 T", "AE1 T", "T", "K K"]
WORDS = st.lists(st.text("abcABé1,.'", min_size=1, max_size=4), min_size=1, max_size=6).map(" ".join)
# Of emoji first of all: a family, flags, a skin, a heart with its variation selector.
LISTS = {
    "Hindi": "जगत् विद्वान् "  # of which the last letter would join the next
    "हिन्दी क्षत्रिय मीरा श्रीमती पृथ्वी कृष्णा विष्णु लक्ष्मी सरस्वती दुर्गा गणेश शक्ति अर्जुन युधिष्ठिर द्रौपदी भीष्म",
    "Thai": "น้ำใจ กุหลาบ เชียงใหม่ ลำปาง อุดรธานี ขอนแก่น พิษณุโลก สุโขทัย น่าน แพร่ ตรัง ระนอง พังงา กระบี่ ภูเก็ต",
    "Tamil": "தமிழ் மதுரை கோயம்புத்தூர் ஶ்ரீரங்கம் திருச்சி சேலம் தஞ்சாவூர் நாமக்கல் கரூர் ஈரோடு வேலூர் க்ஷேத்திரம்",
    "Arabic": "مُحَمَّد فَاطِمَة عَلِيّ خَدِيجَة عُمَر زَيْنَب حَسَن مَرْيَم إِبْرَاهِيم يُوسُف آمِنَة",
    "emoji": "👨‍👩‍👧‍👦🎉 🇩🇪🇫🇷 👍🏽👍 ❤️🔥 👩‍🚀🚀 🏳️‍🌈🎉 🇯🇵👩‍🚀 👨‍👩‍👧❤️ 🔥👍🏽 🎉🇩🇪",
    "Yoruba": "ẹ́kọ́ ọ̀rẹ́ ìyàwó ọmọ̀bìnrin ẹ̀gbọ́n àbúrò",
}


def clusters(words):
    return set(itertools.chain.from_iterable(symbols.cut(word, "graphemes") for word in words))


def listed(name):
    return unicodedata.normalize("NFC", LISTS[name]).split()


@pytest.mark.parametrize(
    ("text", "units", "found"),
    [
        ("naïve", "characters", list("naïve")),
        ("हिन्दी", "graphemes", ["हि", "न्दी"]),
        ("क्षत्रिय", "graphemes", ["क्ष", "त्रि", "य"]),
        ("น้ำใจ", "graphemes", ["น้ำ", "ใ", "จ"]),
        ("👨‍👩‍👧‍👦🇩🇪🇫🇷👍🏽", "graphemes", ["👨‍👩‍👧‍👦", "🇩🇪", "🇫🇷", "👍🏽"]),
        ("K AE1 T", "words", ["K", "AE1", "T"]),
        ("", "words", []),
    ],
)
def test_cut_and_joined(text, units, found):
    assert list(symbols.cut(text, units)) == found
    assert symbols.joined(found, units) == text
    assert symbols.length(text, units) == len(found)


def test_lists_with_clusters_are_found():
    for name in LISTS:
        words = listed(name)
        assert symbols.has_clusters(words, set("".join(words))), name
    for words in (["emma", "zoë"], ["北京", "한국"], ["a b", "🎉"], ["e\r", "\n"]):
        assert not symbols.has_clusters(words, set("".join(words)))


def test_the_sizes_of_a_list():
    assert streams.sizes_of(PHONEMES, "words") == (1, 3, 12)
    assert streams.sizes_of(["हिन्दी", "य"], "graphemes") == (1, 2, 5)
    assert streams.sizes_of(["हिन्दी", "य"], "characters") == (1, 6, 9)


def test_a_vocabulary_of_words():
    vocab = Vocab.from_words(PHONEMES, "words")
    assert vocab.symbols == (".", "AE1", "K", "T")
    assert vocab.chars == ".\U000f0000KT"  # a symbol of one character is written as itself
    assert vocab.encode("K AE1 T").tolist() == [2, 1, 3] and vocab.decode([2, 1, 3]) == "K AE1 T"
    assert vocab.as_chars("K AE1 T") == "K\U000f0000T"


def test_a_vocabulary_of_graphemes():
    vocab = Vocab.from_words(["हिन्दी", "य", "é"], "graphemes")
    assert vocab.symbols == (".", "é", "न्दी", "य", "हि")
    assert vocab.decode(vocab.encode("हिन्दीe\u0301")) == "हिन्दीé"


@given(st.lists(WORDS, min_size=1, max_size=9))
def test_decode_is_the_inverse_of_encode(texts):
    vocab = Vocab.from_words(texts, "words")
    assert [vocab.decode(vocab.encode(text)) for text in texts] == texts
    assert vocab.separator not in {symbol for text in texts for symbol in text.split(" ")}
    assert len(set(vocab.chars)) == len(vocab) == len(vocab.symbols)


@given(st.lists(st.text("aकि्षन्दẹ́👨‍👩🇩🇪", min_size=1, max_size=6), min_size=1, max_size=6))
def test_graphemes_of_any_text(texts):
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    vocab = Vocab.from_words(texts, "graphemes")
    assert [vocab.decode(vocab.encode(text)) for text in texts] == texts
    stream = corpus.tokens(texts, vocab)
    assert len(stream) == streams.sizes_of(texts, "graphemes").total + 1


def test_equal_vocabularies_are_one():
    one, two = (Vocab.from_words(PHONEMES, "words") for _ in range(2))
    other = Vocab.from_words(["K AE2 T"], "words")
    assert one == two and hash(one) == hash(two)
    assert other.chars == one.chars and other != one  # the symbols tell them apart
    assert Vocab("." + one.chars[1:]) != one


@pytest.mark.parametrize("words", [PHONEMES, listed("Hindi"), ["emma", "ava"]])
@pytest.mark.parametrize("units", symbols.UNITS)
def test_json(words, units):
    vocab = Vocab.from_words(words, units)
    assert Vocab.from_json(vocab.as_json()) == vocab


def test_a_symbol_may_begin_another():
    vocab = Vocab.from_words(["A AB ABC", "AB A"], "words")
    assert vocab.encode("ABC AB A").tolist() == [3, 2, 1]
    assert vocab.decode([3, 2, 1]) == "ABC AB A"


def test_a_symbol_may_be_private_or_a_full_stop():
    text = "\U000f0000 ab . \U000f0001"
    vocab = Vocab.from_words([text], "words")
    assert vocab.separator == "|" and len(set(vocab.chars)) == 5
    assert vocab.decode(vocab.encode(text)) == text


REFUSED = {
    "two blanks": (lambda vocab: vocab.encode("K  T"), "'K  T' has two blanks side by side: put one blank between"),
    "a blank before": (lambda vocab: vocab.encode(" K"), "' K' has a blank at an end"),
    "a blank behind": (lambda vocab: vocab.encode("K "), "'K ' has a blank at an end"),
    "unknown": (lambda vocab: vocab.encode("K T AE2"), "'K T AE2': symbol 3 is 'AE2': not in the vocabulary"),
    "a separator": (lambda vocab: vocab.encode("K ."), "symbol 2 is '.': '.' ends a word and cannot stand in one"),
    "in a list": (lambda vocab: corpus.tokens(["K", "K  T"], vocab), "word 2, 'K  T' has two blanks"),
    "unknown in a list": (lambda vocab: corpus.tokens(["K", "T B"], vocab), "word 2, 'T B': symbol 2 is 'B'"),
    "empty": (lambda vocab: corpus.tokens(["K", ""], vocab), "word 2 is an empty word"),
    "a line break": (lambda vocab: corpus.tokens(["K", "K\nT"], vocab), "symbol 1 is 'K\\\\nT': not in the vocabulary"),
    "no units": (lambda vocab: Vocab.from_words(["a"], "bytes"), "units is 'bytes': choose one of characters, graph"),
    "blanks": (lambda vocab: Vocab.from_words(["K T", "K  T"], "words"), "'K  T' has two blanks side by side"),
    "no words": (lambda vocab: Vocab.from_words([""], "words"), "no characters"),
    "of two words": (lambda vocab: Vocab.of([".", "K T"], "words"), "'K T' is no symbol of units 'words'"),
    "of two clusters": (lambda vocab: Vocab.of([".", "हिय"], "graphemes"), "is no symbol of units 'graphemes'"),
    "twice": (lambda vocab: Vocab.of([".", "K", "K"], "words"), "holds each symbol once"),
    "a separator among them": (lambda vocab: Vocab.of([".", "K", "."], "words"), "holds each symbol once"),
    "too many": (
        lambda vocab: Vocab.from_words([" ".join(f"w{i}" for i in range(140_000))], "words"),
        "140,000 different words: a vocabulary holds 131,072 of several characters at most: leave out lines with rare",
    ),
    "json": (lambda vocab: Vocab.from_json({"symbols": [".", 1], "units": "words"}), "something else than strings"),
    "json without units": (lambda vocab: Vocab.from_json({"symbols": [".", "K"]}), "units is ''"),
    "no json": (lambda vocab: Vocab.from_json(7), "cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case):
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call(Vocab.from_words(PHONEMES, "words"))


@pytest.mark.parametrize("units", symbols.UNITS)
def test_a_long_list_has_the_tokens_of_a_short_one(units, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "_LINES", 3)
    words = [*(f"{one} {two}" for one in listed("Hindi") for two in listed("Arabic")[:3]), "K AE1 T"]
    (tmp_path / "list.txt").write_text("\n".join(words), encoding="utf-8")
    long = open_words(tmp_path / "list.txt")
    vocab = Vocab.from_words(words, units)
    assert Vocab.from_words(long, units) == vocab
    np.testing.assert_array_equal(corpus.tokens(long, vocab), corpus.tokens(words, vocab))
    assert streams.sizes_of(long, units) == streams.sizes_of(words, units)
    with pytest.raises(ValueError, match=f"word {len(words)}, 'K AE1 T'"):
        corpus.tokens(long, Vocab.from_words(words[:-1], units))


def test_graphemes_that_join_are_no_text():
    vocab = Vocab.from_words(["क्", "षa", "🇩a", "🇪"], "graphemes")
    tokens = [vocab.encode(text).tolist() for text in ("क्", "ष")]
    assert vocab.is_text(tokens[0]) and not vocab.is_text([*tokens[0], *tokens[1]])
    # A model that draws any symbol after any other; joined, some are other graphemes.
    params = mm_jax.counts.fit(["क्", "षa", "🇩a", "🇪"], vocab, smoothing=1.0)
    for word in mm_jax.sample(params, jax.random.key(0), 200, max_length=6):
        assert clusters([word]) <= set(vocab.symbols)
    assert all(clusters([word]) <= set(vocab.symbols) for word, _ in mm_jax.most_probable(params, 200))


def torn(name, number):
    """How many of some samples hold a grapheme that the list does not hold."""
    words = listed(name)
    known = clusters(words)
    vocab = Vocab.from_words(words, "graphemes")
    params = mm_jax.ngram.fit(words, vocab, order=3, smoothing="add-k", k=0.5)  # nearly any symbol after any other
    drawn = mm_jax.sample(params, jax.random.key(0), number, max_length=12)
    assert len(drawn) == number
    return sum(not clusters([word]) <= known for word in drawn)


@pytest.mark.parametrize("name", ["Hindi", "emoji"])
def test_no_grapheme_is_torn(name):
    assert torn(name, 200) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_no_grapheme_is_torn_in_ten_thousand_words(name):
    assert torn(name, 10_000) == 0
