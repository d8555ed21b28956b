"""examples/backprop_check.py: a right gradient is exact or close, a wrong one is told apart, and why."""

import sys

import numpy as np
import pytest

from .test_examples import EXAMPLES

sys.path.insert(0, str(EXAMPLES))
from backprop_check import check, rounding

W = np.random.default_rng(0).normal(size=(64, 27)).astype(np.float32)
SQUARE = W[:27]


def test_exact_and_close():
    assert check("W2", W, W) == "W2: exact."
    assert check("W2", W + np.float32(1e-6), W).startswith("W2: close, ")
    assert check("loss", np.float32(1), 1.0) == "loss: exact."


def test_no_answer_yet_says_the_shape():
    assert check("W2", None, W) == "W2: yours? An array of shape (64, 27)."


def test_float64_is_judged_by_its_own_rounding():
    """What float32 calls close is wrong in float64: this is how a wrong formula is told from rounding."""
    exact = W.astype(np.float64)
    assert "wrong" in check("W2", exact * (1 + 1e-9), exact)
    assert "close" in check("W2", exact * (1 + 1e-9), W.astype(np.float32))
    assert "close" in check("W2", exact * (1 + 1e-15), exact)
    assert rounding(W, exact) > 1e6 * rounding(exact, exact)


def test_a_gradient_that_is_zero_but_for_rounding():
    """As that of a bias in front of a batch norm, and of the greatest logit."""
    noise = np.full(64, 5e-9, np.float32)
    assert "close" in check("b1", noise, -noise)
    assert "wrong" in check("b1", np.full(64, 1e-5, np.float32), noise)


@pytest.mark.parametrize(
    ("got", "expected", "says"),
    [
        (W.T, W, "transposed"),
        (SQUARE.T, SQUARE, "transposed"),
        (W, W[:1], "axis 0 forward, so sum"),
        (W, W[:, :1], "axis 1 forward, so sum"),
        (W, W[0], "axis 0 forward, so sum"),
        (np.ones((32, 64, 3), np.float32), np.ones(3, np.float32), "axis 0 and 1 forward, so sum"),
        (W[:1], W, "summed too far"),
        (W[0], W[:1], "reshape"),
        (W[:5], W, "the shape of its variable"),
        (-W, W, "sign"),
        (32 * W, W, "32 times"),
        (-32 * W, W, "minus 32 times"),
        (W / 32, W, "1/32"),
        (W * np.float32(31 / 32), W, "31/32 of the right one: n in place of n - 1"),
        (W * np.float32(32 / 31), W, "32/31 of the right one: n in place of n - 1"),
        (W * np.float32(0.123), W, "constant factor"),
        (np.zeros_like(W), W, "0 everywhere"),
        (np.full_like(W, np.nan), W, "inf or nan"),
        (np.where(np.arange(27) < 20, W, 0), W, "1280 of 1728 numbers are right"),
        (W + 1, W, "Is a path missing?"),
    ],
)
def test_a_wrong_gradient_is_explained(got, expected, says):
    said = check("W2", got, expected)
    assert said.startswith("W2: wrong. ")
    assert says in said
    assert len(said) <= 120
