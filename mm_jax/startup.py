"""Shortens start and exit: persistent compilation cache, compilation on a second thread, less garbage collection."""

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import platformdirs

_FOLDER, _LEAST = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


def prepare() -> None:
    """Sets up the compilation cache and garbage collection; the command and the examples call it first.

    Compiled programs are cached in the user's cache folder, or in `JAX_COMPILATION_CACHE_DIR`. Small programs are
    cached too: reading one takes less time than compiling it. Garbage is collected less often, and not at exit, where a
    search of all imported modules would take a quarter of a second.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    _keep_programs()


def _keep_programs() -> None:
    """Chooses the cache folder if it can be written, by the environment and, once JAX is imported, by its config."""
    if _FOLDER not in os.environ:
        folder = platformdirs.user_cache_path("mm_jax") / "jax"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            usable = os.access(folder, os.W_OK | os.X_OK)
        except OSError:
            usable = False
        if usable:
            os.environ[_FOLDER] = str(folder)
    os.environ.setdefault(_LEAST, "0")
    if "jax" in sys.modules:  # it read the environment when it was imported
        jax = sys.modules["jax"]
        jax.config.update(_FOLDER.lower(), os.environ.get(_FOLDER) or None)
        jax.config.update(_LEAST.lower(), float(os.environ[_LEAST]))


@contextlib.contextmanager
def precompile(*calls: Callable[[], Any]) -> Iterator[None]:
    """Makes calls on a second thread while the block runs, so that later calls find their programs compiled.

    Ignores their results and errors.
    """
    with ThreadPoolExecutor(1) as pool:
        for call in calls:
            pool.submit(call)
        yield
