"""Makes the settings of JAX that words hang on; shortens start and exit.

What a key's words hang on: the model, the arguments of the call, the version of mm_jax, and JAX: its version and the
`SETTINGS` below, which make the random numbers. The last digits of a loss, and with them at times a word, hang on the
machine too: its kind of device, the number of cores, the flags of XLA, `jax_disable_jit`. `mm-jax` and the examples
make the settings themselves, whatever the environment says; a program of your own has those that it makes, so call
`prepare()` first, or make none of them. A run folder's config.json holds settings and versions.
"""

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import platformdirs

import mm_jax

SETTINGS: dict[str, Any] = {  # JAX's defaults
    "jax_enable_x64": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_softmax_custom_jvp": False,
    "jax_default_matmul_precision": None,
}
_FOLDER, _LEAST = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


def prepare() -> None:
    """Makes the settings, sets up the compilation cache and garbage collection; the command and the examples call it.

    Compiled programs are cached in the user's cache folder, or in `JAX_COMPILATION_CACHE_DIR`. Small programs are
    cached too: reading one takes less time than compiling it. Garbage is collected less often, and not at exit, where a
    search of all imported modules would take a quarter of a second.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    _keep_programs()
    _make_settings()


def _make_settings() -> None:
    """Gives `SETTINGS` their values, by the environment and, once JAX is imported, by its config."""
    for name, value in SETTINGS.items():
        if value is None:
            os.environ.pop(name.upper(), None)
        else:
            os.environ[name.upper()] = value if isinstance(value, str) else str(int(value))
        if "jax" in sys.modules and name in sys.modules["jax"].config.values:
            sys.modules["jax"].config.update(name, value)


def made_with() -> dict[str, Any]:
    """Returns the versions and the settings of this process that words hang on."""
    import jax

    settings = {name: jax.config.values[name] for name in SETTINGS if name in jax.config.values}
    return {"mm_jax": mm_jax.__version__, "jax": jax.__version__, **settings}


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
