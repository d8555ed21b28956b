"""Networks of flax.linen and flax.nnx as models, trained on the lecture's list."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import mm_jax
from mm_jax.models import network

from ..conftest import FIRST_FIVE, LETTERS, equal
from .zoo import COMPILED, VOCAB, by_steps, causal, started, variables_of_causal

UNIGRAM_NLL = 2.82  # of names.txt: what is reached without any context


@pytest.fixture(autouse=True)
def standard_promotion():
    """flax and optax.adam mix dtypes."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


class Convolutions(nn.Module):
    """Two causal convolutions over embeddings."""

    size: int

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(self.size, 16)(tokens)
        for _ in range(2):
            x = nn.tanh(nn.Conv(32, kernel_size=(3,), padding="CAUSAL")(x))
        return nn.Dense(self.size)(x)


class Recurrent(nnx.Module):
    """A gated recurrent network."""

    def __init__(self, size, rngs):
        self.embed = nnx.Embed(size, 16, rngs=rngs)
        self.rnn = nnx.RNN(nnx.GRUCell(16, 32, rngs=rngs))
        self.out = nnx.Linear(32, size, rngs=rngs)

    def __call__(self, tokens):
        return self.out(self.rnn(self.embed(tokens)))


def linen(vocab=LETTERS):
    return mm_jax.network.wrap(Convolutions(len(vocab)), vocab, key=jax.random.key(0))


def from_nnx(vocab=LETTERS):
    return mm_jax.network.wrap(Recurrent(len(vocab), nnx.Rngs(0)), vocab)


MAKE = {"linen": linen, "nnx": from_nnx}


