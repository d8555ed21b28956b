"""Training: what a step reads (`batches`), how to train (`recipes`), the steps (`loop`), many runs (`population`)."""

import pkgutil as _pkgutil

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, [each.name for each in _pkgutil.iter_modules(__path__)])
