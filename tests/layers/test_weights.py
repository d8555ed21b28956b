"""New weights: the numbers of `jax.random.normal`, from one program."""

import jax
import numpy as np
import pytest

from mm_jax.layers.weights import draw

from ..conftest import slow


@pytest.mark.parametrize("shapes", [[(3,), (2, 5), (1, 1)], *slow([[(27, 10), (30, 20), (20,)]])], ids=str)
def test_they_are_those_of_jax_random_normal(shapes):
    """Bit for bit as a rule; but a compiler may multiply by the inverse of a divisor."""
    gains, fan_ins = [0.5, 1.0, 0.1], [1, 9, 7]
    found = draw(jax.random.key(5), **dict(zip("ABC", zip(shapes, gains, fan_ins, strict=True), strict=True)))
    assert list(found) == ["A", "B", "C"]

    @jax.jit
    def normals():
        parts = jax.random.split(jax.random.key(5), 3)
        return [jax.random.normal(part, shape) for part, shape in zip(parts, shapes, strict=True)]

    for array, drawn, gain, fan_in in zip(found.values(), normals(), gains, fan_ins, strict=True):
        expected = np.asarray(drawn) * np.float32(gain) / np.float32(np.sqrt(fan_in))
        np.testing.assert_allclose(array, expected, rtol=5e-7, atol=0)


def test_a_gain_of_0_is_zeros_and_keeps_its_place():
    key = jax.random.key(3)
    with jax.debug_key_reuse(False):
        some = draw(key, A=((4,), 1.0), b=((2,), 0.0), C=((3,), 1.0))
        every = draw(key, A=((4,), 1.0), b=((2,), 1.0), C=((3,), 1.0))
    assert some["b"].tolist() == [0.0, 0.0]
    assert all(np.array_equal(some[name], every[name]) for name in "AC")


def test_without_a_gain_or_fan_in_their_deviation_is_1():
    found = np.asarray(draw(jax.random.key(0), A=((10_000,), 1.0))["A"])
    assert abs(float(found.mean())) < 5 / 100 and abs(float(found.std()) - 1) < 5 / 20_000**0.5
