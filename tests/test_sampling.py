import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab, sampling

from .conftest import BUNDLED, FIRST_FIVE, LETTERS
from .models.zoo import by_steps, each_of, every_model, name_of

# By a table of all contexts and without one, from a window, a vector, a cache, and states of several parts; all models
# are tried below, on a smaller alphabet.
SOME = (
    "Counts, 1",
    "NGram, 3",
    "GRU, whole word",
    "Transformer, whole word",
    "Mixture, whole word",
    "Fresh, whole word",
)
TRAINED = list({name_of(each): each for each in every_model(LETTERS, tuple(BUNDLED)) if name_of(each) in SOME}.values())
models = each_of(TRAINED)


@models
def test_first_characters_have_the_models_frequencies(params):
    """Chi-square of 20,000 first characters, at 5 sigma of a chi-square of that many degrees of freedom."""
    n = 20_000
    p = np.asarray(jax.nn.softmax(mm_jax.logits(params, mm_jax.start(params))), np.float64)
    drawn = [word[0] if word else "." for word in mm_jax.sample(params, jax.random.key(7), n, max_length=1)]
    found = np.array([drawn.count(char) for char in LETTERS.chars])
    likely = p * n > 5
    chi2 = ((found - p * n)[likely] ** 2 / (p * n)[likely]).sum()
    degrees = likely.sum() - 1
    assert abs(chi2 - degrees) < 5 * np.sqrt(2 * degrees)
    assert found[p == 0].sum() == 0


@models
def test_second_characters_follow_the_first(params):
    n = 20_000
    drawn = mm_jax.sample(params, jax.random.key(7), n, prefix="ma", max_length=3)
    p = np.asarray(jax.nn.softmax(by_steps(params, LETTERS.encode("ma"))[-1]), np.float64)
    found = np.array([sum(word[2:] == char.strip(".") for word in drawn) for char in LETTERS.chars])
    likely = p * n > 5
    chi2 = ((found - p * n)[likely] ** 2 / (p * n)[likely]).sum()
    degrees = likely.sum() - 1
    assert abs(chi2 - degrees) < 5 * np.sqrt(2 * degrees)


@models
def test_same_key_same_words_and_a_longer_list_begins_with_them(params):
    first = mm_jax.sample(params, jax.random.key(3), 20)
    assert first == mm_jax.sample(params, jax.random.key(3), 20)
    assert first[:7] == mm_jax.sample(params, jax.random.key(3), 7)
    assert mm_jax.sample(params, jax.random.key(3), 300)[:20] == first
    assert first != mm_jax.sample(params, jax.random.key(4), 20)


@models
def test_temperature_zero_is_greedy_and_ignores_the_key(params):
    greedy = mm_jax.sample(params, jax.random.key(0), 3, temperature=0.0, max_length=12)
    assert greedy == mm_jax.sample(params, jax.random.key(1), 3, temperature=0, max_length=12)
    assert greedy == mm_jax.sample(params, jax.random.key(2), 3, top_k=1, max_length=12)
    word = ""
    while len(word) < 12 and (token := int(jnp.argmax(by_steps(params, LETTERS.encode(word))[-1]))):
        word += LETTERS.chars[token]
    assert greedy == [word] * 3


@models
def test_prefix_and_length(params):
    words = mm_jax.sample(params, jax.random.key(0), 50, prefix="ma", max_length=6)
    assert all(word.startswith("ma") and len(word) <= 6 for word in words)
    assert mm_jax.sample(params, jax.random.key(0), 2, prefix="mama", max_length=4) == ["mama", "mama"]


def test_a_model_that_never_ends_is_cut():
    params = mm_jax.counts.from_table(np.array([[0, 1], [0, 1]]), Vocab(".a"))
    assert mm_jax.sample(params, jax.random.key(0), 2) == ["a" * sampling.MAX_LENGTH] * 2
    assert mm_jax.sample(params, jax.random.key(0), 1, max_length=33) == ["a" * 33]


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


def test_exclude():
    params = mm_jax.counts.fit(FIRST_FIVE, Vocab.from_words(FIRST_FIVE))
    words = mm_jax.sample(params, jax.random.key(0), 200, exclude=FIRST_FIVE)
    assert len(words) == 200
    assert not set(words) & set(FIRST_FIVE)
    assert mm_jax.sample(mm_jax.counts.fit(["a"], Vocab(".a")), jax.random.key(0), 3, exclude=["a"]) == []


