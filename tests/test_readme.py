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


@pytest.mark.slow
def test_the_tool_section_runs_as_written(tmp_path):
    section = README.split("## A list of your own")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    done = subprocess.run(["bash", "-ec", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    towns = (tmp_path / "towns.txt").read_text().split()
    new = done.stdout.splitlines()[-8:]
    assert len(set(new)) == 8
    assert not set(new) & set(towns)
    assert set("".join(new)) <= set("".join(towns))
