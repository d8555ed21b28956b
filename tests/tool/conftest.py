"""The command, called in this process; and run folders to call it on."""

import sys

import pytest

from mm_jax import output
from mm_jax import words as lists
from mm_jax.tool import entry

NAMES = lists.bundled_names()


def make(folder, words, name="list.txt"):
    """A file of words, one a line."""
    path = folder / name
    path.write_text("\n".join([*words, ""]), encoding="utf-8")
    return path


@pytest.fixture
def mm(monkeypatch, capsys):
    """mm("sample", run, ...) -> (exit status, stdout, stderr)."""

    def call(*args):
        monkeypatch.setattr(output, "_hushed", False)
        monkeypatch.setattr(sys, "argv", ["mm-jax", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


def train(*args, status=0):
    """`mm-jax train`, for what several tests share."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(output, "_hushed", False)
        patch.setattr(sys, "argv", ["mm-jax", "train", *map(str, args)])
        entry.main()
    assert (ended.value.code or 0) == status


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Two run folders of bundled names: an n-gram, and an MLP of few steps."""
    folder = tmp_path_factory.mktemp("runs")
    for model, extra in (("ngram", []), ("mlp", ["--steps", "40", "--hidden-dim", "16"])):
        train(NAMES, "--model", model, "--out", folder / model, *extra)
    return folder
