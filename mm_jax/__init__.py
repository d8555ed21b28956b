"""mm_jax makes more of whatever list it is given: character-level language models in functional JAX."""

import importlib as _importlib

import lazy_loader as _lazy

# The names are listed in __init__.pyi; a module is imported when a name of it is first used.
_named, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__version__ = "0.1.0"


def __getattr__(name: str):
    """A public name; or else a model's file, so that `mm_jax.mine` is `mm_jax/models/mine.py`."""
    try:
        return _named(name)
    except AttributeError:
        models = _importlib.import_module("mm_jax.models")  # `from mm_jax import models` would ask here for `models`

        if name in models.__all__:
            return getattr(models, name)
        raise
