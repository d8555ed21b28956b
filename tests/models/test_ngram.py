"""Against a slow reference: dictionaries and float64, written from Chen and Goodman (1998)."""

import inspect
import itertools
import math
from collections import Counter, defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mm_jax
from mm_jax import Vocab, corpus
from mm_jax.models import ngram, prediction

from ..conftest import BUNDLED, FIRST_FIVE, LETTERS, slow, softmax

FIGURES = {2: 2.453, 3: 2.219, 4: 2.056, 5: 1.984, 6: 1.975, 7: 1.978, 8: 1.980}


class Reference:
    """p(w | context) of any smoothing, by the book."""

    def __init__(self, words, vocab, order, smoothing, k=1.0):
        self.vocab, self.order, self.smoothing, self.k = vocab, order, smoothing, k
        grams = [Counter() for _ in range(order + 1)]
        for word in words:
            tokens = [0] * (order - 1) + [vocab.chars.index(char) for char in word] + [0]
            for i in range(order - 1, len(tokens)):
                for m in range(1, order + 1):
                    grams[m][tuple(tokens[i - m + 1 : i + 1])] += 1
        self.counts = grams
        if smoothing == "modified-kneser-ney":
            for m in range(1, order):
                before = defaultdict(set)
                for gram in grams[m + 1]:
                    before[gram[1:]].add(gram[0])
                self.counts[m] = Counter({gram: len(chars) for gram, chars in before.items()})
        self.followers = [defaultdict(dict) for _ in range(order + 1)]
        for m in range(1, order + 1):
            for gram, count in self.counts[m].items():
                self.followers[m][gram[:-1]][gram[-1]] = count

    def discounts(self, m):
        n = Counter(self.counts[m].values())
        if self.smoothing == "absolute":
            D = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
            return [0, D, D, D]
        D = [0, 0.5, 1.0, 1.5]
        if n[1]:
            Y = n[1] / (n[1] + 2 * n[2])
            for c in (1, 2, 3):
                if n[c] and n[c + 1]:
                    value = c - (c + 1) * Y * n[c + 1] / n[c]
                    D[c] = value if 0 <= value <= c else D[c]
        return D

    def p(self, w, context):
        size = len(self.vocab)
        if self.smoothing in ("add-k", "none"):
            row = self.followers[self.order].get(context)
            k = self.k if self.smoothing == "add-k" else 0.0
            return 1 / size if row is None else (row.get(w, 0) + k) / (sum(row.values()) + k * size)
        lower = self.p(w, context[1:]) if context else 1 / size
        row = self.followers[len(context) + 1].get(context)
        if row is None:
            return lower
        total = sum(row.values())
        if self.smoothing == "witten-bell":
            return (row.get(w, 0) + len(row) * lower) / (total + len(row))
        D = self.discounts(len(context) + 1)
        backoff = sum(D[min(count, 3)] for count in row.values()) / total
        return (row.get(w, 0) - D[min(row.get(w, 0), 3)]) / total + backoff * lower


def rows(params, contexts):
    return np.exp(np.asarray(jax.jit(jax.vmap(ngram.logits, (None, 0)))(params, np.asarray(contexts, np.int32))))


