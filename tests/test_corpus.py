import numpy as np
import pytest
from hypothesis import given

from mm_jax import Vocab, corpus

from .conftest import LETTERS
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
    X, Y = corpus.contexts(words, vocab, block_size)
    expected = brute_force(words, vocab, block_size)
    assert (X.tolist(), Y.tolist()) == expected
    assert X.dtype == Y.dtype == np.int32
    table = corpus.examples(words, vocab, block_size)
    assert table.contexts[table.ids].tolist() == X.tolist()
    assert len({tuple(row) for row in table.contexts.tolist()}) == len(table.contexts)
    assert table.counts(len(vocab)).sum() == len(Y)


@given(WORDS)
@pytest.mark.parametrize("pack", [True, False])
def test_rows_hold_each_word_once(pack, words):
    vocab = Vocab.from_words(words)
    stream = corpus.tokens(words, vocab)[1:]
    targets, places = corpus.rows(words, vocab, pack=pack, length=9)
    inside = places >= 0
    assert sorted(places[inside].tolist()) == list(range(len(stream)))
    assert targets[inside].tolist() == stream[places[inside]].tolist()
    assert not targets[~inside].any()
    for row in places:
        filled = row[row >= 0]
        assert np.all(row[len(filled) :] == -1)
        starts = np.flatnonzero(np.diff(filled) != 1) + 1  # where a word follows that is not the next of the list
        assert not stream[filled[starts - 1]].any()
        assert not stream[filled[-1]]
        assert pack or np.count_nonzero(stream[filled] == 0) == 1


@given(WORDS)
def test_the_trie_against_a_set_of_prefixes(words):
    vocab = Vocab.from_words(words)
    trie = corpus.prefixes(words, vocab)
    text = [""]
    for parent, last in zip(trie.parents[1:], trie.last[1:], strict=True):
        text.append(text[parent] + vocab.chars[last])
    assert len(set(text)) == trie.distinct
    assert set(text) == {word[:n] for word in words for n in range(len(word) + 1)}
    assert {text[i] for i in np.flatnonzero(trie.is_word())} == set(words)
    for length, level in enumerate(trie.levels):
        assert {len(prefix) for prefix in text[level]} == {length}
    before = [text[i] for i in trie.ids]
    assert before == [word[:n] for word in words for n in range(len(word) + 1)]


def test_blocks_all_have_one_shape():
    shapes = []

    def double(part):
        shapes.append(part.shape)
        return 2 * part

    array = np.arange(14.0).reshape(7, 2)
    np.testing.assert_array_equal(corpus.in_blocks(double, array, block=3), 2 * array)
    assert shapes == [(3, 2)] * 3


def test_the_stream():
    stream = corpus.tokens(["emma", "ava"], LETTERS)
    assert LETTERS.decode(stream) == ".emma.ava."
    assert stream.dtype == np.uint8


def test_the_lectures_numbers(names, split):
    assert len(names) == 32033
    assert (min(map(len, names)), max(map(len, names))) == (2, 15)
    vocab = Vocab.from_words(names)
    assert vocab == LETTERS
    assert [len(corpus.contexts(part, vocab, 3)[0]) for part in split] == [182625, 22655, 22866]
    assert len(corpus.tokens(names, vocab)) - 1 == 228146
    assert len(corpus.examples(split.train, vocab, 3).contexts) == 5438


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "empty list"),
        (["a", ""], "an empty word"),
        (["a.b"], "'a.b': character 2 is '.': '.' ends a word and cannot stand in one"),
        (["emma", "zoë"], "word 2, 'zoë': character 3 is 'ë'"),
    ],
)
def test_what_a_list_is_refused_for(words, message):
    with pytest.raises(ValueError, match=message):
        corpus.tokens(words, LETTERS)
