"""Batches from a stream: on average the loss of the whole list, and the same bits whatever the chunks."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import corpus
from mm_jax.models.prediction import log_probs_after
from mm_jax.streams import WordFile
from mm_jax.training import batches, loop, stream_batches
from mm_jax.training.recipes import Recipe

from ..conftest import BUNDLED, LETTERS, drawn, equal

WORDS = ["ab", "abc", "b", "ba", "cabb", "a", "bcabac", "ca", "cc", "bab", "a"]
VOCAB = mm_jax.Vocab(".abc")


@pytest.fixture
def every_list_streams(monkeypatch):
    monkeypatch.setattr(batches, "LONG", 0)


def file_of(folder, words=WORDS):
    path = folder / "words.txt"
    path.write_text("".join(f"{word}\n" for word in words))
    return WordFile(path)


def network(seed=1, vocab=VOCAB):
    return drawn(mm_jax.gru.init, vocab, seed=seed, hidden_dim=8)


def recipe(**options):
    adam = Recipe.named({"optimizer": "adam", "decay": "cosine"})
    return Recipe(**{"steps": 45, "batch_size": 32, "draw": "words", "learning_rate": 0.01, **adam, **options})


def all_shifts(length):
    """Every row of every shift of the grid, each shift once: a stand-in for the order."""
    stream = stream_batches.stream_words(corpus.tokens(WORDS, VOCAB), 1, length, network(), recipe())
    starts = np.arange(stream.num_rows)[None] * length - np.arange(length)[:, None]
    return stream, starts, stream_batches._slices(stream.tokens, starts, length + 1)


@pytest.mark.parametrize("length", [7, 8, 14, 100])
def test_every_word_weighs_the_same_over_all_shifts(length):
    stream, starts, rows = all_shifts(length)
    weights = np.asarray(jax.jit(jax.vmap(stream_batches.word_weights))(rows.reshape(-1, length + 1).astype(np.int32)))
    places = (starts[..., None] + np.arange(length)).reshape(weights.shape)
    inside = (places >= 0) & (places < len(stream.tokens) - 1)
    assert not weights[~inside].any()
    total = np.bincount(places[inside], weights[inside], minlength=len(stream.tokens) - 1)
    np.testing.assert_allclose(total, length, rtol=1e-6)  # of every token
    assert weights.max() <= length / (length - 7 + 1) + 1e-6


def test_the_expected_loss_is_that_of_the_list():
    stream, _, rows = all_shifts(14)
    params = network()
    template = stream.template

    @jax.jit
    def loss_of(rows):
        source = stream_batches.RowsOfWords(
            rows, template.scale, None, None, template.share, vocab_size=4, in_blocks=False
        )
        inputs, weights = source.batch((rows[0], None))
        return loop.loss(params, source.predict, inputs, weights)

    # One row a batch: the mean over rows and shifts is what a step expects.
    mean = np.mean([loss_of(rows[shift, i][None, None]) for shift in range(14) for i in range(stream.num_rows)])
    assert mean == pytest.approx(mm_jax.evaluate(params, WORDS).nll, rel=1e-5)


def test_an_epoch_reads_each_row_once_and_shifts_anew():
    stream = stream_batches.stream_words(corpus.tokens(WORDS, VOCAB), 2, 14, network(), recipe())
    per_epoch, key = stream.num_rows // 2, jax.random.key(3)
    starts = stream.starts(key, 0, 6 * per_epoch).reshape(6, -1)
    shifts = {(-row % 14)[0] for row in starts}
    assert len(shifts) > 2
    for row in starts:
        assert len(set(row.tolist())) == len(row) and len(set((row % 14).tolist())) == 1
    assert np.array_equal(stream.starts(key, 5, 3), stream.starts(key, 0, 20)[5:8])


def test_slices_at_both_edges():
    tokens = np.array([0, 1, 2, 0, 3, 0], np.uint8)
    starts = np.array([[-9, -3, -1], [0, 3, 4], [5, 6, 40]])
    expected = [[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 2]], [[0, 1, 2, 0], [0, 3, 0, 0], [3, 0, 0, 0]]]
    expected.append([[0, 0, 0, 0]] * 3)
    found = stream_batches._slices(tokens, starts, 4)
    assert found.tolist() == [[row[:4] for row in rows] for rows in expected] and found.dtype == np.uint8
    assert stream_batches._slices(tokens, starts, 8)[1, 0].tolist() == [0, 1, 2, 0, 3, 0, 0, 0]


@pytest.mark.parametrize("teach", [0.0, 0.4, 1.0])
def test_targets_are_the_next_token_and_the_teacher(tmp_path, teach):
    teacher = mm_jax.ngram.fit(WORDS, VOCAB, order=3, smoothing="witten-bell")
    source = batches.make_batches(file_of(tmp_path), network(), recipe(teach=teach), teacher if teach else None)
    read = source.read(jax.random.key(0), 0, 30)
    _, weights = jax.jit(jax.vmap(lambda rows: read.batch((rows, None))))(read.rows)
    seen = set()
    for row, wanted in zip(
        np.asarray(read.rows).reshape(-1, source.width), np.asarray(weights).reshape(-1, source.stride, 4), strict=True
    ):
        prefix = None
        for before, token, target in zip(row[:-1], row[1:], wanted, strict=True):
            prefix = () if before == 0 else None if prefix is None else (*prefix, int(before))
            if not target.any():
                continue
            assert prefix is not None
            taught = np.exp(log_probs_after(teacher, [prefix])[0])
            expected = (1 - teach) * np.eye(4)[token] + teach * taught
            np.testing.assert_allclose(target / target.sum(), expected, atol=1e-6)
            seen.add(prefix)
    assert {tuple(VOCAB.encode(word).tolist()) for word in WORDS} <= seen


def run_to(state, words, wanted, interval=20, **options):
    losses = []
    for progress in loop.run(state, words, wanted, interval=interval, **options):
        state = progress.state
        losses.append(progress.loss)
    return state, np.concatenate(losses)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gru", {"draw": "words", "drop_tokens": 0.2, "teach": 0.5}),
        ("mlp", {"draw": "examples"}),
        pytest.param("transformer", {"draw": "words", "drop_edges": 0.2}, marks=pytest.mark.slow),
        pytest.param("mlp", {"draw": "words"}, marks=pytest.mark.slow),
    ],
)
def test_a_run_stopped_anywhere_and_continued_is_the_same_run(tmp_path, kind, options):
    sizes = {"mlp": {"hidden_dim": 8}, "gru": {"hidden_dim": 8}}.get(
        kind, {"num_layers": 1, "num_heads": 1, "width": 8}
    )
    words, wanted = file_of(tmp_path, BUNDLED[::40]), recipe(**options)
    params = drawn(getattr(mm_jax, kind).init, LETTERS, **sizes)

    def fresh():
        return loop.first_state(params, jax.random.key(1), wanted)

    whole, losses = run_to(fresh(), words, wanted)
    assert np.isfinite(losses).all() and losses[-5:].mean() < losses[:5].mean()
    assert equal(run_to(fresh(), words, wanted, interval=7)[0], whole)
    for stop in (1, 20, 33):
        for progress in loop.run(fresh(), words, wanted, interval=stop):
            if int(progress.state.step) == stop:
                break
        assert equal(run_to(progress.state, words, wanted, interval=20)[0], whole), stop


def test_a_file_and_a_list_give_the_same_run(tmp_path, every_list_streams):
    one, other = (
        mm_jax.fit(network(), words, jax.random.key(1), recipe(teach=0.5)) for words in (WORDS, file_of(tmp_path))
    )
    assert equal(one[0], other[0])
    assert np.array_equal(one[1].loss, other[1].loss)


def test_examples_are_those_of_the_list_each_once_an_epoch(tmp_path):
    mlp = drawn(mm_jax.mlp.init, VOCAB, hidden_dim=4, block_size=3)
    source = batches.make_batches(file_of(tmp_path), mlp, Recipe(steps=1, batch_size=1))
    read = source.read(jax.random.key(0), 0, source.num_rows)
    contexts, weights = jax.jit(jax.vmap(read.batch))(read.rows)
    found = zip(np.asarray(contexts)[:, 0].tolist(), np.asarray(weights)[:, 0].argmax(-1).tolist(), strict=True)
    X, Y = corpus.contexts(WORDS, VOCAB, 3)
    expected = collections.Counter((*x, y) for x, y in zip(X.tolist(), Y.tolist(), strict=True))
    assert collections.Counter((*x, y) for x, y in found) == expected


def test_short_lists_do_not_stream():
    wanted = recipe()
    assert not batches.is_streamed(WORDS, network(), wanted)
    assert isinstance(batches.make_batches(WORDS, network(), wanted), batches.whole_words.WordBatches)


def test_the_end_of_a_stream_beyond_32_bits_is_read(tmp_path):
    """A file of 2^32 tokens and some, which takes no room on the disk: its words stand at its end."""
    tokens = corpus.tokens(WORDS, VOCAB)
    long = np.memmap(tmp_path / "tokens", np.uint8, "w+", shape=2**32 + len(tokens))
    long[-len(tokens) :] = tokens
    stream = stream_batches.stream_words(long, 8, 14, network(), recipe())
    starts = stream.starts(jax.random.key(0), 0, 100)
    assert starts.max() > 2**31 and len(np.unique(starts)) == starts.size
    found = stream_batches._slices(long, np.array([[2**32 + 1]]), 15)[0, 0]
    assert found.tolist() == tokens[1:16].tolist()


def test_what_cannot_be_streamed_is_refused(tmp_path, every_list_streams):
    words, key = file_of(tmp_path), jax.random.key(0)
    mlp = drawn(mm_jax.mlp.init, VOCAB, hidden_dim=4)
    for options in ({"draw": "contexts"}, {"batch_size": None}):
        with pytest.raises(ValueError, match="takes all words at once: give draw='examples' with a batch_size"):
            mm_jax.fit(mlp, words, key, steps=1, **options)
        mm_jax.fit(mlp, WORDS, key, steps=1, **options)  # as before, whatever the length of a list in memory
    with pytest.raises(ValueError, match="takes all words at once: give draw='words' with a batch_size"):
        mm_jax.fit(network(), words, key, steps=1, batch_size=None)
    short = drawn(mm_jax.transformer.init, VOCAB, num_layers=1, num_heads=1, width=4, max_length=5)
    with pytest.raises(ValueError, match="'bcabac' has 6 characters, and this Transformer reads 5 at most"):
        mm_jax.fit(short, words, key, steps=1)
    with pytest.raises(ValueError, match="'bcabac' has 6 characters"):
        mm_jax.fit(network(), words, key, steps=1, teach=0.5, teacher=short)
    with pytest.raises(ValueError, match="not in the vocabulary"):
        mm_jax.fit(network(vocab=mm_jax.Vocab(".ab")), words, key, steps=1)


@mm_jax.pytree
class OneWord:
    """A table that is said to read one word a row."""

    W: jax.Array
    vocab: mm_jax.Vocab


mm_jax.sequential(
    OneWord,
    start=lambda params: jnp.zeros(4),
    advance=lambda params, state, token: params.W[token],
    logits=lambda params, state: state,
    packs=lambda params: False,
)


def test_models_of_one_word_a_row_are_refused(tmp_path, every_list_streams):
    words, key = file_of(tmp_path), jax.random.key(0)
    own = OneWord(W=jnp.eye(4), vocab=VOCAB)
    with pytest.raises(ValueError, match="OneWord reads one word a row"):
        mm_jax.fit(own, words, key, steps=1)
    with pytest.raises(ValueError, match="teacher, a OneWord, reads one word a row"):
        mm_jax.fit(network(), words, key, steps=1, teach=0.5, teacher=own)
    mm_jax.fit(own, WORDS, key, steps=1)


def test_a_population_reads_a_stream(every_list_streams):
    start = jax.vmap(lambda key: mm_jax.gru.init(key, VOCAB, hidden_dim=4))(jax.random.split(jax.random.key(0), 2))
    trained, loss = mm_jax.fit_population(start, WORDS, jax.random.split(jax.random.key(1), 2), recipe(steps=5))
    key = jax.random.split(jax.random.key(1), 2)[1]
    alone, history = mm_jax.fit(mm_jax.member(start, 1), WORDS, key, recipe(steps=5))
    assert equal(mm_jax.member(trained, 1), alone) and np.array_equal(loss[1], history.loss)
