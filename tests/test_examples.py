"""The examples run, as a user runs them, on the bundled list and with few steps."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mm_jax

EXAMPLES = Path(__file__).parent.parent / "examples"
BUNDLED = Path(__file__).parent.parent / "data" / "given_names.txt"
ENV = {**os.environ, "COLUMNS": "100"}
# Warnings are errors, but for one: JAX writes its cache of programs in pieces, and another test may read half an entry.
STRICT = ["-W", "error", "-W", "ignore:Error reading persistent compilation cache entry"]


def run(*args, timeout=120):
    command = [sys.executable, *STRICT, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=ENV, check=False)


def runs_of(script, *calls):
    """(exit status, stdout, stderr) of a script called with some options, one call after another in one process."""
    code = f"""
import contextlib, io, json, runpy, sys
sys.path.insert(0, {str(script.parent)!r})  # as `python script` does
found = []
for arguments in json.loads(sys.stdin.read()):
    sys.argv = [{str(script)!r}, *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = 0
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:
            status = ended.code
    found.append([1 if isinstance(status, str) else status or 0, out.getvalue(), err.getvalue() + str(status)])
print(json.dumps(found))
"""
    given = json.dumps([list(map(str, call)) for call in calls])
    command = [sys.executable, *STRICT, "-c", code]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, env=ENV, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_train_mlp_is_reproducible():
    """In another process as well."""
    options = ("--data", BUNDLED, "--steps", 3, "--recipe", "lecture", "--hidden-dim", 8)
    one, two = ((*options, "--seed", seed) for seed in (1, 2))
    said = [*runs_of(EXAMPLES / "train_mlp.py", one, two), *runs_of(EXAMPLES / "train_mlp.py", one)]
    first, other, again = (out.split("(* is in the list):\n")[1] for _, out, _ in said)
    assert first == again != other


REFUSED = {
    "error: steps is 0": ["--steps", "0"],
    "batch_size is -1: give 1 or more": ["--batch-size", "-1"],
    "error: nowhere.txt does not exist": ["--data", "nowhere.txt"],
    "error: learning_rate is -1.0": ["--lr", "-1"],
    "error: block_size is 0": ["--block-size", "0"],
    "error: --num-samples is -3": ["--num-samples", "-3"],
}


def test_train_mlp_trains_and_refuses_wrong_things_without_a_traceback():
    calls = [args if "--data" in args else [*args, "--data", BUNDLED] for args in REFUSED.values()]
    good = ["--data", BUNDLED, "--steps", 60, "--num-samples", 7]
    (status, out, err), *refused = runs_of(EXAMPLES / "train_mlp.py", good, *calls)
    assert status == 0, err
    assert f"8,601 words with 26 different characters from {BUNDLED}" in out.replace("\n", "")
    assert "11,897 parameters" in out
    assert "60/60 steps" in out
    assert all(f"│ {name}" in out for name in ("train", "dev", "test"))
    assert "lecture" not in out
    assert len(out.split("samples (* is in the list):\n")[1].splitlines()) == 7
    for message, (status, _, said) in zip(REFUSED, refused, strict=True):
        assert (status, message in said, "Traceback" in said) == (1, True, False), said


@pytest.mark.slow
def test_ctrl_c_stops_with_what_it_has():
    command = [sys.executable, EXAMPLES / "train_mlp.py", "--data", BUNDLED, "--recipe", "lecture"]
    with subprocess.Popen(map(str, command), stdout=subprocess.PIPE, text=True, env=ENV) as process:
        for line in process.stdout:
            if "compiled in" in line:
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "(stopped by Ctrl-C)" in rest
    assert "20 samples" in rest


@pytest.mark.slow
@pytest.mark.weekly
def test_best_goes_on_from_what_it_kept(tmp_path):
    page = tmp_path / "names.html"
    command = (EXAMPLES / "best.py", "--data", BUNDLED, "--quick", "--out", tmp_path, "--page", page)
    first = run(*command, timeout=600)
    assert first.returncode == 0, first.stderr
    assert "200 words drawn" in first.stdout
    assert first.stdout.count("test ") == 3
    again = run(*command, timeout=600)
    assert again.returncode == 0, again.stderr
    kept = [line for line in first.stdout.splitlines() if "words drawn" not in line]
    assert sorted(again.stdout.splitlines()) == sorted(kept)  # members are made side by side
    assert "examples/best.py" in page.read_text(encoding="utf-8")
    student = mm_jax.load(tmp_path / "student.safetensors")
    assert mm_jax.num_params(student) == 225_307


@pytest.mark.slow
def test_a_part_of_the_evidence_is_as_the_file_says(names, tmp_path):
    done = run(EXAMPLES / "evidence.py", "--check", "--models", tmp_path, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal") == 6 and "NOT" not in done.stdout


@pytest.mark.slow
@pytest.mark.weekly
def test_efforts_says_what_is_promised_and_taken():
    ((status, out, err),) = runs_of(EXAMPLES / "efforts.py", ["--effort", "quick", "--lists", 50, "--cold"])
    assert status == 0, err
    words, characters, effort, tries, promised, took = out.splitlines()[-1].strip("| ").split(" | ")
    assert (words, characters, effort, tries) == ("50", "8", "quick", "ngram, prior")
    assert 1 <= int(promised) <= 5 and int(took) >= 1


@pytest.mark.slow
def test_phonemes(tmp_path):
    """A dictionary in the form of cmudict; of its second pronunciations and abbreviations none is learned."""
    lines = [f"{a}{b}{c} {a.upper()} AE1 {c.upper()} # a comment" for a in "bdgkmnpt" for b in "a" for c in "bdgkmnpt"]
    (tmp_path / "small.dict").write_text("\n".join([*lines, "read(2) R EH1 D", "a.m. EY2 EH1 M"]))
    options = "--dictionary", tmp_path / "small.dict", "--folder", tmp_path, "--effort", "quick"
    done = run(EXAMPLES / "phonemes.py", *options)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "phonemes.txt").read_text().splitlines()[:2] == ["B AE1 B", "B AE1 D"]
    assert (tmp_path / "letters.txt").read_text().splitlines()[:2] == ["bab", "bad"]
    assert "per phoneme" in done.stdout and "order 6" in done.stdout and done.stdout.count("AE1") >= 10
