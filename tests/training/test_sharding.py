"""A batch divided among devices, and among processes, gives the losses of one device."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

import mm_jax
from mm_jax.training import batches, sharding, stream_batches

from ..conftest import BUNDLED

SCRIPT = Path(__file__).parent / "multi_device.py"


@pytest.fixture(scope="module")
def words_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("\n".join(BUNDLED[::20]))
    return path


@pytest.fixture(scope="module")
def one_device(words_file):
    words = mm_jax.load_words(words_file)
    vocab = mm_jax.Vocab.from_words(words)
    found = {}
    for batch_size in (32, None):
        params = mm_jax.mlp.init(jax.random.key(0), vocab, hidden_dim=16)
        params, history = mm_jax.fit(
            params, words, jax.random.key(1), steps=20, batch_size=batch_size, optimizer=optax.adam(0.01), dev=words
        )
        found |= {f"loss_{batch_size}": history.loss, f"dev_{batch_size}": history.dev[-1][1]}
        found |= {f"W1_{batch_size}": np.asarray(params.W1)}
    return found


def start(words_file, out, devices, *extra, **options):
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen([sys.executable, SCRIPT, words_file, out, *map(str, extra)], env=env, **options)


def check(out, one_device, devices):
    with np.load(out) as found:
        assert int(found["devices"]) == devices
        for name, value in one_device.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_four_devices(words_file, one_device, tmp_path):
    assert start(words_file, tmp_path / "out.npz", 4).wait(timeout=120) == 0
    check(tmp_path / "out.npz", one_device, 4)


@pytest.mark.slow
def test_two_processes(words_file, one_device, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outs = [tmp_path / f"{i}.npz" for i in range(2)]
    processes = [start(words_file, out, 1, i, port) for i, out in enumerate(outs)]
    try:
        assert [process.wait(timeout=180) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    for out in outs:
        check(out, one_device, 2)
    with np.load(outs[0]) as first, np.load(outs[1]) as second:
        assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture
def mesh():
    """Three devices, of which there is one: what is refused is refused before they are used."""
    return jax.sharding.Mesh(np.array(jax.devices()[:1] * 3), ("batch",))


def test_refuses(mesh):
    bigram = mm_jax.bigram.init(jax.random.key(0), mm_jax.Vocab(".ab"))
    with pytest.raises(ValueError, match="batch_size is 32: give a multiple of the 3 devices"):
        mm_jax.fit(bigram, ["ab", "ba"], jax.random.key(1), steps=1, batch_size=32, mesh=mesh)

    stream = stream_batches.stream_examples(np.zeros(99, np.uint8), bigram, mm_jax.Recipe(steps=1, batch_size=32))
    with pytest.raises(ValueError, match="batch_size is 32: give a multiple of the 3 devices"):
        sharding.divisible(stream, mesh)


@pytest.mark.parametrize("batch_size", [13, 44, 100])
def test_rows_of_a_long_list_take_another_batch_size(mesh, batch_size):
    """It is not the rows of a batch but their tokens that a batch size gives: the one that divides them is told."""
    gru = mm_jax.gru.init(jax.random.key(0), mm_jax.Vocab.from_words(BUNDLED), hidden_dim=4)
    recipe = mm_jax.Recipe(steps=1, batch_size=batch_size, draw="words")

    def divided(batch_size):
        size, length = stream_batches.shape(BUNDLED, batch_size)
        tokens = np.zeros(100 * size * length, np.uint8)
        return sharding.divisible(stream_batches.stream_words(tokens, size, length, gru, recipe), mesh).size

    with pytest.raises(ValueError, match="batch_size=") as refused:
        divided(batch_size)
    assert divided(int(re.search(r"batch_size=(\d+)", str(refused.value))[1])) % 3 == 0


def test_a_full_batch_is_padded_or_refused(mesh):
    """Contexts get rows of weight 0; rows of whole words are counted, and are not padded."""
    words, vocab = ["ab", "ba"], mm_jax.Vocab(".ab")
    mlp = mm_jax.mlp.init(jax.random.key(0), vocab, block_size=2, hidden_dim=4)
    full = mm_jax.Recipe(steps=1, batch_size=None)
    batch = batches.make_batches(words, mlp, full)
    padded = sharding.divisible(batch, mesh)
    assert len(batch.contexts) == 5 and len(padded.contexts) == 6
    assert float(padded.weights.sum()) == pytest.approx(1)
    rows = batches.make_batches(words, mm_jax.gru.init(jax.random.key(0), vocab, hidden_dim=4), full)
    with pytest.raises(ValueError, match="batch_size is 2: give a multiple of the 3 devices"):
        sharding.divisible(rows, mesh)
