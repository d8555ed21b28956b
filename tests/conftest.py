"""What every test runs under: shapes and types checked, broadcasting and key reuse refused."""

import importlib
import os
import pkgutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import install_import_hook

import mm_jax

from . import typechecking  # noqa: F401  (the hook looks it up by name)

with install_import_hook("mm_jax", "tests.typechecking.checked"):
    for module in pkgutil.walk_packages(mm_jax.__path__, "mm_jax."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

from mm_jax import words as word_lists
from mm_jax.training import batches, loop

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)

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
    with np.load(Path(__file__).parent.parent / "examples" / "fixtures" / "torch_init_2147483647.npz") as arrays:
        return dict(arrays)


def equal(one, other):
    """Whether two trees have the same structure, dtypes and bits."""
    return jax.tree.structure(one) == jax.tree.structure(other) and jax.tree.all(
        jax.tree.map(lambda a, b: a.dtype == b.dtype and np.array_equal(_bits(a), _bits(b)), one, other)
    )


def _bits(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def mlp_of(arrays, size, vocab=LETTERS):
    """An MLP of the fixture's arrays: size is "2_100" or "10_200"."""
    leaves = {name: jnp.asarray(arrays[f"mlp_{size}_{name}"]) for name in ("C", "W1", "b1", "W2", "b2")}
    return mm_jax.MLP(**leaves, vocab=vocab)


def loss_of(params, contexts, weights, l2=None):
    """`loop.loss` of contexts and the weights of what follows them."""
    batch = batches.FullBatch(jnp.asarray(contexts, jnp.int32), jnp.asarray(weights, jnp.float32))
    return loop.loss(params, batch.predict, *batch.batch(()), l2)
