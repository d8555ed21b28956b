"""What several models are built from: packed rows, dropout, products that are fast on a CPU, recurrence, new weights.

No file here knows a model. Each says what it gains over the plain form, once.
"""

import pkgutil as _pkgutil

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, [module.name for module in _pkgutil.iter_modules(__path__)])
