"""What the lecture notebooks share: the stored numbers, and the table of figures that each of them ends in.

A figure is checked where it is computed: `figures.add(step, expected, ours)`. The table says for each whether the
lecture prints it or it was computed for these notebooks, and `figures.show()` fails if one is outside its tolerance.

fixtures/torch_init_2147483647.npz holds the weights that torch's generator gives for the lectures' seed;
fixtures/torch_draws.npz the uniform numbers behind the names that the lectures print, and what they print at length.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mm_jax.words import NAMES_SHA256

FIXTURES = Path(__file__).parent / "fixtures"


def stored() -> dict[str, np.ndarray]:
    """Every stored array by name."""
    arrays: dict[str, np.ndarray] = {}
    for name in ("torch_init_2147483647.npz", "torch_draws.npz"):
        with np.load(FIXTURES / name) as file:
            arrays |= dict(file)
    return arrays


class Figures:
    """A table of figures: the step, what is expected and who says so, what was computed, within which tolerance."""

    def __init__(self, words: Sequence[str]):
        """`words`: whether they are those of names.txt decides which figures can be checked."""
        self.with_names = hashlib.sha256("\n".join(words).encode()).hexdigest() == NAMES_SHA256
        self.rows: list[tuple[str, str, str, str, str]] = []
        self.failed: list[str] = []

    def add(
        self, step: str, expected, ours, tolerance: float = 0.0, *, printed: bool = True, names: bool = True
    ) -> None:
        """A figure beside ours: numbers within a tolerance, all else equal.

        Args:
          step: what it is.
          expected: a number, a text, or an array of numbers.
          ours: the same, computed here.
          tolerance: how far a number may be off; an array is judged by its largest difference.
          printed: the lecture prints it (True), or it was computed for this notebook (False).
          names: it holds for names.txt alone, and is not checked on another list.
        """
        source = "lecture" if printed else "ours"
        if names and not self.with_names:
            self.rows.append((step, source, _shown(expected, tolerance), "needs names.txt", ""))
            return
        if np.ndim(expected):
            wanted, got = np.asarray(expected, np.float64), np.asarray(ours, np.float64)
            off = float(np.abs(wanted - got).max()) if wanted.shape == got.shape else np.inf
            within = off <= tolerance
            found = "equal" if off == 0 else f"off by {off:.0e}"
        else:
            within = bool(expected == ours or (not isinstance(expected, str) and abs(expected - ours) <= tolerance))
            found = _shown(ours, tolerance)
        if not within:
            self.failed.append(f"{step}: expected {_shown(expected, tolerance)}, got {found}")
        limit = f"{tolerance:.0e}".replace("e-0", "e-") if tolerance else "exact"
        self.rows.append((step, source, _shown(expected, tolerance), found, limit if within else f"NOT {limit}"))

    def lost(self, step: str, expected: str, ours: str) -> None:
        """A figure that hangs on random numbers that were not kept: shown beside ours, not checked."""
        self.rows.append((step, "lecture", expected, ours, "draws lost"))

    def __str__(self) -> str:
        head = ("figure", "from", "expected", "here", "within")
        lines = [f"{a:38}  {b:7}  {_cut(c):18}  {_cut(d):18}  {e}".rstrip() for a, b, c, d, e in [head, *self.rows]]
        return "\n".join([lines[0], "-" * 98, *lines[1:]])

    def show(self) -> None:
        """Prints the table; AssertionError that names every figure outside its tolerance."""
        print(self)
        assert not self.failed, "figures outside their tolerance: " + "; ".join(self.failed)


def _shown(value, tolerance: float) -> str:
    """A number with as many decimals as the tolerance judges, four or more; of an array only its size."""
    if isinstance(value, str):
        return value
    if np.ndim(value):
        return f"{np.size(value)} numbers"
    if isinstance(value, int) or not np.isfinite(value):
        return f"{value:,}"
    if abs(value) < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.{max(4, math.floor(-math.log10(tolerance))) if tolerance else 6}f}"


def _cut(text: str) -> str:
    return text if len(text) <= 18 else text[:15] + "..."


def columns(rows: Mapping[str, Sequence[str]]) -> str:
    """Lists of words side by side under their names, one row a word: a text to print."""
    widths = [max(len(text) for text in [name, *words]) for name, words in rows.items()]
    lines = [list(rows), *zip(*rows.values(), strict=True)]
    return "\n".join(
        "  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
