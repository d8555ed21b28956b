"""Vocabularies of thousands of symbols: logits of some positions at a time, and the same numbers as all at once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax.layers.dropout import Dropout
from mm_jax.layers.products import LARGE
from mm_jax.models import blocks, contract, gru, mlp, ngram, prediction, rnn, transformer
from mm_jax.ngrams import counting
from mm_jax.ngrams.counting import halved, whole
from mm_jax.training import batches, loop
from mm_jax.training.loss import Targets, loss

from ..conftest import drawn, slow
from .test_ngram import Reference
from .zoo import TRAINED, model

VOCAB = mm_jax.Vocab("." + "".join(chr(0xF0000 + i) for i in range(LARGE + 200)))
MODELS = {
    "gru": lambda key: gru.init(key, VOCAB, hidden_dim=6),
    "rnn": lambda key: rnn.init(key, VOCAB, hidden_dim=6),
    "transformer": lambda key: transformer.init(key, VOCAB, num_layers=1, num_heads=2, width=8, max_length=9),
    "mlp": lambda key: mlp.init(key, VOCAB, block_size=2, embedding_dim=4, hidden_dim=6),
}
ROWS = np.array([[5, 4000, 4100, 0, 7, 5], [9, 0, 4250, 4250, 0, 3]] * 60, np.int32)  # above a block of 504
ROWS[2:, 1] = np.arange(1, 119)
RNG = np.random.default_rng(0)
WORDS = ["".join(VOCAB.chars[1 + int(i)] for i in RNG.zipf(1.3, 12) % LARGE) for _ in range(300)]


@pytest.mark.parametrize("name", [*TRAINED])
def test_logits_of_states_are_those_of_rows(name):
    params = model(name)
    if contract.model_of(params).states is None:
        pytest.skip("computes all logits at once")
    tokens = np.array([[1, 2, 0, 3], [2, 0, 0, 1]], np.int32)
    of_states = jax.vmap(jax.vmap(contract.model_of(params).logits, (None, 0)), (None, 0))
    found = jax.jit(lambda params, tokens: of_states(params, blocks.states(params, tokens)))(params, tokens)
    np.testing.assert_allclose(found, jax.jit(contract.unroll_rows)(params, tokens), atol=1e-5)


def of_all(params, rows, weights, teacher, share, dropout):
    wanted = jax.nn.one_hot(rows, len(VOCAB), dtype=jnp.float32)
    if teacher is not None:
        wanted = (1 - share) * wanted + share * jax.nn.softmax(contract.unroll_rows(teacher, rows[:, :-1]))
    logits = contract.unroll_rows(params, rows[:, :-1], dropout)
    return optax.softmax_cross_entropy(logits, wanted * weights[..., None]).sum()


def of_blocks(params, rows, weights, teacher, share, dropout):
    taught = None if teacher is None else blocks.states(teacher, rows[:, :-1])
    targets = Targets(tokens=rows, weights=weights, teacher=teacher, taught=taught, share=share)
    return loss(params, lambda params, tokens: blocks.states(params, tokens, dropout), rows[:, :-1], targets)


@pytest.mark.parametrize("name", ["gru", *slow(["rnn", "transformer", "mlp"])])
def test_loss_and_gradient_of_blocks_are_those_of_all_logits(name):
    params = drawn(MODELS[name], seed=1)
    assert blocks.are_used(params)
    teacher = ngram.fit(WORDS[:20], VOCAB, order=2) if name == "gru" else None
    keys = jax.random.split(jax.random.key(2), len(ROWS))
    dropout = Dropout(key=keys, tokens=0.3, states=0.2, edges=0.0) if name == "gru" else None
    weights = RNG.uniform(0, 1e-2, ROWS.shape).astype(np.float32) * (ROWS != 3)
    with jax.debug_key_reuse(False):
        given = (params, ROWS, weights, teacher, np.float32(0.4), dropout)
        found, expected = (jax.jit(jax.value_and_grad(each))(*given) for each in (of_blocks, of_all))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    for one, other in zip(jax.tree.leaves(found[1]), jax.tree.leaves(expected[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * np.abs(other).max())


def test_predictions_of_blocks_are_those_of_all_logits():
    params = drawn(MODELS["gru"], seed=1)
    rows = jax.nn.log_softmax(jax.jit(contract.unroll_rows)(params, ROWS[:, :-1]))
    expected = np.take_along_axis(np.asarray(rows), ROWS[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(prediction.of_rows(params, ROWS), expected, atol=1e-5)
    after = prediction.log_probs_after(params, [(), (5,), (5, 4000)])
    np.testing.assert_allclose(after, rows[0, :3], atol=1e-5)


def bytes_of_a_step(vocab, words):
    recipe = mm_jax.Recipe(steps=2, batch_size=64, draw="words", optimizer=optax.adam, learning_rate=0.01)
    state = loop.first_state(gru.init(jax.random.key(0), vocab), jax.random.key(1), recipe)
    read = batches.make_batches(words, state.params, recipe).read(state.key, 0, 2)
    rates = np.ones(2, np.float32)
    lowered = loop.chunk.lower(state, read, np.int32(2), rates, None, optimizer=recipe.transformation, length=2)
    found = lowered.compile().memory_analysis()
    return sum([found.argument_size_in_bytes, found.temp_size_in_bytes, found.output_size_in_bytes]) - (
        found.alias_size_in_bytes
    )


@pytest.mark.slow
def test_memory_of_a_step_with_20_000_symbols():
    """At most 200 MB more than with 27, Adam's moments included; logits of all positions would take 270 MB alone."""
    chars = [chr(0xF0000 + i) for i in range(20_000)]
    words = ["".join(RNG.choice(chars, 25)) for _ in range(4000)]
    large = bytes_of_a_step(mm_jax.Vocab("." + "".join(chars)), words)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    small = bytes_of_a_step(mm_jax.Vocab("." + "".join(letters)), ["".join(RNG.choice(letters, 25)) for _ in words])
    assert 100e6 < large - small < 200e6