@pytest.mark.parametrize("smoothing", ngram.SMOOTHINGS)
@settings(max_examples=20)
@given(
    words=st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=12),
    order=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_against_the_reference(smoothing, words, order, seed):
    vocab = Vocab(".abc")
    params = ngram.fit(words, vocab, order, smoothing=smoothing, k=0.5)
    reference = Reference(words, vocab, order, smoothing, k=0.5)
    rng = np.random.default_rng(seed)
    seen = corpus.examples(words, vocab, order - 1).contexts
    unseen = rng.integers(0, 4, (6, order - 1))
    contexts = np.concatenate([seen[:10], unseen]).astype(np.int32)
    found = np.exp(prediction.log_probs(params, contexts))  # by NumPy: nothing is compiled for the sizes of an example
    expected = [[reference.p(w, tuple(context)) for w in range(4)] for context in contexts.tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("smoothing", ngram.SMOOTHINGS)
def test_the_compiled_rows_are_those_of_numpy(smoothing):
    words = ["ab", "abc", "ab", "ba", "cabb", "a", "bcab"]
    params = ngram.fit(words, Vocab(".abc"), 4, smoothing=smoothing, k=0.5)
    contexts = np.array(list(itertools.product(range(4), repeat=3)), np.int32)
    np.testing.assert_allclose(rows(params, contexts), np.exp(prediction.log_probs(params, contexts)), atol=1e-6)


@pytest.mark.slow
def test_against_the_reference_on_names(names, split):
    params = ngram.fit(split.train, LETTERS, 6)
    reference = Reference(split.train, LETTERS, 6, "modified-kneser-ney")
    contexts = corpus.examples(split.dev, LETTERS, 5).contexts[::400]
    expected = [[reference.p(w, tuple(context)) for w in range(27)] for context in contexts.tolist()]
    np.testing.assert_allclose(rows(params, contexts), expected, atol=1e-5)


@pytest.mark.parametrize("order", FIGURES)
def test_dev_losses(split, order):
    got = mm_jax.evaluate(ngram.fit(split.train, LETTERS, order), split.dev, seen=split.train)
    assert got.nll == pytest.approx(FIGURES[order], abs=0.004)
    if order == 6:
        assert got.nll_unseen == pytest.approx(2.018, abs=0.004)


def test_the_lines_in_the_docstring_of_logits_compute_the_same():
    words, vocab, order = ["abba", "ab", "cab", "a"], Vocab(".abc"), 3
    reference = Reference(words, vocab, order, "absolute")
    lines = [line[4:] for line in inspect.getdoc(ngram.logits).splitlines() if line.startswith("    ")]
    names = {"np": np, "vocab_size": 4, "order": order, "D": [reference.discounts(m)[1] for m in range(order + 1)]}
    names["N"] = [
        {c: np.array([row.get(w, 0) for w in range(4)]) for c, row in followers.items()}
        for followers in reference.followers
    ]
    contexts = list(np.ndindex(4, 4))
    found = rows(ngram.fit(words, vocab, order, smoothing="absolute"), contexts)
    for context, row in zip(contexts, found, strict=True):
        exec("\n".join(lines), names | {"context": context}, result := {})
        np.testing.assert_allclose(row, result["p"], atol=1e-6)


def test_order_2_without_smoothing_is_the_count_model():
    words = BUNDLED[::10]
    counts, params = mm_jax.counts.fit(words, LETTERS), ngram.fit(words, LETTERS, 2, smoothing="none")
    contexts = np.arange(27, dtype=np.int32)[:, None]
    expected = softmax(jax.jit(jax.vmap(mm_jax.logits, (None, 0)))(counts, contexts))
    np.testing.assert_allclose(rows(params, contexts), expected, atol=1e-6)
    assert mm_jax.evaluate(params, words).nll == pytest.approx(mm_jax.evaluate(counts, words).nll, abs=1e-6)
    assert mm_jax.evaluate(params, ["jq"]).nll == math.inf


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["emma"], id="one word", marks=pytest.mark.slow),
        pytest.param(["a"], id="one character"),
        pytest.param(["a", "b"], id="two words of length 1", marks=pytest.mark.slow),
        pytest.param(["aaaaaaaaaa"] * 3, id="one letter", marks=pytest.mark.slow),
        pytest.param([chr(0x4E00 + i) + chr(0x4E00 + (7 * i) % 500) for i in range(500)], id="500 letters"),
    ],
)
@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", *slow(list(ngram.SMOOTHINGS)[1:])])
def test_tiny_and_odd_lists(words, smoothing):
    vocab = Vocab.from_words(words)
    order = min(10, max(map(len, words)) + 3)  # beyond the longest word
    params = ngram.fit(words, vocab, order, smoothing=smoothing)
    seen = corpus.examples(words, vocab, order - 1).contexts[:20]
    contexts = np.concatenate([seen, np.full((1, order - 1), len(vocab) - 1)])
    found = np.exp(prediction.log_probs(params, contexts.astype(np.int32)))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert np.all(found >= 0)
    if smoothing == "modified-kneser-ney" and len(words) in (1, 500):
        np.testing.assert_allclose(rows(params, contexts), found, atol=1e-6)
        assert len(mm_jax.sample(params, jax.random.key(0), 3, max_length=20)) == 3


def test_codes_fit_int32():
    words = [chr(0x4E00 + i % 999) + chr(0x4E00 + (i * i) % 999) for i in range(20_000)]
    params = ngram.fit(words, Vocab.from_words(words), 4)
    assert all(int(level.codes[-1]) < 2**31 and level.codes.dtype == jnp.int32 for level in params.levels)
    assert all(np.all(np.diff(level.codes) > 0) for level in params.levels)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ngram.fit(FIRST_FIVE, LETTERS, 0), "order is 0"),
        (lambda: ngram.fit(FIRST_FIVE, LETTERS, 3, k=-1.0), "k is -1"),
        (lambda: ngram.fit([], LETTERS), "empty list"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_smoothing_is_refused_by_name():
    code = ngram.fit.__wrapped__ if hasattr(ngram.fit, "__wrapped__") else ngram.fit
    with pytest.raises(ValueError, match="choose one of modified-kneser-ney, absolute"):
        code(FIRST_FIVE, LETTERS, 3, smoothing="laplace")
