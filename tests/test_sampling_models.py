"""Every kind of model draws from its own distribution: by a table of all contexts, and without one."""

import itertools
from collections import Counter

import jax
import numpy as np
import pytest

import mm_jax

from .conftest import softmax
from .models.zoo import EVERY, VOCAB, by_steps, each_of

N = 4096  # words at once, in all tests of a frequency: each number of words is a program
AB = mm_jax.Vocab(".ab")
# From a table of all contexts, states of several parts, and rows of NumPy; the rest in the long tests.
SOME = ["counts", "mixture, sequential", "ngram"]


def check_frequencies(found, p):
    """Chi-square of the N words counted in `found` against their probabilities, at 5 sigma."""
    assert all(p[each] > 0 for each in found)
    likely = [each for each in p if p[each] * N > 5]
    chi2 = sum((found[each] - p[each] * N) ** 2 / (p[each] * N) for each in likely)
    degrees = max(1, len(likely) - 1)
    assert abs(chi2 - degrees) < 5 * np.sqrt(2 * degrees)


def probabilities(rows):
    return softmax(rows)


@each_of(SOME, AB.chars, slow=[name for name in EVERY if name not in SOME])
def test_against_every_short_word(params):
    """Words of at most 3 characters, against the probability of each of the 15."""
    p = {}
    for word in ("".join(chars) for length in range(4) for chars in itertools.product("ab", repeat=length)):
        tokens = AB.encode(word) if word else []
        rows = probabilities(by_steps(params, tokens))
        following = [*tokens, 0] if len(word) < 3 else tokens  # of 3 characters it is cut
        p[word] = float(np.prod([row[token] for row, token in zip(rows, following, strict=False)]))
    assert sum(p.values()) == pytest.approx(1, abs=1e-5)
    check_frequencies(Counter(mm_jax.sample(params, jax.random.key(11), N, min_length=0, max_length=3)), p)


@each_of(["counts", "gru"], slow=["transformer", "ngram", "mixture, sequential", "fresh"])
def test_what_follows_a_prefix(params):
    drawn = mm_jax.sample(params, jax.random.key(7), N, prefix="ma", max_length=6)
    assert len(drawn) == N
    assert all(word.startswith("ma") and len(word) <= 6 for word in drawn)
    p = probabilities(by_steps(params, VOCAB.encode("ma"))[-1])
    check_frequencies(Counter(word[2:3] or "." for word in drawn), dict(zip(VOCAB.chars, p.tolist(), strict=True)))


@each_of(["counts", "gru"])
def test_same_key_same_words_and_a_longer_list_begins_with_them(params):
    first = mm_jax.sample(params, jax.random.key(3), 20, min_length=0)
    assert first == mm_jax.sample(params, jax.random.key(3), 20, min_length=0)
    assert first[:7] == mm_jax.sample(params, jax.random.key(3), 7, min_length=0)
    assert mm_jax.sample(params, jax.random.key(3), N, min_length=0)[:20] == first
    assert first != mm_jax.sample(params, jax.random.key(4), 20)


@each_of(["counts", "gru"], slow=["fresh", "ngram", "transformer", "mixture, sequential"])
def test_temperature_zero_is_greedy_and_ignores_the_key(params):
    greedy = mm_jax.sample(params, jax.random.key(0), 3, temperature=0.0, max_length=12)
    assert greedy == mm_jax.sample(params, jax.random.key(1), 3, temperature=0, max_length=12)
    assert greedy == mm_jax.sample(params, jax.random.key(2), 3, top_k=1, max_length=12)
    word = ""
    while len(word) < 12 and (token := int(np.argmax(by_steps(params, VOCAB.encode(word) if word else [])[-1]))):
        word += VOCAB.chars[token]
    assert greedy == [word] * 3


@each_of(["counts", "gru"], slow=[name for name in EVERY if name not in ("counts", "gru")])
def test_nearly_no_temperature_is_greedy(params):
    """Every character drawn is one of the likeliest: of equally likely ones any may be."""
    words = set()
    for cold in (1e-10, 1e-38, 5e-324):
        words |= set(mm_jax.sample(params, jax.random.key(0), 20, temperature=cold, max_length=5))
    for word in words:
        tokens = VOCAB.encode(word)
        for row, token in zip(by_steps(params, tokens), [*tokens, 0][: 5 if len(word) == 5 else None], strict=False):
            assert row[token] == pytest.approx(row.max(), abs=1e-5)
