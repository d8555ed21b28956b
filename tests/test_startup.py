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


def prepared(code, tmp_path, **own):
    """What a process prints that prepares and then runs some code."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    env |= {"XDG_CACHE_HOME": str(tmp_path), **own}
    code = f"{code}\nprint(jax.config.jax_compilation_cache_dir)"
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


def test_programs_are_kept_whether_jax_is_imported_before_or_after(tmp_path):
    before = prepared("import jax\nfrom mm_jax import startup\nstartup.prepare()", tmp_path)
    after = prepared("from mm_jax import startup\nstartup.prepare()\nimport jax", tmp_path)
    assert before == after == f"{tmp_path / 'mm_jax' / 'jax'}\n"
    own = prepared("import jax\nfrom mm_jax import startup\nstartup.prepare()", tmp_path, JAX_COMPILATION_CACHE_DIR="x")
    assert own == "x\n"


HOSTILE = {
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "5",
    "JAX_HIGH_DYNAMIC_RANGE_GUMBEL": "1",
    "JAX_SOFTMAX_CUSTOM_JVP": "1",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
}


def command(*arguments, **env):
    """Runs the command in a process with other settings: its stdout."""
    env = {name: value for name, value in os.environ.items() if name not in HOSTILE} | env
    done = subprocess.run(
        [sys.executable, "-m", "mm_jax", *map(str, arguments)], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder, and its words of seed 3."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    command("train", lists.bundled_names(), "--out", folder, "--model", "counts")
    return folder, command("sample", folder, "--seed", 3)


@pytest.mark.parametrize("name", HOSTILE)
def test_words_of_a_seed_hang_on_no_setting_of_the_environment(name, run):
    folder, words = run
    assert command("sample", folder, "--seed", 3, **{name: HOSTILE[name]}) == words


def test_settings_are_made_whether_jax_is_imported_before_or_after(tmp_path):
    show = "print({name: jax.config.values[name] for name in startup.SETTINGS})"
    for code in ("import jax\nfrom mm_jax import startup\n", "from mm_jax import startup\n"):
        out = prepared(f"{code}startup.prepare()\nimport jax\n{show}", tmp_path, **HOSTILE)
        assert out.splitlines()[0] == str(startup.SETTINGS)
    assert {name.upper() for name in startup.SETTINGS} == set(HOSTILE)


def test_a_run_holds_what_it_was_made_with(run, tmp_path):
    made_with = json.loads((run[0] / "config.json").read_text())["made with"]
    assert made_with == startup.made_with() | startup.SETTINGS
    assert made_with["jax"] == jax.__version__
