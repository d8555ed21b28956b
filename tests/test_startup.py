"""A process starts and ends sooner, and nothing else about it changes."""

import json
import os
import subprocess
import sys

import jax
import pytest

from mm_jax import startup
from mm_jax import words as lists


def test_what_is_compiled_ahead_is_there_and_what_fails_ahead_is_dropped():
    traced = []

    @jax.jit
    def program(x):
        traced.append(x)
        return x + 1

    with startup.precompile(lambda: 1 / 0, lambda: program(1.0)):
        pass
    assert program(1.0) == 2.0
    assert len(traced) == 1


HOSTILE = {
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "5",
    "JAX_HIGH_DYNAMIC_RANGE_GUMBEL": "1",
    "JAX_SOFTMAX_CUSTOM_JVP": "1",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
}


def prepared(code, tmp_path, **own):
    """What a process prints that prepares under hostile settings: the folder of its programs, and its settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    env |= {"XDG_CACHE_HOME": str(tmp_path), **HOSTILE, **own}
    code += "\nprint(jax.config.jax_compilation_cache_dir)"
    code += "\nprint({name: jax.config.values[name] for name in startup.SETTINGS})"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_programs_are_kept_and_settings_made_whether_jax_is_imported_before_or_after(tmp_path):
    before = prepared("import jax\nfrom mm_jax import startup\nstartup.prepare()", tmp_path)
    after = prepared("from mm_jax import startup\nstartup.prepare()\nimport jax", tmp_path)
    assert before == after == [f"{tmp_path / 'mm_jax' / 'jax'}", str(startup.SETTINGS)]
    assert {name.upper() for name in startup.SETTINGS} == set(HOSTILE)


def test_a_folder_of_ones_own_is_kept(tmp_path):
    own = prepared("import jax\nfrom mm_jax import startup\nstartup.prepare()", tmp_path, JAX_COMPILATION_CACHE_DIR="x")
    assert own[0] == "x"


def commands(*lines, **env):
    """Runs commands one after another in a process with other settings: the stdout of each."""
    code = """
import contextlib, io, json, sys
from mm_jax.tool import entry
found = []
for line in json.loads(sys.argv[1]):
    sys.argv[1:] = line
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        entry.main()
    found.append(out.getvalue())
print(json.dumps(found))
"""
    env = {name: value for name, value in os.environ.items() if name not in HOSTILE} | env
    given = json.dumps([list(map(str, line)) for line in lines])
    done = subprocess.run([sys.executable, "-c", code, given], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder, and its words of seed 3."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train = ("train", lists.bundled_names(), "--out", folder, "--model", "counts")
    return folder, commands(train, ("sample", folder, "--seed", 3))[1]


@pytest.mark.slow
def test_words_of_a_seed_hang_on_no_setting_of_the_environment(run):
    """Of all settings at once: of each alone, that it is made is seen above."""
    folder, words = run
    assert len(words.splitlines()) == 20
    assert commands(("sample", folder, "--seed", 3), **HOSTILE) == [words]


def test_a_run_holds_what_it_was_made_with(run):
    made_with = json.loads((run[0] / "config.json").read_text())["made with"]
    assert made_with == startup.made_with() | startup.SETTINGS
    assert made_with["jax"] == jax.__version__
