"""Checks of arguments: what is taken, what is refused, and in which words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mm_jax import checks


def test_numbers_of_every_kind_are_taken():
    for value in (1, 0.5, np.float32(0.5), np.int64(3), jnp.float32(0.5), np.array(2.0)):
        assert checks.positive_number("rate", value) == float(value)
    assert checks.whole_number("steps", np.int32(3)) == 3


NO_NUMBERS = [None, "0.1", True, [0.1], np.ones(2), {}, abs, 1j, 0, -1.0, float("nan"), float("inf")]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_what_is_no_positive_number(value):
    with pytest.raises(ValueError, match=r"^rate is .*: give a positive number$"):
        checks.positive_number("rate", value)


def test_typed_keys_are_taken():
    checks.random_key("key", jax.random.key(0))
    checks.random_key("key", jax.random.key(0, impl="rbg"))
    checks.random_key("keys", jax.random.split(jax.random.key(0), 3), many=True)


NO_KEYS = {
    "int": (lambda: 42, "key is 42, of type int: give a random key, such as jax.random.key"),
    "None": (lambda: None, "key is None, of type NoneType"),
    "NumPy generator": (lambda: np.random.default_rng(0), r"key is Generator.*, of type Generator"),
    "NumPy array": (lambda: np.zeros(2, np.uint32), "of type ndarray"),
    "old-style key": (lambda: jax.random.PRNGKey(0), "key is an array of uint32"),
    "array of keys": (lambda: jax.random.split(jax.random.key(0), 3), r"key has shape \(3,\)"),
}


@pytest.mark.parametrize(("make", "message"), NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_key(make, message):
    with pytest.raises(ValueError, match=message):
        checks.random_key("key", make())


def test_one_key_is_no_array_of_keys():
    with pytest.raises(ValueError, match=r"keys has shape \(\): give an array of random keys"):
        checks.random_key("keys", jax.random.key(0), many=True)


def test_cores_are_those_of_this_process(monkeypatch):
    monkeypatch.setattr(checks.os, "sched_getaffinity", lambda pid: {0, 5, 7}, raising=False)
    assert checks.cores() == 3
    monkeypatch.delattr(checks.os, "sched_getaffinity")
    monkeypatch.setattr(checks.os, "cpu_count", lambda: 4)
    assert checks.cores() == 4
