"""All models: the same verbs with the same signatures, and one contract."""

import inspect
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax.models import contract

from ..conftest import LETTERS, drawn
from .zoo import (
    COMPILED,
    EVERY,
    MODULES,
    PLAIN,
    QUICK,
    TRAINED,
    VOCAB,
    WINDOWED,
    by_steps,
    each_of,
    model,
    started,
    unrolled,
)

WORD = VOCAB.encode("isabella")
TWO_WORDS = np.concatenate([VOCAB.encode("ava"), [0], VOCAB.encode("emma")]).astype(np.int32)
PROTOCOL = {
    "block_size": (["params"],),
    "max_length": (["params"],),
    "packs": (["params"],),
    "validate": (["params"],),
    "start": (["params"],),
    "advance": (["params", "state", "token"],),
    "logits": (["params", "context"], ["params", "state"]),
    "unroll": (["params", "tokens"], ["params", "tokens", "dropout"]),
    "unroll_rows": (["params", "tokens", "dropout"],),
}


def test_every_model_is_tried():
    every = {name: model(name) for name in EVERY}
    assert {type(params).__module__ for params in every.values()} == {module.__name__ for module in MODULES}
    assert [name for name, params in every.items() if contract.block_size(params) is not None] == WINDOWED
    assert all(jnp.issubdtype(leaf.dtype, jnp.floating) for name in TRAINED for leaf in jax.tree.leaves(model(name)))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_signatures(module):
    for name, allowed in PROTOCOL.items():
        if name in vars(module):
            assert list(inspect.signature(getattr(module, name)).parameters) in allowed, name
    record = module.MODEL
    assert contract.registered().count(record) == 1 and record.cls.__module__ == module.__name__
    for make, first in ((record.init, ["key", "vocab"]), (record.fit, ["words", "vocab"])):
        assert make is None or list(inspect.signature(make).parameters)[:2] == first


@each_of(QUICK, slow=[name for name in EVERY if name not in QUICK])
def test_one_state_in_one_row_out(params):
    row = by_steps(params, [])[0]
    assert row.shape == (len(VOCAB),)
    assert row.dtype == np.float32
    assert np.isfinite(row).any() and not np.isnan(row).any()


@each_of(QUICK, slow=[name for name in EVERY if name not in QUICK])
def test_unroll_is_stepping(params):
    np.testing.assert_allclose(unrolled(params, WORD), by_steps(params, WORD), rtol=1e-6, atol=1e-6)
    assert unrolled(params, WORD).shape == (len(WORD) + 1, len(VOCAB))


@each_of(QUICK, slow=[name for name in EVERY if name not in QUICK])
def test_token_0_starts_the_next_word(params):
    alone = by_steps(params, TWO_WORDS[4:])
    np.testing.assert_allclose(by_steps(params, TWO_WORDS)[4:], alone, rtol=1e-6, atol=1e-6)
    if contract.model_of(params).packs(params):
        np.testing.assert_allclose(unrolled(params, TWO_WORDS), by_steps(params, TWO_WORDS), rtol=1e-6, atol=1e-6)


@each_of(QUICK, slow=[name for name in EVERY if name not in QUICK])
def test_a_state_keeps_its_shapes(params):
    state, advance = started(params), COMPILED[0]
    after = advance(params, advance(params, state, np.int32(1)), np.int32(2))
    assert jax.tree.structure(state) == jax.tree.structure(after)
    for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)


VMAPPED = ["mlp", "transformer"]  # of the long programs, a small state and a large one


@jax.jit
def many(params, words):
    """Under vmap, of some words: all their rows, and the row after three tokens."""
    states = jax.vmap(lambda _: contract.start(params))(words)
    for_each = jax.vmap(contract.advance, (None, 0, 0))
    states, _ = jax.lax.scan(lambda states, tokens: (for_each(params, states, tokens), None), states, words[:, :3].T)
    return jax.vmap(contract.unroll, (None, 0))(params, words), jax.vmap(contract.logits, (None, 0))(params, states)


