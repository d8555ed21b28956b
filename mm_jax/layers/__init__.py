"""What several models share: layers, and how they are read; no model is imported here."""

import pkgutil as _pkgutil

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, [module.name for module in _pkgutil.iter_modules(__path__)])
