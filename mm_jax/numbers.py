"""Checks the whole numbers that users pass in."""

import numbers
from typing import Any


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, NumPy's integers included; ValueError for anything but a whole number of `least` or more.

    >>> whole_number("steps", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} is {value}: give {least} or more, a whole number")
    return int(value)
