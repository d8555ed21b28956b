"""Grades the exercises: says what is a gap and what is wrong, and prints the grade.

`--answers=FOLDER` grades the files of another folder. A file that it lacks is taken from here, where it has gaps.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
LEVELS = ("easy", "middle", "hard")

# The exercises compile small programs and run them once: what XLA's optimizations cost, they do not gain here.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


def pytest_addoption(parser):
    parser.addoption("--answers", metavar="FOLDER", default=str(HERE), help="grade the exercise_*.py of this folder")


def pytest_configure(config):
    answers = Path(config.getoption("--answers")).resolve()
    if not answers.is_dir():
        raise pytest.UsageError(f"--answers: {answers} is not a folder")
    sys.path[:0] = [str(answers), str(HERE), str(HERE.parent)]  # the last: backprop_check, torch_random


def _step(nodeid: str) -> tuple[str, str]:
    """Returns ("1 bigrams", "easy") of "test_1_bigrams.py::test_easy"; the level is empty if a file cannot be read."""
    file, _, test = nodeid.partition("::")
    return Path(file).stem.removeprefix("test_").replace("_", " "), test.removeprefix("test_")


def _title(item) -> str:
    exercise, level = _step(item.nodeid)
    return f"exercise {exercise}, {level}"


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Says of a gap where it is; adds the exercise to any other error of an answer."""
    try:
        return (yield)
    except Exception as error:
        gap = _gap(error)
        if not gap:
            error.add_note(f"{_title(pyfuncitem)}: this error ended it.")
            raise
    pyfuncitem.user_properties.append(("state", "gap"))
    pytest.fail(f"{_title(pyfuncitem)}: {gap}", pytrace=False)


def _gap(error: Exception) -> str:
    """Says which gap raised an error; empty if none did."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    if not isinstance(error, NotImplementedError) or not Path(last.filename).stem.startswith("exercise_"):
        return ""
    return f"{last.name} is a gap. Write it: {Path(last.filename).name}, line {last.lineno}"


class Check:
    """Compares what an answer returns with what is right; the first difference fails the step, with a sentence."""

    def __init__(self, title: str):
        self._title = title

    def fail(self, sentence: str) -> None:
        """Fails the step."""
        pytest.fail(f"{self._title}: {sentence}", pytrace=False)

    def __call__(self, name: str, got, right, *, within: float = 0.0, known: Mapping[str, object] | None = None):
        """Passes if `got` is `right`, a text or numbers in their shape.

        Args:
          name: what it is, to begin the sentence with.
          got: what the answer returns.
          right: the same by an independent way.
          within: how far apart numbers may be, as a share of the largest or of 1.
          known: wrong results by the sentence that explains them.
        """
        if got is None:
            self.fail(f"{name} is None: is there a return?")
        if isinstance(right, str):
            if got != right:
                self.fail(f"{name} is {got!r}, should be {right!r}.{_explained(got, 0, known)}")
            return
        wanted = np.asarray(right, np.float64)
        try:
            found = np.asarray(got, np.float64)
        except (TypeError, ValueError):
            self.fail(f"{name} is a {type(got).__name__}, should be an array of shape {wanted.shape}.")
            return
        within *= max(1.0, float(np.abs(wanted).max(initial=0)))
        if found.shape != wanted.shape:
            self.fail(f"{name} has shape {found.shape}, should have {wanted.shape}.{_explained(found, within, known)}")
        wrong = ~(np.abs(found - wanted) <= within)  # nan is wrong
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            at = f" {int(wrong.sum())} of {wrong.size} numbers, the first at {list(place)}" if place else ""
            values = f"yours {found[place]:.6g}, right {wanted[place]:.6g}"
            self.fail(f"{name} is wrong{',' * bool(at)}{at}: {values}.{_explained(found, within, known)}")


def _explained(got, within: float, known: Mapping[str, object] | None) -> str:
    """Returns the sentence of the known wrong result that `got` is; empty if there is none."""
    for sentence, value in (known or {}).items():
        if isinstance(value, str) or isinstance(got, str):
            same = got == value
        else:
            wrong = np.asarray(value, np.float64)
            same = got.shape == wrong.shape and np.allclose(got, wrong, rtol=0, atol=within, equal_nan=True)
        if same:
            return f" {sentence}"
    return ""


@pytest.fixture
def check(request) -> Check:
    """The comparison of a step."""
    return Check(_title(request.node))


def pytest_terminal_summary(terminalreporter):
    """Prints the grade: a row an exercise, and how many steps are solved."""
    rows: dict[str, dict[str, str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            exercise, level = _step(report.nodeid)
            state = (
                "solved" if outcome == "passed" else dict(getattr(report, "user_properties", ())).get("state", "wrong")
            )
            row = rows.setdefault(exercise, {})
            row |= {level: state} if level else dict.fromkeys(LEVELS, "cannot run")
    if not rows:
        return
    terminalreporter.section("grade")
    terminalreporter.line(f"{'':14}" + "".join(f"{level:12}" for level in LEVELS).rstrip())
    for exercise, row in sorted(rows.items()):
        terminalreporter.line(f"{exercise:14}" + "".join(f"{row.get(level, '-'):12}" for level in LEVELS).rstrip())
    states = [state for row in rows.values() for state in row.values()]
    terminalreporter.line(f"{states.count('solved')} of {len(states)} steps solved")
