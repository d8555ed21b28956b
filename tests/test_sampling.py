"""New words, whatever the model: how many, how long, of which characters, at which temperature."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab, drawing, sampling

from .conftest import FIRST_FIVE
from .models.zoo import model

AB = Vocab(".ab")


def test_a_model_that_never_ends_is_cut():
    params = mm_jax.counts.from_table(np.array([[0, 1], [0, 1]]), Vocab(".a"))
    assert mm_jax.sample(params, jax.random.key(0), 2) == ["a" * sampling.MAX_LENGTH] * 2
    assert mm_jax.sample(params, jax.random.key(0), 1, max_length=33) == ["a" * 33]


def test_a_prefix_of_the_greatest_length_is_all():
    assert mm_jax.sample(model("counts"), jax.random.key(0), 2, prefix="mama", max_length=4) == ["mama", "mama"]


def test_top_k_and_low_temperature():
    row = np.array([[1, 4, 3, 2]] * 4)
    params = mm_jax.counts.from_table(row, Vocab(".abc"))
    drawn = "".join(mm_jax.sample(params, jax.random.key(0), 500, top_k=2, max_length=3))
    assert set(drawn) == {"a", "b"}
    p = 4 / 7  # of an 'a' among 1,500 draws, at 5 sigma
    assert abs(drawn.count("a") - len(drawn) * p) < 5 * np.sqrt(len(drawn) * p * (1 - p))
    cold = "".join(mm_jax.sample(params, jax.random.key(1), 500, temperature=0.5, top_k=2, max_length=3))
    p = 16 / 25
    assert abs(cold.count("a") - len(cold) * p) < 5 * np.sqrt(len(cold) * p * (1 - p))


@pytest.mark.parametrize(
    ("top_p", "temperature", "weights"),
    [
        (0.4, 1.0, {"a": 4}),  # a alone has 0.4
        (0.41, 1.0, {"a": 4, "b": 3}),
        (0.85, 1.0, {"a": 4, "b": 3, "c": 2}),
        (0.8, 0.5, {"a": 16, "b": 9}),  # together 25/30
        (0.8, 2.0, {"a": 2, "b": 3**0.5, "c": 2**0.5}),
        (1.0, 1.0, {"a": 4, "b": 3, "c": 2}),
    ],
)
def test_top_p_takes_the_likeliest_and_leaves_their_ratios(top_p, temperature, weights):
    params = mm_jax.counts.from_table(np.array([[1, 4, 3, 2]] * 4), Vocab(".abc"))
    words = mm_jax.sample(
        params, jax.random.key(0), 500, temperature=temperature, top_p=top_p, max_length=3, min_length=0
    )
    drawn = "".join(words)
    assert set(drawn) == set(weights)
    assert any(len(word) < 3 for word in words) == (top_p == 1)  # the end is the least likely symbol
    p = weights["a"] / sum(weights.values())
    assert abs(drawn.count("a") - len(drawn) * p) <= 5 * np.sqrt(len(drawn) * p * (1 - p))


def test_a_top_p_of_all_draws_the_same_words(monkeypatch):
    params = model("counts")
    words = mm_jax.sample(params, jax.random.key(0), 50)
    assert mm_jax.sample(params, jax.random.key(0), 50, top_p=1) == words
    nearly = mm_jax.sample(params, jax.random.key(0), 50, top_p=0.9)
    assert nearly != words
    monkeypatch.setattr(drawing, "_LIMITS", drawing._Limits(table=0))  # a model without a table draws the same
    assert mm_jax.sample(params, jax.random.key(0), 50, top_p=0.9) == nearly


def test_exclude():
    params = mm_jax.counts.fit(FIRST_FIVE, Vocab.from_words(FIRST_FIVE))
    words = mm_jax.sample(params, jax.random.key(0), 200, exclude=FIRST_FIVE)
    assert len(words) == 200
    assert not set(words) & set(FIRST_FIVE)
    assert mm_jax.sample(mm_jax.counts.fit(["a"], Vocab(".a")), jax.random.key(0), 3, exclude=["a"]) == []


def test_search_counts_what_it_tried():
    params = mm_jax.counts.fit(["a", "b"], Vocab(".ab"))
    options = sampling.SamplingOptions()
    key = jax.random.key(0)
    found = sampling.search(params, key, 5, lambda words: (word == "a" for word in words), options, budget=1000)
    assert found.words == ["a"] * 5
    assert 5 <= found.tried < 40
    found = sampling.search(params, key, 5, lambda words: [False] * len(words), options, budget=70)
    assert found[:2] == ([], 70)


def test_no_table_is_the_same_distribution(monkeypatch):
    params = model("counts")
    with_table = mm_jax.sample(params, jax.random.key(0), 50)
    monkeypatch.setattr(drawing, "_LIMITS", drawing._Limits(table=0))
    assert mm_jax.sample(params, jax.random.key(0), 50) == with_table


def test_any_alphabet():
    words = ["köln", "日本", "😀😁", "new york", "שלום"]
    params = mm_jax.counts.fit(words, Vocab.from_words(words))
    drawn = mm_jax.sample(params, jax.random.key(0), 100)
    assert {"日本", "😀😁"} <= set(drawn)
    assert mm_jax.sample(params, jax.random.key(0), 0) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": -1}, "num_samples is -1"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0: give a probability above 0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"max_length": 0}, "max_length is 0"),
        ({"prefix": "abc", "max_length": 2}, "give no less than the 3"),
        ({"prefix": "a!"}, "character 2 is '!'"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        mm_jax.sample(model("counts"), jax.random.key(0), **options)


def test_diverged_parameters_are_refused():
    params = mm_jax.bigram.Bigram(W=jnp.full((3, 3), jnp.nan), vocab=Vocab(".ab"))
    with pytest.raises(ValueError, match="hold nan"):
        mm_jax.sample(params, jax.random.key(0))


@pytest.mark.parametrize("hot", [1e30, 1e39, 1e308])
def test_a_huge_temperature_draws_all_alike(hot):
    n = 5000
    words = mm_jax.sample(
        mm_jax.mlp.init(jax.random.key(0), AB, hidden_dim=4),
        jax.random.key(1),
        n,
        temperature=hot,
        min_length=0,
        max_length=1,
    )
    found = Counter(words)
    for word in ("", "a", "b"):  # a third each, at 5 sigma
        assert abs(found[word] - n / 3) < 5 * np.sqrt(n * 2 / 9)
    # Whatever the temperature, what is impossible stays so.
    assert set(mm_jax.sample(mm_jax.counts.fit(["ab"], AB), jax.random.key(0), 50, temperature=hot)) == {"ab"}


def test_no_triangle_of_a_large_alphabet():
    """A running sum over 20,000 characters as a product would take a table of 1.6 GB."""
    vocab = Vocab("." + "".join(chr(0x4E00 + i) for i in range(20_000)))
    params = mm_jax.ngram.fit([vocab.chars[i : i + 2] for i in range(1, 20_000, 2)], vocab, 2)
    sizes = [
        leaf.size
        for equation in jax.make_jaxpr(jax.vmap(lambda state: drawing._cdf(params, state, jnp.float32(1), None, None)))(
            jnp.zeros((2, 1), jnp.int32)
        ).eqns
        for leaf in [variable.aval for variable in equation.outvars]
    ]
    assert max(sizes) < 100 * len(vocab)


def test_the_memory_of_a_call_is_bounded_by_its_states(monkeypatch):
    """States of a quarter of the bound: no more than four words are drawn at once, and all come back."""
    params = model("mlp of the lecture", AB.chars)
    monkeypatch.setattr(drawing, "_LIMITS", drawing._Limits(batch_bytes=4 * (4 * 2 + 16 * 3)))
    widths = []
    after_prefix = drawing._after_prefix

    def recorded(params, tokens, count, width):
        widths.append(width)
        return after_prefix(params, tokens, count, width)

    monkeypatch.setattr(drawing, "_after_prefix", recorded)
    assert len(mm_jax.sample(params, jax.random.key(0), 11, max_length=3)) == 11
    assert max(widths) <= 4
