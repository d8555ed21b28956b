"""The prior's output layer trained alone, and `--effort page`, which makes what a page makes."""

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import prior
from mm_jax.learning import plans
from mm_jax.prior import adapting, heads

TOWNS = [
    f"{first}{last}" for first in ("Kel", "Lan", "Mor", "Nor", "Os", "Pen", "Quar") for last in ("ham", "ford", "wick")
]
VOCAB = mm_jax.Vocab.from_words(TOWNS)


def test_only_the_output_layer_is_trained():
    start, *others = (model for _, model in heads._trained(prior.load(), TOWNS, VOCAB))
    as_it_is = prior.restrict(prior.load(), TOWNS, VOCAB)
    for field in ("C", "W1", "b1", "bn", "W2", "b2"):
        assert (getattr(start, field) == getattr(as_it_is, field)).all()
        for model in others:
            assert (getattr(model, field) == getattr(start, field)).all() == (field not in ("W2", "b2"))
    losses = [mm_jax.evaluate(model, TOWNS).nll for model in (start, *others)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.slow
def test_it_is_adam_on_all_tokens():
    """The same in NumPy, in float64."""
    models = dict(heads._trained(prior.load(), TOWNS, VOCAB))
    start = models[0]
    h, targets = [], []
    for word in TOWNS:
        state = mm_jax.start(start)
        for token in [*VOCAB.encode(word), 0]:
            h.append(np.asarray(state, np.float64))
            targets.append(int(token))
            state = mm_jax.advance(start, state, np.int32(token))
    h, hot = np.stack(h), np.eye(len(VOCAB))[targets]
    layer = {"W2": np.asarray(start.W2, np.float64), "b2": np.asarray(start.b2, np.float64)}
    mean, square = ({name: np.zeros_like(array) for name, array in layer.items()} for _ in range(2))
    for t in range(1, 5):
        logits = h @ layer["W2"] + layer["b2"][None]
        p = np.exp(logits - logits.max(1, keepdims=True))
        error = (p / p.sum(1, keepdims=True) - hot) / len(hot)
        for name, gradient in (("W2", h.T @ error), ("b2", error.sum(0))):
            mean[name] = 0.9 * mean[name] + 0.1 * gradient
            square[name] = 0.99 * square[name] + 0.01 * gradient**2
            step = mean[name] / (1 - 0.9**t) / (np.sqrt(square[name] / (1 - 0.99**t)) + 1e-6)
            layer[name] = layer[name] - heads.RATE * step
    for name, array in layer.items():
        np.testing.assert_allclose(getattr(models[4], name), array, atol=2e-4)


@pytest.mark.slow
def test_the_product_is_chosen_on_words_held_out():
    found = heads.interpolate(prior.load(), TOWNS, VOCAB, 4)
    assert found.steps in heads.STEPS and min(found.powers) > 0
    assert found.nll < found.ngram_nll
    again = heads.interpolate(prior.load(), TOWNS, VOCAB, 4)
    assert all(
        (a == b).all() for a, b in zip(jax.tree.leaves(found.params), jax.tree.leaves(again.params), strict=True)
    )
    held = heads.interpolate(prior.load(), TOWNS[3:], VOCAB, 4, held=TOWNS[:3])
    assert held.nll == pytest.approx(mm_jax.evaluate(held.params, TOWNS[:3]).nll, abs=1e-5)


@pytest.mark.slow
def test_it_trains_under_strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        strict = dict(heads._trained(prior.load(), TOWNS, VOCAB))
    for steps, model in heads._trained(prior.load(), TOWNS, VOCAB):
        np.testing.assert_allclose(strict[steps].W2, model.W2, atol=1e-6)


def test_few_tokens_of_a_large_alphabet_are_trained_on(monkeypatch):
    assert heads._within(TOWNS, VOCAB) == TOWNS
    tokens = sum(len(word) + 1 for word in TOWNS[:7])
    monkeypatch.setattr(heads, "CELLS", tokens * len(VOCAB))
    assert heads._within(TOWNS, VOCAB) == TOWNS[:7]
    monkeypatch.setattr(heads, "CELLS", 1)
    assert heads._within(TOWNS, VOCAB) == TOWNS[: adapting.FEWEST]


@pytest.mark.slow
def test_the_effort_of_a_page(monkeypatch):
    found = mm_jax.learn([*TOWNS, *TOWNS[:5]], jax.random.key(0), "page")
    assert found.kept.name.startswith("page order ")
    other = mm_jax.learn(TOWNS, jax.random.key(1), "page")  # no random number, and each word once
    assert mm_jax.evaluate(found.params, TOWNS) == mm_jax.evaluate(other.params, TOWNS)
    assert type(mm_jax.learn(TOWNS[:3], jax.random.key(0), "page").params) is mm_jax.NGram
    assert plans.Plan.from_json(plans.Plan("page", options={"order": 3}).as_json()).options == {"order": 3}
    monkeypatch.setattr(heads, "LARGEST", 100)
    assert type(mm_jax.learn(TOWNS, jax.random.key(0), "page").params) is mm_jax.NGram
