"""Judges a gradient that was found by hand: exact, close or wrong, and if it is wrong, what may explain it.

    >>> import numpy as np
    >>> print(check("W2", np.ones((27, 64)), np.ones((64, 27))))
    W2: wrong. Shape (27, 64), wanted (64, 27): transposed. Swap the factors of the product.
    >>> print(check("b2", 32 * np.arange(27.0), np.arange(27.0)))
    b2: wrong. It is 32 times the right one: the mean over n examples divides by n, once.

`lecture_4_backprop` and the exercises print what it returns. A gradient has the shape of its variable: look at that
first.
"""

import itertools
import math

import numpy as np


def check(name: str, dy, expected) -> str:
    """Says in one sentence whether a gradient is right.

    Close is what rounding explains: within 64 roundings of the largest number, of the coarser of the two dtypes.

    Args:
      name: of the variable, to begin the sentence with.
      dy: the gradient to judge, an array or a number; None if there is no answer yet.
      expected: the right one.
    """
    wanted = np.asarray(expected, np.float64)
    if dy is None:
        return f"{name}: yours? An array of shape {wanted.shape}."
    got = np.asarray(dy, np.float64)
    if got.shape != wanted.shape:
        return f"{name}: wrong. {_shapes(got, wanted)}"
    off = float(np.abs(got - wanted).max(initial=0.0))
    if off == 0:
        return f"{name}: exact."
    if off <= rounding(dy, expected):
        return f"{name}: close, {off:.0e} apart."
    return f"{name}: wrong. {_values(got, wanted, rounding(dy, expected))}"


def rounding(dy, expected) -> float:
    """Returns how far apart two results may be that differ by rounding alone."""
    kinds = [np.asarray(each).dtype for each in (dy, expected)]
    eps = max((float(np.finfo(kind).eps) for kind in kinds if kind.kind == "f"), default=0.0)
    return eps / 4 + 64 * eps * float(np.abs(np.asarray(expected, np.float64)).max(initial=0.0))


def _shapes(got: np.ndarray, wanted: np.ndarray) -> str:
    """Explains a wrong shape."""
    said = f"Shape {got.shape}, wanted {wanted.shape}"
    if got.ndim > 1 and got.shape == wanted.shape[::-1]:
        return f"{said}: transposed. Swap the factors of the product."
    if got.size == wanted.size:
        return f"{said}: as many numbers, so reshape."
    repeated = _repeated(got.shape, wanted.shape)
    if repeated:
        return f"{said}: repeated along axis {repeated} forward, so sum along it backward."
    if _repeated(wanted.shape, got.shape):
        return f"{said}: summed too far, or not repeated along axis {_repeated(wanted.shape, got.shape)}."
    return f"{said}: a gradient has the shape of its variable."


def _repeated(large: tuple[int, ...], small: tuple[int, ...]) -> str:
    """Names the axes along which `small` is repeated to make `large`; empty if it cannot be made so."""
    padded = (1,) * (len(large) - len(small)) + small
    if len(padded) != len(large) or any(b not in (1, a) for a, b in zip(large, padded, strict=True)):
        return ""
    return " and ".join(str(axis) for axis, (a, b) in enumerate(zip(large, padded, strict=True)) if a != b)


def _values(got: np.ndarray, wanted: np.ndarray, within: float) -> str:
    """Explains wrong numbers in the right shape."""
    if not np.isfinite(got).all():
        return f"{int((~np.isfinite(got)).sum())} of its numbers are inf or nan."
    if not got.any():
        return "It is 0 everywhere."
    factor = float((got * wanted).sum() / (wanted**2).sum()) if wanted.any() else 0.0
    if factor and np.abs(got / factor - wanted).max() <= within:
        return _factor(factor)
    if got.ndim > 1 and got.shape == got.T.shape and np.abs(got.T - wanted).max() <= within:
        return "It is the right one transposed: swap the two factors of the product."
    right = int((np.abs(got - wanted) <= within).sum())
    if 0 < right < got.size and right >= got.size // 10:
        return f"{right} of {got.size} numbers are right: a place is missing, or a variable is used a second time."
    return f"The shape is right, the numbers are up to {np.abs(got - wanted).max():.0e} off. Is a path missing?"


def _factor(factor: float) -> str:
    """Explains a gradient that is a multiple of the right one."""
    if math.isclose(factor, -1, rel_tol=1e-4):
        return "The sign: it is the right one with a minus."
    for n, sign in itertools.product(range(2, 1025), (1, -1)):
        minus = "" if sign > 0 else "minus "
        if math.isclose(sign * factor, n, rel_tol=1e-4):
            return f"It is {minus}{n} times the right one: the mean over n examples divides by n, once."
        if math.isclose(sign * factor, 1 / n, rel_tol=1e-4):
            return f"It is {minus}1/{n} of the right one: divided by n twice, or a sum taken for a mean."
    for n, sign in itertools.product(range(3, 257), (1, -1)):
        minus = "" if sign > 0 else "minus "
        for text, value in ((f"{n - 1}/{n}", (n - 1) / n), (f"{n}/{n - 1}", n / (n - 1))):
            if math.isclose(sign * factor, value, rel_tol=1e-5):
                return f"It is {minus}{text} of the right one: n in place of n - 1, or the other way round."
    return f"It is {factor:.4g} times the right one: a constant factor is missing, or too many."
