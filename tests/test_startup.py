"""A process starts and ends sooner, and nothing else about it changes."""

import os
import subprocess
import sys

import jax

from mm_jax import startup


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