@each_of(VMAPPED, slow=[name for name in EVERY if name not in VMAPPED])
def test_vmap_changes_nothing(params):
    words = np.stack([WORD, WORD[::-1], np.roll(WORD, 3)])
    expected = np.stack([by_steps(params, word) for word in words])
    rows, after = many(params, words)
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after, expected[:, 3], rtol=1e-5, atol=1e-6)


@each_of(["mlp"], slow=["gru"])
def test_jit_changes_nothing(params):
    """Operation by operation: for one windowed and (long) one sequential model, as that makes many programs."""
    np.testing.assert_allclose(by_steps(params, WORD[:3], PLAIN), by_steps(params, WORD[:3]), rtol=1e-5, atol=1e-6)


@each_of(QUICK, slow=[name for name in EVERY if name not in QUICK])
def test_a_pytree_of_arrays_with_a_static_vocab(params):
    leaves, structure = jax.tree.flatten(params)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    again = jax.tree.unflatten(structure, leaves)
    assert type(again) is type(params)
    assert again.vocab == params.vocab
    assert mm_jax.num_params(params) == sum(np.size(leaf) for leaf in leaves)


@each_of(WINDOWED)
def test_contexts_that_are_refused(params):
    for context in ([0] * 7, [[0]], 0, [0.0], [0.5, 0.5, 0.5]):
        with pytest.raises(ValueError, match="expected one context of"):
            mm_jax.logits(params, context)


@each_of([name for name in WINDOWED if name != "ngram of order 1"])
def test_tokens_that_are_refused(params):
    for token in (-1, len(VOCAB)):
        with pytest.raises(ValueError, match="tokens run from 0"):
            mm_jax.logits(params, [token] * contract.block_size(params))


SIZES = {"block_size", "embedding_dim", "hidden_dim", "width", "num_heads", "num_layers", "max_length"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_sizes_below_1_are_refused(module):
    make = getattr(module, "init", None)
    options = SIZES & set(inspect.signature(make).parameters) if make else set()
    for option, size in itertools.product(sorted(options), (0, -1)):
        with pytest.raises(ValueError, match="1 or more"):
            make(jax.random.key(0), VOCAB, **{option: size})


def test_parameter_counts():
    assert mm_jax.num_params(drawn(mm_jax.mlp.init, LETTERS, embedding_dim=2, hidden_dim=100)) == 3481
    assert mm_jax.num_params(drawn(mm_jax.mlp.init, LETTERS)) == 11897


class Bag(mm_jax.MLP):
    """A subclass that `pytree` did not decorate."""


NO_MODELS = {
    "NoneType": lambda: None,
    "dict": lambda: {"W": 1},
    "Vocab": lambda: VOCAB,
    "Bag": lambda: Bag(**vars(model("mlp"))),
}
VERBS = {
    "logits": lambda params: mm_jax.logits(params, [0]),
    "unroll": lambda params: mm_jax.unroll(params, WORD),
    "start": lambda params: mm_jax.start(params),
    "sample": lambda params: mm_jax.sample(params, jax.random.key(0)),
    "score": lambda params: mm_jax.score(params, "emma"),
    "evaluate": lambda params: mm_jax.evaluate(params, ["emma"]),
    "most_probable": lambda params: mm_jax.most_probable(params, 1),
    "fit": lambda params: mm_jax.fit(params, ["emma"], jax.random.key(0), steps=1),
    "lr_range_test": lambda params: mm_jax.lr_range_test(params, ["emma"], jax.random.key(0), steps=10),
    "mixture": lambda params: mm_jax.mixture.fit([params, params], ["emma"]),
    "save": lambda params: mm_jax.save(params, "nowhere"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_model(verb):
    for name, make in NO_MODELS.items():
        with pytest.raises(ValueError, match=f"{name} is not a model"):
            VERBS[verb](make())
