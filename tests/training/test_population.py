import functools

import jax
import numpy as np
import optax
import pytest

import mm_jax

from ..conftest import BUNDLED, LETTERS, drawn

WORDS = BUNDLED[::20]


def population(members, seed=0):
    def init(key):
        one = functools.partial(mm_jax.mlp.init, vocab=LETTERS, hidden_dim=16)
        return jax.vmap(one)(jax.random.split(key, members))

    return drawn(init, seed=seed)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": [0.05, 0.1, 0.3], "l2": [0.0, 0.01, 0.1]},
        pytest.param(
            {"optimizer": optax.adam, "learning_rate": [0.001, 0.01, 0.03], "draw": "contexts"}, marks=pytest.mark.slow
        ),
        pytest.param({"optimizer": optax.adam(0.01), "batch_size": None}, marks=pytest.mark.slow),
    ],
    ids=["rates and penalties", "adam", "full batch"],
)
def test_a_member_is_what_fit_gives_alone(options, monkeypatch):
    """On a CPU to the bit; elsewhere, under vmap, up to roundings, which grow from step to step."""
    start = population(3)
    single = []
    for i in range(3):
        alone = {name: value[i] if isinstance(value, list) else value for name, value in options.items()}
        key = jax.random.split(jax.random.key(5), 3)[i]
        single.append(mm_jax.fit(mm_jax.member(start, i), WORDS, key, steps=30, **alone))
    for backend, tolerance in (("cpu", 0), ("another", 1e-6)):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        keys = jax.random.split(jax.random.key(5), 3)
        trained, loss = mm_jax.fit_population(start, WORDS, keys, steps=30, **options)
        for i, (params, history) in enumerate(single):
            np.testing.assert_allclose(loss[i], history.loss, rtol=tolerance)
            for a, b in zip(jax.tree.leaves(mm_jax.member(trained, i)), jax.tree.leaves(params), strict=True):
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_the_best_on_dev():
    trained, _ = mm_jax.fit_population(
        population(3),
        WORDS,
        jax.random.split(jax.random.key(5), 3),
        steps=100,
        learning_rate=[0.001, 0.3, 0.1],
    )
    nlls = mm_jax.evaluate_population(trained, WORDS)
    best, params = mm_jax.best_on_dev(trained, WORDS)
    assert best == np.argmin(nlls) == 1
    assert mm_jax.evaluate(params, WORDS).nll == pytest.approx(nlls[1], abs=1e-9)


def test_summaries():
    assert mm_jax.summarize(np.array([1.0, 2.0, 3.0])) == (2.0, 1.0, pytest.approx(3**-0.5), 3)
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 1, 100)  # what a seed does to both settings
    a, b = seeds + rng.normal(0.1, 0.01, 100), seeds + rng.normal(0, 0.01, 100)
    paired = mm_jax.compare_paired(a, b)
    assert abs(paired.mean - 0.1) < 5 * paired.stderr < 0.01
    with pytest.raises(ValueError, match="same seeds"):
        mm_jax.compare_paired(a, b[:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": [0.1]}, "one learning_rate or 3"),
        ({"l2": [0.1, 0.2]}, "one l2 or 3"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        mm_jax.fit_population(population(3), WORDS, jax.random.split(jax.random.key(0), 3), **{"steps": 1, **options})
    with pytest.raises(ValueError, match="population of as many"):
        mm_jax.fit_population(population(2), WORDS, jax.random.split(jax.random.key(0), 3), steps=1)
    with pytest.raises(ValueError, match="no keys"):
        mm_jax.fit_population(population(3), WORDS, jax.random.split(jax.random.key(0), 3)[:0], steps=1)
