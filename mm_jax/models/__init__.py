"""The models, one a file. Start with `contract`, which defines a model; then counts, bigram, mlp.

    Counts       log(N + smoothing)[previous]                          counts.fit(words, vocab, smoothing=1.0)
    Bigram       W[previous]                                           bigram.init(key, vocab)
    MLP          tanh(C[context] @ W1 + b1) @ W2 + b2                  mlp.init(key, vocab, block_size=3)
    WaveNet      a tree: tanh(two neighbours end to end @ W + b)       wavenet.init(key, vocab, num_layers=3)
    NGram        interpolated modified Kneser-Ney, any order           ngram.fit(words, vocab, order=6)
    BagOfWords   mean of the embeddings so far, the last, a layer      bow.init(key, vocab)
    RNN          h = tanh(C[token] + h @ W1 + b1)                      rnn.init(key, vocab)
    GRU          gates as Cho et al. (2014)                            gru.init(key, vocab)
    Transformer  GPT-2's blocks, with a cache of keys and values       transformer.init(key, vocab)
    Mixture      sum of weight * p over models                         mm_jax.mixture.fit(models, dev)
    Product      product of p over models, renormalised                mm_jax.product.of(models)
    Fresh        a model corrected for a list that repeats little      fresh.wrap(params, words)
    Widened      a model over a larger alphabet                        widened.wrap(params, vocab)
    Network      a network of your own, of flax or any other kind      network.wrap(module, vocab, key=key)

Those above BagOfWords are windowed: they see the last `block_size` tokens. The others see the whole word so far. All
verbs (`fit`, `sample`, `score`, `evaluate`, `most_probable`, `save`, ...) take any of them. `Counts` and a trained
`Bigram` are the same model, fitted in two ways: tests/test_equivalence.py proves it.
"""

import importlib
import pkgutil as _pkgutil
from typing import Any

import lazy_loader as _lazy

# No list of models: all files of this folder are found, and imported when first used.
_NAMES = [module.name for module in _pkgutil.iter_modules(__path__)]
__getattr__, __dir__, __all__ = _lazy.attach(__name__, _NAMES)


def makeable() -> dict[str, Any]:
    """Returns the `contract.Model` of each model that a list of words can make, by name; imports all files here.

    >>> {"counts", "gru", "transformer"} <= set(makeable())
    True
    """
    for name in _NAMES:
        importlib.import_module(f"{__name__}.{name}")
    contract = importlib.import_module(f"{__name__}.contract")
    found = [model for model in contract.registered() if model.cls.__module__.startswith(f"{__name__}.")]
    return {model.name: model for model in sorted(found, key=lambda model: model.name) if model.init or model.fit}
