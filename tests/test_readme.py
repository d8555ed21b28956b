"""Every Python block of the README runs, in order, and prints what stands behind it."""

import re
import subprocess
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(monkeypatch, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    scope = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert scope["names"] == scope["again"]


def test_paths_and_pictures_are_there():
    root = Path(__file__).parent.parent
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (root / target).exists(), target
    for command in re.findall(r"python (examples/\S+\.py)", README):
        assert (root / command).exists(), command


def _lines(text):
    """The lines of an output, without the seconds of the table of what was tried."""
    return [re.sub(r" +\d+\.\d( +kept)?$", r"\1", line).rstrip() for line in text.splitlines()]


@pytest.mark.slow
def test_the_tool_section_runs_as_written_and_prints_what_it_shows(tmp_path):
    section = README.split("## A list of your own")[1].split("\n## ")[0]
    pairs = re.findall(r"```sh\n(.*?)```\n\n```\n(.*?)```", section, re.DOTALL)
    assert len(pairs) == 2
    for block, shown in pairs:
        done = subprocess.run(["bash", "-ec", block], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert _lines(done.stderr + done.stdout) == _lines(shown)
