"""The lecture notebooks: committed cells are the source's, figures outside a tolerance fail, every list will do."""

import contextlib
import importlib
import os
import re
import shutil
import statistics
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from .test_examples import BUNDLED, ENV, EXAMPLES, STRICT

sys.path.insert(0, str(EXAMPLES))
import figures

LECTURES = sorted(path.stem for path in EXAMPLES.glob("lecture_*.py"))
WORDS = ["emma", "ava"]


@pytest.fixture(scope="module")
def notebooks():
    """Imported by its tests alone: nbformat takes seconds."""
    return importlib.import_module("notebooks")


@pytest.mark.parametrize("lecture", LECTURES)
@pytest.mark.slow
def test_the_committed_notebook_is_its_source_executed(notebooks, lecture):
    assert notebooks.differences(EXAMPLES / f"{lecture}.py") == []


@pytest.mark.slow
@pytest.mark.parametrize("lecture", LECTURES)
def test_every_code_cell_shows_something_or_defines(notebooks, lecture):
    """No output is an error, none is wider than a page, and pictures are on it."""
    notebook = notebooks.nbformat.read(EXAMPLES / f"{lecture}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    lines = [line for text in notebooks.said(notebook) for line in text.splitlines()]
    assert max(map(len, lines)) <= 100
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("lecture", LECTURES)
def test_a_notebook_is_easy_to_enter(notebooks, lecture):
    """One thought a cell, links to video and Colab, the cell that fetches what is missing, the figures last."""
    source = EXAMPLES / f"{lecture}.py"
    assert not re.search(r"^# %% \[markdown\] ", source.read_text(encoding="utf-8"), re.MULTILINE)  # lost as a title
    cells = notebooks.read(source).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert statistics.median(len(source.splitlines()) for source in code) <= 6
    assert "https://www.youtube.com/watch?v=" in cells[0].source
    assert f"/examples/{lecture}.ipynb" in cells[0].source
    assert 'find_spec("figures")' in code[0]
    assert f'figures.show("{lecture}", globals())' in code[-1]


def test_sections_are_numbered_through_all_notebooks():
    sources = [(EXAMPLES / f"{lecture}.py").read_text(encoding="utf-8") for lecture in LECTURES]
    numbers = [int(number) for source in sources for number in re.findall(r"^# ## (\d+)\. ", source, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.slow
def test_changed_cells_and_a_missing_notebook_are_found(notebooks, tmp_path):
    source = tmp_path / "lecture_2_mlp.py"
    shutil.copy(EXAMPLES / "lecture_2_mlp.py", source)
    assert "is missing" in notebooks.differences(source)[0]
    shutil.copy(EXAMPLES / "lecture_2_mlp.ipynb", tmp_path)
    assert notebooks.differences(source) == []
    source.write_text(source.read_text().replace("block_size=3", "block_size=4"))
    assert "differ from lecture_2_mlp.py" in notebooks.differences(source)[0]


@pytest.mark.slow
def test_a_failing_cell_fails(notebooks, tmp_path):
    source = tmp_path / "lecture_0.py"
    source.write_text("# %%\n1 / 0\n")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.execute(source)


def table(with_names=True):
    found = figures.Figures(WORDS)
    found.with_names = with_names
    return found


@pytest.mark.parametrize(
    ("expected", "ours", "tolerance"),
    [
        (2.454, 2.4541, 5e-5),
        (5, 6, 0.0),
        ("blon.", "blon", 0.0),
        (np.array([1.0, 2.0]), np.array([1.0, 2.1]), 0.05),
        (np.array([1.0, 2.0]), np.array([1.0]), 0.05),
        (float("inf"), 3.0, 1e-4),
        (1.0, float("nan"), 1e-4),
        (np.array([1.0]), np.array([np.nan]), 1e-4),
    ],
)
def test_a_figure_outside_its_tolerance_fails(expected, ours, tolerance):
    found = table()
    found.add("the figure", expected, ours, tolerance)
    assert "NOT" in str(found)
    with pytest.raises(AssertionError, match="the figure"):
        found.check()


@pytest.mark.parametrize(
    ("expected", "ours", "tolerance"),
    [(2.454, 2.45401, 5e-5), (float("inf"), float("inf"), 0.0), ("h.", "h.", 0.0), (np.ones(3), np.ones(3), 0.0)],
)
def test_a_figure_within_its_tolerance_passes(expected, ours, tolerance):
    found = table()
    found.add("the figure", expected, ours, tolerance)
    found.check()
    assert "NOT" not in str(found)


def test_the_table_says_who_says_so():
    found = table()
    found.add("printed", 2.454, 2.45401, 5.1e-5)
    found.add("computed", 5, 5, printed=False)
    found.lost("drawn", "3.23", "3.30")
    rows = str(found).splitlines()[2:]
    assert rows[0].split() == ["printed", "lecture", "2.4540", "2.4540", "5e-5"]
    assert rows[1].split() == ["computed", "ours", "5", "5", "exact"]
    assert rows[2].endswith("draws lost")


def test_without_names_only_what_hangs_on_them_is_left_out():
    found = table(with_names=False)
    for expected in (32_033, 2.454, "blon.", np.ones(3), float("inf")):
        found.add("words", expected, 0.0 if np.ndim(expected) else type(expected)())
    found.add("log 27", 3.2958, 1.0, 5e-5, names=False)
    assert "needs names.txt" in str(found)
    assert found.failed == ["log 27: expected 3.2958, got 1.0000"]


def test_names_txt_is_known_by_its_content(names):
    assert figures.Figures(names).with_names
    assert not figures.Figures(names[:-1]).with_names


@pytest.mark.slow
@pytest.mark.skipif("MM_JAX_LONG" not in os.environ, reason="six minutes of CPU: weekly, with MM_JAX_LONG=1")
@pytest.mark.parametrize("lecture", LECTURES)
def test_as_a_script_without_names(lecture, tmp_path):
    """On a sixth of the bundled list, warnings being errors; with names.txt .ci/run executes the notebooks.

    Training is cut short: what is checked without names.txt does not hang on it.
    """
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(BUNDLED.read_text(encoding="utf-8").splitlines()[::6]), encoding="utf-8")
    steps = 3000 if lecture == "lecture_1_bigrams" else 30  # lecture 1 shows the loss of its step 3,000
    find = f"import mm_jax, mm_jax.words as w, pathlib; w.find_words = lambda: pathlib.Path({str(listed)!r})"
    find += "; import matplotlib; matplotlib.rcParams['figure.max_open_warning'] = 0"  # a notebook closes its pictures
    find += f"""
def cut(train):
    return lambda *args, steps, **more: train(*args, steps=min(steps, {steps}), **more)
for name in ("fit", "fit_population", "try_rates"):
    setattr(mm_jax, name, cut(getattr(mm_jax, name)))
"""
    run = (
        f"import sys, runpy; sys.path.insert(0, {str(EXAMPLES)!r}); runpy.run_path({str(EXAMPLES / lecture)!r} + '.py')"
    )
    command = [sys.executable, *STRICT, "-c", f"{find}\n{run}"]
    env = {name: value for name, value in ENV.items() if name != "MM_JAX_LONG"} | {"MPLBACKEND": "agg"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env, check=False)
    assert done.returncode == 0, done.stderr + done.stdout[-3000:]
    assert "NOT" not in done.stdout
    assert "needs names.txt" in done.stdout


def test_nothing_committed_holds_the_list(names):
    """A notebook quotes a few names; it does not carry the list."""
    listed = set(names)
    for path in [*EXAMPLES.glob("lecture_*"), *EXAMPLES.glob("figures_of/*.py")]:
        quoted = {line.strip() for line in path.read_text().replace('\\n"', "\n").replace('"', "\n").splitlines()}
        assert len(quoted & listed) < 200, path


LIST = SimpleNamespace(
    FIGURES=[
        figures.lecture("losses", 2.454, lambda at: at.loss, 5e-4, names=False),
        figures.lecture("final loss", 2.0674, lambda at: at.final, 1e-3, names=False, seen="2.06741 on 2026-11-26"),
        figures.own("names", "emma", lambda at: at.sampled, names=False),
        figures.lost("drawn", "3.23"),
    ]
)


@pytest.mark.parametrize(
    ("loss", "sampled", "failed"), [(2.4541, "emma", False), (2.46, "emma", True), (2.4541, "emmy", True)]
)
def test_a_list_of_figures_is_computed_from_a_notebooks_names(loss, sampled, failed, monkeypatch, capsys):
    """Who changes a number is told; with MM_JAX_CHECK it is an error. A long run that was left out says when it was."""
    monkeypatch.setitem(sys.modules, "figures_of.lecture_0", LIST)
    monkeypatch.delenv("MM_JAX_CHECK", raising=False)
    names = {"words": WORDS, "loss": loss, "final": None, "sampled": sampled}
    figures.show("lecture_0", names)
    out = capsys.readouterr().out
    assert ("Did you change something" in out) == failed
    assert "2.06741 on 2026..." in out
    monkeypatch.setenv("MM_JAX_CHECK", "1")
    with pytest.raises(AssertionError, match="outside") if failed else contextlib.nullcontext():
        figures.show("lecture_0", names)


def test_a_figure_of_a_cell_that_was_not_run_says_which_name_lacks(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "figures_of.lecture_0", LIST)
    figures.show("lecture_0", {"words": WORDS, "final": 2.0674, "sampled": "emma"})
    assert "cell not run: loss" in capsys.readouterr().out


def test_pieces_of_one_print_are_joined(notebooks):
    def piece(text, name="stdout"):
        return notebooks.nbformat.v4.new_output("stream", name=name, text=text)

    picture = notebooks.nbformat.v4.new_output("display_data", data={"image/png": ""})
    outputs = notebooks.joined(
        [piece("a "), piece("b"), picture, piece("c"), piece("d", "stderr"), piece("e", "stderr")]
    )
    assert [output.get("text", "picture") for output in outputs] == ["a b", "picture", "c", "de"]
