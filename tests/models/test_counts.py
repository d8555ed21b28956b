import itertools

import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab

from ..conftest import FIRST_FIVE, LETTERS


def test_by_hand():
    counts = mm_jax.counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    assert counts.N.tolist() == [[0, 1, 1], [0, 0, 1], [2, 0, 0]]
    np.testing.assert_allclose(np.exp(mm_jax.logits(counts, [2])), [3, 1, 1], rtol=1e-6)


@pytest.mark.parametrize("copies", [1, 9_001], ids=["five words", "several blocks"])
def test_against_a_dict(copies):
    words = FIRST_FIVE * copies
    expected = {}
    for word in words:
        chars = [".", *word, "."]
        for pair in itertools.pairwise(chars):
            expected[pair] = expected.get(pair, 0) + 1
    N = np.array(mm_jax.counts.fit(words, LETTERS).N)
    found = {(LETTERS.chars[i], LETTERS.chars[j]): int(N[i, j]) for i, j in np.argwhere(N)}
    assert found == expected


def test_the_table_of_names(names, table):
    counts = mm_jax.counts.fit(names, LETTERS)
    np.testing.assert_array_equal(counts.N, table)
    assert int(counts.N.sum()) == 228146
    assert int((counts.N > 0).sum()) == 627


def test_a_row_without_counts_is_uniform():
    counts = mm_jax.counts.fit(["a"], Vocab(".ab"))
    assert mm_jax.logits(counts, [2]).tolist() == [0, 0, 0]
    assert mm_jax.logits(counts, [0]).tolist() == [-np.inf, 0, -np.inf]


@pytest.mark.parametrize("smoothing", [-1, float("nan"), float("inf")])
def test_smoothing_that_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing is"):
        mm_jax.counts.fit(["a"], Vocab(".a"), smoothing)


def test_tables_that_are_refused():
    with pytest.raises(ValueError, match="expected counts of shape"):
        mm_jax.counts.from_table(np.zeros((3, 3), int), LETTERS)
    with pytest.raises(ValueError, match="none negative"):
        mm_jax.counts.from_table(np.full((2, 2), -1), Vocab(".a"))