def test_search_counts_what_it_tried():
    params = mm_jax.counts.fit(["a", "b"], Vocab(".ab"))
    options = sampling.Options()
    found = sampling.search(params, jax.random.key(0), 5, lambda word: word == "a", options, budget=1000)
    assert found.words == ["a"] * 5
    assert 5 <= found.tried < 40
    assert sampling.search(params, jax.random.key(0), 5, lambda word: False, options, budget=70) == ([], 70)


def test_no_table_is_the_same_distribution(monkeypatch):
    params = TRAINED[0]
    with_table = mm_jax.sample(params, jax.random.key(0), 50)
    monkeypatch.setattr(sampling, "_TABLE", 0)
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
        ({"max_length": 0}, "max_length is 0"),
        ({"prefix": "abc", "max_length": 2}, "give no less than the 3"),
        ({"prefix": "a!"}, "character 2 is '!'"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        mm_jax.sample(TRAINED[0], jax.random.key(0), **options)


def test_diverged_parameters_are_refused():
    params = mm_jax.bigram.Bigram(W=jnp.full((3, 3), jnp.nan), vocab=Vocab(".ab"))
    with pytest.raises(ValueError, match="hold nan"):
        mm_jax.sample(params, jax.random.key(0))


AB = Vocab(".ab")
SMALL = every_model(AB, ("ab", "ba", "b", "abba"))


@each_of(SMALL)
def test_against_every_short_word(params):
    """20,000 words of at most 3 characters, against the probability of each of the 15: chi-square at 5 sigma."""
    n, p = 20_000, {}
    for word in ("".join(chars) for length in range(4) for chars in itertools.product("ab", repeat=length)):
        rows = np.asarray(
            jax.nn.softmax(by_steps(params, AB.encode(word)) if word else by_steps(params, [])), np.float64
        )
        tokens = [*AB.encode(word), 0] if len(word) < 3 else AB.encode(word)  # of 3 characters it is cut
        p[word] = float(np.prod([row[token] for row, token in zip(rows, tokens, strict=False)]))
    assert sum(p.values()) == pytest.approx(1, abs=1e-5)
    drawn = Counter(mm_jax.sample(params, jax.random.key(11), n, max_length=3))
    assert all(p[word] > 0 for word in drawn)
    likely = [word for word in p if p[word] * n > 5]
    chi2 = sum((drawn[word] - p[word] * n) ** 2 / (p[word] * n) for word in likely)
    degrees = max(1, len(likely) - 1)
    assert abs(chi2 - degrees) < 5 * np.sqrt(2 * degrees)


@each_of(SMALL)
def test_nearly_no_temperature_is_greedy(params):
    """Every character drawn is one of the likeliest: of equally likely ones any may be."""
    words = set()
    for cold in (1e-10, 1e-38, 5e-324):
        words |= set(mm_jax.sample(params, jax.random.key(0), 20, temperature=cold, max_length=5))
    for word in words:
        rows = np.asarray(by_steps(params, AB.encode(word)))
        for row, token in zip(rows, [*AB.encode(word), 0][: 5 if len(word) == 5 else None], strict=False):
            assert row[token] == pytest.approx(row.max(), abs=1e-5)


@pytest.mark.parametrize("hot", [1e30, 1e39, 1e308])
def test_a_huge_temperature_draws_all_alike(hot):
    n = 5000
    words = mm_jax.sample(
        mm_jax.mlp.init(jax.random.key(0), AB, hidden_dim=4), jax.random.key(1), n, temperature=hot, max_length=1
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
        for equation in jax.make_jaxpr(jax.vmap(lambda state: sampling._cdf(params, state, jnp.float32(1), None)))(
            jnp.zeros((2, 1), jnp.int32)
        ).eqns
        for leaf in [variable.aval for variable in equation.outvars]
    ]
    assert max(sizes) < 100 * len(vocab)


def test_the_memory_of_a_call_is_bounded_by_its_states(monkeypatch):
    """States of a quarter of the bound: no more than four words are drawn at once, and all come back."""
    params = SMALL[-1]
    monkeypatch.setattr(sampling, "_BYTES", 4 * (4 * 2 + 16 * 3))
    widths = []
    begun = sampling._begun
    monkeypatch.setattr(
        sampling, "_begun", lambda params, tokens, n, width: widths.append(width) or begun(params, tokens, n, width)
    )
    assert len(mm_jax.sample(params, jax.random.key(0), 11, max_length=3)) == 11
    assert max(widths) <= 4
