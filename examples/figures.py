"""What the lecture notebooks share: the stored numbers, and the table of figures that each of them ends in.

`figures_of/` lists the figures of a notebook, so that its cells hold the lesson alone. The notebook's last cell,
`figures.show("lecture_1_bigrams", globals())`, computes each from the names that the notebook has bound, and says
whether the lecture prints it or it was computed for this notebook, and whether it is within its tolerance. A reader who
changed something is told so; where MM_JAX_CHECK is set, as `notebooks.py` does, a figure that is off is an error.

MM_JAX_LONG asks for the runs that take minutes. Where they are left out, the table says when they were run and what
they gave.

fixtures/torch_draws.npz holds what the lectures print at length. What torch drew is drawn again, by `torch_random`.
"""

import hashlib
import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from mm_jax.words import NAMES_SHA256

FIXTURES = Path(__file__).parent / "fixtures"
LONG = bool(os.environ.get("MM_JAX_LONG"))  # whether a notebook also makes its runs of minutes


class Figure(NamedTuple):
    """A figure of a notebook: what is expected, and how to compute it from the notebook's names."""

    step: str
    expected: Any  # a number, a text, or an array of numbers
    ours: Callable[[Any], Any]  # takes the notebook's names as attributes: `lambda at: len(at.words)`
    tolerance: float = 0.0
    source: str = "lecture"
    names: bool = True  # it holds for names.txt alone, and is not checked on another list
    seen: str = ""  # of a long run: what it gave, and when; `ours` returns None where the run was left out


def lecture(step: str, expected: Any, ours: Callable[[Any], Any], tolerance: float = 0.0, **more) -> Figure:
    """A figure that the lecture prints, or computed from what it prints."""
    return Figure(step, expected, ours, tolerance, **more)


def own(step: str, expected: Any, ours: Callable[[Any], Any], tolerance: float = 0.0, **more) -> Figure:
    """A figure that was computed for this notebook."""
    return Figure(step, expected, ours, tolerance, source="ours", **more)


def lost(step: str, expected: str, ours: Callable[[Any], str] = lambda at: "") -> Figure:
    """A figure that hangs on random numbers that were not kept: shown beside ours, not checked."""
    return Figure(step, expected, ours, source="lost")


def show(lecture: str, names: Mapping[str, Any]) -> None:
    """Prints the table of figures of a notebook.

    Args:
      lecture: the notebook's name, which figures_of/ has a list of.
      names: what the notebook has bound: `globals()`. Among them `words`.

    Raises AssertionError that names every figure outside its tolerance, where MM_JAX_CHECK is set.
    """
    table, at = Figures(names["words"]), SimpleNamespace(**names)
    for figure in importlib.import_module(f"figures_of.{lecture}").FIGURES:
        table.row(figure, at)
    print(table)
    if table.failed:
        print("\nOther than in the notebook as it came:", *table.failed, sep="\n- ")
        print("Did you change something above? Then this is what it changed.")
    sys.stdout.flush()
    if os.environ.get("MM_JAX_CHECK"):
        table.check()


def stored() -> dict[str, np.ndarray]:
    """What the lectures print at length, by name."""
    with np.load(FIXTURES / "torch_draws.npz") as file:
        return dict(file)


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
            missing = isinstance(ours, str)  # a cell that was not run
            wanted, got = np.asarray(expected, np.float64), np.asarray(np.nan if missing else ours, np.float64)
            off = float(np.abs(wanted - got).max()) if wanted.shape == got.shape else np.inf
            within = off <= tolerance
            found = ours if missing else "equal" if off == 0 else f"off by {off:.0e}"
        else:
            text = isinstance(expected, str) or isinstance(ours, str)
            within = bool(expected == ours or (not text and abs(float(expected) - float(ours)) <= tolerance))
            found = _shown(ours, tolerance)
        if not within:
            self.failed.append(f"{step}: expected {_shown(expected, tolerance)}, got {found}")
        limit = f"{tolerance:.0e}".replace("e-0", "e-") if tolerance else "exact"
        self.rows.append((step, source, _shown(expected, tolerance), found, limit if within else f"NOT {limit}"))

    def row(self, figure: Figure, at: Any) -> None:
        """Adds a figure, computed from the notebook's names `at`."""
        if figure.names and not self.with_names:
            self.add(figure.step, figure.expected, None, figure.tolerance, printed=figure.source != "ours")
            return
        try:
            ours = figure.ours(at)
        except AttributeError as error:
            ours = f"cell not run: {error.name}"
        if figure.source == "lost":
            self.lost(figure.step, figure.expected, ours)
        elif ours is None and figure.seen:
            self.rows.append(
                (figure.step, figure.source, _shown(figure.expected, figure.tolerance), figure.seen, "long")
            )
        else:
            printed = figure.source == "lecture"
            self.add(figure.step, figure.expected, ours, figure.tolerance, printed=printed, names=figure.names)

    def lost(self, step: str, expected: str, ours: str) -> None:
        """A figure that hangs on random numbers that were not kept: shown beside ours, not checked."""
        self.rows.append((step, "lecture", expected, ours, "draws lost"))

    def __str__(self) -> str:
        head = ("figure", "from", "expected", "here", "within")
        lines = [f"{a:38}  {b:7}  {_cut(c):18}  {_cut(d):18}  {e}".rstrip() for a, b, c, d, e in [head, *self.rows]]
        return "\n".join([lines[0], "-" * 98, *lines[1:]])

    def check(self) -> None:
        """Raises AssertionError that names every figure outside its tolerance."""
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
