"""An order that is computed: a permutation of any size, another for every key."""

import jax
import numpy as np
import pytest

from mm_jax.training.permutation import ROUNDS, permuted, secrets


def rounds_of(number, key=0):
    return secrets(jax.random.key(key), number)[:ROUNDS]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 4000])
def test_every_number_comes_once(size):
    assert sorted(permuted(np.arange(size), size, rounds_of(7)).tolist()) == list(range(size))


def test_the_place_of_a_number_depends_on_it_alone():
    whole = permuted(np.arange(1000), 1000, rounds_of(0))
    assert np.array_equal(permuted(np.array([[999, 3], [5, 5]]), 1000, rounds_of(0)), whole[[[999, 3], [5, 5]]])


def test_another_key_or_number_gives_another_order():
    first, second, third = (permuted(np.arange(500), 500, rounds_of(*of)) for of in ((0,), (1,), (0, 1)))
    for one, other in ((first, second), (first, third), (second, third)):
        assert np.count_nonzero(one == other) <= 7  # as many as chance gives, 1 on average; 6 standard deviations


def test_an_order_looks_random():
    """512 orders of 8: each number is at each place 64 times, at 5 sigma; a part of 10^12 is uniform."""
    found = np.array([permuted(np.arange(8), 8, rounds_of(number)) for number in range(512)])
    n, p = 512, 1 / 8
    counts = np.array([np.bincount(found[:, i], minlength=8) for i in range(8)])
    assert np.abs(counts - n * p).max() < 5 * np.sqrt(n * p * (1 - p))
    big = permuted(np.arange(100_000), 10**12, rounds_of(3))
    assert len(np.unique(big)) == 100_000 and big.min() >= 0 and big.max() < 10**12
    steps = np.diff(big).astype(float) / 10**12  # the difference of two uniform numbers has a variance of 1/6
    assert abs(np.mean(steps**2) - 1 / 6) < 5 * np.sqrt(7 / 180 / 100_000) * 2
    assert abs(np.mean(big / 10**12) - 0.5) < 5 * np.sqrt(1 / 12 / 100_000)