@pytest.fixture(scope="module", params=MAKE.values(), ids=MAKE)
def trained(request, split):
    """A network that saw 5,000 names, and what it was made from."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        start = request.param()
        params, history = mm_jax.fit(
            start,
            split.train[:5000],
            jax.random.key(1),
            steps=100,
            batch_size=64,
            optimizer=optax.adam,
            learning_rate=0.01,
        )
    return params, start, history


@pytest.mark.slow
def test_it_learns_more_than_letters(trained, split):
    params, _, history = trained
    assert history.loss[0] > 3.2
    assert mm_jax.evaluate(params, split.dev[:500]).nll < UNIGRAM_NLL - 0.2


@pytest.mark.slow
def test_it_samples_and_scores(trained):
    params, _, _ = trained
    words = mm_jax.sample(params, jax.random.key(2), 30, prefix="a", max_length=12)
    assert len(words) == 30 and all(word[0] == "a" and len(word) <= 12 for word in words)
    rows = jax.nn.log_softmax(by_steps(params, LETTERS.encode("maria")))
    expected = -sum(float(row[token]) for row, token in zip(rows, [*LETTERS.encode("maria"), 0], strict=True))
    assert mm_jax.score(params, "maria").nll == pytest.approx(expected, rel=1e-5)
    (_, p), *_ = mm_jax.most_probable(params, 2, max_length=5)
    assert 0 < p < 1


def test_it_is_saved_and_loaded_like_another(trained, tmp_path):
    params, start, _ = trained
    mm_jax.save(params, tmp_path / "own.safetensors")
    assert equal(mm_jax.load(tmp_path / "own.safetensors", like=start), params)
    with pytest.raises(ValueError, match="give load"):
        mm_jax.load(tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match="another vocabulary"):
        mm_jax.load(tmp_path / "own.safetensors", like=linen(VOCAB))


def test_it_mixes_with_an_ngram(trained, split):
    params, _, _ = trained
    ngrams = mm_jax.ngram.fit(split.train[:5000], LETTERS, order=4)
    mixed = mm_jax.mixture.fit([params, ngrams], split.dev[:500:2])
    dev = split.dev[1:500:2]
    assert mm_jax.evaluate(mixed, dev).nll < min(mm_jax.evaluate(each, dev).nll for each in (params, ngrams))


@pytest.mark.slow
def test_a_population_of_networks():
    keys = jax.random.split(jax.random.key(0), 2)
    module = Convolutions(len(VOCAB))
    variables = jax.vmap(lambda key: module.init(key, jnp.zeros(4, jnp.int32)))(keys)
    one = mm_jax.network.wrap(module.apply, jax.tree.map(lambda leaf: leaf[0], variables), VOCAB)
    many = mm_jax.Network(variables=variables, vocab=VOCAB, apply=one.apply, limit=one.limit)
    _, loss = mm_jax.fit_population(many, FIRST_FIVE, jax.random.split(jax.random.key(1), 2), steps=3)
    assert loss.shape == (2, 3) and loss[0, 0] != loss[1, 0]


def reversed_in_time(variables, tokens):
    return causal(variables, tokens[::-1])[::-1]


def only_far_ahead(variables, tokens):
    """Causal but for what stands 20 characters later."""
    return causal(variables, tokens) + 0.1 * jnp.roll(causal(variables, tokens), -20, axis=0)


def of_the_last_place(variables, tokens):
    """Causal but for the last token, which the first row sees."""
    return causal(variables, tokens).at[0, 0].add(tokens[-1] * 0.01)


@pytest.mark.parametrize("apply", [reversed_in_time, only_far_ahead, of_the_last_place])
def test_networks_that_look_ahead_are_refused(apply):
    with pytest.raises(ValueError, match="the network is not causal: another token at position"):
        mm_jax.network.wrap(apply, variables_of_causal(VOCAB), VOCAB)


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (
            lambda v, t: causal(v, t)[:, :-1],
            r"float32 of shape \(33, 11\) for 33 tokens: expected float32 of shape \(33, 12\)",
        ),
        (lambda v, t: causal(v, t)[:-1], r"of shape \(32, 12\) for 33 tokens"),
        (lambda v, t: causal(v, t).astype(jnp.bfloat16), "the network returned bfloat16"),
        (lambda v, t: (causal(v, t), 1), "the network returned tuple"),
    ],
    ids=["width", "length", "dtype", "a pair"],
)
def test_rows_that_are_refused(apply, message):
    vocab = mm_jax.Vocab(".abcdefghijk")
    C = jax.device_put(np.ones((12, 4), np.float32))
    with pytest.raises(ValueError, match=message):
        mm_jax.network.wrap(apply, {"C": C, "out": {"W": C.T}}, vocab)


def test_what_is_no_float_is_not_trained():
    """Counters and random keys are read as they are."""

    def apply(variables, tokens):
        noise = jax.random.normal(variables["key"], (len(VOCAB),))
        return causal(variables, tokens) + variables["steps"] * noise[None, :]

    variables = variables_of_causal(VOCAB) | {"key": jax.random.key(3), "steps": jnp.int32(2)}
    params = mm_jax.network.wrap(apply, variables, VOCAB)
    row = COMPILED[1](params, started(params))
    expected, noise = jax.jit(
        lambda: (causal(variables, jnp.array([0])), jax.random.normal(jax.random.key(3), (12,)))
    )()
    np.testing.assert_allclose(row, np.asarray(expected)[0] + 2 * np.asarray(noise), rtol=1e-6)
    after, _ = mm_jax.fit(params, FIRST_FIVE, jax.random.key(0), steps=2)
    assert mm_jax.num_params(after) == 2 * 4 * len(VOCAB)
    assert not equal(after, params)


def test_a_module_and_its_function_are_one_network():
    module, key = nn.Sequential([nn.Embed(len(VOCAB), 4), nn.Dense(len(VOCAB))]), jax.random.key(0)
    one = mm_jax.network.wrap(module, VOCAB, key=key, max_length=8)
    variables = module.init(key, jnp.zeros(9, jnp.int32))
    assert equal(one, mm_jax.network.wrap(module.apply, variables, VOCAB, max_length=8))
    assert not equal(one, mm_jax.network.wrap(module, VOCAB, key=jax.random.key(1), max_length=8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda wrap: wrap(Convolutions(12), VOCAB), "a flax.linen module needs a key"),
        (lambda wrap: wrap(nnx.Linear(1, 12, rngs=nnx.Rngs(0)), VOCAB, key=jax.random.key(0)), "leave out the key"),
        (lambda wrap: wrap(causal, VOCAB, key=jax.random.key(0)), "function is no flax module: give wrap"),
        (lambda wrap: wrap(causal, variables_of_causal(VOCAB), VOCAB, key=jax.random.key(0)), "without a key"),
        (lambda wrap: wrap(7, variables_of_causal(VOCAB), VOCAB), "a function comes with its variables"),
        (lambda wrap: wrap(Convolutions(12), {}), "vocab is missing"),
    ],
    ids=["linen without a key", "nnx with one", "a function alone", "a function and a key", "a number", "no vocab"],
)
def test_calls_that_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(getattr(network.wrap, "__wrapped__", network.wrap))


@pytest.mark.parametrize("max_length", [0, -1, 2.5])
def test_lengths_that_are_refused(max_length):
    make = getattr(network.wrap, "__wrapped__", network.wrap)
    with pytest.raises(ValueError, match=f"max_length is {max_length}"):
        make(causal, variables_of_causal(VOCAB), VOCAB, max_length=max_length)


def test_a_network_is_compiled_once():
    """`apply` is part of the model's type: the same one is compiled once for an evaluation."""
    traces = []

    def counted(variables, tokens):
        traces.append(1)
        return causal(variables, tokens)

    params = mm_jax.network.wrap(functools.partial(counted), variables_of_causal(VOCAB), VOCAB)
    mm_jax.evaluate(params, FIRST_FIVE)
    before = len(traces)
    np.testing.assert_array_equal(mm_jax.evaluate(params, FIRST_FIVE).nll, mm_jax.evaluate(params, FIRST_FIVE).nll)
    assert len(traces) == before
