"""New weights: the numbers of `jax.random.normal`, from one program."""

import jax
import numpy as np
import pytest

from mm_jax.models import weights


@pytest.mark.parametrize("shapes", [[(3,), (2, 5), (1, 1)], [(27, 10), (30, 20), (20,)]], ids=str)
def test_they_are_those_of_jax_random_normal(shapes):
    """Bit for bit as a rule; but a compiler may multiply by the inverse of a divisor."""
    times, over = [0.5, 1.0, 0.1], [1.0, 3.0, 7.0]
    found = weights.normals(jax.random.key(5), *shapes, times=tuple(times), over=tuple(over))
    parts = jax.random.split(jax.random.key(5), 3)
    for array, part, shape, factor, divisor in zip(found, parts, shapes, times, over, strict=True):
        expected = jax.random.normal(part, shape) * np.float32(factor) / np.float32(divisor)
        np.testing.assert_allclose(array, expected, rtol=5e-7, atol=0)


def test_without_factors_their_deviation_is_1():
    (found,) = weights.normals(jax.random.key(0), (10_000,))
    assert abs(float(found.mean())) < 5 / 100 and abs(float(found.std()) - 1) < 5 / 20_000**0.5
