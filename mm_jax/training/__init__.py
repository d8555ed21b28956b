"""Training: batches (`batches`), options (`recipes`), the steps (`loop`), many runs at once (`population`)."""

import pkgutil as _pkgutil

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, [module.name for module in _pkgutil.iter_modules(__path__)])
