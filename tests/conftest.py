"""What every test runs under: quick compilation, shapes and types checked, broadcasting and key reuse refused."""
# ruff: noqa: E402  (settings come before JAX)

import contextlib
import gc
import os
import sys
from importlib.metadata import version
from pathlib import Path

import jaxtyping

from . import typechecking  # noqa: F401  (the hook looks it up by name)

ROOT = Path(__file__).parent.parent

# The tests compile some three thousand small programs and hardly run them: XLA's optimizations, and the threads of its
# code generator, cost more than they gain. Programs are kept for the next run. JAX reads these settings when it is
# imported; processes that tests start inherit them.
assert "jax" not in sys.modules, "a plugin of pytest imported JAX before its settings were made"
FLAGS = ["--xla_backend_optimization_level=0"]
if tuple(map(int, version("jaxlib").split(".")[:3])) < (0, 11, 1):  # later ones end at a flag that they do not know
    FLAGS += ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]
QUICK = {
    "XLA_FLAGS": " ".join(FLAGS),
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".pytest_cache" / "jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
for name, value in QUICK.items():
    os.environ.setdefault(name, value)

# Every module of mm_jax that is imported from here on is checked; none is imported before a test needs it.
jaxtyping.install_import_hook("mm_jax", "tests.typechecking.checked")

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import settings

import mm_jax
from mm_jax import output
from mm_jax import words as word_lists
from mm_jax.training import batches, loop

gc.set_threshold(100_000)  # looking for garbage takes a seventh of the time of a compilation
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
settings.register_profile("patient", deadline=None)  # another process may keep the core
settings.load_profile("patient")

FIRST_FIVE = ["emma", "olivia", "ava", "isabella", "sophia"]  # of the lecture's list
LETTERS = mm_jax.Vocab(".abcdefghijklmnopqrstuvwxyz")
BUNDLED = mm_jax.load_words(word_lists.bundled_names())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`-m names` chooses the tests that read the lecture's list."""
    for item in items:
        if "names" in getattr(item, "fixturenames", ()):
            item.add_marker("names")


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    """No test reaches for the network: what a download does is tested with a stand-in."""
    monkeypatch.setattr(word_lists, "_download", lambda: None)


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """No test waits for, or stumbles over, what a command says after two seconds of silence: a busy machine is slow."""
    monkeypatch.setattr(output, "SILENCE", 1000.0)


@pytest.fixture
def params(request):
    """The model of the zoo that a test names (see `models.zoo.each_of`)."""
    from .models.zoo import model

    return model(*request.param)


@pytest.fixture(scope="session")
def names():
    """The lecture's list, or a skip with the reason."""
    found = word_lists.find_names()
    if found is None:
        reason = "names.txt is not there: put it into data/"
        pytest.fail(reason) if os.environ.get("MM_JAX_REQUIRE_NAMES") == "1" else pytest.skip(reason)
    return mm_jax.load_words(found)


@pytest.fixture(scope="session")
def split(names):
    return mm_jax.split_words(names)


@pytest.fixture(scope="session")
def table():
    """The lecture's count table, from the file of figures: int64 [27, 27]."""
    path = word_lists.bundled_names().parent / "names_bigrams.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 28), dtype=np.int64)


@pytest.fixture(scope="session")
def torch_init():
    """What torch.randn gives for the lectures' generator seed 2147483647."""
    with np.load(ROOT / "examples" / "fixtures" / "torch_init_2147483647.npz") as arrays:
        return dict(arrays)


def slow(cases):
    """The cases of a parametrized test that only the long tests run; a tuple holds several arguments."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases]


@contextlib.contextmanager
def unchecked():
    """As users run it: what is passed in by mistake reaches the package, which the type checker would refuse before."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with jax.numpy_rank_promotion("allow"), jax.debug_key_reuse(False):
            yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def equal(one, other):
    """Whether two trees have the same structure, dtypes and bits."""
    return jax.tree.structure(one) == jax.tree.structure(other) and jax.tree.all(
        jax.tree.map(lambda a, b: a.dtype == b.dtype and np.array_equal(_bits(a), _bits(b)), one, other)
    )


def _bits(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def drawn(make, *arguments, seed=0, **options):
    """New parameters of the shapes that `make(key, ...)` gives, drawn by NumPy: nothing is compiled for them.

    Gains are 1, all else is around 0, and so are the logits.
    """
    shapes = jax.eval_shape(lambda: make(jax.random.key(seed), *arguments, **options))
    random = np.random.default_rng(seed)

    def one(path, leaf):
        if "gain" in jax.tree_util.keystr(path[-1:]):
            return jax.device_put(np.ones(leaf.shape, np.float32))
        fan_in = leaf.shape[-2] if leaf.ndim > 1 else 1
        return jax.device_put(np.float32(0.3 * random.standard_normal(leaf.shape) / np.sqrt(fan_in)))

    return jax.tree_util.tree_map_with_path(one, shapes)


def mlp_of(arrays, size, vocab=LETTERS):
    """An MLP of the fixture's arrays: size is "2_100" or "10_200"."""
    leaves = {name: arrays[f"mlp_{size}_{name}"] for name in ("C", "W1", "b1", "W2", "b2")}
    return mm_jax.MLP(**jax.device_put(leaves), vocab=vocab)  # jnp.asarray compiles a program for each shape


def loss_of(params, contexts, weights, l2=None):
    """`loop.loss` of contexts and the weights of what follows them, in one program."""
    return _loss_of(params, np.asarray(contexts, np.int32), np.asarray(weights, np.float32), l2)


@jax.jit
def _loss_of(params, contexts, weights, l2):
    batch = batches.FullBatch(contexts, weights)
    return loop.loss(params, batch.predict, *batch.batch(()), l2)


def log_softmax(rows):
    """Of the last axis, by NumPy in float64: nothing is compiled."""
    rows = np.asarray(rows, np.float64)
    rows = rows - rows.max(-1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(-1, keepdims=True))


def softmax(rows):
    return np.exp(log_softmax(rows))