@pytest.mark.parametrize("order", [3, 5])
def test_kneser_ney_against_the_reference(order, monkeypatch):
    monkeypatch.setattr(counting, "LARGEST", 10_000)  # codes of 4,297 symbols soon are; of 13,000, those of order 5
    words = [*WORDS, *WORDS[:30]]
    params, reference = ngram.fit(words, VOCAB, order), Reference(words, VOCAB, order, "modified-kneser-ney")
    assert params.levels[-1].codes.ndim == 2
    seen = [tuple(VOCAB.encode(word).tolist()) for word in WORDS[:40]]
    contexts = np.array([((0,) * (order - 1) + word[:end])[-order + 1 :] for word in seen for end in range(6)])
    contexts = np.concatenate([contexts, RNG.integers(1, 300, contexts.shape)])
    targets = np.concatenate([RNG.integers(0, 50, 240), [word[end] for word in seen for end in range(6)]])
    reference.discounts = {m: reference.discounts(m) for m in range(1, order + 1)}.__getitem__
    expected = [reference.p(int(w), tuple(map(int, c))) for w, c in zip(targets, contexts, strict=True)]
    np.testing.assert_allclose(np.exp(ngram.pair_log_probs(params, contexts, targets)), expected, rtol=1e-5, atol=1e-6)
    rows = jax.jit(jax.vmap(ngram.logits, (None, 0)))(params, jnp.asarray(contexts[200:260], jnp.int32))
    np.testing.assert_allclose(rows, ngram.row_log_probs(params, contexts[200:260]), atol=1e-4)


def test_codes_beyond_int32_are_ranks_and_tokens(tmp_path, monkeypatch):
    codes = np.array([5, 2**31 + 7, 2**40])
    assert halved(codes[:1], 1000).tolist() == [5]
    assert whole(halved(codes, 20_000), 20_000).tolist() == codes.tolist()
    one = ngram.fit(WORDS, VOCAB, order=4)
    monkeypatch.setattr(counting, "LARGEST", 10_000)
    params = ngram.fit(WORDS, VOCAB, order=4)
    np.testing.assert_array_equal(whole(params.levels[3].codes, len(VOCAB)), one.levels[3].codes)
    mm_jax.save(params, tmp_path / "model")
    again = mm_jax.load(tmp_path / "model")
    assert mm_jax.score(again, WORDS[0]) == mm_jax.score(params, WORDS[0])
