"""The models, one a file. Start with `contract`, which says what a model is; then counts, bigram, mlp."""

import pkgutil as _pkgutil

import lazy_loader as _lazy

# No list of models: whatever file is here is found. Each is imported when it is first used.
__getattr__, __dir__, __all__ = _lazy.attach(__name__, [each.name for each in _pkgutil.iter_modules(__path__)])
