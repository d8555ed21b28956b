"""N-grams of so many symbols that codes of contexts do not fit 32 bits: a rank and a token each, in pages too."""

import itertools

import numpy as np
import pytest

import mm_jax
from mm_jax import page
from mm_jax.ngrams.counting import whole

from .browser import chromium, require

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
NUMBER = 70_000  # words: a code of order 3 is up to 70,000 * 70,000, above 2^32
LINES = [" ".join(f"w{i}" for i in line) for line in RNG.permutation(NUMBER).reshape(-1, 5)]
LINES += [" ".join([*a.split()[:2], *b.split()[2:]]) for a, b in itertools.pairwise(LINES[:99])]  # some occur twice
UNSEEN = [" ".join(f"w{i}" for i in line) for line in RNG.integers(0, NUMBER, (20, 4))]

NLLS = """
return arguments[0].map((line) => {
  let state = start(page.params);
  return [...page.vocab.encode(line), 0].map((token) => {
    const row = logits(page.params, state);
    state = advance(page.params, state, token);
    return -row[token];
  });
});
"""
FITTED = """
const [tokens, size] = arguments, stream = Int32Array.from(tokens), fitting = fit(stream, size, 3);
let step;
while (!(step = fitting.next()).done);
const { codes } = step.value.levels[2];
return [codes.shape, Array.from(codes), Array.from(logProbs(step.value, stream, size))];
"""


@pytest.fixture(scope="module")
def browser():
    require()
    with chromium() as each:
        yield each


def test_a_page_gives_the_probabilities_of_python(browser, tmp_path):
    params = mm_jax.ngram.fit(LINES, mm_jax.Vocab.from_words(LINES, "words"), order=3)
    assert params.levels[2].codes.ndim == 2 and whole(params.levels[2].codes, len(params.vocab))[-1] > 2**32
    page.write(params, tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    lines = [*LINES[::1000], *LINES[-20:], *UNSEEN]
    for found, line in zip(browser.run(NLLS, lines), lines, strict=True):
        expected = [each.nll for each in mm_jax.score(params, line).characters]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(browser.words()) == 20 and browser.logs()[0] == []


def test_the_page_that_learns_counts_as_python(browser, tmp_path):
    """Few symbols of a vocabulary that is said to be large: what is checked are the codes."""
    vocab = mm_jax.Vocab("." + "".join(chr(0xF0000 + i) for i in range(65_000)))
    rows = np.pad(RNG.integers(1, len(vocab), (8_000, 6)), ((0, 0), (1, 0)))
    stream = [*rows.ravel().tolist(), 0]
    words = [vocab.decode(row[1:]) for row in rows]
    params = mm_jax.ngram.fit(words, vocab, order=3)
    page.write_learner(tmp_path / "page.html")
    browser.visit(tmp_path / "page.html")
    browser.wait("typeof fit === 'function'")
    shape, codes, log_probs = browser.run(FITTED, stream, len(vocab))
    expected = np.asarray(params.levels[2].codes)
    assert shape == list(expected.shape) == [2, len(params.levels[2].backoff)]
    np.testing.assert_array_equal(codes, expected.ravel())
    of_python = [-each.nll for word in words[:50] for each in mm_jax.score(params, word).characters]
    np.testing.assert_allclose(log_probs[: len(of_python)], of_python, atol=1e-5)
