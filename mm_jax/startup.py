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
    """What the command and the examples call first.

    Programs are read back that were compiled before, where a folder can be written; the user's own
    `JAX_COMPILATION_CACHE_DIR` is respected. All are kept: a small one, too, is read sooner than it is compiled.
    Python looks for garbage less often, and not at the end: what is imported stays, and to search all of it once more
    takes a quarter of a second.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    _keep_programs()


def _keep_programs() -> None:
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
    if "jax" in sys.modules:  # which read the environment when it was imported
        jax = sys.modules["jax"]
        jax.config.update(_FOLDER.lower(), os.environ.get(_FOLDER) or None)
        jax.config.update(_LEAST.lower(), float(os.environ[_LEAST]))


@contextlib.contextmanager
def ahead(*calls: Callable[[], Any]) -> Iterator[None]:
    """Makes calls on a second core while the block runs, for the programs that they compile: later calls find them.

    What they return or raise is dropped.
    """
    with ThreadPoolExecutor(1) as pool:
        for call in calls:
            pool.submit(call)
        yield
