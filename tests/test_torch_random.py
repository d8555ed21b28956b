"""torch's generator in NumPy: the numbers that torch drew, which the fixtures hold."""

import sys

import numpy as np
import pytest

from .conftest import LETTERS
from .test_examples import EXAMPLES

sys.path.insert(0, str(EXAMPLES))
from torch_random import TorchGenerator


def test_the_weights_of_the_lectures_mlp(torch_init):
    torch = TorchGenerator(2147483647)
    for name, shape in {"C": (27, 10), "W1": (30, 200), "b1": (200,), "W2": (200, 27), "b2": (27,)}.items():
        np.testing.assert_allclose(torch.randn(*shape), torch_init[f"mlp_10_200_{name}"], atol=1e-6)


def test_what_torch_printed():
    """`torch.rand(3)` and `torch.randn(27, 27)[0]` of lecture 1, to the digits printed."""
    np.testing.assert_allclose(TorchGenerator(2147483647).rand(3), [0.7081, 0.3542, 0.1054], atol=5e-5)
    np.testing.assert_allclose(TorchGenerator(2147483647).randn(27, 27)[0, :3], [1.5674, -0.2373, -0.0274], atol=5e-5)


def test_one_generator_goes_on():
    """Lecture 1: three numbers, then 20 draws from them, then 50. Nothing drawn takes nothing."""
    torch = TorchGenerator(2147483647)
    probs = torch.rand(3)
    assert torch.rand64(0).shape == (0,)
    assert "".join(map(str, torch.categorical_old(probs, 20))) == "11200211000110011001"
    assert "".join(map(str, torch.categorical_old(probs, 50))) == "02001001000111011001110110110200000000001100000000"


def test_the_first_names_of_the_table(table):
    """One name by each of torch's ways to draw a letter, from a fresh generator: mor. and cexze."""
    old, new = TorchGenerator(2147483647), TorchGenerator(2147483647)
    for draw, name in ((lambda p: int(old.categorical_old(p)[0]), "mor."), (new.categorical, "cexze.")):
        found, ix = "", 0
        while not found.endswith("."):
            ix = draw((table[ix] / table[ix].sum()).astype(np.float32))
            found += LETTERS.chars[ix]
        assert found == name


def test_a_cut_block_is_drawn_anew(torch_init):
    """200 numbers are 12 blocks of 16 and 8 more: the last 16 come from numbers of their own."""
    torch = TorchGenerator(2147483647)
    weights = [torch.randn(n) for n in (270, 6000, 200)]
    np.testing.assert_allclose(weights[2], torch_init["mlp_10_200_b1"], atol=1e-6)


def test_fewer_than_a_block_is_refused():
    with pytest.raises(ValueError, match="15 normal numbers"):
        TorchGenerator(0).randn(3, 5)


def test_integers_and_draws_have_their_probabilities():
    torch, probs = TorchGenerator(7), np.array([0.5, 0.3, 0.2], np.float32)
    n = 4000
    expected, sigma = n * probs, np.sqrt(n * probs * (1 - probs))
    for drawn in ([torch.categorical(probs) for _ in range(n)], torch.categorical_old(probs, n)):
        assert (np.abs(np.bincount(drawn, minlength=3) - expected) < 4 * sigma).all()
    assert (np.abs(np.bincount(torch.randint(3, n), minlength=3) - n / 3) < 4 * np.sqrt(n * 2 / 9)).all()
