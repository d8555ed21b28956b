"""What README.md and examples/README.md show: every block runs, every link leads somewhere, outputs are as shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mm_jax
from mm_jax import models
from mm_jax import words as word_lists

ROOT = Path(__file__).parent.parent
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "examples/README.md")}
README, EXAMPLES = PAGES.values()
pages = pytest.mark.parametrize("name", PAGES)

# Options with which the commands of examples/README.md are short enough to run here. What is not here is run by .ci/run
# or by test_examples.py, test_exercises.py and test_moses.py.
SHORT = {
    "examples/ladder.py": "--data short.txt --steps 1 --num-samples 5",
    "examples/benchmark_words.py": "--quick",
    "examples/long_lists.py": "--words 3000",
    "examples/documents.py": "--text short.txt --effort quick",
}


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _script(command):
    """`examples/ladder.py` of `python examples/ladder.py`."""
    return command.split()[1]


def _run(command, folder):
    """Runs a command of a page in a folder that looks like the checkout, with a list of 300 names in it."""
    for name in ("examples", "data"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    names = word_lists.bundled_names().read_text(encoding="utf-8").splitlines()[::29]
    (folder / "short.txt").write_text("\n".join(names), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "COLUMNS": "100"}
    return subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )


def outside_code(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(text):
    """The names under which a code host links to the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", outside_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.slow
@pages
def test_python_blocks_run(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for block in blocks(PAGES[name], "python"):
        exec(compile(block, name, "exec"), scope)
    assert mm_jax.num_params(scope["mine"])  # the last block of both


@pages
def test_links_lead_somewhere(name):
    here = (ROOT / name).parent
    found = re.findall(r"\]\(([^)\s]+)\)", outside_code(PAGES[name]).replace("\n", " "))
    assert found
    for target in found:
        path, _, anchor = target.partition("#")
        assert (here / path).exists() or "://" in path, target
        if anchor:
            page = (here / path if path else ROOT / name).read_text(encoding="utf-8")
            assert anchor in anchors(page), target
    for path in re.findall(r"\b((?:examples|tests|mm_jax|data)/[\w/]+\.py)\b", PAGES[name]):
        assert (ROOT / path).exists(), path


@pages
def test_places_that_a_script_fills_are_there_once(name):
    here = ["evidence"] if name == "README.md" else ["rungs", "spreads", "pairs", "units", "sizes", "prior"]
    for place in here:
        assert PAGES[name].count(f"<!-- {place}: begin -->") == PAGES[name].count(f"<!-- {place}: end -->") == 1


def test_the_front_page_stays_short():
    assert len(README.splitlines()) <= 220


def test_the_help_of_the_package_names_every_file():
    for path in (ROOT / "mm_jax").iterdir():
        if not path.name.startswith("_") and path.suffix in ("", ".py"):
            assert re.search(rf"^    {path.stem}/?  ", mm_jax.__doc__ or "", re.MULTILINE), path.name


def test_the_versions_agree():
    assert f'version = "{mm_jax.__version__}"' in (ROOT / "pyproject.toml").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\d\S+)", changes, re.MULTILINE)[1] == mm_jax.__version__


COMMANDS = [line for block in blocks(EXAMPLES, "sh") for line in block.splitlines()]


SCRIPTS = [each for each in COMMANDS if each.startswith("python ") and _script(each) in SHORT]
MINUTES = ("examples/benchmark_words.py", "examples/ladder.py")  # with those options too


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=[pytest.mark.weekly] if _script(each) in MINUTES else []) for each in SCRIPTS],
)
def test_the_examples_run(command, tmp_path, request):
    if "benchmark" in command:
        request.getfixturevalue("names")  # its figures are of this list
    done = _run(f"{command} {SHORT[_script(command)]}", tmp_path)
    assert done.returncode == 0, done.stderr
    if "ladder" in command:
        rungs = {recipe.rung for model in models.makeable().values() for recipe in model.recipes.values()} - {""}
        assert {"GRU", "transformer"} <= rungs and all(rung in done.stdout for rung in rungs)


@pytest.mark.slow
def test_the_other_commands_run(tmp_path):
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    elsewhere = ci + "".join(
        (ROOT / "tests" / f"test_{name}.py").read_text() for name in ("examples", "exercises", "moses")
    )
    for command in COMMANDS:
        if command.startswith("mm-jax "):
            done = _run(command, tmp_path)
            assert done.returncode == 0, done.stderr
        elif command.startswith("pip "):
            assert command.removeprefix("pip install ") in ci, command
        elif _script(command) not in SHORT:
            assert Path(_script(command)).name in elsewhere, command


def _lines(text):
    """The lines of an output, without the seconds of the table of what was tried, and what a slow machine adds."""
    lines = [line for line in text.splitlines() if not re.fullmatch(r"[a-z ]+ \.\.\.", line)]
    return [re.sub(r" +\d+\.\d( +kept)?$", r"\1", line).rstrip() for line in lines]


@pytest.mark.slow
def test_the_tool_section_runs_as_written_and_prints_what_it_shows(tmp_path):
    section = README.split("## A list of your own")[1].split("\n## ")[0]
    pairs = re.findall(r"```sh\n(.*?)```\n\n```\n(.*?)```", section, re.DOTALL)
    assert len(pairs) == 2
    for block, shown in pairs:
        done = subprocess.run(["bash", "-ec", block], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert _lines(done.stderr + done.stdout) == _lines(shown)
