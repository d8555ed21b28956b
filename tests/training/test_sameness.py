"""When two optimizers are one program: by what they do, not by when Python made them."""

import functools

import jax
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax.training.recipes import constant, cosine
from mm_jax.training.sameness import Same

from ..conftest import FIRST_FIVE, LETTERS

FACTOR = 1.0
TRACES = []


def note():
    TRACES.append(1)


def traces_of(*recipes):
    """How many programs some fits made."""
    before = len(TRACES)
    for recipe in recipes:
        mm_jax.fit(mm_jax.bigram.init(jax.random.key(0), LETTERS), FIRST_FIVE, jax.random.key(1), **recipe)
    return len(TRACES) - before


def scaled(rate, factor=1.0):
    return optax.chain(optax.sgd(rate), optax.scale(factor))


def noted(rate):
    """Makes a program each time that it is called with a traced rate."""
    if isinstance(rate, jax.core.Tracer):
        note()
    return optax.sgd(rate)


def inline(rate=0.1, steps=5, **options):
    return {"steps": steps, "learning_rate": rate, "optimizer": lambda rate: noted(rate), **options}


def test_a_lambda_written_again_compiles_once():
    assert (
        traces_of(inline(), inline(), inline(rate=0.2), inline(rate=1), inline(decay=cosine)) == 2
    )  # a first state, a chunk
    assert traces_of(inline(decay=lambda t: 1 - t), inline(decay=constant), inline(l2=0.1), inline(l2=0.2)) == 1


def test_another_number_of_steps_compiles_once_for_its_chunk():
    """The length of a chunk is part of the program: with dev, runs of 30 and of 35 steps have one of a step."""
    dev = {"dev": FIRST_FIVE}
    traces_of(inline())  # the program of the first state
    assert traces_of(inline(steps=30, **dev), inline(steps=35, **dev)) == 1


def with_closure(factor):
    def optimizer(rate):
        if isinstance(rate, jax.core.Tracer):
            note()
        return scaled(rate, factor)

    return optimizer


def test_another_closure_value_is_another_optimizer():
    def fitted(factor):
        params = mm_jax.bigram.init(jax.random.key(0), LETTERS)
        return mm_jax.fit(
            params, FIRST_FIVE, jax.random.key(1), steps=3, optimizer=with_closure(factor), learning_rate=0.1
        )

    before = len(TRACES)
    one, same, other = fitted(1.0), fitted(1.0), fitted(0.0)
    assert len(TRACES) - before == 4  # a first state and a chunk of each
    np.testing.assert_array_equal(one[0].W, same[0].W)
    np.testing.assert_array_equal(other[0].W, mm_jax.bigram.init(jax.random.key(0), LETTERS).W)
    assert not np.array_equal(one[0].W, other[0].W)


def test_another_global_is_another_optimizer(monkeypatch):
    def fitted():
        params = mm_jax.bigram.init(jax.random.key(0), LETTERS)
        optimizer = lambda rate: scaled(rate, FACTOR)  # noqa: E731
        return mm_jax.fit(params, FIRST_FIVE, jax.random.key(1), steps=3, optimizer=optimizer, learning_rate=0.1)[0].W

    before = fitted()
    monkeypatch.setitem(globals(), "FACTOR", 0.0)
    assert not np.array_equal(fitted(), before)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (lambda r: optax.adam(r), lambda r: optax.adam(r), False),  # two places in a file: their code knows its line
        (functools.partial(scaled, factor=1.0), functools.partial(scaled, factor=1.0), True),
        (functools.partial(scaled, factor=1.0), functools.partial(scaled, factor=2.0), False),
        (functools.partial(optax.adam, b1=0.8), functools.partial(optax.adam, b1=0.8), True),
        (optax.adam, optax.adamw, False),
        (optax.adam(0.1), optax.adam(0.1), True),
        (optax.adam(0.1), optax.adam(0.2), False),
        (optax.adam(optax.cosine_decay_schedule(0.1, 9)), optax.adam(optax.cosine_decay_schedule(0.1, 9)), True),
        (optax.adam(optax.cosine_decay_schedule(0.1, 9)), optax.adam(optax.cosine_decay_schedule(0.1, 8)), False),
    ],
)
def test_what_is_the_same(one, other, same):
    assert Same(one) == Same(one)
    assert (Same(one) == Same(other)) is same
    if same:
        assert hash(Same(one)) == hash(Same(other))


def test_what_cannot_be_compared_equals_itself():
    table = np.ones(3)
    one, other = (lambda rate, table=each: optax.sgd(rate * table[0]) for each in (table, np.ones(3)))
    assert Same(one) == Same(one) and Same(one) != Same(other)
    assert Same(lambda rate: optax.sgd(rate * table[0])) != Same(lambda rate: optax.sgd(rate * table[0]))
