"""Training from a stream in processes of their own: divided among devices and processes, killed and resumed."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mm_jax import checkpoint

from ..conftest import BUNDLED

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent / "from_a_stream.py"


@pytest.fixture(scope="module")
def words_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("".join(f"{word}\n" for word in BUNDLED[::20]))
    return path


def start(words_file, state, *extra, devices=1):
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen([sys.executable, SCRIPT, words_file, state, *map(str, extra)], env=env)


@pytest.fixture(scope="module")
def whole(words_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "state"
    assert start(words_file, path).wait(timeout=240) == 0
    return path.read_bytes()


def read(path):
    return checkpoint.read_arrays(path, "state")[0]


def check(path, whole, devices, tmp_path):
    (tmp_path / "whole").write_bytes(whole)
    found, expected = read(path), read(tmp_path / "whole")
    assert int(found["devices"]) == devices and len(found["losses"]) == 120
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-4)
    np.testing.assert_allclose(found["params.W1"], expected["params.W1"], rtol=1e-2, atol=1e-3)


def test_four_devices(words_file, whole, tmp_path):
    assert start(words_file, tmp_path / "state", devices=4).wait(timeout=240) == 0
    check(tmp_path / "state", whole, 4, tmp_path)


def test_two_processes_each_read_their_own_rows(words_file, whole, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    states = [tmp_path / f"{i}" for i in range(2)]
    processes = [start(words_file, state, i, port) for i, state in enumerate(states)]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    check(states[0], whole, 2, tmp_path)
    assert states[0].read_bytes() == states[1].read_bytes()


def test_killed_and_resumed_it_ends_in_the_same_bits(words_file, whole, tmp_path):
    """kill -9, five times, at any instant after a first state was written."""
    state, rng = tmp_path / "state", random.Random(0)
    reached = []
    for _ in range(5):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(words_file, state)
        while (state.stat().st_mtime_ns if state.exists() else 0) == before and process.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        reached.append(len(read(state)["losses"]))
    assert reached == sorted(reached) and 0 < reached[-1] < 120
    assert start(words_file, state).wait(timeout=240) == 0
    assert state.read_bytes() == whole
