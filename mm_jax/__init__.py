"""mm_jax makes more of whatever list it is given: character-level language models in functional JAX."""

import lazy_loader as _lazy

# The names are listed in __init__.pyi; a module is imported when a name of it is first used.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__version__ = "0.1.0"
