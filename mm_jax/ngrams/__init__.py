"""Counting n-grams in NumPy: what `mm_jax.ngram` is fitted with.

counting     counts the n-grams of every order, and walks from a context's shortest end to the whole of it
smoothing    turns counts into probabilities and back-off weights
orders       computes the held-out loss of every order, to choose one
arpa         writes the text that kenlm and SRILM read
table        the sparse table that an n-gram model and a prefix trie are stored in (this one runs under JAX)
"""

import pkgutil as _pkgutil

import lazy_loader as _lazy

# A module is imported when it is first used.
__getattr__, __dir__, __all__ = _lazy.attach(__name__, [module.name for module in _pkgutil.iter_modules(__path__)])
